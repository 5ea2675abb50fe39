r"""An event loop in a thread of its own, for callers that have none: one for the process, made when it is first used.

asgiref's async_to_sync makes a loop for each call, and with it a connection to Redis: publishing that way costs four
times as much (0.7 and 2.7 ms on a busy machine). In `app/`, with DJANGO_SETTINGS_MODULE and FANOUT_REDIS_URLS set:

    python -m timeit -s 'import django; django.setup(); import fanout' 'fanout.publish("a.b", 1)'
    python -m timeit -s 'import django; django.setup(); import fanout; from asgiref.sync import async_to_sync' \
      'async_to_sync(fanout.apublish)("a.b", 1)'
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

Result = TypeVar("Result")

END_LIMIT = 3.0
"""Seconds that the process waits at its end for the loop to close its connections: more than a dead Redis takes."""


class LoopThread:
    """Runs coroutines for any thread. A daemon, closed at exit; a forked child begins with a new one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inherited: list[asyncio.AbstractEventLoop] = []
        self._begin()
        os.register_at_fork(after_in_child=self._begin_in_child)
        atexit.register(self.close)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def _begin_in_child(self) -> None:
        # The parent's loop shares its epoll with us: were it collected here, the parent's sockets would fall silent.
        if self._loop is not None:
            self._inherited.append(self._loop)
        self._begin()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Return what the coroutine returns; the calling thread waits meanwhile."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._running())
        try:
            return future.result()
        finally:
            future.cancel()  # the caller was interrupted (KeyboardInterrupt): nobody waits for it

    def close(self) -> None:
        """End the thread and close the loop, which closes its connections; `run` begins anew."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(END_LIMIT)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
