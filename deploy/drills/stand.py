"""Where a drill takes place: a fleet of its own with a Prometheus before it, in a folder that is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from drills import guard, hearing, rules
from drills.errors import DrillError
from drills.prometheus import CERTIFICATE_PROBE, FOLDER, RULES, Observer, Prometheus
from fleet import django, environment, ports, readiness, waiting
from fleet.control import Control
from fleet.options import REPOSITORY
from fleet.packages import require
from fleet.quality import environ
from fleet.state import Run, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from drills.drill import Drill
    from fleet.progress import Progress

TREE = ("Makefile", "app", "compose.yaml", "deploy", "loadtest", "nginx", ".venv")
"""What a checkout has of which commands of a runbook speak; here each is a link to it."""
COMMAND_SECONDS = 180.0
"""A rolling restart past a replica that hangs takes 40 s more than one that drains."""
SEEN_SECONDS = 60.0
"""Until Prometheus has found everything, on a busy machine."""
PUBLISH = "import fanout\nfor _ in range({times}): fanout.publish({group!r}, {data!r})"
SAID_LINES = 15
ADDRESS = "127.0.0.1"
OBSERVERS, SPARE_PORTS = 3, 5
BACK_SECONDS = 60.0
"""Until a replica that was killed is ready again, on a busy machine."""
TALKERS, TALK_RATE = 6, 20.0
"""Clients, and what they say a second, all together."""


class Stand:
    """A folder like a checkout, whose `.run` is the fleet of a drill: a runbook's commands hold in it as they stand."""

    def __init__(self, drill: Drill, progress: Progress) -> None:
        self.drill = drill
        self.progress = progress
        self.host = ADDRESS
        self.port, *observers = ports.unused(1 + OBSERVERS + SPARE_PORTS)
        self.folder = Path(tempfile.mkdtemp(prefix="drill-", dir="/tmp"))  # short: unix sockets
        self.run = Run(self.folder / ".run")
        self.address = f"{self.host}:{self.port}"
        self.variables: dict[str, str] = {}
        """Of the fleet: FANOUT_… and make's."""
        self.faster = drill.faster
        self.redis = f"unix://{self.run.redis / 'redis.sock'}"
        """Which Redis Prometheus sees."""
        self._observer_ports = (observers[0], observers[1], observers[2])
        self.tls_port, self._probe_port, *self.spare_ports = observers[OBSERVERS:]
        """For what a drill itself starts."""
        self._beside: dict[str, subprocess.Popen[bytes]] = {}
        self.prometheus = Prometheus(observers[0])
        for name in TREE:
            (self.folder / name).symlink_to(REPOSITORY / name)
        command = ["make", "--no-print-directory", "down"]
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "drills.guard", str(self.folder), *command],
            stdin=subprocess.PIPE, cwd="/", start_new_session=True,
            env={**self._environ(), "PYTHONPATH": str(REPOSITORY / "deploy")},
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self.progress.step("restore: end all that the drill has started"):
            if self._guard.stdin is not None:
                self._guard.stdin.close()
            self._guard.wait()
            for program in self._beside.values():
                program.wait()

    @property
    def names(self) -> tuple[str, ...]:
        """The replicas that there should be."""
        return self.run.recall().names

    @property
    def control(self) -> Control:
        """The fleet's supervisor."""
        return Control(self.run)

    def start(self) -> None:
        """Start the fleet and Prometheus; return when Prometheus sees all of it. Raise DrillError."""
        self.variables = dict(self.drill.prepare(self))
        with self.progress.step("start a fleet of the drill's own") as step:
            self.must(f"make up REPLICAS={self.drill.replicas}")
            step.note = f"port {self.port}"
        with self.progress.step("start Prometheus and its exporters"):
            self._observe()
            self._await_sight()

    def must(self, command: str) -> None:
        """Run a command as if it had been typed in the checkout. Raise DrillError with its last words."""
        done = self.shell(command)
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-SAID_LINES:])
            raise DrillError(f"`{command}` failed (exit code {done.returncode}):\n{said}")

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of a runbook, by a shell, in the folder. Raise DrillError when it does not end."""
        shell = shutil.which("bash") or "/bin/sh"
        try:
            return subprocess.run(
                [shell, "-c", command], cwd=self.folder, env=self._marked(), stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace", check=False, timeout=COMMAND_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise DrillError(f"`{command}` had not ended after {COMMAND_SECONDS:g} s.") from None

    def beside(self, command: Sequence[str], name: str = "") -> subprocess.Popen[bytes]:
        """Start a program that goes on beside the drill; it is ended with it."""
        name = name or Path(command[0]).name
        with (self.folder / f"{name}.log").open("ab") as output:
            started = subprocess.Popen(
                command, cwd=self.folder, env=self._marked(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._beside[name] = started
        return started

    @contextlib.contextmanager
    def alongside(self, command: Sequence[str], name: str = "") -> Iterator[None]:
        """Have a program go on beside the drill until the block ends."""
        program = self.beside(command, name)
        try:
            yield
        finally:
            program.kill()
            program.wait()

    def probe_certificate(self) -> None:
        """Start what Prometheus has look at the certificate."""
        listen = f"{self.host}:{self._probe_port}"
        settings = str(FOLDER / "blackbox.yml")
        self.beside([require(CERTIFICATE_PROBE), "--config.file", settings, "--web.listen-address", listen])

    def beside_named(self, name: str) -> subprocess.Popen[bytes]:
        """Return a program that was started beside the drill."""
        return self._beside[name]

    def manage(self, *arguments: str) -> None:
        """Run a management command as the fleet's replicas would. Raise FleetError."""
        django.manage(self.run, environment.kept(self.run), *arguments)

    def publish(self, group: str, data: object, times: int = 1) -> None:
        """Publish from outside the replicas, by code of the application. Raise FleetError."""
        self.manage("shell", "--command", PUBLISH.format(times=times, group=group, data=data))

    def talking(self) -> AbstractContextManager[None]:
        """Have clients talk in a room, until the block ends."""
        url = f"ws://{self.address}/ws/chat/drill-talk/"
        script = Path(__file__).with_name("traffic.py")
        return self.alongside([sys.executable, str(script), url, str(TALKERS), str(TALK_RATE)], "traffic")

    def start_once_with(self, name: str, **variables: str) -> None:
        """Kill a replica; the supervisor starts it with more variables, and the next time without. Raise DrillError.

        Returns when nginx leads clients to it again.
        """
        text = self.run.environment.read_text(encoding="utf-8")
        before = self.run.pid(name)
        write_private(self.run.environment, text + environment.render(variables))
        try:
            os.kill(before or 0, signal.SIGKILL)
            if not waiting.until(lambda: self.run.pid(name) != before and self._is_ready(name), BACK_SECONDS):
                raise DrillError(f"{name} does not start: {readiness.explain(self.run, name)}")
        finally:
            write_private(self.run.environment, text)
        # nginx passes it by for some seconds: without clients there its fault would show nowhere.
        if not waiting.until(self._all_hear, BACK_SECONDS):
            self.check_hearing()

    def _all_hear(self) -> bool:
        try:
            self.check_hearing()
        except DrillError:
            return False
        return True

    def _is_ready(self, name: str) -> bool:
        return (readiness.state(self.run, name) or {}).get("status") == "ready"

    def keep_logs(self, target: Path) -> None:
        """Copy all logs into a folder, which is made anew."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700, parents=True)
        for log in (*self.folder.glob("*.log"), *self.run.logs.glob("*.log")):
            shutil.copy(log, target)

    def check_hearing(self) -> None:
        """Return when every replica hears every other. Raise DrillError."""
        hearing.check(self.address, self.names)

    def translated(self, command: str) -> str:
        """Return a runbook's command with the addresses of this fleet for the shipped ones."""
        return self._observer().translated(command)

    def _observer(self) -> Observer:
        return Observer(
            self.folder, self.address, self.redis, self._observer_ports, self.folder / "rules",
            f"{self.host}:{self.tls_port}", f"{self.host}:{self._probe_port}",
        )  # fmt: skip

    def _observe(self) -> None:
        own = self.folder / "rules"
        own.mkdir()
        texts = {file.name: file.read_text(encoding="utf-8") for file in RULES.glob("*.yml")}
        for name, text in rules.shortened(texts, self.faster, self.drill.thresholds).items():
            (own / name).write_text(text, encoding="utf-8")
        observer = self._observer()
        observer.write()
        for command in observer.commands():
            self.beside(command)

    def _await_sight(self) -> None:
        """Wait until all is well in Prometheus' eyes; what comes later is the drill's doing."""
        wanted = dict.fromkeys(self.names, "1")

        def all_seen() -> bool:
            ready = self.prometheus.value('fanout_replica_state{state="ready"} == 1')
            others = self.prometheus.value('redis_up or nginx_up or up{job="worker"}')
            well = {"redis": "1", "nginx": "1", "worker": "1"}
            return ready == wanted and others == well and not self.prometheus.alerts()

        if not waiting.until(all_seen, SEEN_SECONDS):
            alerts = sorted({alert.name for alert in self.prometheus.alerts() or ()})
            said = f"{', '.join(alerts)} before anything is broken" if alerts else "not all targets are up"
            raise DrillError(f"Prometheus does not see a fleet that is well within {SEEN_SECONDS:g} s: {said}.")

    def _environ(self) -> Mapping[str, str]:
        """Return the environment of somebody whose fleet is this one."""
        rest = {name: value for name, value in environ().items() if not name.startswith(environment.PREFIX)}
        own = {
            "RUN_DIR": str(self.run.root), "PORT": str(self.port), "MODE": "native", "ENV_FILE": os.devnull,
            "PYTHON": sys.executable, "GIT_CEILING_DIRECTORIES": str(self.folder.parent),
        }  # fmt: skip
        return {**rest, **own, **self.variables}

    def _marked(self) -> dict[str, str]:
        return {**self._environ(), guard.MARK: str(self.folder)}
