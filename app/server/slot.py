"""A replica's slot beside the others: its name, and the socket file that nginx finds it by."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - a field of a dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH_LIMIT = 107
"""Bytes of a unix socket's path: the kernel's sockaddr_un holds 108 with the closing zero."""
BACKLOG = 4096
"""Handshakes that may wait: Daphne's 50 refuse 88 % of 1,000 at once. The kernel caps it at net.core.somaxconn."""
MODE = 0o660
"""nginx gets in by its group; nobody else does."""
SUFFIX = ".sock"
SLOTS = 512
"""Names that are tried when none is given."""
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")


class SlotError(Exception):
    """The slot can't be taken; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A claimed slot."""

    name: str
    path: Path

    @property
    def endpoint(self) -> str:
        """Twisted's description of the listening socket; no lock file, which outlives a killed container."""
        escaped = str(self.path).replace("\\", "\\\\").replace(":", "\\:").replace("=", "\\=")
        return f"unix:{escaped}:mode={MODE:o}:backlog={BACKLOG}:lockfile=0"


class SocketFile:
    """The file of a listening socket: removed by us only as long as it is the one that we bound."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity = self._seen()

    def remove(self) -> None:
        """Remove the file; a successor's on the same path stays. Harmless when repeated."""
        if self._identity is not None and self._seen() == self._identity:
            self.path.unlink(missing_ok=True)

    def _seen(self) -> tuple[int, int] | None:
        try:
            status = self.path.lstat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


@contextmanager
def claimed(folder: Path, name: str | None = None, suffix: str = SUFFIX) -> Iterator[Slot]:
    """Yield a slot in `folder`, the named one or else the first free `web-N`; hold it until listening.

    A socket file that nobody listens on is removed. Raises SlotError when the name is in use, malformed or
    too long for a path, or the folder can't be used. The claim is a lock on the folder itself: no further
    file, and it ends with the process however that dies.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise SlotError(f"The socket folder {folder} can't be used: {error.strerror}. Create it first.") from None
    try:
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SlotError(f"The socket folder {folder} can't be written to: give it to the user of the replica.")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield _named(folder, name, suffix) if name else _first_free(folder)
    finally:
        os.close(descriptor)


def _named(folder: Path, name: str, suffix: str) -> Slot:
    slot = _slot(folder, name, suffix)
    if not _free(slot.path):
        raise SlotError(
            f"{slot.path} is in use by a live replica: stop that one first, or give this one another --name."
        )
    return slot


def _first_free(folder: Path) -> Slot:
    for number in range(1, SLOTS + 1):
        slot = _slot(folder, f"web-{number}")
        if _free(slot.path):
            return slot
    raise SlotError(f"All {SLOTS} slots of {folder} are in use.")


def check_name(name: str, option: str = "--name") -> str:
    """Return the name, or raise SlotError: it is a file's name, a header's value and a metric's label."""
    if not NAME.fullmatch(name):
        raise SlotError(f"{option} {name!r} must be letters, digits, - _ and ., for example web-1.")
    return name


def _slot(folder: Path, name: str, suffix: str = SUFFIX) -> Slot:
    path = folder.absolute() / f"{check_name(name)}{suffix}"
    if len(os.fsencode(path)) > PATH_LIMIT:
        raise SlotError(
            f"{path} has {len(os.fsencode(path))} bytes, a unix socket's path may have {PATH_LIMIT}: "
            "choose a shorter --socket-dir."
        )
    return Slot(name, path)


def _free(path: Path) -> bool:
    """Whether nobody listens on `path`; the file of a dead listener is removed."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return True
    if not stat.S_ISSOCK(mode):
        raise SlotError(f"{path} is no socket: move it away, or choose another --name.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A full backlog answers EAGAIN instead of waiting; its owner is very much alive.
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise SlotError(f"The stale socket {path} can't be removed: {error.strerror}.") from None
            return True
        except FileNotFoundError:  # its replica has just left
            return True
        except OSError:
            return False
    return False
