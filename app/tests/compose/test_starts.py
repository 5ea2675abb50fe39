"""What keeps a fleet in containers from starting or from going on, and what is said of it."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from fleet.compose import images
from fleet.compose.engine import NO_RIGHT, Engine, EngineError, explain
from fleet.options import REPOSITORY
from tests.cluster.clients import await_that

pytestmark = [pytest.mark.compose, pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 120
NOBODY = 65534
DISK_BYTES = 48 << 20
SMALL_ENGINE = (
    f"mkdir {{folder}}/data && mount -t tmpfs -o size={DISK_BYTES} tmpfs {{folder}}/data && "
    "exec setpriv --pdeathsig KILL dockerd --data-root {folder}/data --exec-root {folder}/exec "
    "--pidfile {folder}/pid --host unix://{folder}/docker.sock --bridge none --iptables=false"
)


def ask(fleet, method, path, data=None):
    """The status and the words of an answer."""
    link = http.client.HTTPConnection("127.0.0.1", fleet.port, timeout=SECONDS)
    with contextlib.closing(link):
        link.request(method, path, data and json.dumps(data), {"Content-Type": "application/json"})
        answer = link.getresponse()
        return answer.status, answer.read().decode()


def test_redis_without_room_for_its_file_refuses_and_goes_on(unstarted):
    """Publishers are told, `make status` names Redis; with room again all is well, and nothing acknowledged is lost."""
    label = f"com.docker.compose.project={unstarted.project.name}"
    unstarted.docker(
        "volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=16m,uid=999,gid=999",
        "--label", label, "--label", "com.docker.compose.volume=redis", f"{unstarted.project.name}_redis",
    )  # fmt: skip
    unstarted.make("up", REPLICAS=1, PORT=unstarted.port)
    redis = unstarted.listed("redis")[0].id
    acknowledged = []

    def publish():
        status, said = ask(
            unstarted, "POST", "/groups/chat.disk/publications", {"message": f"number {time.monotonic()}"}
        )
        if status == 201:
            acknowledged.append(json.loads(said)["offset"])
        return status

    assert publish() == 201
    unstarted.docker("exec", redis, "sh", "-c", "cat /dev/zero >/data/filler; true")
    await_that(lambda: publish() == 503, SECONDS, "publishers are told")
    await_that(lambda: "unhealthy" in unstarted.make("status", check=False).stdout, SECONDS, "status names Redis")
    unstarted.docker("exec", redis, "rm", "/data/filler")
    await_that(lambda: publish() == 201, SECONDS, "publications are taken again")
    await_that(lambda: unstarted.make("status", check=False).returncode == 0, SECONDS, "all is well")
    kept = json.loads(ask(unstarted, "GET", "/poll/chat.disk?last=100")[1])["publications"]
    assert [each["offset"] for each in kept] == acknowledged


def test_a_taken_port_is_told_before_anything_starts(unstarted):
    """With who has it and a free one."""
    with contextlib.closing(socket.create_server(("127.0.0.1", unstarted.port))):
        refused = unstarted.make("up", check=False, PORT=unstarted.port)
    assert refused.returncode != 0
    assert f"Port {unstarted.port} is in use" in refused.stderr
    assert "make up PORT=" in refused.stderr
    assert unstarted.listed() == []


def test_data_without_its_password_is_told(unstarted):
    """Before anything is built or made: a run folder was deleted, its volumes were not."""
    volume = f"{unstarted.project.name}_postgres"
    unstarted.docker("volume", "create", "--label", f"com.docker.compose.project={unstarted.project.name}", volume)
    refused = unstarted.make("up", check=False, PORT=unstarted.port)
    assert refused.returncode != 0
    assert f"The volume {volume} holds the data of an earlier fleet" in refused.stderr
    assert not (unstarted.run_dir / "secrets").exists()
    unstarted.make("down", DATA="drop", YES=1)
    assert unstarted.project.volumes() == []


def test_an_interrupted_build_is_no_obstacle(unstarted):
    """The image has its name when it is whole; the next `make up` goes on."""
    image = f"fanout-app:{unstarted.project.tag}"
    build = subprocess.Popen(
        ["docker", "build", "--no-cache", "--file", "deploy/Dockerfile", "--target", "app", "--tag", image, "."],
        cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    build.stderr.readline()
    build.terminate()
    build.communicate(timeout=SECONDS)
    assert images.identity(unstarted.project, image) == ""
    unstarted.make("up", REPLICAS=1, PORT=unstarted.port)
    assert unstarted.ready() == ["web-1"]


def test_no_engine_is_one_sentence(unstarted):
    """So is a socket without the right to it; nothing is made."""
    environ = {"DOCKER_HOST": f"unix://{unstarted.run_dir}/nobody.sock"}
    refused = unstarted.make("up", check=False, environ=environ, PORT=unstarted.port)
    assert refused.returncode != 0
    assert refused.stderr.startswith("No container engine answers: start it")
    assert not (unstarted.run_dir / "secrets").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_an_account_without_the_right_is_told(engine):
    """In one sentence, whatever the engine's client says."""
    docker = str(Path(shutil.which("docker")).resolve())
    done = subprocess.run(
        [docker, "version"], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert explain("docker version", done.stderr) == NO_RIGHT


@pytest.fixture
def full(engine):
    """An engine of its own whose disk holds next to nothing, in name spaces that go with it."""
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("only root can start an engine, where one is installed")
    with tempfile.TemporaryDirectory(prefix="engine-", dir="/tmp") as folder:
        command = SMALL_ENGINE.format(folder=folder)
        with (Path(folder) / "log").open("w") as log:
            # A network of its own: an engine without a bridge takes away the one that it finds.
            process = subprocess.Popen(
                ["unshare", "--mount", "--net", "sh", "-c", command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        small = Engine(environ={**os.environ, "DOCKER_HOST": f"unix://{folder}/docker.sock"})
        try:
            await_that(lambda: not small.absence(), SECONDS, "the small engine answers")
            yield small
        finally:
            process.terminate()
            process.wait(SECONDS)


def test_a_full_disk_is_told(full, tmp_path):
    """With what frees it; the engine goes on."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY big /big\n")
    (tmp_path / "big").write_bytes(os.urandom(DISK_BYTES))
    with pytest.raises(EngineError, match=r"^The engine's disk is full: `docker system df` shows what takes it"):
        full.call("build", str(tmp_path))
    assert not full.absence()
