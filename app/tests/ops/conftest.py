"""Real replicas of the project, with a database and without."""

import subprocess
import sys

import pytest

from tests.replicas import APP, LIMIT, folder, start, start_once  # noqa: F401  # fixtures

HELD = """
import asyncio, signal, sys
from config.asgi import application as inner

async def application(scope, receive, send):
    if scope["type"] == "http" and scope["path"] == "/hold":
        event = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, event.set)
        print("held", file=sys.stderr, flush=True)
        await event.wait()
    await inner(scope, receive, send)
"""


@pytest.fixture
def migrate(start):  # noqa: F811  # the fixture
    """Bring the database of the test's replicas up to date."""

    def applied():
        command = [sys.executable, str(APP / "manage.py"), "migrate", "--verbosity", "0"]
        subprocess.run(command, env=start.environment, check=True, timeout=LIMIT)

    return applied


@pytest.fixture
def held(start):  # noqa: F811  # the fixture
    """The path of the project's application with one more address, `/hold`: it waits for SIGUSR1."""
    (start.folder / "held.py").write_text(HELD)
    return "held:application"
