"""The document's page in real browsers, on a real fleet: several writers, replicas that go, networks that fail."""

import asyncio
import json
import os
import signal
from base64 import b64encode
from collections import Counter

import pytest
import pytest_asyncio
from pycrdt import merge_updates
from redis import Redis
from websockets.asyncio.client import connect

from tests.busy import slowed

from .edits import scribbles, text_of
from .visitors import is_back, on_another_replica, stopped, visits

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

KEY_MS = 15
"""Between two keys of a writer in a hurry."""
EDITS, TOGETHER = 100_000, 100


class Page:
    """A document with someone in front of it."""

    def __init__(self, visitor):
        self.visitor = visitor
        self.page = visitor.page

    async def is_open(self):
        """Wait until there is something to write into."""
        await self.page.wait_for_selector("#text:not([readonly])")
        return self

    async def text(self):
        return await self.page.input_value("#text")

    async def type(self, words, at=None, **options):
        """Type at a place, or at the end."""
        await self.put_caret(at)
        await self.page.keyboard.type(words, **options)

    async def put_caret(self, start=None, end=None):
        await self.page.focus("#text")
        await self.page.evaluate(
            "([start, end]) => text.setSelectionRange(start ?? text.value.length, end ?? start ?? text.value.length)",
            [start, end],
        )

    async def reads(self, text):
        """Wait until this is the whole text."""
        await self.page.wait_for_function("(text) => document.getElementById('text').value === text", arg=text)

    async def is_saved(self):
        await self.visitor.says("#saved", "Saved")


@pytest_asyncio.fixture(loop_scope="module")
async def write(visit):
    """Open a document as someone."""

    async def write(path, name="Ada", meddle=None):
        async def prepare(visitor):
            await visitor.page.add_init_script(f"localStorage.setItem('document.name', {json.dumps(name)})")
            if meddle:
                await meddle(visitor)

        return await Page(await visit(path, prepare)).is_open()

    return write


async def converged(*pages):
    """Return the text, when all is saved and every page shows the same."""
    for page in pages:
        await page.is_saved()
    async with asyncio.timeout(20):
        while len({await page.text() for page in pages}) > 1:  # noqa: ASYNC110 - several pages have no event in common
            await asyncio.sleep(0.05)
    return await pages[0].text()


async def test_two_browsers_type_while_replicas_go(visit, fleet):
    """Killed and drained under both: they end with the same text, every letter of both in it, and so does a third."""
    path = "/document/replicas-go/"
    one = await visit(path)
    ada, bob = Page(one), Page(await on_another_replica(visit, path, one))
    for page in (ada, bob):
        await page.is_open()
    lost = {await page.visitor.replica(): signal_ for page, signal_ in ((ada, signal.SIGKILL), (bob, signal.SIGTERM))}
    pids = {name: fleet.pid(name) for name in lost}
    assert len(lost) == 2

    async def break_things():
        for name, number in lost.items():
            await asyncio.sleep(0.8)  # in the middle of the typing
            os.kill(pids[name], number)

    words = ["abcdefghij " * 15, "ABCDEFGHIJ\n" * 15]
    await asyncio.gather(
        ada.type(words[0], delay=KEY_MS),
        bob.type(words[1], delay=KEY_MS),
        break_things(),
    )
    for page in (ada, bob):
        await page.visitor.comes_back()
    text = await converged(ada, bob)
    assert Counter(text) == Counter("".join(words))
    third = await Page(await visit(path)).is_open()
    await third.reads(text)
    assert ada.visitor.complaints == bob.visitor.complaints == []
    for name, pid in pids.items():
        await is_back(fleet, name, pid)


async def test_who_is_here_and_where(write):
    """Names beside the text, carets in it, with what is selected; who leaves is gone, a new name is told."""
    ada, bob = await write("/document/who/", "Ada"), await write("/document/who/", "Bob")
    await ada.type("one two three")
    await bob.reads("one two three")
    await bob.put_caret(4, 7)
    caret = ada.page.locator(".caret", has_text="Bob")
    await caret.wait_for()
    await ada.page.locator(".selected").wait_for()
    left = await ada.page.evaluate("document.querySelector('.selected').getBoundingClientRect().left")
    await ada.type("wide ", 0)
    await ada.page.wait_for_function(
        "(left) => document.querySelector('.selected').getBoundingClientRect().left > left", arg=left
    )
    people = ada.page.locator("#people li")
    assert await people.all_text_contents() == ["Ada you", "Bob"]
    await ada.page.get_by_role("heading", name="2 people are here").wait_for()
    await bob.page.fill("#name", "Robert")
    await bob.page.press("#name", "Enter")
    await people.filter(has_text="Robert").wait_for()
    await bob.page.goto("/")
    await ada.page.get_by_role("heading", name="Nobody else is here").wait_for()
    await caret.wait_for(state="detached")


