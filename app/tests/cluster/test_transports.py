"""The contract of durable groups over each transport, on a real fleet behind nginx."""

import asyncio
import json
import os
import re
import signal
import subprocess
import uuid

import httpx
import pytest

from fanout.history import History
from fleet.options import REPOSITORY
from tests.fanout.transports import LIMIT, TRANSPORTS, Told, post

pytestmark = pytest.mark.cluster

KEPT = History().size
CLIENTS = 6
POUR = 400
"""Publications while the fleet is broken; with PAUSE about ten seconds of them."""
PAUSE = 0.02


@pytest.fixture(params=TRANSPORTS)
def come(request, fleet):
    """Open a client over the transport of this run."""
    return lambda group, fleet=fleet, **where: TRANSPORTS[request.param](fleet.base_url, group, **where)


@pytest.fixture
def group():
    """A durable group of this test."""
    return f"chat.{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def http(fleet):
    """A client of the fleet."""
    async with httpx.AsyncClient(base_url=fleet.base_url, timeout=LIMIT) as client:
        yield client


async def publish(http, group, numbers):
    """Publish numbers, each until it is taken; return the last position."""
    for number in numbers:
        key = uuid.uuid4().hex
        answer = None
        async with asyncio.timeout(LIMIT):
            while answer is None or answer.status_code != 201:
                try:
                    answer = await post(http, group, {"message": str(number)}, key)
                except httpx.TransportError:
                    answer = None
                assert answer is None or answer.status_code in (201, 502, 503), answer.text
    return {"epoch": answer.json()["epoch"], "offset": answer.json()["offset"]}


def texts(numbers):
    return [str(number) for number in numbers]


async def test_live_publications_come_once_and_in_order(come, group, http):
    """From the join on; what was published before it does not come."""
    await publish(http, group, [-1])
    async with come(group) as client:
        await publish(http, group, range(50))
        await client.until(lambda: len(client.frames) >= 50)
        assert client.numbers == texts(range(50))
        assert client.offsets == list(range(2, 52))
        assert client.resets == []


async def test_a_client_resumes_behind_its_position(come, group, http):
    """What was published while it was away comes first, then what is published now."""
    since = await publish(http, group, range(3))
    await publish(http, group, range(3, 20))
    async with come(group, since=since) as client:
        await publish(http, group, range(20, 25))
        await client.until(lambda: len(client.frames) >= 22)
        assert (client.numbers, client.resets) == (texts(range(3, 25)), [])


async def test_a_client_begins_with_the_last_few(come, group, http):
    """As many as it asks for, or as there are."""
    await publish(http, group, range(10))
    async with come(group, last=3) as some, come(group, last=100) as many:
        await many.until(lambda: len(many.frames) >= 10)
        await some.until(lambda: len(some.frames) >= 3)
        assert (some.numbers, many.numbers) == (texts([7, 8, 9]), texts(range(10)))


async def test_at_the_newest_position_nothing_comes(come, group, http):
    """No publication and no reset, and the next one follows at once."""
    since = await publish(http, group, range(3))
    async with come(group, since=since) as client:
        await publish(http, group, [3])
        await client.until(lambda: client.frames)
        assert (client.numbers, client.resets) == (["3"], [])


@pytest.mark.parametrize("since", [{"epoch": "elsewhere", "offset": 2}, {"epoch": None, "offset": 99}])
async def test_a_position_that_is_not_in_the_stream_is_a_reset(come, group, http, since):
    """From another stream or from the future: `lost`, and it goes on behind the newest."""
    top = await publish(http, group, range(3))
    async with come(group, since={**since, "epoch": since["epoch"] or top["epoch"]}) as client:
        await client.until(lambda: client.resets)
        assert (client.resets, client.since) == (["lost"], top)
        await publish(http, group, [3])
        await client.until(lambda: client.frames)
        assert (client.numbers, client.resets) == (["3"], ["lost"])


@pytest.fixture(scope="module")
def trimmed(fleet):
    """A durable group whose beginning is not kept any more, and a position there."""
    group = f"chat.{uuid.uuid4().hex[:12]}"

    async def fill():
        async with httpx.AsyncClient(base_url=fleet.base_url, timeout=LIMIT) as http:
            since = await publish(http, group, [0])
            await publish(http, group, range(1, KEPT + 2))
            return since

    return group, asyncio.run(fill())


async def test_what_is_not_kept_any_more_is_a_reset_never_a_part(come, trimmed, http):
    """`trimmed`, with no publication of what is left."""
    group, since = trimmed
    async with come(group, since=since) as client:
        await client.until(lambda: client.resets)
        await publish(http, group, ["next"])
        await client.until(lambda: client.frames)
        assert (client.resets, client.numbers) == (["trimmed"], ["next"])


@pytest.mark.slow
async def test_nothing_is_lost_while_replicas_die_and_drain(own_fleet):
    """One replica killed and one drained while numbers pour in: lost 0, doubled 0, disordered 0 on every transport."""
    group = f"chat.{uuid.uuid4().hex[:12]}"
    clients: list[Told] = [
        made(own_fleet.base_url, group, since={"epoch": "0", "offset": 0})
        for made in TRANSPORTS.values()
        for _ in range(CLIENTS)
    ]
    killed, drained, *_ = own_fleet.names
    async with httpx.AsyncClient(base_url=own_fleet.base_url, timeout=LIMIT) as http, asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.__aenter__())
        pouring = tasks.create_task(pour(http, group))
        await clients[0].until(lambda: len(clients[0].frames) > POUR // 4)
        os.kill(own_fleet.pid(killed), signal.SIGKILL)
        await clients[0].until(lambda: len(clients[0].frames) > POUR // 2)
        os.kill(own_fleet.pid(drained), signal.SIGTERM)
        await pouring
        for client in clients:
            await client.until(lambda client=client: len(client.frames) >= POUR)
    for client in clients:
        await client.__aexit__()
        assert client.numbers == texts(range(POUR)), f"{type(client).__name__} lost, doubled or disordered some"
        assert client.resets == []
    for made in TRANSPORTS.values():
        assert {name for client in clients if type(client) is made for name in client.replicas} >= {killed, drained}


def test_the_curl_commands_of_the_readme(fleet):
    """They publish, poll and stream; the stream goes on until it is left."""
    text = (REPOSITORY / "app" / "fanout" / "README.md").read_text(encoding="utf-8")
    publish, poll, stream = [
        command.replace("localhost:8080", f"127.0.0.1:{fleet.port}").replace("curl", "curl --silent --max-time 5")
        for command in re.findall(r"^curl .*$", text, re.MULTILINE)
        if "chat.lobby" in command
    ]
    assert json.loads(said(publish))["group"] == "chat.lobby"
    assert json.loads(said(poll))["publications"][0]["data"] == {"message": "hi"}
    assert '"data":{"message":"hi"}}\n\n' in said(stream)


def said(command):
    """What a command line prints."""
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False).stdout


async def pour(http, group):
    """Publish slowly enough for the fleet to be broken meanwhile."""
    for number in range(POUR):
        await publish(http, group, [number])
        await asyncio.sleep(PAUSE)
