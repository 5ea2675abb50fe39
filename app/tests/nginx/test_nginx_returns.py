"""Real replicas that go and come back behind nginx, for clients that stay."""

import contextlib
import signal
import time
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.replicas import APP

SEEN_SECONDS = 10
"""Nginx tries an empty slot every two seconds; the rest is for a busy machine."""
CLIENTS = 30
FAIR = 10
"""Of CLIENTS clients, those that a replica without any gets at least beside one that has as many as came before."""


@pytest.fixture
def fleet(start, edge):
    """Replicas that a test starts in the slots of an nginx, and clients that stay until it ends."""
    start.environment["PYTHONPATH"] = f"{APP}:{Path(__file__).parent}"
    with contextlib.ExitStack() as stack:
        yield Fleet(start, edge, stack)


class Fleet:
    """Real replicas behind an nginx, and the clients of a test."""

    def __init__(self, start, edge, stack):
        self._start, self._edge, self._stack = start, edge, stack

    def start(self, name):
        """Return a replica that listens in its slot."""
        sockets = self._edge.folder / "sockets"
        server = self._start.python("server", "staying:application", "--name", name, "--socket-dir", sockets)
        return self._start.listens(server, "listens on")

    @contextlib.contextmanager
    def out_of_sight(self, name):
        """For nginx a replica is not there, and fails."""
        path = self._edge.folder / "sockets" / f"{name}.sock"
        aside = path.rename(path.with_suffix(".aside"))
        yield
        aside.rename(path)

    def client(self):
        """Return who answers a WebSocket, which stays open."""
        url = f"ws://127.0.0.1:{self._edge.port}/"
        client = self._stack.enter_context(connect(url, proxy=None, compression=None, close_timeout=0))
        return client.response.headers["X-Replica"]

    def stream(self):
        """Return who answers a stream of events, which goes on."""
        url = f"http://127.0.0.1:{self._edge.port}/events/chat.lobby"
        answer = self._stack.enter_context(httpx.stream("GET", url, trust_env=False))
        return answer.headers["X-Replica"]


def until(name, opened):
    """Open until the replica gets one."""
    deadline = time.monotonic() + SEEN_SECONDS
    while opened() != name:
        assert time.monotonic() < deadline, f"{name} is not seen"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["goes", "dies"])
@pytest.mark.parametrize("kind", ["client", "stream"])
@pytest.mark.slow
def test_a_replica_that_is_back_gets_its_share_of_those_who_stay(fleet, kind, number):
    """Nginx holds it for dead until a request to it has ended: its first one is sent back, and so ends."""
    fleet.start("web-1")
    gone = fleet.start("web-2")
    gone.signal(number)
    gone.wait()
    opened = getattr(fleet, kind)
    assert {opened() for _ in range(3)} == {"web-1"}
    fleet.start("web-2")
    until("web-2", opened)
    assert [opened() for _ in range(CLIENTS)].count("web-2") >= FAIR


def test_a_replica_that_failed_once_gets_its_share_again(fleet):
    """Also one that was there all the time and has sent its first request back long ago."""
    fleet.start("web-1")
    fleet.start("web-2")
    until("web-2", fleet.client)
    with fleet.out_of_sight("web-2"):
        assert {fleet.client() for _ in range(5)} == {"web-1"}
    until("web-2", fleet.client)
    assert [fleet.client() for _ in range(CLIENTS)].count("web-2") >= FAIR