async def test_the_caret_stays_where_one_writes(write):
    """What others write before it moves it along; what they write behind it does not."""
    ada, bob = await write("/document/caret/"), await write("/document/caret/", "Bob")
    await ada.type("middle")
    await bob.reads("middle")
    await ada.put_caret(3)
    await bob.type("start ", 0)
    await bob.type(" end")
    await ada.reads("start middle end")
    await ada.page.keyboard.type("|")
    await bob.reads("start mid|dle end")


async def test_undo_takes_back_ones_own(write):
    """And nothing of the others: by keyboard, by button, and again."""
    ada, bob = await write("/document/undo/"), await write("/document/undo/", "Bob")
    await ada.page.focus("#text")
    await ada.page.keyboard.insert_text("mine")  # at once: letters that come slowly are taken back one by one
    await bob.reads("mine")
    await bob.type(" theirs")
    await ada.reads("mine theirs")
    await ada.page.focus("#text")
    await ada.page.keyboard.press("Control+z")
    await bob.reads(" theirs")
    await ada.page.click("#redo")
    await bob.reads("mine theirs")
    await ada.page.click("#undo")
    await bob.reads(" theirs")
    assert await ada.page.is_disabled("#undo")
    await ada.page.focus("#text")
    await ada.page.keyboard.press("Control+Shift+Z")
    await bob.reads("mine theirs")


async def test_a_word_being_composed_is_not_disturbed(write):
    """What others write meanwhile comes when the word is done; nothing of either is lost."""
    ada, bob = await write("/document/compose/"), await write("/document/compose/", "Bob")
    await ada.type("a z")
    await bob.reads("a z")
    await ada.put_caret(2)
    ime = await ada.page.context.new_cdp_session(ada.page)
    await ime.send("Input.imeSetComposition", {"selectionStart": 2, "selectionEnd": 2, "text": "に"})
    await bob.type("bob ", 0)
    await bob.is_saved()
    await ime.send("Input.imeSetComposition", {"selectionStart": 2, "selectionEnd": 2, "text": "にほ"})
    assert await ada.text() == "a にほz"
    await ime.send("Input.insertText", {"text": "日本"})
    await bob.reads("bob a 日本z")
    await ada.reads("bob a 日本z")
    await ada.page.keyboard.type("!")
    await bob.reads("bob a 日本!z")


async def test_letters_of_two_units_are_never_cut(write):
    """Neighbours that share half of their code are replaced whole."""
    ada, bob = await write("/document/pairs/"), await write("/document/pairs/", "Bob")
    for text in ("😀😁", "😁", "😂😁", "𝄞😁"):
        await ada.page.fill("#text", text)
        await bob.reads(text)


async def test_what_is_written_offline_is_merged(write):
    """Both go on writing; the page says that it keeps it, and then that it is saved."""
    ada, bob = await write("/document/offline/"), await write("/document/offline/", "Bob")
    await ada.type("shared\n")
    await bob.reads("shared\n")
    await ada.page.context.set_offline(True)
    await ada.visitor.says("#state", "You are offline")
    await ada.type("from ada\n")
    await bob.type("from bob\n")
    await ada.visitor.says("#saved", "Kept in this browser until the connection is back")
    await bob.is_saved()
    assert await ada.text() == "shared\nfrom ada\n"
    await ada.page.context.set_offline(False)
    text = await converged(ada, bob)
    assert sorted(text.splitlines()) == ["from ada", "from bob", "shared"]


async def test_what_a_closed_page_could_not_send_is_there_again(write, visit):
    """The next page of this browser publishes it; then it is forgotten."""
    ada, bob = await write("/document/closed/"), await write("/document/closed/", "Bob")
    await ada.type("sent ")
    await bob.reads("sent ")
    context = ada.page.context
    await context.set_offline(True)
    await ada.visitor.says("#state", "You are offline")
    await ada.type("unsent")
    await ada.page.close()
    await context.set_offline(False)
    page = await context.new_page()
    await page.goto("/document/closed/")
    await bob.reads("sent unsent")
    await page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.includes('unsent'))")


