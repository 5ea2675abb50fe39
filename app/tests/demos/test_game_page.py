"""The game in a real browser, on a real fleet."""

import asyncio
import math
import os
import signal
import time

import pytest

from demos.game.arena import GRACE, HEIGHT, SPEED, STALL, WIDTH
from demos.game.rounds import SECONDS, round_at
from fanout.client import Publication, connect

from .visitors import is_back, on_another_replica

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SEES = """([x, y, id, width, height]) => {
  const canvas = document.getElementById("arena");
  let hash = 0;
  for (const character of id) hash = (hash * 31 + character.charCodeAt(0)) % 65521;
  const colour = getComputedStyle(canvas).getPropertyValue(`--series-${hash % 6}`).trim();
  const wanted = colour.match(/[0-9a-f]{2}/g).map((h) => parseInt(h, 16));
  const at = [Math.round((x / width) * canvas.width), Math.round((y / height) * canvas.height)];
  const { data } = canvas.getContext("2d").getImageData(...at, 1, 1);
  return wanted.every((value, part) => Math.abs(data[part] - value) < 8);
}"""


async def play(visitor, name):
    """Begin to play."""
    await visitor.page.fill("#name", name)
    await visitor.page.press("#name", "Enter")
    await visitor.page.wait_for_selector('body[data-playing="true"]')


async def sees(visitor, player):
    """Wait until the page draws a player where it stands: its middle has its colour."""
    await visitor.page.wait_for_function(SEES, arg=[player["x"], player["y"], player["id"], WIDTH, HEIGHT])


async def counts(visitor, players):
    """Wait until the page counts so many players."""
    await visitor.page.wait_for_function(
        "(n) => document.getElementById('players').textContent === n", arg=str(players)
    )


class Eyes:
    """What Python hears of an arena."""

    def __init__(self, fleet, arena):
        self._client = connect(f"{fleet.ws_url}/ws/", [f"game.{arena}"])

    async def __aenter__(self):
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error):
        await self._client.__aexit__(*error)

    async def until(self, holds):
        """Return the first step for which something holds."""
        async with asyncio.timeout(30):
            async for event in self._client:
                if isinstance(event, Publication) and holds(event.data):
                    return event.data
        return pytest.fail("the client was closed")


async def walk_to(visitor, x, y):
    """Press into the arena there, and hold."""
    box = await visitor.page.locator("#arena").bounding_box()
    await visitor.page.mouse.move(box["x"] + x / WIDTH * box["width"], box["y"] + y / HEIGHT * box["height"])
    await visitor.page.mouse.down()


async def test_two_players_on_two_replicas_see_each_other(visit, fleet):
    """Each is drawn on the other's page where it walks, by keys and by pointer, and counted."""
    ada = await visit("/game/two/")
    bob = await on_another_replica(visit, "/game/two/", ada)
    await play(ada, "Ada")
    await counts(bob, 1)
    await play(bob, "Bob")
    await counts(ada, 2)
    async with Eyes(fleet, "two") as eyes:
        begin = await eyes.until(lambda step: step.get("name") == "Ada")
        key = "ArrowLeft" if begin["x"] > WIDTH / 2 else "KeyD"
        await ada.page.keyboard.down(key)
        walked = await eyes.until(lambda step: step["id"] == begin["id"] and abs(step["x"] - begin["x"]) > 100)
        await ada.page.keyboard.up(key)
        assert walked["y"] == begin["y"]
        goal = (600, 150 if begin["y"] > HEIGHT / 2 else 600)  # not where Ada is, who would be drawn over him
        await walk_to(bob, *goal)
        bobs = await eyes.until(lambda step: step["name"] == "Bob" and (step["x"], step["y"]) == goal)
        standing = await stands(eyes, begin["id"])
    await sees(bob, standing)
    await sees(ada, bobs)
    assert ada.complaints == bob.complaints == []


async def test_a_finger_that_holds_walks(visit, fleet):
    """On a phone the player goes where the finger is, and the page does not scroll away below it."""
    phone = await visit("/game/touch/", viewport={"width": 390, "height": 500}, has_touch=True, is_mobile=True)
    await play(phone, "Ada")
    async with Eyes(fleet, "touch") as eyes:
        begin = await eyes.until(lambda step: step["name"] == "Ada")
        await phone.page.evaluate("document.getElementById('arena').scrollIntoView({ block: 'center' })")
        scrolled = await phone.page.evaluate("scrollY")
        box = await phone.page.locator("#arena").bounding_box()
        goal = box["x"] + box["width"] * (0.1 if begin["x"] > WIDTH / 2 else 0.9)
        fingers = await phone.page.context.new_cdp_session(phone.page)
        for kind, down in (("touchStart", 0.5), ("touchMove", 0.3)):
            points = [{"x": goal, "y": box["y"] + box["height"] * down}]
            await fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        await eyes.until(lambda step: abs(step["x"] - begin["x"]) > 100)
        await fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        await stands(eyes, begin["id"])
    assert await phone.page.evaluate("scrollY") == scrolled


async def stands(eyes, player):
    """Return a player's place once it has said the same one twice."""
    last = await eyes.until(lambda step: step["id"] == player)
    while (step := await eyes.until(lambda step: step["id"] == player)) != last:
        last = step
    return last


