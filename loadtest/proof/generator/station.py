"""One process of the load generator during one run: its clients, and the ledger that is kept of them."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import gevent
import psutil
from gevent.event import Event

from proof.clients.reader import Reader
from proof.generator.charts import Charts
from proof.generator.pacer import Pacer
from proof.judgement.histogram import bucket
from proof.judgement.ledger import NO_OFFSET, STRANGER, KindTally, Ledger, Publisher, Sighting, Tick
from proof.judgement.timeline import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from locust.stats import RequestStats

    from proof.clients.client import Client, Targets
    from proof.clients.message import Said
    from proof.clients.reader import Arrivals
    from proof.generator.clock import Clock
    from proof.generator.plan import Plan
    from proof.judgement.ledger import Receiver

TICK = 1.0
"""Seconds between two looks at the CPU and the number of clients."""
RAMP = 5.0
"""Seconds after the first client at which publishing begins, though more clients may follow."""
GLANCE = 0.02
"""Seconds between two looks at whether everything has come."""


class Station:
    """All that happens in this process is counted here."""

    def __init__(self, name: str, plan: Plan, clock: Clock, stats: RequestStats) -> None:
        self.plan = plan
        self.clock = clock
        self.ledger = Ledger(name)
        self.reader = Reader(clock, self._seen, self._arrived)
        self.pacer = Pacer(plan, clock)
        self.clients: list[Client] = []
        self.hushed = Event()
        """Nothing is published and nobody leaves on purpose any more."""
        self.is_closed = False
        """The ledger is closed."""
        self._charts = Charts(stats)
        self._ticks: dict[int, Tick] = {}
        self._latencies: dict[str, dict[str, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
        self._joined = 0
        self._ticker = gevent.spawn(self._watch)

    # -- what clients tell ------------------------------------------------------------------------------------

    def enter(self, client: Client, *, counts: bool, note: str) -> int:
        """Take a client in; return its number among those of its kind."""
        tally = self.kind(client.kind)
        tally.counts, tally.note = counts, note
        number = tally.users
        tally.users += 1
        if self.is_hushed:  # Locust starts users until the very end
            client.is_late = True
        if not self.clients:  # who is started slowly is not waited for
            gevent.spawn_later(RAMP, self.pacer.start)
        self.clients.append(client)
        return number

    @property
    def is_hushed(self) -> bool:
        """Whether the run is about to end."""
        return bool(self.hushed.is_set())

    def kind(self, name: str) -> KindTally:
        """Return the tally of a class of users."""
        return self.ledger.kinds.setdefault(name, KindTally())

    def receiver(self, receiver: Receiver) -> Receiver:
        """Keep a receiver's track."""
        self.ledger.receivers.append(receiver)
        return receiver

    def publisher(self, name: str, group: str, kind: str) -> Publisher:
        """Open a publisher's account."""
        publisher = Publisher(name, group, kind)
        self.ledger.publishers.append(publisher)
        return publisher

    def connected(self, kind: str, seconds: float) -> None:
        """A handshake has succeeded."""
        self.kind(kind).connects += 1
        self._charts.add("connect", round(seconds * 1000))

    def joined(self, seconds: float, joined: float) -> None:
        """A client is in its group, so long after it began to connect; `joined` is the join's own part."""
        tick = self._tick(self.clock.now())
        tick.connects += 1
        tick.connected[bucket(int(seconds * SECOND))] += 1
        self._charts.add("join", round(joined * 1000))
        self._joined += 1

    def left(self) -> None:
        """A client is in its group no more."""
        self._joined -= 1

    def refused(self, kind: str, sentence: str) -> None:
        """A handshake has failed."""
        self.kind(kind).refused += 1
        self.complain("connect", sentence)

    def complain(self, what: str, sentence: str) -> None:
        """Note that something was refused; it is shown among Locust's failures."""
        self.ledger.refusals[sentence] = self.ledger.refusals.get(sentence, 0) + 1
        self._charts.fail(what, sentence)

    def barred(self, kind: str, reason: str) -> None:
        """A client was not let into its group."""
        sentence = f"{kind} is not let into its group: {reason}"
        self.ledger.barred[sentence] = self.ledger.barred.get(sentence, 0) + 1
        self._charts.fail("join", sentence)

    def published(self, sent: int) -> None:
        """A publication has left."""
        self._tick(sent).published += 1

    def acknowledged(self, publisher: Publisher, seq: int, offset: int) -> None:
        """The server has taken a publication."""
        now, sent = self.clock.now(), publisher.sent[seq - 1]
        publisher.offsets[seq - 1] = offset
        self._tick(now).acknowledged[bucket(now - sent)] += 1
        self._charts.add("publish → ack", round((now - sent) / 1000))

    # -- what the reader tells --------------------------------------------------------------------------------

    def _seen(self, group: str, offset: int, said: Said | None) -> None:
        publisher, seq = (said.publisher, said.seq) if said is not None else (STRANGER, 0)
        self.ledger.sightings.setdefault(group, []).append(Sighting(offset, publisher, seq))

    def _arrived(self, replica: str, arrivals: Arrivals, now: int) -> None:
        tick = self._tick(now)
        for batch, count in arrivals.items():
            for said in batch.said:
                if said is None:
                    continue
                self._delivered(tick, said.replica, replica, now - said.sent, count)

    def _delivered(self, tick: Tick, publisher: str, receiver: str, took: int, count: int) -> None:
        if took < 0:
            self.ledger.early += count
        number = bucket(took)
        tick.received += count
        tick.delivered[number] += count
        self._latencies[publisher][receiver][number] += count
        self._charts.add("publish → receive", round(took / 1000), count)

    def came(self, said: Said, replica: str) -> None:
        """One publication was taken by a client that reads for itself."""
        now = self.clock.now()
        took = now - said.sent
        self._delivered(self._tick(now), said.replica, replica, took, 1)

    def saw(self, group: str, offset: int, said: Said | None) -> None:
        """A publication stands at an offset; None: one that is none of the proof's."""
        self._seen(group, offset, said)

    def strayed(self, count: int) -> None:
        """So many publications have come to a client that is not in their group."""
        self.ledger.astray += count

    def untimed(self, count: int) -> None:
        """So many publications have come late on purpose, or were caught up with after a reconnect."""
        self._tick(self.clock.now()).received += count

    def last_tick(self) -> tuple[int, Tick]:
        """Return the last whole second."""
        second = self.clock.now() // SECOND - 1
        return second, self._ticks.get(second, Tick())

    def faults(self) -> int:
        """Return how much was doubled, out of order or passed over so far; what is on its way is not lost yet."""
        return sum(_faults(receiver) for receiver in self.ledger.receivers)

    # -- the end ----------------------------------------------------------------------------------------------

    def wait_joined(self, seconds: float) -> None:
        """Wait until every client is in its group."""
        self._until(
            lambda: all(client.receiver.is_connected or not client.receiver.is_present for client in self.clients),
            seconds,
        )

    def hush(self, seconds: float) -> Targets:
        """Publish no more, wait for the answers; return what was acknowledged last, by group and publisher."""
        self.hushed.set()
        self.ledger.fell_silent = self.pacer.has_failed
        self.pacer.stop()
        for client in self.clients:
            client.hush()
        self._until(lambda: not any(publisher.pending for publisher in self.ledger.publishers), seconds)
        targets: Targets = {}
        for publisher in self.ledger.publishers:
            taken = [seq for seq, offset in enumerate(publisher.offsets, 1) if offset >= NO_OFFSET]
            if taken:
                last = (taken[-1], max(publisher.offsets))
                targets.setdefault(publisher.group, {})[publisher.name] = last
        return targets

    def settle(self, targets: Targets, seconds: float) -> None:
        """Wait until every receiver has what was acknowledged."""
        late = [client for client in self.clients if client.receiver.is_present]

        def all_there() -> bool:
            late[:] = [client for client in late if not client.is_done(targets.get(client.group, {}))]
            return not late

        self._until(all_there, seconds)

    def close(self) -> Ledger:
        """Return the ledger; nothing is counted any more."""
        for client in self.clients:
            client.account()
        self.is_closed = True
        for client in self.clients:
            client.hang_up()
        self._charts.stop()
        self._ticker.kill()
        self._tick(self.clock.now()).users = self._joined
        self.reader.close()
        self.ledger.ticks = self._ticks
        self.ledger.latencies = {publisher: dict(row) for publisher, row in self._latencies.items()}
        return self.ledger

    @staticmethod
    def _until(is_so: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not is_so() and time.monotonic() < end:
            gevent.sleep(GLANCE)

    # -- every second -----------------------------------------------------------------------------------------

    def _tick(self, now: int) -> Tick:
        second = now // SECOND
        if (tick := self._ticks.get(second)) is None:  # a busy process may pass over it below
            tick = self._ticks[second] = Tick(users=self._joined)
        return tick

    def _watch(self) -> None:
        """Note the CPU and the clients of each second."""
        process = psutil.Process()
        used, at = sum(process.cpu_times()[:2]), time.monotonic()
        while True:
            gevent.sleep(TICK)
            now_used, now_at = sum(process.cpu_times()[:2]), time.monotonic()
            tick = self._tick(self.clock.now())
            tick.cpu = (now_used - used) / (now_at - at)
            tick.users = self._joined
            used, at = now_used, now_at


def _faults(receiver: Receiver) -> int:
    track = receiver.offsets
    numbered = (
        len(track.doubled) + len(track.disordered) + sum(last - first + 1 for first, last in track.holes)
        if track
        else 0
    )
    heard = [each for connection in receiver.connections for each in connection.heard.values()]
    return numbered + sum(each.doubled + each.disordered + len(each.holes) for each in heard)
