"""Twisted's descriptions of what to listen on, looked at before anything starts."""

from __future__ import annotations

import re

from OpenSSL import SSL, crypto
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString

EXAMPLE = "tcp:8000:interface=127.0.0.1"
PARSER = re.compile(r"^\w+\(\) ")
"""What a TypeError begins with: a function of Twisted's, which says nothing to who wrote the endpoint."""


def objection(endpoint: str) -> str | None:
    """Return the sentence about a description that can't be meant, None if it can be listened on."""
    reason = _reason(endpoint)
    return reason and f"{endpoint!r} is no endpoint ({reason}): describe one as Twisted does, for example {EXAMPLE}."


def _reason(endpoint: str) -> str | None:
    if endpoint == "unix:":
        return "its path is empty"
    try:
        serverFromString(reactor, endpoint)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    except (crypto.Error, SSL.Error):
        return "privateKey and certKey have to name a key and its certificate in PEM format"
    except Exception as error:  # noqa: BLE001 - each kind of endpoint has a parser of its own, also those of plugins
        return PARSER.sub("", str(error)) or type(error).__name__
    return None
