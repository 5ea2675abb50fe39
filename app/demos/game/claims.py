"""Who got which gem: claims in a durable group, of which Redis takes the first for each gem."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from demos.game.rounds import SECONDS, round_at
from fanout.api import apublish
from fanout.errors import FanoutError, KeyConflict

if TYPE_CHECKING:
    from demos.game.player import Player

logger = logging.getLogger(__name__)

_settled: dict[str, tuple[int, set[str]]] = {}
"""By arena: the round, and the keys in it whose fate this process knows; it asks for each once."""


async def collect(player: Player, now: float) -> None:
    """Claim what the player touches at `now` (seconds since 1970); the first claim of the fleet counts.

    A Redis that does not answer is no reason to refuse the step: the gem is still there for the next one.
    """
    current = round_at(player.arena, now)
    keys = _keys(player.arena, current.number, now)
    await _once(keys, player.arena, f"round-{current.number}", current.as_data())
    for gem in current.touched(player.x, player.y, now):
        claim = {"round": current.number, "gem": gem.number, "by": player.id, "name": player.name}
        await _once(keys, player.arena, f"gem-{current.number}-{gem.number}", claim)


async def _once(keys: set[str], arena: str, key: str, data: object) -> None:
    """Publish, unless the key's fate is known here; whoever comes second in the fleet gets nothing."""
    if key in keys:
        return
    keys.add(key)
    try:
        await apublish(f"gems.{arena}", data, key=key)
    except KeyConflict:
        logger.debug("%s of %s went to somebody else", key, arena)
    except FanoutError:
        keys.discard(key)


def _keys(arena: str, number: int, now: float) -> set[str]:
    known = _settled.get(arena)
    if known is None or known[0] != number:
        over = int(now // SECONDS)
        for other in [name for name, (last, _) in _settled.items() if last < over]:
            del _settled[other]
        known = _settled[arena] = (number, set())
    return known[1]
