"""Tickets: what they stand for, and what a stolen or replayed one is worth."""

import asyncio
import json

import pytest
from channels.db import database_sync_to_async

from config.asgi import application
from fanout import close_codes
from fanout.accounts import tickets
from fanout.accounts.users import name_of
from fanout.client import dial
from fanout.errors import BadTicket
from fanout.publishing import default_layer as layer_of
from tests.communicators import HttpCommunicator
from tests.fanout.accounts.sessions import HOST, LIMIT, locked, log_out, made, new_password, session_of
from tests.fanout.limits.clients import Socket, leave

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("kinds")]

PAGE, OTHER_PAGE = b"https://app.example.org", b"https://evil.example"


@pytest.fixture(autouse=True)
def trusted(monkeypatch):
    """Both pages may connect: what a ticket is worth does not hang on the check of origins."""
    rule = application.application_mapping["websocket"]._rule
    monkeypatch.setattr(rule, "trusted", (PAGE.decode(), OTHER_PAGE.decode()))
    rule._remembered.cache_clear()
    yield
    rule._remembered.cache_clear()


@pytest.fixture
async def ada():
    """A user, and the key of a session of hers."""
    return await database_sync_to_async(made)("ada")


async def ask_for_one(key, *headers):
    """The answer to `POST /tickets` with a session."""
    given = [HOST, (b"content-type", b"application/json"), *headers]
    if key:
        given.append((b"cookie", f"sessionid={key}".encode()))
    communicator = HttpCommunicator(application, "POST", "/tickets", body=b"{}", headers=given)
    answer = await communicator.get_response(timeout=LIMIT)
    return answer["status"], json.loads(answer["body"])


async def ticket_of(key):
    status, said = await ask_for_one(key)
    assert status == 201, said
    assert said["expires_in"] == tickets.LIFETIME
    return said["ticket"]


@pytest.fixture
async def come():
    """A client that shakes hands; all have gone at the end."""
    came = []

    async def come(*subprotocols, origin=None):
        headers = [HOST, *([(b"origin", origin)] if origin else [])]
        socket = Socket(None, "/ws/", ["fanout.v1", *subprotocols], headers)
        socket.answer = await socket.shake()
        if socket.answer["type"] == "websocket.accept":
            came.append(socket)
        return socket

    yield come
    for socket in came:
        await leave(socket)


async def is_refused(socket):
    body = await socket.receive_output(LIMIT)
    return socket.answer["status"] == 403 and body["body"].decode() == f"{tickets.REFUSED}\n"


async def test_a_ticket_stands_for_its_session(come, ada, default_layer):
    """Shown in the handshake, which chooses fanout.v1; the socket may what the account may."""
    socket = await come(f"ticket.{await ticket_of(ada[1])}")
    assert socket.answer == {"type": "websocket.accept", "subprotocol": "fanout.v1"}
    assert (await socket.ask(type="join", group="members.a"))["type"] == "joined"


async def test_a_ticket_in_a_frame(come, ada):
    """For who can't choose subprotocols; before anything is joined."""
    socket = await come()
    assert (await socket.ask(type="join", group="members.a"))["code"] == "forbidden"
    assert (await socket.ask(type="authenticate", ticket="invented", id=3))["code"] == "bad_ticket"
    ticket = await ticket_of(ada[1])
    assert await socket.ask(type="authenticate", ticket=ticket, id=4) == {"type": "authenticated", "id": 4}
    assert (await socket.ask(type="join", group="members.a"))["type"] == "joined"
    assert (await socket.ask(type="authenticate", ticket=ticket))["code"] == "bad_frame"


@pytest.mark.parametrize("way", [log_out, locked, new_password])
async def test_who_shows_a_bad_ticket_is_who_he_was(come, ada, way):
    """Nothing of the connection is changed before the ticket is found good: not its cookie, not its user."""
    bob = await database_sync_to_async(made)("bob")
    scope = {"type": "websocket", "headers": [(b"cookie", f"sessionid={bob[1]}".encode())]}
    assert await name_of(scope) == "bob"
    before, ticket = dict(scope), await ticket_of(ada[1])
    await database_sync_to_async(way)(*ada)
    with pytest.raises(BadTicket):
        await tickets.redeem(scope, ticket)
    assert scope == before
    await tickets.redeem(scope, await ticket_of(await database_sync_to_async(session_of)(bob[0])))
    assert scope["headers"] != before["headers"]


