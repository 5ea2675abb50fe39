"""The way of a group's publications to its local sockets, coalesced in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fanout.audience import Audience

if TYPE_CHECKING:
    from fanout.encoder import Encoder
    from fanout.policy import Policy
    from fanout.positions import Position
    from fanout.publication import Publication
    from fanout.sockets import Socket


class Delivery:
    """The local sockets of one group.

    A publication leaves at once if none left within the policy's flush interval, else together with the
    others at the interval's end, as one write of several frames. In an ephemeral group a newer one with
    the same key takes the place of an older one that has not left yet.
    """

    def __init__(self, group: str, policy: Policy) -> None:
        self._group = group
        self._policy = policy
        self._audience = Audience(policy.outbox_limit)
        self._held: list[Publication] = []
        self._flushed_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def sockets(self) -> int:
        """How many there are."""
        return self._audience.size

    def add(self, socket: Socket, encoder: Encoder) -> None:
        """Let the socket have every publication that is delivered from now on."""
        # What is held back was delivered before: the newcomer's position covers it.
        self.flush()
        self._audience.add(socket, encoder)

    def remove(self, socket: Socket, encoder: Encoder) -> None:
        """Let the socket have nothing more."""
        self._audience.remove(socket, encoder)

    def deliver(self, publication: Publication) -> None:
        """Write a publication to every socket, now or at the end of the flush interval."""
        self._held.append(publication)
        if self._timer is not None:
            return
        wait = self._flushed_at + self._policy.flush_interval - self._loop.time()
        if wait <= 0:
            self.flush()
        else:
            self._timer = self._loop.call_later(wait, self.flush)

    def reset(self, position: Position, reason: str) -> None:
        """Tell every socket that what lies before `position` is lost to it."""
        self.flush()
        self._audience.send(lambda encoder: [encoder.reset(self._group, position, reason)])

    def flush(self) -> None:
        """Write what is held back: payloads are made once for all sockets that share an encoder."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._held:
            return
        held, self._held = self._held, []
        self._flushed_at = self._loop.time()
        keys = None
        if self._policy.history is None:
            held = _latest(held)
            keys = [publication.key for publication in held]
        self._audience.send(lambda encoder: map(encoder.publication, held), keys)


def _latest(publications: list[Publication]) -> list[Publication]:
    """Return them without those that a newer one with the same key supersedes; the newest come last."""
    latest: dict[object, Publication] = {}
    for number, publication in enumerate(publications):
        key = number if publication.key is None else publication.key
        latest.pop(key, None)
        latest[key] = publication
    return list(latest.values())
