"""The matrix as wires from each publisher's replica to each receiver's: one that is cut is seen before any number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proof.report import grid

if TYPE_CHECKING:
    from proof.judgement.result import Result
    from proof.report.grid import State

WIDTH, HEIGHT = 360, 230
MARGIN = 16
"""Above the first and below the last bead."""
EDGE = 74
"""Beside the beads, for names."""
FEW = 6
"""Replicas up to which each bead has its name."""


@dataclass(frozen=True)
class Wire:
    """One cell."""

    state: State
    path: str
    end: tuple[float, float]
    """Where a wire that carries nothing breaks off."""


@dataclass(frozen=True)
class Bead:
    """One replica, on the left as publisher and on the right as receiver."""

    name: str
    y: float


@dataclass(frozen=True)
class Weave:
    """All of them, those that are whole first, so that no other one hides below."""

    wires: tuple[Wire, ...]
    beads: tuple[Bead, ...]
    left: float
    right: float


def weave(result: Result, names: list[str]) -> Weave | None:
    """Return the drawing; `names` are the replicas' in short. None without cells."""
    if not result.cells:
        return None
    named = len(names) <= FEW and max(map(len, names)) <= FEW + 2
    left = EDGE if named else MARGIN
    right = WIDTH - left
    step = (HEIGHT - 2 * MARGIN) / max(len(names) - 1, 1)
    heights = [MARGIN + step * number for number in range(len(names))] if len(names) > 1 else [HEIGHT / 2]
    wires = [
        _wire(grid.state(cell, result.p99_limit), (left, heights[row]), (right, heights[column]))
        for row, cells in enumerate(grid.rows(result)) for column, cell in enumerate(cells)
    ]  # fmt: skip
    order = list(grid.State)
    beads = tuple(Bead(name if named else "", y) for name, y in zip(names, heights, strict=True))
    return Weave(tuple(sorted(wires, key=lambda wire: order.index(wire.state))), beads, left, right)


def _wire(state: State, begin: tuple[float, float], end: tuple[float, float]) -> Wire:
    (left, above), (right, below) = begin, end
    if state == grid.State.EMPTY:  # it breaks off on the way
        right, below = left + (right - left) * 0.4, above + (below - above) * 0.4
        return Wire(state, f"M{left:.1f} {above:.1f}L{right:.1f} {below:.1f}", (round(right, 1), round(below, 1)))
    middle = (left + right) / 2
    path = f"M{left:.1f} {above:.1f}C{middle:.1f} {above:.1f} {middle:.1f} {below:.1f} {right:.1f} {below:.1f}"
    return Wire(state, path, (right, below))
