"""The proxy before real servers, told apart from a stand-in by nothing but its faults."""

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path

import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from proof.faults import proxy as faults
from proof.faults.lane import Faults
from proof.faults.proxy import Address, Proxy
from tests.redis_servers import eventually
from tests.replicas import LIMIT, folder, start  # noqa: F401  # fixtures

LOADTEST = Path(__file__).resolve().parents[3] / "loadtest"
COUNT = 40
END = "the last"
NOBODY = (OSError, EOFError, InvalidHandshake)


@contextlib.asynccontextmanager
async def proxy(here, there, plan, speaks="websocket"):
    made = Proxy(Address.of(str(here)), Address.of(str(there)), plan, speaks)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def replica(start, own_redis):  # noqa: F811
    return start.replica(environment={"FANOUT_REDIS_URLS": own_redis.url})


async def heard_through(path, replica, plan):
    """What a plain client hears through a proxy of what another publishes beside it."""
    async with (
        asyncio.timeout(LIMIT),
        proxy(path, replica.path, plan),
        unix_connect(str(path), "ws://localhost/ws/chat/") as listening,
        replica.websocket("/ws/chat/", max_queue=None) as publishing,
    ):
        for number in [*range(COUNT), END, END]:
            await publishing.send(json.dumps({"message": f"<{number}>"}))
        texts = [json.loads(await listening.recv())["message"]]
        while texts[-1] != f"<{END}>":
            texts.append(json.loads(await listening.recv())["message"])
        return [int(text.strip("<>")) for text in texts if text != f"<{END}>"]


async def test_without_a_fault_a_client_notices_nothing(folder, replica):  # noqa: F811
    """Everything arrives once and in order."""
    assert await heard_through(folder / "p.sock", replica, Faults()) == list(range(COUNT))


async def test_one_frame_in_ten_is_dropped(folder, replica):  # noqa: F811
    """The client hears all but each tenth publication."""
    heard = await heard_through(folder / "p.sock", replica, Faults(drop=10, holding=b"message"))
    assert heard == [number for number in range(COUNT) if number % 10 != 9]


async def test_one_frame_in_ten_is_doubled(folder, replica):  # noqa: F811
    """The client hears each tenth publication twice."""
    heard = await heard_through(folder / "p.sock", replica, Faults(double=10))
    assert sorted(heard) == sorted([*range(COUNT), 9, 19, 29, 39])


async def test_one_frame_in_nine_is_swapped_with_the_next(folder, replica):  # noqa: F811
    """The client hears everything, and each ninth behind its successor."""
    heard = await heard_through(folder / "p.sock", replica, Faults(swap=9))
    assert sorted(heard) == list(range(COUNT))
    assert [heard[at : at + 2] for at in (8, 17, 26, 35)] == [[9, 8], [18, 17], [27, 26], [36, 35]]


async def test_a_message_without_a_neighbour_is_late_and_not_lost(folder, replica):  # noqa: F811
    """What waits to be swapped goes on by itself within seconds."""
    async with (
        asyncio.timeout(LIMIT),
        proxy(folder / "p.sock", replica.path, Faults(swap=1)),
        unix_connect(str(folder / "p.sock"), "ws://localhost/ws/chat/") as client,
    ):
        await client.send(json.dumps({"message": "alone"}))
        assert json.loads(await client.recv())["message"] == "alone"


async def test_a_cut_ends_connections_and_a_mend_lets_them_in(folder, replica):  # noqa: F811
    """Clients lose their connection without a close frame, get none meanwhile, and one afterwards."""
    path, url = str(folder / "p.sock"), "ws://localhost/ws/chat/"
    async with asyncio.timeout(LIMIT), proxy(path, replica.path, Faults()) as between:
        client = await unix_connect(path, url)
        between.cut()
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is None
        with pytest.raises(NOBODY):
            await unix_connect(path, url)
        between.mend()
        async with unix_connect(path, url) as again:
            await again.send(json.dumps({"message": "hi"}))
            assert json.loads(await again.recv())["message"] == "hi"


async def test_a_server_that_is_not_there_closes_the_connection(folder):  # noqa: F811
    """A client of the proxy finds nobody, and the proxy lives on."""
    async with asyncio.timeout(LIMIT), proxy(folder / "p.sock", folder / "none.sock", Faults()):
        for _ in range(2):
            with pytest.raises(NOBODY):
                await unix_connect(str(folder / "p.sock"), "ws://localhost/ws/chat/")


@pytest.mark.parametrize("protocol", [2, 3])
async def test_redis_loses_messages_and_nothing_else(folder, own_redis, protocol):  # noqa: F811
    """In RESP2 and RESP3 each fourth message is dropped, and commands on the proxy are answered as ever."""
    path = folder / "p.sock"
    async with asyncio.timeout(LIMIT), proxy(path, own_redis.path, Faults(drop=4), "redis"):
        client = redis.asyncio.Redis(unix_socket_path=str(path), protocol=protocol)
        async with client, client.pubsub() as listening:
            await listening.subscribe("room")
            assert (await listening.get_message(timeout=LIMIT))["type"] == "subscribe"
            big = "x\r\n" * 50_000
            for number in range(8):
                assert await client.publish("room", f"{number} {big}") == 1
            await client.hset("hash", mapping={"a": "1", "b": big})
            assert await client.hgetall("hash") == {b"a": b"1", b"b": big.encode()}
            got = [(await listening.get_message(timeout=LIMIT))["data"][:1] for _ in range(6)]
    assert got == [b"0", b"1", b"2", b"4", b"5", b"6"]


