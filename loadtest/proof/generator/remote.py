"""Locust's workers, as their master sees them: asked for what they have room for, their clocks and their ledgers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from proof.generator.clock import Reading, best
from proof.generator.exchange import MESSAGE, PROGRESS, Exchange
from proof.generator.limits import Room
from proof.judgement.ledger import unpack

if TYPE_CHECKING:
    from argparse import Namespace

    from locust.env import Environment
    from locust.runners import MasterRunner

    from proof.clients.client import Targets
    from proof.judgement.ledger import Ledger

READINGS = 5
"""Exchanges of which the quickest tells a worker's clock."""
ANSWER = 10.0
"""Seconds for a worker to answer; it may be busy with its clients."""
DOUBT = 0.05
"""Seconds by which a worker's clock may be misjudged, or move during a run: half of the smallest limit worth asking."""


class Remote:
    """Their crew."""

    def __init__(self, environment: Environment, runner: MasterRunner) -> None:
        self._environment = environment
        self._runner = runner
        self._exchange = Exchange(
            lambda name, data: runner.send_message(MESSAGE, data, client_id=name), lambda name: name in runner.clients
        )
        self._names: list[str] = []
        self._late: list[str] = []
        """Who came when the run had begun: Locust gives them clients, too."""
        self._began: dict[str, Reading] = {}
        self._said: dict[str, dict[str, Any]] = {}
        self.troubles: list[str] = []
        runner.register_message(MESSAGE, self._hear)
        environment.events.worker_report.add_listener(self._hear_report)
        environment.events.worker_connect.add_listener(self._hear_new)

    @property
    def clocks(self) -> dict[str, float]:
        """Seconds that each worker's clock is ahead."""
        return {self._short(name): reading.ahead for name, reading in self._began.items()}

    def rooms(self) -> list[Room]:
        """Ask the workers what they have room for, and read their clocks meanwhile."""
        runner = self._runner
        self._names, self._late = [client.id for client in (*runner.clients.ready, *runner.clients.running)], []
        rooms: dict[str, Room] = {}
        self._began = {name: reading for name in self._names if (reading := self._read_clock(name, rooms)) is not None}
        doubt = 4 * max((reading.doubt for reading in self._began.values()), default=0.0)  # of two clocks, each twice
        for name, reading in self._began.items():
            runner.send_message(MESSAGE, {"do": "clock", "ahead": reading.ahead, "doubt": doubt}, client_id=name)
        return list(rooms.values())

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

    def _hear_new(self, client_id: str) -> None:
        """Keep who is new; Locust tells of the others, too, when they are ready again."""
        if client_id not in (*self._names, *self._late):
            self._late.append(client_id)

    def hush(self, seconds: float) -> Targets:
        """Stop publishing everywhere."""
        for name in self._late:
            self.troubles.append(f"{self._short(name)} came when the run had begun: what its clients got is not known.")
            self._runner.send_message(MESSAGE, {"do": "dismiss"}, client_id=name)
        targets: Targets = {}
        asked = {"do": "hush", "seconds": seconds}
        for answer in self._exchange.ask(asked, seconds + ANSWER, self._names).values():
            for group, last in answer["targets"].items():
                targets.setdefault(group, {}).update(last)
        return targets

    def settle(self, targets: Targets, seconds: float) -> list[Ledger]:
        """Wait everywhere, and collect the ledgers."""
        asked = {"do": "settle", "targets": targets, "seconds": seconds}
        answers = self._exchange.ask(asked, seconds + ANSWER, self._names)
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

    def _read_clock(self, name: str, rooms: dict[str, Room] | None = None) -> Reading | None:
        """Return the best of some readings, None without an answer; put into `rooms` what the worker has room for."""
        readings = []
        for _ in range(READINGS):
            asked = time.monotonic()
            answer = self._exchange.ask({"do": "ping"}, ANSWER, [name]).get(name)
            if answer is None:
                return None
            readings.append(Reading(asked, answer["clock"], answer["at"]))
            if rooms is not None:
                rooms[name] = Room(**answer["room"])
        return best(readings)

    def _hear(self, environment: Environment, msg: Any, **_: Any) -> None:  # noqa: ARG002 - Locust's way to call
        self._exchange.hear(msg.node_id, msg.data)

    def _short(self, name: str) -> str:
        return f"worker-{self._runner.get_worker_index(name)}"
