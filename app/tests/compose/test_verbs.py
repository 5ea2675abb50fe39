"""What README says of the verbs, and what compose.yaml says of the containers; test_proof.py has both Composes."""

import json
import stat
from pathlib import Path

import pytest

from bench import deploy
from fanout.client import Publication, connect
from fleet.compose import secrets
from fleet.compose.project import Project
from tests.busy import slowed
from tests.cluster.clients import await_that
from tests.loadtest.locusts import eventually
from tests.loadtest.pages import Page
from tests.ports import a_free_port

pytestmark = [pytest.mark.compose, pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 120
APP, EDGE, DATA = "10001:10001", "10002:10001", "999:999"
ACCOUNTS = {"web": APP, "worker": APP, "migrate": APP, "nginx": EDGE, "redis": DATA, "postgres": DATA}
NETWORKS = {
    "web": {"redis", "database"},
    "worker": {"redis", "database", "worker"},
    "migrate": {"database"},
    "nginx": {"edge"},
    "redis": {"redis"},
    "postgres": {"database"},
}


@pytest.fixture
def inspected(own):
    """What the engine says of each container, by service."""
    return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in raw(own)}


def raw(fleet):
    return fleet.project.engine.inspect([container.id for container in fleet.listed()])


def test_every_process_is_nobody_in_particular(own, inspected):
    """Its own account in the kernel's eyes too, no capability, and none to be had."""
    assert set(inspected) == set(ACCOUNTS)
    for service, each in inspected.items():
        assert each["Config"]["User"] == ACCOUNTS[service]
        assert [cap.removeprefix("CAP_") for cap in each["HostConfig"]["CapDrop"]] == ["ALL"]
        assert not each["HostConfig"]["CapAdd"]
        assert not each["HostConfig"]["Privileged"]
        assert each["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]
        if pid := each["State"]["Pid"]:
            told = Path(f"/proc/{pid}/status").read_text().splitlines()
            lines = dict(line.split(":\t", 1) for line in told if ":\t" in line)
            assert set(lines["Uid"].split()) == {ACCOUNTS[service].partition(":")[0]}
            assert {lines[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
            assert lines["NoNewPrivs"] == "1"


def test_the_root_file_system_is_read_only(own, inspected):
    """In deed too; what is written to is named: memory, and the data of the two servers."""
    volumes = {}
    for service, each in inspected.items():
        assert each["HostConfig"]["ReadonlyRootfs"]
        writable = {mount["Destination"] for mount in each["Mounts"] if mount["RW"]}
        volumes[service] = writable
        if each["State"]["Running"]:
            with pytest.raises(Exception, match=r"[Rr]ead-only file system"):
                own.docker("exec", "--user", "0:0", each["Id"], "mkdir", "/etc/x")
    assert volumes == {
        "web": {"/run/fanout"},
        "worker": set(),
        "nginx": set(),
        "migrate": set(),
        "redis": {"/data"},
        "postgres": {"/var/lib/postgresql/data"},
    }


def test_nothing_but_nginx_is_published_and_that_to_this_machine(own, inspected):
    """And each server is in a network with its clients alone, which leads nowhere else."""
    published = {service: each["HostConfig"]["PortBindings"] or {} for service, each in inspected.items()}
    assert published.pop("nginx") == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(own.port)}]}
    assert not any(published.values())
    prefix = f"{own.project.name}_"
    for service, each in inspected.items():
        assert {name.removeprefix(prefix) for name in each["NetworkSettings"]["Networks"]} == NETWORKS[service]
    described = json.loads(
        own.docker("network", "inspect", *(f"{prefix}{name}" for name in ("redis", "database", "worker")))
    )
    assert all(network["Internal"] for network in described)


def test_no_secret_is_told(own):
    """Neither by `docker inspect` nor by the logs; the files are in a folder that only its owner enters."""
    folder = own.project.secrets
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    told = json.dumps(raw(own)) + own.by_hand("logs").stdout
    for name in (secrets.SECRET_KEY, secrets.REDIS_PASSWORD, secrets.DATABASE_PASSWORD):
        secret = (folder / name).read_text().strip()
        assert len(secret) > 40
        assert secret not in told


def test_everything_is_bounded(inspected):
    """Memory, processes, processors, open files, logs, and the time to end, which is longer than a drain."""
    for service, each in inspected.items():
        host = each["HostConfig"]
        assert host["Memory"] > 0
        assert host["PidsLimit"] > 0
        assert host["NanoCpus"] > 0
        assert {limit["Name"] for limit in host["Ulimits"]} == {"nofile", "core"}
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
        assert host["Init"]
        assert host["RestartPolicy"]["Name"] == ("no" if service == "migrate" else "unless-stopped")
    assert inspected["web"]["Config"]["StopTimeout"] == 40


def test_nobody_without_the_password_commands_redis(own):
    """The health check's account says PING, nothing else; and no account does."""
    redis = own.listed("redis")[0].id
    assert own.docker("exec", redis, "redis-cli", "FLUSHALL").startswith("NOAUTH")
    health = ("exec", redis, "redis-cli", "--no-auth-warning", "-u", "redis://health:health@127.0.0.1")
    assert own.docker(*health, "PING").strip() == "PONG"
    assert own.docker(*health, "GET", "x").startswith("NOPERM")


