"""What breaks, on real containers: the fleet heals, and says what happened."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bench import deploy
from fleet.compose import images
from tests.cluster.clients import await_that

pytestmark = [pytest.mark.compose, pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 120
THREE = ["web-1", "web-2", "web-3"]
PAUSE_SECONDS = 30
HOG = "import time\nx = bytearray(600 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\ntime.sleep(60)"


@pytest.fixture
def three(own):
    """Three ready replicas, whatever the test before did."""
    if own.ready() != THREE:
        own.make("up", REPLICAS=3)
    return own


def container_of(fleet, slot):
    """A replica's container; one that is slow to answer has not said which slot it has."""
    found = {}
    await_that(lambda: found.update(fleet.replicas()) or slot in found, SECONDS, f"{slot} answers")
    return found[slot].container


def pid(fleet, container):
    return int(fleet.docker("inspect", "--format", "{{.State.Pid}}", container.id))


def server_of(first):
    """The replica's process behind the container's first one."""
    return int(Path(f"/proc/{first}/task/{first}/children").read_text().split()[0])


async def loses_nothing(fleet, action):
    """Publish to resuming clients while something happens."""
    noticed = await deploy.during(action, f"{fleet.ws_url}/ws/")
    print(f"\n{noticed}")  # noqa: T201 - the figures are the proof
    assert (noticed.lost, noticed.doubled, noticed.disordered, noticed.resets) == (0, 0, 0, 0)


async def test_a_killed_process_takes_its_place_again(three):
    """`kill -9` leaves a stale socket in the volume; the engine starts the container, which takes that place."""
    victim = container_of(three, "web-2")

    def kill():
        os.kill(server_of(pid(three, victim)), signal.SIGKILL)
        await_that(lambda: "web-2" in three.ready() and three.listed("web")[0], SECONDS, "web-2 is back")

    await loses_nothing(three, kill)
    again = container_of(three, "web-2")
    assert (again.id, again.restarts) == (victim.id, 1)
    assert f"{victim.name} ended by itself and was started again once" in three.make("status").stdout


async def test_a_killed_container_is_made_up_for(three):
    """`docker kill` is the operator's word, so the engine leaves it dead: status says so, and `make up` heals."""
    victim = container_of(three, "web-1")

    def kill():
        three.docker("kill", victim.id)
        told = three.make("status", check=False)
        assert told.returncode != 0
        assert "killed" in told.stdout
        three.make("up")

    await loses_nothing(three, kill)
    assert three.ready() == THREE