async def test_a_refused_change_stays_and_is_told(write):
    """With the server's sentence; what is behind it waits, and all goes out when it is taken."""
    refuse = True

    async def meddle(visitor):
        def route(socket):
            server = socket.connect_to_server()

            def pass_on(text):
                frame = json.loads(text)
                if refuse and frame["type"] == "publish" and frame["group"].startswith("document."):
                    answer = {
                        "type": "error",
                        "id": frame["id"],
                        "code": "too_large",
                        "message": "This document is full.",
                    }
                    socket.send(json.dumps(answer))
                else:
                    server.send(text)

            socket.on_message(pass_on)

        await visitor.page.route_web_socket("**/ws/**", route)

    ada, bob = await write("/document/refused/", meddle=meddle), await write("/document/refused/", "Bob")
    await ada.type("kept")
    await ada.visitor.says("#notice", "Your last changes are not saved: This document is full. Your text stays here")
    await ada.visitor.says("#saved", "Not saved")
    assert (await ada.text(), await bob.text()) == ("kept", "")
    refuse = False
    await ada.type("!")
    await bob.reads("kept!")
    await ada.visitor.is_silent("#notice")
    await ada.is_saved()


async def test_a_text_that_is_too_long_is_told(write):
    """What fits is there and saved; the sentence says what to do with the rest."""
    ada = await write("/document/long/")
    await ada.put_caret()
    await ada.page.keyboard.insert_text("x" * 150_001)
    await ada.visitor.says(
        "#notice", "This document is as long as it may be: 150,000 characters. Go on in another one."
    )
    await ada.is_saved()
    assert len(await ada.text()) == 150_000


async def test_a_document_that_cannot_be_fetched_is_told_and_tried_again(visit):
    """Nothing can be written into it before; the line stays open."""
    away = {"status": 503, "content_type": "application/problem+json", "body": '{"detail": "The database is away."}'}
    is_back, answers = asyncio.Event(), [{"status": 502, "body": "bad gateway"}]

    async def prepare(visitor):
        async def answer(route):
            if is_back.is_set():
                await (route.fulfill(**answers.pop()) if answers else route.continue_())
            else:
                await route.fulfill(**away)

        await visitor.page.route("**/snapshot", answer)
        await visitor.page.add_init_script("Math.random = () => 0.05")

    visitor = await visit("/document/away/", prepare)
    await visitor.says("#notice", "The database is away.")
    assert await visitor.page.locator("#text[readonly]").count() == 1
    is_back.set()
    await Page(visitor).is_open()
    await visitor.is_silent("#notice")
    assert answers == []


@pytest.mark.parametrize("transport", ["sse", "poll"])
async def test_it_is_written_over_the_fallbacks_too(write, transport):
    """Where no WebSocket gets through, the same text."""
    ada = await write(f"/document/by-{transport}/?transport={transport}")
    bob = await write(f"/document/by-{transport}/", "Bob")
    await asyncio.gather(ada.type("from ada. ", delay=KEY_MS), bob.type("FROM BOB. ", delay=KEY_MS))
    assert Counter(await converged(ada, bob)) == Counter("from ada. FROM BOB. ")
    await bob.put_caret(2)
    await ada.page.locator(".caret", has_text="Bob").wait_for()


async def test_text_is_never_markup(write):
    """In the text, in names, at carets."""
    eve, bob = await write("/document/markup/", "<b>Eve</b>"), await write("/document/markup/", "Bob")
    await eve.page.focus("#text")
    await eve.page.keyboard.insert_text("<img src=x onerror=\"document.title='owned'\">")
    await bob.page.locator(".caret", has_text="<b>Eve</b>").wait_for()
    assert await bob.page.locator("#people b, .caret b, .mirror img").count() == 0


async def test_a_screen_reader_hears_the_document(write):
    """One field with a name, people as a list, what is wrong as a status; what is drawn is hidden from it."""
    ada = await write("/document/tea/")
    await ada.page.get_by_role("textbox", name="Text of tea").wait_for()
    await ada.page.get_by_role("list", name="Nobody else is here").wait_for()
    for name in ("Undo", "Redo"):
        await ada.page.get_by_role("button", name=name).wait_for()
    assert await ada.page.locator("[aria-hidden=true] .caret, [aria-hidden=true]#mirror").count() == 1


