"""Runs as processes of the load generator would tell them: a stream, receivers, and what went wrong on the way."""

from collections import Counter, defaultdict

from proof.judgement.histogram import bucket
from proof.judgement.ledger import KindTally, Ledger, Publisher, Receiver, Sighting, Tick
from proof.judgement.terms import Terms
from proof.judgement.track import OffsetTrack, SeqTrack

GROUP = "chat.big"
KIND = "BigRoomUser"
SECOND = 1_000_000
EVERY = SECOND // 10
"""Microseconds between two publications."""
TOOK = 5000
TERMS = Terms(p99=500)


class World:
    """A group in which publishers on replicas speak in turn, and every receiver gets what the test says."""

    def __init__(self, publishers, *, workers=1):
        """`publishers` has the replica of each."""
        self.ledgers = [Ledger(f"worker-{number}") for number in range(workers)]
        self.publishers = [Publisher(f"{number}.p", GROUP, KIND) for number, _ in enumerate(publishers)]
        self.replicas = publishers
        self.made = {}
        """Offset to publisher's number and seq."""
        for number, publisher in enumerate(self.publishers):
            self.ledger(number).publishers.append(publisher)
        for ledger in self.ledgers:
            ledger.kinds[KIND] = KindTally(connects=20)

    def ledger(self, number):
        """The process that has the n-th of something."""
        return self.ledgers[number % len(self.ledgers)]

    def publish(self, number, *, acknowledged=True, cpu=0.1):
        """Let a publisher speak; return the offset."""
        offset = len(self.made) + 1
        publisher = self.publishers[number]
        sent = 1000 * SECOND + offset * EVERY
        seq = publisher.add(sent, self.replicas[number])
        if acknowledged:
            publisher.offsets[seq - 1] = offset
        self.made[offset] = (number, seq)
        self.ledger(number).ticks.setdefault(sent // SECOND, Tick()).cpu = cpu
        return offset

    def receive(self, replica, arrivals, behind=0, *, present=True, epoch="e"):
        """Add a receiver that gets offsets in this order."""
        number = sum(len(ledger.receivers) for ledger in self.ledgers)
        ledger, track = self.ledger(number), OffsetTrack()
        track.join(replica, epoch, behind)
        for offset in arrivals:
            track.take(offset)
            publisher, seq = self.made[offset]
            ledger.sightings.setdefault(GROUP, []).append(Sighting(offset, self.publishers[publisher].name, seq))
            self._time(ledger, publisher, replica, offset)
        track.leave()
        ledger.receivers.append(Receiver(f"{number}.r", KIND, GROUP, track, is_present=present, is_connected=present))
        ledger.kinds[KIND].users += 1
        return track

    def listen(self, replica, arrivals, joined=0, left=0, *, kind="PlainUser", latest=False, present=True):
        """Add a receiver without offsets; `joined` and `left` are offsets after which it came and went."""
        number = sum(len(ledger.receivers) for ledger in self.ledgers)
        moment = lambda offset: 1000 * SECOND + offset * EVERY + EVERY // 2  # noqa: E731 - half way to the next
        track = SeqTrack(replica, moment(joined), latest=latest, left=moment(left) if left else 0)
        for offset in arrivals:
            publisher, seq = self.made[offset]
            track.take(self.publishers[publisher].name, seq)
        ledger = self.ledger(number)
        receiver = Receiver(f"{number}.l", kind, GROUP, None, [track], is_present=present, is_connected=not left)
        ledger.receivers.append(receiver)
        ledger.kinds.setdefault(kind, KindTally(connects=20)).users += 1
        return receiver

    def _time(self, ledger, publisher, replica, offset):
        rows = ledger.latencies.setdefault(self.replicas[publisher], defaultdict(Counter))
        rows[replica][bucket(TOOK)] += 1
        second = (1000 * SECOND + offset * EVERY + TOOK) // SECOND
        ledger.ticks.setdefault(second, Tick()).delivered[bucket(TOOK)] += 1


def whole(replicas=2, publications=40, *, receivers=2, workers=1):
    """A run in which everything arrives."""
    names = [f"web-{number}" for number in range(1, replicas + 1)]
    world = World(names, workers=workers)
    for number in range(publications):
        world.publish(number % replicas)
    for name in names:
        for _ in range(receivers):
            world.receive(name, sorted(world.made))
    return world


def cells(outcome):
    """Counts by publisher's and receiver's replica."""
    return {(cell.publisher, cell.receiver): cell.count for cell in outcome.cells}
