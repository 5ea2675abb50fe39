"""Whether this replica can serve: its own publication came back through Redis, its database has the right schema."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from fanout.errors import Unavailable

if TYPE_CHECKING:
    from fanout.layers import FanoutLayer
    from fanout.publication import Publication

logger = logging.getLogger(__name__)

PROBE_EVERY = 1.0
"""Seconds between two probes: how old an answer of /readyz may be."""
PROBE_LIMIT = 3.0
"""Seconds for a probe's way through Redis and back; past the layer's own 2 s limit for a command."""

OK = "ok"
NOT_YET = "not checked yet"


class Readiness:
    """Probes Redis for as long as the process lives, and the schema until it is current."""

    def __init__(self, name: str) -> None:
        self.checks = {"redis": NOT_YET, "database": NOT_YET}
        self._group = f"replica.{name}"
        self._was_ready = False
        self._echo: asyncio.Future[float] | None = None
        self._nonce = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to probe; harmless when repeated."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the probes."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def state(self, *, draining: bool) -> str:
        """Return `ready`, `starting`, `draining`, or `degraded`: it was ready once and Redis is away now.

        A degraded replica stays in service: Redis is shared, so taking every replica out would help nobody.
        """
        if draining:
            return "draining"
        if all(result == OK for result in self.checks.values()):
            self._was_ready = True
            return "ready"
        return "degraded" if self._was_ready else "starting"

    async def _run(self) -> None:
        layer: Any = get_channel_layer()
        subscribed = False
        while True:
            if self.checks["database"] != OK:
                self._note("database", await schema_state())
            try:
                if not subscribed:
                    await layer.subscribe(self._group, self._receive)
                    subscribed = True
                await self._probe(layer)
                self._note("redis", OK)
            except Unavailable as error:
                self._note("redis", str(error))
            except TimeoutError:
                self._note("redis", f"a publication did not come back within {PROBE_LIMIT:g} s")
            except Exception as error:  # without probes the last verdict would stand for ever
                logger.exception("readiness: the probe failed")
                self._note("redis", f"the probe failed: {type(error).__name__}: {error}")
            await asyncio.sleep(PROBE_EVERY)

    async def _probe(self, layer: FanoutLayer) -> None:
        self._echo = asyncio.get_running_loop().create_future()
        self._nonce = secrets.token_hex(8)
        async with asyncio.timeout(PROBE_LIMIT):
            await layer.publish(self._group, f'"{self._nonce}"'.encode())
            await self._echo

    def _receive(self, publication: Publication) -> None:
        if self._echo is not None and not self._echo.done() and publication.data == f'"{self._nonce}"'.encode():
            self._echo.set_result(time.monotonic())

    def _note(self, check: str, result: str) -> None:
        if self.checks[check] != result:
            level = logging.INFO if result == OK else logging.WARNING
            logger.log(level, "readiness: %s: %s", check, result)
            self.checks[check] = result


async def schema_state() -> str:
    """Return `ok`, or a sentence that says what the database lacks."""
    try:
        return str(await database_sync_to_async(_schema_state)())
    except DatabaseError as error:
        return f"the database does not answer: {error}"


def _schema_state() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not missing:
        return OK
    first = missing[0][0]
    return f"{len(missing)} migrations are not applied ({first} is the first): run manage.py migrate"
