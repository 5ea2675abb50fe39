"""The processes that hold the clients: this one, or Locust's workers, spoken to by its messages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

import gevent

from proof import session
from proof.clock import Clock, Reading, best
from proof.ledger import unpack
from proof.limits import Room, room
from proof.live import snapshot
from proof.plan import plan_of
from proof.station import Station

if TYPE_CHECKING:
    from argparse import Namespace

    from locust.env import Environment
    from locust.runners import MasterRunner, WorkerRunner

    from proof.clients import Targets
    from proof.ledger import Ledger

MESSAGE = "proof"
PROGRESS = "proof_progress"
"""Where a worker's report to Locust's master carries its snapshot."""
READINGS = 5
"""Exchanges of which the quickest tells a worker's clock."""
ANSWER = 10.0
"""Seconds for a worker to answer; it may be busy with its clients."""
GLANCE = 0.002
DOUBT = 0.05
"""Seconds by which a worker's clock may be misjudged, or move during a run: half of the smallest limit worth asking."""
JOIN_SECONDS = 30.0
"""For the clients to be in their groups before anything is published; who is later begins later."""


class Crew(Protocol):
    """Whoever holds the clients."""

    def rooms(self) -> list[Room]:
        """Return what each process has room for."""

    def begin(self, options: Namespace) -> None:
        """Be ready for clients."""

    def hush(self, seconds: float) -> Targets:
        """Stop publishing; return what was acknowledged."""

    def settle(self, targets: Targets, seconds: float) -> list[Ledger]:
        """Wait for what was acknowledged; return what everybody knows."""

    def snapshots(self) -> list[dict[str, Any]]:
        """Return how each process' last second was."""

    @property
    def troubles(self) -> list[str]:
        """What makes the run invalid."""

    @property
    def clocks(self) -> dict[str, float]:
        """Seconds that each process' clock is ahead."""


class Own:
    """This process alone."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._station: Station | None = None
        self.troubles: list[str] = []
        self.clocks: dict[str, float] = {}

    def rooms(self) -> list[Room]:
        """Return what this process has room for."""
        return [room()]

    def begin(self, options: Namespace) -> None:
        """Make the station."""
        environment = self._environment
        plan = plan_of(options, environment.host or options.host, 0)
        self._station = Station("local", plan, Clock(), environment.stats)
        session.begin(self._station)

    def snapshots(self) -> list[dict[str, Any]]:
        """Return how the last second was."""
        return [snapshot(self._station)] if self._station else []

    def hush(self, seconds: float) -> Targets:
        """Stop publishing."""
        return self._station.hush(seconds) if self._station else {}

    def settle(self, targets: Targets, seconds: float) -> list[Ledger]:
        """Wait, and close."""
        if self._station is None:
            return []
        self._station.settle(targets, seconds)
        return [self._station.close()]


class Remote:
    """Locust's workers, as the master sees them."""

    def __init__(self, environment: Environment, runner: MasterRunner) -> None:
        self._environment = environment
        self._runner = runner
        self._answers: dict[str, dict[str, Any]] = {}
        self._names: list[str] = []
        self._began: dict[str, Reading] = {}
        self._said: dict[str, dict[str, Any]] = {}
        self.troubles: list[str] = []
        runner.register_message(MESSAGE, self._hear)
        environment.events.worker_report.add_listener(self._hear_report)

    @property
    def clocks(self) -> dict[str, float]:
        """Seconds that each worker's clock is ahead."""
        return {self._short(name): reading.ahead for name, reading in self._began.items()}

    def rooms(self) -> list[Room]:
        """Ask the workers what they have room for, and read their clocks meanwhile."""
        runner = self._runner
        self._names = [client.id for client in (*runner.clients.ready, *runner.clients.running)]
        self._began = {name: reading for name in self._names if (reading := self._read_clock(name)) is not None}
        for name, reading in self._began.items():
            runner.send_message(MESSAGE, {"do": "clock", "ahead": reading.ahead}, client_id=name)
        return [Room(**answer["room"]) for name in self._names if (answer := self._answers.get(name))]

    def begin(self, options: Namespace) -> None:  # noqa: ARG002 - Locust hands them to the workers
        """Nothing: the workers begin when Locust hands them the options."""
        self._said.clear()
        self.troubles = [
            f"the clock of {self._short(name)} is known to {reading.doubt * 1000:.0f} ms only, too badly for latencies."
            for name, reading in self._began.items()
            if reading.doubt > DOUBT
        ]
        self.troubles += [f"{self._short(name)} does not answer." for name in self._names if name not in self._began]

    def snapshots(self) -> list[dict[str, Any]]:
        """Return what the workers said last; they say it with their reports to Locust."""
        return [self._said[name] for name in self._names if name in self._said]

    def _hear_report(self, client_id: str, data: dict[str, Any]) -> None:
        """Keep what a worker says of its last second."""
        if PROGRESS in data:
            self._said[client_id] = data.pop(PROGRESS)

    def hush(self, seconds: float) -> Targets:
        """Stop publishing everywhere."""
        targets: Targets = {}
        for answer in self._ask({"do": "hush", "seconds": seconds}, seconds + ANSWER).values():
            for group, last in answer["targets"].items():
                targets.setdefault(group, {}).update(last)
        return targets

    def settle(self, targets: Targets, seconds: float) -> list[Ledger]:
        """Wait everywhere, and collect the ledgers."""
        answers = self._ask({"do": "settle", "targets": targets, "seconds": seconds}, seconds + ANSWER)
        for name in self._names:
            if name not in answers:
                self.troubles.append(f"{self._short(name)} is gone, and what its clients got is not known.")
            else:
                self._check_clock(name)
        ledgers = [unpack(answer["ledger"]) for answer in answers.values()]
        for name, ledger in zip(answers, ledgers, strict=True):
            ledger.worker = self._short(name)
        return ledgers

    def _check_clock(self, name: str) -> None:
        began, ended = self._began.get(name), self._read_clock(name)
        if began is None or ended is None:
            return
        moved = abs(ended.ahead - began.ahead) - began.doubt - ended.doubt
        if moved > DOUBT:
            self.troubles.append(f"the clock of {self._short(name)} moved by {moved * 1000:.0f} ms during the run.")

    def _read_clock(self, name: str) -> Reading | None:
        readings = []
        for _ in range(READINGS):
            asked = time.monotonic()
            answer = self._ask({"do": "ping"}, ANSWER, [name]).get(name)
            if answer is None:
                return None
            readings.append(Reading(asked, answer["clock"], answer["at"]))
        return best(readings)

    def _ask(self, data: dict[str, Any], seconds: float, names: list[str] | None = None) -> dict[str, dict[str, Any]]:
        """Send the same to all, or to some; return the answers that came in time, by worker."""
        asked = self._names if names is None else names
        for name in asked:
            self._answers.pop(name, None)
            self._runner.send_message(MESSAGE, data, client_id=name)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            waiting = [name for name in asked if name not in self._answers and name in self._runner.clients]
            if not waiting:
                break
            gevent.sleep(GLANCE)
        return {name: self._answers[name] for name in asked if name in self._answers}

    def _hear(self, environment: Environment, msg: Any, **_: Any) -> None:  # noqa: ARG002 - Locust's way to call
        self._answers[msg.node_id] = {**msg.data, "at": time.monotonic()}

    def _short(self, name: str) -> str:
        return f"worker-{self._runner.get_worker_index(name)}"


