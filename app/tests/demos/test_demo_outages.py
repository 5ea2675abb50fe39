"""What people see of Redis' absence and of a fleet that is gone, in a real browser on a fleet of its own."""

import pytest
import pytest_asyncio

from .visitors import boss, logged_in, stopped, visits

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser, own_fleet):
    """Open a page of the fleet that may be broken."""
    async with visits(browser, own_fleet.base_url) as visit:
        yield visit


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def staff(browser, own_fleet):
    """What a browser keeps of a log-in of staff."""
    name = boss(own_fleet)
    async with visits(browser, own_fleet.base_url) as visit:
        return await logged_in(visit, name)


async def say(chat, text):
    await chat.page.fill("#message", text)
    await chat.page.press("#message", "Enter")


async def keeps_what_was_said(chat, text, typed):
    """The message is there, once, and what was typed behind it still in the field."""
    await chat.says(".text", text)
    await chat.is_silent("#composer-error")
    assert await chat.page.locator(".text").all_text_contents() == [text]
    assert await chat.page.input_value("#message") == typed


async def test_redis_away_is_told_on_each_page_and_over_when_it_is_back(visit, own_fleet, staff):
    """Pages that only show say that the replicas are silent, others that nothing gets out; all keep what they have."""
    home, board, game, chat = [await visit(path) for path in ("/", "/dashboard/", "/game/", "/chat/away/")]
    operations = await visit("/ops/", storage_state=staff)
    await home.page.locator("#picture .replica").nth(2).wait_for()
    await board.page.locator("#legend li").nth(2).wait_for()
    await operations.page.locator('#replicas [data-kind="good"]').nth(2).wait_for()
    await game.page.click("#play")
    await game.page.wait_for_selector('body[data-playing="true"]')
    with stopped(own_fleet.pid("redis")):
        await say(chat, "said while Redis was away")
        await chat.page.fill("#message", "and typed")
        for visitor in (home, board, operations):
            await visitor.says("#notice", "Redis may be away")
        await game.says("#problem", "can't reach Redis: your steps reach nobody")
        await chat.says("#composer-error", "Redis")
        late = await visit("/dashboard/late/")
        await late.says("#state", "Redis")
    for visitor in (home, board, operations):
        await visitor.is_silent("#notice")
    await late.says("#state", "Connected")
    await game.is_silent("#problem")
    await keeps_what_was_said(chat, "said while Redis was away", "and typed")
    await operations.says('#events [data-kind="bad"]', "is without Redis")
    await operations.says('#events [data-kind="good"]', "has Redis again, after")
    for visitor in (home, board, operations, game, chat):
        assert await visitor.page.evaluate("lineStates.includes('waiting')") is False


async def test_a_fleet_that_is_gone_is_told_and_its_return_is_noticed(visit, own_fleet, staff):
    """Each page says that the connection is lost and counts down; when it is up again all go on by themselves."""
    pages = {path: await visit(path) for path in ("/", "/dashboard/", "/game/", "/chat/gone/")}
    pages["/ops/"] = await visit("/ops/", storage_state=staff)
    for visitor in pages.values():
        await visitor.is_line("open")
    await pages["/dashboard/"].page.locator("#legend li").nth(2).wait_for()
    await pages["/ops/"].page.locator('#replicas [data-kind="good"]').nth(2).wait_for()
    own_fleet.make("down")
    for visitor in pages.values():
        await visitor.says("#state", "Connection lost. Trying again")
    await pages["/dashboard/"].says("#notice", "stand still until the connection is back")
    await pages["/ops/"].says("#notice", "stand still until the connection is back")
    await pages["/game/"].page.click("#play")
    await pages["/game/"].says("#problem", "No replica answers at the moment")
    chat = pages["/chat/gone/"]
    await say(chat, "said while all was gone")
    await chat.page.fill("#message", "and typed")
    own_fleet.make("up", REPLICAS=3, PORT=own_fleet.port)
    for visitor in pages.values():
        await visitor.tries_now()
        await visitor.says("#state", "Connected")
    await pages["/dashboard/"].is_silent("#notice")
    await pages["/ops/"].is_silent("#notice")
    await keeps_what_was_said(chat, "said while all was gone", "and typed")


async def test_staff_that_logs_out_elsewhere_is_told_to_log_in(visit, staff):
    """Offline is no such thing: then the page comes back by itself. Without a session it says what to do."""
    operations = await visit("/ops/", storage_state=staff)
    await operations.says("#state", "Connected")
    await operations.page.context.set_offline(True)
    await operations.says("#state", "You are offline")
    await operations.page.context.set_offline(False)
    await operations.says("#state", "Connected")
    elsewhere = await operations.page.context.new_page()
    await elsewhere.goto("/")
    await elsewhere.get_by_role("button", name="Log out").click()
    await operations.says("#state", "Your session has ended: log in again.")
    await operations.page.click("#retry")
    await operations.says("#notice", "You are not logged in as staff any more. Reload the page to log in again.")
    await operations.page.reload()
    await operations.page.get_by_role("button", name="Log in").wait_for()
