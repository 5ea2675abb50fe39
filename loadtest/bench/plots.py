"""The result as pictures, SVG and PNG: each drawn only when its part was measured."""

from __future__ import annotations

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
    from bench.row import Row

OURS, STOCK, OTHER, LINE, MUTED = "#0b7a75", "#c8553d", "#b9b4a8", "#e4e1d9", "#6b6b6b"
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 10, "figure.facecolor": "white", "axes.facecolor": "white",
    "axes.edgecolor": LINE, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": LINE, "grid.linewidth": 0.8, "axes.axisbelow": True, "axes.labelcolor": MUTED,
    "xtick.color": MUTED, "ytick.color": "#222222", "svg.fonttype": "path", "svg.hashsalt": "bench",
}  # fmt: skip
WIDTH = 8.0
"""Inches."""


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


def _bars(title: str, rows: Sequence[Row], axis: str) -> Picture | None:
    """Draw horizontal bars on a logarithmic axis, a group of them for each row."""
    drawn = [(row, [figure for figure in (row.ours, *row.compared) if figure.value]) for row in rows]
    drawn = [(row, figures) for row, figures in drawn if figures]
    if not drawn:
        return None
    heights = [len(figures) * 0.34 + 0.75 for _, figures in drawn]
    picture, panels = plt.subplots(
        len(drawn), 1, figsize=(WIDTH, sum(heights) + 0.7), height_ratios=heights, squeeze=False, sharex=True
    )
    for axes, (row, figures) in zip(panels[:, 0], drawn, strict=True):
        _panel(axes, row, figures)
    panels[-1, 0].set_xlabel(axis)
    _title(picture, title)
    return picture


def _panel(axes: Axes, row: Row, figures: Sequence[Figure]) -> None:
    values = [figure.value or 0.0 for figure in figures]
    places = range(len(figures))
    axes.barh(places, values, color=[_colour(figure.side) for figure in figures], height=0.68)
    axes.set_yticks(places, [figure.side for figure in figures])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(left=min(1.0, min(values) / 2), right=max(axes.get_xlim()[1], max(values) * 3))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=False, axis="y")
    axes.tick_params(length=0)
    axes.set_title(row.name, loc="left", fontsize=10, color="#222222")
    for place, figure, value in zip(places, figures, values, strict=True):
        axes.annotate(f" {number(value)} {figure.unit}", (value, place), va="center", fontsize=9)
    if row.reach and row.reach.bound:
        axes.axvline(row.reach.bound, color="#222222", linewidth=1, linestyle=(0, (3, 3)))


def _delivery(rows: Sequence[Row]) -> Picture | None:
    return _bars("CPU of a replica for each delivered message", rows, "µs, logarithmic; dashed: to be reached")


def _connect(rows: Sequence[Row]) -> Picture | None:
    return _bars("What a connection costs a replica", rows, "µs or KiB, logarithmic; dashed: to be reached")


def _policies(rows: Sequence[Row]) -> Picture | None:
    return _bars("What a policy's promises cost", rows, "µs or ms, logarithmic")


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
