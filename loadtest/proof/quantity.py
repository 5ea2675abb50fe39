"""Numbers as people read them: the same in the terminal and in the report."""

from __future__ import annotations

THOUSAND = 1000
LARGE = 100
"""From here on a fraction says nothing more."""
ABSENT = "-"
"""Where there is no number."""


def count(value: float) -> str:
    """Return all digits: 12,345."""
    return f"{value:,.0f}"


def compact(value: float) -> str:
    """Return three figures: 12.3k, 1.2M; all digits below a thousand."""
    for unit in ("", "k", "M"):
        if value < THOUSAND - 0.5:
            return f"{value:.0f}" if not unit or value >= LARGE else f"{value:.3g}{unit}"
        value /= THOUSAND
    return f"{value:.3g}G"


def milliseconds(value: float | None) -> str:
    """Return 0.8 ms, 12 ms, 1.25 s; a dash for None."""
    if value is None:
        return ABSENT
    if value >= THOUSAND:
        return f"{value / THOUSAND:.3g} s"
    return f"{value:.0f} ms" if value >= LARGE else f"{value:.2g} ms"


def share(value: float) -> str:
    """Return a share of one as per cent."""
    return f"{100 * value:.0f} %"


def seconds(value: float) -> str:
    """Return 45 s, 2 min 05 s, 1 h 02 min."""
    whole = round(value)
    if whole < 60:  # noqa: PLR2004 - of a minute
        return f"{value:.3g} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - of an hour
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def of(number: int, noun: str) -> str:
    """Return "1 replica", "3 replicas", "2 processes", "5 deliveries"."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count(number)} {noun if number == 1 else plural}"
