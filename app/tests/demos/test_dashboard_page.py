"""The boards in a real browser, on a real fleet."""

import asyncio
import json
import os
import signal

import pytest
import pytest_asyncio

from fanout.client import connect

from .visitors import is_back, on_another_replica, stopped

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

TITLES = ["Connections", "Deliveries", "Publications", "Event loop lag", "CPU", "Memory"]
INK = """(number) => {
  const canvas = document.querySelectorAll(".chart canvas")[number];
  const colour = (n) => getComputedStyle(canvas).getPropertyValue(`--series-${n}`).trim();
  const inks = [0, 1, 2].map((n) => colour(n).match(/[0-9a-f]{2}/g).map((h) => parseInt(h, 16)));
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const is = (ink, i) => data[i + 3] > 100 && ink.every((value, part) => Math.abs(data[i + part] - value) < 12);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) if (inks.some((ink) => is(ink, i))) found += 1;
  return found;
}"""
"""Pixels of a chart that have the colour of one of the first three lines: they may cover each other."""


@pytest_asyncio.fixture(loop_scope="module")
async def publisher(fleet):
    """A program that publishes numbers, as anyone's may."""
    async with connect(f"{fleet.ws_url}/ws/") as client:
        yield client


async def has_lines(visitor, names):
    """Wait until the legend has just these, none of them gone: a replica may be silent for a moment."""
    legend = "[...document.querySelectorAll('#legend li')].map((each) => each.textContent)"
    await visitor.page.wait_for_function(f"(names) => String({legend}) === String(names)", arg=names)


async def test_the_fleets_board_has_a_line_for_each_replica(visit, fleet):
    """Six charts with a figure each, a legend that knows who answers, lines on the canvas, and the same as a table."""
    visitor = await visit("/dashboard/")
    mine = await visitor.replica()
    await visitor.page.locator(".chart").nth(5).wait_for()
    titles = await visitor.page.locator("figcaption").all_text_contents()
    assert all(any(title.startswith(wanted) for title in titles) for wanted in TITLES)
    await has_lines(visitor, fleet.names)
    assert await visitor.page.locator("#legend [data-mine]").text_content() == mine
    # The last chart is the memory's.
    await visitor.page.wait_for_function(f"(number) => ({INK})(number) > 20", arg=5)
    table = visitor.page.get_by_role("table", name="The newest numbers")
    for name in fleet.names:
        await table.get_by_role("row").filter(has_text=name).wait_for()
    assert visitor.complaints == []


async def test_two_pages_go_on_when_a_replica_is_killed(visit, fleet):
    """They are on two replicas: one of them loses its own, and both have all lines again soon."""
    ada = await visit("/dashboard/")
    bob = await on_another_replica(visit, "/dashboard/", ada)
    lost = await ada.replica()
    for visitor in (ada, bob):
        await visitor.page.locator("#legend li").nth(2).wait_for()
    pid = fleet.pid(lost)
    os.kill(pid, signal.SIGKILL)
    await ada.comes_back()
    await is_back(fleet, lost, pid)
    for visitor in (ada, bob):
        await has_lines(visitor, fleet.names)


async def test_a_replica_that_falls_silent_is_gone_from_the_board(visit, fleet):
    """Its line ends and the legend says so, until it speaks again."""
    visitor = await visit("/dashboard/")
    mine = await visitor.replica()
    await visitor.page.locator("#legend li").nth(2).wait_for()
    other = next(name for name in fleet.names if name != mine)
    with stopped(fleet.pid(other)):
        await visitor.says("#legend [data-silent]", f"{other} (gone)")
    await visitor.page.wait_for_selector("#legend [data-silent]", state="detached")


async def test_numbers_of_anyones_program_get_charts(visit, publisher):
    """A board begins empty and says so; each name gets a chart, whatever else is sent is left out."""
    visitor = await visit("/dashboard/office-1/")
    await visitor.says("#notice", "Nothing has been published here yet")
    await publisher.publish("dashboard.office-1", {"temperature": 21.5, "people": 3})
    await visitor.says("figcaption", "temperature")
    await visitor.says("figcaption", "people")
    await visitor.says("output", "21.5")
    await visitor.is_silent("#notice")
    await publisher.publish("dashboard.office-1", {"<b>people</b>": 4})
    await visitor.says("figcaption", "<b>people</b>")
    assert await visitor.page.locator("figcaption b").count() == 0
    assert visitor.complaints == []


async def test_a_crosshair_reads_the_values(visit, publisher):
    """Where the pointer is, the numbers of that moment stand."""
    visitor = await visit("/dashboard/office-2/")
    await visitor.is_line("open")
    for value in (1, 2):
        await publisher.publish("dashboard.office-2", {"temperature": value})
    await visitor.says("figcaption", "temperature")
    box = await visitor.page.locator(".chart canvas").bounding_box()
    await visitor.page.mouse.move(box["x"] + box["width"] - 12, box["y"] + 40)
    await visitor.says(".readings", "s ago: ")


async def test_nothing_is_asked_for_while_nobody_looks(visit, publisher):
    """In the background the page leaves its group; back in sight it has the newest numbers at once."""
    frames = []

    def keep(text):
        frames.append(json.loads(text))

    async def prepare(visitor):
        visitor.page.on("websocket", lambda socket: socket.on("framesent", keep))

    visitor = await visit("/dashboard/office-3/", prepare)
    await visitor.is_line("open")
    assert [frame["type"] for frame in frames] == ["join"]
    await visitor.hide(hidden=True)
    await publisher.publish("dashboard.office-3", {"temperature": 5})
    assert [frame["type"] for frame in frames] == ["join", "leave"]
    await visitor.hide(hidden=False)
    async with asyncio.timeout(30):
        while not await visitor.page.locator("output").filter(has_text="7").count():
            # Latest value: what is published before the page is in again does not arrive.
            await publisher.publish("dashboard.office-3", {"temperature": 7})
    assert [frame["type"] for frame in frames] == ["join", "leave", "join"]


async def test_a_board_with_a_bad_name_is_told_in_the_form(visit):
    """The rule, before anything is sent; a good name leads there."""
    visitor = await visit("/dashboard/")
    page = visitor.page
    await page.fill("#board", "a b")
    await page.press("#board", "Enter")
    rule = await page.inner_text("#board-help")
    assert await page.evaluate("document.getElementById('board').validationMessage") == rule
    await page.fill("#board", "office-4")
    await page.press("#board", "Enter")
    await page.wait_for_url("**/dashboard/office-4/")