def a_gem(arena):
    """A gem that is there now and for long enough, or None near the end of a round."""
    now = time.time()
    current = round_at(arena, now)
    left = current.begins + SECONDS - now
    return current.gems[0] if left > 25 else None


async def take_a_gem(visitor, arena):
    """Walk over a gem; return when the page counts it."""
    async with asyncio.timeout(90):
        while (gem := a_gem(arena)) is None:  # noqa: ASYNC110 - the round's clock has no event
            await asyncio.sleep(0.2)
        await walk_to(visitor, gem.x, gem.y)
        await visitor.page.wait_for_function(
            "() => Number(document.querySelector('#scores .own b')?.textContent ?? 0) > 0", timeout=30_000
        )
    await visitor.page.mouse.up()


async def test_the_score_outlives_the_replica_that_counted_it(visit, fleet):
    """A gem counts on every page; its player's replica is killed, and the player goes on with what it has."""
    ada = await visit("/game/score/")
    bob = await on_another_replica(visit, "/game/score/", ada)
    await play(ada, "Ada")
    await take_a_gem(ada, "score")
    await bob.says("#scores li", "Ada")
    lost = await ada.replica()
    pid = fleet.pid(lost)
    os.kill(pid, signal.SIGKILL)
    await ada.comes_back()
    await counts(bob, 1)
    late = await visit("/game/score/")
    await late.page.wait_for_function(
        "() => [...document.querySelectorAll('#scores li, #last')].some((each) => each.textContent.includes('Ada'))"
    )
    async with Eyes(fleet, "score") as eyes:
        begin = await eyes.until(lambda step: step["name"] == "Ada")
        await walk_to(ada, 9 if begin["x"] > WIDTH / 2 else WIDTH - 9, begin["y"])
        await eyes.until(lambda step: step["id"] == begin["id"] and abs(step["x"] - begin["x"]) > 30)
    assert await ada.page.text_content("#problem") == ""
    await is_back(fleet, lost, pid)


async def test_who_leaves_vanishes(visit, fleet):
    """By a word when it stops or closes its page, by its silence when the browser dies."""
    watcher = await visit("/game/leave/")
    ada = await visit("/game/leave/")
    for leave in (lambda: ada.page.click("#play"), ada.page.context.close):
        await play(ada, "Ada")
        await counts(watcher, 1)
        await leave()
        await counts(watcher, 0)
    async with connect(f"{fleet.ws_url}/ws/") as client:
        ticket = await ticket_of(watcher)
        # One step is forgotten after two seconds: whoever begins to look then sees nobody.
        async with asyncio.TaskGroup() as looking:
            looking.create_task(counts(watcher, 1))
            await asyncio.sleep(0)
            await client.publish("game.leave", {"ticket": ticket, "name": "Mute", "x": 5, "y": 5})
        await counts(watcher, 0)


async def ticket_of(visitor):
    """A new player's ticket."""
    return (await visitor.page.evaluate("fetch('/game/ticket').then((answer) => answer.json())"))["ticket"]


async def test_a_page_that_cheats_is_told_and_put_back(visit, fleet):
    """Steps too far are refused with the reason on the page; others see it walk no faster than anybody can."""

    async def hurry(visitor):
        await visitor.page.add_init_script(
            "new MutationObserver(() => document.body && (document.body.dataset.speed = 3600))"
            ".observe(document, { childList: true, subtree: true })"
        )

    eve = await visit("/game/cheat/", hurry)
    await play(eve, "Eve")
    async with Eyes(fleet, "cheat") as eyes:
        first = await eyes.until(lambda step: step["name"] == "Eve")
        begun = time.monotonic()
        await walk_to(eve, 9 if first["x"] > WIDTH / 2 else WIDTH - 9, 9 if first["y"] > HEIGHT / 2 else HEIGHT - 9)
        await eve.says("#problem", "Too fast")
        await eyes.until(lambda step: walked(first, step) > WIDTH / 2)
        last = await eyes.until(lambda step: step["id"] == first["id"])
        assert walked(first, last) <= SPEED * (STALL + GRACE * (time.monotonic() - begun + 1))


def walked(one, other):
    """Units between two steps."""
    return math.hypot(one["x"] - other["x"], one["y"] - other["y"])


async def test_a_name_is_kept_and_a_guest_gets_one(visit):
    """It survives a reload, and an empty one is replaced."""
    visitor = await visit("/game/names/")
    assert len((await visitor.page.input_value("#name")).split()) == 2
    await play(visitor, "Zoë")
    await visitor.page.reload()
    await visitor.is_line("open")
    assert await visitor.page.input_value("#name") == "Zoë"
    await play(visitor, "   ")
    assert (await visitor.page.input_value("#name")).strip()


async def test_no_ticket_no_play(visit):
    """When no replica answers, a sentence says so and the button may be pressed again."""
    visitor = await visit("/game/ticketless/")
    await visitor.is_line("open")
    await visitor.page.route("**/game/ticket", lambda route: route.abort())
    await visitor.page.click("#play")
    await visitor.says("#problem", "No replica answers at the moment")
    await visitor.page.unroute("**/game/ticket")
    await visitor.page.click("#play")
    await visitor.page.wait_for_selector('body[data-playing="true"]')
    assert await visitor.page.text_content("#problem") == ""
