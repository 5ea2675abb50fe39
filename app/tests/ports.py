"""Ports for what tests start: each worker of pytest has a range of its own, and gives none twice in a row."""

import itertools
import os
import socket

from fleet.ports import OWN

LOWEST, HIGHEST = 20_000, OWN.start
"""Below the ports of outgoing connections, one of which could take a free one at any moment, and those of drills."""
WORKERS = 10
SHARE = (HIGHEST - LOWEST) // WORKERS
_turns = itertools.count(os.getpid() * 37)  # another run of the tests, beside this one, begins elsewhere


def a_free_port() -> int:
    """Return a port that nobody listens on: who asked before may not have come to listen yet, and has another."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    while True:
        port = LOWEST + worker * SHARE + next(_turns) % SHARE
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
