"""What was published, from all ledgers: of each group, which publication stands at which offset."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from proof.judgement.ledger import NO_OFFSET, PENDING, STRANGER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proof.judgement.ledger import Ledger, Publisher

NO_STREAM = "0"
"""Epoch of a group in which nothing was published yet: the same everywhere."""
UNKNOWN = "?"
"""Publisher and replica of an offset that nobody saw and nobody was told of."""


class Made(NamedTuple):
    """Who made a publication."""

    publisher: str
    seq: int
    replica: str


NOBODY = Made(UNKNOWN, 0, UNKNOWN)


class Sorted(dict[str, list[int]]):
    """Numbers by name, to be counted in ranges."""

    def within(self, name: str, behind: int, upto: int) -> list[int]:
        """Return the numbers of a name in (behind, upto]."""
        numbers = self.get(name, [])
        return numbers[bisect_right(numbers, behind) : bisect_right(numbers, upto)]

    def count(self, name: str, behind: int, upto: int) -> int:
        """Return how many there are in (behind, upto]."""
        numbers = self.get(name, [])
        return max(0, bisect_right(numbers, upto) - bisect_right(numbers, behind))


@dataclass
class Stream:
    """One durable group."""

    made: dict[int, Made] = field(default_factory=dict)
    by_replica: Sorted = field(default_factory=Sorted)
    by_publisher: Sorted = field(default_factory=Sorted)
    target: int = 0
    """The last acknowledged offset: who is there to the end has come so far."""
    repeated: list[int] = field(default_factory=list)
    """Offsets of publications that stand in the stream a second time."""
    misplaced: list[int] = field(default_factory=list)
    """Offsets of publications that stand before an earlier one of their publisher."""
    contradicted: list[int] = field(default_factory=list)
    """Offsets at which not the same publication stands for everybody, or not as it was made."""


class Account:
    """What one publisher has made, by number."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.taken = [seq for seq, offset in enumerate(publisher.offsets, 1) if offset >= NO_OFFSET]
        """The numbers that the server has taken."""
        self.by_replica = Sorted()
        for seq in self.taken:
            self.by_replica.setdefault(publisher.replicas[seq - 1], []).append(seq)

    @property
    def last(self) -> int:
        """The last number that was taken; 0 when none was."""
        return self.taken[-1] if self.taken else 0

    def unanswered(self) -> Iterator[str]:
        """Give the replica of each publication that the server has not answered."""
        for offset, replica in zip(self.publisher.offsets, self.publisher.replicas, strict=True):
            if offset == PENDING:
                yield replica

    def first_since(self, moment: int) -> int:
        """Return the first number that was sent after `moment`, or the number behind the last."""
        return bisect_left(self.publisher.sent, moment + 1) + 1

    def taken_within(self, first: int, last: int) -> list[int]:
        """Return the numbers from `first` to `last` that were taken."""
        return self.taken[bisect_left(self.taken, first) : bisect_right(self.taken, last)]


class Books:
    """All groups of a run."""

    def __init__(self, ledgers: Iterable[Ledger]) -> None:
        ledgers = list(ledgers)
        self.accounts = {publisher.name: Account(publisher) for ledger in ledgers for publisher in ledger.publishers}
        self.by_group: dict[str, list[Account]] = defaultdict(list)
        for account in self.accounts.values():
            if account.publisher.offsets:  # every client could have spoken, few have
                self.by_group[account.publisher.group].append(account)
        self._worlds = worlds(ledgers)
        self.streams: dict[tuple[str, str], Stream] = defaultdict(Stream)
        """By group, and where its replicas do not share one stream by the first of those that do."""
        self._read_acknowledgements()
        for ledger in ledgers:
            self._read_sightings(ledger)
        self._read_strangers(ledgers)
        for stream in self.streams.values():
            _order(stream)

    def _read_acknowledgements(self) -> None:
        for group, accounts in self.by_group.items():
            for account in accounts:
                for seq, offset in enumerate(account.publisher.offsets, 1):
                    if offset > NO_OFFSET:
                        made = self._made(account.publisher.name, seq)
                        stream = self.stream(group, made.replica)
                        stream.made[offset] = made
                        stream.target = max(stream.target, offset)

    def _read_sightings(self, ledger: Ledger) -> None:
        for group, sightings in ledger.sightings.items():
            for sighting in sightings:
                if sighting.publisher == STRANGER:
                    continue
                made = self._made(sighting.publisher, sighting.seq)
                stream = self.stream(group, made.replica)
                if stream.made.setdefault(sighting.offset, made) != made:
                    stream.contradicted.append(sighting.offset)
                    stream.made[sighting.offset] = made

    def _read_strangers(self, ledgers: Iterable[Ledger]) -> None:
        """Find where somebody got something else than what a publisher of ours has there."""
        strange = {
            (group, sighting.offset)
            for ledger in ledgers for group, sightings in ledger.sightings.items()
            for sighting in sightings if sighting.publisher == STRANGER
        }  # fmt: skip
        for (name, _), stream in self.streams.items():
            stream.contradicted += (offset for group, offset in strange if group == name and offset in stream.made)

    def stream(self, group: str, replica: str) -> Stream:
        """Return a group's stream as a replica has it."""
        return self.streams[group, self._worlds.get(group, {}).get(replica, "")]

    def elsewhere(self, group: str, replica: str) -> Iterator[Stream]:
        """Give the streams of the same group that a replica does not have."""
        own = self.stream(group, replica)
        return (stream for (name, _), stream in list(self.streams.items()) if name == group and stream is not own)

    def _made(self, publisher: str, seq: int) -> Made:
        account = self.accounts.get(publisher)
        if account is None or seq > len(account.publisher.replicas):
            return Made(publisher, seq, UNKNOWN)
        return Made(publisher, seq, account.publisher.replicas[seq - 1])

    def replicas(self) -> Iterator[str]:
        """Give the replicas on which something was published, in no order, with repeats."""
        for account in self.accounts.values():
            yield from account.by_replica


def worlds(ledgers: Iterable[Ledger]) -> dict[str, dict[str, str]]:
    """Return, for each group that is not one stream for all, what a replica shares with those that saw its epochs."""
    places: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for ledger in ledgers:
        for receiver in ledger.receivers:
            told = receiver.offsets.places if receiver.offsets else ()
            places[receiver.group].update(place for place in told if place[1] != NO_STREAM)
    return {group: shared for group, seen in places.items() if (shared := _shared(seen))}


def _shared(places: set[tuple[str, str]]) -> dict[str, str]:
    """Return the first name among those that are joined by epochs, by replica; empty when all are."""
    found: list[tuple[set[str], set[str]]] = []
    for replica, epoch in sorted(places):
        meets = [world for world in found if replica in world[0] or epoch in world[1]]
        found = [world for world in found if world not in meets]
        found.append(({replica}.union(*(world[0] for world in meets)), {epoch}.union(*(world[1] for world in meets))))
    return {replica: min(names) for names, _ in found for replica in names} if len(found) > 1 else {}


def _order(stream: Stream) -> None:
    """Sort what stands where, and find what stands there twice or out of its publisher's order."""
    last: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    for offset in sorted(stream.made):
        made = stream.made[offset]
        if made[:2] in seen:
            stream.repeated.append(offset)
            continue
        seen.add(made[:2])
        if made.seq < last.get(made.publisher, 0):
            stream.misplaced.append(offset)
        last[made.publisher] = max(made.seq, last.get(made.publisher, 0))
        stream.by_replica.setdefault(made.replica, []).append(offset)
        stream.by_publisher.setdefault(made.publisher, []).append(offset)
