"""A proxy that breaks things on purpose, before a replica's socket, nginx or Redis: it cuts, drops, doubles, swaps.

python -m proof.faults.proxy /run/sockets/web-2.sock /run/hidden/web-2.sock --drop 1000
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from proof import trust
from proof.faults.lane import Faults, Lane
from proof.faults.pieces import Frames, Values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proof.faults.pieces import Cutter

READ_BYTES = 1 << 16
HELD_SECONDS = 1.0
"""Until a message that waits to be swapped goes on without a neighbour: late is another fault than lost."""
BACKLOG = 4096
"""As a replica's own: a storm of connects must not fail at the proxy."""
SPEAKS: dict[str, type[Cutter]] = {"websocket": Frames, "redis": Values}


@dataclass(frozen=True)
class Address:
    """A unix socket, or a TCP port."""

    path: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    trust: str = ""
    """TLS is spoken there, and the certificate in this file believed."""

    @classmethod
    def of(cls, text: str) -> Address:
        """Return the address that a path, a port or host:port means. Raise argparse.ArgumentTypeError."""
        if "/" in text:
            return cls(path=text.removeprefix("unix:"))
        host, _, port = text.rpartition(":")
        if not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise argparse.ArgumentTypeError(f"{text} is no path of a socket, no port and no host:port")
        return cls(host=host or cls.host, port=int(port))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection there."""
        if self.path:
            return await asyncio.open_unix_connection(self.path, limit=READ_BYTES)
        secure = trust.context(self.trust) if self.trust else None
        return await asyncio.open_connection(self.host, self.port, limit=READ_BYTES, ssl=secure)

    def __str__(self) -> str:
        """As it is written on the command line."""
        return self.path or f"{self.host}:{self.port}"


class Proxy:
    """Passes on what clients and a server say, with faults; can be cut and mended."""

    def __init__(self, here: Address, there: Address, faults: Faults, speaks: str = "websocket") -> None:
        self.faults = faults
        self.is_cut = False
        self._here = here
        self._there = there
        self._speaks = SPEAKS[speaks]
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def here(self) -> Address:
        """Where it listens; a port of 0 is, once it has started, the one that the kernel gave."""
        return self._here

    async def start(self) -> None:
        """Listen. Raise OSError when that cannot be: a socket on which nobody listens is replaced, nothing else is."""
        if self._here.path:
            _refuse_what_lives(Path(self._here.path))
            self._forget_socket()
            self._server = await asyncio.start_unix_server(self._accept, self._here.path, backlog=BACKLOG)
            os.chmod(self._here.path, 0o660)  # noqa: PTH101 - takes no time # nosec B103 - for owner and group
        else:
            self._server = await asyncio.start_server(self._accept, self._here.host, self._here.port, backlog=BACKLOG)
            self._here = replace(self._here, port=self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Cut every connection, and each new one at once, until it is mended."""
        self.is_cut = True
        for connection in self._connections:
            connection.cancel()

    def mend(self) -> None:
        """Pass on again."""
        self.is_cut = False

    async def close(self) -> None:
        """Cut every connection and listen no more."""
        self.cut()
        if self._server is not None:
            self._server.close()
            self._forget_socket()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _forget_socket(self) -> None:
        if self._here.path:
            Path(self._here.path).unlink(missing_ok=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        connection = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        to_server: asyncio.StreamWriter | None = None
        try:
            server, to_server = await self._there.connect()
            lane = Lane(self.faults, self._speaks())
            ways = [
                asyncio.ensure_future(_pass_on(client, to_server)),
                asyncio.ensure_future(_pass_on(server, to_client, lane)),
            ]
            try:
                await asyncio.wait(ways)
            finally:
                for way in ways:
                    way.cancel()
        except OSError:  # nobody is there: the client finds the same
            pass
        finally:
            for writer in (to_client, to_server):
                if writer is not None:
                    writer.transport.abort() if self.is_cut else writer.close()


def _refuse_what_lives(path: Path) -> None:
    """Raise OSError for a file, and for a socket on which somebody listens."""
    if not path.exists():
        return
    if not path.is_socket():
        raise FileExistsError(errno.EEXIST, "a file is there that is no socket")
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(ConnectionRefusedError):
        probe.connect(str(path))
        raise OSError(errno.EADDRINUSE, "somebody listens there: move that socket away first")


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lane: Lane | None = None) -> None:
    """Pass on until the end, and end the other side then."""
    with contextlib.suppress(ConnectionError):
        while data := await _read(reader, writer, lane):
            writer.write(lane.feed(data) if lane else data)
            await writer.drain()
        if lane:
            writer.write(lane.flush())
    with contextlib.suppress(OSError):
        writer.write_eof() if writer.can_write_eof() else writer.close()  # TLS ends both ways at once


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lane: Lane | None) -> bytes:
    if lane is None or not lane.holds:
        return await reader.read(READ_BYTES)
    reading = asyncio.ensure_future(reader.read(READ_BYTES))
    try:
        await asyncio.wait([reading], timeout=HELD_SECONDS)
        if not reading.done():
            writer.write(lane.flush())
        return await reading
    finally:
        reading.cancel()


# -- the command line ---------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="python -m proof.faults.proxy",
        description="Stand between clients and a server, and break what the server says. SIGUSR1 cuts every "
        "connection, SIGUSR2 mends; SIGTERM ends.",
    )  # fmt: skip
    made.add_argument(
        "here", type=_here, help="where to listen: a path, a port or host:port; 0: any port, told in the first line"
    )
    made.add_argument("there", type=Address.of, help="the server: a path, a port or host:port")
    made.add_argument("--trust", default="", metavar="FILE",
                      help="speak TLS with the server, believe the file's certificate (proof/trust.py)")  # fmt: skip
    made.add_argument("--speaks", choices=SPEAKS, default="websocket", help="what the server speaks")
    for name, what in (("drop", "drop"), ("double", "send twice"), ("swap", "swap with the next one")):
        made.add_argument(f"--{name}", type=_every, default=0, metavar="N", help=f"{what} one message in N")
    made.add_argument("--holding", type=os.fsencode, default=b"", metavar="TEXT",
                      help="only messages that hold this text count and break, for example chat.")  # fmt: skip
    made.add_argument("--cut", type=_span, metavar="AFTER:FOR", help="seconds from the start, and how many")
    return made


def _here(text: str) -> Address:
    return Address() if text == "0" else Address.of(text)


def _every(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return int(text)


def _span(text: str) -> tuple[float, float]:
    try:
        after, during = (float(part) for part in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not two numbers of seconds, as in 5:20") from None
    return after, during


async def serve(options: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    faults = Faults(options.drop, options.double, options.swap, options.holding)
    proxy, loop, ended = (
        Proxy(options.here, replace(options.there, trust=options.trust), faults, options.speaks),
        asyncio.get_running_loop(),
        asyncio.Event(),
    )
    try:
        await proxy.start()
    except OSError as error:
        print(f"cannot listen on {options.here}: {error.strerror}", file=sys.stderr)
        return 2
    for number, what in (
        (signal.SIGUSR1, proxy.cut), (signal.SIGUSR2, proxy.mend),
        (signal.SIGTERM, ended.set), (signal.SIGINT, ended.set),
    ):  # fmt: skip
        loop.add_signal_handler(number, what)
    if options.cut:
        after, during = options.cut
        loop.call_later(after, proxy.cut)
        loop.call_later(after + during, proxy.mend)
    print(f"passing on from {options.there} to {proxy.here}", flush=True)
    await ended.wait()
    await proxy.close()
    print(faults, flush=True)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    return asyncio.run(serve(parser().parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
