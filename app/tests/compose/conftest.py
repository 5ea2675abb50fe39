"""Fleets in the containers of a real engine; without one these tests say why they are skipped."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fleet.compose import containers, replicas
from fleet.compose.engine import Engine, EngineError
from fleet.compose.project import Project, defaults
from fleet.options import REPOSITORY
from fleet.state import Run
from tests.fleets import WATCH, Fleet, clean_environment
from tests.ports import a_free_port

MAKE_SECONDS = 500
"""For a start on a machine that does other things beside it."""
BASES = ("PYTHON_IMAGE", "NGINX_IMAGE", "REDIS_IMAGE", "POSTGRES_IMAGE")


class ContainerFleet(Fleet):
    """One fleet beside all others: its own port, project, volumes and image tags."""

    def __init__(self, run_dir, port, compose):
        super().__init__(run_dir, port)
        self.compose = compose
        self.project = Project(Run(run_dir), asked=compose)

    def command(self, verb, **variables):
        return super().command(verb, **{"MODE": "compose", "COMPOSE": self.compose, **variables})

    def make(self, verb, *, check=True, environ=None, **variables):
        done = subprocess.run(
            self.command(verb, **variables), env={**clean_environment(), **(environ or {})},
            capture_output=True, text=True, check=False, timeout=MAKE_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"make {verb} failed:\n{done.stdout}{done.stderr}"
        return done

    def docker(self, *arguments):
        """What the engine prints."""
        return self.project.engine.call(*arguments)

    def listed(self, *services):
        """The containers."""
        return containers.listed(self.project, *services)

    def replicas(self):
        """The replicas by their places."""
        return {replica.slot: replica for replica in replicas.found(self.project)}

    def ready(self):
        """The places of the replicas that are ready, in order."""
        return [replica.slot for replica in replicas.found(self.project) if replica.is_ready]

    def seen(self):
        """A replica that answers through nginx."""
        return replicas.answering(self.project.recall(), self.project)

    def by_hand(self, *words, **environ):
        """Compose as a person types it, with the values that make has written."""
        command = [*self.compose.split(), "--env-file", str(self.project.variables_file), *words]
        done = subprocess.run(
            command, cwd=REPOSITORY, env={**os.environ, **environ}, capture_output=True, text=True, check=False,
            timeout=MAKE_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
        return done

    def proof(self, *folders):
        """The result of the last run of the proof."""
        return json.loads(self.run_dir.joinpath("proof", *folders, "proof.json").read_text())


@pytest.fixture(scope="session")
def engine():
    """An engine that answers and has the base images."""
    found = Engine()
    if said := found.absence():
        pytest.skip(said)
    for name in BASES:
        image = os.environ.get(name) or defaults()[name]
        if not found.call("image", "ls", "--quiet", image).strip():
            pytest.skip(f"{image} is missing: docker pull {image}, or deploy/images/standins.sh")
    return found


@contextlib.contextmanager
def a_fleet(compose):
    """A fleet that was not started; nothing of it is left afterwards, whatever happens to the test run."""
    folder = Path(tempfile.mkdtemp(prefix="fleet-", dir="/tmp"))
    made = ContainerFleet(folder / "run", a_free_port(), compose)
    guard = subprocess.Popen(
        [sys.executable, "-c", WATCH, str(folder), *made.command("down", DATA="drop", YES=1)],
        stdin=subprocess.PIPE, env=clean_environment(), start_new_session=True,
    )  # fmt: skip
    try:
        yield made
    finally:
        guard.communicate(timeout=MAKE_SECONDS)
        left = made.docker(
            "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={made.project.name}"
        )
        for image in ("app", "edge", "load"):
            with contextlib.suppress(EngineError):  # it was never built
                made.docker("rmi", f"fanout-{image}:{made.project.tag}")
    assert not left, f"make down left {left}"


@pytest.fixture(scope="module", params=["docker compose", "docker-compose"], ids=["v2", "v1"])
def compose(request, engine):
    """The command of each Compose in turn."""
    return request.param


@pytest.fixture(scope="module")
def own(engine):
    """A running fleet of three replicas whose containers may be killed."""
    with a_fleet("docker compose") as made:
        made.make("up", REPLICAS=3, PORT=made.port)
        yield made


@pytest.fixture
def fresh(compose):
    """A fleet that does not run, once with each Compose."""
    with a_fleet(compose) as made:
        yield made


@pytest.fixture
def unstarted(engine):
    """A fleet that does not run."""
    with a_fleet("docker compose") as made:
        yield made
