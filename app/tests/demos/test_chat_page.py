"""The chat's page in a real browser, on a real fleet; where the server has to misbehave, on a socket of the test."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
import pytest_asyncio

from .conftest import launched

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

TUTORIAL = Path(__file__).resolve().parents[1] / "data" / "tutorial" / "chat.html"
MESSAGE_MAX_BYTES = 64 * 1024
TRUST_LOCAL_PAGES = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"
"""Chromium takes a page that a test hands in for one of the internet, and keeps it away from this machine."""
TRIES_FOR_ANOTHER_REPLICA = 12
"""The balancer gives the next client another replica soon; so many pages in a row on one would be an error."""
BACK_SECONDS = 30
"""The replica that a test ended is there again for the next one, whatever its drain took."""

RECORD_STATES = """
addEventListener("DOMContentLoaded", () => {
  globalThis.lineStates = [document.body.dataset.line];
  new MutationObserver(() => lineStates.push(document.body.dataset.line))
    .observe(document.body, { attributeFilter: ["data-line"] });
});
"""


class Room:
    """A page of the chat with someone in front of it."""

    def __init__(self, page):
        self.page = page
        self.complaints = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    async def is_line(self, state):
        await self.page.wait_for_selector(f'body[data-line="{state}"]')

    async def replica(self):
        await self.is_line("open")
        return await self.page.inner_text("#replica")

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

    async def is_told(self, words):
        await self.page.locator("#composer-error").filter(has_text=words).wait_for()

    async def messages(self):
        return await self.page.locator(".text").all_text_contents()


@pytest_asyncio.fixture(loop_scope="module")
async def enter(browser, fleet):
    """Open a room as someone, each in a browser profile of their own."""
    contexts = []

    async def enter(path="/", name="Ada", in_browser=browser, prepare=None, **options):
        context = await in_browser.new_context(base_url=fleet.base_url, **options)
        contexts.append(context)
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
        self.published = []
        self.answers = "ack"

    async def prepare(self, page):
        await page.route_web_socket("**/ws/**", self.accept)

    def accept(self, socket):
        self.sockets.append(socket)
        socket.on_message(lambda text: self.answer(socket, json.loads(text)))

    def answer(self, socket, frame):
        if frame["type"] == "join":
            joined = {"type": "joined", "id": frame["id"], "group": frame["group"], "replica": self.replica}
            socket.send(json.dumps(joined))
        elif frame["type"] == "publish":
            self.published.append(frame["data"])
            if self.answers == "ack":
                socket.send(json.dumps({"type": "ack", "id": frame["id"]}))
                self.publish(frame["group"], frame["data"])
            elif self.answers:
                socket.send(json.dumps({"type": "error", "id": frame["id"], **self.answers}))

    def publish(self, group, data):
        self.sockets[-1].send(json.dumps({"type": "publication", "group": group, "data": data}))

    async def close(self, code, reason=""):
        await self.sockets[-1].close(code=code, reason=reason)


async def test_two_browsers_on_two_replicas_hear_each_other(enter):
    """Each page says which replica answered it; what one says arrives at the other, once, with its name."""
    async with launched() as second_browser:
        ada = await enter(name="Ada")
        for _ in range(TRIES_FOR_ANOTHER_REPLICA):
            bob = await enter(name="Bob", in_browser=second_browser)
            if await bob.replica() != await ada.replica():
                break
        else:
            pytest.fail(f"{TRIES_FOR_ANOTHER_REPLICA} pages in a row were answered by {await ada.replica()}")
        await ada.say("from Ada")
        await bob.say("from Bob")
        assert await bob.reads("from Ada") == "Ada"
        assert await ada.reads("from Bob") == "Bob"
        assert await ada.reads("from Ada") == "Ada you"
        for room in (ada, bob):
            assert sorted(await room.messages()) == ["from Ada", "from Bob"]
            assert room.complaints == []


@pytest.mark.parametrize("exit_signal", [signal.SIGKILL, signal.SIGTERM])
async def test_the_page_comes_back_when_its_replica_goes(enter, fleet, exit_signal):
    """Killed or drained: another one answers, the page says so, the text being typed is still there and arrives."""
    room = await enter("/chat/leaving/")
    lost = await room.replica()
    pid = fleet.pid(lost)
    await room.type("half a sentence")
    os.kill(pid, exit_signal)
    await room.page.locator(".note").wait_for()
    await room.is_line("open")
    states = await room.page.evaluate("lineStates")
    assert states.index("waiting") < len(states) - 1
    assert "not shown here" in await room.page.inner_text(".note")
    assert await room.typed() == "half a sentence"
    await room.press("Enter")
    await room.reads("half a sentence")
    async with asyncio.timeout(BACK_SECONDS):
        while fleet.pid(lost) == pid or not fleet.is_ready(lost):  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.1)


async def test_the_tutorials_page_works_unchanged(enter, fleet, browser):
    """The page as people typed it in, on the port it names, talks with itself and with our page."""
    origin = "http://localhost:8000"
    async with launched(f"--host-resolver-rules=MAP localhost:8000 127.0.0.1:{fleet.port}", TRUST_LOCAL_PAGES) as other:
        ours = await enter("/")
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


async def test_without_a_network_the_text_stays(enter):
    """Sending while offline is told, nothing is lost, and the page is back as soon as the network is."""
    room = await enter("/chat/offline/")
    await room.is_line("open")
    await room.page.context.set_offline(True)
    await room.page.get_by_text("You are offline").wait_for()
    await room.say("for later")
    await room.is_told("there is no connection")
    assert await room.typed() == "for later"
    await room.page.context.set_offline(False)
    await room.is_line("open")
    await room.page.press("#message", "Enter")
    await room.reads("for later")


async def test_text_is_never_markup(enter):
    """What looks like HTML is shown as it was typed, in messages and in names."""
    room = await enter("/chat/markup/", name="<b>Eve</b>")
    await room.is_line("open")
    text = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>"
    await room.say(text)
    assert await room.reads(text) == "<b>Eve</b> you"
    assert await room.page.locator("#messages img, #messages b, #messages script").count() == 0


async def test_a_message_nobody_confirmed_comes_back(enter):
    """The connection is lost in between: the texts return in order, before what was typed since."""
    server = FakeReplica()
    server.answers = None
    room = await enter(prepare=server.prepare)
    await room.is_line("open")
    await room.say("first")
    await room.say("second")
    await room.type("third")
    await room.page.get_by_text("Sending: first").wait_for()
    await server.close(1012)
    await room.is_told("before the server confirmed")
    assert await room.typed() == "first\nsecond\nthird"
    await room.is_line("open")
    assert [data["message"] for data in server.published] == ["first", "second"]
    assert await room.messages() == []


async def test_a_message_that_came_back_as_a_publication_has_arrived(enter):
    """Whatever became of its acknowledgement: it is not given back, or people would send it twice."""
    server = FakeReplica()
    server.answers = None
    room = await enter(prepare=server.prepare)
    await room.is_line("open")
    await room.say("only once")
    await room.page.wait_for_function("sessionStorage.getItem('chat.draft.lobby') === 'only once'")
    server.publish("chat.lobby", server.published[0])
    assert await room.reads("only once") == "Ada you"
    await server.close(1012)
    await room.page.locator(".note").wait_for()
    assert await room.typed() == ""
    assert await room.messages() == ["only once"]


async def test_a_refused_message_comes_back_with_the_servers_sentence(enter):
    """The server's words are shown beside the text."""
    server = FakeReplica()
    server.answers = {"code": "unavailable", "message": "Redis is away. Try again in a moment."}
    room = await enter(prepare=server.prepare)
    await room.is_line("open")
    await room.say("patience")
    await room.is_told("Redis is away. Try again in a moment.")
    assert await room.typed() == "patience"
    server.answers = "ack"
    await room.press("Enter")
    await room.reads("patience")
    assert await room.page.inner_text("#composer-error") == ""


