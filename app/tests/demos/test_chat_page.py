"""The chat's page in a real browser, on a real fleet; where the server has to misbehave, on a socket of the test."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from redis import Redis

from tests.redis_servers import eventually
from tests.replicas import LIMIT

from .conftest import launched
from .visitors import PATIENCE_MS, RECORD_STATES, Visitor, is_back

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

TUTORIAL = Path(__file__).resolve().parents[1] / "data" / "tutorial" / "chat.html"
MESSAGE_MAX_BYTES = 64 * 1024
TRUST_LOCAL_PAGES = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"
"""Chromium takes a page that a test hands in for one of the internet, and keeps it away from this machine."""
TRIES_FOR_ANOTHER_REPLICA = 12
"""The balancer gives the next client another replica soon; so many pages in a row on one would be an error."""
AT_END = "(log) => log.scrollHeight - log.scrollTop - log.clientHeight < 2"


class Room(Visitor):
    """A page of the chat with someone in front of it."""

    async def type(self, text):
        await self.page.fill("#message", text)

    async def press(self, key):
        await self.page.keyboard.press(key)

    async def say(self, text):
        await self.type(text)
        await self.page.press("#message", "Enter")

    async def typed(self):
        return await self.page.input_value("#message")

    async def reads(self, text):
        """Wait until a message with exactly this text is there; return its author."""
        message = self.page.locator(".message").filter(has=self.page.get_by_text(text, exact=True))
        await message.first.wait_for()
        return await message.first.locator(".who").inner_text()

    async def reads_own(self, text, name="Ada"):
        """Wait until the message is there and known as this page's own, which its acknowledgement tells."""
        message = self.page.locator(".message").filter(has=self.page.get_by_text(text, exact=True))
        who = message.first.locator(".who").filter(has=self.page.locator(".you"))
        assert await who.inner_text() == f"{name} you"

    async def is_told(self, words):
        await self.page.locator("#composer-error").filter(has_text=words).wait_for()

    async def messages(self):
        return await self.page.locator(".text").all_text_contents()

    async def missing(self):
        return await self.page.locator(".note").all_text_contents()


