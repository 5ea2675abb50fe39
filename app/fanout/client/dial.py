"""One connection's beginning: the handshake, and whether its failure would repeat itself."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect, unix_connect
from websockets.exceptions import InvalidStatus, InvalidURI, NegotiationError, WebSocketException
from websockets.typing import Subprotocol

from fanout.client.errors import HandshakeRefused, NotConnected
from fanout.client.traffic import ANSWER_LIMIT, CLOSE_LIMIT
from fanout.protocol import SUBPROTOCOL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from os import PathLike

    from websockets.asyncio.client import ClientConnection

MESSAGE_LIMIT = 4 * 1024 * 1024
"""Bytes of one message that is read: four times the limit of the servers that this was written for."""
PASSING = (408, 425, 429)
"""Statuses below 500 that another attempt may not get."""


async def dial(url: str, unix: str | PathLike[str] | None, options: dict[str, Any]) -> ClientConnection:
    """Return a connection that speaks `fanout.v1`.

    Raise NotConnected for what may pass, HandshakeRefused for what would be refused again, ValueError for a bad URL.
    """
    options = await _options(options)
    try:
        connection = await (connect(url, **options) if unix is None else unix_connect(str(unix), url, **options))
    except InvalidURI as error:
        raise ValueError(f"{url!r} is no WebSocket address: ws:// or wss://, and a host.") from error
    except InvalidStatus as error:
        raise _refused(url, error) from error
    except NegotiationError as error:
        raise HandshakeRefused(f"{url} does not speak {SUBPROTOCOL}: {error}.", 101) from error
    except ssl.SSLCertVerificationError as error:
        raise HandshakeRefused(f"{url} has a certificate that is not trusted: {error.verify_message}.", None) from error
    except (OSError, EOFError, WebSocketException) as error:
        raise NotConnected(f"{url} can't be reached: {str(error) or type(error).__name__}.") from error
    if connection.subprotocol != SUBPROTOCOL:
        await connection.close()
        raise HandshakeRefused(f"{url} does not speak {SUBPROTOCOL}: it chose no subprotocol. Is the path right?", 101)
    return connection


async def _options(given: dict[str, Any]) -> dict[str, Any]:
    """Return what websockets is told: our defaults, the caller's own, and the ticket that is asked for now."""
    ticket: Callable[[], Awaitable[str]] | None = given.get("ticket")
    shown = [] if ticket is None else [Subprotocol(f"ticket.{await ticket()}")]
    return {
        "subprotocols": [Subprotocol(SUBPROTOCOL), *shown],
        "compression": None,
        "max_size": MESSAGE_LIMIT,
        "open_timeout": ANSWER_LIMIT,
        "close_timeout": CLOSE_LIMIT,
        # The client looks after the connection itself: it knows when it does not read on purpose.
        "ping_interval": None,
        **{name: value for name, value in given.items() if name != "ticket"},
    }


def _refused(url: str, error: InvalidStatus) -> HandshakeRefused | NotConnected:
    response = error.response
    said = (response.body or b"").decode(errors="replace").strip().partition("\n")[0][:200]
    message = f"{url} answered {response.status_code} {response.reason_phrase}" + (f": {said}" if said else ".")
    passing = response.status_code >= 500 or response.status_code in PASSING  # noqa: PLR2004 - RFC 9110 section 15
    return NotConnected(message) if passing else HandshakeRefused(message, response.status_code)
