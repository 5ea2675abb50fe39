"""Publications until they are acknowledged: sent again with the same key, so that each is in its group once.

One publication of a group is under way at a time, and the next one only when its fate is known: that keeps their order.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from fanout import close_codes, protocol
from fanout.client.errors import NotConnected, Unacknowledged
from fanout.client.events import Later, Settled
from fanout.client.retry import retry_delay
from fanout.errors import TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanout.client.events import Event
    from fanout.client.line import Line
    from fanout.positions import Position

FAILURES = 3
"""Failures that the wait between two attempts grows with: it stays below 4 s, a small part of any patience."""


class Entry:
    """One publication that is not acknowledged."""

    __slots__ = ("busy", "data", "ended", "failures", "group", "key", "ticket", "tried")

    def __init__(self, ticket: int, group: str, data: bytes, key: str) -> None:
        self.ticket = ticket
        self.group = group
        self.data = data
        self.key = key
        self.busy = False
        """It is under way, or waits for its next attempt."""
        self.tried = False
        """It has been sent: it may have arrived."""
        self.failures = 0
        """Attempts that the server could not serve."""
        self.ended = False

    def frame(self, number: int) -> bytes:
        """Return the frame to send, the same for each attempt but for its id."""
        return protocol.encode(protocol.Publish(group=self.group, data=msgspec.Raw(self.data), id=number, key=self.key))

    def given_up(self) -> Exception:
        """Return the error that says how far it came."""
        if self.tried:
            return Unacknowledged(f"The server did not confirm this for {self.group} in time. It may be there or not.")
        return NotConnected(f"There was no connection in time: this was not sent to {self.group}.")


class Outbox:
    """A queue for each group."""

    def __init__(self, line: Line[Any], may_repeat: Callable[[str], bool], rand: Callable[[], float]) -> None:
        """`may_repeat` says whether the server tells a group's repeats by their key: not in an ephemeral one."""
        self._line = line
        self._may_repeat = may_repeat
        self._rand = rand
        self._queues: dict[str, deque[Entry]] = {}
        self._entries: dict[int, Entry] = {}

    def add(self, group: str, data: bytes, key: str) -> int:
        """Put a publication behind the others of its group; return its ticket. Raise NotConnected."""
        if not self._line.open and not self._may_repeat(group):
            raise NotConnected(f"There is no connection at the moment, and {group} is ephemeral: this was not sent.")
        entry = Entry(self._line.next_id(), group, data, key)
        self._entries[entry.ticket] = entry
        self._queues.setdefault(group, deque()).append(entry)
        self._send_first(group)
        return entry.ticket

    def give_up(self, ticket: int) -> Exception | None:
        """Forget a publication; return the error that says how far it came, None if it was settled before."""
        entry = self._entries.get(ticket)
        if entry is None:
            return None
        self._end(entry)
        return entry.given_up()

    def resume(self) -> None:
        """There is a new connection: what the old one left open is sent again."""
        for group, queue in tuple(self._queues.items()):
            queue[0].busy = False
            self._send_first(group)

    def close(self) -> list[Event]:
        """There will be no connection: give everything up."""
        entries = tuple(self._entries.values())
        self._entries.clear()
        self._queues.clear()
        for entry in entries:
            entry.ended = True
        return [Settled(entry.ticket, error=entry.given_up()) for entry in entries]

    # -- what becomes of one ------------------------------------------------------------------------------

    def acknowledged(self, entry: Entry, position: Position | None) -> Sequence[Event]:
        """It is in the group."""
        return self._settled(entry, position, None)

    def refused(self, entry: Entry, error: Exception) -> Sequence[Event]:
        """The server does not want it, or could not serve it just now."""
        if entry.ended or not isinstance(error, Unavailable) or not self._may_repeat(entry.group):
            return self._settled(entry, None, error)
        delay = retry_delay(close_codes.ABNORMAL, min(entry.failures, FAILURES), rand=self._rand)
        entry.failures += 1
        return (Later(delay, partial(self._again, entry, self._line.connection)),)

    def unanswered(self, entry: Entry, code: int) -> Sequence[Event]:
        """The connection was lost under it, with a close code: `resume` sends it again if that can't double it."""
        if code == close_codes.TOO_BIG:
            return self._settled(entry, None, TooLarge("The server does not read a frame of this size: send less."))
        return () if self._may_repeat(entry.group) else self._settled(entry, None, entry.given_up())

    def _settled(self, entry: Entry, position: Position | None, error: Exception | None) -> Sequence[Event]:
        if entry.ended:  # given up: nobody waits for it
            return ()
        self._end(entry)
        return (Settled(entry.ticket, position, error),)

    def _end(self, entry: Entry) -> None:
        entry.ended = True
        del self._entries[entry.ticket]
        queue = self._queues[entry.group]
        queue.remove(entry)
        if not queue:
            del self._queues[entry.group]
        self._send_first(entry.group)

    def _send_first(self, group: str) -> None:
        queue = self._queues.get(group)
        if queue and not queue[0].busy:
            entry = queue[0]
            entry.busy = self._line.request(entry, entry.frame)
            entry.tried |= entry.busy

    def _again(self, entry: Entry, connection: int) -> None:
        if connection == self._line.connection and not entry.ended:
            entry.busy = False
            self._send_first(entry.group)
