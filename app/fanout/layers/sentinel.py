"""Asks Sentinel whether a master is the master still.

Sentinel itself cuts the clients of a master that it demotes. But one that it replaced while it lived
(`SENTINEL FAILOVER`, a partition that ends) it demotes only after 10 s, and what that acknowledges until
then is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

if TYPE_CHECKING:
    from redis.asyncio.connection import Connection
    from redis.asyncio.sentinel import SentinelConnectionPool

LOOK_EVERY = 1.0
"""Seconds between two questions: how long a replaced master is written to at most."""


async def until_replaced(pool: SentinelConnectionPool, connection: Connection) -> None:
    """Return when Sentinel names another master than the one of `connection`; the pool's others are made anew then."""
    while True:
        await asyncio.sleep(LOOK_EVERY)
        with contextlib.suppress(RedisError, OSError):  # no Sentinel answers: nothing is known to have changed
            master = await pool.get_master_address()  # type: ignore[no-untyped-call]
            if master != (connection.host, connection.port):
                # One that was in use when the pool heard of the new master first, and is idle by now, would stay.
                await pool.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]
                await pool.disconnect(inuse_connections=False)
                return
