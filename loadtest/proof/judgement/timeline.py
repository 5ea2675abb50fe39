"""The run second by second, of all processes together; and how busy each process was while publications flowed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from proof.judgement.histogram import Histogram
from proof.judgement.ledger import Tick
from proof.judgement.result import Second, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proof.judgement.ledger import Ledger
    from proof.judgement.result import Event

SECOND = 1_000_000
"""Microseconds, in which the proof counts time."""
PEAK_SECONDS = 5
"""Of which the mean CPU is a process' peak."""
CALM_AFTER = 5
"""Seconds after an event for which the limit of the latency does not hold: those who were cut come back."""


def merged_ticks(ledgers: Iterable[Ledger]) -> dict[int, Tick]:
    """Return the seconds of all processes together."""
    whole: dict[int, Tick] = defaultdict(Tick)
    for ledger in ledgers:
        for second, tick in ledger.ticks.items():
            into = whole[second]
            into.users += tick.users
            into.connects += tick.connects
            into.published += tick.published
            into.received += tick.received
            for mine, theirs in (
                (into.connected, tick.connected),
                (into.acknowledged, tick.acknowledged),
                (into.delivered, tick.delivered),
            ):
                for number, count in theirs.items():
                    mine[number] = mine.get(number, 0) + count
    return whole


def timeline(ticks: dict[int, Tick], began: int) -> list[Second]:
    """Return the seconds as the result tells them, from the first publication on."""
    zero = began // SECOND or min(ticks, default=0)
    return [
        Second(
            second=second - zero,
            users=tick.users,
            connects=tick.connects,
            published=tick.published,
            received=tick.received,
            acknowledged=Histogram(tick.acknowledged).latency(),
            delivered=Histogram(tick.delivered).latency(),
            connected=Histogram(tick.connected).latency(),
        )
        for second, tick in sorted(ticks.items())
    ]


def is_calm(second: int, began: int, events: Sequence[Event]) -> bool:
    """Return whether nothing was done to the fleet in this second, or shortly before."""
    at = second - began / SECOND
    return not any(event.at - 1 <= at <= (event.until or event.at) + CALM_AFTER for event in events)


def worker(ledger: Ledger, clocks: Mapping[str, float], began: int, ended: int) -> Worker:
    """Return how busy a process was from the first publication to the last."""
    flowing = [
        ledger.ticks[second].cpu
        for second in sorted(ledger.ticks)
        if began // SECOND < second <= ended // SECOND and ledger.ticks[second].cpu
    ]
    peaks = [
        sum(flowing[start : start + PEAK_SECONDS]) / len(flowing[start : start + PEAK_SECONDS])
        for start in range(max(1, len(flowing) - PEAK_SECONDS + 1))
        if flowing
    ]
    return Worker(
        name=ledger.worker,
        cpu=sum(flowing) / len(flowing) if flowing else 0.0,
        cpu_peak=max(peaks, default=0.0),
        clock=clocks.get(ledger.worker, 0.0),
        received=sum(tick.received for tick in ledger.ticks.values()),
    )
