"""One player's way over one connection: which steps are possible. Pure; the clock is the server's."""

from __future__ import annotations

import math

from demos.game.arena import GRACE, HEIGHT, RATE, SETTLE, SPEED, STALL, WIDTH
from fanout.errors import BadData


class Walker:
    """Begins anywhere; from then on it walks."""

    __slots__ = ("_at", "_begun", "_reach", "_steps", "x", "y")

    def __init__(self, x: float, y: float, now: float) -> None:
        _check_inside(x, y)
        self.x, self.y = x, y
        self._begun = self._at = now
        self._reach = SPEED * STALL
        self._steps = RATE * STALL

    def step(self, x: float, y: float, now: float) -> None:
        """Go there. Raise BadData for what nobody can do; the walker stays where it was then."""
        _check_inside(x, y)
        passed = max(0.0, now - self._at)
        self._at = now
        self._reach = min(SPEED * STALL, self._reach + SPEED * GRACE * passed)
        self._steps = min(RATE * STALL, self._steps + RATE * GRACE * passed)
        if self._steps < 1:
            raise BadData(f"Too many steps: {RATE} a second are taken. This one did not happen.")
        distance = math.hypot(x - self.x, y - self.y)
        if distance > self._reach:
            raise BadData(
                f"Too fast: {distance:.0f} units in one step, {self._reach:.0f} were possible. You are still at"
                f" {self.x:.0f}, {self.y:.0f}."
            )
        self._steps -= 1
        self._reach -= distance
        self.x, self.y = x, y

    def settled(self, now: float) -> bool:
        """Whether it could by now have walked here from anywhere."""
        return now - self._begun >= SETTLE


def _check_inside(x: float, y: float) -> None:
    if not (0 <= x <= WIDTH and 0 <= y <= HEIGHT):
        raise BadData(f"{x:.0f}, {y:.0f} is outside the arena: it ends at {WIDTH}, {HEIGHT}.")
