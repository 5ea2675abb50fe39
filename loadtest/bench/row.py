"""One line of the result: ours beside stock, what was to be reached, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from bench.work import differences, refuse_unlike

if TYPE_CHECKING:
    from bench.figure import Figure


class Verdict(StrEnum):
    """What a row comes to."""

    REACHED = "reached"
    SHORT = "short"
    VOID = "void"
    NONE = "-"
    """Nothing was to be reached: the row informs."""


@dataclass(frozen=True)
class Reach:
    """What is to be reached: a bound on the figure, and how many times better than stock."""

    bound: float | None = None
    least: bool = False
    """Whether the bound is a minimum."""
    ratio: float | None = None
    stock: float | None = None
    """What stock took, at the most, on the machine for which the bound was set: where stock takes longer, the machine
    is slower, and the bound grows with it."""

    def on(self, stock: float | None) -> Reach:
        """Return the reach on a machine where stock takes so long."""
        if self.bound is None or self.stock is None or stock is None or stock <= self.stock:
            return self
        return replace(self, bound=self.bound * stock / self.stock)

    def holds(self, value: float, ratio: float | None) -> bool:
        """Return whether a figure and its ratio to stock are at or past it."""
        if self.bound is not None and (value < self.bound if self.least else value > self.bound):
            return False
        return self.ratio is None or (ratio is not None and ratio >= self.ratio)

    def __str__(self) -> str:
        """Say it as the table does."""
        bound = [] if self.bound is None else [f"{'≥' if self.least else '≤'} {self.bound:,g}"]
        return " and ".join([*bound, *([] if self.ratio is None else [f"≤ 1/{self.ratio:g} of stock"])])


@dataclass(frozen=True)
class Row:
    """One comparison. Raise UnlikeWorkError when its figures are not comparable."""

    part: str
    name: str
    ours: Figure
    stock: Figure | None = None
    others: tuple[Figure, ...] = ()
    reach: Reach | None = None
    differ: tuple[str, ...] = ()
    """Fields of Work in which the sides differ on purpose; the table names them."""
    greater_is_better: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        for figure in self.compared:
            refuse_unlike(self.ours.work, figure.work, self.differ)

    @property
    def compared(self) -> tuple[Figure, ...]:
        """What stands beside ours."""
        return (*((self.stock,) if self.stock else ()), *self.others)

    @property
    def ratio(self) -> float | None:
        """How many times better than stock ours is; None when there is no such number."""
        ours, stock = self.ours.value, self.stock.value if self.stock else None
        if ours is None or stock is None or min(ours, stock) <= 0:
            return None
        return ours / stock if self.greater_is_better else stock / ours

    @property
    def verdict(self) -> Verdict:
        """What it comes to. A void control voids the row only where a ratio to it was to be reached."""
        value = self.ours.value
        if value is None:
            return Verdict.VOID
        if self.reach is None:
            return Verdict.NONE
        if self.reach.ratio is not None and self.stock is not None and self.stock.void:
            return Verdict.VOID
        return Verdict.REACHED if self.reach_here.holds(value, self.ratio) else Verdict.SHORT

    @property
    def reach_here(self) -> Reach:
        """What was to be reached, on this machine."""
        return (self.reach or Reach()).on(self.stock.value if self.stock else None)

    @property
    def differing(self) -> list[str]:
        """Sentences for the declared differences to stock."""
        if self.stock is None:
            return []
        pairs = differences(self.ours.work, self.stock.work)
        return [f"{name} {ours} (stock {stock})" for name, (ours, stock) in pairs.items()]
