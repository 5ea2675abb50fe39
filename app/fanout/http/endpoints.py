"""The ASGI application of the addresses: who may ask, what is asked, and how a refusal is said."""

from __future__ import annotations

import logging
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fanout.counters import counters
from fanout.errors import FanoutError
from fanout.http import problems
from fanout.http.answer import Answer
from fanout.http.events import stream_events
from fanout.http.history import answer_history
from fanout.http.poll import answer_poll
from fanout.http.problems import Problem, problem_of
from fanout.http.publications import publish
from fanout.http.request import Request
from fanout.http.tickets import make_ticket
from fanout.origin import NAME_ONE, NOT_YOURS, OriginRule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from fanout.asgi import Application, Receive, Scope, Send

    Handler = Callable[[Request, Answer], Awaitable[None]]

logger = logging.getLogger(__name__)

OPENAPI = Path(__file__).parents[1] / "openapi.json"
STREAM = re.compile(r"/(events|poll)(?:/(.*))?", re.DOTALL)
HISTORY = re.compile(r"/history/([^/]*)")
PUBLICATIONS = re.compile(r"/groups/([^/]*)/publications")
PREFLIGHT_SECONDS = 600
"""For which a browser remembers what a page of a trusted origin may send."""
ANY_PAGE = {"same-origin", "none"}
"""What a browser says of a request (Sec-Fetch-Site) that a page of ours or the person made."""


class FanoutEndpoints:
    """ASGI middleware for HTTP: serves the groups, passes on everything else.

    `hosts` as in ALLOWED_HOSTS. Pages of `trusted` origins may use it too, with cookies (CORS); those of any other
    site are refused, whatever they ask. A POST needs no token beside that: a browser names the origin of each, and lets
    no other site's page send JSON unasked.
    """

    def __init__(
        self, application: Application, hosts: list[str], trusted: Iterable[str] = (), *, without_origin: bool = True
    ) -> None:
        self._application = application
        self._rule = OriginRule(hosts, trusted, without_origin=without_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = route_of(scope["path"])
        if route is None:
            await self._application(scope, receive, send)
            return
        request = Request(scope, receive)
        answer = Answer(send, self._common_headers(request))
        try:
            self._check(request)
            await _serve(request, answer, *route)
        except ConnectionAbortedError:
            return  # the client went before it had said everything
        except Exception as error:
            if answer.started:
                raise
            problem = _problem_for(error)
            counters.refusals[problem.code] += 1
            await answer.whole(problem.status, problems.MEDIA_TYPE, problem.body, problem.headers)

    def _check(self, request: Request) -> None:
        """Raise Problem for a host that is not ours, and for a page that may not talk to us."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if not self._rule.is_ours(host):
            raise Problem("bad_host", "This server does not answer for this host: see FANOUT_ALLOWED_HOSTS.")
        site = request.headers.get("sec-fetch-site", "none")
        # An image or a script of another site names no origin, and gets its answer where its page can't read it.
        embedded = origin is None and site not in ANY_PAGE and request.headers.get("sec-fetch-mode") != "navigate"
        page = None if origin is None else origin.encode("latin1")
        if origin is None and not self._rule.without_origin and "sec-fetch-site" not in request.headers:
            raise Problem("bad_origin", NAME_ONE)
        if page is None and not embedded:  # a browser's own page, or no browser
            return
        if embedded or not self._rule.allows(request.scope, dict(request.scope["headers"])):
            self._rule.log_refused(f"{request.method} {request.scope['path']!r}", page, host.encode("latin1"))
            raise Problem("bad_origin", NOT_YOURS)

    def _common_headers(self, request: Request) -> dict[str, str]:
        headers = {
            "cache-control": "no-store, no-transform",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "same-origin",
            "vary": "Origin",
        }
        origin = request.headers.get("origin")
        if origin in self._rule.trusted:
            headers |= {
                "access-control-allow-origin": origin,
                "access-control-allow-credentials": "true",
                "access-control-expose-headers": "X-Replica, Retry-After",
                "cross-origin-resource-policy": "cross-origin",
            }
        return headers


async def _serve(request: Request, answer: Answer, method: str, handler: Handler) -> None:
    """Answer the one method that an address has, and questions about it."""
    allowed = f"{method}, OPTIONS"
    if not method:
        await handler(request, answer)
    elif request.method == "OPTIONS":
        await answer.whole(204, "", b"", _options(request, allowed))
    elif request.method != method:
        raise Problem("method_not_allowed", f"This address takes {allowed} only.", {"allow": allowed})
    else:
        await handler(request, answer)


def _options(request: Request, allowed: str) -> dict[str, str]:
    if "access-control-request-method" not in request.headers:
        return {"allow": allowed}
    return {
        "allow": allowed,
        "access-control-allow-methods": allowed,
        "access-control-allow-headers": "Content-Type, Idempotency-Key, Last-Event-ID",
        "access-control-max-age": str(PREFLIGHT_SECONDS),
    }


def route_of(path: str) -> tuple[str, Handler] | None:
    """Return the method of a path (empty: any) and what serves it; None for a path that is not ours."""
    if match := STREAM.fullmatch(path):
        serve = stream_events if match[1] == "events" else answer_poll
        return "GET", partial(serve, group=match[2] or "")
    if match := HISTORY.fullmatch(path):
        return "GET", partial(answer_history, group=match[1])
    if match := PUBLICATIONS.fullmatch(path):
        return "POST", partial(publish, group=match[1])
    if path.startswith("/groups/"):
        return "", _not_found
    return FIXED.get(path)


async def _describe(request: Request, answer: Answer) -> None:
    request.accepts("application/json")
    await answer.whole(200, "application/json", OPENAPI.read_bytes())


async def _not_found(_request: Request, _answer: Answer) -> None:
    raise Problem("not_found", "Nothing is here; publications of a group go to /groups/<group>/publications.")


FIXED: dict[str, tuple[str, Handler]] = {"/openapi.json": ("GET", _describe), "/tickets": ("POST", make_ticket)}


def _problem_for(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case FanoutError():
            return problem_of(error)
        case _:
            logger.error("could not serve a request", exc_info=error)
            return Problem("internal_error", "The server failed. Try again; its log says more.")
