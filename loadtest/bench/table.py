"""The result as text: a line a row, ours beside stock, what was to be reached, the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.machine import DISTURBED
from bench.row import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.figure import Figure
    from bench.row import Row

HEADS = ("what", "measured", "spread", "reach", "stock", "ratio", "generator", "verdict")
RIGHT = frozenset({"measured", "stock", "ratio"})


def render(rows: Sequence[Row]) -> str:
    """Return the table, and below it what has to be known to read it."""
    lines = [_cells(row) for row in rows]
    widths = [max(len(line[column]) for line in (HEADS, *lines)) for column in range(len(HEADS))]
    return "\n".join([*(_aligned(line, widths) for line in (HEADS, *lines)), *_notes(rows)])


def machine(about: Mapping[str, Any]) -> str:
    """Return the sentences on where this was measured, and whether others disturbed it."""
    facts, share = about["machine"], about["used_by_others"]
    where = f"{facts['processor']}, {facts['cores']} cores, Linux {facts['kernel']}, Python {facts['python']}."
    if share < DISTURBED:
        return where
    return f"{where} Others used {share:.0%} of it meanwhile: figures are dearer than on a quiet machine; repeat it."


def number(value: float) -> str:
    """Return three figures of a number, and all of a large one."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three figures


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        _value(row.ours),
        _spread(row.ours),
        _reach(row),
        _value(row.stock) if row.stock else "-",
        _ratio(row),
        " / ".join(f"{figure.generator:.0%}" for figure in (row.ours, row.stock) if figure),
        row.verdict,
    )


def _reach(row: Row) -> str:
    if row.reach is None:
        return "-"
    here = row.reach_here
    return str(row.reach) if here == row.reach else f"{row.reach} (here {number(here.bound or 0)})"


def _value(figure: Figure) -> str:
    return "void" if figure.value is None else f"{number(figure.value)} {figure.unit}"


def _spread(figure: Figure) -> str:
    if figure.spread is None or len(figure.samples) == 1:
        return "-"
    return " to ".join(map(number, figure.spread))


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return "-"
    return f"{number(row.ratio)} x" if row.greater_is_better else f"1/{number(row.ratio)}"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    columns = zip(HEADS, cells, widths, strict=True)
    return "  ".join(
        cell.rjust(width) if head in RIGHT else cell.ljust(width) for head, cell, width in columns
    ).rstrip()


def _notes(rows: Sequence[Row]) -> list[str]:
    found = []
    for row in rows:
        told = [*([row.note] if row.note else []), *row.differing]
        told += [f"{figure.side} {_value(figure)}" for figure in row.others]
        told += [f"{figure.side} void: {figure.void}" for figure in (row.ours, *row.compared) if figure.void]
        found += [f"{row.name}: {'; '.join(told)}."] if told else []
    short = sum(row.verdict == Verdict.SHORT for row in rows)
    void = sum(row.verdict == Verdict.VOID for row in rows)
    return ["", *found, f"{len(rows)} rows, {short} short of what was to be reached, {void} void."]
