"""The last resort of an exit: the process ends, even if a handler swallows its cancellation or a thread blocks."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

from server import batches
from server.drain import HANDLERS_LIMIT
from server.lifespan import SHUTDOWN_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

SLACK = 5.0
"""Seconds for what was cancelled at the end of a drain to clean up."""
DRAIN_LIMIT = batches.SECONDS + HANDLERS_LIMIT + SHUTDOWN_LIMIT + SLACK
"""Seconds from the first signal to the exit at the latest; the fleet's supervisor kills after ten more."""
CUT_LIMIT = 5.0
"""Seconds that a second signal leaves to who is cancelled: a busy machine takes one or two to end cleanly."""
HELD_UP = 1
"""Exit code of a process that something held up."""


def signals() -> list[signal.Signals]:
    """Return what starts a drain: also SIGHUP, since a closed terminal is no crash, unless `nohup` says otherwise."""
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGTERM, signal.SIGINT, *hangup]


def end_within(seconds: float, remove_files: Callable[[], None]) -> None:
    """End the process after `seconds` unless it has ended by then; a thread sees to it, as the loop may be gone."""
    timer = threading.Timer(seconds, _end, (seconds, remove_files))
    timer.daemon = True
    timer.start()


def end_at_next_signal() -> None:
    """End at once by a signal that comes when the loop is over, but a thread still keeps the process."""
    for number in signals():
        signal.signal(number, _on_signal)


def _on_signal(*_: Any) -> None:
    os._exit(HELD_UP)


def _end(seconds: float, remove_files: Callable[[], None]) -> None:
    try:
        logger.error("a handler or a thread holds up the exit for %g s: ending without it", seconds)
        remove_files()
        logging.shutdown()
    finally:
        os._exit(HELD_UP)