def test_up_once_more_changes_nothing(own):
    """No container is made anew or started again."""
    before = {container.id: container.started for container in own.listed() if container.service != "migrate"}
    own.make("up")
    assert {container.id: container.started for container in own.listed() if container.service != "migrate"} == before


async def test_a_rolling_restart_loses_nothing(own):
    """Every replica is replaced while numbers are published to clients that resume."""
    before = {slot: replica.container.id for slot, replica in own.replicas().items()}
    noticed = await deploy.during(lambda: own.make("restart"), f"{own.ws_url}/ws/")
    print(f"\n{noticed}")  # noqa: T201 - the figures are the proof
    assert (noticed.lost, noticed.doubled, noticed.disordered, noticed.resets) == (0, 0, 0, 0)
    assert noticed.returned == deploy.CLIENTS
    assert noticed.silences[-1] < 5 * slowed()
    after = {slot: replica.container.id for slot, replica in own.replicas().items()}
    assert set(after) == {"web-1", "web-2", "web-3"}
    assert not set(before.values()) & set(after.values())


def test_make_goes_on_with_the_compose_that_made_the_fleet(own):
    """Also when nobody says again which: the other version would make each container anew."""
    before = {container.id: container.name for container in own.listed()}
    own.make("scale", REPLICAS=3, COMPOSE=None)
    assert {container.id: container.name for container in own.listed()} == before
    assert Project(own.project.run).program() == own.compose.split()


def workers(fleet):
    """The process ids of nginx' workers, by the engine's word."""
    rows = fleet.docker("top", fleet.listed("nginx")[0].id, "-o", "pid,args").splitlines()
    return {int(row.split()[0]) for row in rows if "worker process" in row and "shutting down" not in row}


def test_chaos_reloads_nginx(own):
    """The container stays, the workers are others."""
    nginx, before = own.listed("nginx")[0].id, workers(own)
    own.make("chaos", WHAT="reload")
    await_that(lambda: workers(own) and not workers(own) & before, SECONDS, "the workers are others")
    assert own.listed("nginx")[0].id == nginx


def test_chaos_kills_the_connections_of_redis(own):
    """Those of each replica; they connect anew, and nobody reads the password in a list of processes."""
    done = own.make("chaos", WHAT="redis-kill")
    assert int(done.stdout.split("killed")[0].split()[-1]) >= 2 * len(own.ready())
    await_that(lambda: own.ready() == ["web-1", "web-2", "web-3"], SECONDS, "all are ready")


def test_locusts_page_proves_the_fleet(own):
    """The profile `load` by hand: the page answers, a run that is started there ends with its verdict."""
    port = a_free_port()
    words = ("--profile", "load", "up", "--build", "--detach", "locust", "locust-worker")
    own.by_hand(*words, LOAD_PORT=str(port), LOAD_WORKERS="1")
    page = Page(port)
    assert "http://nginx:8080" in eventually(page.answers)
    assert eventually(lambda: page.stats["workers"])
    page.get("/swarm", user_count=30, spawn_rate=30, host="http://nginx:8080", rate=30, latency_limit=10_000)
    assert eventually(lambda: page.is_under_way(30))
    page.get("/stop", now=1)
    assert eventually(lambda: "proved" in page.get("/proof").lower())
    assert {row.split()[0] for row in own.make("status").stdout.splitlines() if row} >= {"locust", "locust-worker"}


def test_scaling_takes_places_and_gives_them_back(own):
    """By make and by hand; replicas that stay keep their container."""
    first = {slot: replica.container.id for slot, replica in own.replicas().items()}
    own.make("scale", REPLICAS=5)
    assert own.ready() == [f"web-{number}" for number in range(1, 6)]
    await_that(lambda: own.seen() in ("web-4", "web-5"), SECONDS, "nginx gives requests to a new replica")
    own.by_hand("up", "--detach", "--scale", "web=7")
    await_that(lambda: len(own.ready()) == 7, SECONDS, "seven replicas are ready")
    shown = own.make("status").stdout
    assert all(f"\nweb-{number} " in f"\n{shown}" for number in range(1, 8))
    own.make("scale", REPLICAS=3)
    assert {slot: replica.container.id for slot, replica in own.replicas().items()} == first


async def test_data_outlives_the_containers(own):
    """What was published before `down` is there after the next `up`, in containers with other ids."""
    url = f"{own.ws_url}/ws/"
    async with connect(url) as client:
        await client.publish("chat.kept", {"message": "still here"})
    before = {container.id for container in own.listed()}
    assert "The data stays" in own.make("down").stdout
    assert own.listed() == []
    own.make("up", REPLICAS=1, PORT=own.port)
    assert not before & {container.id for container in own.listed()}
    async with connect(url, ["chat.kept"], last=10) as client:
        async for event in client:
            if isinstance(event, Publication):
                assert event.data["message"] == "still here"
                break


def test_data_is_not_dropped_without_a_yes(own):
    """Nobody at a terminal is nobody to ask: the fleet runs on."""
    refused = own.make("down", check=False, DATA="drop")
    assert refused.returncode == 2
    assert "DATA=drop YES=1" in refused.stderr
    assert own.ready()
    own.make("down", DATA="drop", YES=1)
    assert own.project.volumes() == []
