"""Clients that mean no good, at two replicas that share a Redis: what they get, and what the others notice of it."""

import asyncio
import contextlib
import json
import re
import secrets
import signal
import socket
import sys
import time
from urllib.parse import quote

import psutil
import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fanout import close_codes
from fleet.descriptors import Limits
from tests.busy import slowed
from tests.misbehaving import bystander
from tests.replicas import APP, LIMIT

MOST = 6
"""Connections of one address in these tests."""
LATE = 0.1
"""Seconds: what one client may add to the slowest hundredth of another's messages."""
SAMPLES = 100
QUIET = 0.03
"""Seconds of the same without a flood: above it the machine is busy with other things, and nobody is in time."""
TRIES = 3
"""What the machine has to do meanwhile passes; what a flood does to others comes each time."""
HALF_OPEN = 10_000
HALVES = [b"", b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nUpgr"]
"""Nothing, and half a handshake."""
SPARE = 20
"""Files of nginx' workers that come and go with what others ask meanwhile."""
ODD_NAMES = (
    "chat../../etc/passwd", "../chat.a", "chat.a/../b", "chat.%2e%2e", "chat.a\n", "chat.a\u0000", "chat.\u202eab", "",
    "cha\u0442.a", "chat.\uff41", "chat.a b", "{chat.a}", "chat.a}x{", ".", "chat." + "a" * 99, "chat.\U0001f600",
)  # fmt: skip
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+: |$")
"""What each line of a replica's log begins with."""


@pytest.fixture(scope="module")
def replicas(start_once, redis_server):
    """Two replicas as behind nginx: the client's address is what X-Real-IP says, and nobody is exempt."""
    start_once.environment |= {
        "FANOUT_REDIS_URLS": redis_server.url,
        "FANOUT_LIMITS_EXEMPT": "127.0.0.1",
        "FANOUT_CONNECTIONS_PER_ADDRESS": str(MOST),
    }
    assert start_once.process(sys.executable, APP / "manage.py", "migrate", "--verbosity", "0").wait() == 0
    return [start_once.replica(name=name) for name in ("web-1", "web-2")]


@pytest.fixture
def address():
    """One of nobody else's."""
    return f"2001:db8:{secrets.randbelow(9999)}:{secrets.randbelow(9999)}::{secrets.randbelow(99)}"


def client(replica, address="127.0.0.1", path="/ws/", subprotocols=("fanout.v1",), **headers):
    """A WebSocket that nginx says comes from an address."""
    given = {"X-Real-IP": address, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return unix_connect(
        str(replica.path), f"ws://localhost{path}", subprotocols=subprotocols, additional_headers=given,
        compression=None, open_timeout=LIMIT, max_queue=None,
    )  # fmt: skip


async def ask(socket, **frame):
    """Send a frame; return the first answer that is no publication."""
    await socket.send(json.dumps(frame))
    while (answer := json.loads(await socket.recv()))["type"] == "publication":
        pass
    return answer


async def test_one_address_has_so_many_connections_over_all_replicas(replicas, address):
    """Whatever else it says of where it comes from; the refusal is a sentence, and who goes makes room."""
    async with asyncio.timeout(LIMIT), contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(client(replicas[n % 2], address)) for n in range(MOST)]
        for forged in ({}, {"X_Forwarded_For": "198.51.100.1"}, {"Forwarded": "for=198.51.100.1"}):
            with pytest.raises(InvalidStatus) as refused:
                await stack.enter_async_context(client(replicas[1], address, **forged))
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["Retry-After"] == "10"
            assert refused.value.response.body.decode().startswith(f"There are {MOST} connections from your address")
        await opened[0].close()
        while True:
            with contextlib.suppress(InvalidStatus):
                await stack.enter_async_context(client(replicas[1], address))
                break
            await asyncio.sleep(0.05)


async def test_names_of_rooms_lead_nowhere_else(replicas):
    """No path, no other spelling, no name of a key in Redis; a room of the server's is as one that is not there."""
    async with asyncio.timeout(LIMIT), client(replicas[0]) as socket:
        for name in ODD_NAMES:
            assert (await ask(socket, type="join", group=name))["code"] in ("bad_group", "forbidden"), name
            assert (await ask(socket, type="publish", group=name, data={"message": "x"}))["code"] in (
                "bad_group",
                "forbidden",
            )
        told = [
            (await ask(socket, type=kind, group=name, data=1))["message"].replace(name, "?")
            for name in ("account-changes", "dashboard-watch", "nobodys.room", "replica.web-1", "chat..")
            for kind in ("join", "publish")
        ]
        assert set(told) <= {"You may not join ?.", "You may not publish to ?."}
    for path in ("/ws/chat/..%2f..%2fadmin/", "/ws/chat/%00/", "/ws/../admin/", "/ws/chat/%E2%80%AE/"):
        with pytest.raises(InvalidStatus) as refused:
            await client(replicas[0], path=path).__aenter__()
        assert refused.value.response.status_code == 404


async def test_what_clients_send_begins_no_line_of_the_log(replicas):
    """Names, paths, pages and hosts with line ends in them, also as percent signs and as Unicode's own."""
    evil = "x\u2028y\u0085z 2026-01-01 00:00:00,000 ERROR root: owned"
    replica = replicas[1]
    for path in ("/ws/chat/%0a2026-01-01%20ERROR%20owned/", "/events/chat.%0d%0aowned", f"/{quote(evil)}"):
        replica.get(path, {"Origin": "https://evil.example\x85owned", "User-Agent": "a\tb"})
        with contextlib.suppress(InvalidStatus):
            await client(replica, path=path, Origin="https://evil.example/%0aowned").__aenter__()
    async with asyncio.timeout(LIMIT), client(replica) as socket:
        await ask(socket, type="join", group="chat.a\nowned")
        await ask(socket, type="join", group="chat.a", info={"name": evil})
        await socket.send(f"{evil}\n")
        await socket.recv()
    with replica.connection() as raw:
        raw.sendall(b"GET /ws/ HTTP/1.1\r\nHost: evil\x0bowned\r\nOrigin: https://a\x0b\x1b[31m\r\n\r\n")
        raw.recv(100)
    assert all(LINE.match(line) for line in replica.lines), replica.log
    assert "\x1b" not in replica.log


@contextlib.asynccontextmanager
async def flooded(replica, address, group):
    """Two sockets of another process that publish without end, and come back when they are closed; how each ended."""
    command = [sys.executable, str(APP / "tests/data/flooder.py"), str(replica.path), address, group]
    pipe = asyncio.subprocess.PIPE
    flooder = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    ended = [int(await flooder.stdout.readline())]  # it is in full swing
    yield ended
    flooder.stdin.close()
    ended += [int(line) for line in (await flooder.stdout.read()).split()]
    assert await flooder.wait() == 0


async def read_all(socket):
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()


async def p99(listener, talker, group, count=SAMPLES):
    """Seconds from a publication to its arrival: of so many 99 % took no longer."""
    found = []
    for number in range(count):
        sent = time.perf_counter()
        await talker.send(json.dumps({"type": "publish", "group": group, "data": {"message": str(number)}}))
        while json.loads(await listener.recv()).get("data", {}).get("message") != str(number):
            pass
        found.append(time.perf_counter() - sent)
        await asyncio.sleep(0.005)
    return sorted(found)[int(0.99 * count) - 1]


async def test_who_floods_delays_nobody_and_is_closed(replicas, address):
    """With 4429; others on the same replica, in the same room, hear each other as before."""
    group = f"chat.{secrets.token_hex(4)}"
    async with asyncio.timeout(4 * LIMIT), client(replicas[0]) as listener, client(replicas[0]) as talker:
        await ask(listener, type="join", group=group)
        reading = asyncio.create_task(read_all(talker))
        tried = []
        for _ in range(TRIES):
            before = await p99(listener, talker, group)
            patience = slowed()
            async with flooded(replicas[0], address, group) as ended:
                during = await p99(listener, talker, group)
            assert set(ended) == {close_codes.FLOODING}
            if during < LATE * patience:
                break
            usual = max(before, await p99(listener, talker, group))
            tried.append((before, during, usual))
            if usual > QUIET and during < LATE + 5 * usual:
                break
        else:
            raise AssertionError(f"p99 before and during the flood, and without it at worst, in seconds: {tried}")
        reading.cancel()


async def test_the_groups_of_the_proof_have_the_limits_of_all(replicas, address):
    """They are open to guests in production, too: `make prove` proves a fleet in service."""
    group, value = f"proof.{secrets.token_hex(4)}", {"name": "cpu", "message": "17"}
    async with asyncio.timeout(LIMIT), client(replicas[0], address) as socket:
        large = {**value, "message": "x" * 4097}
        assert (await ask(socket, type="publish", group=group, data=large))["code"] == "too_large"
        for _ in range(150):  # at once: one after the other they might come slowly enough
            await socket.send(json.dumps({"type": "publish", "group": group, "data": value}))
        told = [json.loads(await socket.recv()).get("code") for _ in range(150)]
        assert told[0] is None
        assert "too_fast" in told


def test_half_open_connections_are_carried_by_nginx(make_edge):
    """As it is shipped: no replica hears of them, others are served at once, and each costs little while it lasts."""
    hard = psutil.Process().rlimit(psutil.RLIMIT_NOFILE)[1]
    psutil.Process().rlimit(psutil.RLIMIT_NOFILE, (hard, hard))
    limits = Limits(hard)
    edge = make_edge(descriptors=limits.descriptors, connections=limits.worker_connections)
    edge.start("web-1")
    count = min(HALF_OPEN, hard - 1000)

    def is_served():
        bystander(lambda: edge.request("/")[0])

    def held():
        workers = psutil.Process(edge.process.pid).children()
        return sum(worker.num_fds() for worker in workers), sum(worker.memory_info().rss for worker in workers)

    is_served()
    files, memory = held()
    with contextlib.ExitStack() as stack:
        for number in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", edge.port), timeout=LIMIT))
            connection.sendall(HALVES[number % 2])
            if number % 1000 == 0:
                is_served()
        is_served()
        assert held()[0] - files <= count + SPARE, "each takes one file, its own"
    deadline = time.monotonic() + LIMIT
    while held()[0] > files + SPARE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    is_served()
    assert held()[1] - memory < count * 8 * 1024 + 16 * 1024 * 1024
    assert "[alert]" not in (edge.folder / "error.log").read_text()


def test_half_open_connections_are_carried_and_forgotten(start, redis_server):
    """Also by a replica itself, for who runs it without nginx, or with a proxy that hands on heads as they come."""
    replica = start.replica(environment={"FANOUT_REDIS_URLS": redis_server.url})
    process = psutil.Process(replica.pid)
    hard = psutil.Process().rlimit(psutil.RLIMIT_NOFILE)[1]
    count = min(HALF_OPEN, hard - 1000)
    psutil.Process().rlimit(psutil.RLIMIT_NOFILE, (hard, hard))
    replica_limit = (hard, hard)
    process.rlimit(psutil.RLIMIT_NOFILE, replica_limit)
    assert replica.get("/healthz")[0] == 200
    before = process.memory_info().rss
    with contextlib.ExitStack() as stack:
        for number in range(count):
            connection = stack.enter_context(replica.connection())
            connection.sendall(HALVES[number % 2])
            if number % 1000 == 0:
                assert replica.get("/healthz")[0] == 200
        assert replica.get("/healthz")[0] == 200
    deadline = time.monotonic() + LIMIT
    while process.num_fds() > 100:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert replica.get("/healthz")[0] == 200
    assert process.memory_info().rss - before < count * 8 * 1024 + 64 * 1024 * 1024
    replica.signal(signal.SIGTERM)
    assert replica.wait() == 0
    assert "Traceback" not in replica.log
