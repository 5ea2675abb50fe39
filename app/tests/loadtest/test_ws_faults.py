"""The proof while the fleet is disturbed, or goes."""

import pytest

from tests.fleets import Fleet
from tests.loadtest.locusts import SMALL, Run, eventually, has_spawned, run, started

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS_FOR_THE_END = 60


@pytest.mark.slow
def test_chaos_loses_nothing_of_clients_that_resume(own_fleet: Fleet, tmp_path):
    """Killed connections of Redis, a reload of nginx, a restart of every replica: all done, nothing lost."""
    done = run(
        tmp_path, *SMALL, "--run-time", "12s", "--host", own_fleet.base_url, "--settle", 30,
        "--chaos", "redis-kill@2,reload@4,restart@6", fleet=own_fleet, seconds=110,
    )  # fmt: skip
    result = done.result
    assert [(event["name"], event["failed"]) for event in result["events"]] == [
        ("redis-kill", False), ("reload", False), ("restart", False),
    ]  # fmt: skip
    assert all(cell["count"]["lost"] == cell["count"]["doubled"] == 0 for cell in result["cells"]), result["reasons"]
    assert not any("reset" in reason for reason in result["reasons"])
    kinds = {kind["name"]: kind for kind in result["kinds"]}
    assert kinds["BigRoomUser"]["resumes"] >= kinds["BigRoomUser"]["users"]
    assert kinds["PlainUser"]["connects"] > kinds["PlainUser"]["users"]


def test_a_server_that_goes_makes_the_test_invalid(unstarted, tmp_path):
    """Nobody can say what its clients would have got; the sentence says that it is gone."""
    unstarted.make("up", REPLICAS=2, PORT=unstarted.port)
    words = (*SMALL, "--run-time", "10s", "--settle", 2, "--host", unstarted.base_url, "--headless", "--only-summary")
    with started(tmp_path, *words) as (process, log):
        assert eventually(lambda: has_spawned(log))
        unstarted.make("down")
        code = process.wait(SECONDS_FOR_THE_END)
    assert code == 2, log.read_text()
    assert Run(code, "", tmp_path).result["sentence"].startswith("The server is gone: 45 of 45 clients")
    assert "Traceback" not in log.read_text()