async def test_a_ticket_is_good_once(come, ada, default_layer):
    """Of twenty who show it at once, one gets in; a replay is refused with a sentence."""
    ticket = await ticket_of(ada[1])
    shown = await asyncio.gather(*(come(f"ticket.{ticket}") for _ in range(20)))
    assert sorted(each.answer["type"] for each in shown)[:2] == ["websocket.accept", "websocket.http.response.start"]
    assert all([await is_refused(each) for each in shown if each.answer["type"] != "websocket.accept"])


async def test_a_ticket_is_good_for_a_short_time(come, ada, monkeypatch, default_layer):
    """A stolen one is worth nothing afterwards."""
    monkeypatch.setattr(tickets, "LIFETIME", 0.05)
    ticket = await ticket_of(ada[1])
    await asyncio.sleep(0.1)
    assert await is_refused(await come(f"ticket.{ticket}"))


async def test_a_pages_ticket_is_good_for_that_page(come, ada):
    """Another page that stole it, or a program, does not get in by it."""
    for thief in (OTHER_PAGE, None):
        _, said = await ask_for_one(ada[1], (b"origin", b"http://localhost"))
        assert await is_refused(await come(f"ticket.{said['ticket']}", origin=thief))
    _, said = await ask_for_one(ada[1], (b"origin", b"http://localhost"))
    socket = await come(f"ticket.{said['ticket']}", origin=b"http://localhost")
    assert socket.answer["type"] == "websocket.accept"


@pytest.mark.parametrize("way", [log_out, locked, new_password])
async def test_what_ends_the_session_ends_its_tickets_and_their_sockets(come, ada, way):
    """One that is shown afterwards is refused, one that was shown before is closed."""
    socket = await come(f"ticket.{await ticket_of(ada[1])}")
    assert (await socket.ask(type="join", group="members.a"))["type"] == "joined"
    kept = await ticket_of(ada[1])
    await database_sync_to_async(way)(*ada)
    closed = await socket.receive_output(LIMIT)
    assert (closed["type"], closed["code"]) == ("websocket.close", close_codes.SESSION_ENDED)
    assert await is_refused(await come(f"ticket.{kept}"))


async def test_only_who_is_logged_in_gets_one(ada):
    """By a request that no other site's page can make."""
    assert (await ask_for_one(None))[0] == 403
    assert (await ask_for_one(ada[1], (b"origin", OTHER_PAGE)))[1]["code"] == "bad_origin"
    given = [HOST, (b"content-type", b"text/plain"), (b"cookie", f"sessionid={ada[1]}".encode())]
    communicator = HttpCommunicator(application, "POST", "/tickets", body=b"{}", headers=given)
    assert (await communicator.get_response(timeout=LIMIT))["status"] == 415


async def test_a_projects_own_ticket_stands_for_an_account(come, ada):
    """Without a session; locking the account ends it all the same."""
    socket = await come(f"ticket.{await tickets.issue(ada[0])}")
    assert (await socket.ask(type="join", group="members.a"))["type"] == "joined"
    kept = await tickets.issue(ada[0])
    await database_sync_to_async(locked)(*ada)
    assert (await socket.receive_output(LIMIT))["code"] == close_codes.SESSION_ENDED
    assert await is_refused(await come(f"ticket.{kept}"))


async def test_redis_holds_neither_a_ticket_nor_a_session(ada, monkeypatch):
    """Who reads it can't come in by what is there."""
    seen, layer = [], layer_of()
    monkeypatch.setattr(layer, "deposit", lambda *said: asyncio.sleep(0, seen.append(said)))
    ticket = await ticket_of(ada[1])
    kept = repr(seen)
    assert ticket not in kept
    assert ada[1] not in kept
    scope = {"type": "websocket", "headers": []}
    monkeypatch.setattr(layer, "collect", lambda _name: asyncio.sleep(0, seen[0][1]))
    await tickets.redeem(scope, ticket)
    assert await name_of(scope) == "ada"
    for other in ("", "x" * 65):
        with pytest.raises(BadTicket):
            await tickets.redeem(scope, other)


async def test_the_python_client_shows_a_new_one_in_each_handshake(monkeypatch):
    """Behind fanout.v1."""
    asked, offered = iter(["a", "b"]), []

    async def ticket():
        return next(asked)

    async def connect(_url, **options):
        offered.append(options["subprotocols"])
        assert "ticket" not in options
        raise OSError("no server here")

    monkeypatch.setattr(dial, "connect", connect)
    for _ in range(2):
        with pytest.raises(dial.NotConnected):
            await dial.dial("ws://localhost/", None, {"ticket": ticket})
    assert offered == [["fanout.v1", "ticket.a"], ["fanout.v1", "ticket.b"]]
