"""ASGI's lifespan, which Daphne leaves out: what an application runs beside its connections."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

logger = logging.getLogger(__name__)

SHUTDOWN_LIMIT = 5.0
"""Seconds for the application's own end."""


class Lifespan:
    """One run of the application with a lifespan scope; an application that knows none is left alone."""

    def __init__(self, application: Any, extensions: dict[str, Any]) -> None:
        self._application = application
        self._scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}, "extensions": extensions}
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._known = False

    def start(self) -> None:
        """Say `lifespan.startup`; connections do not wait for the answer."""
        self._events.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.get_event_loop().create_task(self._run())

    async def stop(self) -> None:
        """Say `lifespan.shutdown` and wait, bounded, for the application's answer."""
        if self._task is None or self._task.done():
            return
        self._events.put_nowait({"type": "lifespan.shutdown"})
        try:
            async with asyncio.timeout(SHUTDOWN_LIMIT):
                await self._ended.wait()
        except TimeoutError:
            logger.warning("the application did not end within %g s", SHUTDOWN_LIMIT)
        self._task.cancel()

    async def _run(self) -> None:
        try:
            await self._application(self._scope, self._events.get, self._take)
        except Exception as error:  # the ASGI specification's way of saying "not supported"
            if self._known:
                logger.exception("the application's lifespan broke off")
            else:
                logger.info("the application has no lifespan (%s)", error)
        finally:
            self._ended.set()

    async def _take(self, message: dict[str, Any]) -> None:
        self._known = True
        if message["type"].endswith(".failed"):
            part = "start" if message["type"] == "lifespan.startup.failed" else "end"
            logger.error("the application's %s failed: %s", part, message.get("message", ""))
        if message["type"].startswith("lifespan.shutdown"):
            self._ended.set()
