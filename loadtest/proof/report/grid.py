"""The matrix of replicas as it is shown: what state each cell is in, and names short enough for its edges."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING

from proof.judgement.result import Count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proof.judgement.result import Cell, Result

LONG_NAME = 12
"""Letters past which names are shown without what they have in common."""


class State(StrEnum):
    """How a cell came out, the best first."""

    WHOLE = "whole"
    SLOW = "slow"
    UNASKED = "unasked"
    """Nothing had to arrive: no publisher here or no receiver there."""
    WRONG = "wrong"
    EMPTY = "empty"
    """Something had to arrive, and nothing did."""


def state(cell: Cell, p99_limit: float) -> State:
    """Return how a cell came out."""
    count = cell.count
    if count.expected and not count.received:
        return State.EMPTY
    if faults(count):
        return State.WRONG
    if not count.expected:
        return State.UNASKED
    return State.SLOW if cell.latency and cell.latency.p99 > p99_limit else State.WHOLE


def faults(count: Count) -> int:
    """Return how many were lost, doubled or out of order."""
    return count.lost + count.doubled + count.disordered


def total(result: Result) -> Count:
    """Return the sum of all cells."""
    return sum((cell.count for cell in result.cells), Count())


def rows(result: Result) -> list[list[Cell]]:
    """Return the cells: a row for each publisher's replica, a column for each receiver's."""
    size = len(result.replicas)
    return [result.cells[row * size : (row + 1) * size] for row in range(size)]


def worst(result: Result) -> Cell | None:
    """Return the cell that came out worst; the slowest when all are whole; None without cells."""
    order = list(State)

    def badness(cell: Cell) -> tuple[int, int, float]:
        p99 = cell.latency.p99 if cell.latency else 0.0
        return order.index(state(cell, result.p99_limit)), faults(cell.count), p99

    return max(result.cells, key=badness, default=None)


def wrong_with(count: Count) -> str:
    """Return "12 lost, 1 doubled"; empty when nothing was wrong."""
    told = ((count.lost, "lost"), (count.doubled, "doubled"), (count.disordered, "out of order"))
    return ", ".join(f"{number:,} {what}" for number, what in told if number)


def in_common(names: Sequence[str]) -> str:
    """Return what long names begin with, up to a hyphen; empty when they are short or differ at once."""
    if len(names) < 2 or max(map(len, names)) <= LONG_NAME:  # noqa: PLR2004 - one name has nothing to differ from
        return ""
    prefix = os.path.commonprefix(list(names))  # noqa: RUF071 - letter by letter is what is wanted
    return prefix[: prefix.rfind("-") + 1]
