"""What people see of Redis' absence and of a fleet that is gone, in a real browser on a fleet of its own."""

import pytest
import pytest_asyncio

from .visitors import stopped, visits

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser, own_fleet):
    """Open a page of the fleet that may be broken."""
    async with visits(browser, own_fleet.base_url) as visit:
        yield visit


async def test_redis_away_is_told_on_each_page_and_over_when_it_is_back(visit, own_fleet):
    """Front page and board say that the replicas are silent, the arena that steps reach nobody; the line stays open."""
    home, board, game = [await visit(path) for path in ("/", "/dashboard/", "/game/")]
    await home.page.locator("#picture .replica").nth(2).wait_for()
    await board.page.locator("#legend li").nth(2).wait_for()
    await game.page.click("#play")
    await game.page.wait_for_selector('body[data-playing="true"]')
    with stopped(own_fleet.pid("redis")):
        for visitor in (home, board):
            await visitor.says("#notice", "Redis may be away")
        await game.says("#problem", "can't reach Redis: your steps reach nobody")
        late = await visit("/dashboard/late/")
        await late.says("#state", "Redis")
    for visitor in (home, board):
        await visitor.is_silent("#notice")
    await late.says("#state", "Connected")
    await game.is_silent("#problem")
    for visitor in (home, board, game):
        assert await visitor.page.evaluate("lineStates.includes('waiting')") is False


async def test_a_fleet_that_is_gone_is_told_and_its_return_is_noticed(visit, own_fleet):
    """Each page says that the connection is lost and counts down; when it is up again all go on by themselves."""
    pages = {path: await visit(path) for path in ("/", "/dashboard/", "/game/")}
    for visitor in pages.values():
        await visitor.is_line("open")
    await pages["/dashboard/"].page.locator("#legend li").nth(2).wait_for()
    own_fleet.make("down")
    for visitor in pages.values():
        await visitor.says("#state", "Connection lost. Trying again")
    await pages["/dashboard/"].says("#notice", "stand still until the connection is back")
    await pages["/game/"].page.click("#play")
    await pages["/game/"].says("#problem", "No replica answers at the moment")
    own_fleet.make("up", REPLICAS=3, PORT=own_fleet.port)
    for visitor in pages.values():
        if await visitor.page.locator("#retry").is_visible():
            await visitor.page.click("#retry")
        await visitor.says("#state", "Connected")
    await pages["/dashboard/"].is_silent("#notice")
