"""The proof in Locust's web interface."""

import json
import signal

import pytest

from tests.loadtest.locusts import PATIENCE, Run, eventually, started
from tests.loadtest.pages import Page
from tests.ports import a_free_port

pytestmark = pytest.mark.cluster


def test_the_web_interface_starts_fresh_runs_and_shows_their_verdicts(fleet, tmp_path):
    """Host and options are prefilled; each run has a verdict of its own; what can't run is said and stopped."""
    port = a_free_port()
    with started(tmp_path, "--web-host", "127.0.0.1", "--web-port", port, fleet=fleet) as (process, log):
        page = Page(port)
        form = eventually(page.answers)
        assert fleet.base_url.removeprefix("http://") in form
        assert all(option in form for option in ("rate", "chaos", "latency_limit"))
        assert "proof_run" not in form
        assert "No run has ended yet" in page.get("/proof")
        for users in (30, 24):
            page.get("/swarm", user_count=users, spawn_rate=40, host=fleet.base_url, rate=30, latency_limit=10_000)
            assert eventually(lambda: page.is_under_way(users))  # noqa: B023 - called at once
            page.get("/stop", now=1)
            result = Run(0, "", tmp_path).result
            assert result["verdict"] == "proved", result["reasons"]
            assert sum(kind["users"] for kind in result["kinds"]) == users
            assert "proved" in page.get("/proof").lower()
            assert f"--users={users} --spawn-rate=40 " in result["command"]
            assert result["command"].endswith("--rate=30.0 --p99=10000.0 --report=" + str(tmp_path))
        nobody = f"http://127.0.0.1:{a_free_port()}"
        for users, host, told in ((0, fleet.base_url, "0 users leave nobody"), (5, nobody, "There is no server at")):
            page.get("/swarm", user_count=users, spawn_rate=40, host=host)
            assert eventually(lambda: told in str(page.stats["errors"]))  # noqa: B023 - called at once
            assert eventually(lambda: page.stats["state"] == "stopped")
            assert told in page.get("/proof")
        for rate in ("0", "abc"):
            answer = json.loads(page.get("/swarm", user_count=5, spawn_rate=40, host=fleet.base_url, rate=rate))
            assert not answer["success"]
            assert answer["message"] == f"--rate: {rate} is not a number from 0.1 on."
        assert page.stats["state"] == "stopped"
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    assert "Uncaught" not in log.read_text()
