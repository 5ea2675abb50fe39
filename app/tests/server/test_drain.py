"""The planned exit, on real processes."""

import asyncio
import contextlib
import http.client
import signal
import socket

import pytest
from websockets.exceptions import ConnectionClosed

from tests.replicas import LIMIT

APPLICATION = "scripted:application"
ACCEPT = {"type": "websocket.accept"}
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
RESTARTS = (1012, "This replica restarts; another one takes you now.")


# -- the exit --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", SIGNALS)
async def test_clients_are_told_and_handlers_run(scripted, script, number):
    """1012 with a reason, the application's disconnect, no socket, no pid file, exit code 0."""
    pid_file = scripted.folder / "web-1.pid"
    replica = scripted.replica(APPLICATION, "--pid-file", pid_file)
    async with asyncio.timeout(LIMIT), contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(replica.websocket(script(ACCEPT))) for _ in range(50)]
        replica.signal(number)
        for client in clients:
            await client.wait_closed()
        assert {(client.close_code, client.close_reason) for client in clients} == {RESTARTS}
        assert await asyncio.to_thread(replica.wait) == 0
    assert replica.lines.count("noted: disconnect 1012") == 50
    assert not pid_file.exists()
    assert not replica.path.exists()
    assert "Traceback" not in replica.log


async def test_a_farewell_comes_before_the_close(scripted):
    """What an application left with its socket for a planned exit is sent before the close frame, and only then."""
    replica = scripted.replica(APPLICATION)
    async with asyncio.timeout(LIMIT), replica.websocket("/hub") as told, replica.websocket("/hub") as other:
        await told.send("('farewell', b'come back')")
        assert await told.recv() == "done"
        replica.signal(signal.SIGTERM)
        assert await told.recv() == "come back"
        for client in (told, other):
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (client.close_code, client.close_reason) == RESTARTS
    assert replica.wait() == 0


async def test_the_socket_file_goes_first_and_the_answer_under_way_is_finished(scripted, script):
    """While an HTTP request is still answered, nobody new finds the replica."""
    replica = scripted.replica(APPLICATION)
    with replica.http() as request:
        request.request("GET", "/hold")
        replica.said("noted: waits for SIGUSR1")
        async with asyncio.timeout(LIMIT), replica.websocket(script(ACCEPT)) as client:
            replica.signal(signal.SIGTERM)
            await client.wait_closed()
        assert not replica.path.exists()
        assert replica.popen.poll() is None
        replica.signal(signal.SIGUSR1)
        answer = request.getresponse()
        assert (answer.status, answer.headers["X-Replica"], answer.read()[:1]) == (200, "web-1", b"{")
    assert replica.wait() == 0


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_second_signal_exits_at_once(scripted, script, number):
    """A handler that never ends holds the first, not the second."""
    replica = scripted.replica(APPLICATION)
    async with asyncio.timeout(LIMIT), replica.websocket(script(ACCEPT, path="/stubborn")) as client:
        replica.signal(number)
        await client.wait_closed()
    replica.said("noted: waits for SIGUSR1")
    assert replica.popen.poll() is None
    replica.signal(number)
    assert replica.wait() == 0
    replica.said(f"{number.name} again: ending at once")


HOLDING = ["/swallow", "/thread", "/executor"]


@pytest.fixture
def held_up(scripted):
    """Start a replica whose handlers hold up the exit: by surviving a cancellation, or by a thread that blocks."""
    return lambda module: scripted.replica(f"{module}:application", "--pid-file", scripted.folder / "web-1.pid")


@pytest.mark.parametrize("path", HOLDING)
async def test_a_second_signal_ends_what_holds_up_the_exit(held_up, path):
    """Within seconds, without socket and pid file, and the exit code says that it was not as planned."""
    replica = held_up("holding")
    async with asyncio.timeout(LIMIT), replica.websocket(path) as client:
        replica.signal(signal.SIGTERM)
        await client.wait_closed()
        replica.signal(signal.SIGTERM)
        assert await asyncio.to_thread(replica.wait) == 1
    ended_for_good(replica)


@pytest.mark.parametrize("path", HOLDING)
async def test_one_signal_ends_what_holds_up_the_exit_too(held_up, path):
    """Some time after the drain's limits, here two seconds after the signal."""
    replica = held_up("hasty_holding")
    async with asyncio.timeout(LIMIT), replica.websocket(path) as client:
        replica.signal(signal.SIGTERM)
        await client.wait_closed()
        assert await asyncio.to_thread(replica.wait) == 1
    ended_for_good(replica)


async def test_a_signal_ends_a_process_that_only_a_thread_keeps(held_up):
    """The loop is over then, and the files are gone."""
    replica = held_up("patient_holding")
    async with asyncio.timeout(LIMIT), replica.websocket("/executor") as client:
        replica.signal(signal.SIGTERM)
        await client.wait_closed()
        await asyncio.to_thread(replica.said, "holds no loop any more")
        replica.signal(signal.SIGTERM)
        assert await asyncio.to_thread(replica.wait) == 1
    assert not (replica.path.parent / "web-1.pid").exists()


def ended_for_good(replica):
    assert "holds up the exit" in replica.log
    assert not replica.path.exists()
    assert not (replica.path.parent / "web-1.pid").exists()


