"""What the hub asks of a channel layer beside Channels' own API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.history import History
    from fanout.positions import Position, Top
    from fanout.presence import Part, PartReceiver
    from fanout.publication import Publication, Receiver


@runtime_checkable
class FanoutLayer(Protocol):
    """A channel layer that can feed a hub. `fanout.layers` states the guarantees."""

    async def subscribe(self, group: str, receiver: Receiver, on_part: PartReceiver | None = None) -> None:
        """Call `receiver` for every publication of `group` from now on, and `on_part` for what is announced.

        Returns when the subscription is in force. Raises Unavailable if Redis does not confirm it in
        time; the receiver is not subscribed then. One receiver may subscribe once to a group.
        """

    def unsubscribe(self, group: str, receiver: Receiver) -> None:
        """Stop calling `receiver`; does nothing if it is not subscribed. Does not wait for Redis."""

    async def publish(self, group: str, data: bytes, key: str | None = None) -> None:
        """Send JSON `data` to every receiver of `group` in the fleet; `key` as in Publication. Raises Unavailable."""

    async def append(self, group: str, data: bytes, history: History, key: str | None = None) -> Position:
        """Append to the group's stream and send to every receiver, in one step; return the publication's position.

        The same key within KEY_WINDOW is one publication, whichever process it reaches: a repeat returns the
        first one's position and sends nothing; with other data it raises KeyConflict. Raises Unavailable:
        the publication may have been made all the same; a repeat with the same key tells.
        """

    async def top(self, group: str) -> Top:
        """Return the newest position of a durable group. Raises Unavailable."""

    async def read(self, group: str, after: Position, through: int) -> list[Publication]:
        """Return what the stream still holds behind `after`, up to the offset `through`: the first of it.

        As much as READ_BYTES and READ_COUNT allow, at least one where there is one. Raises OtherEpoch if the stream is
        not in the epoch of `after` (any more): its offsets may name other publications. Raises Unavailable.
        """

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

    def on_back(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever a lost connection has been made anew: publications may have been missed.

        Return a function that ends it.
        """
