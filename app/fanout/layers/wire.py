"""One connection to Redis: redis-py opens it, hiredis reads it as the bytes arrive.

redis-py's own way of a command (pool, lock, packing, health, metrics, timeouts, a stream in between) runs some
500 Python calls; this one some ten. What an answer costs here is paid once for each publication, by each replica.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import hiredis
from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio.connection import Connection, ConnectionPool

READ_BYTES = 16 * 1024
"""Bytes of one read: some hundred small publications, delivered within milliseconds, then all else has its turn."""
_NOTHING = object()


class Wire(asyncio.BufferedProtocol):
    """Calls `on_answer` with each answer of Redis, errors too, and `on_lost` once, unless `aclose` was called before.

    An error that `on_answer` raises ends the connection.
    """

    def __init__(
        self, pool: ConnectionPool, on_answer: Callable[[Any], None], on_lost: Callable[[Exception], None]
    ) -> None:
        self._pool = pool
        self._on_answer = on_answer
        self._on_lost = on_lost
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=DefaultParser.parse_error, notEnoughData=_NOTHING
        )
        self._loop = asyncio.get_running_loop()
        self._lost = False
        self.heard_at = self._loop.time()
        """Time of the loop when something arrived last."""

    async def open(self) -> None:
        """Connect as the pool's options say, Sentinel, TLS and passwords included. Raise RedisError or OSError."""
        self.connection: Connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        writer = self.connection._writer  # noqa: SLF001 - redis-py is pinned; its transport has no public name
        assert writer is not None  # noqa: S101 - the pool hands out connections that are connected
        self._transport: asyncio.Transport = writer.transport
        self._stock: Any = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self.heard_at = self._loop.time()

    @property
    def stale(self) -> bool:
        """Whether it is lost, or leads to what is not the master any more: what is asked next needs a new one."""
        return self._lost or bool(self.connection.should_reconnect())  # type: ignore[no-untyped-call]

    def renew(self) -> None:
        """Be stale from now on; what is under way goes on."""
        self.connection.mark_for_reconnect()  # type: ignore[no-untyped-call]

    def send(self, commands: bytes) -> None:
        """Write packed commands (`pack`); never blocks, and does nothing on a connection that is lost."""
        self._transport.write(commands)

    def fail(self, error: Exception) -> None:
        """Cut the connection and tell why."""
        if not self._lost:
            self._lost = True
            self._transport.abort()
            self._on_lost(error)

    async def aclose(self) -> None:
        """Cut the connection and give its place in the pool back; harmless when it is lost already."""
        self._lost = True
        await self.connection.disconnect(nowait=True)
        await self._pool.release(self.connection)

    # -- what asyncio calls ---------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on every answer that is complete."""
        self.heard_at = self._loop.time()
        reader, on_answer = self._reader, self._on_answer
        try:
            reader.feed(self._buffer[:nbytes])  # type: ignore[arg-type]  # any buffer does
            while not self._lost and (answer := reader.gets()) is not _NOTHING:
                on_answer(answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, this connection's answers can't be told apart any more
            self.fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell; redis-py waits for the end of its own protocol."""
        self._stock.connection_lost(exc)
        self.fail(exc or RedisConnectionError("Redis closed the connection"))


def pack(*command: Any) -> bytes:
    """Return a command as Redis reads it: bytes, text and numbers."""
    packed: bytes = hiredis.pack_command(command)
    return packed
