"""The proof as a user calls it, on a real fleet of three replicas behind nginx: every way of Locust."""

import contextlib
import os
import signal
import time

import pytest

from tests.loadtest.locusts import PATIENCE, SMALL, Run, eventually, has_spawned, proved, run, started
from tests.ports import a_free_port

pytestmark = pytest.mark.cluster

EVERY_KIND = {"BigRoomUser", "DashboardUser", "RoomUser", "ReconnectingUser", "SlowUser", "PlainUser"}
SECONDS_FOR_THE_END = 60


def two_processes():
    """Return the words of a run in two, who meet on a port that another run on this machine does not take."""
    port = a_free_port()
    return "--processes", 2, "--master-bind-port", port, "--master-port", port


def test_every_kind_of_user_gets_everything(fleet, tmp_path):
    """Headless, in one process: exit code 0, the matrix full, both files of the report and Locust's own written.

    For longer than anybody keeps a connection who comes back again and again.
    """
    done = run(
        tmp_path, *SMALL, "--run-time", "9s", "--host", fleet.base_url, "--replicas", 3,
        "--csv", "csv/stats", "--html", "locust.html",
    )  # fmt: skip
    assert done.code == 0, done.said
    proved(done.result)
    kinds = {kind["name"]: kind for kind in done.result["kinds"]}
    assert set(kinds) == EVERY_KIND
    assert all(kind["count"]["received"] > 0 for kind in kinds.values())
    assert kinds["ReconnectingUser"]["resumes"] > 0
    assert [worker["cpu"] > 0 for worker in done.result["workers"]] == [True]
    assert all(second["users"] > 30 for second in done.result["timeline"] if second["second"] > 1)
    assert "PROVED" in done.said
    assert (tmp_path / "proof.html").stat().st_size > 1000
    assert (tmp_path / "locust.html").exists()
    rows = (tmp_path / "csv" / "stats_stats.csv").read_text()
    assert all(name in rows for name in ("connect", "join", "publish → ack", "publish → receive"))
    assert not done.traces


@pytest.mark.slow
def test_processes_of_one_command_give_one_verdict(fleet, tmp_path):
    """The pairs cross the processes: what one publishes the other's clients have to get."""
    words = *SMALL, "--run-time", "6s", "--host", fleet.base_url, "--replicas", 3
    done = run(tmp_path, *words, *two_processes())
    assert done.code == 0, done.said
    proved(done.result)
    assert len(done.result["workers"]) == 2
    lone = run(tmp_path, *words).result
    assert [kind["users"] for kind in lone["kinds"]] == [kind["users"] for kind in done.result["kinds"]]


def test_a_master_and_its_workers_give_one_verdict(fleet, tmp_path):
    """The workers are started on their own and know no option of the run; the master's exit code is the verdict's."""
    port = a_free_port()
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(started(tmp_path, "--worker", "--master-port", port, log=f"worker-{number}"))
            for number in (1, 2)
        ]
        done = run(
            tmp_path, *SMALL, "--run-time", "6s", "--host", fleet.base_url, "--rate", 40,
            "--master", "--master-bind-port", port, "--expect-workers", 2,
        )  # fmt: skip
        assert done.code == 0, done.said
        assert [process.wait(PATIENCE) for process, _ in workers] == [0, 0]
    proved(done.result)
    assert [worker["name"] for worker in done.result["workers"]] == ["worker-0", "worker-1"]
    assert all(abs(worker["clock"]) < 0.05 for worker in done.result["workers"])
    assert sum(second["published"] for second in done.result["timeline"]) == pytest.approx(
        40 * done.result["seconds"], rel=0.5
    )


@pytest.mark.slow
def test_a_worker_that_dies_makes_the_test_invalid(fleet, tmp_path):
    """What its clients got is not known; the sentence says that it is gone."""
    port = a_free_port()
    with (
        started(tmp_path, "--worker", "--master-port", port, log="one"),
        started(tmp_path, "--worker", "--master-port", port, log="two") as (victim, _),
        started(
            tmp_path, "--headless", "--only-summary", *SMALL, "--run-time", "8s", "--host", fleet.base_url,
            "--settle", 3, "--master", "--master-bind-port", port, "--expect-workers", 2,
        ) as (master, log),
    ):  # fmt: skip
        assert eventually(lambda: has_spawned(log))
        victim.kill()
        code = master.wait(SECONDS_FOR_THE_END)
    assert code == 2, log.read_text()
    assert "is gone, and what its clients got is not known" in Run(code, "", tmp_path).result["sentence"]


@pytest.mark.slow
def test_a_worker_that_comes_late_makes_the_test_invalid(fleet, tmp_path):
    """Locust gives it users of the others; what they get nobody has agreed to count. It goes with the others."""
    port = a_free_port()
    with (
        started(tmp_path, "--worker", "--master-port", port, log="one"),
        started(
            tmp_path, "--headless", "--only-summary", *SMALL, "--run-time", "9s", "--host", fleet.base_url,
            "--settle", 3, "--master", "--master-bind-port", port, "--expect-workers", 1,
        ) as (master, log),
    ):  # fmt: skip
        assert eventually(lambda: has_spawned(log))
        with started(tmp_path, "--worker", "--master-port", port, log="two") as (late, _):
            code = master.wait(SECONDS_FOR_THE_END)
            assert late.wait(PATIENCE) == 0
    assert code == 2, log.read_text()
    assert Run(code, "", tmp_path).result["sentence"] == (
        "Worker-1 came when the run had begun: what its clients got is not known."
    )


def test_tags_choose_the_users(fleet, tmp_path):
    """Each class has a tag; those that are left out do not run."""
    done = run(tmp_path, *SMALL, "--run-time", "3s", "--host", fleet.base_url, "--tags", "rooms", "plain")
    assert {kind["name"] for kind in done.result["kinds"]} == {"RoomUser", "PlainUser"}
    done = run(tmp_path, *SMALL, "--run-time", "3s", "--host", fleet.base_url, "--exclude-tags", "slow", "reconnecting")
    assert {kind["name"] for kind in done.result["kinds"]} == {"BigRoomUser", "RoomUser", "PlainUser", "DashboardUser"}


def test_plain_clients_alone_are_proved_too(fleet, tmp_path):
    """The tutorial's client gets its own publication back: that is the answer that others must have got it."""
    done = run(tmp_path, *SMALL, "--run-time", "5s", "--host", fleet.base_url, "PlainUser")
    assert done.code == 0, done.said
    proved(done.result)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [tuple, two_processes], ids=["one", "two"])
def test_ctrl_c_ends_with_a_verdict(fleet, tmp_path, processes):
    """Everything that was published until then is judged, in every process."""
    words = ("--headless", "--only-summary", *SMALL, "--host", fleet.base_url, *processes())
    with started(tmp_path, *words) as (process, log):
        assert eventually(lambda: has_spawned(log))
        time.sleep(4)  # what is to be judged has to happen first
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(PATIENCE)
    assert code == 0, log.read_text()
    proved(Run(code, "", tmp_path).result)
