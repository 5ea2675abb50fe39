"""Takes a verb through its stages: read the values, look at the machine, make the environment, do it."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from fleet import bootstrap, configuration, marks, mode, options, ports
from fleet.errors import INTERRUPTED, NOTHING_RUNS, FleetError, UsageError
from fleet.kubernetes import verbs as cluster
from fleet.progress import Progress, mute
from fleet.state import Run
from fleet.trust import refuse_foreign
from fleet.usage import USAGE

if TYPE_CHECKING:
    from fleet.options import Options

LOCKS = {
    "up": bootstrap.RUNTIME,
    "restart": bootstrap.RUNTIME,
    "doctor": bootstrap.RUNTIME,
    "prove": bootstrap.DEVELOPMENT,
    "load": bootstrap.DEVELOPMENT,
    "drill": bootstrap.DEVELOPMENT,
    "drills": bootstrap.DEVELOPMENT,
    "test": bootstrap.DEVELOPMENT,
    "test-slow": bootstrap.DEVELOPMENT,
    "test-compose": bootstrap.DEVELOPMENT,
    "soak": bootstrap.DEVELOPMENT,
    "fuzz": bootstrap.DEVELOPMENT,
    "bench": bootstrap.DEVELOPMENT,
    "check": bootstrap.DEVELOPMENT,
    "sbom": bootstrap.DEVELOPMENT,
    "lock": bootstrap.DEVELOPMENT,
    "release": bootstrap.DEVELOPMENT,
    "test-k8s": bootstrap.DEVELOPMENT,
}
"""Which lock file a verb brings the environment up to; the other verbs take it as it is."""
CHANGING = ("up", "scale", "restart", "down", "prove", "load", "chaos", "drill", "drills")
"""These write into the run folder, or end what it names; the other verbs only look."""


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    try:
        return _do(options.read(arguments), arguments)
    except FleetError as error:
        sys.stdout.flush()
        sys.stderr.write(f"{error}\n")
        return error.code
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return INTERRUPTED
    except BrokenPipeError:  # `make logs | head`
        mute(sys.stdout)
        return 0


def _do(asked: Options, arguments: list[str]) -> int:
    if asked.verb == "help":
        sys.stdout.write(USAGE)
        return 0
    run = Run(asked.run_dir)
    if asked.verb in CHANGING:
        refuse_foreign(run.root)
    if asked.verb == "up":
        marks.refuse_other(run)
    if asked.verb == "doctor" and asked.arguments:  # files, whatever runs here; to read YAML takes the environment
        return _do_here(asked, run, arguments)
    if cluster.is_meant(asked):
        return _do_in_a_cluster(asked, run, arguments)
    if mode.choose(asked, run, Progress()) == mode.COMPOSE:
        return int(importlib.import_module("fleet.compose.verbs").do(asked, run))
    return _do_here(asked, run, arguments)


def _do_in_a_cluster(asked: Options, run: Run, arguments: list[str]) -> int:
    """Do a verb by way of kubectl; only the proofs need the virtual environment."""
    if lock := LOCKS.get(asked.verb):
        bootstrap.ensure(lock, Progress())
        if not bootstrap.is_inside():
            bootstrap.enter(arguments)
    return cluster.do(asked, run)


def _do_here(asked: Options, run: Run, arguments: list[str]) -> int:
    """Do a verb without a container engine, inside the virtual environment."""
    if asked.drop:
        raise UsageError(f"DATA=drop is for containers: `make down`, then delete {run.root} by hand.")
    if asked.verb == "up":
        # Before anything is installed, which takes minutes the first time.
        ports.refuse_all_taken(configuration.decide(asked, run.recall()), run)
    lock = LOCKS.get(asked.verb)
    if lock is None and not bootstrap.exists():
        if not run.pids.exists():
            return _nothing_runs(asked.verb)
        lock = bootstrap.RUNTIME
    if lock is not None:
        bootstrap.ensure(lock, Progress())
    if not bootstrap.is_inside():
        # The mode is said again, so that it is not told twice that it was chosen.
        bootstrap.enter([*arguments, "--mode", mode.NATIVE] if asked.verb == "up" else arguments)
    return int(importlib.import_module("fleet.verbs").do(asked, run))


def _nothing_runs(verb: str) -> int:
    sys.stdout.write("Nothing runs. `make up` starts the fleet.\n")
    return 0 if verb == "down" else NOTHING_RUNS
