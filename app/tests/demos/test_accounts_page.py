"""Accounts in a real browser, through nginx: signing up, talking under one's name, and a session that ends."""

import contextlib
import os
import signal
import sqlite3
import uuid

import pytest

from .visitors import PASSWORD, Visitor, is_back

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def sign_up(visit, path):
    """Make an account from a page; return the visitor, who is back there, and the account's name."""
    visitor, name = await visit(path), f"ada{uuid.uuid4().hex[:6]}"
    page = visitor.page
    if path.startswith("/chat/") and await page.get_by_role("button", name="Name and room").is_visible():
        await page.get_by_role("button", name="Name and room").click()
    await page.get_by_role("link", name="Log in").click()
    await page.get_by_role("link", name="Sign up").click()
    await page.get_by_label("Username").fill(name)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Password confirmation").fill(PASSWORD)
    await page.get_by_role("button", name="Sign up").click()
    await page.wait_for_url(f"**{path}")
    await visitor.is_line("open")
    return visitor, name


async def test_an_account_speaks_under_its_name(visit):
    """Its name is beside its messages, with a mark, for others too; a guest of the same name has none."""
    ada, name = await sign_up(visit, "/chat/accounts/")
    bob = await visit("/chat/accounts/")
    await bob.is_line("open")
    await ada.page.fill("#message", "signed")
    await ada.page.press("#message", "Enter")
    message = bob.page.locator(".message").filter(has_text="signed")
    await message.get_by_role("img", name="logged in").wait_for()
    assert (await message.locator(".who").inner_text()).split() == [name, "✓"]
    await bob.page.fill("#name", name)
    await bob.page.press("#name", "Enter")
    await bob.page.fill("#message", "forged")
    await bob.page.press("#message", "Enter")
    forged = ada.page.locator(".message").filter(has_text="forged")
    await forged.wait_for()
    assert await forged.get_by_role("img").count() == 0
    assert ada.complaints == bob.complaints == []


async def test_an_account_writes_under_its_name(visit):
    """Beside the text, with a mark; the field holds it and takes no other."""
    ada, name = await sign_up(visit, "/document/accounts/")
    bob = await visit("/document/accounts/")
    person = bob.page.locator("#people li").filter(has=bob.page.get_by_role("img", name="logged in"))
    await person.wait_for()
    assert (await person.inner_text()).split() == [name, "✓"]
    assert await ada.page.input_value("#name") == name
    assert await ada.page.get_attribute("#name", "readonly") is not None
    assert await ada.page.get_by_role("button", name="Keep").count() == 0
    assert ada.complaints == bob.complaints == []


async def test_an_account_plays_under_its_name(visit):
    """The field holds it and takes no other."""
    ada, name = await sign_up(visit, "/game/accounts/")
    assert await ada.page.input_value("#name") == name
    assert await ada.page.get_attribute("#name", "readonly") is not None
    await ada.page.get_by_role("button", name="Play").click()
    await ada.says("#play", "Stop")
    await ada.page.get_by_role("button", name="Stop").click()
    assert await ada.page.get_attribute("#name", "readonly") is not None
    assert await ada.page.input_value("#name") == name


async def test_who_logs_out_is_a_guest(visit):
    """On the page one was on."""
    ada, name = await sign_up(visit, "/game/accounts/")
    await ada.page.get_by_role("button", name="Log out").click()
    await ada.page.get_by_role("link", name="Log in").wait_for()
    assert ada.page.url.endswith("/game/accounts/")
    assert await ada.page.input_value("#name") != name


async def test_a_session_that_has_ended_costs_no_text(visit, fleet):
    """A sentence says so and leads to the log-in; behind it the text is still there, and goes out under the name."""
    ada, name = await sign_up(visit, "/chat/ended/")
    page = ada.page
    with contextlib.closing(sqlite3.connect(fleet.run_dir / "db.sqlite3", timeout=20)) as database, database:
        database.execute("DELETE FROM django_session")
    replica = await ada.replica()
    os.kill(pid := fleet.pid(replica), signal.SIGKILL)  # its other sockets remember for a minute who is behind them
    await ada.comes_back()
    await page.fill("#message", "long and dear to me")
    await page.press("#message", "Enter")
    await ada.says("#composer-error", "Your session has ended: log in again")
    assert await page.input_value("#message") == "long and dear to me"
    await page.get_by_role("link", name="Log in again").click()
    await page.get_by_label("Username").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/chat/ended/")
    await ada.is_line("open")
    assert await page.input_value("#message") == "long and dear to me"
    await page.press("#message", "Enter")
    message = page.locator(".message").filter(has_text="long and dear to me")
    who = message.locator(".who").filter(has=page.locator(".you"))
    assert (await who.inner_text()).split() == [name, "✓", "you"]
    await is_back(fleet, replica, pid)


async def test_a_log_out_elsewhere_is_told_on_each_page_and_costs_no_text(visit):
    """Chat, document and game say so; what was typed is there after the next log-in, and goes out then."""
    chat, name = await sign_up(visit, "/chat/elsewhere/")
    document, game, elsewhere = [Visitor(await chat.page.context.new_page()) for _ in range(3)]
    await document.page.goto("/document/elsewhere/")
    await document.page.wait_for_selector("#text:not([readonly])")
    await document.page.focus("#text")
    await document.page.keyboard.type("before ")
    await document.says("#saved", "Saved")
    await game.page.goto("/game/elsewhere/")
    await game.page.get_by_role("button", name="Play").click()
    await game.says("#play", "Stop")
    await chat.page.fill("#message", "typed and not sent")
    await elsewhere.page.goto("/")
    await elsewhere.page.get_by_role("button", name="Log out").click()
    for visitor in (chat, document, game):
        await visitor.says("#state", "The server closed the connection: Your session has ended: log in again.")
    await document.page.focus("#text")
    await document.page.keyboard.type("after")
    await document.says("#saved", "Kept in this browser until the connection is back")
    assert await chat.page.input_value("#message") == "typed and not sent"
    await log_in(elsewhere, name)
    for visitor in (chat, document):
        await visitor.page.reload()
        await visitor.is_line("open")
    assert await chat.page.input_value("#message") == "typed and not sent"
    await document.says("#saved", "Saved")
    await document.page.wait_for_function("document.getElementById('text').value === 'before after'")


async def log_in(visitor, name):
    await visitor.page.goto("/accounts/login/")
    await visitor.page.get_by_label("Username").fill(name)
    await visitor.page.get_by_label("Password").fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Log in").click()
    await visitor.page.get_by_role("button", name="Log out").wait_for()


@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/accounts/signup/", "/chat/accounts/", "/game/accounts/", "/document/accounts/"]
)
@pytest.mark.parametrize("width", [320, 1280])
async def test_it_fits_every_screen(visit, path, width):
    """Nothing overflows sideways, also with an account whose name is as long as it may be."""
    visitor = await visit(path, viewport={"width": width, "height": 640})
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width
