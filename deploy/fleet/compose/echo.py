"""Sends a chat message through nginx and awaits it: a WebSocket client of few lines, since there may be no .venv.

Only what the fleet answers is understood: one short, whole text frame after the handshake (RFC 6455).
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import struct
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

SECONDS = 5.0
SWITCHING = " 101 "
TEXT = 0x81
MASKED = 0x80
SHORT = 125
"""Bytes of the longest payload whose length fits into one byte."""
PATH = "/ws/chat/fleet-{}/"
"""A room of its own, so that nobody in the lobby reads it."""


def echo(address: str, port: int, host: str, trust: ssl.SSLContext | None = None) -> str:
    """Send one message and get it back; return the replica that took it. Raise OSError or ValueError."""
    sent = secrets.token_hex(8)
    with _connect(address, port, trust) as link, link.makefile("rb") as answers:
        link.sendall(_handshake(PATH.format(sent), host))
        replica = _shaken(answers)
        link.sendall(frame(json.dumps({"message": sent}).encode()))
        received = json.loads(payload(answers))
    if received.get("message") != sent:
        raise ValueError(f"sent {sent}, received {received}")
    return replica


def _connect(address: str, port: int, trust: ssl.SSLContext | None) -> socket.socket:
    link = socket.create_connection((address, port), timeout=SECONDS)
    return trust.wrap_socket(link) if trust else link


def frame(text: bytes) -> bytes:
    """Return a short text frame of a client."""
    mask = os.urandom(4)
    return (
        struct.pack("!BB", TEXT, MASKED | len(text))
        + mask
        + bytes(byte ^ mask[place % 4] for place, byte in enumerate(text))
    )


def payload(answers: IO[bytes]) -> bytes:
    """Return the payload of the next frame. Raise ValueError for anything but a short text."""
    kind, size = answers.read(1), answers.read(1)
    if kind != bytes((TEXT,)) or not size or size[0] > SHORT:
        raise ValueError("the answer is no short text frame")
    return answers.read(size[0])


def _handshake(path: str, host: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


def _shaken(answers: IO[bytes]) -> str:
    """Read the answer to the handshake, return who answered."""
    status = answers.readline().decode("latin1")
    if SWITCHING not in status:
        raise ValueError(status.strip() or "the connection was closed during the handshake")
    replica = ""
    while (line := answers.readline().decode("latin1").strip()) != "":
        name, _, value = line.partition(":")
        if name.lower() == "x-replica":
            replica = value.strip()
    return replica
