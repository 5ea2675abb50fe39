"""What a run left, in numbers: sums over all processes, publishers and receivers. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from proof.judgement.books import UNKNOWN, Books
from proof.judgement.histogram import merged
from proof.judgement.result import Cell, Count, Kind, Pair
from proof.judgement.tally import Tally, judge
from proof.judgement.timeline import SECOND, is_calm, merged_ticks, worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proof.judgement.ledger import Ledger, Receiver
    from proof.judgement.result import Event, Latency, Worker
    from proof.judgement.tally import Findings
    from proof.judgement.terms import Terms

PAIRS_KEPT = 100


class Evidence:
    """All ledgers of a run, added up, and what was done to the fleet meanwhile."""

    def __init__(self, ledgers: Sequence[Ledger], terms: Terms, events: Sequence[Event]) -> None:
        self._ledgers = ledgers
        self._clocks = terms.clocks
        self.books = Books(ledgers)
        self._tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
        self._kinds: dict[str, Tally] = defaultdict(Tally)
        self._apart: Counter[str] = Counter()
        self._pairs: list[Pair] = []
        self.resets: Counter[str] = Counter()
        """By reason."""
        self.gone = 0
        """Receivers that were to stay and are not there."""
        self.astray = sum(ledger.astray for ledger in ledgers)
        """Deliveries to clients that are not in the publication's group."""
        for ledger in ledgers:
            for receiver in ledger.receivers:
                self._add(receiver, judge(receiver, self.books))
        self.ticks = merged_ticks(ledgers)
        self.events = [_from_the_first_publication(event, terms, self.span[0]) for event in events]

    def _add(self, receiver: Receiver, found: Findings) -> None:
        for key, tally in found.cells.items():
            self._tallies[key].add(tally)
            self._kinds[receiver.kind].add(tally)
        self._apart[receiver.kind] += found.apart
        self.astray += found.astray
        self.gone += receiver.is_present and not receiver.is_connected
        self.resets.update(receiver.offsets.resets if receiver.offsets else ())
        self._pairs += (
            Pair(publisher, receiver.name, at, to, receiver.group, tally.count(), tally.first)
            for (publisher, at, to), tally in found.pairs.items()
            if not tally.is_clean
        )

    # -- publishers -------------------------------------------------------------------------------------------

    @cached_property
    def sent(self) -> list[int]:
        """When publications left."""
        return [moment for account in self.books.accounts.values() for moment in account.publisher.sent]

    @cached_property
    def span(self) -> tuple[int, int]:
        """When the first left, and the last; zeros where none did."""
        return (min(self.sent), max(self.sent)) if self.sent else (0, 0)

    @cached_property
    def publications(self) -> int:
        """That were made."""
        return len(self.sent)

    @cached_property
    def acknowledged(self) -> int:
        """Publications."""
        return sum(len(account.taken) for account in self.books.accounts.values())

    @cached_property
    def unanswered(self) -> Counter[str]:
        """Publications by replica, of publishers that were connected to the end."""
        here = {
            receiver.name
            for ledger in self._ledgers
            for receiver in ledger.receivers
            if receiver.is_present and receiver.is_connected
        }
        found: Counter[str] = Counter()
        for name in here & self.books.accounts.keys():
            found.update(self.books.accounts[name].unanswered())
        return found

    @property
    def contradicted(self) -> int:
        """Offsets at which something else was delivered than was published there."""
        return sum(len(set(stream.contradicted)) for stream in self.books.streams.values())

    @property
    def misplaced(self) -> int:
        """Publications that stand before an earlier one of their publisher."""
        return sum(len(stream.misplaced) for stream in self.books.streams.values())

    # -- receivers --------------------------------------------------------------------------------------------

    @cached_property
    def replicas(self) -> list[str]:
        """Everybody who took a client, in the order of their numbers."""
        names = {name for key in self._tallies for name in key} | set(self.books.replicas())
        for ledger in self._ledgers:
            for receiver in ledger.receivers:
                names |= {stay.replica for stay in receiver.offsets.stays} if receiver.offsets else set()
                names |= {track.replica for track in receiver.connections}
        return sorted(names - {UNKNOWN}, key=_natural)

    @cached_property
    def cells(self) -> list[Cell]:
        """Every publisher's replica x every receiver's, row by row."""
        return [self._cell(publisher, receiver) for publisher in self.replicas for receiver in self.replicas]

    def _cell(self, publisher: str, receiver: str) -> Cell:
        times = (ledger.latencies.get(publisher, {}).get(receiver, {}) for ledger in self._ledgers)
        count = self._tallies.get((publisher, receiver), Tally()).count()
        return Cell(publisher, receiver, count, merged(times).latency())

    @property
    def unknown(self) -> Count:
        """Deliveries of publications of which nobody knows who made them."""
        return sum((tally.count() for (publisher, _), tally in self._tallies.items() if publisher == UNKNOWN), Count())

    @cached_property
    def whole(self) -> Count:
        """All cells together."""
        return sum((cell.count for cell in self.cells), Count())

    @cached_property
    def delivered(self) -> Latency | None:
        """While nothing was done to the fleet."""
        began, _ = self.span
        calm = (tick.delivered for second, tick in self.ticks.items() if is_calm(second, began, self.events))
        return merged(calm).latency()

    @cached_property
    def deliveries(self) -> int:
        """Of all the run, as far as they are timed."""
        return sum(sum(tick.delivered.values()) for tick in self.ticks.values())

    @property
    def worst_pairs(self) -> list[Pair]:
        """A publisher and a receiver between whom something was wrong, the worst first."""
        return sorted(self._pairs, key=_badness, reverse=True)[:PAIRS_KEPT]

    # -- clients ----------------------------------------------------------------------------------------------

    @property
    def clients(self) -> int:
        """Of all kinds."""
        return sum(tally.users for ledger in self._ledgers for tally in ledger.kinds.values())

    @property
    def connects(self) -> int:
        """Of all clients."""
        return sum(tally.connects for ledger in self._ledgers for tally in ledger.kinds.values())

    @property
    def kinds(self) -> list[Kind]:
        """Each class of users."""
        return [self._kind(name) for name in sorted({name for ledger in self._ledgers for name in ledger.kinds})]

    def _kind(self, name: str) -> Kind:
        tallies = [ledger.kinds[name] for ledger in self._ledgers if name in ledger.kinds]
        accounts = [account for account in self.books.accounts.values() if account.publisher.kind == name]
        notes = [tallies[0].note] if tallies[0].note else []
        if self._apart[name]:
            notes.append(
                f"{self._apart[name]:,} publications were made while one of these clients was reconnecting: without a "
                "position they are lost to it, and do not count."
            )
        if (away := max(tally.away for tally in tallies)) > 0:
            notes.append(f"The longest that one was away: {away:.1f} s.")
        groups = {receiver.group for ledger in self._ledgers for receiver in ledger.receivers if receiver.kind == name}
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
            count=self._kinds[name].count(),
            counts=all(tally.counts for tally in tallies),
            note=" ".join(notes),
        )

    # -- the test itself --------------------------------------------------------------------------------------

    @cached_property
    def workers(self) -> list[Worker]:
        """Each process of the load generator."""
        return [worker(ledger, self._clocks, *self.span) for ledger in self._ledgers]

    @property
    def silent(self) -> list[str]:
        """Processes that stopped publishing by a fault of their own."""
        return [ledger.worker for ledger in self._ledgers if ledger.fell_silent]

    @property
    def early(self) -> int:
        """Deliveries before their sending."""
        return sum(ledger.early for ledger in self._ledgers)

    @property
    def refusals(self) -> Counter[str]:
        """How often each sentence was said."""
        return _summed(ledger.refusals for ledger in self._ledgers)

    @property
    def barred(self) -> Counter[str]:
        """Clients by the sentence that keeps them out."""
        return _summed(ledger.barred for ledger in self._ledgers)


def _from_the_first_publication(event: Event, terms: Terms, began: int) -> Event:
    """Return the event with its times as the result tells them."""
    if terms.started is None or not began:
        return event
    late = began / SECOND - terms.started
    until = None if event.until is None else event.until - late
    return msgspec.structs.replace(event, at=event.at - late, until=until)


def _summed(parts: Iterable[Mapping[str, int]]) -> Counter[str]:
    whole: Counter[str] = Counter()
    for part in parts:
        whole.update(part)
    return whole


def _badness(pair: Pair) -> tuple[int, int]:
    count = pair.count
    return count.lost + count.doubled + count.disordered, count.expected


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort web-2 before web-10."""
    parts: list[str] = []
    for character in name:
        if parts and parts[-1].isdigit() == character.isdigit():
            parts[-1] += character
        else:
            parts.append(character)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
