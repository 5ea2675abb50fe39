"""Who is let in: connections, handshakes, reads and new groups of one address."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from fanout.counters import counters
from fanout.limits import admission
from fanout.publishing import default_layer
from tests.fanout.limits.clients import LIMIT, OTHER, STRANGER, answered, leave, refused, request

pytestmark = pytest.mark.usefixtures("open_kind")


async def test_connections_of_one_address(come, settings):
    """429 with a sentence; another address comes in, and this one again when one of its own has gone."""
    settings.FANOUT_LIMITS = {"connections_per_address": 2}
    first, _ = await come(), await come(path="/ws/chat/a/", subprotocols=())
    status, sentence, headers = await refused(await come())
    assert (status, headers[b"retry-after"]) == (429, b"10")
    assert sentence == "There are 2 connections from your address already: close one, or try again later.\n"
    assert (await come(OTHER)).answer["type"] == "websocket.accept"
    await leave(first)
    assert (await come()).answer["type"] == "websocket.accept"
    assert counters.limited == {"connections_per_address": 1}


async def test_streams_and_polls_are_connections(settings):
    """429 as problem details, with Retry-After; they make room when they end."""
    settings.FANOUT_LIMITS = {"connections_per_address": 1}
    stream = await request("GET", "/events/chat.a")
    assert (await stream.receive_output(LIMIT))["status"] == 200
    status, headers, body = await answered(await request("GET", "/poll/chat.a"))
    assert (status, headers[b"retry-after"], json.loads(body)["code"]) == (429, b"10", "too_many_connections")
    await stream.send_input({"type": "http.disconnect"})
    await stream.wait(LIMIT)
    assert (await answered(await request("GET", "/poll/chat.a")))[0] == 200


@pytest.mark.parametrize("gone", [False, True])
async def test_who_leaves_while_it_is_counted_for_its_account_is_taken_back_once(settings, monkeypatch, gone):
    """The account's other connections stay counted."""
    settings.FANOUT_LIMITS = {"connections_per_user": 10}
    layer, user = default_layer(), SimpleNamespace(pk=1)
    gate, entered, asked = admission.Admission(layer), asyncio.Event(), asyncio.Event()
    other, mine = [{"type": "websocket", "client": [STRANGER, port]} for port in (1, 2)]
    for scope in (other, mine):
        await gate.enter(scope)
    await gate.enter_account(other, user)

    async def claim(*_):
        asked.set()
        await entered.wait()
        return True

    monkeypatch.setattr(layer, "claim", claim)
    counting = asyncio.create_task(gate.enter_account(mine, user))
    await asked.wait()
    await gate.enter_account(mine, user)  # asked again meanwhile: it is one connection
    if gone:
        gate.leave(mine)
    entered.set()
    await counting
    assert gate._counted["user 1"] == (1 if gone else 2)
    gate.leave(mine)
    assert gate._counted["user 1"] == 1
    gate.leave(other)
    assert gate._counted["user 1"] == 0
    gate.stop()


@pytest.mark.parametrize("way", ["events", "poll"])
async def test_what_a_request_asks_for_is_read_when_it_is_let_in(settings, way):
    """It may name many groups, and places in them."""
    settings.FANOUT_LIMITS = {"connections_per_address": 1}
    stream = await request("GET", "/events/chat.a")
    assert (await stream.receive_output(LIMIT))["status"] == 200
    assert (await answered(await request("GET", f"/{way}/chat.a?since=nonsense&wait=nonsense")))[0] == 429
    await stream.send_input({"type": "http.disconnect"})
    await stream.wait(LIMIT)
    assert (await answered(await request("GET", f"/{way}/chat.a?since=nonsense&wait=nonsense")))[0] == 400


async def test_handshakes_of_one_address(come, settings, clock):
    """Ten seconds' worth at once, then 429 that says when."""
    settings.FANOUT_LIMITS = {"handshakes_per_second": 1}
    for _ in range(admission.STORM_SECONDS):
        assert (await come()).answer["type"] == "websocket.accept"
    status, sentence, headers = await refused(await come())
    assert (status, headers[b"retry-after"]) == (429, b"1")
    assert sentence == "Your address connects more than 1 times a second: wait 1 s.\n"
    assert (await come(OTHER)).answer["type"] == "websocket.accept"


@pytest.mark.parametrize("path", ["/history/open.a", "/document/notes/snapshot"])
@pytest.mark.django_db(transaction=True)
async def test_reads_of_one_address(settings, clock, path):
    """What was published before is looked up for each who asks: 429 that says when, another address is not touched."""
    settings.FANOUT_LIMITS = {"reads_per_second": 1}
    for _ in range(admission.STORM_SECONDS):
        assert (await answered(await request("GET", path)))[0] == 200
    status, headers, body = await answered(await request("GET", path))
    headers = {name.lower(): value for name, value in headers.items()}
    assert (status, headers[b"retry-after"], json.loads(body)["code"]) == (429, b"1", "too_fast")
    assert json.loads(body)["detail"] == "Your address reads more than 1 times a second: wait 1 s."
    assert (await answered(await request("GET", path, address=OTHER)))[0] == 200
    assert (await answered(await request("GET", path, address="127.0.0.1")))[0] == 200
    assert counters.limited == {"reads_per_second": 1}


async def test_new_groups_of_one_address(come, settings, clock):
    """Rooms that nobody is in and nobody has written to; what is there is free, and so is what one has begun."""
    settings.FANOUT_LIMITS = {"new_groups_per_minute": 2}
    local = await come("127.0.0.1")
    assert (await local.ask(type="publish", group="open.there", data=1))["type"] == "ack"
    socket = await come()
    for group in ("open.a", "open.b"):
        assert (await socket.ask(type="publish", group=group, data=1))["type"] == "ack"
    assert (await socket.ask(type="join", group="open.c"))["code"] == "too_fast"
    assert (await socket.ask(type="publish", group="open.c", data=1))["code"] == "too_fast"
    for group in ("open.a", "open.there"):
        assert (await socket.ask(type="join", group=group))["type"] in ("joined", "publication")
    assert (await answered(await request("POST", "/groups/open.d/publications", b"1")))[0] == 429
    status, sentence, _ = await refused(await come(path="/ws/chat/fresh/", subprotocols=()))
    assert (status, sentence[:44]) == (429, "You begin more than 2 new groups a minute: w")
