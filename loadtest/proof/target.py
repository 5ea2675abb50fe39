"""Whom the proof asks: the address of `--host`, and a WebSocket handshake with it."""

from __future__ import annotations

import contextlib
import errno
import http
import json
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gevent.socket import create_connection
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, NegotiationError
from websockets.http11 import Response
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from fanout.protocol import SUBPROTOCOL
from proof import trust
from proof.errors import ProofError, RefusedError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_SECONDS = 10.0
"""For a connection and for the answer to its handshake: a server that needs longer serves nobody."""
HEAD_LIMIT = 1 << 16
"""Bytes of a handshake's answer."""
SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
PORTS = {"ws": 80, "wss": 443}
REPOSITORY = Path(__file__).resolve().parents[2]
MEMORIES = ("fleet.json", "compose/fleet.json")
"""Where a fleet of plain processes and one in containers remember their port, while they run."""


@dataclass(frozen=True)
class Answer:
    """A handshake that succeeded."""

    stream: socket.socket
    replica: str
    """Who answered; empty where nobody says so."""
    rest: bytes
    """What came behind the answer."""


@dataclass(frozen=True)
class Target:
    """A server, by scheme, host and port."""

    scheme: str
    host: str
    port: int
    text: str
    """As it was given, for sentences."""
    trust: str = ""
    """A file with whom to believe (trust.py)."""

    def dial(self, path: str, *, plain: bool = False, origin: str | None = None) -> Answer:
        """Open a WebSocket. Raise UnreachableError or RefusedError."""
        stream = self._connect()
        try:
            return self._shake_hands(stream, path, plain=plain, origin=origin)
        except BaseException:
            stream.close()
            raise

    def _connect(self) -> socket.socket:
        try:
            stream: socket.socket = create_connection((self.host, self.port), timeout=CONNECT_SECONDS)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.scheme == "wss":
                stream = trust.context(self.trust).wrap_socket(stream, server_hostname=self.host)
        except ssl.SSLError as error:
            raise UnreachableError(f"{self.text} does not speak TLS as it should: {error.reason or error}.") from None
        except TimeoutError:
            raise UnreachableError(f"{self.text} does not answer within {CONNECT_SECONDS:g} s.") from None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise UnreachableError(
                    f"This machine has no port left for one more connection to {self.text}: wait a minute for those of "
                    "earlier runs, use fewer users, or workers on more machines."
                ) from None
            raise UnreachableError(
                f"There is no server at {self.text} ({(error.strerror or str(error)).lower()}): "
                "start one (`make up`), or name another with --host."
            ) from None
        return stream

    def _shake_hands(self, stream: socket.socket, path: str, *, plain: bool, origin: str | None) -> Answer:
        uri = parse_uri(f"{self.scheme}://{_bracketed(self.host)}:{self.port}{path}")
        protocol = ClientProtocol(
            uri,
            origin=Origin(origin) if origin else None,
            subprotocols=None if plain else [Subprotocol(SUBPROTOCOL)],
        )
        protocol.send_request(protocol.connect())
        try:
            stream.sendall(b"".join(protocol.data_to_send()))
            head, rest = _head(stream)
        except TimeoutError:
            raise UnreachableError(f"{self.text} does not answer a handshake within {CONNECT_SECONDS:g} s.") from None
        except OSError as error:
            raise UnreachableError(f"{self.text} broke the connection during the handshake: {error}.") from None
        if head is None:
            raise UnreachableError(f"{self.text} closed the connection during the handshake.")
        self._check(head, path, origin)
        protocol.receive_data(head)
        events = protocol.events_received()
        self._judge(protocol, plain=plain)
        named = next((event.headers.get("X-Replica") for event in events if isinstance(event, Response)), None)
        return Answer(stream, replica_of(named or ""), rest)

    def _check(self, head: bytes, path: str, origin: str | None) -> None:
        """Raise RefusedError for another status than 101."""
        words = head.split(b"\r\n", 1)[0].decode("latin1").split(" ", 2)
        if not words[0].startswith("HTTP/") or len(words) < 2 or not words[1].isdecimal():  # noqa: PLR2004 - version, code
            raise RefusedError(f"{self.text} does not speak HTTP: give the address of nginx with --host.")
        status = int(words[1])
        if status == http.HTTPStatus.SWITCHING_PROTOCOLS:
            return
        if status == http.HTTPStatus.FORBIDDEN:
            whom = f"the origin {origin}" if origin else "the client"
            raise RefusedError(
                f"{self.text} refused {whom} on {path} (403): add it to FANOUT_TRUSTED_ORIGINS there, "
                "or give another with --origin."
            )
        if status in (
            http.HTTPStatus.BAD_GATEWAY,
            http.HTTPStatus.SERVICE_UNAVAILABLE,
            http.HTTPStatus.GATEWAY_TIMEOUT,
        ):
            raise UnreachableError(f"{self.text} has no replica to serve {path} ({status}): `make status` shows them.")
        raise RefusedError(
            f"{self.text} answered the WebSocket handshake on {path} with {status} instead of 101: "
            "give the right address with --host, or the right path with --path."
        )

    def _judge(self, protocol: ClientProtocol, *, plain: bool) -> None:
        """Raise RefusedError for a 101 that is none, or for another subprotocol."""
        wrong = protocol.handshake_exc
        if isinstance(wrong, NegotiationError) or (wrong is None and not plain and protocol.subprotocol is None):
            raise RefusedError(
                f"{self.text} does not speak {SUBPROTOCOL}: it chose "
                f"{protocol.subprotocol or 'no subprotocol, or another one'}. For a server of plain clients alone "
                "run PlainUser."
            )
        if isinstance(wrong, InvalidHandshake):
            raise RefusedError(f"{self.text} answered 101, but not as RFC 6455 wants it: {wrong}.")


