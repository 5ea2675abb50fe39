"""A scripted application in real server processes."""

import contextlib
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.replicas import APP, LIMIT, folder, start, start_once  # noqa: F401  # fixtures
from tests.server.sayings import SlowReader

HERE = Path(__file__).parent
APPLICATION = "scripted:application"


def with_scripted(starter):
    starter.environment["PYTHONPATH"] = f"{APP}:{HERE}"
    return starter


@pytest.fixture
def scripted(start):  # noqa: F811  # the fixture
    """Start servers that can serve `scripted:application`."""
    return with_scripted(start)


@pytest.fixture
def script():
    """Return the path by which a WebSocket client has these ASGI messages sent to itself."""
    return lambda *messages, path="/": f"{path}?{quote(repr(list(messages)))}"


@pytest.fixture(scope="module")
def scripted_once(start_once):  # noqa: F811  # the fixture
    """The same for servers that a module shares."""
    return with_scripted(start_once)


@pytest.fixture(scope="module")
def server(scripted_once):
    """One replica of the scripted application for a module."""
    return scripted_once.replica(APPLICATION)


@pytest.fixture
def slow(server):
    """Open sockets whose client reads only when told to."""
    with contextlib.ExitStack() as stack:
        yield lambda headers=(): SlowReader(stack.enter_context(server.connection()), headers)
