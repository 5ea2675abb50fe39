"""One measurement a module; each has `rows(bench)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.parts import connect, delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.context import Bench
    from bench.row import Row

PARTS: dict[str, Callable[[Bench], list[Row]]] = {"connect": connect.rows, "delivery": delivery.rows}
