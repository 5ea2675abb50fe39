r"""What a client of `fanout.v1` does, without socket, clock or event loop: bytes in, events and bytes out.

What a publication costs (1.2 µs on an AMD EPYC), in a shell in `app/`:

    python -m timeit -n 200000 -r 1 \
      -s 'from msgspec.json import encode; from fanout.client import Core' \
      -s 'core = Core(); core.join("chat.a"); core.opened()' \
      -s 'core.receive(encode(dict(type="joined", id=1, group="chat.a", epoch="e", offset=0)))' \
      -s 'frame = dict(type="publication", group="chat.a", epoch="e", data="x" * 100)' \
      -s 'frames = iter([encode(frame | dict(offset=n)) for n in range(1, 200001)])' \
      'assert core.receive(next(frames))'
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from fanout import close_codes, protocol
from fanout.client.errors import refusal
from fanout.client.events import Later, Refused, Settled
from fanout.client.frames import (
    AckFrame,
    ErrorFrame,
    JoinedFrame,
    LeftFrame,
    Published,
    ReconnectFrame,
    ResetFrame,
    decode,
)
from fanout.client.groups import Membership
from fanout.client.line import Line
from fanout.client.outbox import Entry, Outbox
from fanout.client.retry import retry_delay
from fanout.data import encode_data
from fanout.errors import Unavailable
from fanout.groups import check_group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from fanout.client.events import Event
    from fanout.client.frames import ServerFrame
    from fanout.positions import Position

STABLE = 5.0
"""Seconds: a connection that held this long was a good one, and the backoff begins anew after it."""


class _Join:
    """A join that waits for its answer."""

    def __init__(self, membership: Membership, failures: int) -> None:
        self.membership = membership
        self.failures = failures
        """Attempts on this connection that the server could not serve."""

    def frame(self, number: int) -> bytes:
        """Return the frame: to go on behind the position, if there is one."""
        membership, since = self.membership, self.membership.position
        return protocol.encode(
            protocol.Join(
                group=membership.group,
                id=number,
                since=protocol.Since(since.epoch, since.offset) if since else None,
                last=0 if since or membership.ephemeral else membership.last,
            )
        )


class _Leave:
    """A leave that waits for its answer."""

    def __init__(self, group: str, ticket: int) -> None:
        self.group = group
        self.ticket = ticket

    def frame(self, number: int) -> bytes:
        """Return the frame."""
        return protocol.encode(protocol.Leave(self.group, number))


class Core:
    """One client's groups and publications, over all its connections.

    Tell it what happens (`opened`, `receive`, `lost`); after each call send what `outgoing` returns, and act on the
    events that were returned. `fanout/PROTOCOL.md` has the guarantees; `Client` says what they mean for a user.
    """

    def __init__(self, rand: Callable[[], float] = random.random) -> None:
        """`rand` returns numbers in [0, 1), for the jitter."""
        self._rand = rand
        self._memberships: dict[str, Membership] = {}
        self._skipped: set[str] = set()
        self._line: Line[_Join | _Leave | Entry] = Line()
        self._outbox = Outbox(self._line, self._may_repeat, rand)
        self._failures = 0
        self._hint: float | None = None

    # -- what the user wants ------------------------------------------------------------------------------

    def join(self, group: str, *, since: Position | None = None, last: int = 0) -> bool:
        """Be in the group, now and after each reconnect; answered by Joined or Refused. Raise BadGroup.

        Goes on behind `since`, or begins with the `last` publications. Return False if it is wanted already.
        """
        if check_group(group) in self._memberships:
            return False
        if not 0 <= last <= protocol.LAST_LIMIT:
            raise ValueError(f"`last` must be 0 to {protocol.LAST_LIMIT}, not {last}.")
        membership = self._memberships[group] = Membership(group, since, last)
        self._send_join(membership)
        return True

    def leave(self, group: str) -> int | None:
        """Be in the group no more. Return the ticket of the answer; None when there is none to wait for."""
        self._skipped.discard(group)
        if self._memberships.pop(group, None) is None:
            return None
        call = _Leave(group, self._line.next_id())
        return call.ticket if self._line.request(call, call.frame) else None

    def publish(self, group: str, data: Any, key: str | None = None) -> int:
        """Publish, as often as it takes; return the ticket of the answer. Raise BadGroup, BadData, NotConnected.

        Without a `key` it gets one of its own. To an ephemeral group it is sent once, if there is a connection.
        """
        if key is not None and not 1 <= len(key) <= protocol.KEY_LIMIT:
            raise ValueError(f"The key must have 1 to {protocol.KEY_LIMIT} characters, not {len(key)}.")
        return self._outbox.add(check_group(group), encode_data(data), key or uuid4().hex)

    def give_up(self, ticket: int) -> Exception | None:
        """Forget a publication; return the error that says how far it came, None if it was settled before."""
        return self._outbox.give_up(ticket)

    def position(self, group: str) -> Position | None:
        """Return the position behind the last publication of the group that was handed out."""
        membership = self._memberships.get(group)
        return membership.position if membership else None

    # -- the connection -----------------------------------------------------------------------------------

    def opened(self) -> None:
        """There is a connection: join everything behind its position, send again what is not acknowledged."""
        self._line.begin()
        self._hint = None
        for membership in self._memberships.values():
            self._send_join(membership)
        self._outbox.resume()

    def lost(self, code: int, held: float = 0.0) -> tuple[float | None, Sequence[Event]]:
        """The connection ended with the close code `code` after `held` seconds, or could not be made (1006, 0).

        Return the seconds until the next attempt, None if the server does not want one, and what is settled now.
        """
        if held >= STABLE:
            self._failures = 0
        delay = retry_delay(code, self._failures, self._hint, self._rand) if close_codes.may_return(code) else None
        self._failures += 1
        self._hint = None
        self._skipped.clear()
        settled = [event for call in self._line.end() for event in self._unanswered(call, code)]
        return delay, settled if delay is not None else settled + self._outbox.close()

    def close(self) -> Sequence[Event]:
        """There will be no connection: return what becomes of the publications that are not acknowledged."""
        self._line.end()
        return self._outbox.close()

    def outgoing(self) -> list[bytes]:
        """Return the text frames to send, in order, once."""
        return self._line.outgoing()

    @property
    def oldest_call(self) -> int | None:
        """The id of the frame that has waited longest for its answer; later frames have greater ones."""
        return self._line.oldest

    def _unanswered(self, call: _Join | _Leave | Entry, code: int) -> Sequence[Event]:
        match call:
            case _Leave(ticket=ticket):
                return (Settled(ticket),)
            case Entry():
                return self._outbox.unanswered(call, code)
        return ()

    # -- what arrives ---------------------------------------------------------------------------------------

    def receive(self, text: bytes | str, *, room: bool = True) -> Sequence[Event]:
        """Return what a text frame of the server comes to.

        Without `room` a publication is not taken: a durable group goes on there after `resume`, in an ephemeral one it
        is superseded.
        """
        frame = decode(text)
        if type(frame) is Published:
            return self._published(frame, room)
        return self._answered(frame) if frame is not None else ()

    def _published(self, frame: Published, room: bool) -> Sequence[Event]:
        membership = self._memberships.get(frame.group)
        if membership is None or not membership.joined:
            return ()
        if not room:
            return self._skip(membership)
        events = membership.take(frame)
        if events is None:  # a gap: the server fills it, or tells a reset
            self._send_join(membership)
            return ()
        return events

    def _answered(self, frame: ServerFrame) -> Sequence[Event]:
        match frame:
            case ResetFrame(group=group):
                membership = self._memberships.get(group)
                return membership.reset(frame) if membership and membership.joined else ()
            case ReconnectFrame(retry=milliseconds):
                self._hint = milliseconds / 1000
            case ErrorFrame():
                return self._refused(frame)
            case JoinedFrame() | AckFrame() | LeftFrame():
                return self._served(frame)
        return ()

    def _served(self, frame: JoinedFrame | AckFrame | LeftFrame) -> Sequence[Event]:
        match self._line.answered(frame.id), frame:
            case _Join(membership=membership), JoinedFrame() if self._wanted(membership):
                return membership.enter(frame)
            case _Leave(ticket=ticket), LeftFrame():
                return (Settled(ticket),)
            case Entry() as entry, AckFrame():
                return self._outbox.acknowledged(entry, frame.position)
        return ()

    def _refused(self, frame: ErrorFrame) -> Sequence[Event]:
        error = refusal(frame.code, frame.message)
        match self._line.answered(frame.id):
            case _Join() as call:
                return self._join_refused(call, error) if self._wanted(call.membership) else ()
            case _Leave(ticket=ticket):  # not_joined: that is where we wanted to be
                return (Settled(ticket),)
            case Entry() as entry:
                return self._outbox.refused(entry, error)
        return (Refused(None, error),)

    # -- groups -----------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """There is room again: go on in the groups where publications were not taken."""
        skipped, self._skipped = self._skipped, set()
        for group in skipped:
            self._send_join(self._memberships[group])

    @property
    def skipped(self) -> bool:
        """Whether publications wait for `resume`."""
        return bool(self._skipped)

    def _skip(self, membership: Membership) -> Sequence[Event]:
        if not membership.ephemeral:
            membership.joined = False
            self._skipped.add(membership.group)
        return ()

    def _may_repeat(self, group: str) -> bool:
        membership = self._memberships.get(group)
        return membership is None or not membership.ephemeral

    def _wanted(self, membership: Membership) -> bool:
        return self._memberships.get(membership.group) is membership

    def _send_join(self, membership: Membership, failures: int = 0) -> None:
        membership.joined = False
        call = _Join(membership, failures)
        self._line.request(call, call.frame)

    def _join_refused(self, call: _Join, error: Exception) -> Sequence[Event]:
        membership = call.membership
        if not isinstance(error, Unavailable):
            del self._memberships[membership.group]
            return (Refused(membership.group, error),)
        delay = retry_delay(close_codes.TRY_AGAIN_LATER, call.failures, rand=self._rand)
        return (Later(delay, partial(self._join_again, call, self._line.connection)),)

    def _join_again(self, call: _Join, connection: int) -> None:
        if connection == self._line.connection and self._wanted(call.membership):
            self._send_join(call.membership, call.failures + 1)