def parse(text: str, trusted: str = "") -> Target:
    """Return the target of `--host`. Raise ProofError."""
    try:
        url = urlsplit(text if "//" in text else f"http://{text}")
        scheme, host, port = SCHEMES[url.scheme.lower()], url.hostname, url.port
        (host or "").encode("idna")  # as the look-up of its address will
    except (KeyError, ValueError):  # UnicodeError is one
        host = None
    if not host:
        raise ProofError(f"--host {text} is no address: give one like http://127.0.0.1:8080.")
    if url.path not in ("", "/"):
        raise ProofError(f"--host {text} has a path: give the address alone, and the path with --path.")
    return Target(scheme, host, port or PORTS[scheme], text, trusted)


def default_host(environ: Mapping[str, str]) -> str:
    """Return the address of the fleet that was started here last; port 8080 when none was."""
    run = Path(environ.get("RUN_DIR") or REPOSITORY / ".run")
    found = "http://127.0.0.1:8080"
    for memory in MEMORIES:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            kept = json.loads((run / memory).read_text())
            scheme, port = ("https", kept["tls_port"]) if kept.get("tls") else ("http", kept["port"])
            found = f"{scheme}://127.0.0.1:{int(port)}"
    return found


def default_trust(environ: Mapping[str, str]) -> str:
    """Return the certificate of the fleet that was started here last, where TLS is the only way to it."""
    run = Path(environ.get("RUN_DIR") or REPOSITORY / ".run")
    found = ""
    for memory in MEMORIES:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            kept = json.loads((run / memory).read_text())
            found = str(kept["tls_certificate"]) if kept["tls"] else ""
    return found


def replica_of(header: str) -> str:
    """Return who answered: the last one, where nginx names all that it tried. No spaces: they separate fields."""
    return "_".join(header.rpartition(",")[2].split())


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _head(stream: socket.socket) -> tuple[bytes | None, bytes]:
    """Return the head of the answer with its empty line, and what came behind it; None when the server closed."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        data = stream.recv(HEAD_LIMIT)
        if not data or len(buffer) > HEAD_LIMIT:
            return (buffer or None), b""
        buffer += data
        if not buffer.startswith(b"HTTP/"[: len(buffer)]):
            return buffer, b""
    head, _, rest = buffer.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest
