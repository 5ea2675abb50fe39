"""Who waits for what: a future for each key, settled once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable


class Waiters:
    """Of one event loop. True while anybody waits."""

    def __init__(self) -> None:
        self._futures: dict[Hashable, asyncio.Future[Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._futures)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._futures

    def expect(self, key: Hashable) -> asyncio.Future[Any]:
        """Return what the key will be settled with: nothing that comes from now on is missed."""
        return self._futures.setdefault(key, asyncio.get_running_loop().create_future())

    async def wait(self, key: Hashable) -> Any:
        """Return or raise what the key is settled with."""
        # Several may wait for one key: who is cancelled takes nothing from the others.
        return await asyncio.shield(self.expect(key))

    def settle(self, key: Hashable, result: Any = None, error: Exception | None = None) -> bool:
        """End the wait for a key; return False if there was none."""
        future = self._futures.pop(key, None)
        if future is None or future.done():  # done: cancelled
            return False
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
            future.exception()  # it may be that nobody came to hear it, which is no error of its own
        return True

    def end(self, error: Exception) -> None:
        """End all waits."""
        for key in tuple(self._futures):
            self.settle(key, error=error)
