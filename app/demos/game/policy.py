"""What the arena takes: steps that the player on this socket can make. Claims come from replicas alone."""

from __future__ import annotations

import time
import unicodedata
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from demos.game.arena import NAME_LIMIT
from demos.game.claims import collect
from demos.game.player import Player, player_of
from demos.game.walker import Walker
from demos.rooms import is_room_name
from fanout.accounts.users import name_of
from fanout.errors import BadData, Forbidden
from fanout.history import History
from fanout.policy import Policy

if TYPE_CHECKING:
    from fanout.asgi import Scope

SEAT = "demos.game.player"
"""Where a connection's scope holds its player."""
FRAME_LIMIT = 1024
"""Characters: a step has 60, a hello with its ticket 200."""
TICKET_LIMIT = 128
HINT = 'Send {"x": …, "y": …}; first, and behind each reconnect, with your ticket and name.'


class Step(msgspec.Struct, frozen=True):
    """What a client sends: where it is; first of all who, at the end that it goes."""

    x: float = 0.0
    y: float = 0.0
    ticket: Annotated[str, msgspec.Meta(max_length=TICKET_LIMIT)] | None = None
    name: str = ""
    gone: bool = False


class GamePolicy(Policy):
    """Positions, latest value by player. Anyone may watch; who plays needs a ticket."""

    kind = "game"
    frame_limit = FRAME_LIMIT
    presence = True
    flush_interval = 0.05
    """Twenty writes a second to a page, however many play."""

    async def may_join(self, scope: Scope, group: str) -> bool:  # noqa: ARG002 - anyone
        """Whoever names an arena as the page does."""
        return is_room_name(group.partition(".")[2])

    may_publish = may_join

    async def accept(self, scope: Scope, group: str, data: Any) -> dict[str, Any]:
        """Return the step with its player's id and name, and claim the gems that it touches."""
        if scope["type"] != "websocket":  # a step alone says nothing of the one before
            raise BadData("Steps are taken over a WebSocket only; to watch, any way is good.")
        try:
            step = msgspec.convert(data, Step)
        except msgspec.ValidationError as error:
            raise BadData(f"This is no step: {error}. {HINT}") from None
        now = time.monotonic()
        name = "" if step.ticket is None else await name_of(scope) or step.name
        player = _moved(scope, group.partition(".")[2], step, now, name)
        if step.gone:
            del scope[SEAT]
            return {"id": player.id, "gone": True}
        if player.walker.settled(now):
            collect(player, time.time())
        return {"id": player.id, "name": player.name, "x": round(player.x), "y": round(player.y)}

    def value_key(self, data: Any) -> str | None:
        """Of each player the newest step counts."""
        return data.get("id") if isinstance(data, dict) else None


class GemsPolicy(Policy):
    """Rounds and claims: what a newcomer needs to know of this round and the last one."""

    kind = "gems"
    history = History(size=400, age=600)

    async def may_join(self, scope: Scope, group: str) -> bool:  # noqa: ARG002 - anyone
        """Whoever names an arena as the page does."""
        return is_room_name(group.partition(".")[2])

    async def may_publish(self, scope: Scope, group: str) -> bool:  # noqa: ARG002 - whoever it is
        """Nobody: a replica claims for a player that stands there."""
        return False


def _moved(scope: Scope, arena: str, step: Step, now: float, name: str) -> Player:
    """Return the player of this socket behind its step, who comes with a ticket under the name.

    A socket has one, in one arena. Raise BadData, Forbidden.
    """
    player: Player | None = scope.get(SEAT)
    if step.ticket is not None:
        found = player_of(step.ticket)
        if player is None or (player.id, player.arena) != (found, arena):
            player = scope[SEAT] = Player(found, _clean_name(name), arena, Walker(step.x, step.y, now))
            return player
        player.name = _clean_name(name)
    if player is None or player.arena != arena:
        raise Forbidden(f"You do not play in {arena} on this connection yet. {HINT}")
    if not step.gone:
        player.walker.step(step.x, step.y, now)
    return player


def _clean_name(name: str) -> str:
    """Return the name as one short line; without one it is somebody."""
    visible = "".join(each for each in name if not unicodedata.category(each).startswith("C") or each == "\u200d")
    return " ".join(visible.split())[:NAME_LIMIT] or "Somebody"
