"""What ends an account's session, or takes a permission, ends its connections and its places in groups."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from channels.db import database_sync_to_async
from django.db.backends.utils import CursorWrapper
from django.test import Client

from config.asgi import application
from fanout import close_codes
from fanout.accounts import connected
from fanout.counters import counters
from fanout.hub import get_hub
from fanout.limits import admission
from tests.communicators import HttpCommunicator
from tests.fanout.accounts.sessions import HOST, LIMIT, PASSWORD, PROMISED, SILENT, WAYS, closed, log_out, made

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("kinds")]


@pytest.mark.parametrize("way", WAYS)
async def test_what_django_tells_ends_the_connection_at_once(connect, ada, way, monkeypatch):
    """Closed with 4401 and a sentence without a look at the database; another account's is not touched."""
    monkeypatch.setattr(connected, "SWEEP_EVERY", 3600)
    eve = await database_sync_to_async(made)("eve")
    mine, hers = await connect(ada[1], "members.a"), await connect(eve[1] if "by a query" not in way else None)
    await database_sync_to_async(WAYS[way])(*ada)
    assert await closed(mine) == (close_codes.SESSION_ENDED, connected.REASON)
    assert get_hub().groups == {}
    await hers.send_json_to({"type": "join", "group": "chat.a", "id": 1})
    assert (await hers.receive_json_from(timeout=LIMIT))["type"] == "joined"


@pytest.mark.parametrize("way", SILENT)
async def test_what_no_signal_tells_is_found_by_a_look_at_the_database(connect, ada, way, monkeypatch):
    """Soon enough; the plain client too."""
    assert connected.SWEEP_EVERY + 1 < PROMISED
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.2)
    mine = await connect(ada[1], "members.a")
    plain = await connect(ada[1], path="/ws/chat/a/", subprotocol=None)
    await database_sync_to_async(SILENT[way])(*ada)
    assert await closed(mine) == (close_codes.SESSION_ENDED, connected.REASON)
    assert await closed(plain) == (close_codes.SESSION_ENDED, connected.REASON)


async def test_who_is_dismissed_does_nothing_more(connect, ada):
    """Frames that were on their way, or that a client sends in spite of it, have no effect."""
    mine = await connect(ada[1], "members.a")
    before = counters.publications
    await database_sync_to_async(log_out)(*ada)
    await mine.send_json_to({"type": "publish", "group": "chat.a", "data": {"message": "hi"}})
    assert await closed(mine) == (close_codes.SESSION_ENDED, connected.REASON)
    await mine.send_json_to({"type": "publish", "group": "chat.a", "data": {"message": "hi"}})
    assert await mine.receive_nothing()
    assert counters.publications <= before + 2  # what was sent before the end, and the telling of it


@pytest.mark.parametrize("address", ["203.0.113.7", "10.0.0.7"])
async def test_an_account_has_so_many_connections(connect, ada, settings, address):
    """Over all its tabs and devices, beyond closed with 4029, from an exempt address too; one that goes makes room."""
    settings.FANOUT_LIMITS = {"connections_per_user": 2, "exempt": ("10.0.0.0/8",)}
    address = [address, 1]
    first, second = [await connect(ada[1], "members.a", client=address) for _ in range(2)]
    third = await connect(ada[1], "members.a", client=address)
    code, reason = await closed(third)
    assert (code, reason) == (4029, "Your account has 2 connections already: close another tab or device.")
    await first.disconnect(timeout=LIMIT)
    fourth = await connect(ada[1], "members.a", client=address)
    await fourth.send_json_to({"type": "leave", "group": "members.a"})
    assert (await fourth.receive_json_from(timeout=LIMIT))["type"] == "left"
    assert second.output_queue.empty()
    assert counters.limited["connections_per_user"]


@pytest.mark.parametrize("address", ["203.0.113.7", "10.0.0.7"])
async def test_an_account_publishes_so_fast(connect, ada, settings, monkeypatch, address):
    """Over all its sockets together, from an exempt address too, whether its connections are limited or not."""
    settings.FANOUT_LIMITS = {"connections_per_user": 0, "publishes_per_user": 1, "exempt": ("10.0.0.0/8",)}
    monkeypatch.setattr(admission, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    told = []
    for port in range(3):
        client = await connect(ada[1], "members.a", client=[address, port])
        await client.send_json_to({"type": "publish", "group": "members.b", "data": 1})
        told.append(await client.receive_json_from(timeout=LIMIT))
    assert [each.get("code") for each in told] == [None, None, "too_fast"]


async def test_streams_are_cut_and_polls_answered(ada):
    """A stream ends; a poll that waits is refused, as its next would be."""
    headers = [HOST, (b"cookie", f"sessionid={ada[1]}".encode())]
    stream = HttpCommunicator(application, "GET", "/events/members.a", headers=headers)
    await stream.send_input({"type": "http.request"})
    assert (await stream.receive_output(timeout=LIMIT))["status"] == 200
    poll = HttpCommunicator(application, "GET", "/poll/members.a?since=:1.0.0", headers=headers)
    await poll.send_input({"type": "http.request"})
    async with asyncio.timeout(LIMIT):
        while len(get_hub().accounts) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await database_sync_to_async(log_out)(*ada)
    assert (await poll.receive_output(timeout=LIMIT))["status"] == 403
    assert json.loads((await poll.receive_output(timeout=LIMIT))["body"])["code"] == "forbidden"
    async with asyncio.timeout(LIMIT):
        await stream.wait()
    assert len(get_hub().accounts) == 0


async def test_nothing_is_watched_for_who_has_no_account(connect, ada, monkeypatch):
    """Guests cost no query and no task; when the last account leaves, the looks at the database end."""
    seen, execute = [], CursorWrapper.execute
    monkeypatch.setattr(CursorWrapper, "execute", lambda *args, **more: (seen.append(args), execute(*args, **more))[1])
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.01)
    guest = await connect(None, "chat.a")
    assert get_hub().accounts._tasks == []
    member = await connect(ada[1], "members.a")
    assert len(get_hub().accounts) == 1
    await member.send_input({"type": "websocket.disconnect", "code": 1000})
    async with asyncio.timeout(LIMIT):
        while len(get_hub().accounts):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    seen.clear()
    await asyncio.sleep(0.1)
    assert seen == []
    assert guest.output_queue.empty()


async def test_a_log_in_elsewhere_changes_nothing(connect, ada):
    """It writes the account's last log-in, and no more."""
    client = await connect(ada[1], "members.a")
    other = Client()
    await database_sync_to_async(other.login)(username="ada", password=PASSWORD)
    await client.send_json_to({"type": "publish", "group": "members.a", "data": 1, "id": 9})
    assert {(await client.receive_json_from(timeout=LIMIT))["type"] for _ in range(2)} == {"ack", "publication"}
