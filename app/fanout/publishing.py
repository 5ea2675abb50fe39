"""How a publication gets from this process into a group: the one way, for hubs and for those that only publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from channels.layers import get_channel_layer

from fanout.counters import counters
from fanout.data import encode_data
from fanout.errors import TooLarge, Unavailable
from fanout.layers import FanoutLayer
from fanout.limits.bounds import outbox_limit
from fanout.policy import policy_for

if TYPE_CHECKING:
    from fanout.positions import Position


async def publish_on(layer: FanoutLayer, group: str, data: Any, key: str | None = None) -> Position | None:
    """Publish `data` on the layer, durable or ephemeral as the group's policy says.

    Raise BadData, TooLarge, Unavailable or KeyConflict.
    """
    policy = policy_for(group)
    payload = encode_data(data)
    # One that fits no outbox would close each of the group's sockets, and again whenever it came back.
    if len(payload) > (limit := outbox_limit(policy) // 2):
        raise TooLarge(f"A publication of {group} may hold {limit} bytes of JSON; this one has {len(payload)}.")
    position = None
    try:
        if policy.history is None:
            await layer.publish(group, payload, policy.value_key(data))
        else:
            position = await layer.append(group, payload, policy.history, key)
    except Unavailable:
        counters.unavailable += 1
        raise
    counters.publications += 1
    return position


def default_layer() -> FanoutLayer:
    """Return the default channel layer. Raise TypeError when it is none of fanout's."""
    layer = get_channel_layer()
    if not _feeds_hubs(layer):
        raise TypeError(
            f"CHANNEL_LAYERS['default'] is {type(layer).__name__}: fanout needs fanout.layers.RedisChannelLayer"
            " or fanout.layers.InMemoryChannelLayer as BACKEND."
        )
    return layer


def _feeds_hubs(layer: Any) -> TypeGuard[FanoutLayer]:
    # isinstance() of a protocol looks each of its methods up anew, some 25 us a publication; this is remembered.
    return issubclass(type(layer), FanoutLayer)
