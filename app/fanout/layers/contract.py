"""What the hub asks of a channel layer beside Channels' own API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from fanout.publication import Receiver


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