async def test_redis_that_is_cut_refuses_until_it_is_mended(folder, own_redis):  # noqa: F811
    """Commands fail meanwhile, and go through again afterwards."""
    path = folder / "p.sock"
    client = redis.asyncio.Redis(unix_socket_path=str(path), retry=None)
    async with asyncio.timeout(LIMIT), client, proxy(path, own_redis.path, Faults(), "redis") as between:
        assert await client.ping()
        between.cut()
        with pytest.raises(RedisConnectionError):
            await client.ping()
        between.mend()
        assert await client.ping()


@pytest.mark.parametrize(
    "plan",
    [{"drop": 7}, {"double": 7}, {"swap": 7}],
    ids=lambda plan: next(iter(plan)),
)
async def test_what_breaks_between_redis_and_a_replica_is_healed(start, folder, own_redis, plan):  # noqa: F811
    """A client of a replica that misses, doubles or swaps messages hears everything once and in order."""
    path = folder / "redis.sock"
    async with asyncio.timeout(LIMIT), proxy(path, own_redis.path, Faults(**plan, holding=b"<"), "redis") as between:
        environment = {"FANOUT_REDIS_URLS": f"unix://{path}"}
        broken = await asyncio.to_thread(start.replica, environment=environment)
        whole = await asyncio.to_thread(start.replica, name="web-2", environment={"FANOUT_REDIS_URLS": own_redis.url})
        async with (
            broken.websocket("/ws/chat/") as listening,
            whole.websocket("/ws/chat/", max_queue=None) as publishing,
        ):
            for number in range(COUNT):
                await publishing.send(json.dumps({"message": f"<{number}>"}))
            heard = [json.loads(await listening.recv())["message"] for _ in range(COUNT)]
        assert heard == [f"<{number}>" for number in range(COUNT)]
        told = between.faults
        assert told.dropped + told.doubled + told.swapped >= 3


def answers(client):
    try:
        return client.ping()
    except RedisConnectionError:
        return False


def test_it_stands_alone(start, folder, own_redis):  # noqa: F811
    """As a program it says when it listens, cuts and mends by signals, and tells at the end what it did."""
    proxy = start.process(
        sys.executable, "-m", "proof.faults.proxy", folder / "p.sock", own_redis.path,
        "--speaks", "redis", "--drop", "2",
        environment={"PYTHONPATH": str(LOADTEST)}, output="stdout",
    )  # fmt: skip
    proxy.said("passing on")
    with redis.Redis(unix_socket_path=str(folder / "p.sock"), retry=None) as client, client.pubsub() as listening:
        listening.subscribe("room")
        assert listening.get_message(timeout=LIMIT)["type"] == "subscribe"
        for text in ("a", "b", "c"):
            client.publish("room", text)
        assert [listening.get_message(timeout=LIMIT)["data"] for _ in range(2)] == [b"a", b"c"]
        proxy.signal(signal.SIGUSR1)
        eventually(lambda: not answers(client), "the connection is cut")
        proxy.signal(signal.SIGUSR2)
        eventually(lambda: answers(client), "it is mended")
    assert proxy.stop() == 0
    assert proxy.lines[-1] == "3 messages: 1 dropped, 0 doubled, 0 swapped"
    assert not (folder / "p.sock").exists()


def test_on_any_port_it_says_which(start, folder, own_redis):  # noqa: F811
    """The kernel gives one, so that nobody can take it before."""
    command = (sys.executable, "-m", "proof.faults.proxy", "0", own_redis.path, "--speaks", "redis")
    proxy = start.process(*command, environment={"PYTHONPATH": str(LOADTEST)}, output="stdout")
    proxy.said("passing on")
    host, _, port = proxy.lines[0].split()[-1].rpartition(":")
    with redis.Redis(host, int(port), retry=None) as client:
        assert client.ping()
    assert proxy.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["/here", "0"], "0 is no path of a socket, no port and no host:port"),
        (["here", "/there"], "here is no path of a socket, no port and no host:port"),
        (["/here", "70000"], "70000 is no path"),
        (["/here", "/there", "--drop", "0"], "0 is not a positive whole number"),
        (["/here", "/there", "--cut", "5"], "5 is not two numbers of seconds, as in 5:20"),
    ],
)
def test_a_mistake_is_a_sentence(capsys, arguments, told):
    """Exit code 2 and what is wrong."""
    with pytest.raises(SystemExit) as ended:
        faults.main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_place_where_it_cannot_listen_is_a_sentence(capsys, tmp_path):
    """Exit code 2, the place and the reason."""
    assert faults.main([str(tmp_path / "none/p.sock"), "/there"]) == 2
    assert capsys.readouterr().err.endswith("No such file or directory\n")


def test_what_is_there_already_is_left_alone(capsys, tmp_path, own_redis):
    """A file, and the socket of a server that listens: exit code 2, a sentence, and both are there as before."""
    precious = tmp_path / "precious"
    precious.write_text("data")
    assert faults.main([str(precious), "/there"]) == 2
    assert capsys.readouterr().err == f"cannot listen on {precious}: a file is there that is no socket\n"
    assert precious.read_text() == "data"
    assert faults.main([str(own_redis.path), "/there"]) == 2
    assert capsys.readouterr().err.endswith("somebody listens there: move that socket away first\n")
    assert own_redis.cli.ping()
