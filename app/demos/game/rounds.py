"""Rounds and their gems, drawn from the round's number: the same on every replica that is asked. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from demos.game.arena import HEIGHT, TOUCH, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 60
"""Of a round. Far below the five minutes for which Redis remembers a claim's key."""
AT_ONCE = 12
"""Gems that are there when a round begins; one more comes each second."""
LAST_SECONDS = 4
"""At the end of a round in which no gem comes any more."""
GEMS = AT_ONCE + SECONDS - LAST_SECONDS
MARGIN = 60
"""Units from the wall to the nearest gem."""


@dataclass(frozen=True, slots=True)
class Gem:
    """Comes `after` so many seconds of its round, and stays until it is taken or the round ends."""

    number: int
    x: int
    y: int
    after: float


@dataclass(frozen=True, slots=True)
class Round:
    """One minute of an arena."""

    number: int
    gems: tuple[Gem, ...]

    @property
    def begins(self) -> int:
        """Seconds since 1970."""
        return self.number * SECONDS

    def touched(self, x: float, y: float, now: float) -> Iterator[Gem]:
        """Yield the gems, taken or not, that one who stands there touches."""
        for gem in self.gems:
            if abs(gem.x - x) <= TOUCH and abs(gem.y - y) <= TOUCH and now - self.begins >= gem.after:
                yield gem

    def as_data(self) -> dict[str, Any]:
        """Return what is told of the round when it is opened; times in seconds."""
        gems = [[gem.x, gem.y, gem.after] for gem in self.gems]
        return {"round": self.number, "begins": self.begins, "ends": self.begins + SECONDS, "gems": gems}


def round_at(arena: str, now: float) -> Round:
    """Return the round of an arena at a time in seconds since 1970."""
    return _round(arena, int(now // SECONDS))


@lru_cache(maxsize=64)
def _round(arena: str, number: int) -> Round:
    draw = random.Random(f"{arena}:{number}")  # noqa: S311 - a game's dice
    return Round(
        number,
        tuple(
            Gem(
                index,
                draw.randrange(MARGIN, WIDTH - MARGIN),
                draw.randrange(MARGIN, HEIGHT - MARGIN),
                float(max(0, index - AT_ONCE + 1)),
            )
            for index in range(GEMS)
        ),
    )
