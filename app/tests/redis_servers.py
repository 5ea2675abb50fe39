"""A real Redis server for tests, which they may stop, kill, pause and restart."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from fleet import redis_accounts

START_SECONDS = 20
"""For a Redis that starts on a busy machine; usually it takes 30 ms."""
STOP_SECONDS = 10


def program(name, package):
    """The path of a program of Redis."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {package})")
    # Where it can, it dies with the test run, however that ends.
    guard = [setpriv, "--pdeathsig", "KILL"] if (setpriv := shutil.which("setpriv")) else []
    return [*guard, path]


def eventually(holds, what, seconds=START_SECONDS):
    """Wait until something holds; between two looks there is nothing to wait for."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


class RedisServer:
    """One redis-server on a unix socket; `url` is for `hosts` of a channel layer.

    Without `options` it has nothing on disk; with a `port` it listens there, too, as Sentinel wants it.
    """

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        self.folder = folder
        self.port = port
        self.path = folder / "redis.sock"
        # With the rights of the application, as everywhere (deploy/redis.acl); `cli` has those of operators.
        self.url = f"unix://{redis_accounts.APPLICATION}@{self.path}"
        self.operators_url = f"unix://{self.path}"
        self.cli = Redis(unix_socket_path=str(self.path), socket_timeout=STOP_SECONDS)
        self._log = folder / "redis.log"
        users = folder / "users.acl"
        users.write_text(redis_accounts.render())
        self._command = [
            *program("redis-server", "redis-server"),
            "--port", str(port), "--bind", "127.0.0.1", "--unixsocket", str(self.path),
            "--dir", str(folder), "--logfile", str(self._log), "--save", "", "--appendonly", "no",
            "--aclfile", str(users), *options,
        ]  # fmt: skip
        self._process: subprocess.Popen | None = None

    @property
    def host(self):
        """What `hosts` of a channel layer holds."""
        return self.url

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None, "Redis is stopped"
        return self._process.pid

    def start(self) -> None:
        """Return when it answers."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(0.01)
                pytest.fail(f"redis-server ended with {code}:\n{self._log.read_text()}")
            assert time.monotonic() < deadline, f"redis-server does not answer:\n{self._log.read_text()}"

    def answers(self) -> bool:
        """Whether it answers a PING."""
        try:
            return bool(self.cli.ping())
        except RedisError:
            return False

    def stop(self) -> None:
        """SIGTERM; return when it has ended. Harmless when it is stopped."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL; return when it has ended."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start; without persistence it has forgotten everything then."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and says nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def role(self) -> str:
        """What it takes itself for: `master` or `slave`."""
        return self.cli.info("replication")["role"]

    def replicates(self, other: "RedisServer") -> bool:
        """Whether it has all that another one, which is not written to, has."""
        mine, theirs = self.cli.info("replication"), other.cli.info("replication")
        linked = mine.get("master_link_status") == "up" and mine["master_port"] == other.port
        # Before that it is linked, and yet gets nothing for up to a second.
        online = theirs.get("slave0", {}).get("state") == "online"
        return linked and online and mine["slave_repl_offset"] == theirs["master_repl_offset"]

    def _end(self, how: signal.Signals) -> None:
        self.cli.close()
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
