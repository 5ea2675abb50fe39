"""What the worker does in the background: an app registers a job for each in its `ready()`.

For example `register("documents", lambda: Periodic(compact_documents, every=10.0))`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


class Job(Protocol):
    """Work that is done again and again, in a worker that may die at any moment, beside other workers.

    So each run must be able to go on where another was killed, and harmless when two run at once.
    """

    every: float
    """Seconds between the end of one run and the next."""

    async def run(self) -> None:
        """Do what there is to do. Raise whatever keeps it from it: it is logged and tried again."""

    def status(self) -> Mapping[str, Any]:
        """Return numbers for people and programs.

        `lag` is seconds that the oldest work has waited, `lost` a count of what was gone before it could be done.
        """


class Periodic:
    """A job that is one coroutine function, without numbers."""

    def __init__(self, run: Callable[[], Awaitable[None]], every: float) -> None:
        """`every` is in seconds."""
        self._run = run
        self.every = every

    async def run(self) -> None:
        """Call it."""
        await self._run()

    def status(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}


_jobs: dict[str, Callable[[], Job]] = {}


def register(name: str, make: Callable[[], Job]) -> None:
    """Have the worker make a job and run it; a later one of the same name replaces it."""
    _jobs[name] = make


def registered() -> dict[str, Callable[[], Job]]:
    """Return what was registered, by name."""
    return dict(_jobs)