class Hand:
    """A worker, as its master's hand."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._environment = environment
        self._runner = runner
        self._clock = Clock()
        self._station: Station | None = None
        self.is_done = True
        """Whether the ledger of the last run is on its way to the master."""
        runner.register_message(MESSAGE, self._hear, concurrent=True)
        environment.events.report_to_master.add_listener(lambda client_id, data: self._report(data))  # noqa: ARG005 - by name

    def begin(self) -> None:
        """Make the station of a run that the master has accepted."""
        options = self._environment.parsed_options
        if not options.proof_run:
            session.begin(None)
            return
        plan = plan_of(options, self._environment.host or options.host, self._runner.worker_index)
        self._station = Station(f"worker-{plan.index}", plan, self._clock, self._environment.stats)
        self.is_done = False
        session.begin(self._station)

    def _report(self, data: dict[str, Any]) -> None:
        if self._station is not None and not self._station.is_closed:
            data[PROGRESS] = snapshot(self._station)

    def _hear(self, environment: Environment, msg: Any, **_: Any) -> None:  # noqa: ARG002 - Locust's way to call
        answer = self._do(msg.data)
        if answer is not None:
            self._runner.send_message(MESSAGE, answer)
            self.is_done = self.is_done or "ledger" in answer

    def _do(self, data: dict[str, Any]) -> dict[str, Any] | None:
        match data["do"]:
            case "ping":
                return {"clock": time.monotonic(), "room": vars(room())}
            case "clock":
                self._clock.ahead = data["ahead"]
            case "hush":
                return {"targets": self._station.hush(data["seconds"]) if self._station else {}}
            case "settle" if self._station is not None:
                self._station.settle(data["targets"], data["seconds"])
                return {"ledger": _packed(self._station)}
        return None


def _packed(station: Station) -> bytes:
    from proof.ledger import pack

    return pack(station.close())


def publish_when_joined() -> None:
    """Begin to publish when this process' clients are in their groups."""
    gevent.spawn(_publish_when_joined, session.station())


def _publish_when_joined(station: Station | None) -> None:
    if station is not None:
        station.wait_joined(JOIN_SECONDS)
        station.pacer.start()
