"""`python -m ops.probe [--alive] [SOCKET]` asks a replica how it does, for health checks and `make status`.

Without SOCKET, the one of this container. `--alive` asks whether it answers at all, not whether it is in service.
Standard library only, and little of it: an engine starts it every few seconds.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

TYPE_CHECKING = False  # as `typing` has it, which takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE = Path("/proc/net/unix")
"""Sockets of this network namespace, which a container has for itself: its one listener is the replica."""
LISTENING = "00010000"  # __SO_ACCEPTCON of the kernel
SECONDS = 2.0  # a replica that takes longer for its own state is not well
READY, ALIVE = "/readyz", "/healthz"
CHUNK_BYTES = 65536
HEALTHY, UNHEALTHY = 0, 1


def listener(table: str) -> str | None:
    """Return the path of the first listening `.sock` file; None when nothing listens (yet, or any more)."""
    for line in table.splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) > 7 and fields[3] == LISTENING and fields[7].endswith(".sock"):  # noqa: PLR2004 - the path
            return fields[7]
    return None


def ask(path: str, question: str = READY) -> tuple[str, str]:
    """Return the status line and the body of the answer. Raise OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(SECONDS)
        link.connect(path)
        link.sendall(f"GET {question} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = b""
        while data := link.recv(CHUNK_BYTES):
            answer += data
    head, _, body = answer.decode(errors="replace").partition("\r\n\r\n")
    return head.partition("\r\n")[0], body


def main(arguments: Sequence[str] = ()) -> int:
    """Print what the replica says of itself; return 0 when it is in service, or alive if that is the question."""
    question = ALIVE if "--alive" in arguments else READY
    # In a pod, whose containers share one table, each is asked by its path.
    paths = [word for word in arguments if not word.startswith("--")]
    path = paths[0] if paths else listener(TABLE.read_text())
    if path is None:
        sys.stdout.write("no replica listens here\n")
        return UNHEALTHY
    try:
        status, body = ask(path, question)
    except OSError as error:
        sys.stdout.write(f"{Path(path).stem} does not answer: {error}\n")
        return UNHEALTHY
    sys.stdout.write(f"{body}\n")
    return HEALTHY if " 200 " in status else UNHEALTHY


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
