"""The proof as a user calls it, on a real fleet of three replicas behind nginx."""

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest

from tests.fleets import Fleet, a_free_port
from tests.loadtest.locusts import LOCUST, Run, run, started

pytestmark = pytest.mark.cluster

REPLICAS = ["web-1", "web-2", "web-3"]
SMALL = ("--users", 45, "--spawn-rate", 45, "--p99", 10_000)
"""Latency is not what is tested: the machine may be busy."""
EVERY_KIND = {"BigRoomUser", "DashboardUser", "RoomUser", "ReconnectingUser", "SlowUser", "PlainUser"}
PATIENCE = 30
SECONDS_FOR_THE_END = 60


def eventually(look, seconds=PATIENCE):
    """Return what `look` finds, once it does."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def proved(result):
    """Assert that every cell is there, and whole."""
    assert result["verdict"] == "proved", result["reasons"]
    assert result["replicas"] == REPLICAS
    assert [(cell["publisher"], cell["receiver"]) for cell in result["cells"]] == [
        (publisher, receiver) for publisher in REPLICAS for receiver in REPLICAS
    ]
    for cell in result["cells"]:
        assert cell["count"]["received"] == cell["count"]["expected"] > 0
        assert cell["latency"]["count"] > 0


# -- every way of Locust --------------------------------------------------------------------------------------


def test_every_kind_of_user_gets_everything(fleet, tmp_path):
    """Headless, in one process: exit code 0, the matrix full, both files of the report and Locust's own written."""
    done = run(
        tmp_path, *SMALL, "--run-time", "6s", "--host", fleet.base_url, "--replicas", 3,
        "--csv", "csv/stats", "--html", "locust.html",
    )  # fmt: skip
    assert done.code == 0, done.said
    proved(done.result)
    kinds = {kind["name"]: kind for kind in done.result["kinds"]}
    assert set(kinds) == EVERY_KIND
    assert all(kind["count"]["received"] > 0 for kind in kinds.values())
    assert kinds["ReconnectingUser"]["resumes"] > 0
    assert [worker["cpu"] > 0 for worker in done.result["workers"]] == [True]
    assert "PROVED" in done.said
    assert (tmp_path / "proof.html").stat().st_size > 1000
    assert (tmp_path / "locust.html").exists()
    rows = (tmp_path / "csv" / "stats_stats.csv").read_text()
    assert all(name in rows for name in ("connect", "join", "publish → ack", "publish → receive"))
    assert not done.traces


def test_processes_of_one_command_give_one_verdict(fleet, tmp_path):
    """The pairs cross the processes: what one publishes the other's clients have to get."""
    done = run(tmp_path, *SMALL, "--run-time", "6s", "--host", fleet.base_url, "--replicas", 3, "--processes", 2)
    assert done.code == 0, done.said
    proved(done.result)
    assert len(done.result["workers"]) == 2
    lone = run(tmp_path, *SMALL, "--run-time", "6s", "--host", fleet.base_url, "--replicas", 3).result
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
        40 * done.result["seconds"], rel=0.1
    )


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
        assert eventually(lambda: "All users spawned" in log.read_text())
        victim.kill()
        code = master.wait(SECONDS_FOR_THE_END)
    assert code == 2, log.read_text()
    assert "is gone, and what its clients got is not known" in Run(code, "", tmp_path).result["sentence"]


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


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["one", "two"])
def test_ctrl_c_ends_with_a_verdict(fleet, tmp_path, processes):
    """Everything that was published until then is judged, in every process."""
    words = ("--headless", "--only-summary", *SMALL, "--host", fleet.base_url, *processes)
    with started(tmp_path, *words) as (process, log):
        assert eventually(lambda: "All users spawned" in log.read_text())
        time.sleep(4)  # what is to be judged has to happen first
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(PATIENCE)
    assert code == 0, log.read_text()
    proved(Run(code, "", tmp_path).result)


class Page:
    """Locust's web interface."""

    def __init__(self, port):
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path, **form):
        """Return what a page says; with a form it is posted."""
        data = urllib.parse.urlencode(form).encode() if form else None
        with urllib.request.urlopen(self._url + path, data, PATIENCE) as answer:  # noqa: S310 - http, above
            return answer.read().decode()

    def answers(self):
        """Whether it is there."""
        with contextlib.suppress(OSError):
            return self.get("/")

    @property
    def stats(self):
        """What the charts are drawn from."""
        return json.loads(self.get("/stats/requests"))

    def is_under_way(self, users):
        """Whether so many users run and have received something: a page may be some seconds old."""
        stats = self.stats
        received = sum(row["num_requests"] for row in stats["stats"] if row["name"] == "publish → receive")
        return stats["state"] == "running" and stats["user_count"] == users and received > 300


def test_the_web_interface_starts_fresh_runs_and_shows_their_verdicts(fleet, tmp_path):
    """Host and options are prefilled; each run has a verdict of its own; what can't run is said and stopped."""
    port = a_free_port()
    with started(tmp_path, "--web-host", "127.0.0.1", "--web-port", port, fleet=fleet) as (process, log):
        page = Page(port)
        form = eventually(page.answers)
        assert fleet.base_url.removeprefix("http://") in form
        assert all(option in form for option in ("rate", "chaos", "p99"))
        assert "proof_run" not in form
        assert "No run has ended yet" in page.get("/proof")
        for users in (30, 24):
            page.get("/swarm", user_count=users, spawn_rate=40, host=fleet.base_url, rate=30, p99=10_000)
            assert eventually(lambda: page.is_under_way(users))  # noqa: B023 - called at once
            page.get("/stop", now=1)
            result = Run(0, "", tmp_path).result
            assert result["verdict"] == "proved", result["reasons"]
            assert sum(kind["users"] for kind in result["kinds"]) == users
            assert "proved" in page.get("/proof").lower()
        nobody = f"http://127.0.0.1:{a_free_port()}"
        for users, host, told in ((0, fleet.base_url, "0 users leave nobody"), (5, nobody, "There is no server at")):
            page.get("/swarm", user_count=users, spawn_rate=40, host=host)
            assert eventually(lambda: told in str(page.stats["errors"]))  # noqa: B023 - called at once
            assert eventually(lambda: page.stats["state"] == "stopped")
            assert told in page.get("/proof")
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    assert "Uncaught" not in log.read_text()


