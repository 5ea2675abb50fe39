"""The proof of the whole way, in containers: the verbs one after another, as the README has them."""

import subprocess
import sys

import pytest

from fleet.options import REPOSITORY
from tests.fleets import clean_environment

pytestmark = [pytest.mark.compose, pytest.mark.slow, pytest.mark.timeout(900)]

LINE = "make up MODE=compose && make prove && make restart && make scale REPLICAS=5 && make prove && make down"
SECONDS = 800


def test_a_fleet_is_proved_from_its_first_start_to_its_end(fresh):
    """Each verb on what the one before left, nothing said twice; the last proof is one of five replicas."""
    once = f"COMPOSE={fresh.compose!r} PORT={fresh.port}"  # for the first verb alone
    always = {"RUN_DIR": str(fresh.run_dir), "ENV_FILE": "/dev/null", "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", "-c", f"{once} {LINE}"], cwd=REPOSITORY, env={**clean_environment(), **always}, text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("the fleet is proved, and the proof can fail") == 2
    assert fresh.proof()["verdict"] == "proved"
    assert fresh.proof()["replicas"] == [f"web-{number}" for number in range(1, 6)]
    assert fresh.proof("control")["verdict"] == "broken"
    assert fresh.listed() == []
