"""Browsers that visit the demos."""

import shutil
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.demos.visitors import visits
from tests.replicas import folder, start  # noqa: F401 - fixtures

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium():
    """The path of the browser that the distribution brought."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return pytest.skip("chromium is not installed (Debian: apt-get install chromium): the page's tests need it")


@asynccontextmanager
async def launched(*flags):
    """One browser process of its own."""
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*CHROMIUM_FLAGS, *flags])
        try:
            yield browser
        finally:
            await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser, fleet):
    """Open a page of the shared fleet as someone."""
    async with visits(browser, fleet.base_url) as visit:
        yield visit