# -- what can't be a proof ------------------------------------------------------------------------------------


@pytest.fixture
def stranger():
    """Make a server that answers every request with the same bytes; return its address."""
    with contextlib.ExitStack() as stack:

        def make(answer):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=serve, args=(server, answer), daemon=True).start()
            return f"http://127.0.0.1:{server.getsockname()[1]}"

        yield make


def serve(server, answer):
    """Answer until the server is closed."""
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            with client:
                head = client.recv(1 << 16)
                key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
                client.sendall(answer(key))


def said(words):
    """An answer that does not look at the key."""
    return lambda _: words.replace("\n", "\r\n").encode()


def accepting(more):
    """A right answer to the handshake, with further headers."""
    from websockets.utils import accept_key

    return lambda key: (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key.decode())}\r\n{more}\r\n"
    ).encode()


def refused(done, told):
    """Assert one sentence, exit code 2 and nothing that only a programmer reads."""
    assert done.code == 2, done.said
    assert told in done.said
    assert not done.traces
    assert done.result["verdict"] == "invalid"
    assert told in done.result["sentence"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (said("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), "with 200 instead of 101"),
        (said("HTTP/1.1 502 Bad Gateway\nContent-Length: 0\n\n"), "has no replica to serve /ws/ (502)"),
        (said("SSH-2.0-OpenSSH\n"), "does not speak HTTP"),
        (said(""), "closed the connection during the handshake"),
        (accepting(""), "does not speak fanout.v1: it chose no subprotocol"),
        (accepting("Sec-WebSocket-Protocol: graphql-ws\r\n"), "does not speak fanout.v1"),
        (said("HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\n\n"), "not as RFC 6455"),
    ],
    ids=["200", "502", "ssh", "nothing", "no subprotocol", "another subprotocol", "no accept"],
)
def test_a_server_that_is_none_of_ours_is_told(stranger, tmp_path, answer, told):
    """Before anything starts, in a sentence that says what it did."""
    refused(run(tmp_path, *SMALL, "--run-time", "3s", "--host", stranger(answer)), told)


def test_a_host_without_a_server_is_told(tmp_path):
    """And how to have one."""
    done = run(tmp_path, *SMALL, "--run-time", "3s", "--host", f"http://127.0.0.1:{a_free_port()}")
    refused(done, "connection refused): start one (`make up`)")


def test_an_origin_that_is_refused_is_told(fleet, tmp_path):
    """The server's own 403, and the variable that lets it in."""
    done = run(tmp_path, *SMALL, "--run-time", "3s", "--host", fleet.base_url, "--origin", "http://evil.example")
    refused(done, "refused the origin http://evil.example on /ws/ (403): add it to FANOUT_TRUSTED_ORIGINS")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--users", 0), "0 users leave nobody"),
        (("--users", 200_000), "200,000 users do not fit"),
        (("--host", "ftp://x"), "--host ftp://x is no address"),
        (("--host", "http://127.0.0.1/ws/"), "has a path"),
    ],
)
def test_what_can_not_be_meant_is_told(fleet, tmp_path, words, told):
    """Before anything starts."""
    refused(run(tmp_path, "--run-time", "3s", "--host", fleet.base_url, *words), told)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--rate", "0"), "0 is not a number from 0.1 on"),
        (("--chaos", "reboot"), "reboot is none of restart, redis-kill, reload"),
        (("--path", "ws"), "ws is no path"),
        (("--rooms", "-1"), "-1 is not a whole number from 0 on"),
        (("--tags", "nobody"), "the tags are big, dashboard, plain, reconnecting, rooms, slow"),
    ],
)
def test_options_that_can_not_be_meant_are_told(tmp_path, words, told):
    """Exit code 2, as for all that makes no proof."""
    done = run(tmp_path, "--run-time", "3s", *words)
    assert done.code == 2
    assert told in done.said
    assert not done.traces


def test_users_that_descriptors_do_not_allow_are_told_with_the_number_that_fits(fleet, tmp_path):
    """A process that may open few files holds few clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    done = subprocess.run(
        [*LOCUST, "--headless", "--users", "500", "--run-time", "3s", "--host", fleet.base_url, "--report", tmp_path],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=PATIENCE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400)),
    )  # fmt: skip
    assert (soft, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
    refused(Run(done.returncode, done.stdout, tmp_path), "take --users 250.")


# -- what happens meanwhile -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.fault
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


@pytest.mark.fault
def test_a_server_that_goes_makes_the_test_invalid(unstarted, tmp_path):
    """Nobody can say what its clients would have got; the sentence says that it is gone."""
    unstarted.make("up", REPLICAS=2, PORT=unstarted.port)
    words = (*SMALL, "--run-time", "10s", "--settle", 2, "--host", unstarted.base_url, "--headless", "--only-summary")
    with started(tmp_path, *words) as (process, log):
        assert eventually(lambda: "All users spawned" in log.read_text())
        unstarted.make("down")
        code = process.wait(SECONDS_FOR_THE_END)
    assert code == 2, log.read_text()
    assert Run(code, "", tmp_path).result["sentence"].startswith("The server is gone: 45 of 45 clients")
    assert "Traceback" not in log.read_text()
