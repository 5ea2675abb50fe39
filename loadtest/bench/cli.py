"""The command line: which parts, how thorough; prints the table, keeps JSON and plots."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bench import record, table
from bench.context import Bench
from bench.errors import MISUSED, BenchError
from bench.parts import PARTS
from bench.row import Verdict
from bench.sides import OTHERS, redis
from fleet import descriptors, packages
from fleet.errors import INTERRUPTED, FleetError
from fleet.options import REPOSITORY
from fleet.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.row import Row

RESULTS = REPOSITORY / ".run" / "bench"
FAILED = 1
NEEDED = 10_000 + 500
"""Descriptors of a process: the most sockets that a part opens, and room for its logs, Redis and imports."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BenchError(
            f'{message}: for example `make bench ARGS="--only delivery"`; the parts are {", ".join(PARTS)}.'
        )


def main(arguments: list[str]) -> int:
    """Measure and tell; return 0, 1 when a row is short, 2 when one is void or nothing could be measured."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the servers are ended on the way out
    try:
        return _run(_read(arguments))
    except (BenchError, FleetError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"{error}\n")
        return MISUSED
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; every server has been ended\n")
        return INTERRUPTED


def _read(arguments: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="bench", description="Ours beside stock Channels: what a client costs.", allow_abbrev=False)
    parser.add_argument("--only", action="append", choices=PARTS, help="one part; may be repeated. Default: all")
    parser.add_argument("--repeats", type=_positive, default=3, help="of what is cheap to repeat; the median counts")
    parser.add_argument("--without-others", action="store_true", help="leave out uvicorn, granian and hypercorn")
    parser.add_argument("--quick", action="store_true", help="seconds, for the test suite")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for JSON and plots")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return int(text)


def _run(asked: argparse.Namespace) -> int:
    _refuse_small_machine()
    rows: list[Row] = []
    with _bench(asked) as bench:
        for part in asked.only or (["delivery"] if asked.quick else PARTS):
            rows += PARTS[part](bench)
    print(table.render(rows))
    print(f"\n{record.write(rows, asked.results)} has all of it.")
    verdicts = {row.verdict for row in rows}
    return MISUSED if Verdict.VOID in verdicts else FAILED if Verdict.SHORT in verdicts else 0


@contextmanager
def _bench(asked: argparse.Namespace) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as name, redis(Path(name)) as server:
        others = () if asked.without_others or asked.quick else OTHERS
        repeats = 1 if asked.quick else asked.repeats
        yield Bench(Path(name), server, Progress(), repeats, others, asked.quick)


def _refuse_small_machine() -> None:
    for program in ("nginx", "redis-server"):
        packages.require(program)
    limits: Any = descriptors.raise_limit()
    if limits.descriptors < NEEDED:
        raise BenchError(
            f"This account may open {limits.descriptors:,} files for each process, and 10,000 sockets need {NEEDED:,}: "
            "raise the hard limit (`ulimit -Hn`, /etc/security/limits.conf), then again."
        )
