"""The sockets that a server listens on, and the files by which it is found: nginx' way in, and the pid file."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from twisted.internet import unix

from server.slot import SUFFIX, SocketFile

logger = logging.getLogger(__name__)


class Ports:
    """Those of one server. `pid_file` holds the process id from the first listening socket to the exit."""

    def __init__(self, pid_file: Path | None) -> None:
        self._pid_file = pid_file
        self._ports: list[Any] = []
        self._files: list[SocketFile] = []

    def add(self, port: Any) -> None:
        """Remember a port that listens, and say who it is that does."""
        self._ports.append(port)
        if self._pid_file is not None:
            self._pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
        if isinstance(port, unix.Port) and (path := port.getHost().name):
            self._files.append(SocketFile(Path(os.fsdecode(path))))
            # Twisted would remove whatever is there when it closes, and by then the path may be a successor's.
            port._bindPath = b"\0"  # noqa: SLF001 - Twisted is pinned

    def neighbours(self) -> list[str]:
        """Return the names of all sockets in the folder of this server's own, its own among them."""
        folders = {file.path.parent for file in self._files}
        return sorted(path.stem for folder in folders for path in folder.glob(f"*{SUFFIX}"))

    def withdraw(self) -> None:
        """Be found no more; who has already knocked is let in."""
        self._remove_sockets()
        for port in self._ports:
            accepted = -1
            while accepted != port.sessionno:  # Twisted takes in as many at a time as came last, not all
                accepted = port.sessionno
                port.doRead()
            port.stopListening()

    def remove_files(self) -> None:
        """Remove the sockets and the pid file if they are still ours: a successor may have made its own."""
        self._remove_sockets()
        try:
            if self._pid_file is not None and self._pid_file.read_text(encoding="ascii") == f"{os.getpid()}\n":
                self._pid_file.unlink()
        except FileNotFoundError:
            logger.debug("the pid file is gone already")

    def _remove_sockets(self) -> None:
        for file in self._files:
            file.remove()
