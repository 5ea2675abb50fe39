"""A rolling restart of every replica under load, through the Makefile's own verbs: what clients that resume notice."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench import deploy
from bench.errors import BenchError
from bench.figure import Figure, Sample
from bench.fleet_of import HOST
from bench.generator import Load
from bench.row import Reach, Row
from bench.work import Work
from fleet import ports
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.context import Bench

REPLICAS = 3
USUAL, WORST = 2.0, 5.0
"""Seconds of silence that 99 of 100 clients, and all, may notice."""


def rows(bench: Bench) -> list[Row]:
    """Restart once. Stock has nothing to stand beside it: it cuts every client with 1006, and has no history."""
    with _fleet(bench) as url, bench.progress.step(f"rolling restart of {REPLICAS}, {deploy.CLIENTS} clients") as step:
        load = Load()
        noticed = asyncio.run(deploy.during(lambda: _make(bench, "restart"), url))
        share = load.share
        step.note = str(noticed)
    void = "" if noticed.returned == deploy.CLIENTS else f"only {noticed.returned} clients had to join again"
    wrong = noticed.lost + noticed.doubled + noticed.disordered + noticed.resets

    def figure(unit: str, value: float) -> Figure:
        work = Work(
            deploy.CLIENTS, deploy.CLIENTS, 1 / deploy.EVERY, coalescing="20 ms", durable=True, protocol="fanout.v1",
            replicas=REPLICAS, edge="nginx",
        )  # fmt: skip
        return Figure("ours", unit, work, (Sample(value, share, void),))

    def row(name: str, unit: str, value: float, reach: float | None = None, note: str = "") -> Row:
        limit = None if reach is None else Reach(reach)
        return Row("restart", f"rolling restart: {name}", figure(unit, value), reach=limit, note=note)

    return [
        row("lost, doubled, out of order, reset", "", wrong, 0, str(noticed)),
        row("silence of a client, p99", "s", noticed.usual, USUAL),
        row("silence of a client, worst", "s", noticed.silences[-1], WORST),
        row("joins in the busiest second", "/s", noticed.peak),
    ]


@contextmanager
def _fleet(bench: Bench) -> Iterator[str]:
    (port,) = ports.unused(1)
    with bench.progress.step(f"make up, {REPLICAS} replicas"):
        _make(bench, "up", f"REPLICAS={REPLICAS}", f"PORT={port}")
    try:
        yield f"ws://{HOST}:{port}/ws/"
    finally:
        _make(bench, "down")


def _make(bench: Bench, verb: str, *values: str) -> None:
    run = [f"RUN_DIR={bench.folder / 'fleet'}", "ENV_FILE=/dev/null", f"PYTHON={sys.executable}"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("FANOUT_", "MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "--no-print-directory", verb, *run, *values],
        cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        raise BenchError(f"make {verb} failed in the middle: {done.stderr.strip() or done.stdout.strip()}")
