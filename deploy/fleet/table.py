"""The status table, from numbers to text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADS = ("replica", "pid", "uptime", "connections", "memory", "ready")
CONTAINER_HEADS = ("replica", "container", "uptime", "connections", "memory", "ready")
RIGHT = frozenset({"pid", "uptime", "connections", "memory"})
NONE = "-"
MINUTE, HOUR, DAY = 60, 3600, 86_400
MIB = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """One process; None where a number does not exist."""

    name: str
    pid: int | str | None
    """The process, or the name of its container."""
    seconds: float | None
    connections: int | None
    memory: int | None
    ready: str
    """`yes`, or what is in the way."""

    @property
    def is_well(self) -> bool:
        """Return whether nothing needs to be done about it."""
        return self.ready == "yes"


def render(rows: Sequence[Row], heads: Sequence[str] = HEADS) -> str:
    """Return the table, columns as wide as their widest cell."""
    cells = [tuple(heads), *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    return "\n".join(_line(line, widths, heads) for line in cells)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        NONE if row.pid is None else str(row.pid),
        NONE if row.seconds is None else duration(row.seconds),
        NONE if row.connections is None else f"{row.connections:,}",
        NONE if row.memory is None else f"{row.memory / MIB:.0f} MiB",
        row.ready,
    )


def _line(cells: Sequence[str], widths: Sequence[int], heads: Sequence[str]) -> str:
    aligned = (
        cell.rjust(width) if head in RIGHT else cell.ljust(width)
        for head, cell, width in zip(heads, cells, widths, strict=True)
    )
    return "  ".join(aligned).rstrip()


def duration(seconds: float) -> str:
    """Return a time span in its two largest units."""
    whole = max(0, int(seconds))
    for size, unit, smaller, smaller_unit in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {smaller_unit}"
    return f"{whole} s"
