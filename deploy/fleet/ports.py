"""Whether nginx can listen where it should, and who is in the way; read from /proc, before anything is installed."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.errors import FleetError, UsageError
from fleet.options import HIGHEST_PORT

if TYPE_CHECKING:
    from fleet.state import Run, Settings

LOOPBACKS = ("127.0.0.1", "::1")
LISTEN = "0A"  # the state of a listening socket in /proc/net/tcp
OWN = range(31_000, 32_000)
"""For what we start for a while. Below the ports of outgoing connections in Linux, which may take one at any moment."""


@dataclass(frozen=True)
class Holder:
    """A process that listens on a port."""

    pid: int
    command: str
    folder: str

    def __str__(self) -> str:
        """Return it as a person looks for it."""
        return f"{self.command} (process {self.pid})"


def addresses(settings: Settings) -> tuple[str, ...]:
    """Return what nginx listens on: what was asked for, or the loopbacks this machine has."""
    return settings.bind or tuple(address for address in LOOPBACKS if try_bind(address, 0) != errno.EADDRNOTAVAIL)


def first(settings: Settings) -> str:
    """Return an address at which this machine reaches nginx."""
    address = addresses(settings)[0]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)


def refuse_all_taken(settings: Settings, run: Run) -> None:
    """Raise FleetError when nginx could not listen on one of its addresses and ports."""
    for address in addresses(settings):
        refuse_taken(address, settings.port, run)
        if settings.tls_port:
            refuse_taken(address, settings.tls_port, run, "TLS_PORT")


def refuse_taken(address: str, port: int, run: Run, variable: str = "PORT") -> None:
    """Raise FleetError with the remedy when nginx could not listen on an address and port."""
    failure = try_bind(address, port)
    if failure == errno.EADDRINUSE:
        found = holders(port)
        if not any(Path(holder.folder) == run.nginx for holder in found):
            who = f" by {found[0]}" if found else ""
            raise FleetError(
                f"Port {port} is in use{who}: end it, or take another one: make up {variable}={free(address, port)}."
            )
    elif failure == errno.EACCES:
        raise FleetError(f"Port {port} needs root's rights: take one above 1023, for example make up {variable}=8080.")
    elif failure is not None:
        raise UsageError(
            f"BIND={address} does not work here ({os.strerror(failure)}): take an address of this machine."
        )


def listens(settings: Settings) -> bool:
    """Return whether somebody listens on every address and port of nginx, and on just these."""
    return all(address in listening(port) for address, port in _wanted(settings))


def is_in_its_own_way(settings: Settings) -> bool:
    """Return whether the addresses that nginx has keep it from one that it is to have: 0.0.0.0 from 127.0.0.1."""
    return any(
        address not in listening(port) and try_bind(address, port) == errno.EADDRINUSE
        for address, port in _wanted(settings)
    )


def _wanted(settings: Settings) -> list[tuple[str, int]]:
    return [(address, port) for address in addresses(settings) for port in (settings.port, settings.tls_port) if port]


def listening(port: int) -> set[str]:
    """Return the addresses on which anybody listens at a port."""
    return {_address(row[1].partition(":")[0]) for table in ("tcp", "tcp6") for row in _rows(table, port)}


def _address(text: str) -> str:
    """Return an address as the kernel writes it: words of four bytes, each in the machine's order."""
    raw = bytes.fromhex(text)
    words = [raw[start : start + 4] for start in range(0, len(raw), 4)]
    return str(ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)))


def free(address: str, port: int) -> int:
    """Return the next port above that nobody uses."""
    candidates = range(port + 1, HIGHEST_PORT)
    return next((candidate for candidate in candidates if try_bind(address, candidate) is None), port + 1)


def unused(count: int) -> list[int]:
    """Return ports of the loopback that nobody listens on; each process begins to look at a place of its own."""
    start = os.getpid() * 37 % len(OWN)
    candidates = (*OWN[start:], *OWN[:start])
    found = list(islice((port for port in candidates if try_bind(LOOPBACKS[0], port) is None), count))
    if len(found) < count:
        raise FleetError(f"No {count} ports from {OWN[0]} to {OWN[-1]} are free: end what holds them.")
    return found


def try_bind(address: str, port: int) -> int | None:
    """Return the error that listening would meet, None for none."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
            probe.listen()
    except OSError as error:
        return errno.EADDRNOTAVAIL if error.errno == errno.EAFNOSUPPORT else error.errno
    return None


def holders(port: int) -> list[Holder]:
    """Return who listens on a port, as far as this account may know."""
    sought = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _inodes(table, port)}
    return [_holder(pid) for pid in _pids() if sought and sought & _links(pid)]


def _inodes(table: str, port: int) -> set[str]:
    return {row[9] for row in _rows(table, port)}


def _rows(table: str, port: int) -> list[list[str]]:
    """Return the kernel's rows of those who listen at a port."""
    try:
        rows = [line.split() for line in Path("/proc/net", table).read_text().splitlines()[1:]]
    except OSError:
        return []
    return [row for row in rows if row[3] == LISTEN and int(row[1].rpartition(":")[2], 16) == port]


def _pids() -> list[int]:
    return sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _links(pid: int) -> set[str]:
    """Return what the descriptors of a process point to; nothing when it is not ours to look at."""
    links = set()
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            links.add(str(descriptor.readlink()))
    except OSError:
        pass
    return links


def _holder(pid: int) -> Holder:
    folder = Path(f"/proc/{pid}")
    try:
        words = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").split()
        here = str((folder / "cwd").readlink()).removesuffix(" (deleted)")
        return Holder(pid, " ".join(words[:3]), here)
    except OSError:
        return Holder(pid, "a process", "")
