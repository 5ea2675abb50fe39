"""What all tests may ask for: a real Redis of their own, and a default channel layer."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.fleets import fleet, own_fleet, unstarted  # noqa: F401 - fixtures for all folders

START_SECONDS = 20
"""For a Redis that starts on a busy machine; usually it takes 30 ms."""
STOP_SECONDS = 10


class RedisServer:
    """One redis-server on a unix socket, with nothing on disk; `url` is for `hosts` of a channel layer."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._log = folder / "redis.log"
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        self.cli = Redis(unix_socket_path=str(self.path), socket_timeout=STOP_SECONDS)
        # Where it can, it dies with the test run, however that ends.
        guard = [setpriv, "--pdeathsig", "KILL"] if (setpriv := shutil.which("setpriv")) else []
        self._command = [
            *guard, binary,
            "--port", "0", "--unixsocket", str(self.path), "--dir", str(folder), "--logfile", str(self._log),
            "--save", "", "--appendonly", "no",
        ]  # fmt: skip
        self._process: subprocess.Popen | None = None

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
        """Stop and start; it has forgotten everything then."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and says nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

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


@contextlib.contextmanager
def a_redis():
    """A running Redis in a folder whose path is short enough for a socket."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    with tempfile.TemporaryDirectory(prefix="redis-", dir="/tmp") as folder:
        server = RedisServer(binary, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def redis_server():
    """A Redis that all tests share: use a `prefix` of your own and break nothing."""
    with a_redis() as server:
        yield server


@pytest.fixture(scope="session")
def second_redis_server():
    """Another one, shared too: for layers with two hosts."""
    with a_redis() as server:
        yield server


@pytest.fixture
def own_redis():
    """A Redis for one test, which may stop, kill, pause and restart it."""
    with a_redis() as server:
        yield server


@pytest.fixture
def layer_prefix():
    """A prefix under which no other test sends."""
    return f"test-{uuid.uuid4().hex[:12]}-"


@pytest.fixture
def redis_default_layer(settings, redis_server, layer_prefix):
    """CHANNEL_LAYERS['default'] is the layer over the shared Redis."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "fanout.layers.RedisChannelLayer",
            "CONFIG": {"hosts": [redis_server.url], "prefix": layer_prefix},
        },
    }


@pytest.fixture
def memory_default_layer(settings):
    """CHANNEL_LAYERS['default'] is the layer within this process, fresh."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "fanout.layers.InMemoryChannelLayer"}}


@pytest.fixture(params=["memory", "redis"])
def default_layer(request):
    """CHANNEL_LAYERS['default'] is one of ours: the test runs with each; its name is the value."""
    request.getfixturevalue(f"{request.param}_default_layer")
    return request.param
