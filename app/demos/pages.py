"""What all pages share: their content security policy, and errors as a page or as `application/problem+json`.

The root URL conf takes its handlers from here: `handler400 = "demos.pages.bad_request"` and so on.
"""

from __future__ import annotations

from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

P = ParamSpec("P")

PROBLEM_JSON = "application/problem+json"
"""RFC 9457."""

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Nothing from elsewhere and nothing inline; `'self'` covers the WebSocket of the page's own origin."""


def page(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Send the content security policy with what the view answers."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return response

    return answer


@page
def problem(request: HttpRequest, *, status: int, title: str, detail: str) -> HttpResponse:
    """Answer with an error: a page for people, problem details for programs that prefer JSON."""
    told = {"title": title, "status": status, "detail": detail}
    response: HttpResponse
    if request.get_preferred_type(["text/html", "application/json", PROBLEM_JSON]) in (None, "text/html"):
        response = render(request, f"{status}.html", told, status=status)
    else:
        response = JsonResponse(told, status=status, content_type=PROBLEM_JSON)
    patch_vary_headers(response, ["Accept"])
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django names it
    """Answer 400."""
    return problem(
        request,
        status=HTTPStatus.BAD_REQUEST,
        title="The server did not understand this",
        detail="The request is malformed. Going back and trying again may help.",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django names it
    """Answer 404."""
    return problem(
        request,
        status=HTTPStatus.NOT_FOUND,
        title="There is nothing here",
        detail="No page has this address. It may be misspelt, or the page may have moved.",
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500."""
    return problem(
        request,
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        title="Something broke on our side",
        detail="The request failed through no fault of yours, and it was logged. Trying again may help.",
    )
