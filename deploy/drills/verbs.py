"""`make drill` and `make drills`: the list, one drill, all of them with a table."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, NoReturn

from drills import catalogue, table
from drills.engine import Conduct, Outcome
from drills.prometheus import PROGRAMS
from drills.stand import Stand
from fleet import packages
from fleet.errors import FAILED, FleetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drills.drill import Drill
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

NEEDED = ("nginx", "redis-server", *PROGRAMS)
"""What a drill needs of the distribution."""


def drill(asked: Options, run: Run, progress: Progress) -> int:
    """List the drills, or carry out the one that NAME names."""
    if asked.name is None:
        progress.say(listing(catalogue.everything()))
        return 0
    return _carry_out([catalogue.find(asked.name)], run, progress)


def drills(asked: Options, run: Run, progress: Progress) -> int:
    """Carry out all drills, or those that ARGS names, one after another, also after one has failed."""
    names = asked.arguments
    return _carry_out([catalogue.find(name) for name in names] if names else catalogue.everything(), run, progress)


def listing(found: Sequence[Drill]) -> str:
    """Return a line for each drill, and how one is begun."""
    width = max(len(each.name) for each in found)
    lines = [f"  {each.name:<{width}}  {each.text}; alert {each.alert}{_more(each)}" for each in found]
    return "\n".join([*lines, "", f"make drill NAME={found[0].name} carries one out; make drills all of them."])


def _more(each: Drill) -> str:
    return f" and {len(each.also)} more" if each.also else ""


def _carry_out(chosen: Sequence[Drill], run: Run, progress: Progress) -> int:
    packages.ensure(NEEDED, progress)
    with _terminated_as_interrupted():
        outcomes = [outcome for each in chosen for outcome in _one(each, run, progress)]
    progress.say("\n" + table.render(outcomes))
    return FAILED if any(outcome.verdict == "failed" for outcome in outcomes) else 0


def _one(each: Drill, run: Run, progress: Progress) -> list[Outcome]:
    progress.say(f"\n{each.name}: {each.text}.")
    if reason := _missing(each, progress):
        progress.say(f"  Skipped: {reason}")
        return [Outcome(each.name, alert, "skipped", reason) for alert in each.alerts]
    try:
        with Stand(each, progress) as stand, _logs_kept(stand, run, progress):
            stand.start()
            outcomes = Conduct(each, stand, progress).carry_out(proof=True)
    except FleetError as error:
        progress.say(f"  Failed: {error}")
        return [Outcome(each.name, alert, "failed", str(error)) for alert in each.alerts]
    if also := outcomes[0].also:
        progress.say(f"  Also fired: {', '.join(also)}.")
    return outcomes


@contextlib.contextmanager
def _logs_kept(stand: Stand, run: Run, progress: Progress) -> Iterator[None]:
    """Keep what the processes of a drill that fails have said: its folder goes."""
    try:
        yield
    except FleetError:
        folder = run.root / "drills" / stand.drill.name
        stand.keep_logs(folder)
        progress.say(f"  What its processes said stands in {folder}")
        raise


def _missing(each: Drill, progress: Progress) -> str:
    """Return why this machine cannot do a drill, after installing what it may."""
    try:
        packages.ensure(each.programs, progress)
    except FleetError as error:
        return str(error)
    return each.missing()


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end a drill as Ctrl-C does: the fleet is taken down on the way out."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
