"""What becomes of connections whose application ends, breaks or does not end; test_inbox has it with real clients."""

import asyncio
import logging
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from server.reaper import Reaper
from tests.replicas import APP, clean_environment

LIMIT = 20
"""Seconds that an application has."""
JUST_NOW, LONG_AGO = 0, 2 * LIMIT
"""Seconds since a client went."""


class Connection:
    """Notes what its application's error was; may be cut by it."""

    def __init__(self, server, reaper, cut=False):
        self.server, self.reaper, self.cut, self.errors = server, reaper, cut, []

    def handle_exception(self, error):
        self.errors.append(error)
        if self.cut:
            self.server.connections[self]["disconnected"] = time.time()
            self.reaper.watch(self)


@pytest.fixture
def server():
    """What the reaper sees of one."""
    made = SimpleNamespace(connections={}, application_close_timeout=LIMIT, stopped=False)
    made.stop = lambda: setattr(made, "stopped", True)
    made.forget = made.connections.pop
    return made


@pytest.fixture
def reaper(server):
    return Reaper(server)


@pytest.fixture
def connect(server, reaper):
    """Make a connection, with an application where one is given."""

    def connect(application=None, cut=False, gone=None):
        connection = Connection(server, reaper, cut)
        server.connections[connection] = {"connected": 1.0}
        if gone is not None:
            server.connections[connection]["disconnected"] = time.time() - gone
        if application is not None:
            server.connections[connection]["application_instance"] = asyncio.ensure_future(application)
        reaper.watch(connection)
        return connection

    return connect


async def breaks(error):
    raise error


async def ended(server, *connections):
    """Let the applications of connections run to their end."""
    tasks = [server.connections[connection]["application_instance"] for connection in connections]
    await asyncio.wait(tasks, timeout=LIMIT)


async def test_a_connection_that_only_waits_is_not_looked_at(server, reaper, connect):
    """After its application has ended: whatever stands in the list for it, nobody reads it."""
    idle = connect(asyncio.sleep(0))
    await ended(server, idle)
    reaper.look()
    assert server.connections[idle] == {"connected": 1.0}
    server.connections[idle] = None  # to look at this would raise
    reaper.look()
    assert idle in server.connections


def test_a_server_looks_no_further_than_its_reaper():
    """Daphne's own look at all connections, each second, is gone."""
    run("""
from server.server import Server
server = Server(None, endpoints=["tcp:0"])
server.connections = {object(): None}  # to look at this would raise
server.application_checker()
""")


def test_limits_that_can_not_be_kept_are_told_and_hold_nobody_up():
    """Of one connection: those behind it are looked at, and all of them again."""
    told = run("""
from server.server import Server, reactor
class Connection:
    def __init__(self, name): self.name = name
    def __repr__(self): return self.name
    def check_timeouts(self): print(self.name, 1 / (self.name != "bad"))
server = Server(None, endpoints=["tcp:0"])
server.connections = {Connection(name): {} for name in ("before", "bad", "behind")}
server.timeout_checker()
print([call.func == server.timeout_checker for call in reactor.getDelayedCalls()])
""")
    assert told.stdout.splitlines() == ["before 1.0", "behind 1.0", "[True]"]
    assert "the limits of bad could not be checked" in told.stderr


def run(code):
    """Run code in a process of its own: a server brings Twisted's reactor along."""
    command, environ = [sys.executable, "-c", code], clean_environment(PYTHONPATH=str(APP))
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


async def test_an_idle_one_that_gets_work_again_is_reaped_again(server, reaper, connect, caplog):
    """As a handler's task breaks: it is told once, to the log and to the connection."""
    connection = connect(asyncio.sleep(0))
    await ended(server, connection)
    reaper.look()
    server.connections[connection]["application_instance"] = asyncio.ensure_future(breaks(ValueError("no")))
    reaper.watch(connection)
    await ended(server, connection)
    reaper.look()
    reaper.look()
    assert [str(error) for error in connection.errors] == ["no"]
    assert [record.getMessage() for record in caplog.records] == ["Exception inside application: no"]


@pytest.mark.parametrize("gone", [JUST_NOW, LONG_AGO])
async def test_who_is_gone_and_over_is_forgotten(server, reaper, connect, gone):
    """With an application that has ended, or without one ever."""
    connection = connect(asyncio.sleep(0), gone=gone)
    connect(gone=gone)
    await ended(server, connection)
    reaper.look()
    assert server.connections == {}


async def test_an_error_of_who_is_gone_is_logged_alone(server, reaper, connect, caplog):
    """There is nobody to be told."""
    connection = connect(breaks(ValueError("no")), gone=JUST_NOW)
    await ended(server, connection)
    reaper.look()
    assert (connection.errors, server.connections) == ([], {})
    assert [record.getMessage() for record in caplog.records] == ["Exception inside application: no"]


async def test_who_is_cut_by_an_error_is_forgotten_too(server, reaper, connect):
    """The connection goes while it is told."""
    connection = connect(breaks(ValueError("no")), cut=True)
    await ended(server, connection)
    reaper.look()
    reaper.look()
    assert (len(connection.errors), server.connections) == (1, {})


async def test_an_error_in_the_telling_holds_nobody_up(server, reaper, connect, caplog):
    """The connection that can't be told is through with it, and who stands behind it is seen to."""
    bad, behind = connect(breaks(ValueError("no"))), connect(breaks(ValueError("no")))
    bad.handle_exception = lambda _error: 1 / 0
    await ended(server, bad, behind)
    reaper.look()
    reaper.look()
    assert len(behind.errors) == 1
    assert ["could not be told" in record.getMessage() for record in caplog.records] == [False, True, False]


async def test_an_application_may_take_its_time_to_end_but_not_more(server, reaper, connect, caplog):
    """Then it is cancelled, which is said, and the connection is forgotten when that has worked."""
    patient = connect(asyncio.sleep(10 * LIMIT), gone=JUST_NOW)
    stuck = connect(asyncio.sleep(10 * LIMIT), gone=LONG_AGO)
    caplog.set_level(logging.WARNING)
    task = server.connections[patient]["application_instance"]
    reaper.look()
    await ended(server, stuck)
    reaper.look()
    assert list(server.connections) == [patient]
    assert ["took too long to shut down and was killed" in record.getMessage() for record in caplog.records] == [True]
    task.cancel()


async def test_a_request_to_exit_stops_the_server(server, reaper, connect):
    """As Daphne has it: a KeyboardInterrupt in an application is one."""
    task = asyncio.get_running_loop().create_future()
    task.set_exception(KeyboardInterrupt())
    connection = connect(gone=JUST_NOW)
    server.connections[connection]["application_instance"] = task
    reaper.look()
    assert (server.stopped, server.connections) == (True, {})
