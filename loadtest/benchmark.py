"""What a delivery costs: ours beside a stock tutorial consumer on plain Daphne, in one run on one machine.

Both serve the same sockets the same text on a unix socket, without nginx, and share one Redis. CPU is
user and system time of the replica's process (from /proc) over the whole run, divided by the frames
that all receivers counted; a lost or doubled frame voids the run. The rates differ, because stock
is saturated where ours idles; what is compared is the cost of one delivery.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from client import Connection, Crowd

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[1]
TUTORIAL = REPOSITORY / "app" / "tests" / "data" / "tutorial"
STORM = 50
"""Handshakes at a time: stock Daphne listens with a backlog of 50."""
PATIENCE = 30.0
"""Seconds for the last frame to arrive before it counts as lost."""


@dataclass(frozen=True)
class Side:
    """What one side of the comparison is asked to do."""

    name: str
    sockets: int
    messages: int
    rate: float
    """Publications a second."""


@dataclass(frozen=True)
class Result:
    """What it took."""

    side: Side
    deliveries: int
    cpu_seconds: float
    generator_share: float
    """CPU of this script over the wall time, 0 to 1: near 1 it was the bottleneck."""

    @property
    def microseconds(self) -> float:
        """CPU of the replica for each delivery."""
        return self.cpu_seconds / self.deliveries * 1e6


def measure(side: Side, path: Path, pid: int) -> Result:
    """Publish to the side's receivers at its rate, and return what the replica used."""
    crowd, text = Crowd(path), json.dumps({"message": "x" * 80}, separators=(",", ":")).encode()
    arrived: Counter[bytes] = Counter()

    def take(_: Connection, texts: list[bytes]) -> None:
        arrived.update(texts)

    crowd.connect(side.sockets, at_once=STORM)
    publisher = crowd.connections[0]
    publisher.send(text)
    crowd.read_until(time.monotonic() + 2, take)  # warm: the first message imports, the last handshakes settle
    if len(arrived) != 1 or arrived.total() != side.sockets:
        raise SystemExit(f"{side.name}: {arrived.total()} of {side.sockets} receivers got the first message; void.")
    arrived.clear()
    cpu, own, began = _cpu(pid), time.process_time(), time.monotonic()
    for number in range(side.messages):
        publisher.send(text)
        crowd.read_until(began + (number + 1) / side.rate, take)
    end, expected = time.monotonic() + PATIENCE, side.messages * side.sockets
    while arrived.total() < expected and time.monotonic() < end:
        crowd.read_until(time.monotonic() + 0.05, take)
    cpu, own, wall = _cpu(pid) - cpu, time.process_time() - own, time.monotonic() - began
    crowd.close()
    if arrived.total() != expected:
        raise SystemExit(f"{side.name}: {arrived.total()} of {expected} deliveries arrived; void.")
    return Result(side, expected, cpu, own / wall)


def _cpu(pid: int) -> float:
    """User and system seconds of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def process(*command: str, ready: Path, cwd: Path, **environment: str) -> Iterator[int]:
    """Run a server until the block ends; yield its pid when `ready` (its socket) takes connections."""
    log = ready.with_suffix(".log")
    with log.open("wb") as output:
        child = subprocess.Popen(command, cwd=cwd, env=os.environ | environment, stdout=output, stderr=output)
    try:
        _await_socket(ready, child, log)
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _await_socket(path: Path, child: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(400):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if child.poll() is None and probe.connect_ex(os.fspath(path)) == 0:
                return
        if child.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f"{child.args!r} did not start:\n{log.read_text(errors='replace')[-2000:]}")


STOCK_PROJECT = """
import os, sys
sys.path.insert(0, os.environ["STOCK_CONSUMER_DIR"])
from django.conf import settings
settings.configure(
    SECRET_KEY="stock-control-" * 4,
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={"default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [os.environ["STOCK_REDIS"]]},
    }},
)
import django
django.setup()
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path
from consumers import ChatConsumer
application = ProtocolTypeRouter({"websocket": URLRouter([path("ws/chat/", ChatConsumer.as_asgi())])})
"""
"""The control: the tutorial's consumer, unchanged, in the least project around it."""


def run(control: Side, ours: Side) -> list[Result]:
    """Measure stock, then ours; one after the other, since both want the cores."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        redis = folder / "redis.sock"
        server = ["redis-server", "--port", "0", "--unixsocket", str(redis), "--save", ""]
        stack.enter_context(process(*server, ready=redis, cwd=folder))
        with _stock(folder, f"unix://{redis}") as (path, pid):
            first = measure(control, path, pid)
        with _replica(folder, f"unix://{redis}") as (path, pid):
            return [first, measure(ours, path, pid)]


@contextmanager
def _stock(folder: Path, redis_url: str) -> Iterator[tuple[Path, int]]:
    (folder / "stock.py").write_text(STOCK_PROJECT, encoding="utf-8")
    path = folder / "stock.sock"
    daphne = [str(Path(sys.executable).with_name("daphne")), "-u", str(path), "--access-log", os.devnull]
    environment = {"STOCK_REDIS": redis_url, "STOCK_CONSUMER_DIR": str(TUTORIAL)}
    with process(*daphne, "stock:application", ready=path, cwd=folder, **environment) as pid:
        yield path, pid


@contextmanager
def _replica(folder: Path, redis_url: str) -> Iterator[tuple[Path, int]]:
    path = folder / "web-1.sock"
    command = [sys.executable, "-m", "server", "--name", "web-1", "--socket-dir", str(folder)]
    environment = {"FANOUT_REDIS_URLS": redis_url, "FANOUT_STATE_DIR": str(folder)}
    with process(*command, ready=path, cwd=REPOSITORY / "app", **environment) as pid:
        yield path, pid


def table(results: list[Result]) -> str:
    """Return the comparison as text."""
    lines = [f"{'':8}{'sockets':>9}{'msg/s':>8}{'deliveries':>12}{'CPU s':>8}{'µs/delivery':>13}{'generator':>11}"]
    lines += [
        f"{r.side.name:8}{r.side.sockets:>9}{r.side.rate:>8g}{r.deliveries:>12}{r.cpu_seconds:>8.2f}"
        f"{r.microseconds:>13.1f}{r.generator_share:>11.0%}"
        for r in results
    ]
    control, ours = results
    lines.append(f"A delivery costs 1/{control.microseconds / ours.microseconds:.0f} of stock.")
    return "\n".join(lines)


def main() -> None:
    """Print the comparison; with --at-least, fail when ours is not that many times cheaper."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--messages", type=int, default=600, help="publications to ours")
    parser.add_argument("--rate", type=float, default=60, help="publications a second to ours")
    parser.add_argument("--stock-messages", type=int, default=30, help="publications to stock")
    parser.add_argument("--stock-rate", type=float, default=3, help="publications a second to stock")
    parser.add_argument("--at-least", type=float, default=0, help="exit 1 if the ratio to stock is below this")
    given = parser.parse_args()
    stock = Side("stock", given.sockets, given.stock_messages, given.stock_rate)
    results = run(stock, Side("ours", given.sockets, given.messages, given.rate))
    print(table(results))
    control, ours = results
    if control.microseconds < given.at_least * ours.microseconds:
        sys.exit(f"A delivery costs more than 1/{given.at_least:g} of stock.")


if __name__ == "__main__":
    main()
