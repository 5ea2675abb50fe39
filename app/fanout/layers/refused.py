"""What Redis refuses: its own words, which may name keys, users and memory, are for the log and not for strangers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fanout.errors import Unavailable
from fanout.sparse_log import SparseLog

if TYPE_CHECKING:
    from redis.exceptions import RedisError

_log = SparseLog(logging.getLogger(__name__))


def refused(what: str, error: RedisError) -> Unavailable:
    """Log why Redis refused to do `what`, and return what a client is told."""
    _log.warning("Redis refused to %s: %s", what, error)
    return Unavailable(f"Redis refused to {what}: try again later; the server's log says why.")
