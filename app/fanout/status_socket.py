"""A unix socket on which a process without a server says how it does, as a replica does: `/readyz` and `/metrics`."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

ASK_SECONDS = 2.0
"""For who connects to say what they want."""
HEAD_LIMIT = 4096
"""Bytes of a request."""
IN_SERVICE = ("ready", "degraded")


@contextlib.asynccontextmanager
async def status_socket(path: Path, status: Callable[[], Mapping[str, Any]]) -> AsyncIterator[None]:
    """Answer on `path` while the context lasts. Raise OSError, with a sentence where another process listens there."""
    _remove_stale(path)  # before anything else is served: what blocks keeps nobody waiting

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(ASK_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(answer(head, status))
                await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, path, limit=HEAD_LIMIT)
    os.chmod(path, 0o660)  # noqa: PTH101 - of a socket on this machine # nosec B103 - for owner and group
    try:
        yield
    finally:
        server.close()
        _remove(path)


def answer(head: bytes, status: Callable[[], Mapping[str, Any]]) -> bytes:
    """Return the answer to the head of a request."""
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0]
    if method != b"GET" or path not in (b"/readyz", b"/healthz", b"/metrics"):
        return _http("404 Not Found", {"status": "nothing is here but /healthz, /readyz and /metrics"})
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
