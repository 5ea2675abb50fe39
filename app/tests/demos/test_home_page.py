"""The front page's picture in a real browser, on a real fleet."""

import os
import signal

import pytest

from .visitors import is_back, stopped

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]


async def names(visitor):
    return await visitor.page.locator("#picture .replica .name").all_text_contents()


async def test_the_picture_shows_the_fleet_as_it_is(visit, fleet):
    """Every replica with its counts, the one that answers marked; one that falls silent is gone, then back."""
    visitor = await visit("/")
    mine = await visitor.replica()
    await visitor.page.locator("#picture .replica").nth(2).wait_for()
    assert await names(visitor) == fleet.names
    assert await visitor.page.locator("#picture .replica.mine .name").text_content() == mine
    await visitor.says("#picture-words", f"{mine} answers you. 3 replicas")
    await visitor.says("#picture .replica.mine .fact", "connection")
    await visitor.says("#picture .replica.mine .fact", "deliveries/s")
    other = next(name for name in fleet.names if name != mine)
    with stopped(fleet.pid(other)):
        await visitor.says("#picture .replica.gone .name", other)
    await visitor.page.wait_for_selector("#picture .replica.gone", state="detached")
    assert await names(visitor) == fleet.names
    assert visitor.complaints == []


async def test_the_picture_follows_when_the_page_changes_replicas(visit, fleet):
    """Its own one is killed: the picture marks the one that answers now."""
    visitor = await visit("/")
    lost = await visitor.replica()
    await visitor.says("#picture .replica.mine .name", lost)
    pid = fleet.pid(lost)
    os.kill(pid, signal.SIGKILL)
    await visitor.comes_back()
    await visitor.says("#picture .replica.mine .name", await visitor.replica())
    await is_back(fleet, lost, pid)


async def test_the_ways_lead_to_the_demos(visit):
    """Each card is a link that a click follows."""
    for name, path in (("Chat", "/chat/lobby/"), ("Game", "/game/"), ("Dashboard", "/dashboard/")):
        visitor = await visit("/")
        await visitor.page.get_by_role("navigation", name="Try it").get_by_role("link", name=name).click()
        await visitor.page.wait_for_url(f"**{path}")
        await visitor.is_line("open")
