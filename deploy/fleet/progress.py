"""Tells what is being done: one line a step with its seconds, live on a terminal, plain in a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET_SECONDS = 2.0  # in a pipe, a step that takes longer announces itself before it ends
TICK_SECONDS = 0.2
WIDTH = 46  # of the step's name


class Step:
    """A step under way; `note` says how far it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.note = ""
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._start

    def line(self, verdict: str = "") -> str:
        """Return the step as one line."""
        tail = verdict or self.note
        return f"  {self.name:<{WIDTH}} {self.seconds:5.1f} s{'  ' + tail if tail else ''}"


class Progress:
    """Prints steps to a stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()

    def say(self, text: str) -> None:
        """Print a line between steps."""
        self._write(("\r\x1b[K" if self._live else "") + text + "\n")

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show a step while the block runs, and whether it came through."""
        step, done = Step(name), threading.Event()
        watcher = threading.Thread(target=self._watch, args=(step, done), daemon=True)
        watcher.start()
        verdict = "failed"
        try:
            yield step
            verdict = ""
        finally:
            done.set()
            watcher.join()
            self._write(("\r\x1b[K" if self._live else "") + step.line(verdict) + "\n")

    def _watch(self, step: Step, done: threading.Event) -> None:
        if not self._live:
            if not done.wait(QUIET_SECONDS):
                self._write(f"  {step.name} …\n")
            return
        while not done.wait(TICK_SECONDS):
            self._write("\r\x1b[K" + step.line())

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except BrokenPipeError:  # `make up | head`: nobody reads any more, the work goes on
            mute(self._stream)


def mute(stream: TextIO) -> None:
    """Let a stream whose reader has gone write into nothing, also what is flushed at the process' end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)
