"""A worker, as its master's hand: it makes the station of each run, and answers questions about it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from proof.generator import session
from proof.generator.clock import Clock
from proof.generator.exchange import MESSAGE, PROGRESS, QUESTION
from proof.generator.limits import room
from proof.generator.live import snapshot
from proof.generator.plan import plan_of
from proof.generator.station import Station
from proof.judgement.ledger import pack

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.runners import WorkerRunner


class Hand:
    """Of one process, for all its runs."""

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
            self._runner.send_message(MESSAGE, {**answer, QUESTION: msg.data[QUESTION]})
            self.is_done = self.is_done or "ledger" in answer

    def _do(self, data: dict[str, Any]) -> dict[str, Any] | None:
        match data["do"]:
            case "ping":
                return {"clock": time.monotonic(), "room": vars(room())}
            case "clock":
                self._clock.ahead, self._clock.doubt = data["ahead"], data["doubt"]
            case "hush":
                return {"targets": self._station.hush(data["seconds"]) if self._station else {}}
            case "settle" if self._station is not None:
                self._station.settle(data["targets"], data["seconds"])
                return {"ledger": pack(self._station.close())}
            case "dismiss":
                self.is_done = True
                if self._station is not None:
                    self._station.close()
        return None
