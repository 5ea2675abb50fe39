"""The fleet's page for staff in a real browser, on a real fleet."""

import os
import signal

import pytest
import pytest_asyncio

from .test_accounts_page import sign_up
from .visitors import boss, is_back, logged_in, stopped, visits

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

CHARTS = 6


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def staff(browser, fleet):
    """What a browser keeps of a log-in of staff, with which a page may be opened."""
    name = boss(fleet)
    async with visits(browser, fleet.base_url) as visit:
        return await logged_in(visit, name)


def another(mine, fleet):
    return next(name for name in fleet.names if name != mine)


async def has_all(visitor, fleet):
    """Wait until each replica is ready in the table."""
    for name in fleet.names:
        await visitor.says(f'#replicas tr[data-replica="{name}"][data-kind="good"]', "ready")


async def test_staff_sees_a_replica_go_and_come_back(visit, fleet, staff):
    """Its row changes, and the events say that it is gone and that another process has started."""
    visitor = await visit("/ops/", storage_state=staff)
    await has_all(visitor, fleet)
    await visitor.says("#summary", "3 replicas, all ready, version")
    victim = another(await visitor.replica(), fleet)
    row = visitor.page.locator(f'#replicas tr[data-replica="{victim}"]')
    pid = fleet.pid(victim)
    assert str(pid) in await row.inner_text()
    os.kill(pid, signal.SIGKILL)
    await visitor.says('#events [data-kind="bad"]', f"{victim} is gone without a word, process {pid}")
    await is_back(fleet, victim, pid)
    await visitor.says('#events [data-kind="good"]', f"process {fleet.pid(victim)}")
    await row.filter(has_text=str(fleet.pid(victim))).wait_for()
    await has_all(visitor, fleet)
    assert visitor.complaints == []


async def test_the_page_survives_its_own_replica(visit, fleet, staff):
    """The connection is lost and comes back, and the event is seen from another replica."""
    visitor = await visit("/ops/", storage_state=staff)
    await has_all(visitor, fleet)
    victim = await visitor.replica()
    pid = fleet.pid(victim)
    os.kill(pid, signal.SIGKILL)
    await visitor.comes_back()
    await visitor.says("#events", f"{victim} is gone without a word, process {pid}")
    await is_back(fleet, victim, pid)
    await has_all(visitor, fleet)


async def test_a_silent_replica_is_gone_from_the_table_until_it_speaks(visit, fleet, staff):
    """Stopped, not dead: that is told in the table and among the events."""
    visitor = await visit("/ops/", storage_state=staff)
    await has_all(visitor, fleet)
    victim = another(await visitor.replica(), fleet)
    with stopped(fleet.pid(victim)):
        await visitor.says(f'#replicas tr[data-replica="{victim}"][data-kind="bad"]', "gone: without a word")
    await visitor.says("#events", f"{victim} speaks again")


async def test_the_figures_are_there_for_eyes_and_for_readers(visit, fleet, staff):
    """Six charts, the busiest groups, and the rates as a table; a reader is told of each event."""
    visitor = await visit("/ops/", storage_state=staff)
    await has_all(visitor, fleet)
    page = visitor.page
    assert await page.locator(".chart").count() == CHARTS
    await visitor.says("#groups th", "ops.fleet")
    await visitor.says(".chart output", "ms · ")
    await page.get_by_role("table", name="Rates now").get_by_role("row").nth(len(fleet.names)).wait_for()
    assert await page.get_by_role("region", name="Replicas").count() == 1
    assert await page.get_attribute("#events", "aria-live") == "polite"
    await page.get_by_role("navigation", name="Demos").get_by_role("link", name="Operations").wait_for()


async def test_others_are_led_to_the_log_in_or_refused(visit):
    """A guest may log in; who is no staff is told so, and finds no way to it in the navigation."""
    guest = await visit("/ops/")
    assert guest.page.url.endswith("/accounts/login/?next=/ops/")
    ada, _ = await sign_up(visit, "/game/accounts/")
    assert await ada.page.get_by_role("link", name="Operations").count() == 0
    await ada.page.goto("/ops/")
    await ada.page.get_by_text("This page is for staff").wait_for()
    assert await ada.page.locator("#replicas").count() == 0


@pytest.mark.parametrize("width", [320, 1280])
async def test_it_fits_every_screen(visit, fleet, staff, width):
    """Nothing overflows sideways; the first stop of the keyboard skips to the content, tables are stops of it."""
    visitor = await visit("/ops/", storage_state=staff, viewport={"width": width, "height": 700})
    await has_all(visitor, fleet)
    page = visitor.page
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.locator(".wide").first.focus()
    assert await page.evaluate("document.activeElement.className") == "wide"
    assert visitor.complaints == []
