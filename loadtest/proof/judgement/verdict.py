"""The verdict: from what all processes know to what the run came to. Pure; no clock, no socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proof.judgement.evidence import Evidence
from proof.judgement.histogram import merged
from proof.judgement.reasons import weigh
from proof.judgement.timeline import SECOND, timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proof.judgement.ledger import Ledger
    from proof.judgement.result import Cell, Event, Kind, Latency, Pair, Second, Verdict, Worker
    from proof.judgement.terms import Terms


@dataclass(frozen=True)
class Outcome:
    """All that a Result says of what was counted."""

    verdict: Verdict
    sentence: str
    reasons: list[str]
    replicas: list[str]
    cells: list[Cell]
    pairs: list[Pair]
    kinds: list[Kind]
    timeline: list[Second]
    workers: list[Worker]
    events: list[Event]
    acknowledged: Latency | None
    delivered: Latency | None
    began: float
    """Seconds of the master's clock at the first publication."""
    seconds: float


def conclude(ledgers: Sequence[Ledger], terms: Terms, events: Sequence[Event] = ()) -> Outcome:
    """Return what the run came to."""
    evidence = Evidence(ledgers, terms, events)
    verdict, sentence, reasons = weigh(evidence, terms)
    began, ended = evidence.span
    return Outcome(
        verdict=verdict,
        sentence=sentence,
        reasons=reasons,
        replicas=evidence.replicas,
        cells=evidence.cells,
        pairs=evidence.worst_pairs,
        kinds=evidence.kinds,
        timeline=timeline(evidence.ticks, began),
        workers=evidence.workers,
        events=evidence.events,
        acknowledged=merged(tick.acknowledged for tick in evidence.ticks.values()).latency(),
        delivered=merged(tick.delivered for tick in evidence.ticks.values()).latency(),
        began=began / SECOND,
        seconds=(ended - began) / SECOND,
    )
