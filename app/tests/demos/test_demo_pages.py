"""What all pages of the demos owe to whoever sits in front of them, in a real browser on a real fleet."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

PAGES = ["/", "/game/", "/document/demo-pages/", "/dashboard/"]
LONG = "x" * 64


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 820, 1280, 1920])
@pytest.mark.parametrize("path", [*PAGES, f"/game/{LONG}/", f"/document/{LONG}/", f"/dashboard/{LONG}/"])
async def test_it_fits_every_screen(visit, path, width):
    """Nothing overflows sideways, and the line is in sight."""
    visitor = await visit(path, viewport={"width": width, "height": 700})
    await visitor.is_line("open")
    if path == "/dashboard/":
        await visitor.page.locator(".chart").nth(5).wait_for()
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width
    box = await visitor.page.locator(".line").bounding_box()
    assert box["x"] + box["width"] <= width
    assert visitor.complaints == []


@pytest.mark.parametrize("path", PAGES)
async def test_the_keyboard_is_enough(visit, path):
    """The first stop skips to the content; each stop shows where it is."""
    visitor = await visit(path)
    await visitor.is_line("open")
    page = visitor.page
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    stops = []
    for _ in range(6):
        await page.keyboard.press("Tab")
        stops.append(await page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id"))
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert stops[:5] == ["Fan-out", "Chat", "Game", "Document", "Dashboard"]
    await page.focus(".skip")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("path", PAGES)
async def test_a_screen_reader_hears_where_it_is(visit, path):
    """The line is a status, the demos a navigation, the content the main part under one heading."""
    visitor = await visit(path)
    page = visitor.page
    await page.get_by_role("status").filter(has_text="Connected").wait_for()
    await page.get_by_role("navigation", name="Demos").wait_for()
    assert await page.get_by_role("main").count() == await page.get_by_role("heading", level=1).count() == 1


@pytest.mark.parametrize("path", PAGES)
async def test_it_keeps_still_for_who_wants_that(visit, path):
    """With reduced motion nothing is animated by style."""
    visitor = await visit(path, reduced_motion="reduce")
    await visitor.is_line("open")
    durations = await visitor.page.evaluate(
        "[...document.querySelectorAll('*')].map((e) => getComputedStyle(e).animationName)"
    )
    assert set(durations) == {"none"}


@pytest.mark.parametrize("path", PAGES)
async def test_who_is_offline_is_told_and_comes_back(visit, path):
    """One sentence while the network is away, and none of it when it is there again."""
    visitor = await visit(path)
    await visitor.is_line("open")
    await visitor.page.context.set_offline(True)
    await visitor.says("#state", "You are offline")
    await visitor.page.context.set_offline(False)
    await visitor.says("#state", "Connected")


@pytest.mark.parametrize("path", PAGES)
async def test_a_server_that_closes_for_good_is_quoted(visit, path):
    """The reason stands there, and a button tries again."""

    async def prepare(visitor):
        answers = []

        async def answer(socket):
            answers.append(socket)
            if len(answers) == 1:
                await socket.close(code=4403, reason="You are not let in.")
            else:
                socket.connect_to_server()

        await visitor.page.route_web_socket("**/ws/**", answer)

    visitor = await visit(path, prepare)
    await visitor.says("#state", "The server closed the connection: You are not let in.")
    await visitor.page.get_by_role("button", name="Try now").click()
    await visitor.says("#state", "Connected")
