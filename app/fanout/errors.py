"""What a caller of fanout may get instead of a result; each carries a code for the wire and a sentence for a person."""

from __future__ import annotations

from typing import ClassVar

KEY_REUSED = "This key was used with other data in the last five minutes: choose a new one."


class FanoutError(Exception):
    """Base of them all. `code` is stable, `str(error)` says what is wrong and what to do."""

    code: ClassVar[str] = "error"


class BadFrame(FanoutError):
    """The frame is no JSON object of the protocol."""

    code = "bad_frame"


class UnknownType(FanoutError):
    """The frame's type is none of the protocol's."""

    code = "unknown_type"


class BadGroup(FanoutError):
    """The group's name breaks the naming rule."""

    code = "bad_group"


class BadData(FanoutError):
    """The policy of the group does not take this data."""

    code = "bad_data"


class TooLarge(FanoutError):
    """A frame or a message is over its limit."""

    code = "too_large"


class TooManyGroups(FanoutError):
    """The socket is in as many groups as it may be."""

    code = "too_many_groups"


class Forbidden(FanoutError):
    """The policy of the group does not let this client do that."""

    code = "forbidden"


class TooFast(FanoutError):
    """The client does this more often than it may: nothing has happened. `wait`: seconds until it may again."""

    code = "too_fast"

    def __init__(self, sentence: str, wait: float = 1.0) -> None:
        super().__init__(sentence)
        self.wait = wait


class TooManyConnections(FanoutError):
    """The client's address or account has as many connections as it may have."""

    code = "too_many_connections"


class BadTicket(FanoutError):
    """The ticket was used, is over, or was never one: ask for a new one."""

    code = "bad_ticket"


class NotJoined(FanoutError):
    """The socket is not in the group."""

    code = "not_joined"


class Unavailable(FanoutError):
    """Redis or the database is away: what was asked for may have happened or not. Try again, with the same key."""

    code = "unavailable"


class KeyConflict(FanoutError):
    """The idempotency key was used with other data."""

    code = "key_conflict"

    def __init__(self, message: str = KEY_REUSED) -> None:
        super().__init__(message)
