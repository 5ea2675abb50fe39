"""What each receiver must have got, and what of it was wrong: counted for every pair, without any clock."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from proof.judgement.books import NOBODY
from proof.judgement.result import Count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proof.judgement.books import Account, Books, Made, Stream
    from proof.judgement.ledger import Receiver
    from proof.judgement.track import Heard, OffsetTrack, SeqTrack, Stay


@dataclass
class Tally:
    """A count under way."""

    expected: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    first: str = ""
    """The first thing that was wrong."""

    def wrong(self, sentence: str) -> None:
        """Note what was wrong, if it is the first."""
        self.first = self.first or sentence

    def add(self, other: Tally) -> None:
        """Take another count in."""
        self.expected += other.expected
        self.lost += other.lost
        self.doubled += other.doubled
        self.disordered += other.disordered

    @property
    def is_clean(self) -> bool:
        """Nothing is wrong."""
        return not (self.lost or self.doubled or self.disordered)

    def count(self) -> Count:
        """Return the result's own value."""
        return Count(self.expected, self.expected - self.lost, self.lost, self.doubled, self.disordered)


Cells = dict[tuple[str, str], Tally]
"""By publisher's replica and receiver's replica."""
Pairs = dict[tuple[str, str, str], Tally]
"""By publisher, its replica and the receiver's replica; of one receiver, and only where something was wrong."""


@dataclass
class Findings:
    """What one receiver's account comes to."""

    cells: Cells
    pairs: Pairs
    apart: int = 0
    """Publications that were made while a plain client was away: lost to it, and nobody's fault."""
    astray: int = 0
    """Deliveries of publications that were made in other groups."""


def judge(receiver: Receiver, books: Books) -> Findings:
    """Compare what a receiver got with what was made."""
    cells: Cells = defaultdict(Tally)
    pairs: Pairs = defaultdict(Tally)
    if receiver.offsets is not None:
        last = receiver.offsets.stays[-1].replica if receiver.offsets.stays else ""
        stream = books.stream(receiver.group, last)
        for stay in _stays(receiver, stream):
            _judge_stay(stay, receiver.offsets, stream, cells, pairs)
        for other in books.elsewhere(receiver.group, last):
            _judge_elsewhere(last, other, cells, pairs)
    accounts = books.by_group.get(receiver.group, [])
    for track in receiver.connections:
        for account in accounts:
            _judge_connection(track, account, cells, pairs)
    _expect(receiver, books, pairs)
    return Findings(cells, pairs, _apart(receiver.connections, accounts), _astray(receiver, books))


# -- by offsets -----------------------------------------------------------------------------------------------


def _stays(receiver: Receiver, stream: Stream) -> Iterator[Stay]:
    """Give the receiver's stays; the last one of who is there to the end goes as far as was acknowledged."""
    assert receiver.offsets is not None  # noqa: S101 - the caller has looked
    stays = receiver.offsets.stays
    yield from stays[:-1]
    if stays:
        last = stays[-1]
        to_the_end = receiver.is_present and receiver.is_connected
        yield type(last)(last.replica, last.behind, max(last.upto, stream.target) if to_the_end else last.upto)


def _judge_stay(stay: Stay, track: OffsetTrack, stream: Stream, cells: Cells, pairs: Pairs) -> None:
    for replica in stream.by_replica:
        if count := stream.by_replica.count(replica, stay.behind, stay.upto):
            cells[replica, stay.replica].expected += count
    for offset in _lost(track, stay):
        if offset not in stream.made:  # it was in the stream, for later ones are; nobody knows whose it was
            cells[NOBODY.replica, stay.replica].expected += 1
        for tally in _tallies(offset, stay, stream, cells, pairs):
            tally.lost += 1
            tally.wrong(f"offset {offset} did not arrive")
    for offset in _within((*track.doubled, *stream.repeated), stay):
        for tally in _tallies(offset, stay, stream, cells, pairs):
            tally.doubled += 1
            tally.wrong(f"offset {offset} arrived twice")
    for offset in _within((*track.disordered, *stream.misplaced), stay):
        for tally in _tallies(offset, stay, stream, cells, pairs):
            tally.disordered += 1
            tally.wrong(f"offset {offset} arrived out of order")


def _judge_elsewhere(replica: str, stream: Stream, cells: Cells, pairs: Pairs) -> None:
    """Count as lost what stands in a stream of the group of which the receiver's replica knows nothing."""
    for made in stream.made.values():
        cells[made.replica, replica].expected += 1
        for tally in (cells[made.replica, replica], pairs[made.publisher, made.replica, replica]):
            tally.lost += 1
            tally.wrong(f"{made.replica} and {replica} have different streams of this group: do they share one Redis?")


