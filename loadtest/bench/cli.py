"""The command line: which parts, how thorough; prints the table, keeps JSON and plots."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bench import machine, plots, record, table
from bench.context import Bench
from bench.errors import MISUSED, BenchError
from bench.parts import EXPERIMENTS, PARTS
from bench.row import Verdict
from bench.sides import OTHERS, migrate, redis
from crowd import RefusedError
from fleet import descriptors, packages
from fleet.errors import FAILED, INTERRUPTED, FleetError
from fleet.options import REPOSITORY
from fleet.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.row import Row

RESULTS = REPOSITORY / ".run" / "bench"
NEEDED = 10_000 + 500
"""Descriptors of a process: the most sockets that a part opens, and room for its logs, Redis and imports."""
ALL = {**PARTS, **EXPERIMENTS}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BenchError(f'{message}: for example `make bench ARGS="--only delivery"`; the parts are {", ".join(ALL)}.')


def main(arguments: list[str]) -> int:
    """Measure and tell; return 0, 1 when a row is short, 2 when one is void or nothing could be measured."""
    signal.signal(signal.SIGTERM, _end)
    try:
        return _run(_read(arguments), arguments)
    except (BenchError, FleetError) as error:
        return _refuse(str(error))
    except (RefusedError, ConnectionError) as error:
        return _refuse(f"A server under test failed in the middle, nothing is told of this run: {error}.")
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; every server has been ended\n")
        return INTERRUPTED


def _refuse(sentence: str) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{sentence}\n")
    return MISUSED


def _end(number: int, _frame: Any) -> NoReturn:
    """Leave as Ctrl-C does: the servers are ended on the way out."""
    sys.exit(128 + number)


def _read(arguments: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="bench", description="Ours beside stock Channels: what a client costs.", allow_abbrev=False)
    parser.add_argument("--only", action="append", choices=ALL, help="one part; may be repeated. Default: all")
    parser.add_argument("--repeats", type=_positive, default=3, help="of what is cheap to repeat; the median counts")
    parser.add_argument("--without-others", action="store_true", help="leave out uvicorn, granian and hypercorn")
    parser.add_argument("--quick", action="store_true", help="seconds, for the test suite: --only delivery, once")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for JSON and plots")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return int(text)


def _run(asked: argparse.Namespace, arguments: list[str]) -> int:
    _refuse_small_machine()
    rows: list[Row] = []
    began, others = time.strftime("%Y-%m-%dT%H:%M:%S%z"), machine.Others.watch()
    with _bench(asked) as bench:
        for part in asked.only or (["delivery"] if asked.quick else PARTS):
            rows += ALL[part](bench)
    about = {
        "command": shlex.join(["make", "bench", f"ARGS={shlex.join(arguments)}"]),
        "began": began,
        "machine": machine.facts(),
        "used_by_others": round(others.share, 3),
    }
    _tell(rows, about, asked.results)
    verdicts = {row.verdict for row in rows}
    return MISUSED if Verdict.VOID in verdicts else FAILED if Verdict.SHORT in verdicts else 0


def _tell(rows: list[Row], about: dict[str, Any], folder: Path) -> None:
    print(f"\n{table.render(rows)}\n\n{table.machine(about)}")
    drawn = plots.write(rows, folder)
    print(f"{record.write(rows, about, folder)} has all of it, {len(drawn)} plots lie beside it.")


@contextmanager
def _bench(asked: argparse.Namespace) -> Iterator[Bench]:
    # Short, because unix sockets lie in it: their paths hold 107 bytes.
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as name, redis(Path(name)) as server:
        migrate(Path(name))
        others = () if asked.without_others or asked.quick else OTHERS
        repeats = 1 if asked.quick else asked.repeats
        yield Bench(Path(name), server, Progress(), repeats, others, asked.quick)


def _refuse_small_machine() -> None:
    for program in ("nginx", "redis-server"):
        packages.require(program)
    allowed = descriptors.raise_limit().descriptors
    if allowed < NEEDED:
        raise BenchError(
            f"This account may open {allowed:,} files for each process, and 10,000 sockets need {NEEDED:,}: "
            "raise the hard limit (`ulimit -Hn`, /etc/security/limits.conf), then again."
        )
