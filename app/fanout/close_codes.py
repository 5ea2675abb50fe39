"""Every close code that a replica sends, and whether a client should come back after it.

1000-1015 mean what RFC 6455 and its registry say. Ours: 4000-4399 invite the client back,
4400-4999 tell it that the same words would be refused again.
"""

NORMAL = 1000
GOING_AWAY = 1001
"""The replica ends without a plan; come back at once."""
ABNORMAL = 1006
"""Never sent: what a client sees when the connection broke without a close frame."""
TOO_BIG = 1009
"""The message is over the server's own limit (1 MiB) and was not even read; only a server that has one sends it."""
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
"""The replica drains; come back after a random part of what its `reconnect` has said, at once without one."""
TRY_AGAIN_LATER = 1013
"""Nothing is wrong with the client, but it can't be served now (Redis or the database is away)."""

TOO_SLOW = 4008
"""The outbox of this socket was full: it read slower than the group talked. May come back."""
IDLE = 4009
"""The socket was in no group and said nothing. May come back when there is something to say."""
TOO_MANY = 4029
"""The account has more connections than it may have. May come back when some of the others are gone."""

BAD_INPUT = 4400
"""A plain client sent what it must not; the reason says what. Do not come back by itself."""
SESSION_ENDED = 4401
"""Who was behind the connection has logged out, was locked out or has another password; or nobody was who has to be."""
FORBIDDEN = 4403
"""The policy of the group does not let this client in."""
FLOODING = 4429
"""The client went on and on faster than it may. Do not come back by itself."""

RETURNING = range(4000, 4400)
OUTSIDE_OUR_RANGE = (GOING_AWAY, ABNORMAL, INTERNAL_ERROR, SERVICE_RESTART, TRY_AGAIN_LATER)


def may_return(code: int) -> bool:
    """Whether a client that was closed with `code` should connect again by itself."""
    return code in OUTSIDE_OUR_RANGE or code in RETURNING
