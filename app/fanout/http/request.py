"""One HTTP request as the handlers see it: what it asks for, what it takes, what it brings."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fanout.errors import BadFrame, TooLarge
from fanout.http.problems import Problem

if TYPE_CHECKING:
    from fanout.asgi import Receive, Scope

FIELDS_LIMIT = 1000
"""Fields of a query: more than any number of groups needs."""


class Request:
    """A request of the ASGI scope."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self._receive = receive

    @cached_property
    def headers(self) -> dict[str, str]:
        """By their names in lower case; of one that comes twice the first."""
        return {name.decode("latin1"): value.decode("latin1") for name, value in reversed(self.scope["headers"])}

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The fields of the query; an empty one is as none."""
        try:
            return parse_qs(self.scope["query_string"].decode("ascii"), errors="strict", max_num_fields=FIELDS_LIMIT)
        except ValueError:
            raise BadFrame("The query is not well-formed: send name=value pairs, percent-encoded UTF-8.") from None

    def accepts(self, media_type: str) -> None:
        """Raise Problem 406 unless the client takes an answer of the type."""
        if not accepted(self.headers.get("accept", "*/*"), media_type):
            raise Problem("not_acceptable", f"This address answers {media_type}: name it in Accept, or leave it out.")

    def brings_json(self) -> None:
        """Raise Problem 415 unless the body is said to be JSON, as it stands."""
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem(
                "unsupported_media_type", "Send the body without Content-Encoding.", {"accept-encoding": "identity"}
            )
        # A page of another site can't send this type without being asked for leave (a CORS preflight).
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem(
                "unsupported_media_type",
                "Send JSON, with the header Content-Type: application/json.",
                {"accept": "application/json"},
            )

    async def body(self, limit: int) -> bytes:
        """Return the body. Raise TooLarge when it has more than `limit` bytes."""
        body: bytes = b""
        while (event := await self._receive())["type"] == "http.request":
            body += event.get("body", b"")
            if len(body) > limit:
                raise TooLarge(f"The body may hold {limit} bytes.")
            if not event.get("more_body", False):
                return body
        raise ConnectionAbortedError

    async def gone(self) -> None:
        """Return when the client has."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def accepted(accept: str, media_type: str) -> bool:
    """Whether an Accept header takes the type: the most specific range that fits decides, `q=0` refuses."""
    kind = media_type.partition("/")[0]
    weights = {}
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weights[name] = not any(_is_zero(parameter) for parameter in parameters)
    ranges = [each for each in (media_type, f"{kind}/*", "*/*") if each in weights]
    return weights[ranges[0]] if ranges else False


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in ("0", "0.", "")
