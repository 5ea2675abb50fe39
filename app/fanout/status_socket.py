"""How a process without a server says how it does, as a replica: on a unix socket, its metrics on a port as well."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    Status = Callable[[], Mapping[str, Any]]

ASK_SECONDS = 2.0
"""For who connects to say what they want."""
HEAD_LIMIT = 4096
"""Bytes of a request."""
IN_SERVICE = ("ready", "degraded")
"""What a process says of itself that is to be sent clients."""
SOCKET_PATHS = (b"/readyz", b"/healthz", b"/metrics")
PORT_PATHS = (b"/metrics",)


@contextlib.asynccontextmanager
async def status_socket(path: Path, status: Status) -> AsyncIterator[None]:
    """Answer on `path` while the context lasts. Raise OSError, with a sentence where another process listens there."""
    _remove_stale(path)  # before anything else is served: what blocks keeps nobody waiting
    server = await asyncio.start_unix_server(partial(_serve, status, SOCKET_PATHS), path, limit=HEAD_LIMIT)
    os.chmod(path, 0o660)  # noqa: PTH101 - of a socket on this machine # nosec B103 - for owner and group
    try:
        yield
    finally:
        server.close()
        _remove(path)


@contextlib.asynccontextmanager
async def metrics_port(port: int, status: Status) -> AsyncIterator[None]:
    """Answer `/metrics` at every address of this container while the context lasts: the network says who gets there.

    Raise OSError, with a sentence where the port is taken.
    """
    try:
        server = await asyncio.start_server(partial(_serve, status, PORT_PATHS), port=port, limit=HEAD_LIMIT)
    except OSError as error:
        said = error.strerror if error.errno != errno.EADDRINUSE else "it is taken: give another --metrics-port"
        raise OSError(error.errno, f"port {port}: {said}") from error
    try:
        yield
    finally:
        server.close()


async def _serve(
    status: Status, paths: tuple[bytes, ...], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(ASK_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(answer(head, status, paths))
            await writer.drain()
    writer.close()


def answer(head: bytes, status: Status, paths: tuple[bytes, ...] = SOCKET_PATHS) -> bytes:
    """Return the answer to the head of a request."""
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0]
    if method != b"GET" or path not in paths:
        *others, last = (each.decode() for each in sorted(paths))
        known = f"{', '.join(others)} and {last}" if others else last
        return _http("404 Not Found", {"status": f"nothing is here but {known}"})
    if path == b"/metrics":
        return _answer("200 OK", "text/plain; version=0.0.4", metrics(status()).encode())
    said = status() if path == b"/readyz" else {"status": "ok"}
    ok = path == b"/healthz" or said["status"] in IN_SERVICE
    return _http("200 OK" if ok else "503 Service Unavailable", said)


def _http(status: str, body: Mapping[str, Any]) -> bytes:
    return _answer(status, "application/json", msgspec.json.encode(body))


def metrics(said: Mapping[str, Any]) -> str:
    """Return the status as Prometheus reads it. `task` names a job: `job` is Prometheus' own."""
    checks, numbers = said.get("checks", {}), said.get("jobs", {})
    lines = [
        "# HELP fanout_task_ok Whether a background job does what it should.",
        "# TYPE fanout_task_ok gauge",
        *(f'fanout_task_ok{{task="{name}"}} {int(verdict == "ok")}' for name, verdict in checks.items()),
        "# HELP fanout_task_lag_seconds For how long its oldest work has waited.",
        "# TYPE fanout_task_lag_seconds gauge",
        *_numbers_of(numbers, "lag", "fanout_task_lag_seconds"),
        "# HELP fanout_task_lost_total What was gone before it could be done.",
        "# TYPE fanout_task_lost_total counter",
        *_numbers_of(numbers, "lost", "fanout_task_lost_total"),
    ]
    return "\n".join([*lines, ""])


def _numbers_of(numbers: Mapping[str, Mapping[str, Any]], key: str, metric: str) -> list[str]:
    """Return a sample for each job that has this number."""
    return [f'{metric}{{task="{name}"}} {each[key]}' for name, each in numbers.items() if key in each]


def _answer(status: str, media_type: str, content: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode() + content


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    """Remove what a killed process left; what a living one listens on stays."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
        else:
            raise OSError(errno.EADDRINUSE, f"another worker listens on {path}: end it, or give another --socket")
