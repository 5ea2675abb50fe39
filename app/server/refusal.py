"""The answer to a handshake that the application refuses (ASGI's websocket.http.response). Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any


def sentence(refusal: dict[str, Any]) -> str:
    """Return what a refusal's response says to people; nothing if it is for programs."""
    kind: bytes = next((value for name, value in refusal.get("headers", ()) if name.lower() == b"content-type"), b"")
    return refusal["body"].decode(errors="replace").strip() if kind.startswith(b"text/plain") else ""


def response(refusal: dict[str, Any], more: list[tuple[bytes, bytes]]) -> bytes:
    """Return its bytes, with `more` headers; how long it is and that it is the last one is said here."""
    status: int = refusal["status"]
    body: bytes = refusal["body"]
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    ours = (b"content-length", b"connection")
    headers: list[tuple[bytes, bytes]]
    headers = [(name, value) for name, value in refusal.get("headers", ()) if name.lower() not in ours]
    headers += [*more, (b"Content-Length", b"%d" % len(body)), (b"Connection", b"close")]
    head = f"HTTP/1.1 {status} {phrase}\r\n".encode("latin1")
    return head + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body
