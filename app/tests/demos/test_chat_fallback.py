"""The chat's page on networks that let no WebSocket through, in a real browser before a real fleet."""

import asyncio
import os
import signal

import pytest
import pytest_asyncio

from .meddling import Proxy
from .test_chat_page import Room, enter, is_back, on_another_replica  # noqa: F401 - a fixture among them

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

LINES = [f"line {number}" for number in range(40)]


@pytest_asyncio.fixture(loop_scope="module")
async def proxy(fleet):
    """A proxy before the fleet."""
    async with Proxy(fleet.port) as made:
        yield made


async def talk(rooms, lines):
    """Have the rooms say the lines in turn."""
    for number, line in enumerate(lines):
        await rooms[number % len(rooms)].say(line)
        await rooms[number % len(rooms)].reads(line)


async def heard(rooms, lines):
    """Each has every line once, and no gap; nobody's order is another's."""
    for room in rooms:
        await room.reads(lines[-1])
        assert sorted(await room.messages()) == sorted(lines)
        assert await room.missing() == []
    assert await rooms[0].messages() == await rooms[1].messages()


async def until(holds, seconds=30):
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - the proxy has no event for it
            await asyncio.sleep(0.02)


async def test_a_blocked_websocket_gives_way_to_a_stream_and_comes_back(enter, proxy):  # noqa: F811 - the fixture
    """The page works by an event stream; when the network lets WebSockets through it takes one, and misses nothing."""
    proxy.blocks = True
    ada = await enter(f"{proxy.url}/chat/blocked/")
    bob = await enter("/chat/blocked/", name="Bob")
    await ada.is_line("open")
    assert "/events" in proxy.paths
    await talk((ada, bob), LINES[:10])
    proxy.blocks = False
    await ada.page.evaluate("dispatchEvent(new Event('online'))")
    await until(lambda: proxy.upgrades)
    posts = proxy.paths.count("/groups/chat.blocked/publications")
    assert posts == 5
    await talk((bob, ada), LINES[10:20])
    await heard((ada, bob), LINES[:20])
    # A line that is said while the socket opens may still go the old way; the other four may not.
    assert proxy.paths.count("/groups/chat.blocked/publications") <= posts + 1
    assert "waiting" not in (await ada.page.evaluate("lineStates"))[-3:]


async def test_a_stream_that_is_held_up_gives_way_to_polls(enter, proxy):  # noqa: F811 - the fixture
    """Neither WebSocket nor stream: the page works by long polls, and by a WebSocket again when one gets through."""
    proxy.blocks = proxy.holds = True
    ada = await enter(f"{proxy.url}/chat/held/")
    bob = await enter("/chat/held/", name="Bob")
    await ada.is_line("open")
    assert "/poll" in proxy.paths
    await talk((ada, bob), LINES[:10])
    await heard((ada, bob), LINES[:10])
    proxy.blocks = False
    await ada.page.evaluate("dispatchEvent(new Event('pageshow'))")
    await until(lambda: proxy.upgrades)
    await talk((bob, ada), LINES[10:20])
    await heard((ada, bob), LINES[:20])


@pytest.mark.parametrize("transport", ["sse", "poll"])
async def test_nothing_is_missing_after_a_kill_while_another_talks(enter, fleet, transport):  # noqa: F811
    """The page without a WebSocket goes on behind its position on another replica, and its own lines arrive once."""
    ada = await enter(f"/chat/killed-{transport}/?transport={transport}")
    bob = await on_another_replica(enter, f"/chat/killed-{transport}/", ada, name="Bob")
    lost = await ada.replica()
    pid = fleet.pid(lost)
    for number, line in enumerate(LINES):
        await (ada, bob)[number % 2].say(line)
        if number == 10:
            os.kill(pid, signal.SIGKILL)
    for room in (ada, bob):
        for line in LINES[-2:]:
            await room.reads(line)
        await room.page.wait_for_function(f"() => document.querySelectorAll('.text').length >= {len(LINES)}")
    await heard((ada, bob), LINES)
    for first in (0, 1):  # each one's own are in order
        own = [line for line in await ada.messages() if line in LINES[first::2]]
        assert own == LINES[first::2]
    await is_back(fleet, lost, pid)


async def test_streams_that_are_cut_again_and_again_lose_nothing(enter, proxy):  # noqa: F811 - the fixture
    """A network that cuts every connection now and then."""
    proxy.blocks = True
    ada = await enter(f"{proxy.url}/chat/cut/?transport=sse")
    bob = await enter("/chat/cut/", name="Bob")
    for room in (ada, bob):
        await room.is_line("open")
    for number, line in enumerate(LINES):
        await bob.say(line)
        if number % 10 == 5:
            await ada.reads(LINES[number - 5])
            proxy.cut()
    await ada.reads(LINES[-1])
    assert await ada.messages() == LINES
    assert await ada.missing() == []


async def test_a_message_that_the_server_refuses_comes_back(enter, proxy):  # noqa: F811 - the fixture
    """The sentence of the answer is the one that a WebSocket brings."""
    ada = await enter("/chat/refused/?transport=poll")
    await ada.is_line("open")
    await ada.page.evaluate("document.querySelector('#name').value = 'x'.repeat(65)")
    await ada.say("hello")
    await ada.is_told("The name must be a string of at most 64 characters.")
    assert await ada.typed() == "hello"


FOLLOW = """
group => {
  globalThis.told = [];
  const source = new EventSource(`/events/${group}`);
  source.onmessage = ({ data }) => told.push(JSON.parse(data).data.message);
  return new Promise((resolve) => source.addEventListener("joined", ({ data }) => resolve(JSON.parse(data).replica)));
}
"""


async def test_a_browsers_own_event_source_resumes_by_itself(enter, fleet):  # noqa: F811 - the fixture
    """A page with nothing but `new EventSource` misses nothing when its replica is killed, or drained."""
    room = await enter("/chat/plain-source/")
    await room.is_line("open")
    for exit_signal in (signal.SIGKILL, signal.SIGTERM):
        await room.page.reload()
        await room.is_line("open")
        lost = await room.page.evaluate(FOLLOW, "chat.plain-source")
        pid = fleet.pid(lost)
        for number, line in enumerate(LINES):
            await room.say(line)
            if number == 10:
                os.kill(pid, exit_signal)
        await room.page.wait_for_function(f"() => told.at(-1) === '{LINES[-1]}'")
        assert await room.page.evaluate("told") == LINES
        await is_back(fleet, lost, pid)
