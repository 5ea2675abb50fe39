"""The verdict: from what all processes know to what the run came to. Pure; no clock, no socket."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from proof import reasons
from proof.books import UNKNOWN, Books
from proof.histogram import merged
from proof.result import Cell, Count, Kind, Pair
from proof.tally import Tally, judge
from proof.timeline import SECOND, is_calm, merged_ticks, timeline, worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proof.ledger import Ledger
    from proof.result import Event, Latency, Second, Verdict, Worker

PAIRS_KEPT = 100


@dataclass(frozen=True)
class Terms:
    """What the run has to fulfil, and what is known of its circumstances."""

    p99: float
    """Milliseconds."""
    replicas: int = 0
    """How many must take part; 0: those that do."""
    changing: bool = False
    """Whether replicas come and go: a cell of two that never met is no fault of the test."""
    clocks: dict[str, float] = field(default_factory=dict)
    """Seconds that each worker's clock is ahead of the master's."""
    troubles: tuple[str, ...] = ()
    """What makes the run invalid, found elsewhere: a worker that is gone, a clock that jumped, an interruption."""
    started: float | None = None
    """Seconds of the master's clock from which events count; None: they count from the first publication."""
    server_answers: bool = True
    """Whether a handshake succeeds at the end."""


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


class Counted:
    """Sums over all receivers."""

    def __init__(self, ledgers: Sequence[Ledger]) -> None:
        self.books = Books(ledgers)
        self.cells: dict[tuple[str, str], Tally] = defaultdict(Tally)
        self.kinds: dict[str, Tally] = defaultdict(Tally)
        self.apart: Counter[str] = Counter()
        self.pairs: list[Pair] = []
        self.resets: Counter[str] = Counter()
        self.gone = 0
        """Receivers that were to stay and are not there."""
        self.astray = sum(ledger.astray for ledger in ledgers)
        self.unanswered: Counter[str] = Counter()
        """By replica."""
        here: set[str] = set()
        for ledger in ledgers:
            for receiver in ledger.receivers:
                found = judge(receiver, self.books)
                for key, tally in found.cells.items():
                    self.cells[key].add(tally)
                    self.kinds[receiver.kind].add(tally)
                self.apart[receiver.kind] += found.apart
                self.astray += found.astray
                self.gone += receiver.is_present and not receiver.is_connected
                if receiver.is_present and receiver.is_connected:
                    here.add(receiver.name)
                self.resets.update(receiver.offsets.resets if receiver.offsets else ())
                self.pairs += (
                    Pair(publisher, receiver.name, at, to, receiver.group, tally.count(), tally.first)
                    for (publisher, at, to), tally in found.pairs.items()
                    if not tally.is_clean
                )
        for name in here & self.books.accounts.keys():
            self.unanswered.update(self.books.accounts[name].unanswered())

    @property
    def sent(self) -> list[int]:
        """When publications left."""
        return [moment for account in self.books.accounts.values() for moment in account.publisher.sent]


def conclude(ledgers: Sequence[Ledger], terms: Terms, events: Sequence[Event] = ()) -> Outcome:
    """Return what the run came to."""
    counted = Counted(ledgers)
    sent = counted.sent
    began, ended = (min(sent), max(sent)) if sent else (0, 0)
    events = [_from_the_first_publication(event, terms, began) for event in events]
    ticks = merged_ticks(ledgers)
    delivered = merged(tick.delivered for tick in ticks.values()).latency()
    acknowledged = merged(tick.acknowledged for tick in ticks.values()).latency()
    replicas = _replicas(ledgers, counted)
    cells = _cells(ledgers, counted, replicas)
    workers = [worker(ledger, terms.clocks, began, ended) for ledger in ledgers]
    kinds = _kinds(ledgers, counted)
    evidence = reasons.Evidence(
        cells=cells,
        workers=workers,
        delivered=merged(tick.delivered for second, tick in ticks.items() if is_calm(second, began, events)).latency(),
        deliveries=delivered.count if delivered else 0,
        has_chaos=bool(events),
        publications=len(sent),
        acknowledged=sum(len(account.taken) for account in counted.books.accounts.values()),
        unknown=sum(
            (tally.count() for (publisher, _), tally in counted.cells.items() if publisher == UNKNOWN), Count()
        ),
        contradicted=sum(len(set(stream.contradicted)) for stream in counted.books.streams.values()),
        misplaced=sum(len(stream.misplaced) for stream in counted.books.streams.values()),
        resets=dict(counted.resets),
        unanswered=dict(counted.unanswered),
        astray=counted.astray,
        silent=[ledger.worker for ledger in ledgers if ledger.fell_silent],
        gone=counted.gone,
        clients=sum(tally.users for ledger in ledgers for tally in ledger.kinds.values()),
        connects=sum(tally.connects for ledger in ledgers for tally in ledger.kinds.values()),
        early=sum(ledger.early for ledger in ledgers),
        refusals=_refusals(ledger.refusals for ledger in ledgers),
        barred=_refusals(ledger.barred for ledger in ledgers),
        replicas=replicas,
        failed_events=[event for event in events if event.failed],
        seconds=(ended - began) / SECOND,
    )
    verdict, sentence, why = reasons.weigh(evidence, terms)
    return Outcome(
        verdict=verdict,
        sentence=sentence,
        reasons=why,
        replicas=replicas,
        cells=cells,
        pairs=sorted(counted.pairs, key=_badness, reverse=True)[:PAIRS_KEPT],
        kinds=kinds,
        timeline=timeline(ticks, began),
        workers=workers,
        events=events,
        acknowledged=acknowledged,
        delivered=delivered,
        began=began / SECOND,
        seconds=(ended - began) / SECOND,
    )


