"""Visitors of the demos: pages with someone in front of them, on a real fleet."""

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import uuid

import pytest

from tests.replicas import APP, LIMIT

TRIES_FOR_ANOTHER_REPLICA = 12
"""The balancer gives the next client another replica soon; so many pages in a row on one would be an error."""
BACK_SECONDS = 60
"""A replica that a test ended is there again for the next one."""
PATIENCE_MS = 60_000
"""For what a page is to show: a busy machine draws it late."""

PASSWORD = "of-a-test-42"  # noqa: S105
CREATE = "from django.contrib.auth.models import User; User.objects.create_user({!r}, password={!r}, is_staff=True)"

RECORD_STATES = """
addEventListener("DOMContentLoaded", () => {
  globalThis.lineStates = [document.body.dataset.line];
  new MutationObserver(() => lineStates.push(document.body.dataset.line))
    .observe(document.body, { attributeFilter: ["data-line"] });
});
"""
PRESS = """(selector) => {
  const button = document.querySelector(selector);
  if (!button.hidden) button.click();
}"""
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  const state = () => (hidden ? "hidden" : "visible");
  Object.defineProperty(document, "visibilityState", { configurable: true, get: state });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


class Visitor:
    """A page of a demo."""

    def __init__(self, page):
        self.page = page
        self.complaints = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    async def is_line(self, state):
        """Wait until the page says so of its line."""
        await self.page.wait_for_selector(f'body[data-line="{state}"]')

    async def comes_back(self):
        """Wait until the line was lost and is there again."""
        await self.page.wait_for_function("() => lineStates.includes('waiting') && lineStates.at(-1) === 'open'")

    async def tries_now(self):
        """Press the button that tries at once; a page that tries by itself at this moment has none any more."""
        await self.page.evaluate(PRESS, "#retry")

    async def replica(self):
        """Who answers."""
        await self.is_line("open")
        return await self.page.inner_text("#replica")

    async def says(self, selector, words):
        """Wait until a part of the page says these words."""
        await self.page.locator(selector).filter(has_text=words).first.wait_for()

    async def is_silent(self, selector):
        """Wait until a part of the page says nothing any more."""
        await self.page.wait_for_function("(s) => document.querySelector(s).textContent === ''", arg=selector)

    async def hide(self, *, hidden):
        """Bring another tab to the front, or this one."""
        await self.page.evaluate(HIDE, hidden)


@contextlib.asynccontextmanager
async def visits(browser, base_url):
    """Yield what opens a page, each visitor in a browser profile of their own."""
    contexts = []

    async def visit(path, prepare=None, **options):
        context = await browser.new_context(base_url=base_url, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        await page.add_init_script(RECORD_STATES)
        visitor = Visitor(page)
        if prepare:
            await prepare(visitor)
        await page.goto(path)
        return visitor

    try:
        yield visit
    finally:
        for context in contexts:
            await context.close()


async def on_another_replica(visit, path, other):
    """Open a page on another replica than this one's."""
    for _ in range(TRIES_FOR_ANOTHER_REPLICA):
        visitor = await visit(path)
        if await visitor.replica() != await other.replica():
            return visitor
        await visitor.page.close()
    return pytest.fail(f"{TRIES_FOR_ANOTHER_REPLICA} pages in a row were answered by {await other.replica()}")


def boss(fleet):
    """Make an account of staff; return its name."""
    name = f"boss{uuid.uuid4().hex[:6]}"
    command = shlex.join([sys.executable, "manage.py", "shell", "-c", CREATE.format(name, PASSWORD)])
    words = ["sh", "-c", f". {shlex.quote(str(fleet.run_dir / 'environment'))} && exec {command}"]
    subprocess.run(words, cwd=APP, check=True, capture_output=True, timeout=LIMIT)
    return name


async def logged_in(visit, name):
    """Log in on the way to the operations' page; return what the browser keeps of it."""
    visitor = await visit("/ops/")
    page = visitor.page
    await page.get_by_label("Username").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/ops/")
    await visitor.is_line("open")
    return await page.context.storage_state()


@contextlib.contextmanager
def stopped(pid):
    """A process that says nothing for a while, and lives."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def is_back(fleet, name, pid):
    """Wait until another process is this replica."""
    async with asyncio.timeout(BACK_SECONDS):
        while fleet.pid(name) == pid or not fleet.is_ready(name):  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.1)
