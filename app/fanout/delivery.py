"""The way of a group's publications to its local sockets, coalesced in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fanout.audience import Audience
from fanout.counters import counters
from fanout.limits.bounds import outbox_limit

if TYPE_CHECKING:
    from fanout.encoder import Encoder
    from fanout.policy import Policy
    from fanout.positions import Position
    from fanout.publication import Publication
    from fanout.sockets import Socket

PORTIONS = 4
"""Parts of an outbox that leave at once at the most: a reader of 10 MB/s keeps up with a burst of any length."""
BREATH = 0.005
"""Seconds between two writes at least where more is held back than leaves at once."""


class Delivery:
    """The local sockets of one group.

    A publication leaves at once if none left within the policy's flush interval, else together with the
    others at the interval's end, as one write of several frames. In an ephemeral group a newer one of
    the same value supersedes an older one that has not left yet.

    More than a part of an outbox leaves in several writes, an interval apart, and nothing leaves while the
    write before is still under way: a burst, or a gap that was filled, cuts off nobody who reads.
    """

    def __init__(self, group: str, policy: Policy) -> None:
        self._group = group
        self._policy = policy
        self._audience = Audience(outbox_limit(policy))
        self._held: list[Publication] = []
        self._held_bytes = 0
        self._flushed_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.limit = outbox_limit(policy)
        """Bytes that may wait for one socket."""
        self.portion = outbox_limit(policy) // PORTIONS
        """Bytes of data that leave at once at the most, but for a single larger publication."""
        self.publications = 0
        """That came for the group since somebody here is in it."""

    @property
    def sockets(self) -> int:
        """How many there are."""
        return self._audience.size

    @property
    def crowded(self) -> bool:
        """Whether more is held back than leaves at once: a newcomer must wait for that, or all would leave."""
        return self._held_bytes > self.portion

    def add(self, socket: Socket, encoder: Encoder) -> None:
        """Let the socket have every publication that is delivered from now on."""
        # What is held back was delivered before: the newcomer's position covers it.
        self._flush_all()
        self._audience.add(socket, encoder)

    def remove(self, socket: Socket, encoder: Encoder) -> None:
        """Let the socket have nothing more."""
        self._audience.remove(socket, encoder)

    def deliver(self, publication: Publication) -> None:
        """Write a publication to every socket, now or at the end of the flush interval."""
        self.publications += 1
        self._held.append(publication)
        self._held_bytes += len(publication.data)
        if self._timer is not None:
            return
        wait = self._flushed_at + self._policy.flush_interval - self._loop.time()
        if wait <= 0:
            self.flush()
        else:
            self._later(wait)

    def reset(self, position: Position, reason: str) -> None:
        """Tell every socket that what lies before `position` is lost to it."""
        self._flush_all()
        counters.resets[reason] += self._audience.size
        self._audience.send(lambda encoder: [encoder.reset(self._group, position, reason)])

    def flush(self) -> None:
        """Write what is held back, as much as goes at once."""
        self._cancel()
        if not self._audience.busy:
            self._send(self.portion)
        if self._held:
            self._later(max(self._policy.flush_interval, BREATH))

    def _flush_all(self) -> None:
        self._cancel()
        self._send(None)

    def _send(self, limit: int | None) -> None:
        """Send what is held back, up to `limit` bytes: payloads are made once for all that share an encoder."""
        ephemeral = self._policy.history is None
        if ephemeral:
            before, self._held = len(self._held), _latest(self._held)
            counters.superseded += before - len(self._held)
            self._held_bytes = sum(len(publication.data) for publication in self._held)
        count, size = 0, 0
        while count < len(self._held) and (limit is None or not count or size < limit):
            size += len(self._held[count].data)
            count += 1
        sent, self._held = self._held[:count], self._held[count:]
        self._held_bytes -= size
        if sent:
            self._flushed_at = self._loop.time()
            value_keys = [publication.value_key for publication in sent] if ephemeral else None
            counters.coalesced += count - 1
            published_at = [publication.published_at for publication in sent]
            self._audience.send(lambda encoder: map(encoder.publication, sent), value_keys, published_at)

    def _later(self, wait: float) -> None:
        self._timer = self._loop.call_later(wait, self.flush)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _latest(publications: list[Publication]) -> list[Publication]:
    """Return them without those that a newer one of the same value supersedes; the newest come last."""
    latest: dict[object, Publication] = {}
    for number, publication in enumerate(publications):
        key = number if publication.value_key is None else publication.value_key
        latest.pop(key, None)
        latest[key] = publication
    return list(latest.values())