def _lost(track: OffsetTrack, stay: Stay) -> Iterator[int]:
    for first, last in (*track.holes, (track.expected, stay.upto)):
        yield from range(max(first, stay.behind + 1), min(last, stay.upto) + 1)


def _within(offsets: Iterable[int], stay: Stay) -> Iterator[int]:
    return (offset for offset in offsets if stay.behind < offset <= stay.upto)


def _tallies(offset: int, stay: Stay, stream: Stream, cells: Cells, pairs: Pairs) -> tuple[Tally, Tally]:
    made: Made = stream.made.get(offset, NOBODY)
    return cells[made.replica, stay.replica], pairs[made.publisher, made.replica, stay.replica]


# -- by the publishers' own numbers ---------------------------------------------------------------------------


def _judge_connection(track: SeqTrack, account: Account, cells: Cells, pairs: Pairs) -> None:
    name = account.publisher.name
    heard = track.heard.get(name)
    for seq in _expected(track, account, heard):
        cells[account.publisher.replicas[seq - 1], track.replica].expected += 1
        if heard is None or not _is_heard(seq, heard, latest=track.latest):
            for tally in _both(seq, track, account, cells, pairs):
                tally.lost += 1
                tally.wrong(f"its publication {seq} did not arrive")
    if heard is None:
        return
    for tally in _both(heard.last, track, account, cells, pairs) if heard.doubled or heard.disordered else ():
        tally.doubled += heard.doubled
        tally.disordered += heard.disordered
        tally.wrong(f"{heard.doubled} of its publications arrived twice, {heard.disordered} out of order")


def _expected(track: SeqTrack, account: Account, heard: Heard | None) -> list[int]:
    """Return the numbers that had to come; of a connection that was cut, up to what came last."""
    first = account.first_since(track.joined)
    last = account.last
    if track.left:
        last = min(last, heard.last) if heard else 0
    if track.latest:
        return [last] if last >= first and not track.left else []
    if heard is not None:
        first = min(first, heard.first)
    return account.taken_within(first, last)


def _is_heard(seq: int, heard: Heard, *, latest: bool) -> bool:
    if latest:
        return heard.last >= seq
    return heard.first <= seq <= heard.last and not any(first <= seq <= last for first, last in heard.holes)


def _both(seq: int, track: SeqTrack, account: Account, cells: Cells, pairs: Pairs) -> tuple[Tally, Tally]:
    replicas = account.publisher.replicas
    replica = replicas[min(seq, len(replicas)) - 1] if replicas else ""
    return cells[replica, track.replica], pairs[account.publisher.name, replica, track.replica]


def _apart(connections: list[SeqTrack], accounts: Iterable[Account]) -> int:
    """Return how many publications were sent between the connections of a plain client."""
    count = 0
    for before, after in pairwise(connections):
        if before.latest:
            continue
        for account in accounts:
            heard = before.heard.get(account.publisher.name)
            had = heard.last if heard else account.first_since(before.left) - 1
            count += len(account.taken_within(had + 1, account.first_since(after.joined) - 1))
    return count


def _astray(receiver: Receiver, books: Books) -> int:
    """Return how much a client without offsets heard of publishers that are not in its group."""
    return sum(
        heard.count
        for track in receiver.connections for name, heard in track.heard.items()
        if (account := books.accounts.get(name)) is not None and account.publisher.group != receiver.group
    )  # fmt: skip


def _expect(receiver: Receiver, books: Books, pairs: Pairs) -> None:
    """Fill in what was expected between the pairs that something is wrong with."""
    if receiver.offsets is None:
        for (publisher, _, _), tally in pairs.items():
            account = books.accounts.get(publisher)
            tally.expected = max(tally.lost, len(account.taken) if account else 0)
        return
    stream = books.stream(receiver.group, receiver.offsets.stays[-1].replica if receiver.offsets.stays else "")
    for (publisher, replica, at), tally in pairs.items():
        offsets = stream.by_publisher.get(publisher, [])
        stays = [stay for stay in _stays(receiver, stream) if stay.replica == at]
        tally.expected = max(
            tally.lost,
            sum(
                stream.made[offset].replica == replica
                for stay in stays
                for offset in offsets[bisect_right(offsets, stay.behind) : bisect_right(offsets, stay.upto)]
            ),
        )
