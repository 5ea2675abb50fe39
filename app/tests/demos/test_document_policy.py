"""What a document takes, over a socket of plain ASGI: changes, cursors, and what is neither."""

import asyncio
import time
from base64 import b64decode, b64encode
from contextlib import asynccontextmanager, suppress

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection

from config.asgi import application
from demos.document import backlog, policy
from demos.document.compaction import compact
from demos.document.policy import NAME_LIMIT, UPDATE_LIMIT
from demos.document.snapshots import load
from fanout.publishing import default_layer
from tests.communicators import HttpCommunicator

from .edits import Writer, scribbles, text_of
from .test_game_policy import ORIGIN, Socket

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "document.notes"


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """This process has looked at no document."""
    monkeypatch.setattr(backlog, "_rooms", type(backlog._rooms)())


@pytest.fixture
def without_table():
    """A database that fails: what it is asked for is not there."""

    @database_sync_to_async
    def rename(one, other):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {one} RENAME TO {other}")

    @asynccontextmanager
    async def away():
        await rename("document_snapshot", "away")
        try:
            yield
        finally:
            await rename("away", "document_snapshot")

    return away


def told(update):
    """A change as it is published."""
    return {"update": b64encode(update).decode()}


async def say(socket, update, **more):
    """Publish a change; return the answer."""
    return await socket.ask(type="publish", group=GROUP, data=told(update), **more)


@pytest.mark.usefixtures("default_layer")
async def test_others_hear_a_change_as_it_was_said():
    """In its place in the stream; who comes later gets it from there."""
    writer = Writer()
    async with Socket() as ada, Socket() as bob:
        await bob.ask(type="join", group=GROUP)
        for words in ("hello ", "world"):
            answer = await say(ada, writer.write(words))
        assert (answer["type"], answer["offset"]) == ("ack", 2)
        heard = [b64decode((await bob.hears())["update"]) for _ in range(2)]
        assert heard == writer.said
        assert text_of(*heard) == "hello world"
        joined = await ada.ask(type="join", group=GROUP, since={"epoch": "0", "offset": 0})
        assert (joined["recovered"], joined["offset"]) == (2, 2)


@pytest.mark.usefixtures("default_layer")
async def test_what_is_no_change_is_told_and_reaches_nobody():
    """A code and a sentence for each; the socket stays, and the next honest change is the first in the stream."""
    writer = Writer()
    good = writer.write("hi")
    bad = [
        (None, "bad_data", "Send {"),
        ({}, "bad_data", "Send {"),
        ({"update": 7}, "bad_data", "Send {"),
        ({"update": "no base64!"}, "bad_data", "no Base64"),
        ({"update": "é"}, "bad_data", "no Base64"),
        (told(b"nonsense"), "bad_data", "no change to a text"),
        (told(b""), "bad_data", "ends in the middle"),
        (told(b"\0\0"), "bad_data", "changes nothing"),
        (told(good + b"\0"), "bad_data", "behind its end"),
        (told(b"\0" * (UPDATE_LIMIT + 1)), "too_large", "512 KiB: send it in parts"),
        (told(b"\0" * UPDATE_LIMIT), "bad_data", "behind its end"),
        (told(b"\0" * 600 * 1024), "too_large", "characters"),
    ]
    async with Socket() as client:
        for data, code, words in bad:
            answer = await client.ask(type="publish", group=GROUP, data=data)
            assert (answer["type"], answer["code"]) == ("error", code)
            assert words in answer["message"]
        assert (await say(client, good))["offset"] == 1


@pytest.mark.usefixtures("memory_default_layer")
async def test_a_large_change_is_taken():
    """All that one undo may put back."""
    writer = Writer()
    large = writer.write("é漢" * 75_000)
    assert 300_000 < len(large) < UPDATE_LIMIT
    async with Socket() as client:
        assert (await say(client, large))["type"] == "ack"


def test_a_change_is_looked_at_quickly():
    """What is looked at on the event loop takes it a few ms, whatever it holds; the limit is far above the usual."""
    many = b"".join([b"\x01", b"\xd0\x0f", b"\x07\x00", b"\x00\x01" * 2000, b"\x00"])
    for update in (many, Writer().write("x" * policy.AT_ONCE)[: policy.AT_ONCE]):
        began = time.process_time()
        with suppress(policy.BadData):
            policy.check(update)
        assert time.process_time() - began < 0.1


@pytest.mark.usefixtures("default_layer")
async def test_presence_tells_who_writes():
    """By the page's id and name, cleaned; what it must not say of itself is refused with an example."""
    async with Socket() as ada, Socket() as bob:
        for info in (
            {"id": "a b", "name": "Ada"},
            {"id": "a", "name": 7},
            {"id": "", "name": ""},
            "Ada",
            {"id": "x" * 17, "name": ""},
        ):
            answer = await ada.ask(type="join", group=GROUP, info=info)
            assert answer["code"] == "bad_data"
            assert '{"id": "…", "name": "…"}' in answer["message"]
        await ada.ask(type="join", group=GROUP, info={"id": "a1", "name": "  Ada \n L.\u202e"})
        infos = []
        async with asyncio.timeout(10):  # the fleet is told at most once a second
            while {"id": "a1", "name": "Ada L."} not in infos:
                there = (await bob.ask(type="join", group=GROUP, presence=True))["presence"]
                infos = [member["info"] for member in there["members"]]


