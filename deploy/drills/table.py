"""What the drills came to, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drills.engine import Outcome

HEADS = ("drill", "alert", "detect", "recover", "as shipped", "verdict")
RIGHT = frozenset({"detect", "recover", "as shipped"})


def render(outcomes: Sequence[Outcome]) -> str:
    """Return the table; `as shipped`: for how long the alert's condition has to hold before it fires."""
    lines = [HEADS, *(_cells(outcome) for outcome in outcomes)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join(_line(line, widths) for line in lines)


def _cells(outcome: Outcome) -> tuple[str, ...]:
    verdict = f"{outcome.verdict}: {outcome.reason}" if outcome.reason else outcome.verdict
    return (
        outcome.name,
        outcome.alert,
        _seconds(outcome.detect),
        _seconds(outcome.recover),
        "-" if outcome.shipped_wait is None else f"waits {outcome.shipped_wait:g} s",
        verdict.partition("\n")[0],
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = (
        cell.rjust(width) if head in RIGHT else cell.ljust(width)
        for head, cell, width in zip(HEADS, cells, widths, strict=True)
    )
    return "  ".join(aligned).rstrip()
