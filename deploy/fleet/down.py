"""`make down`: ends everything in an order in which nobody is cut off, and leaves no process and no socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet import marks, orphans, waiting
from fleet.change import stop
from fleet.control import Control
from fleet.errors import FleetError
from fleet.state import WORKER

if TYPE_CHECKING:
    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run

SUPERVISOR_SECONDS = 15.0


def down(_asked: Options, run: Run, progress: Progress) -> int:
    """End the fleet, or what a killed supervisor left of it; data stays. A folder that is no fleet's is not touched."""
    if not marks.is_fleet(run) and not orphans.carry_mark(run):
        progress.say("Nothing runs.")
        return 0
    with run.locked():
        control = Control(run)
        is_running = control.answers()
        if is_running:
            _end_in_order(run, control, progress)
        left = orphans.find(run)
        if left:
            with progress.step("end what a killed run left"):
                orphans.end(left, run)
        tidy(run)
        for note in (run.memory, run.environment):
            note.unlink(missing_ok=True)
    if left or is_running:
        progress.say("Everything has ended. Data stays in " + str(run.root))
    else:
        progress.say("Nothing runs.")
    return 0


def _end_in_order(run: Run, control: Control, progress: Progress) -> None:
    """What each kind of client sees, step by step."""
    names = sorted(control.processes())
    # 1. Replicas drain: WebSockets are closed with 1012, their clients know that they may come back.
    replicas = [name for name in names if name.startswith("web-")]
    with progress.step(f"drain {', '.join(replicas)}"):
        stop(control, replicas)
    # 2. nginx ends its last responses; whoever connects now is refused.
    with progress.step("end nginx"):
        stop(control, ["nginx"])
    # 3. The worker has copied what was said meanwhile, or does at the next start: what it has not stays in Redis.
    with progress.step("end the worker"):
        stop(control, [WORKER])
    # 4. Redis writes its file; nobody is left to hear it.
    with progress.step("end Redis and the supervisor"):
        stop(control, ["redis"])
        supervisor = run.pid("supervisor")
        control.shut_down()
        if not waiting.until(lambda: not orphans.is_pid_alive(supervisor), SUPERVISOR_SECONDS):
            raise FleetError("The supervisor does not end: `make down` once more ends it by force.")


def tidy(run: Run) -> None:
    """Remove what dead processes leave: sockets and process ids."""
    own = (run.control, *run.root.glob("control.sock.*"), run.redis / "redis.sock", run.socket(WORKER))
    sockets = (*own, *run.sockets.glob("*.sock"))
    for file in (*sockets, *run.pids.glob("*.pid")):
        file.unlink(missing_ok=True)
