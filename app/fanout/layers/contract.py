"""What the hub asks of a channel layer beside Channels' own API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanout.history import History
    from fanout.positions import Position, Top
    from fanout.publication import Publication, Receiver


@runtime_checkable
class FanoutLayer(Protocol):
    """A channel layer that can feed a hub. `fanout.layers` states the guarantees."""

    async def subscribe(self, group: str, receiver: Receiver) -> None:
        """Call `receiver` for every publication of `group` from now on.

        Returns when the subscription is in force. Raises Unavailable if Redis does not confirm it in
        time; the receiver is not subscribed then. One receiver may subscribe once to a group.
        """

    def unsubscribe(self, group: str, receiver: Receiver) -> None:
        """Stop calling `receiver`; does nothing if it is not subscribed. Does not wait for Redis."""

    async def publish(self, group: str, data: bytes) -> None:
        """Send JSON `data` to every receiver of `group` in the fleet. Raises Unavailable."""

    async def append(self, group: str, data: bytes, history: History, key: str | None = None) -> Position:
        """Append to the group's stream and send to every receiver, in one step; return the publication's position.

        The same key within KEY_WINDOW is one publication, whichever process it reaches: a repeat returns the
        first one's position and sends nothing; with other data it raises KeyConflict. Raises Unavailable:
        the publication may have been made all the same; a repeat with the same key tells.
        """

    async def top(self, group: str) -> Top:
        """Return the newest position of a durable group. Raises Unavailable."""

    async def read(self, group: str, after: Position, through: int) -> list[Publication]:
        """Return what the stream still holds behind `after`, up to the offset `through`.

        Raises Unavailable, also when the stream is in another epoch than `after` by now: ask for `top` again.
        """

    def on_back(self, callback: Callable[[], None]) -> None:
        """Call back whenever a lost connection has been made anew: publications may have been missed."""
