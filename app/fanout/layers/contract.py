"""What fanout asks of a channel layer beside Channels' own API; both layers pass one suite, and so must a third.

Raises Unavailable: Redis has refused, or not answered in time; of `publish` and `append` that is known within 2 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fanout.history import History
    from fanout.positions import Position, Top
    from fanout.presence.view import Part, PartReceiver
    from fanout.publication import Publication, Receiver


class Broadcast(Protocol):
    """Publications to everybody who is there now, the publisher's own process like every other.

    - Whatever is published after `subscribe` returned is delivered, once and in the order of its publisher, as long as
      the connection to Redis lasts.
    - A lost connection is noticed within 2 s and made anew by the layer itself, with all its subscriptions. What was
      published meanwhile is lost to this process (ephemeral groups are at most once), unless the hub fills it from the
      stream (durable groups): `on_back` tells when to look.
    """

    async def subscribe(self, group: str, receiver: Receiver, on_part: PartReceiver | None = None) -> None:
        """Call `receiver` for every publication of `group` from now on, and `on_part` for what is announced.

        Returns when the subscription is in force. Raises Unavailable if Redis does not confirm it in
        time; the receiver is not subscribed then. One receiver may subscribe once to a group.
        """

    def unsubscribe(self, group: str, receiver: Receiver) -> None:
        """Stop calling `receiver`; does nothing if it is not subscribed. Does not wait for Redis."""

    async def publish(self, group: str, data: bytes, value_key: str | None = None) -> None:
        """Send JSON `data` to every receiver of `group` in the fleet; `value_key` as in Publication.

        Returns when Redis has taken it. Raises Unavailable: it may have been delivered all the same, never twice.
        """

    def on_back(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever a lost connection has been made anew: publications may have been missed.

        Return a function that ends it.
        """


class Streams(Protocol):
    """What is kept of durable groups.

    - Offsets are 1, 2, 3 without holes, over all publishers. Getting one, keeping and sending the publication are one
      step: apart, two publishers could be kept in one order and heard in the other.
    - A new epoch begins whenever the stream could have lost or reused offsets, and remembers the old one's
      last surviving offset.
    """

    async def append(self, group: str, data: bytes, history: History, key: str | None = None) -> Position:
        """Append to the group's stream and send to every receiver, in one step; return the publication's position.

        The same key within KEY_WINDOW is one publication, whichever process it reaches: a repeat returns the
        first one's position and sends nothing; with other data it raises KeyConflict. Raises Unavailable:
        the publication may have been made all the same; a repeat with the same key tells.
        """

    async def top(self, group: str) -> Top:
        """Return the newest position of a durable group. Raises Unavailable."""

    async def tops(self, kind: str) -> dict[str, Top]:
        """Return the newest position of each durable group of a kind, as its last publication left it.

        For those who go through all groups, to archive or to compact: what a failure took from a stream shows in `top`.
        Groups that are published to meanwhile may be missing. Raises Unavailable.
        """

    async def read(self, group: str, after: Position, through: int) -> list[Publication]:
        """Return what the stream still holds behind `after`, up to the offset `through`: the first of it.

        As much as READ_BYTES and READ_COUNT allow, at least one where there is one. Raises OtherEpoch if the stream is
        not in the epoch of `after` (any more): its offsets may name other publications. Raises Unavailable.
        """


class Presence(Protocol):
    """Who is in a group over the fleet: each process says its part of it, and that it lives."""

    async def announce(self, group: str, part: Part) -> None:
        """Keep what a process says of its members, and tell every `on_part`; an older part changes nothing kept.

        What is kept lasts for three times the interval at which processes repeat it. Raises Unavailable.
        """

    async def presence(self, group: str) -> list[Part]:
        """Return the newest part of each process, also of those that died without a word. Raises Unavailable."""

    async def forget(self, group: str, part: Part) -> None:
        """Remove a part of a process that is dead, unless it has announced a newer one. Raises Unavailable."""

    async def beat(self, process: str, stale_after: float) -> set[str]:
        """Note that a process lives; return those that did so within `stale_after` seconds. Raises Unavailable."""


class Holdings(Protocol):
    """How many connections one subject (an address, an account) holds over the fleet, for the limits on that.

    A process that has said nothing for `stale_after` seconds counts no more: none has to say goodbye.
    """

    async def claim(self, process: str, subject: str, own: int, limit: int, stale_after: float) -> bool:
        """Note that a process has `own` connections of a subject; False, and not noted, if the fleet had over `limit`.

        Raises Unavailable.
        """

    async def hold(self, process: str, counts: Mapping[str, int], stale_after: float) -> int:
        """Note how many connections of each of these subjects a process has, whatever the fleet has.

        Return of how many subjects connections of the process are known. Raises Unavailable.
        """


class Deposits(Protocol):
    """Values that one process leaves for the first of all that asks: tickets."""

    async def deposit(self, name: str, value: bytes, seconds: float) -> None:
        """Keep a value for so long, or until it is collected. Raises Unavailable."""

    async def collect(self, name: str) -> bytes | None:
        """Return a value that was deposited, to the first who asks and to nobody after. Raises Unavailable."""


@runtime_checkable
class FanoutLayer(Broadcast, Streams, Presence, Holdings, Deposits, Protocol):
    """A channel layer that can feed a hub: all of the above, a group's stream and its broadcast on one Redis."""