def _from_the_first_publication(event: Event, terms: Terms, began: int) -> Event:
    """Return the event with its times as the result tells them."""
    if terms.started is None or not began:
        return event
    late = began / SECOND - terms.started
    until = None if event.until is None else event.until - late
    return msgspec.structs.replace(event, at=event.at - late, until=until)


def _badness(pair: Pair) -> tuple[int, int]:
    count = pair.count
    return count.lost + count.doubled + count.disordered, count.expected


def _refusals(parts: Iterable[Mapping[str, int]]) -> Counter[str]:
    refusals: Counter[str] = Counter()
    for part in parts:
        refusals.update(part)
    return refusals


def _replicas(ledgers: Iterable[Ledger], counted: Counted) -> list[str]:
    """Return everybody who took a client, in the order of their numbers."""
    names = {name for key in counted.cells for name in key} | set(counted.books.replicas())
    for ledger in ledgers:
        for receiver in ledger.receivers:
            names |= {stay.replica for stay in receiver.offsets.stays} if receiver.offsets else set()
            names |= {track.replica for track in receiver.connections}
    return sorted(names - {UNKNOWN}, key=_natural)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort web-2 before web-10."""
    parts: list[str] = []
    for character in name:
        if parts and parts[-1].isdigit() == character.isdigit():
            parts[-1] += character
        else:
            parts.append(character)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _cells(ledgers: Sequence[Ledger], counted: Counted, replicas: Sequence[str]) -> list[Cell]:
    cells = []
    for publisher in replicas:
        for receiver in replicas:
            times = (ledger.latencies.get(publisher, {}).get(receiver, {}) for ledger in ledgers)
            count = counted.cells.get((publisher, receiver), Tally()).count()
            cells.append(Cell(publisher, receiver, count, merged(times).latency()))
    return cells


def _kinds(ledgers: Sequence[Ledger], counted: Counted) -> list[Kind]:
    names = sorted({name for ledger in ledgers for name in ledger.kinds})
    return [_kind(name, ledgers, counted) for name in names]


def _kind(name: str, ledgers: Sequence[Ledger], counted: Counted) -> Kind:
    tallies = [ledger.kinds[name] for ledger in ledgers if name in ledger.kinds]
    accounts = [account for account in counted.books.accounts.values() if account.publisher.kind == name]
    notes = [tallies[0].note] if tallies[0].note else []
    if counted.apart[name]:
        notes.append(
            f"{counted.apart[name]:,} publications were made while one of these clients was reconnecting: without a "
            "position they are lost to it, and do not count."
        )
    if (away := max(tally.away for tally in tallies)) > 0:
        notes.append(f"The longest that one was away: {away:.1f} s.")
    groups = {receiver.group for ledger in ledgers for receiver in ledger.receivers if receiver.kind == name}
    return Kind(
        name=name,
        users=sum(tally.users for tally in tallies),
        groups=len(groups),
        published=sum(len(account.publisher.offsets) for account in accounts),
        acknowledged=sum(len(account.taken) for account in accounts),
        connects=sum(tally.connects for tally in tallies),
        resumes=sum(tally.resumes for tally in tallies),
        resets=sum(tally.resets for tally in tallies),
        refused=sum(tally.refused for tally in tallies),
        count=counted.kinds[name].count(),
        counts=all(tally.counts for tally in tallies),
        note=" ".join(notes),
    )
