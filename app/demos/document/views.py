"""The documents' pages, and their snapshots; changes go over the socket."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from channels.db import database_sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import Error as DatabaseError
from django.http import HttpResponse, HttpResponseNotModified, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from demos.document.backlog import COMPACT_HERE
from demos.document.compaction import compact_once, group_of
from demos.document.policy import NAME_LIMIT, TEXT_LIMIT, UPDATE_LIMIT
from demos.document.snapshots import load
from demos.pages import PROBLEM_JSON, problem
from demos.rooms import NAME_PATTERN, RULE, RULE_IN_WORDS, is_room_name
from fanout.errors import TooFast, Unavailable
from fanout.hub import get_hub
from fanout.publishing import default_layer

if TYPE_CHECKING:
    from django.http import HttpRequest

    from demos.document.snapshots import Saved

logger = logging.getLogger(__name__)

MAIN = "welcome"
"""The document of `/document/`."""
RETRY_AFTER = 2
"""Seconds: as where Redis is away."""


@require_safe
def main(_request: HttpRequest) -> HttpResponse:
    """Lead to the document that everybody shares."""
    return redirect("document:document", MAIN)


@require_safe
def document(request: HttpRequest, name: str) -> HttpResponse:
    """The page of one document."""
    limits = {"update": UPDATE_LIMIT, "text": TEXT_LIMIT, "name": NAME_LIMIT}
    form = {"name_pattern": NAME_PATTERN, "name_rule": RULE_IN_WORDS}
    return render(request, "document/document.html", {"document": name, "limits": limits, **form})


@require_safe
def enter(request: HttpRequest) -> HttpResponse:
    """Lead from the form's `?document=` to the document's own address; without a name to the one of all."""
    name = request.GET.get("document", "").strip()
    if not name:
        return redirect("document:main")
    if is_room_name(name):
        return redirect("document:document", name)
    return problem(
        request,
        status=HTTPStatus.NOT_FOUND,
        title="No document can have this name",
        detail=f"A document's name is {RULE}.",
    )


@require_safe
async def snapshot(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with all changes up to a position, as one update of Yjs; `X-Position` says up to which.

    Behind it a client joins the group. 304 when the client has this one (`If-None-Match`), 503 as problem details when
    the database is away, 429 when its address asks too often.
    """
    try:
        if isinstance(request, ASGIRequest):  # else it is asked by a test, or without a server of ours
            get_hub().admission.read(dict(request.scope))
    except TooFast as refused:
        return _refused(HTTPStatus.TOO_MANY_REQUESTS, refused.code, str(refused), math.ceil(refused.wait))
    try:
        saved = await _newest(name)
    except DatabaseError:
        logger.exception("the snapshot of %s can't be read", name)
        detail = "The document can't be read at the moment: the database does not answer. Try again in a few seconds."
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, Unavailable.code, detail, RETRY_AFTER)
    tag = f'"{saved.position.epoch}:{saved.position.offset}:{saved.version}"'
    response: HttpResponse
    if request.headers.get("If-None-Match") == tag:
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(saved.update, content_type="application/octet-stream")
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Position"] = f"{saved.position.epoch}:{saved.position.offset}"
    return response


async def _newest(name: str) -> Saved:
    """Return the snapshot; a new one when many changes lie behind it, or when nobody could go on from where it is."""
    saved: Saved = await database_sync_to_async(load)(name)
    try:
        top = await default_layer().top(group_of(name))
        after = top.translate(saved.position)
        if after is None or top.position.offset - after >= COMPACT_HERE:
            return await compact_once(name)
    except Unavailable:  # what was saved can be read all the same
        return saved
    return saved


def _refused(status: HTTPStatus, code: str, detail: str, seconds: int) -> HttpResponse:
    told = {"title": status.phrase, "status": status, "detail": detail, "code": code}
    return JsonResponse(told, status=status, content_type=PROBLEM_JSON, headers={"Retry-After": str(seconds)})
