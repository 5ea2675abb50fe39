"""Who plays: a ticket that this fleet has signed, so that nobody walks as somebody else or takes their score."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core import signing

from fanout.errors import Forbidden

if TYPE_CHECKING:
    from demos.game.walker import Walker

TICKET_AGE = 24 * 3600
"""Seconds for which a ticket is good."""
ID_BYTES = 4

_signer = signing.TimestampSigner(salt="demos.game.ticket")


@dataclass(slots=True)
class Player:
    """A player as the replica of its socket knows it."""

    id: str
    name: str
    arena: str
    walker: Walker

    @property
    def x(self) -> float:
        """Units from the left wall."""
        return self.walker.x

    @property
    def y(self) -> float:
        """Units from the top."""
        return self.walker.y


def new_ticket() -> tuple[str, str]:
    """Return the id of a new player and the ticket that proves it to any replica."""
    player = secrets.token_hex(ID_BYTES)
    return player, _signer.sign(player)


def player_of(ticket: str) -> str:
    """Return the player of a ticket. Raise Forbidden."""
    try:
        return _signer.unsign(ticket, max_age=TICKET_AGE)
    except signing.SignatureExpired:
        raise Forbidden("This ticket is a day old: reload the page for a new one.") from None
    except signing.BadSignature:
        raise Forbidden("This is no ticket of this server: get one from /game/ticket.") from None
