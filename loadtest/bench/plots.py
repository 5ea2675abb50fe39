"""The result as pictures, SVG and PNG: each drawn only when its part was measured."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.table import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

    from bench.figure import Figure
    from bench.row import Reach, Row

OURS, STOCK, OTHER, LINE, MUTED = "#0b7a75", "#c8553d", "#b9b4a8", "#e4e1d9", "#6b6b6b"
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 10, "figure.facecolor": "white", "axes.facecolor": "white",
    "axes.edgecolor": LINE, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": LINE, "grid.linewidth": 0.8, "axes.axisbelow": True, "axes.labelcolor": MUTED,
    "xtick.color": MUTED, "ytick.color": "#222222", "svg.fonttype": "path", "svg.hashsalt": "bench",
}  # fmt: skip
WIDTH, BAR, BETWEEN = 8.0, 0.34, 1.0
"""Inches: of a picture, of a bar with its gap, of what stands between two panels."""
FAR_APART = 20
"""The greatest value over the least from which a bar of the least could not be seen."""


def write(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw what was measured; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    mpl.use("agg")
    written: list[Path] = []
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]  # the stubs want literal keys
        for name, draw in PICTURES.items():
            picture = draw([row for row in rows if row.part == name])
            if picture is not None:
                written += _save(picture, folder / name)
    return written


def _save(picture: Picture, path: Path) -> list[Path]:
    files = [path.with_suffix(".svg"), path.with_suffix(".png")]
    for file in files:
        picture.savefig(file, dpi=160, bbox_inches="tight", pad_inches=0.25)
    plt.close(picture)
    return files


@dataclass(frozen=True)
class Bar:
    """One bar of a panel."""

    label: str
    figure: Figure

    @property
    def value(self) -> float:
        """Its length."""
        return self.figure.value or 0.0


def _bars(title: str, rows: Sequence[Row]) -> Picture | None:
    """Draw horizontal bars: a panel for each quantity, which rows name before their colon."""
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.name.partition(": ")[0]].append(row)
    drawn = [(quantity, group, bars) for quantity, group in grouped.items() if (bars := bars_of(group))]
    if not drawn:
        return None
    counts = [len(bars) for *_, bars in drawn]
    size = WIDTH, sum(counts) * BAR + len(drawn) * BETWEEN
    picture, panels = plt.subplots(len(drawn), 1, figsize=size, height_ratios=counts, squeeze=False)
    for axes, (quantity, group, bars) in zip(panels[:, 0], drawn, strict=True):
        _panel(axes, quantity, bars, group[0].reach)
    _title(picture, title)
    return picture


def bars_of(rows: Sequence[Row]) -> list[Bar]:
    """Return ours of each row, then what stands beside them, each once; void figures have no bar."""
    ours: list[Bar] = []
    beside: dict[Figure, Bar] = {}
    shared = len({row.stock for row in rows if row.stock}) == 1
    for row in rows:
        which = row.name.partition(": ")[2]
        ours.append(Bar(f"ours, {which}" if which else "ours", row.ours))
        for figure in row.compared:
            beside[figure] = Bar(figure.side if shared or not which else f"{figure.side}, {which}", figure)
    return [bar for bar in (*ours, *beside.values()) if bar.value]


def _panel(axes: Axes, quantity: str, bars: Sequence[Bar], reach: Reach | None) -> None:
    values, places = [bar.value for bar in bars], range(len(bars))
    axes.barh(places, values, color=[_colour(bar.figure.side) for bar in bars], height=0.68)
    axes.set_yticks(places, [bar.label for bar in bars])
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(length=0, which="both")
    axes.set_title(quantity, loc="left", fontsize=11, color="#222222")
    for place, bar in zip(places, bars, strict=True):
        axes.annotate(f" {number(bar.value)} {bar.figure.unit}", (bar.value, place), va="center", fontsize=9)
    bound = reach.bound if reach and reach.bound else None
    if bound:
        axes.axvline(bound, color="#222222", linewidth=1, linestyle=(0, (3, 3)))
    _scale(axes, [*values, *([bound] if bound else [])], bars[0].figure.unit, dashed=bool(bound))


def _scale(axes: Axes, values: Sequence[float], unit: str, *, dashed: bool) -> None:
    """Begin at zero; only where the values are too far apart for that, be logarithmic and say so."""
    told = [unit, *(["dashed: to be reached"] if dashed else [])]
    if max(values) > FAR_APART * min(values):
        axes.set_xscale("log")
        axes.set_xlim(min(1.0, min(values) / 2), max(values) * 3)
        told.insert(1, "logarithmic")
    else:
        axes.set_xlim(0, max(values) * 1.15)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(", ".join(told))


def _delivery(rows: Sequence[Row]) -> Picture | None:
    return _bars("CPU of a replica for each delivered message", rows)


def _connect(rows: Sequence[Row]) -> Picture | None:
    return _bars("What a connection costs a replica", rows)


def _policies(rows: Sequence[Row]) -> Picture | None:
    return _bars("What a policy's promises cost", rows)


def _sockets(rows: Sequence[Row]) -> Picture | None:
    """Draw the cost of a delivery over the sockets of its group."""
    sized = [row for row in rows if row.ours.unit == "µs" and row.ours.value]
    if not sized:
        return None
    picture, axes = plt.subplots(figsize=(WIDTH, 4.4))
    _line(axes, "ours", [row.ours for row in sized])
    _line(axes, "stock", [row.stock for row in sized if row.stock and row.stock.value])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([row.ours.work.sockets for row in sized])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("sockets in the group")
    axes.set_ylabel("µs of CPU for each delivery")
    axes.margins(0.12, 0.25)
    _title(picture, "The cost of a delivery as the group grows")
    return picture


def _line(axes: Axes, side: str, figures: Sequence[Figure]) -> None:
    if not figures:
        return
    sockets, values = [figure.work.sockets for figure in figures], [figure.value or 0.0 for figure in figures]
    low, high = zip(*(figure.spread or (0.0, 0.0) for figure in figures), strict=True)
    axes.fill_between(sockets, low, high, color=_colour(side), alpha=0.15, linewidth=0)
    axes.plot(sockets, values, color=_colour(side), marker="o", linewidth=2, label=side)
    for place, value in zip(sockets, values, strict=True):
        _label(axes, number(value), (place, value), 9)
    where = sockets[-1], values[-1]
    axes.annotate(side, where, (12, -3), textcoords="offset points", color=_colour(side), weight="bold")


def _edge(rows: Sequence[Row]) -> Picture | None:
    """Draw what was carried by each number of replicas."""
    carried = [row for row in rows if row.greater_is_better and row.ours.value]
    if not carried:
        return None
    picture, axes = plt.subplots(figsize=(WIDTH, 4.2))
    for shift, side in ((-0.2, "ours"), (0.2, "stock")):
        for place, row in enumerate(carried):
            figure = row.ours if side == "ours" else row.stock
            value = (figure.value if figure else None) or 0.0
            axes.bar(place + shift, value, 0.36, color=_colour(side), label=side if not place else None)
            _label(axes, number(value), (place + shift, value), 4)
    axes.set_xticks(range(len(carried)), [str(row.ours.work.replicas) for row in carried])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("replicas behind nginx, all on one machine with the generator")
    axes.set_ylabel("deliveries a second, carried")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    axes.margins(y=0.15)
    _title(picture, "Deliveries end to end through nginx")
    return picture


def _label(axes: Axes, text: str, where: tuple[float, float], above: float) -> None:
    axes.annotate(text, where, (0, above), textcoords="offset points", ha="center", fontsize=9)


def _colour(side: str) -> str:
    return OURS if side.startswith("ours") else STOCK if side == "stock" else OTHER


def _title(picture: Picture, text: str) -> None:
    picture.tight_layout()
    picture.suptitle(text, x=0.01, y=1.02, ha="left", va="bottom", fontsize=14, weight="bold")


PICTURES: dict[str, Callable[[Sequence[Row]], Picture | None]] = {
    "delivery": _delivery,
    "sockets": _sockets,
    "connect": _connect,
    "policies": _policies,
    "edge": _edge,
}
