"""Several servers of one side behind nginx, configured as the fleet configures it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.processes import running
from fleet import descriptors, nginx, packages, ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.sides import Server, Side

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Fleet:
    """What runs."""

    address: tuple[str, int]
    """Where nginx listens."""
    servers: tuple[Server, ...]


@contextmanager
def fleet_of(side: Side, replicas: int, folder: Path) -> Iterator[Fleet]:
    """Run `replicas` servers of a side and the project's own nginx before them."""
    with ExitStack() as stack:
        servers = tuple(stack.enter_context(side.start(folder, f"web-{slot + 1}")) for slot in range(replicas))
        (port,) = ports.unused(1)
        address = (HOST, port)
        path = _configuration(folder, port)
        binary = packages.require("nginx")
        command = [binary, "-e", "stderr", "-p", str(path.parent), "-c", str(path)]
        stack.enter_context(running(command, cwd=folder, log=folder / "nginx.log", ready=address))
        yield Fleet(address, servers)


def _configuration(folder: Path, port: int) -> Path:
    prefix = folder / "nginx"
    prefix.joinpath("temporary").mkdir(parents=True, exist_ok=True)
    limits = descriptors.raise_limit()
    edge = nginx.Edge(
        port=port, bind=(HOST,), sockets=folder, static=folder, prefix=prefix, pid=prefix / "nginx.pid",
        descriptors=limits.descriptors, connections=limits.worker_connections, user=nginx.user(),
        access_log=str(prefix / "access.log"),
    )  # fmt: skip
    path = prefix / "nginx.conf"
    path.write_text(nginx.render(edge), encoding="utf-8")
    return path
