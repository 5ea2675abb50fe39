"""The result as plain text: the verdict, the matrix, latency and CPU; and the line that is shown meanwhile."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, TextIO

from proof.judgement.result import Verdict
from proof.quantity import compact, count, milliseconds, of, seconds, share
from proof.report import grid
from proof.report.grid import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from proof.judgement.result import Cell, Latency, Result, Second

WIDTH = 100
"""Columns that the summary may take by itself."""
PAIRS = 5
"""Worst pairs that are listed; the report has more."""
BAR = 10
"""Columns of the bar that shows how far a run is."""
COLOURS = {
    Verdict.PROVED: "1;32", Verdict.BROKEN: "1;31", Verdict.INVALID: "1;33",
    State.WHOLE: "", State.SLOW: "33", State.UNASKED: "33", State.WRONG: "1;31", State.EMPTY: "1;31",
}  # fmt: skip
MARKS = {State.WHOLE: "", State.SLOW: "~", State.UNASKED: "?", State.WRONG: "!", State.EMPTY: "!"}
CORNER = "from \\ to"
WHOLE = "."
"""A whole cell where there is no room for counts."""
MEANINGS = {
    State.SLOW: "~ p99 over the limit",
    State.UNASKED: "? nothing had to arrive",
    State.WRONG: "! lost, doubled or out of order",
    State.EMPTY: "!0 nothing arrived",
}
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def in_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to colour what is written there: a terminal that can, and nobody has asked for none."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb" and stream.isatty()


def summary(result: Result, *, colour: bool = False, width: int = WIDTH) -> str:
    """Return the lines that tell a run; `width` is the terminal's."""
    style = _Style(colour)
    parts = [_head(result, style), *_matrix(result, style, width), *_pairs(result), *_figures(result)]
    return "\n".join(parts)


def progress(now: Second, length: float, *, cpu: float, faults: int) -> str:
    """Return one line on how a run stands.

    `now` is the last whole second, `length` the seconds the run takes (0: until it is ended), `cpu` the busiest
    generator's share of a core, `faults` what was lost, doubled or out of order so far.
    """
    if now.second < 0:
        return f"connecting  {of(now.users, 'user')}, {count(now.connects)} connects/s  cpu {share(cpu)}"
    place = f"{_bar(now.second / length)} {now.second}/{length:.0f} s" if length else f"{now.second} s"
    p99 = f"p99 {milliseconds(now.delivered.p99 if now.delivered else None)}"
    return "  ".join((
        place, of(now.users, "user"), f"{compact(now.published)}/s sent", f"{compact(now.received)}/s received",
        p99, f"cpu {share(cpu)}", f"{count(faults)} wrong" if faults else "none wrong",
    ))  # fmt: skip


def _bar(done: float) -> str:
    full = round(BAR * min(max(done, 0.0), 1.0))
    return f"[{'#' * full}{'.' * (BAR - full)}]"


