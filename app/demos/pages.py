"""What all pages share: errors as a page or as `application/problem+json`.

The root URL conf takes its handlers from here: `handler400 = "demos.pages.bad_request"` and so on.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from fanout.tracing import ids

if TYPE_CHECKING:
    from django.http import HttpRequest

PROBLEM_JSON = "application/problem+json"
"""RFC 9457."""


def problem(request: HttpRequest, *, status: int, title: str, detail: str) -> HttpResponse:
    """Answer with an error: a page for people, problem details for programs that prefer JSON."""
    told = {"title": title, "status": status, "detail": detail}
    response: HttpResponse
    if request.get_preferred_type(["text/html", "application/json", PROBLEM_JSON]) in (None, "text/html"):
        # Who reports a fault of ours can name the lines that tell of it.
        request_id = ids().get("request_id") if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
        response = render(request, f"{status}.html", {**told, "request_id": request_id}, status=status)
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


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django names it
    """Answer 403 to a form without the token of its page: an old one, or another site's."""
    return problem(
        request,
        status=HTTPStatus.FORBIDDEN,
        title="This form has expired",
        detail="Nothing was changed. Go back, reload the page and send it again; the browser must accept cookies.",
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403, with the sentence that whoever forbids it gives."""
    return problem(
        request,
        status=HTTPStatus.FORBIDDEN,
        title="This is not for you",
        detail=str(exception) or "Your account may not see this.",
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
