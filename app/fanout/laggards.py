"""Sockets of an ephemeral group that have not read what they got: what they miss is superseded, never queued."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from fanout import close_codes
from fanout.sockets import TOO_SLOW_REASON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanout.sockets import Socket

AT_ONCE = 200
"""Sockets that one look takes in: it keeps nobody else waiting."""
RETRY = 0.1
"""Seconds between two looks at who has read: what the last value of a burst may be late. The next one looks too."""


_held: Counter[Socket] = Counter()
"""Bytes that wait for each socket that lags, of all its groups."""


def held_bytes() -> int:
    """Return the bytes that wait for sockets that lag, of all groups of this process."""
    return _held.total()


class _Values(dict["str | None", bytes]):
    """The latest payloads of one socket in one group: value key → payload, the newest last."""

    def __init__(self, socket: Socket) -> None:
        super().__init__()
        self._socket = socket
        self._size = 0

    def put(self, key: str | None, payload: bytes) -> None:
        """Keep a payload in place of the one of the same value."""
        more = len(payload) - len(self.pop(key, b""))
        self[key] = payload
        self._size += more
        _held[self._socket] += more

    def drop(self) -> None:
        """Hold nothing more."""
        _held[self._socket] -= self._size
        if not _held[self._socket]:
            del _held[self._socket]


class Laggards:
    """For each socket that lags, the latest payload of each value; those of no value supersede each other.

    `limit` bounds the bytes that wait for one socket in all of its groups.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: dict[Socket, _Values] = {}
        self._timer: asyncio.TimerHandle | None = None

    def sort_out(
        self, sockets: Sequence[Socket], value_keys: Sequence[str | None], payloads: Sequence[bytes]
    ) -> Sequence[Socket]:
        """Return the sockets that do not lag; the others get the payloads with what they have missed."""
        if not self._values:
            return sockets
        level = [socket for socket in sockets if socket not in self._values]
        for socket in [socket for socket in sockets if socket in self._values]:
            self.hold(socket, value_keys, payloads)
            self._offer(socket)
        return level

    def hold(self, socket: Socket, value_keys: Sequence[str | None], payloads: Sequence[bytes]) -> None:
        """Keep payloads for a socket that can't take them now; close it when they are too many."""
        values = self._values.get(socket)
        if values is None:
            values = self._values[socket] = _Values(socket)
        for key, payload in zip(value_keys, payloads, strict=True):
            values.put(key, payload)
        if _held[socket] > self._limit:
            self.remove(socket)
            socket.close(close_codes.TOO_SLOW, TOO_SLOW_REASON)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(RETRY, self._retry)

    def remove(self, socket: Socket) -> None:
        """Forget a socket."""
        values = self._values.pop(socket, None)
        if values is not None:
            values.drop()

    def _retry(self) -> None:
        self._timer = None
        for socket in tuple(islice(self._values, AT_ONCE)):
            self._offer(socket)
            if socket in self._values:
                self._values[socket] = self._values.pop(socket)  # those not looked at come first next time
        if self._values:
            self._timer = asyncio.get_running_loop().call_later(RETRY, self._retry)

    def _offer(self, socket: Socket) -> None:
        values = self._values.get(socket)
        # Most have still not read: nothing is put together for them.
        if values and not socket.queued_bytes and not socket.broadcaster.offer((socket,), tuple(values.values())):
            self.remove(socket)