class _Style:
    """Colours a text, where colours are wanted."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, text: str, what: Verdict | State) -> str:
        code = COLOURS[what]
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and code else text


def _head(result: Result, style: _Style) -> str:
    reasons = [reason for reason in result.reasons if reason.rstrip(".") not in result.sentence]
    lines = ["", f"{style(result.verdict.upper(), result.verdict)}  {_plain(result.sentence)}"]
    return "\n".join([*lines, *(f"  - {_plain(reason)}" for reason in reasons)])


# -- the matrix ---------------------------------------------------------------------------------------------------


def _matrix(result: Result, style: _Style, width: int) -> list[str]:
    if not result.cells:
        return []
    common = grid.in_common(result.replicas)
    table = _fitting(result, [_plain(name.removeprefix(common)) for name in result.replicas], width)
    lines = ["", f"received, from each replica (row) on each replica (column){f'; {common}…' if common else ''}"]
    lines.append("".join(table[0]))
    for (name, *texts), row in zip(table[1:], grid.rows(result), strict=True):
        states = [grid.state(cell, result.p99_limit) for cell in row]
        lines.append(name + "".join(style(text, how) for text, how in zip(texts, states, strict=True)))
    return [*lines, *_legend(result), _worst(result)]


def _fitting(result: Result, names: Sequence[str], width: int) -> list[list[str]]:
    """Return the table, its first row and column the names: in full where there is room, else shortened."""
    numbers = [f"#{number}" for number, _ in enumerate(names, 1)]
    numbered = [f"{number} {name}" for number, name in zip(numbers, names, strict=True)]
    narrow = [number[-1] for number in numbers]
    forms: list[tuple[Callable[[float], str], Sequence[str], Sequence[str], int]] = [
        (count, names, names, 2), (count, numbered, numbers, 2), (compact, numbered, numbers, 2),
        (lambda _: "", numbered, narrow, 1),
    ]  # fmt: skip
    for form, labels, heads, gap in forms:
        cells = [[_cell(cell, result.p99_limit, form) for cell in row] for row in grid.rows(result)]
        table = _aligned([[CORNER, *heads], *([label, *row] for label, row in zip(labels, cells, strict=True))], gap)
        if len("".join(table[0])) <= width:
            break
    return table


def _aligned(table: list[list[str]], gap: int) -> list[list[str]]:
    edge = max(len(row[0]) for row in table)
    wide = max(len(text) for row in table for text in row[1:]) + gap
    return [[name.ljust(edge), *(text.rjust(wide) for text in texts)] for name, *texts in table]


def _cell(cell: Cell, p99_limit: float, form: Callable[[float], str]) -> str:
    return MARKS[grid.state(cell, p99_limit)] + form(cell.count.received) or WHOLE


def _legend(result: Result) -> list[str]:
    seen = {grid.state(cell, result.p99_limit) for cell in result.cells}
    told = [MEANINGS[how] for how in State if how in seen and how in MEANINGS]
    return [f"({'; '.join(told)})"] if told else []


def _worst(result: Result) -> str:
    cell = grid.worst(result)
    assert cell is not None  # noqa: S101 - the matrix is not drawn without cells
    wrong = grid.wrong_with(cell.count)
    told = f": {wrong} of {count(cell.count.expected)}" if wrong else f": p99 {milliseconds(_p99(cell.latency))}"
    what = "worst cell" if grid.state(cell, result.p99_limit) != State.WHOLE else "slowest cell"
    return f"{what}: {_plain(cell.publisher)} -> {_plain(cell.receiver)}{told}"


def _p99(latency: Latency | None) -> float | None:
    return latency.p99 if latency else None


# -- what stands below --------------------------------------------------------------------------------------------


def _pairs(result: Result) -> list[str]:
    if not result.pairs:
        return []
    lines = ["", "worst pairs of clients"]
    for pair in result.pairs[:PAIRS]:
        way = f"{pair.publisher} ({pair.publisher_replica}) -> {pair.receiver} ({pair.receiver_replica})"
        first = f"; {pair.first}" if pair.first else ""
        lines.append(_plain(f"  {way} in {pair.group}: {grid.wrong_with(pair.count)}{first}"))
    more = len(result.pairs) - PAIRS
    return [*lines, *([f"  and {count(more)} more in the report"] if more > 0 else [])]


def _figures(result: Result) -> list[str]:
    if not result.cells:
        return []
    return ["", *(f"{name:<10}{_plain(text)}" for name, text in _told(result))]


def _told(result: Result) -> Iterator[tuple[str, str]]:
    all_of = grid.total(result)
    users, replicas = of(sum(kind.users for kind in result.kinds), "user"), of(len(result.replicas), "replica")
    rate = all_of.received / result.seconds if result.seconds else 0
    yield "run", f"{seconds(result.seconds)}, {users}, {replicas}, {result.host}"
    wrong = grid.wrong_with(all_of) or "none lost, doubled or out of order"
    yield "received", f"{count(all_of.received)} of {count(all_of.expected)}, {count(rate)}/s; {wrong}"
    yield "receive", f"{_latency(result.delivered)}; limit of p99 {milliseconds(result.p99_limit)}"
    yield "ack", _latency(result.acknowledged)
    if result.gaps is not None:
        yield "gaps", f"{of(result.gaps, 'publication')} missed live and filled in by the replicas"
    if result.workers:
        busiest = max(result.workers, key=lambda worker: worker.cpu)
        yield "generator", f"{of(len(result.workers), 'process')}, the busiest at {share(busiest.cpu)} of a core"
    for event in result.events:
        yield "chaos", f"{event.name} at {event.at:.0f} s{' (failed)' if event.failed else ''}"
    for kind in result.kinds:
        if not kind.counts and grid.faults(kind.count):
            yield "apart", f"{kind.name}: {grid.wrong_with(kind.count)}; {kind.note}"


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return "nothing arrived"
    told = zip(("p50", "p99", "p99.9", "worst"), (latency.p50, latency.p99, latency.p999, latency.worst), strict=True)
    return ", ".join(f"{name} {milliseconds(value)}" for name, value in told)


def _plain(text: str) -> str:
    """Return a text from outside without what would steer the terminal."""
    return UNPRINTABLE.sub("?", text)
