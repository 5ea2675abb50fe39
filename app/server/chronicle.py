"""What is logged of WebSockets: who was let in, who was refused and why, how each ended.

A line costs some 20 µs, an eighth of a handshake, and nginx writes one for each connection anyway. So what is ordinary
is told at level DEBUG only, and asking whether it is costs a tenth of a microsecond; a refusal, and an end that tells
of a fault, at INFO.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from server.websocket import ReplicaWebSocket

logger = logging.getLogger(__name__)

ORDINARY = {None, 1000, 1001, 1005, 1006, 1012, 4009}
"""Codes of ends that are nobody's fault: closed, gone away, cut off by a network, sent to another replica, idle."""
WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{1,64}")
OWN_LENGTH = 32
"""Characters of an id that nginx makes."""
ABNORMAL = 1006
TEXT_LIMIT = 200
"""Characters of a reason or a path."""


def request_id(protocol: ReplicaWebSocket) -> str | None:
    """Return the id that whoever stands in front has given the handshake; None without one that is well-formed."""
    given = protocol.request_id
    if given is None:
        given = dict(getattr(protocol, "clean_headers", ())).get(b"x-request-id")
    if given is None:
        return None
    # nginx' own, which are almost all, are told at a glance: a handshake waits for this.
    plain = len(given) == OWN_LENGTH and given.isalnum()
    return given.decode("ascii") if plain or WELL_FORMED.fullmatch(given) else None


def opened(protocol: ReplicaWebSocket) -> None:
    """A client was let in."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("opened", extra=_fields(protocol, subprotocol=protocol.websocket_protocol_in_use))


def refused(protocol: ReplicaWebSocket, status: int, why: str) -> None:
    """A client was not."""
    logger.info("refused", extra=_fields(protocol, status=status, reason=_text(why)))


def closed(protocol: ReplicaWebSocket) -> None:
    """A client is gone."""
    by_us, theirs = protocol.closedByMe, protocol.remoteCloseCode
    code = protocol.localCloseCode if by_us else theirs
    level = logging.DEBUG if code in ORDINARY else logging.INFO
    if logger.isEnabledFor(level):
        by = "replica" if by_us else "client" if theirs is not None else "network"
        reason = protocol.localCloseReason if by_us else protocol.remoteCloseReason
        seconds = round(time.time() - protocol.socket_opened, 1)
        more = {"code": code or ABNORMAL, "by": by, "reason": _text(reason), "seconds": seconds}
        logger.log(level, "closed", extra=_fields(protocol, **more))


def _text(reason: str | bytes | None) -> str | None:
    told = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
    return (told or "")[:TEXT_LIMIT] or None


def _fields(protocol: ReplicaWebSocket, **more: Any) -> dict[str, Any]:
    client = getattr(protocol, "client_addr", None)
    return {
        "fields": {
            "connection_id": request_id(protocol),
            "client": client[0] if client else None,
            "path": (protocol.path or b"")[:TEXT_LIMIT].decode("ascii", "replace").partition("?")[0],
            **more,
        }
    }
