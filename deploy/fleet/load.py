"""`make prove` and `make load`: the proof of loadtest/ws.py, called as anybody calls it, on the fleet that runs."""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleet import mode, ports
from fleet.compose import verbs as compose_verbs
from fleet.compose.project import Project
from fleet.control import Control
from fleet.errors import FAILED, MISUSED, FleetError
from fleet.options import REPOSITORY
from fleet.quality import BIN, environ
from fleet.up import up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fleet.options import Options
    from fleet.progress import Progress
    from fleet.state import Run, Settings

USERS = 300
RATE = 20.0
DURATION = 30
SPAWN_RATE = 200
"""Users started a second: a handshake costs replica and nginx half a millisecond each, on the same cores."""
PROVE_USERS = 90
PROVE_SECONDS = 10
CONTROL_USERS = 60
CONTROL_SECONDS = 6
DROP_EVERY = 1000
"""Of the frames that hold a publication: some 1,200 a second are on their way to the clients of the control."""
PROVE_P99 = "2000"
"""Milliseconds: what is shown is that nothing is lost, also on a machine that is busy with other things."""
ANY_PORT = "0"


@dataclass(frozen=True)
class Load:
    """What is asked of one run."""

    users: int
    rate: float
    seconds: int
    """For which publications flow."""

    def arguments(self) -> list[str]:
        """Return Locust's own words for it."""
        spawn = min(self.users, SPAWN_RATE)
        run_time = self.seconds + math.ceil(self.users / spawn)
        return [
            "--headless", "--only-summary", "--loglevel", "ERROR", "--users", str(self.users),
            "--spawn-rate", str(spawn), "--run-time", f"{run_time}s", "--rate", f"{self.rate:g}",
        ]  # fmt: skip


def load(asked: Options, run: Run, progress: Progress) -> int:
    """Run the proof with as many USERS, at RATE publications a second for DURATION seconds."""
    settings = _running(asked, run, progress)
    wanted = Load(asked.users or USERS, asked.rate or RATE, asked.duration or DURATION)
    terms = ("--replicas", str(settings.replicas), *trust(settings))
    return locust(wanted, address(settings), asked, run, *terms, *asked.arguments)


def prove(asked: Options, run: Run, progress: Progress) -> int:
    """Show that the fleet loses nothing, and that the proof would have noticed."""
    return prove_at(_running(asked, run, progress), asked, run, progress)


def prove_at(settings: Settings, asked: Options, run: Run, progress: Progress) -> int:
    """Show it of the fleet that answers where the settings say."""
    terms = ("--replicas", str(settings.replicas), "--p99", PROVE_P99)
    progress.say(f"\n1. The fleet at {address(settings)}: nothing may be lost, doubled or out of order.")
    wanted, more = Load(PROVE_USERS, RATE, PROVE_SECONDS), (*trust(settings), *asked.arguments)
    code = locust(wanted, address(settings), asked, run, *terms, *more)
    if code != 0:
        return code
    progress.say(f"\n2. The control: one in {DROP_EVERY} publications is dropped on its way. The proof must fail.")
    if (code := control(settings, asked, run, progress, *terms)) == 0:
        progress.say("\nBoth as they should be: the fleet is proved, and the proof can fail.")
    return code


def control(settings: Settings, asked: Options, run: Run, progress: Progress, *terms: str) -> int:
    """Drop publications; return 0 if the proof fails for that reason, else an exit code, and say why."""
    folder = run.root / "proof" / "control"
    (folder / "proof.json").unlink(missing_ok=True)
    with dropping(settings) as broken:
        code = locust(
            Load(CONTROL_USERS, RATE, CONTROL_SECONDS), broken, asked, run,
            *terms, "--report", str(folder), "BigRoomUser",
        )  # fmt: skip
    if code == FAILED and _lost(folder / "proof.json"):
        return 0
    if code == FAILED:
        progress.say("\nThe control failed, but not for what was dropped: what is said above is the reason.")
    elif code == 0:
        progress.say("\nThe control was not noticed: this proof proves nothing. Please report it.")
    else:
        progress.say("\nThe control could not be made: what is said above is the reason.")
    return FAILED if code in (0, FAILED) else MISUSED


def _lost(path: Path) -> int:
    """Return how many deliveries a result misses."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return sum(int(cell["count"]["lost"]) for cell in found["cells"])


def _running(asked: Options, run: Run, progress: Progress) -> Settings:
    """Return the settings of the fleet that runs, after starting one where none does. Raise FleetError."""
    in_containers = Project(run)
    if not in_containers.memory.exists() and not (run.pids.exists() and Control(run).answers()):
        progress.say("Nothing runs: starting a fleet first. It runs on afterwards; `make down` stops it.")
        wanted = replace(asked, verb="up")
        is_compose = mode.choose(wanted, run, progress) == mode.COMPOSE
        if code := compose_verbs.do(wanted, run) if is_compose else up(wanted, run, progress):
            raise FleetError(f"The fleet does not start (exit code {code}).")
    return in_containers.recall() if in_containers.memory.exists() else run.recall()


def address(settings: Settings) -> str:
    """Return where this machine reaches the fleet's nginx."""
    host = ports.first(settings)
    scheme = "https" if settings.tls else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.way_in}"


def trust(settings: Settings) -> list[str]:
    """Return the words that make a generator believe the fleet's certificate."""
    return ["--trust", settings.tls_certificate] if settings.tls else []


def locust(wanted: Load, host: str, asked: Options, run: Run, *more: str) -> int:
    """Run the proof; return its exit code."""
    command = [
        str(BIN / "locust"), "-f", str(REPOSITORY / "loadtest" / "ws.py"), "--host", host,
        "--json-file", str(run.root / "proof" / "locust"),  # instead of tables on the terminal
        "--report", str(run.root / "proof"), *wanted.arguments(), *more,
    ]  # fmt: skip
    # For what the proof itself asks of make: --chaos.
    variables = {"RUN_DIR": str(run.root), "ENV_FILE": str(asked.env_file), "PYTHON": sys.executable}
    return subprocess.run(command, cwd=REPOSITORY, env={**environ(), **variables}, check=False).returncode


@contextlib.contextmanager
def dropping(settings: Settings) -> Iterator[str]:
    """Stand a proxy that drops publications before nginx; give its address. Raise FleetError."""
    command = [
        sys.executable, "-m", "proof.faults.proxy", ANY_PORT, f"{ports.first(settings)}:{settings.way_in}",
        "--drop", str(DROP_EVERY), "--holding", '"publication"', *trust(settings),
    ]  # fmt: skip
    path = os.pathsep.join(str(REPOSITORY / name) for name in ("loadtest", "app"))
    proxy = subprocess.Popen(command, env={**environ(), "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True)
    try:
        where = proxy.stdout.readline().split() if proxy.stdout else []
        if not where:
            raise FleetError("The proxy that drops publications does not start.")
        yield f"http://{where[-1]}"
    finally:
        proxy.terminate()
        said, _ = proxy.communicate()
        print(said.strip().splitlines()[-1] if said.strip() else "")
