"""A session ends the connections that came with it, though nobody has asked whose they are."""

import asyncio

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from fanout import close_codes
from fanout.accounts import connected
from fanout.hub import get_hub
from tests.fanout.accounts.sessions import LIMIT, PASSWORD, SILENT, WAYS, closed, log_out

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("kinds")]


async def unasked(connect, key):
    """A socket, a plain client, and one that is in no group yet; none of them has had its user looked up."""
    several = [await connect(key, "open.a"), await connect(key)]
    several.append(await connect(key, path="/ws/chat/a/", subprotocol=None))
    assert len(get_hub().accounts) == 0
    return several


@pytest.mark.parametrize("way", ["a log-out", "a deleted session"])
async def test_a_log_out_ends_what_nobody_has_asked_about(connect, ada, open_to_all, way, monkeypatch):
    """At once, with no look at the database before; guests, and who never had this session, stay."""
    monkeypatch.setattr(connected, "SWEEP_EVERY", 3600)
    others = [await connect(key, "open.a") for key in (None, "x" * 32)]
    mine = await unasked(connect, ada[1])
    await database_sync_to_async(WAYS[way])(*ada)
    for each in mine:
        assert await closed(each) == (close_codes.SESSION_ENDED, connected.REASON)
    assert all(each.output_queue.empty() for each in others)


@pytest.mark.parametrize("way", [*SILENT, "a locked account", "a new password"])
async def test_a_look_finds_whose_session_nobody_has_asked_about(connect, ada, open_to_all, way, monkeypatch):
    """From then on it ends with all that ends the account's others; a stranger's key is a guest's."""
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.1)
    stranger = await connect("x" * 32, "open.a")
    mine = await unasked(connect, ada[1])
    async with asyncio.timeout(LIMIT):
        while len(get_hub().accounts) < len(mine):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await database_sync_to_async({**WAYS, **SILENT}[way])(*ada)
    for each in mine:
        assert await closed(each) == (close_codes.SESSION_ENDED, connected.REASON)
    assert stranger.output_queue.empty()
    assert not get_hub().accounts._unasked
    assert not get_hub().accounts._by_session


async def test_who_was_doubted_before_anybody_asked_stays_bound(connect, ada, open_to_all, monkeypatch):
    """An account that was changed is looked at anew; who asks after that loosens no socket from its session."""
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.1)
    mine = await connect(ada[1], "open.a")
    async with asyncio.timeout(LIMIT):
        while not get_hub().accounts:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await database_sync_to_async(ada[0].save)()
    await asyncio.gather(*get_hub().accounts._reviews)
    await mine.send_json_to({"type": "join", "group": "members.a", "id": 1})
    assert (await mine.receive_json_from(timeout=LIMIT))["type"] == "joined"
    monkeypatch.setattr(connected, "SWEEP_EVERY", 3600)
    await database_sync_to_async(log_out)(*ada)
    assert await closed(mine) == (close_codes.SESSION_ENDED, connected.REASON)


async def test_what_can_be_no_key_of_a_session_is_a_guests(connect, ada, open_to_all, monkeypatch):
    """It is no error of the database, by which all others would be looked up no more."""
    for key in ('"\\000"', '"a\\012b"', "\u00e4" * 32):
        await connect(key, "open.a")
    assert not get_hub().accounts._unasked
    assert get_hub().accounts._tasks == []


async def test_a_guest_with_a_session_who_logs_in_goes_on_as_he_came(connect, open_to_all, ada, monkeypatch):
    """Django gives him a new session; his open socket was nobody's and stays so."""
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.1)
    browser = Client()

    def visit():
        session = browser.session
        session["basket"] = 1
        session.save()
        return session.session_key

    def log_in():
        assert browser.login(username="ada", password=PASSWORD)
        assert browser.session.session_key != key

    key = await database_sync_to_async(visit)()
    guest = await connect(key, "open.a")
    await database_sync_to_async(log_in)()
    async with asyncio.timeout(LIMIT):
        while get_hub().accounts._unasked:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await guest.send_json_to({"type": "publish", "group": "open.a", "data": 1, "id": 9})
    assert {(await guest.receive_json_from(timeout=LIMIT))["type"] for _ in range(2)} == {"ack", "publication"}
