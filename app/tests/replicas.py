"""Real server processes for tests: started, listened to, spoken to, and ended by their process id."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from websockets.asyncio.client import connect, unix_connect

APP = Path(__file__).resolve().parents[1]
LIMIT = 30
"""Seconds that a test waits for anything: long on a busy machine, short of pytest's own limit."""
GUARD = [setpriv, "--pdeathsig", "KILL"] if (setpriv := shutil.which("setpriv")) else []
"""Where it can, a process dies with the test run, however that ends."""


def clean_environment(**values):
    """The environment without what would configure a replica, and with `values`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FANOUT_", "DJANGO_"))}
    return {**kept, "PYTHONPATH": str(APP), **values}


class Process:
    """A program whose standard error is read line by line; `said` waits for a line."""

    def __init__(self, *command, cwd=None, output="stderr", **options):
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, output: subprocess.PIPE}
        self.popen = subprocess.Popen([*GUARD, *command], cwd=cwd, stdin=subprocess.DEVNULL, **streams, **options)
        self.pid = self.popen.pid
        self.lines = []
        self._heard = threading.Condition()
        self._next, self._ended = 0, False
        self._stream = getattr(self.popen, output)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self):
        for line in self._stream:
            with self._heard:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self._heard.notify_all()
        with self._heard:
            self._ended = True
            self._heard.notify_all()

    def said(self, pattern):
        """Wait for a line behind the last one that was waited for; return the match."""
        found = None

        def heard():
            nonlocal found
            while found is None and self._next < len(self.lines):
                found = re.search(pattern, self.lines[self._next])
                self._next += 1
            return found or self._ended

        with self._heard:
            self._heard.wait_for(heard, LIMIT)
        assert found, f"no line with {pattern!r} in:\n{self.log}"
        return found

    @property
    def log(self):
        """All that was said so far."""
        return "\n".join(self.lines)

    def signal(self, number):
        """Send a signal."""
        self.popen.send_signal(number)

    def wait(self):
        """Wait for the end; return the exit code. The log is complete then."""
        code = self.popen.wait(LIMIT)
        self._listener.join(LIMIT)
        return code

    def stop(self):
        """SIGTERM; return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def close(self):
        """End it, whatever state it is in."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.wait()
        self._stream.close()


class Server(Process):
    """An ASGI server that listens on `path` (a unix socket) or on `port` (TCP, loopback)."""

    path = port = None

    def connection(self):
        """A raw, blocking connection."""
        if self.path:
            raw = socket.socket(socket.AF_UNIX)
            raw.settimeout(LIMIT)
            raw.connect(str(self.path))
            return raw
        return socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)

    def http(self):
        """An HTTP connection, which is kept alive."""
        made = http.client.HTTPConnection("localhost", timeout=LIMIT)
        made.sock = self.connection()
        return contextlib.closing(made)

    def get(self, path="/", headers=None):
        """Return status, headers and body of one request on a connection of its own."""
        with self.http() as connection:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def websocket(self, path="/", **options):
        """A client of the websockets package, as an asynchronous context."""
        options = {"compression": None, "open_timeout": LIMIT, "close_timeout": LIMIT, "max_size": None, **options}
        if self.path:
            return unix_connect(str(self.path), f"ws://localhost{path}", **options)
        return connect(f"ws://127.0.0.1:{self.port}{path}", **options)


class Starter:
    """Starts processes and ends them all."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []
        self.environment = clean_environment(FANOUT_STATE_DIR=str(folder))

    def process(self, *command, kind=Process, environment=None, **options):
        """Start any program."""
        env = {**self.environment, **(environment or {})}
        process = kind(*map(str, command), cwd=self.folder, env=env, **options)
        self.started.append(process)
        return process

    def python(self, *arguments, **options):
        """Start `python -m …`, which need not stay."""
        return self.process(sys.executable, "-m", *arguments, kind=Server, **options)

    def replica(self, *arguments, name="web-1", **options):
        """Start a replica on `<folder>/<name>.sock` and wait until it listens and serves."""
        server = self.python("server", *arguments, "--name", name, "--socket-dir", self.folder, **options)
        server.path = self.folder / f"{name}.sock"
        return self.listens(server, r"listens on")

    def tcp(self, *arguments, **options):
        """Start a server on a free port of the loopback address; `-p 0` is among the arguments."""
        server = self.python(*arguments, **options)
        server.port = int(server.said(r"(?:Listening on TCP address|running on http://)\D*127\.0\.0\.1:(\d+)")[1])
        return server

    @staticmethod
    def listens(server, line):
        """Wait for the line that says so."""
        server.said(line)
        return server

    def close(self):
        for process in reversed(self.started):
            process.close()


@contextlib.contextmanager
def a_folder():
    """A folder whose path is short enough for a unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="replica-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder():
    with a_folder() as made:
        yield made


@pytest.fixture
def start(folder):
    """Start servers that have ended when the test has."""
    with contextlib.closing(Starter(folder)) as starter:
        yield starter


@pytest.fixture(scope="module")
def start_once():
    """Start servers that all tests of a module share: leave them as they were."""
    with a_folder() as made, contextlib.closing(Starter(made)) as starter:
        yield starter
