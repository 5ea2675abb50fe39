"""Channel layers with what the hub needs: confirmed subscriptions, publications in order, streams of durable groups.

What the hub asks, and is promised, stands in `contract.py`. Of Channels' own API both layers promise:

- `group_add` returns when the membership is in force: whatever is sent to the group after that is delivered,
  as long as the connection to Redis lasts. A lost one is made anew with all memberships.
- `group_send` returns when Redis has taken the message, or raises Unavailable within 2 s; a message that raised may
  still have been delivered (at most once, never twice). One sender's come in the order in which they were sent.
- An event of `group_send` to a durable group has no place in its stream: it is delivered at most once, and not to a
  client that is still catching up. What must arrive is published (`fanout.publish`).
- `send` to a general channel (a name without "!") waits, bounded by `capacity` and for `expiry` seconds, for exactly
  one receiver: of a worker process that is killed, at most what it had taken is lost. Only a failover that loses
  acknowledged writes can give a message to a second receiver, or to none.
"""

from fanout.layers.contract import FanoutLayer
from fanout.layers.memory import InMemoryChannelLayer
from fanout.layers.redis import RedisChannelLayer

__all__ = ["FanoutLayer", "InMemoryChannelLayer", "RedisChannelLayer"]
