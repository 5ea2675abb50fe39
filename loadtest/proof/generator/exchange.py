"""Questions to workers, and their answers: what comes too late answers no later question."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gevent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MESSAGE = "proof"
"""Of Locust's messages, the kind that is ours."""
PROGRESS = "proof_progress"
"""Where a worker's report to Locust's master carries its snapshot."""
QUESTION = "question"
"""Where a message carries the number of the question, and its answer the same."""
GLANCE = 0.002
"""Seconds between two looks at whether all have answered."""

Said = dict[str, Any]


class Exchange:
    """One question at a time."""

    def __init__(self, send: Callable[[str, Said], None], is_there: Callable[[str], bool]) -> None:
        """`send` takes a worker's name and a message; who is not there is not waited for."""
        self._send = send
        self._is_there = is_there
        self._number = 0
        self._answers: dict[str, Said] = {}

    def ask(self, data: Said, seconds: float, names: Iterable[str]) -> dict[str, Said]:
        """Send the same to each; return the answers that came in time, by worker, each with its time as `at`."""
        self._number += 1
        self._answers.clear()
        names = list(names)
        for name in names:
            self._send(name, {**data, QUESTION: self._number})
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(name not in self._answers and self._is_there(name) for name in names):
            gevent.sleep(GLANCE)
        return {name: self._answers[name] for name in names if name in self._answers}

    def hear(self, name: str, answer: Said) -> None:
        """Take an answer, if it is one to what was asked last."""
        if answer[QUESTION] == self._number:
            self._answers[name] = {**answer, "at": time.monotonic()}
