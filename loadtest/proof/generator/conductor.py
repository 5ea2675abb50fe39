"""A run from its start to its verdict, in the process that Locust's user talks to; workers follow."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from locust.runners import STATE_STOPPED, MasterRunner, WorkerRunner

from proof import options, target
from proof.errors import ProofError
from proof.generator import chaos, crew, gaps, hand, interrupt, limits, machine, remote, session
from proof.generator.live import Live
from proof.generator.users import ProofUser
from proof.judgement.result import Result, Verdict
from proof.judgement.terms import Terms
from proof.judgement.verdict import conclude
from proof.report import output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locust.env import Environment
    from locust.runners import Runner

    from proof.judgement.verdict import Outcome

logger = logging.getLogger(__name__)

CONNECT_LIMIT = 10.0
"""Seconds for workers that were just started to find their master."""
INTERRUPTED_WAIT = 60.0
"""Seconds that a worker goes on for its master's questions after Ctrl-C, which both of them get."""


class Conductor:
    """Of the master, or of the only process."""

    def __init__(self, environment: Environment, runner: Runner, web_ui: Any) -> None:
        self._environment = environment
        self._runner = runner
        self._crew: crew.Crew = (
            remote.Remote(environment, runner) if isinstance(runner, MasterRunner) else crew.Own(environment)
        )
        self._chaos: chaos.Chaos | None = None
        self._running = False
        self._started = 0.0
        self._ended = Event()
        self._ended.set()
        self._live: Live | None = None
        self._filled: dict[str, int] = {}
        self._untold = ""
        self._began = datetime.now(UTC)
        self.result: Result | None = None
        if web_ui is not None:
            output.serve(web_ui, lambda: self.result)

    @staticmethod
    def install(environment: Environment, runner: Runner, web_ui: Any = None, **_: Any) -> None:
        """Listen to Locust's events, each process in its role."""
        interrupt.await_ctrl_c()
        _keep_tagged(environment)
        hooks = environment.events
        hooks.spawning_complete.add_listener(lambda **_: crew.publish_when_joined())
        if isinstance(runner, WorkerRunner):
            worker = hand.Hand(environment, runner)
            hooks.test_start.add_listener(lambda **_: worker.begin())
            hooks.quitting.add_listener(lambda **_: _await(worker))
            return
        conductor = Conductor(environment, runner, web_ui)
        hooks.test_start.add_listener(lambda **_: conductor.start())
        hooks.test_stopping.add_listener(lambda **_: conductor.finish())
        hooks.quitting.add_listener(lambda **_: conductor.await_end())
        hooks.quit.add_listener(lambda **_: conductor.tell())
        if environment.parsed_options.headless:
            conductor.refuse_at_once()

    # -- the start --------------------------------------------------------------------------------------------

    def refuse_at_once(self) -> None:
        """Exit with a sentence, before anything starts, when the run can't be made."""
        given = self._environment.parsed_options
        try:
            _refuse_nobody(given.num_users)
            self._probe()
            if not isinstance(self._runner, MasterRunner):
                self._refuse_too_many(given.num_users or 1)
        except ProofError as error:
            self._conclude_refused(error)
            self.tell()
            if isinstance(self._runner, MasterRunner):
                self._send_home(self._runner)
            sys.exit(Verdict.INVALID.exit_code)

    def _send_home(self, runner: MasterRunner) -> None:
        """End the workers; those of --processes would look for their master for minutes."""
        wanted = self._environment.parsed_options.processes or 0
        end = time.monotonic() + CONNECT_LIMIT
        while len(runner.clients) < wanted and time.monotonic() < end:
            gevent.sleep(0.05)
        runner.quit()

    def start(self) -> None:
        """Check what can be checked before clients start; refuse the run, or begin it afresh."""
        given = self._environment.parsed_options
        self._began, self.result = datetime.now(UTC), None
        self._environment.process_exit_code = Verdict.INVALID.exit_code  # until there is a verdict
        given.proof_run = ""
        session.begin(None)
        try:
            users = 1 if given.num_users is None else given.num_users
            _refuse_nobody(users)
            self._probe()
            self._refuse_too_many(users)
            given.proof_run = options.new_run()
            given.proof_users = users
            given.proof_workers = self._workers
            self._crew.begin(given)
        except ProofError as error:
            self._conclude_refused(error)
            self._runner.update_state(STATE_STOPPED)
            if given.headless:
                gevent.spawn(self._runner.quit)
            # Locust starts users behind this event, whatever happens in it, unless its own greenlet ends.
            raise gevent.GreenletExit from None
        self._filled = gaps.read(self._target)
        self._running = True
        steps = chaos.schedule(given.chaos, self._flow_seconds()) if given.chaos else []
        self._started = time.monotonic()
        if given.headless:
            self._live = Live(self._crew.snapshots, self._flow_seconds() or 0.0)
        self._chaos = chaos.Chaos(steps, lambda: time.monotonic() - self._started)

    @property
    def _workers(self) -> int:
        runner = self._runner
        return max(1, runner.worker_count) if isinstance(runner, MasterRunner) else 1

    @property
    def _target(self) -> target.Target:
        given = self._environment.parsed_options
        return target.parse(self._environment.host or given.host, given.trust)

    def _flow_seconds(self) -> float | None:
        run_time = self._environment.parsed_options.run_time
        return float(run_time) if run_time else None

    def _probe(self) -> None:
        """Shake hands once as every kind of user in this run does. Raise ProofError."""
        given = self._environment.parsed_options
        where = self._target
        classes = self._environment.user_classes
        if any(not user.is_plain for user in classes if issubclass(user, ProofUser)):
            where.dial(given.path, origin=given.origin or None).stream.close()
        else:
            where.dial(given.plain_path.format(room="probe"), plain=True, origin=given.origin or None).stream.close()

    def _refuse_too_many(self, users: int) -> None:
        rooms = self._crew.rooms()
        if not rooms:
            raise ProofError("There is no worker: start one with `locust -f loadtest/ws.py --worker`.")
        if sentence := limits.refusal(users, rooms):
            raise ProofError(sentence)

    def _conclude_refused(self, error: ProofError) -> None:
        sentence = str(error)
        self._environment.stats.log_error("WS", "connect", sentence)
        self._publish(conclude((), Terms(self._environment.parsed_options.latency_limit, troubles=(sentence,))))

    # -- the end ----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Stop publishing, wait for the rest, judge; harmless when nothing runs."""
        if not self._running:
            return
        self._running = False  # at once: the last worker that leaves makes Locust stop the run again
        self._ended.clear()
        try:
            self._finish()
        finally:
            self._ended.set()

    def await_end(self) -> None:
        """Finish, or wait until another greenlet has."""
        self.finish()
        with contextlib.suppress(KeyboardInterrupt):
            self._ended.wait()

    def _finish(self) -> None:
        given = self._environment.parsed_options
        if self._live is not None:
            self._live.stop()
        try:
            done = self._chaos.finish() if self._chaos else []
            targets = self._crew.hush(given.settle)
            ledgers = self._crew.settle(targets, given.settle)
        except KeyboardInterrupt:
            sys.stderr.write("\nInterrupted before the last publications had arrived: no verdict.\n")
            self._environment.process_exit_code = Verdict.INVALID.exit_code
            return
        session.begin(None)
        terms = Terms(
            p99=given.latency_limit,
            replicas=given.replicas,
            changing=bool(given.changing),
            started=self._started,
            clocks=self._crew.clocks,
            troubles=tuple(self._crew.troubles),
            server_answers=self._server_answers(),
        )
        outcome = conclude(ledgers, terms, done)
        self._publish(outcome, gaps.read(self._target, outcome.replicas))

    def _server_answers(self) -> bool:
        try:
            self._probe()
        except ProofError as error:
            logger.warning("%s", error)
            return False
        return True

    def _publish(self, outcome: Outcome, filled: Mapping[str, int] | None = None) -> None:
        given = self._environment.parsed_options
        self.result = Result(
            verdict=outcome.verdict,
            sentence=outcome.sentence,
            reasons=outcome.reasons,
            host=self._environment.host or given.host,
            began=self._began.isoformat(timespec="seconds"),
            seconds=outcome.seconds,
            replicas=outcome.replicas,
            cells=outcome.cells,
            pairs=outcome.pairs,
            kinds=outcome.kinds,
            timeline=outcome.timeline,
            events=outcome.events,
            workers=outcome.workers,
            acknowledged=outcome.acknowledged,
            delivered=outcome.delivered,
            p99_limit=given.latency_limit,
            gaps=gaps.between(self._filled, filled or {}, outcome.replicas),
            machine=machine.facts(),
            command=options.again(given, self._environment.host or given.host, outcome.seconds),
        )
        self._environment.process_exit_code = self.result.verdict.exit_code
        self._untold = output.save(self.result, options.folder(given.report))
        if not given.headless:
            self.tell()

    def tell(self) -> None:
        """Print the verdict, once: with --headless behind all that Locust prints."""
        if self.result is not None and self._untold:
            output.tell(self.result, self._untold)
            self._untold = ""


def _refuse_nobody(users: int | None) -> None:
    if users == 0:
        raise ProofError("0 users leave nobody to publish and nobody to hear: start some, for example --users 100.")


def _keep_tagged(environment: Environment) -> None:
    """Leave the user classes out that --tags and --exclude-tags leave without a task."""
    given = environment.parsed_options
    wanted, unwanted = set(given.tags or ()), set(given.exclude_tags or ())
    kept = [
        user
        for user in environment.user_classes
        if not issubclass(user, ProofUser) or ((not wanted or user.label in wanted) and user.label not in unwanted)
    ]
    if not kept:
        labels = ", ".join(sorted(user.label for user in environment.user_classes if issubclass(user, ProofUser)))
        sys.stderr.write(f"--tags and --exclude-tags leave no user class: the tags are {labels}.\n")
        sys.exit(Verdict.INVALID.exit_code)
    environment.user_classes[:] = kept


def _await(worker: hand.Hand) -> None:
    """After Ctrl-C, which master and workers both get: answer the master's questions before leaving."""
    end = time.monotonic() + INTERRUPTED_WAIT
    try:
        while not worker.is_done and time.monotonic() < end:
            gevent.sleep(0.05)
    except KeyboardInterrupt:
        pass