@pytest_asyncio.fixture(loop_scope="module")
async def enter(browser, fleet):
    """Open a room as someone, each in a browser profile of their own."""
    contexts = []

    async def enter(path="/chat/lobby/", name="Ada", in_browser=browser, prepare=None, **options):
        context = await in_browser.new_context(base_url=fleet.base_url, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        if name:
            await page.add_init_script(f"localStorage.setItem('chat.name', {json.dumps(name)})")
        await page.add_init_script(RECORD_STATES)
        if prepare:
            await prepare(page)
        room = Room(page)
        await page.goto(path)
        return room

    yield enter
    for context in contexts:
        await context.close()


class FakeReplica:
    """The server's end of a page's socket, for what a healthy fleet does not do."""

    def __init__(self, replica="web-9"):
        self.replica = replica
        self.sockets = []
        self.joins = []
        self.published = []
        self.keys = []
        self.offset = 0
        self.answers = "ack"
        self.joined = {}

    async def prepare(self, page):
        await page.route_web_socket("**/ws/**", self.accept)

    def accept(self, socket):
        self.sockets.append(socket)
        socket.on_message(lambda text: self.answer(socket, json.loads(text)))

    @property
    def position(self):
        return {"epoch": "a", "offset": self.offset}

    def answer(self, socket, frame):
        answer = {"id": frame["id"]}
        if frame["type"] == "join":
            self.joins.append(frame)
            answer |= {"type": "joined", "group": frame["group"], "replica": self.replica, "recovered": 0}
            socket.send(json.dumps(answer | self.position | self.joined))
        elif frame["type"] == "publish":
            self.published.append(frame["data"])
            self.keys.append(frame["key"])
            if self.answers == "ack":
                self.publish(frame["group"], frame["data"])
                socket.send(json.dumps({"type": "ack", **answer, **self.position}))
            elif self.answers:
                socket.send(json.dumps({"type": "error", **answer, **self.answers}))

    def publish(self, group, data):
        self.offset += 1
        self.sockets[-1].send(json.dumps({"type": "publication", "group": group, "data": data, **self.position}))

    def reset(self, group, reason):
        self.sockets[-1].send(json.dumps({"type": "reset", "group": group, "reason": reason, **self.position}))

    async def close(self, code, reason=""):
        await self.sockets[-1].close(code=code, reason=reason)


async def test_two_browsers_on_two_replicas_hear_each_other(enter):
    """Each page says which replica answered it; what one says arrives at the other, once, with its name."""
    async with launched() as second_browser:
        # A room of its own: the lobby remembers what other tests said there.
        ada = await enter("/chat/two-browsers/", name="Ada")
        bob = await on_another_replica(enter, "/chat/two-browsers/", ada, name="Bob", in_browser=second_browser)
        await ada.say("from Ada")
        await bob.say("from Bob")
        assert await bob.reads("from Ada") == "Ada"
        assert await ada.reads("from Bob") == "Bob"
        await ada.reads_own("from Ada")
        for room in (ada, bob):
            assert sorted(await room.messages()) == ["from Ada", "from Bob"]
            assert room.complaints == []


async def on_another_replica(enter, path, other, **options):
    """Enter a room on another replica than this page's."""
    for _ in range(TRIES_FOR_ANOTHER_REPLICA):
        room = await enter(path, **options)
        if await room.replica() != await other.replica():
            return room
        await room.page.close()
    return pytest.fail(f"{TRIES_FOR_ANOTHER_REPLICA} pages in a row were answered by {await other.replica()}")


@pytest.mark.slow
@pytest.mark.parametrize("exit_signal", [signal.SIGKILL, signal.SIGTERM])
async def test_the_page_comes_back_when_its_replica_goes(enter, fleet, exit_signal):
    """Killed or drained: another one answers, the page says which, the text being typed is still there and arrives."""
    room = await enter(f"/chat/leaving-{exit_signal.name}/")
    lost = await room.replica()
    pid = fleet.pid(lost)
    await room.type("half a sentence")
    os.kill(pid, exit_signal)
    await room.comes_back()
    assert await room.missing() == []
    assert await room.typed() == "half a sentence"
    await room.press("Enter")
    await room.reads_own("half a sentence")
    await is_back(fleet, lost, pid)


@pytest.mark.slow
async def test_what_was_said_is_there_after_a_reload(enter):
    """The last 50 messages, in order, one's own still known as such, without a time that nobody knows."""
    bob = await enter("/chat/history/", name="Bob")
    await bob.is_line("open")
    assert await bob.page.locator("#empty").is_visible()
    for number in range(60):
        await bob.say(f"line {number}")
    await bob.reads("line 59")
    ada = await enter("/chat/history/")
    await ada.say("mine")
    await ada.reads_own("mine")
    await bob.reads("mine")
    await ada.page.reload()
    await ada.reads_own("mine")
    assert await ada.messages() == [*(f"line {number}" for number in range(11, 60)), "mine"]
    assert await ada.reads("line 59") == "Bob"
    assert await ada.page.locator(".when").count() == 0
    assert await ada.page.get_attribute("#log", "aria-busy") == "false"
    assert await ada.page.locator("#empty").is_hidden()


def said_long_ago(fleet, room, count, kept):
    """Say lines in a room, wait until they are archived, and have its stream forget all but some; return the lines."""
    lines = [f"line {number}" for number in range(count)]
    with httpx.Client(base_url=fleet.base_url, timeout=LIMIT) as client:
        for line in lines:
            said = client.post(f"/groups/chat.{room}/publications", json={"message": line, "name": "Bob"})
            assert said.status_code == 201
    table = 'SELECT count(*) FROM fanout_archive_archivedpublication WHERE "group" = ?'
    with contextlib.closing(sqlite3.connect(fleet.run_dir / "db.sqlite3")) as database:
        eventually(lambda: database.execute(table, (f"chat.{room}",)).fetchone() == (count,), "all are archived", 60)
    with Redis(unix_socket_path=str(fleet.run_dir / "redis" / "redis.sock")) as redis:
        redis.xtrim(f"asgi__stream__{{chat.{room}}}", maxlen=kept, approximate=False)
    return lines


LOOK_UP = """(log) => {
  log.scrollTop = 250;
  const messages = [...log.querySelectorAll(".message")];
  const top = (message) => message.getBoundingClientRect().top;
  globalThis.seen = messages.find((message) => top(message) >= top(log));
  return [messages.length, top(seen)];
}"""
"""Scrolls near the beginning; returns how many messages there are, and where the one stands that is seen first then."""


@pytest.mark.parametrize("kept", [60, 20, 0])
@pytest.mark.slow
async def test_who_scrolls_up_reads_what_the_stream_has_forgotten(enter, fleet, kept):
    """A room opens at its end; older lines come as one goes up, in order, once; what one looks at stays."""
    room = f"past-{kept}"
    lines = await asyncio.to_thread(said_long_ago, fleet, room, 170, kept)
    ada = await enter(f"/chat/{room}/")
    await ada.reads("line 169")
    await ada.page.wait_for_function("() => document.querySelectorAll('.message').length >= 50")
    top = ada.page.locator(".message").first
    log = await ada.page.query_selector("#log")
    await ada.page.wait_for_function(AT_END, arg=log)
    count, place = await log.evaluate(LOOK_UP)
    await ada.page.wait_for_function("(count) => document.querySelectorAll('.message').length > count", arg=count)
    assert await ada.page.evaluate("seen.getBoundingClientRect().top") == pytest.approx(place, abs=2)
    while (count := len(await ada.messages())) < len(lines):
        await top.scroll_into_view_if_needed()
        await ada.page.wait_for_function("(count) => document.querySelectorAll('.message').length > count", arg=count)
    assert await ada.messages() == lines
    await ada.page.locator("#older").click()
    await ada.page.get_by_text("This is the beginning.").wait_for()
    assert await ada.page.locator("#older").is_hidden()
    await ada.say("and now")
    await ada.reads("and now")
    assert await ada.messages() == [*lines, "and now"]
    assert ada.complaints == []


@pytest.mark.slow
async def test_older_messages_that_cannot_be_had_can_be_asked_for_again(enter, fleet):
    """A sentence says so; the button does it."""
    lines = await asyncio.to_thread(said_long_ago, fleet, "past-broken", 60, 60)
    ada = await enter("/chat/past-broken/")
    await ada.reads("line 59")
    await ada.page.route("**/history/**", lambda route: route.abort())
    await ada.page.locator("#older").click()
    await ada.page.get_by_text("Older messages can't be had just now.").wait_for()
    await ada.page.unroute("**/history/**")
    await ada.page.locator("#older").click()
    await ada.reads("line 0")
    assert await ada.messages() == lines


@pytest.mark.slow
async def test_nothing_is_missing_after_a_kill_while_another_talks(enter, fleet):
    """What is said while a page has no replica is there when it is back: once, in order, without a word of a gap."""
    ada = await enter("/chat/resume/")
    bob = await on_another_replica(enter, "/chat/resume/", ada, name="Bob")
    lost = await ada.replica()
    pid = fleet.pid(lost)
    lines = [f"line {number}" for number in range(80)]
    for line in lines:
        await bob.say(line)
        if line == lines[20]:
            os.kill(pid, signal.SIGKILL)
    await ada.reads(lines[-1])
    assert "waiting" in await ada.page.evaluate("lineStates")
    assert await ada.messages() == lines
    assert await ada.missing() == []
    await is_back(fleet, lost, pid)


async def test_a_message_sent_while_the_replica_is_killed_arrives_once(enter, fleet):
    """Before, at and after the kill: each is there once, in order, for the sender and for others."""
    ada = await enter("/chat/once/")
    bob = await on_another_replica(enter, "/chat/once/", ada, name="Bob")
    lost = await ada.replica()
    pid = fleet.pid(lost)
    lines = [f"line {number}" for number in range(30)]
    for line in lines:
        await ada.say(line)
        if line == lines[10]:
            os.kill(pid, signal.SIGKILL)
    for room in (ada, bob):
        await room.reads(lines[-1])
        assert await room.messages() == lines
        assert await room.missing() == []
    assert "waiting" in await ada.page.evaluate("lineStates")
    await ada.page.wait_for_function("() => document.querySelectorAll('.message[data-own]').length === 30")
    await ada.page.locator("#outgoing .waiting").first.wait_for(state="detached")
    assert await ada.typed() == ""
    await is_back(fleet, lost, pid)


async def test_the_tutorials_page_works_unchanged(enter, fleet, browser):
    """The page as people typed it in, on the port it names, talks with itself and with our page."""
    origin = "http://localhost:8000"
    async with launched(f"--host-resolver-rules=MAP localhost:8000 127.0.0.1:{fleet.port}", TRUST_LOCAL_PAGES) as other:
        ours = await enter("/chat/lobby/")
        await ours.is_line("open")
        pages = []
        for _ in range(2):
            page = await other.new_page()
            await page.route(f"{origin}/", lambda route: route.fulfill(path=TUTORIAL, content_type="text/html"))
            async with page.expect_websocket() as opening:
                await page.goto(f"{origin}/")
            assert (await opening.value).url == "ws://localhost:8000/ws/chat/"
            await page.wait_for_function("chatSocket.readyState === WebSocket.OPEN")
            pages.append(page)
        await pages[0].fill("#messageInput", "typed in from the tutorial")
        await pages[0].click("button")
        for page in pages:
            await page.locator("#messages li").filter(has_text="typed in from the tutorial").wait_for()
        assert await ours.reads("typed in from the tutorial") == "Anonymous"
        await ours.say("welcome")
        for page in pages:
            await page.locator("#messages li").filter(has_text="welcome").wait_for()


async def test_a_message_that_is_too_long_is_told_before_it_is_sent(enter):
    """The limit counts bytes of UTF-8; the text stays, and goes through as soon as it fits exactly."""
    room = await enter("/chat/long/")
    await room.is_line("open")
    await room.type("é" * (MESSAGE_MAX_BYTES // 2) + "!")
    await room.is_told("65,537 of at most 65,536 bytes")
    await room.page.press("#message", "Enter")
    assert len(await room.typed()) == MESSAGE_MAX_BYTES // 2 + 1
    assert await room.messages() == []
    await room.say("é" * (MESSAGE_MAX_BYTES // 2))
    await room.page.locator(".text").wait_for()
    assert await room.messages() == ["é" * (MESSAGE_MAX_BYTES // 2)]


async def test_without_a_network_a_message_waits(enter):
    """Sent while offline it stays in sight, and is delivered once, in its order, when the network is back."""
    room = await enter("/chat/offline/")
    await room.is_line("open")
    await room.page.context.set_offline(True)
    await room.page.get_by_text("You are offline").wait_for()
    await room.say("for later")
    await room.say("and this")
    await room.page.get_by_text("Sending: for later").wait_for()
    assert await room.typed() == ""
    await room.page.context.set_offline(False)
    await room.reads("and this")
    assert await room.messages() == ["for later", "and this"]
    await room.page.locator("#outgoing .waiting").first.wait_for(state="detached")


async def test_text_is_never_markup(enter):
    """What looks like HTML is shown as it was typed, in messages and in names."""
    room = await enter("/chat/markup/", name="<b>Eve</b>")
    await room.is_line("open")
    text = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>"
    await room.say(text)
    await room.reads_own(text, "<b>Eve</b>")
    assert await room.page.locator("#messages img, #messages b, #messages script").count() == 0


async def test_a_message_nobody_confirmed_is_sent_again(enter):
    """Pending texts stay in sight over the loss and go out again with their keys; what is being typed stays."""
    server = FakeReplica()
    server.answers = None
    room = await enter(prepare=server.prepare)
    await room.is_line("open")
    await room.say("first")
    await room.say("second")
    await room.type("third")
    for text in ("first", "second"):
        await room.page.get_by_text(f"Sending: {text}").wait_for()
    server.answers = "ack"
    await server.close(1012)
    await room.reads_own("second")
    assert [data["message"] for data in server.published] == ["first", "first", "second"]
    assert server.keys[0] == server.keys[1] != server.keys[2]
    assert await room.messages() == ["first", "second"]
    assert await room.typed() == "third"
    await room.page.locator("#outgoing .waiting").first.wait_for(state="detached")


async def test_a_message_nobody_confirms_in_time_comes_back(enter):
    """After a minute the text returns to the field, before what was typed since, and a sentence says what is known."""
    server = FakeReplica()
    server.answers = None
    room = await enter(prepare=server.prepare)
    await room.is_line("open")
    await room.page.clock.install()
    await room.say("first")
    await room.say("second")
    await room.type("third")
    await room.page.clock.fast_forward(61_000)
    await room.is_told("did not confirm")
    assert await room.typed() == "first\nsecond\nthird"
    assert await room.messages() == []


async def test_ones_own_message_is_known_by_its_position(enter):
    """Someone else's with the same words and name is not one's own; the acknowledgement may come behind the message."""
    server = FakeReplica()
    server.answers = None
    room = await enter(prepare=server.prepare)
    await room.is_line("open")
    await room.say("hello")
    await room.page.wait_for_function("() => sessionStorage.getItem('chat.draft.lobby') === 'hello'")
    for _ in range(2):
        server.publish("chat.lobby", {"message": "hello", "name": "Ada"})
    await room.page.locator(".message").nth(1).wait_for()
    assert await room.page.locator(".you").count() == 0
    ack = {"type": "ack", "id": 2, "epoch": "a", "offset": 2}
    server.sockets[-1].send(json.dumps(ack))
    await room.page.locator(".message:nth-child(2) .you").wait_for()
    assert await room.page.locator(".message[data-own]").count() == 1
    assert await room.page.locator(".message[data-follows]").count() == 0


async def test_a_reset_is_told_where_messages_are_missing(enter):
    """Live or after a reconnect: one line in the place of what is lost, and none after a loss that lost nothing."""
    server = FakeReplica()
    room = await enter(prepare=server.prepare)
    await room.is_line("open")
    server.publish("chat.lobby", {"message": "before"})
    await room.reads("before")
    await server.close(1012)
    await room.comes_back()
    assert server.joins[1]["since"] == {"epoch": "a", "offset": 1}
    assert await room.missing() == []
    server.offset = 2000
    server.joined = {"reset": "trimmed"}
    await server.close(1012)
    await room.page.get_by_text("Messages are missing here: more was written than the room keeps.").wait_for()
    server.offset = 3000
    server.reset("chat.lobby", "lost")
    server.publish("chat.lobby", {"message": "after"})
    await room.reads("after")
    assert len(await room.missing()) == 2
    assert await room.messages() == ["before", "after"]


async def test_a_refused_message_comes_back_with_the_servers_sentence(enter):
    """The server's words are shown beside the text."""
    server = FakeReplica()
    server.answers = {"code": "forbidden", "message": "You may not publish to this room."}
    room = await enter(prepare=server.prepare)
    await room.is_line("open")
    await room.say("please")
    await room.is_told("You may not publish to this room.")
    assert await room.typed() == "please"
    server.answers = "ack"
    await room.press("Enter")
    await room.reads("please")
    assert await room.page.inner_text("#composer-error") == ""


@pytest.mark.slow
async def test_a_message_waits_for_a_server_that_is_unavailable(enter):
    """The page says why it takes long, and stops saying so when the message has arrived, once."""
    server = FakeReplica()
    server.answers = {"code": "unavailable", "message": "Redis is away. Try again in a moment."}
    room = await enter(prepare=server.prepare)
    await room.is_line("open")
    await room.say("patience")
    await room.is_told("Redis is away. Try again in a moment.")
    await room.page.get_by_text("Sending: patience").wait_for()
    server.answers = "ack"
    await room.reads_own("patience")
    assert len(set(server.keys)) == 1
    assert await room.typed() == ""
    await room.page.wait_for_function("() => document.getElementById('composer-error').textContent === ''")


COUNTDOWN = r"""
globalThis.countdown = [];  // each number that has stood there, and whether there was a button: the second presses it
new MutationObserver(() => {
  const number = document.getElementById("countdown")?.textContent.match(/in (\d+) s/)?.[1];
  if (!number || number === countdown.at(-1)?.[0]) return;
  const retry = document.getElementById("retry");
  countdown.push([number, !retry.hidden]);
  if (countdown.length === 2) setTimeout(() => retry.click());
}).observe(document, { subtree: true, childList: true, characterData: true });
"""


@pytest.mark.slow
async def test_the_wait_is_counted_down_and_can_be_cut_short(enter):
    """After 'try again later' the page says when it will, and a button tries at once."""
    server = FakeReplica()

    async def without_chance(page):
        await server.prepare(page)
        await page.add_init_script("Math.random = () => 0.99")
        await page.add_init_script(COUNTDOWN)

    room = await enter(prepare=without_chance)
    await room.is_line("open")
    await server.close(1013)
    await room.page.get_by_text("Connection lost. Trying again").wait_for()
    assert await room.page.inner_text("#answered") == "last answered by"
    await room.page.wait_for_function("() => countdown.length === 2")
    await room.is_line("open")
    (first, *shown), (next_, *_) = await room.page.evaluate("countdown")  # a third would have come without the button
    assert (first, shown, next_ < first, len(server.sockets)) == ("4", [True], True, 2)


async def test_a_final_close_says_why(enter):
    """After 4400 the page stays away and shows the reason, until it is asked to come back."""
    server = FakeReplica()
    room = await enter(prepare=server.prepare)
    await room.is_line("open")
    await server.close(4400, "This is no JSON.")
    await room.is_line("closed")
    await room.page.get_by_text("The server closed the connection: This is no JSON.").wait_for()
    await room.page.get_by_role("button", name="Try now").click()
    await room.is_line("open")


async def at_the_end_of_40_lines(enter, server):
    """A room with more lines than its window shows, and its log."""
    room = await enter(prepare=server.prepare, viewport={"width": 700, "height": 500})
    await room.is_line("open")
    log = await room.page.query_selector("#log")
    for number in range(40):
        server.publish("chat.lobby", {"message": f"line {number}", "name": "Bob"})
    await room.reads("line 39")
    await room.page.wait_for_function(AT_END, arg=log)
    return room, log


async def test_the_view_follows_only_a_reader_who_is_at_the_end(enter):
    """Who reads further up stays there and is told how much is new; one click leads to the end."""
    server = FakeReplica()
    room, log = await at_the_end_of_40_lines(enter, server)
    await log.evaluate("(log) => { log.scrollTop = 100; }")
    await room.page.wait_for_function("(log) => log.scrollTop === 100", arg=log)
    await room.page.evaluate("() => new Promise(requestAnimationFrame)")
    for number in (40, 41):
        server.publish("chat.lobby", {"message": f"line {number}", "name": "Bob"})
    pill = room.page.get_by_role("button", name="2 new messages")
    await pill.wait_for()
    assert await log.evaluate("(log) => log.scrollTop") == 100
    await pill.click()
    await room.page.wait_for_function(AT_END, arg=log)
    await pill.wait_for(state="hidden")


async def test_who_goes_up_again_stays_there(enter):
    """Also when messages have come while one read further up, and one went back to the end oneself."""
    server = FakeReplica()
    room, log = await at_the_end_of_40_lines(enter, server)
    await scrolled(room, log, 100)
    server.publish("chat.lobby", {"message": "line 40", "name": "Bob"})
    pill = room.page.get_by_role("button", name="1 new message")
    await pill.wait_for()
    await scrolled(room, log, 100_000)
    await pill.wait_for(state="hidden")
    await scrolled(room, log, 100)
    assert await log.evaluate("(log) => log.scrollTop") == 100


async def scrolled(room, log, top):
    """Scroll, and wait until the page has noticed and drawn what it makes of it."""
    await log.evaluate("(log, top) => { log.scrollTop = top; }", top)
    await room.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def test_the_keyboard_is_enough(enter):
    """Tab goes through everything in reading order; focus is visible; Enter sends, Shift and Enter do not."""
    room = await enter("/chat/keys/", viewport={"width": 1280, "height": 800})
    await room.is_line("open")
    order, outlines = [], []
    for _ in range(9):
        await room.press("Tab")
        order.append(await room.page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        outlines.append(await room.page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
    assert order == ["Skip to the message field", "name", "Log in", "room", "Go", "log", "older", "message", "send"]
    assert set(outlines) == {"solid"}
    await room.press("Shift+Tab")
    await room.page.keyboard.type("two")
    await room.press("Shift+Enter")
    await room.page.keyboard.type("lines")
    await room.press("Enter")
    await room.reads("two\nlines")
    assert await room.page.evaluate("document.activeElement.id") == "message"
    await room.page.focus(".skip")
    await room.press("Enter")
    assert await room.page.evaluate("document.activeElement.id") == "message"


async def test_a_screen_reader_hears_the_room(enter):
    """Messages are a polite log, the state of the line a status, errors an alert; every control has a name."""
    room = await enter("/chat/tea/")
    await room.is_line("open")
    page = room.page
    await page.get_by_role("log", name="Messages").wait_for()
    await page.get_by_role("status").filter(has_text="Connected").wait_for()
    assert await page.get_by_role("alert").count() == 1
    for role, name in (
        ("textbox", "Message to #tea"),
        ("textbox", "Your name"),
        ("textbox", "Switch room"),
        ("button", "Send"),
        ("button", "Go"),
        ("heading", "tea"),
    ):
        await page.get_by_role(role, name=name).wait_for()


@pytest.mark.slow
async def test_a_name_is_kept_and_a_guest_gets_one(enter):
    """It survives a reload, goes out with the next message, and an empty one is replaced."""
    room = await enter("/chat/names/", name=None)
    await room.is_line("open")
    assert len((await room.page.input_value("#name")).split()) == 2
    await room.page.fill("#name", "Zoë")
    await room.page.press("#name", "Enter")
    await room.say("hello")
    await room.reads_own("hello", "Zoë")
    await room.type("a draft")
    await room.page.reload()
    assert await room.page.input_value("#name") == "Zoë"
    await room.page.wait_for_function("() => document.getElementById('message').value === 'a draft'")
    await room.page.fill("#name", "  ")
    await room.page.press("#name", "Enter")
    assert (await room.page.input_value("#name")).strip()


@pytest.mark.slow
async def test_switching_rooms_keeps_to_the_rule(enter):
    """A bad name is told in the form, a good one leads to its room, where nothing of this one is heard."""
    room = await enter("/chat/lobby/")
    page = room.page
    await page.fill("#room", "a b")
    await page.press("#room", "Enter")
    assert await page.evaluate("document.getElementById('room').validationMessage") == await page.inner_text(
        "#room-help"
    )
    assert await page.get_attribute("body", "data-room") == "lobby"
    await page.fill("#room", "tea-2.x_")
    await page.press("#room", "Enter")
    await page.wait_for_url("**/chat/tea-2.x_/")
    await room.is_line("open")
    lobby = await enter("/chat/lobby/")
    await lobby.is_line("open")
    await lobby.say("only in the lobby")
    await lobby.reads("only in the lobby")
    await room.say("only here")
    await room.reads("only here")
    assert await room.messages() == ["only here"]


@pytest.mark.parametrize("width", [320, 390, 820, 1280, 1920])
@pytest.mark.slow
async def test_it_fits_every_screen(enter, width):
    """Nothing overflows sideways, the field is in sight, and the panel is a click away at most."""
    room = await enter(f"/chat/{f'{width}-':w<64}/", viewport={"width": width, "height": 640})
    await room.is_line("open")
    page = room.page
    await room.say("x" * 300)
    await page.locator(".text").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert await page.locator("#log").evaluate("(log) => log.scrollWidth <= log.clientWidth")
    assert (await page.locator("#message").bounding_box())["width"] > width * 0.3
    box = await page.locator("#send").bounding_box()
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= 640
    toggle = page.get_by_role("button", name="Name and room")
    if await toggle.is_visible():
        await toggle.click()
    assert await page.locator("#name").is_visible()


async def test_it_keeps_still_for_who_wants_that(enter):
    """With reduced motion nothing is animated."""
    room = await enter(reduced_motion="reduce")
    await room.is_line("open")
    durations = await room.page.evaluate(
        "[...document.querySelectorAll('*')].map((e) => getComputedStyle(e).animationDuration)"
    )
    assert set(durations) == {"0s"}