async def test_a_replica_out_of_memory_comes_back(three):
    """The kernel kills what exceeds the container's memory, and the engine starts it again."""
    victim = container_of(three, "web-3")
    before = victim.restarts

    def starve():
        first = pid(three, victim)
        for each in (first, server_of(first)):  # else the kernel would take the hog
            Path(f"/proc/{each}/oom_score_adj").write_text("1000")
        hog = subprocess.Popen(
            ["docker", "exec", victim.id, "python", "-c", HOG], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            await_that(lambda: three.listed("web") and restarted(), SECONDS, "the engine has started it again")
        finally:
            hog.kill()
            hog.wait()
        await_that(lambda: len(three.ready()) == 3, SECONDS, "all are ready")

    def restarted():
        return next(each for each in three.listed("web") if each.id == victim.id).restarts > before

    await loses_nothing(three, starve)


async def test_redis_restarts_with_its_data(three):
    """Acknowledged publications are in its file: clients that resume miss none."""

    def restart():
        three.docker("restart", three.listed("redis")[0].id)
        await_that(lambda: len(three.ready()) == 3, SECONDS, "all are ready")

    await loses_nothing(three, restart)


async def test_a_paused_replica_holds_up_its_own_clients_only(three):
    """For half a minute it answers nobody; its clients go elsewhere, or get all of it when it goes on."""
    victim = container_of(three, "web-1")

    def pause():
        three.docker("pause", victim.id)
        try:
            assert "paused" in three.make("status", check=False).stdout
            time.sleep(PAUSE_SECONDS)  # the pause itself
        finally:
            three.docker("unpause", victim.id)
        await_that(lambda: len(three.ready()) == 3, SECONDS, "all are ready")

    await loses_nothing(three, pause)


async def test_containers_with_other_ids_are_the_same_fleet(three):
    """Each service made anew by hand, all replicas at once: clients hold out, and resume."""
    before = {container.id for container in three.listed()}

    def recreate():
        for service in ("redis", "postgres", "nginx", "web"):
            three.by_hand("up", "--detach", "--no-deps", "--force-recreate", service)
            await_that(lambda: len(three.ready()) == 3 and three.seen(), SECONDS, "all are ready, and nginx knows")

    await loses_nothing(three, recreate)
    after = three.listed("redis", "postgres", "nginx", "web")
    assert not before & {container.id for container in after}


def test_the_proof_holds_through_a_rolling_restart(three):
    """Connections of Redis are killed, nginx reloads, every replica is replaced: nothing lost, nothing doubled."""
    before = {container.id for container in three.listed("web")}
    chaos = "--chaos redis-kill@2,reload@4,restart@6 --p99 10000 --settle 30"
    done = three.make("load", check=False, USERS=45, RATE=20, DURATION=12, ARGS=chaos)
    result = three.proof()
    assert [(event["name"], event["failed"]) for event in result["events"]] == [
        ("redis-kill", False), ("reload", False), ("restart", False),
    ], done.stdout + done.stderr  # fmt: skip
    assert all(cell["count"]["lost"] == cell["count"]["doubled"] == 0 for cell in result["cells"]), result["reasons"]
    assert not any("reset" in reason for reason in result["reasons"])
    kinds = {kind["name"]: kind for kind in result["kinds"]}
    assert kinds["BigRoomUser"]["resumes"] >= kinds["BigRoomUser"]["users"]
    assert not before & {container.id for container in three.listed("web")}


def test_replicas_wait_for_a_database_that_is_not_there_yet(three):
    """`make up` brings it back; a replica that starts meanwhile is not ready, and says why."""
    three.docker("stop", three.listed("postgres")[0].id)
    three.docker("restart", container_of(three, "web-2").id)
    await_that(lambda: "the database does not answer" in str(said(three)), SECONDS, "a replica tells of its database")
    shown = three.make("status", check=False)
    assert shown.returncode != 0
    assert "the database does not answer" in shown.stdout
    three.make("up")
    assert three.ready() == THREE


def test_chaos_needs_what_it_breaks(three):
    """A server that is killed or paused is named, with the remedy, which works; also where the worker is taken away."""
    three.docker("rm", "--force", three.listed("worker")[0].id)
    assert "worker is missing: `make up` brings it back." in three.make("status", check=False).stdout
    for service, what, how in (("redis", "redis-kill", "kill"), ("nginx", "reload", "pause")):
        three.docker(how, three.listed(service)[0].id)
        told = three.make("chaos", check=False, WHAT=what)
        assert told.returncode != 0
        assert f"{service} does not run: `make up` heals the fleet." in told.stderr
    three.make("up")
    assert three.make("status").returncode == 0


def said(fleet):
    return [replica.said.get("checks") for replica in fleet.replicas().values()]


def test_a_change_of_the_code_rolls(three):
    """A new image replaces each replica in turn, and leaves the servers alone."""
    image = images.name(three.project, "APP_IMAGE")
    servers = {container.id for container in three.listed("nginx", "redis", "postgres")}
    before = {container.id for container in three.listed("web")}
    changed = f"FROM {image}\nENV CHANGED=1\n"
    # `make up` builds what the repository says: the running replicas are given another image instead.
    subprocess.run(["docker", "build", "--tag", image, "-"], input=changed, text=True, check=True, capture_output=True)
    three.by_hand("up", "--detach", "--no-deps", "--force-recreate", "--scale", "web=3", "web")
    await_that(lambda: len(three.ready()) == 3, SECONDS, "the other image runs")
    other = {container.id for container in three.listed("web")}
    assert not before & other
    printed = three.make("up").stdout
    assert [f"replace web-{number} " in printed for number in (1, 2, 3)] == [True] * 3
    assert not other & {container.id for container in three.listed("web")}
    assert {container.id for container in three.listed("nginx", "redis", "postgres")} == servers
