"""One measurement a module; each has `rows(bench)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.parts import connect, deflate, delivery, edge, policies, restart, sockets, storm, streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.context import Bench
    from bench.row import Row

PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "delivery": delivery.rows,
    "sockets": sockets.rows,
    "policies": policies.rows,
    "connect": connect.rows,
    "storm": storm.rows,
    "edge": edge.rows,
    "restart": restart.rows,
}
"""What `make bench` measures, in this order."""
EXPERIMENTS: dict[str, Callable[[Bench], list[Row]]] = {"deflate": deflate.rows, "streams": streams.rows}
"""What it measures only when asked for."""
