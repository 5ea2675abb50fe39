"""Channel layers with what the hub needs: confirmed subscriptions, publications in order, streams of durable groups.

Guarantees of both layers, in the words of the design:

- `subscribe` and `group_add` return when the membership is in force: whatever is published after that
  is delivered, as long as the connection to Redis lasts.
- The publications of one publisher reach every receiver in the order in which they were published.
- `publish` and `group_send` return when Redis has taken the message, or raise Unavailable within 2 s;
  a message that raised may still have been delivered (at most once, never twice).
- A lost connection is noticed within 2 s and made anew by the layer itself, with all its memberships;
  what was published meanwhile is lost to this process (ephemeral groups are at most once), unless the
  hub fills it from the stream (durable groups).
- `append` returns when the publication is in the stream; offsets are 1, 2, 3 without holes. The same
  idempotency key within its window is one publication, whichever process it reaches.
- `send` to a general channel (a name without "!") waits, bounded by `capacity` and for `expiry` seconds, for exactly
  one receiver: of a worker process that is killed, at most what it had taken is lost. Only a failover that loses
  acknowledged writes can give a message to a second receiver, or to none.
- An event of `group_send` to a durable group has no place in its stream: it is delivered at most once, and not to a
  client that is still catching up. What must arrive is published (`fanout.publish`).
- A new epoch begins whenever the stream could have lost or reused offsets, and remembers the old one's
  last surviving offset.
"""

from fanout.layers.contract import FanoutLayer
from fanout.layers.memory import InMemoryChannelLayer
from fanout.layers.redis import RedisChannelLayer

__all__ = ["FanoutLayer", "InMemoryChannelLayer", "RedisChannelLayer"]
