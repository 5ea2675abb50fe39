"""A pytest plugin for Daphne's own tests: our server in the place of theirs.

Loaded with `-p replacement` by test_upstream.py. Into the file named by SERVERS_FILE goes a line for each server
process that a test starts, written by the test, and one by the server in it, which says what it is.

What the tests can't find as they expect it, by design:

- A WebSocket's scope has `extensions`, a key of ASGI that Daphne's tests of 4.2 do not know; their application
  pickles the scope, and one extension is a live socket.
- After a message that is too large `websocket.disconnect` waits for the client, which has 5 s to answer our close
  frame (1009); stock Daphne hangs up without one. The two tests wait 2 s and never answer: the 5 s are shortened.
"""

from __future__ import annotations

import copyreg
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import daphne.testing
import txaio
from hypothesis import settings

import server.server  # noqa: F401 - here, that each new process need not

if TYPE_CHECKING:
    import pytest

PATIENCE = 5
"""Seconds for an answer, of which Daphne's tests give one: the machine may be busy. One test waits them out."""
START_LIMIT = 30
CLOSE_HANDSHAKE_LIMIT = 0.5
"""Seconds: see above."""

reinstall_reactor, start = daphne.testing._reinstall_reactor, daphne.testing.DaphneProcess.start


def note(what: str) -> None:
    """Append a line with the test that runs: pytest tells it by this variable, which the process inherits."""
    with Path(os.environ["SERVERS_FILE"]).open("a") as file:
        file.write(f"{os.environ['PYTEST_CURRENT_TEST'].partition(' (')[0]}\t{what}\n")


def reinstall_and_replace() -> None:
    """Do what Daphne does in the new process, which forgets daphne.server; only then put ours in."""
    reinstall_reactor()
    txaio.config.loop = sys.modules["twisted.internet.reactor"]  # autobahn's timers would run on the old one
    del sys.modules["server.server"]  # it knows the old reactor, and is a subclass of the forgotten class
    ours, stock = importlib.import_module("server.server"), importlib.import_module("daphne.server")
    copyreg.pickle(ours.ReplicaSocket, lambda _socket: (str, ()))
    ours.CLOSE_HANDSHAKE_LIMIT = CLOSE_HANDSHAKE_LIMIT

    class NotedServer(ours.Server):
        def run(self) -> None:
            note(f"{ours.Server.__module__}.{ours.Server.__qualname__}")
            super().run()

    stock.Server = NotedServer


def start_and_note(process: Any) -> None:
    note("started")
    start(process)


daphne.testing._reinstall_reactor = reinstall_and_replace
daphne.testing.DaphneProcess.start = start_and_note
daphne.testing.BaseDaphneTestingInstance.startup_timeout = START_LIMIT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        function = getattr(item.function, "__func__", item.function)
        if own := getattr(function, "_hypothesis_internal_use_settings", None):
            function._hypothesis_internal_use_settings = settings(own, deadline=None)
    if base := sys.modules.get("http_base"):
        be_patient(base.DaphneTestCase)
        know_extensions(base.DaphneTestCase)


def be_patient(case: Any) -> None:
    """Raise the default of `timeout` in the helpers of all tests."""
    for helper in (case.run_daphne_http, case.websocket_handshake, case.receive_from_socket):
        helper.__defaults__ = tuple(PATIENCE if type(value) is int else value for value in helper.__defaults__)
    case.run_daphne_raw.__kwdefaults__["timeout"] = PATIENCE


def know_extensions(case: Any) -> None:
    """Let a WebSocket's scope have its extensions; its keys are the only ones with `subprotocols`."""
    check = case.assert_key_sets

    def assert_key_sets(self: Any, required_keys: set, optional_keys: set, actual_keys: Any) -> None:
        more = {"extensions"} if "subprotocols" in optional_keys else set()
        check(self, required_keys, optional_keys | more, actual_keys)

    case.assert_key_sets = assert_key_sets
