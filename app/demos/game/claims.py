"""Who got which gem: claims in a durable group, of which Redis takes the first for each gem."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from demos.game.rounds import SECONDS, round_at
from fanout.api import apublish
from fanout.errors import FanoutError, KeyConflict

if TYPE_CHECKING:
    from collections.abc import Callable

    from demos.game.player import Player

logger = logging.getLogger(__name__)

_settled: dict[str, tuple[int, set[str]]] = {}
"""By arena: the round, and the keys in it whose fate this process knows; it asks for each once."""


_tasks: set[asyncio.Task[None]] = set()
"""Claims on their way."""


def collect(player: Player, now: float) -> None:
    """Claim what the player touches at `now` (seconds since 1970); the first claim of the fleet counts.

    Nobody waits for it: a Redis that does not answer holds up no step, and the gem is still there for the next one.
    """
    current = round_at(player.arena, now)
    keys = _keys(player.arena, current.number, now)
    _once(keys, player.arena, f"round-{current.number}", current.as_data)
    for gem in current.touched(player.x, player.y, now):
        claim = {"round": current.number, "gem": gem.number, "by": player.id, "name": player.name}
        _once(keys, player.arena, f"gem-{current.number}-{gem.number}", partial(dict, claim))


def _once(keys: set[str], arena: str, key: str, data: Callable[[], dict[str, Any]]) -> None:
    """Publish, unless the key's fate is known here or being learnt."""
    if key not in keys:
        keys.add(key)
        task = asyncio.create_task(_publish(keys, arena, key, data()))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


async def _publish(keys: set[str], arena: str, key: str, data: dict[str, Any]) -> None:
    """Publish; whoever comes second in the fleet gets nothing."""
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
