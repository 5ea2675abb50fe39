"""The result as one HTML file that needs nothing beside itself: `write(result, path)`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import fanout
from proof import quantity
from proof.report import grid
from proof.report.curve import charts
from proof.report.grid import State
from proof.report.weave import weave

if TYPE_CHECKING:
    from proof.judgement.result import Cell, Count, Result, Second

PAGE = Path(__file__).parent / "page"
FAMILY = Path(fanout.__file__).parent / "static" / "fanout" / "page.css"
ROOTS = re.compile(r":root \{(.*?)\}", re.DOTALL)
"""Where a style sheet has its colours and type: for light, and for dark."""
SHADES = 5
"""Of whole cells, by their p99: each stands for twice the latency of the one before, the last ends at the limit."""
DENSE = 6
"""Replicas past which cells hold a number alone."""
BUSY = 0.8
"""Share of a core from which a generator measures its own queue."""
ROWS = 240
"""Seconds that the table holds at most; of a longer run every second, third … one."""
MARKS = {State.WHOLE: "", State.SLOW: "▲", State.UNASKED: "?", State.WRONG: "✕", State.EMPTY: "∅"}
MEANINGS = {
    State.SLOW: "p99 over the limit",
    State.UNASKED: "nothing had to arrive",
    State.WRONG: "lost (−), doubled (+) or out of order (⇄)",  # noqa: RUF001 - typography
    State.EMPTY: "nothing arrived",
}


@dataclass(frozen=True)
class Square:
    """A cell as it is drawn."""

    state: State
    shade: int
    mark: str
    received: str
    short: str
    below: str
    """The second line."""
    said: str
    """All of it, as a sentence."""
    is_worst: bool


def write(result: Result, path: Path) -> None:
    """Write the report; the folder is made. Raise OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(result), encoding="utf-8")


def render(result: Result) -> str:
    """Return the report."""
    jinja = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    jinja.filters.update(
        count=quantity.count, compact=quantity.compact, ms=quantity.milliseconds, share=quantity.share,
        length=len, time=_time, nowrap=_nowrap, wrong=grid.wrong_with,
    )  # fmt: skip
    return jinja.get_template("report.html").render(_context(result)).lstrip()


def _context(result: Result) -> dict[str, Any]:
    drawn = charts(result)
    shown = (*drawn.latencies, *drawn.rates) if drawn else ()
    common = grid.in_common(result.replicas)
    names = [name.removeprefix(common) for name in result.replicas]
    states = {grid.state(cell, result.p99_limit) for cell in result.cells}
    total = grid.total(result)
    return {
        "result": result, "total": total, "names": names, "common": common, "quantity": quantity,
        "squares": _squares(result), "dense": len(names) > DENSE,
        "upright": len(names) > DENSE // 2 and max(map(len, names)) > DENSE,
        "legend": [(state, MARKS[state], MEANINGS[state]) for state in MEANINGS if state in states],
        "shades": [result.p99_limit / 2 ** (SHADES - number) for number in range(1, SHADES + 1)],
        "weave": weave(result, names), "charts": drawn,
        "texts": {chart.key: [[line.name, *line.texts] for line in chart.lines] for chart in shown},
        "users": sum(kind.users for kind in result.kinds),
        "published": sum(second.published for second in result.timeline),
        "rate": total.received / result.seconds if result.seconds else 0,
        "worst": grid.worst(result), "state_of_worst": _state_of_worst(result),
        "reasons": [reason for reason in result.reasons if reason.rstrip(".") not in result.sentence],
        "thinned": _thinned(result.timeline), "busy": BUSY,
        "style": Markup(style()), "script": Markup(_page("report.js")),  # noqa: S704 - our own files
    }  # fmt: skip


def _squares(result: Result) -> list[list[Square]]:
    worst = grid.worst(result)
    bad = worst is not None and grid.state(worst, result.p99_limit) != State.WHOLE
    return [
        [_square(cell, result.p99_limit, is_worst=bad and cell is worst) for cell in row] for row in grid.rows(result)
    ]


def _square(cell: Cell, p99_limit: float, *, is_worst: bool) -> Square:
    state, count = grid.state(cell, p99_limit), cell.count
    p99 = quantity.milliseconds(cell.latency.p99 if cell.latency else None)
    wrong = grid.wrong_with(count)
    below = {State.EMPTY: "nothing arrived", State.UNASKED: "nothing to arrive", State.WRONG: wrong}
    arrived = f"{quantity.count(count.received)} of {quantity.count(count.expected)} arrived"
    said = f"{cell.publisher} to {cell.receiver}: {arrived}, {wrong or 'none lost, doubled or out of order'}; p99 {p99}"
    short = _wrong_in_short(count) if state == State.WRONG else quantity.compact(count.received)
    return Square(
        state,
        shade(cell, p99_limit),
        MARKS[state],
        quantity.count(count.received),
        short,
        below.get(state, p99),
        said,
        is_worst,
    )


def _wrong_in_short(count: Count) -> str:
    """Return −21 for lost, +21 for doubled, ⇄21 for out of order; the sum where several are."""  # noqa: RUF002
    told = [(count.lost, "−"), (count.doubled, "+"), (count.disordered, "⇄")]  # noqa: RUF001 - typography
    signs = [sign for number, sign in told if number]
    return (signs[0] if len(signs) == 1 else "") + quantity.compact(grid.faults(count))


def shade(cell: Cell, p99_limit: float) -> int:
    """Return 1 to SHADES: how near a cell's p99 is to the limit."""
    if not cell.latency or cell.latency.p99 <= 0:
        return 1
    return min(max(SHADES + math.ceil(math.log2(cell.latency.p99 / p99_limit)), 1), SHADES)


def _state_of_worst(result: Result) -> str:
    worst = grid.worst(result)
    return grid.state(worst, result.p99_limit) if worst else ""


def _thinned(timeline: list[Second]) -> tuple[int, list[Second]]:
    """Return every n-th second, and n."""
    step = math.ceil(len(timeline) / ROWS) or 1
    return step, timeline[::step]


def _time(text: str) -> str:
    """Return an ISO time as people write it; as it stands where it is none."""
    try:
        return datetime.fromisoformat(text).strftime("%-d %B %Y, %H:%M UTC")
    except ValueError:
        return text


def _nowrap(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def style() -> str:
    """Return the style sheet: the colours and type of the pages, then its own. On paper it is light."""
    light, dark = ROOTS.findall(FAMILY.read_text(encoding="utf-8"))
    family = f":root {{{light}}}\n@media screen and (prefers-color-scheme: dark) {{\n  :root {{{dark}}}\n}}"
    return f"{family}\n{_page('report.css')}"


def _page(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")
