"""Lines of the log: one JSON object an event for programs, one readable line for people, and never a flood of either.

Django's `LOGGING` names the formatters and the handler (config/settings.py). Who logs may add fields by
`extra={"fields": {...}}`; the replica's name and the id of the request are added here. What a client has said stands
escaped in a line and can't end it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fanout.tracing import ids

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT_LIMIT = 20
"""Lines a second of one event, that is of one place in the code: enough to see who it happens to."""
LIMIT = 200
"""Lines a second of all: what a disk and a reader stand for days."""
SECOND = 1.0
TEXT_LIMIT = 8192
"""Characters of a message, and of a traceback: a line should fit into what collectors take."""


_process: dict[str, str] = {}


def call_me(name: str) -> None:
    """Have each line of this process say which replica it is from; known when it has a place in the fleet."""
    _process["replica"] = name


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a line says beside time, level, logger and message."""
    own: dict[str, Any] = getattr(record, "fields", {})
    left_out: int = getattr(record, "left_out", 0)
    return {
        **_process,
        **ids(),
        **{key: value for key, value in own.items() if value is not None},
        **({"left_out": left_out} if left_out else {}),
    }


def message_of(record: logging.LogRecord) -> str:
    """Return the message; a long one is cut."""
    return record.getMessage()[:TEXT_LIMIT]


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, then what the event has; in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
            **fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-TEXT_LIMIT:]
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Time, level, logger, message, `key=value`; a traceback is set in, so that no line of it looks like an event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines."""
        told = "".join(f" {key}={_word(value)}" for key, value in fields_of(record).items() if key != "replica")
        head = f"{self.formatTime(record)} {record.levelname} {record.name}: "
        lines = [head + printable(message_of(record)) + told]
        if record.exc_info:
            trace = self.formatException(record.exc_info)[-TEXT_LIMIT:]
            lines += [f"    {printable(line)}" for line in trace.split("\n")]
        return "\n".join(lines)


def printable(text: str) -> str:
    """Return the text with every character escaped that a terminal would obey instead of showing it."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _word(value: Any) -> str:
    text = printable(str(value))
    return text if text and " " not in text and '"' not in text else json.dumps(text, ensure_ascii=False)


class Bound:
    """How many lines a second of each event, and of all, are let through; the others are counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._counts: dict[tuple[str, int, str], int] = {}
        self._all = 0
        self._left_out: dict[tuple[str, int, str], int] = {}

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether a line is let through."""
        self._begin_second()
        event = (record.name, record.levelno, str(record.msg))
        count = self._counts.get(event, 0)
        if count >= EVENT_LIMIT or self._all >= LIMIT:
            # Past the limit of all, strangers' events are many: they are counted as one.
            event = event if count else ("", record.levelno, "")
            self._left_out[event] = self._left_out.get(event, 0) + 1
            return False
        self._counts[event] = count + 1
        self._all += 1
        return True

    def take_left_out(self) -> list[logging.LogRecord]:
        """Return a line for each event of which some were left out, saying how many."""
        left_out, self._left_out = self._left_out, {}
        return [_summary(*event, count) for event, count in left_out.items()]

    def _begin_second(self) -> None:
        now = self._clock()
        if now >= self._until:
            self._until, self._all = now + SECOND, 0
            self._counts.clear()


def _summary(name: str, level: int, message: str, count: int) -> logging.LogRecord:
    about = f"more like {message!r} within a second" if message else "more lines of several kinds within a second"
    record = logging.LogRecord(name or __name__, level, __file__, 0, "left out %d %s", (count, about), None)
    record.left_out = count
    return record


class BoundHandler(logging.StreamHandler[Any]):
    """Writes lines to standard error, bounded; what was left out is told a second later."""

    def __init__(self) -> None:
        super().__init__()
        self._bound = Bound()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it; the handler's lock is held."""
        if self._bound.admits(record):
            super().emit(record)
        elif self._timer is None:
            self._timer = threading.Timer(SECOND, self.tell)
            self._timer.daemon = True
            self._timer.start()

    def tell(self) -> None:
        """Say how many lines were left out."""
        with self.lock or threading.RLock():
            self._timer = None
            for record in self._bound.take_left_out():
                super().emit(record)

    def close(self) -> None:
        """Say it at the end, too."""
        self.tell()
        super().close()