@pytest.mark.usefixtures("default_layer")
async def test_others_hear_where_a_writer_is():
    """The newest place by the page's id; what is no cursor is refused."""
    cursor = {"id": "a1", "name": "A" * 40, "anchor": "AAA=", "head": "AAE="}
    async with Socket() as ada, Socket() as bob:
        await bob.ask(type="join", group="cursors.notes")
        for bad in (
            None,
            {},
            {"id": "a1", "head": 7},
            {"id": "../x"},
            {"id": "a", "head": "x" * 129},
            {"id": "a", "gone": "y"},
        ):
            answer = await ada.ask(type="publish", group="cursors.notes", data=bad)
            assert answer["code"] == "bad_data"
        assert (await ada.ask(type="publish", group="cursors.notes", data={**cursor, "more": 1}))["type"] == "ack"
        assert await bob.hears() == {**cursor, "name": "A" * NAME_LIMIT}
        await ada.ask(type="publish", group="cursors.notes", data={"id": "a1", "gone": True})
        assert await bob.hears() == {"id": "a1", "name": "Somebody", "gone": True}
    assert policy.CursorsPolicy().value_key(cursor) == "a1"


async def test_an_account_writes_under_its_name():
    """Whatever it calls itself; the name is marked, and a guest can't mark theirs."""
    scope = {"type": "websocket", "user": User(username="ada")}
    given = {"id": "a1", "name": "Eve", "account": True}
    named = {"id": "a1", "name": "ada", "account": True}
    assert await policy.CursorsPolicy().accept(scope, "cursors.notes", given) == named
    assert await policy.DocumentPolicy().member(scope, "document.notes", given) == named
    guest = {"type": "websocket", "user": AnonymousUser()}
    unmarked = {"id": "a1", "name": "Eve"}
    assert await policy.CursorsPolicy().accept(guest, "cursors.notes", given) == unmarked
    assert await policy.DocumentPolicy().member(guest, "document.notes", given) == unmarked


@pytest.mark.usefixtures("memory_default_layer")
@pytest.mark.parametrize("kind", ["document", "cursors"])
async def test_a_document_that_no_page_can_have_is_closed(kind):
    """The names are those of rooms."""
    async with Socket() as client:
        for group in (kind, f"{kind}.", f"{kind}...", f"{kind}.{'x' * 65}"):
            assert (await client.ask(type="join", group=group))["code"] == "forbidden"


@pytest.mark.usefixtures("default_layer")
async def test_changes_are_taken_over_plain_http():
    """The same check, the same stream."""
    writer = Writer()
    headers = [*ORIGIN, (b"content-type", b"application/json")]
    for body, status in (
        (b'{"update": "%b"}' % b64encode(writer.write("over http")), 201),
        (b'{"update": "AAAA"}', 422),
    ):
        request = HttpCommunicator(application, "POST", f"/groups/{GROUP}/publications", body, headers)
        assert (await request.get_response(timeout=10))["status"] == status
    assert (await default_layer().top(GROUP)).position.offset == 1


@pytest.mark.usefixtures("memory_default_layer")
async def test_where_no_worker_is_the_replica_writes_the_snapshot():
    """Long before anything is trimmed; all of it is there then."""
    said, text = scribbles(backlog.COMPACT_HERE + 2 * backlog.GRANT)
    async with Socket() as client:
        for each in said:
            assert (await say(client, each))["type"] == "ack"
    saved = await database_sync_to_async(load)("notes")
    assert backlog.COMPACT_HERE <= saved.position.offset <= len(said)
    assert text_of(saved.state, *said[saved.position.offset :]) == text


@pytest.mark.usefixtures("memory_default_layer")
async def test_what_could_be_lost_is_not_taken(without_table):
    """Where no snapshot can be written the stream fills to a limit below its size; then `unavailable`, till it can."""
    taken = 0
    said, _ = scribbles(backlog.REFUSE + backlog.GRANT)
    async with Socket() as client, without_table():
        for each in said:
            answer = await say(client, each)
            if answer["type"] == "error":
                break
            taken += 1
    assert backlog.REFUSE <= taken < backlog.REFUSE + backlog.GRANT < backlog.HISTORY.size
    assert (answer["code"], "can't be saved at the moment" in answer["message"]) == ("unavailable", True)
    async with Socket() as client:
        assert (await say(client, said[taken]))["offset"] == taken + 1


@pytest.mark.usefixtures("memory_default_layer")
async def test_large_changes_are_saved_before_the_stream_is_full(without_table, monkeypatch):
    """So many bytes are taken, then there is a snapshot of them; where none can be written, no more are."""
    monkeypatch.setattr(backlog, "UNSAVED_BYTES", 10_000)
    writer = Writer()
    async with Socket() as client:
        for _ in range(4):
            assert (await say(client, writer.write("x" * 3000)))["type"] == "ack"
        saved = await database_sync_to_async(load)("notes")
        assert saved.position.offset == 2
        async with without_table():
            answers = [await say(client, writer.write("x" * 3000)) for _ in range(2)]
    assert [answer["type"] for answer in answers] == ["error", "error"]
    assert {answer["code"] for answer in answers} == {"unavailable"}


@pytest.mark.usefixtures("memory_default_layer")
async def test_a_full_document_says_so(monkeypatch):
    """It is the snapshot's size that counts."""
    writer = Writer()
    async with Socket() as client:
        await say(client, writer.write("x" * 1000))
        await compact("notes")
        monkeypatch.setattr(backlog, "DOCUMENT_LIMIT", 500)
        monkeypatch.setattr(backlog, "_rooms", type(backlog._rooms)())
        answer = await say(client, writer.write("y"))
        assert answer["code"] == "too_large"
        assert "This document is full" in answer["message"]