def test_under_nohup_a_hangup_is_ignored(scripted):
    """Who starts it so has said that it outlives the terminal."""
    replica = scripted.replica(APPLICATION, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    replica.signal(signal.SIGHUP)
    assert replica.get()[0] == 200
    assert replica.stop() == 0
    assert "SIGHUP" not in replica.log


async def test_a_handler_that_never_ends_is_cancelled(scripted, script):
    """The wait for handlers is bounded."""
    (scripted.folder / "hasty.py").write_text(
        "import server.drain\nfrom scripted import application\nserver.drain.HANDLERS_LIMIT = 0.1\n"
    )
    replica = scripted.replica("hasty:application")
    async with asyncio.timeout(LIMIT), replica.websocket(script(ACCEPT, path="/stubborn")) as client:
        replica.signal(signal.SIGTERM)
        await client.wait_closed()
    assert replica.wait() == 0
    replica.said(r"1 handlers did not end within 0\.1 s, cancelled")


def test_who_waits_in_the_backlog_is_served(scripted, script):
    """All who had connected before the socket went: requests are answered, WebSockets let in and told to go."""
    replica = scripted.replica(APPLICATION)
    for _ in range(3):  # Twisted accepts as many at a time as came last: a few
        assert replica.get()[0] == 200
    upgrade = (
        f"GET {script(ACCEPT)} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()
    replica.signal(signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(replica.connection()) for _ in range(120)]
        requests, sockets = waiting[:60], waiting[60:]
        for connection in requests:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for connection in sockets:
            connection.sendall(upgrade)
        replica.signal(signal.SIGTERM)
        replica.signal(signal.SIGCONT)
        assert {status_of(connection) for connection in requests} == {200}
        for connection in sockets:
            head, _, frames = all_of(connection).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101")
            assert frames[2:4] == (1012).to_bytes(2, "big")
    assert replica.wait() == 0


def status_of(connection):
    answer = http.client.HTTPResponse(connection)
    try:
        answer.begin()
        answer.read()
        return answer.status
    finally:
        answer.close()


def all_of(connection):
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


async def test_a_handshake_under_way_is_let_in_and_told_to_go(scripted, script):
    """Its application may still be asking Redis; it is no reason for a 403."""
    (scripted.folder / "late.py").write_text(
        "import scripted\n"
        "async def application(scope, receive, send):\n"
        "    if scope['type'] == 'websocket' and scope['path'] == '/late':\n"
        "        await scripted.released()\n"
        "    await scripted.application(scope, receive, send)\n"
    )
    replica = scripted.replica("late:application")
    async with asyncio.timeout(LIMIT), replica.websocket(script(ACCEPT)) as early:
        late = asyncio.ensure_future(replica.websocket(script(ACCEPT, path="/late")).__aenter__())
        await asyncio.to_thread(replica.said, "noted: waits for SIGUSR1")
        replica.signal(signal.SIGTERM)
        await early.wait_closed()
        replica.signal(signal.SIGUSR1)
        client = await late
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == RESTARTS
        await client.close()
    assert replica.wait() == 0


async def test_a_successor_keeps_its_socket_and_its_pid_file(scripted, script):
    """It may start under the same name as soon as the socket file is gone; the old one ends later."""
    pid_file = scripted.folder / "web-1.pid"
    old = scripted.replica(APPLICATION, "--pid-file", pid_file)
    with old.http() as request:
        request.request("GET", "/hold")
        old.said("noted: waits for SIGUSR1")
        async with asyncio.timeout(LIMIT), old.websocket(script(ACCEPT)) as client:
            old.signal(signal.SIGTERM)
            await client.wait_closed()
        assert not old.path.exists()
        new = scripted.replica(APPLICATION, "--pid-file", pid_file)
        old.signal(signal.SIGUSR1)
        assert request.getresponse().read()
        assert old.wait() == 0
    assert new.get()[0] == 200
    assert int(pid_file.read_text()) == new.pid


@pytest.mark.parametrize("again", [False, True])
def test_someone_elses_socket_on_its_path_is_kept(scripted, again):
    """Whoever took the file away and bound the path anew owns it now; also when the exit is hasty."""
    replica = scripted.replica(APPLICATION)
    assert replica.get()[0] == 200
    with replica.connection() as kept, socket.socket(socket.AF_UNIX) as listener:
        replica.path.unlink()
        listener.bind(str(replica.path))
        if again:
            kept.sendall(b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n")
            replica.said("noted: waits for SIGUSR1")
            replica.signal(signal.SIGTERM)
            replica.said("draining")
        assert replica.stop() == 0
    assert replica.path.exists()


def test_a_socket_file_that_is_gone_is_no_obstacle(scripted):
    """A cleaned folder does not keep a replica from its exit."""
    replica = scripted.replica(APPLICATION)
    assert replica.get()[0] == 200
    replica.path.unlink()
    assert replica.stop() == 0
    assert "Traceback" not in replica.log


async def test_a_client_that_does_not_answer_the_close_is_cut(scripted, script):
    """It holds up the exit for no longer than the close handshake may take; the others are told."""
    replica = scripted.replica(APPLICATION)
    with replica.connection() as silent:
        silent.sendall(
            f"GET {script(ACCEPT)} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert silent.recv(12) == b"HTTP/1.1 101"
        async with asyncio.timeout(LIMIT), replica.websocket(script(ACCEPT)) as client:
            replica.signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (client.close_code, client.close_reason) == RESTARTS
        assert replica.wait() == 0
    assert replica.lines.count("noted: disconnect 1012") + replica.lines.count("noted: disconnect 1006") == 2


def test_over_tcp_it_drains_as_well(scripted):
    """SIGTERM on a replica without a socket file."""
    server = scripted.tcp("server", APPLICATION, "-p", "0")
    assert server.get()[0] == 200
    assert server.stop() == 0
    server.said("drained")
