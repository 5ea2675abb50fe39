"""HTTP over a unix socket: how a replica is asked how it does, and the supervisor what it runs."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

ANSWER_SECONDS = 2.0  # a replica that takes longer for its own state is not well


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection whose host is a file."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def get_json(path: Path, target: str) -> dict[str, Any] | None:
    """Return the JSON object that a socket answers, whatever the status; None when there is no such answer."""
    connection = UnixConnection(path, ANSWER_SECONDS)
    try:
        connection.request("GET", target)
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None
