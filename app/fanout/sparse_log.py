"""Warnings that a stranger can cause: told at once, but not each of a million."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

SECONDS = 1.0
"""Between two lines: enough to see what goes on, 86,400 a day at most."""


class SparseLog:
    """Writes warnings to `logger`, one in `SECONDS` at most; each says how many were left out before it."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._next = float("-inf")
        self._left_out = 0

    def warning(self, text: str, *values: Any, error: BaseException | None = None) -> None:
        """Write a line, with the traceback of `error`, unless one was written just now."""
        now = self._clock()
        if now < self._next:
            self._left_out += 1
            return
        if self._left_out:
            text, values = text + " (and %d more like it)", (*values, self._left_out)
        self._logger.warning(text, *values, exc_info=error)
        self._next, self._left_out = now + SECONDS, 0