async def test_the_wait_is_counted_down_and_can_be_cut_short(enter):
    """After 'try again later' the page says when it will, and a button tries at once."""
    server = FakeReplica()

    async def without_chance(page):
        await server.prepare(page)
        await page.add_init_script("Math.random = () => 0.99")

    room = await enter(prepare=without_chance)
    await room.is_line("open")
    await server.close(1013)
    await room.page.get_by_text("Connection lost. Trying again").wait_for()
    await room.page.locator("#countdown", has_text="in 4 s").wait_for()
    await room.page.locator("#countdown", has_text="in 3 s").wait_for()
    assert await room.page.inner_text("#answered") == "last answered by"
    await room.page.get_by_role("button", name="Try now").click()
    await room.is_line("open")
    assert len(server.sockets) == 2


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


async def test_the_view_follows_only_a_reader_who_is_at_the_end(enter):
    """Who reads further up stays there and is told how much is new; one click leads to the end."""
    server = FakeReplica()
    at_end = "(log) => log.scrollHeight - log.scrollTop - log.clientHeight < 40"
    room = await enter(prepare=server.prepare, viewport={"width": 700, "height": 500})
    await room.is_line("open")
    log = await room.page.query_selector("#log")
    for number in range(40):
        server.publish("chat.lobby", {"message": f"line {number}", "name": "Bob"})
    await room.reads("line 39")
    await room.page.wait_for_function(at_end, arg=log)
    await log.evaluate("(log) => { log.scrollTop = 100; }")
    await room.page.wait_for_function("(log) => log.scrollTop === 100", arg=log)
    await room.page.evaluate("() => new Promise(requestAnimationFrame)")
    for number in (40, 41):
        server.publish("chat.lobby", {"message": f"line {number}", "name": "Bob"})
    pill = room.page.get_by_role("button", name="2 new messages")
    await pill.wait_for()
    assert await log.evaluate("(log) => log.scrollTop") == 100
    await pill.click()
    await room.page.wait_for_function(at_end, arg=log)
    await pill.wait_for(state="hidden")


