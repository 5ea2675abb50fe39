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
from ops.lag import LoopLag

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.layers import FanoutLayer
    from fanout.publication import Publication

logger = logging.getLogger(__name__)

PROBE_EVERY = 1.0
"""Seconds between two probes: how old an answer of /readyz may be."""
PROBE_LIMIT = 3.0
"""Seconds for a probe's way through Redis and back; past the layer's own 2 s limit for a command."""

DATABASE_EVERY = 10.0
"""Seconds between two questions to a database whose schema is current: a session may need it, no delivery does."""
STUCK = 2.0
"""Seconds that the event loop may be late: clients of a replica which turns slower are better off elsewhere."""

STATES = ("ready", "degraded", "starting", "stuck", "draining")
OK = "ok"
NOT_YET = "not checked yet"


class Readiness:
    """Probes Redis, the event loop and the database as long as the process lives, the schema until it is current."""

    def __init__(self, name: str) -> None:
        self.checks = {"redis": NOT_YET, "database": NOT_YET}
        self.lag = LoopLag()
        self._group = f"replica.{name}"
        self._look_at = 0.0
        self._was_ready = False
        self._echo: asyncio.Future[float] | None = None
        self._nonce = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to probe; harmless when repeated."""
        self.lag.start()
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the probes."""
        self.lag.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def state(self, *, draining: bool) -> str:
        """Return one of STATES. `degraded`: it was ready once, and what it depends on is away now.

        A degraded replica stays in service: Redis is shared, so taking every replica out would help nobody.
        """
        if draining:
            return "draining"
        if self.lag.now > STUCK:
            return "stuck"
        if self._is_ready():
            self._was_ready = True
            return "ready"
        return "degraded" if self._was_ready else "starting"

    def _is_ready(self) -> bool:
        return all(result == OK for result in self.checks.values())

    async def _run(self) -> None:
        layer: Any = get_channel_layer()
        subscribed = False
        while True:
            await self._look_at_database()
            try:
                if not subscribed:
                    await layer.subscribe(self._group, self._receive)
                    subscribed = True
                await self._probe(layer)
                self._note("redis", OK)
            except Unavailable as error:
                self._note("redis", unreached(error))
            except TimeoutError:
                self._note("redis", f"a publication did not come back within {PROBE_LIMIT:g} s")
            except Exception as error:  # without probes the last verdict would stand for ever
                logger.exception("readiness: the probe failed")
                self._note("redis", f"the probe failed: {type(error).__name__}: {error}")
            await asyncio.sleep(PROBE_EVERY)

    async def _look_at_database(self) -> None:
        if time.monotonic() < self._look_at:
            return
        result = await (database_state() if self.checks["database"] == OK else schema_state())
        self._note("database", result)
        self._look_at = time.monotonic() + (DATABASE_EVERY if result == OK else 0)

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
            self._was_ready |= self._is_ready()  # also if nobody asks just now


def unreached(error: Exception) -> str:
    """Return what an operator is told of a Redis that did not answer: also where and how, which no client is told."""
    cause = error.__cause__
    return str(error) if cause is None else f"Redis can't be reached: {str(cause) or 'no answer in time'}"


async def schema_state() -> str:
    """Return `ok`, or a sentence that says what the database lacks."""
    return await _told_by(_schema_state)


async def database_state() -> str:
    """Return `ok`, or a sentence that says that the database does not answer."""
    return await _told_by(_answers)


async def _told_by(question: Callable[[], str]) -> str:
    try:
        return str(await database_sync_to_async(question)())
    except DatabaseError as error:
        return f"the database does not answer: {error}"


def _answers() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return OK


def _schema_state() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not missing:
        return OK
    first = missing[0][0]
    return f"{len(missing)} migrations are not applied ({first} is the first): run manage.py migrate"
