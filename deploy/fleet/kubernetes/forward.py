"""One local port for all web pods: `kubectl port-forward` reaches one pod, a relay spreads connections over several."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import subprocess
import threading
from typing import TYPE_CHECKING

from fleet.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fleet.kubernetes.kubectl import Kubectl

FORWARDS = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
PORT = 8080
"""nginx' in its pod."""
CHUNK_BYTES = 65536
START_SECONDS = 20.0


@contextlib.contextmanager
def forwarded(kubectl: Kubectl, pods: Sequence[str]) -> Iterator[int]:
    """Yield a local port whose connections go to the pods in turn. Raise FleetError."""
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(_forward(kubectl, pod)) for pod in pods]
        yield stack.enter_context(relayed(ports))


@contextlib.contextmanager
def _forward(kubectl: Kubectl, pod: str) -> Iterator[int]:
    """Yield the local port of one pod."""
    command = kubectl.command("port-forward", f"pod/{pod}", f":{PORT}")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.start()
    try:
        said = process.stdout.readline() if process.stdout else ""
        timer.cancel()
        match = FORWARDS.match(said)
        if match is None:
            raise FleetError(f"kubectl does not forward a port to {pod}: {said.strip() or 'it gave no reason'}.")
        # What it says of each connection has to go somewhere, or it stands still when the pipe is full.
        threading.Thread(target=_drain, args=(process,), daemon=True).start()
        yield int(match[1])
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def _drain(process: subprocess.Popen[str]) -> None:
    if process.stdout:
        for _ in process.stdout:
            pass


@contextlib.contextmanager
def relayed(ports: Sequence[int]) -> Iterator[int]:
    """Yield a port of 127.0.0.1 whose connections go to `ports` in turn."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    turns = itertools.cycle(ports)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _relay(reader, writer, next(turns))

    async def serve() -> asyncio.Server:
        return await asyncio.start_server(take, "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Carry one connection, both ways, until both sides have ended."""
    try:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK_BYTES):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