async def test_the_worker_saves_what_is_written(write, fleet):
    """Within seconds the snapshot has it: what is written is in the database, whatever becomes of Redis."""
    ada = await write("/document/saved/")
    await ada.type("three")
    await ada.is_saved()
    async with asyncio.timeout(30):
        while True:
            response = await ada.page.request.get(f"{fleet.base_url}/document/saved/snapshot")
            if text_of(await response.body()) == "three":
                break
            await asyncio.sleep(0.2)


async def test_a_document_of_100_000_edits_opens_in_a_second(write, fleet):
    """From the request for the snapshot to the text in the field, the best of six: the machine may be busy."""
    path, group = "/document/many-edits/", "document.many-edits"
    said = [change for writer in range(20) for change in scribbles(EDITS // 20, writer)[0]]
    async with connect(f"{fleet.ws_url}/ws/", subprotocols=["fanout.v1"], max_size=None) as socket:
        for first in range(0, EDITS, TOGETHER):
            update = b64encode(merge_updates(*said[first : first + TOGETHER])).decode()
            await socket.send(json.dumps({"type": "publish", "id": 1, "group": group, "data": {"update": update}}))
            assert json.loads(await socket.recv())["type"] == "ack"
    await write(path)  # whoever comes first gets the snapshot written
    took = []
    while len(took) < 6 and min(took, default=1000) >= 1000:
        ada = await write(path)
        assert len(await ada.text()) > EDITS // 2
        took.append(await ada.page.evaluate(OPENED_MS))
    assert min(took) < 1000 * slowed(), took


OPENED_MS = """() => {
  const fetched = performance.getEntriesByType("resource").find(({ name }) => name.endsWith("/snapshot"));
  return performance.getEntriesByName("document-opened")[0].startTime - fetched.startTime;
}"""


class TestOutages:
    """A fleet of its own, which may be broken."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def visit(self, browser, own_fleet):
        async with visits(browser, own_fleet.base_url) as visit:
            yield visit

    async def test_while_redis_is_away_all_is_kept(self, write, own_fleet):
        """Both write on; what is wrong is told; when it is back both have all, once."""
        ada, bob = await write("/document/redis/"), await write("/document/redis/", "Bob")
        await ada.type("before ")
        await bob.reads("before ")
        with stopped(own_fleet.pid("redis")):
            await ada.type("ada ")
            await bob.type("bob ")
            await ada.visitor.says("#notice", "Redis")
            await ada.visitor.says("#saved", "Saving…")
            assert await ada.text() == "before ada "
        text = await converged(ada, bob)
        assert sorted(text.split()) == ["ada", "before", "bob"]
        await ada.visitor.is_silent("#notice")
        for page in (ada, bob):
            assert await page.page.evaluate("lineStates.includes('waiting')") is False

    async def test_a_redis_that_has_forgotten_everything_is_told_again_what_pages_have(self, write, own_fleet):
        """Also what no snapshot had; who comes later reads all of it."""
        ada, bob = await write("/document/forgotten/"), await write("/document/forgotten/", "Bob")
        await ada.type("nothing is lost")
        await bob.reads("nothing is lost")
        Redis(unix_socket_path=str(own_fleet.run_dir / "redis" / "redis.sock")).flushall()
        later = await write("/document/forgotten/", "Zoe")
        await later.reads("nothing is lost")
        await later.type("!")
        for page in (ada, bob):
            await page.reads("nothing is lost!")

    async def test_a_fleet_that_is_gone_takes_no_text_with_it(self, write, own_fleet):
        """Who writes on has it kept, and all is there when it is up again."""
        ada = await write("/document/gone/")
        await ada.type("before ")
        await ada.is_saved()
        own_fleet.make("down")
        await ada.visitor.says("#state", "Connection lost. Trying again")
        await ada.type("meanwhile")
        await ada.visitor.says("#saved", "Kept in this browser")
        own_fleet.make("up", REPLICAS=3, PORT=own_fleet.port)
        await ada.visitor.tries_now()
        await ada.is_saved()
        later = await write("/document/gone/", "Bob")
        await later.reads("before meanwhile")
