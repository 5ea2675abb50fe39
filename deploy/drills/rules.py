"""Prometheus' rules as shipped, but with shorter times: nobody waits five minutes in a drill."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drills.errors import DrillError

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
RANGE = re.compile(r"\[(\d+)([smhd])\]")
OFFSET = re.compile(r"\boffset (\d+)([smhd])\b")
FOR = re.compile(r"^( +for: )(\d+)([smhd])$", re.MULTILINE)
INTERVAL = re.compile(r"^( +interval: )(\d+)([smhd])$", re.MULTILINE)
SHORTEST_RANGE = 5
"""Seconds: a rate needs two samples, which come once a second."""
SHORTEST_FOR = 1
"""Seconds: what has to hold for a while still has to be seen twice."""


def shortened(files: Mapping[str, str], faster: int, thresholds: Mapping[str, str]) -> dict[str, str]:
    """Return rule files that wait and look back `faster` times shorter, with other thresholds.

    Raise DrillError when there is no such threshold.
    """
    for shipped, ours in thresholds.items():
        if not any(shipped in text for text in files.values()):
            raise DrillError(f"The rules have no {shipped!r} any more, which the drill replaces by {ours!r}.")
        files = {name: text.replace(shipped, ours) for name, text in files.items()}
    return {name: _shortened(text, faster) for name, text in files.items()}


def _shortened(text: str, faster: int) -> str:
    text = RANGE.sub(lambda found: f"[{_shorter(found[1], found[2], faster, SHORTEST_RANGE)}]", text)
    text = OFFSET.sub(lambda found: f"offset {_shorter(found[1], found[2], faster, SHORTEST_RANGE)}", text)
    for waiting in (FOR, INTERVAL):
        text = waiting.sub(lambda found: found[1] + _shorter(found[2], found[3], faster, SHORTEST_FOR), text)
    return text


def waits(text: str, alert: str) -> float | None:
    """Return the seconds for which the condition of an alert has to hold; None when there is no such alert."""
    _, found, rest = text.partition(f"- alert: {alert}\n")
    how_long = FOR.search(rest.partition("- alert: ")[0]) if found else None
    return int(how_long[2]) * SECONDS[how_long[3]] if how_long else None


def _shorter(number: str, unit: str, faster: int, least: int) -> str:
    seconds = int(number) * SECONDS[unit]
    return "0s" if seconds == 0 else f"{max(least, round(seconds / faster))}s"