async def test_the_keyboard_is_enough(enter):
    """Tab goes through everything in reading order; focus is visible; Enter sends, Shift and Enter do not."""
    room = await enter("/chat/keys/", viewport={"width": 1280, "height": 800})
    await room.is_line("open")
    order, outlines = [], []
    for _ in range(7):
        await room.press("Tab")
        order.append(await room.page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        outlines.append(await room.page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
    assert order == ["Skip to the message field", "name", "room", "Go", "log", "message", "send"]
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


async def test_a_name_is_kept_and_a_guest_gets_one(enter):
    """It survives a reload, goes out with the next message, and an empty one is replaced."""
    room = await enter("/chat/names/", name=None)
    await room.is_line("open")
    assert len((await room.page.input_value("#name")).split()) == 2
    await room.page.fill("#name", "Zoë")
    await room.page.press("#name", "Enter")
    await room.say("hello")
    assert await room.reads("hello") == "Zoë you"
    await room.type("a draft")
    await room.page.reload()
    assert await room.page.input_value("#name") == "Zoë"
    await room.page.wait_for_function("document.getElementById('message').value === 'a draft'")
    await room.page.fill("#name", "  ")
    await room.page.press("#name", "Enter")
    assert (await room.page.input_value("#name")).strip()


async def test_switching_rooms_keeps_to_the_rule(enter):
    """A bad name is told in the form, a good one leads to its room, where nothing of this one is heard."""
    room = await enter("/")
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
    lobby = await enter("/")
    await lobby.is_line("open")
    await lobby.say("only in the lobby")
    await lobby.reads("only in the lobby")
    await room.say("only here")
    await room.reads("only here")
    assert await room.messages() == ["only here"]


@pytest.mark.parametrize("width", [320, 390, 820, 1280, 1920])
async def test_it_fits_every_screen(enter, width):
    """Nothing overflows sideways, the field is in sight, and the panel is a click away at most."""
    room = await enter(f"/chat/{'w' * 64}/", viewport={"width": width, "height": 640})
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
