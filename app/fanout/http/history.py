"""`GET /history/<group>`: what was published before a position, in portions, as far back as anything is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from fanout import protocol
from fanout.durable.older import UnknownPosition, has_forgotten, older
from fanout.errors import BadFrame, BadGroup
from fanout.groups import check_group
from fanout.http.parameters import position_of
from fanout.http.places import about, check_may_join
from fanout.http.problems import Problem
from fanout.hub import get_hub
from fanout.policy import policy_for
from fanout.replica import replica_of

if TYPE_CHECKING:
    from fanout.http.answer import Answer
    from fanout.http.request import Request

MEDIA_TYPE = "application/json"
LAST = 50
PAGE_LIMIT = 200
"""Publications of one answer: each is read, and may be asked for by a stranger."""


async def answer_history(request: Request, answer: Answer, group: str) -> None:
    """Answer with the publications, oldest first; with none at the beginning of what is kept. Raise Problem."""
    request.accepts(MEDIA_TYPE)
    get_hub().admission.read(request.scope)
    count = last_of(request.query.get("last", [str(LAST)])[-1])
    before = request.query.get("before", [None])[-1]
    position = None if before is None else position_of(before)
    await check_may_join(request.scope, check_group(group))
    with about(group):
        if policy_for(group).history is None:
            raise BadGroup(f"{group} is ephemeral: it has no history.")
        try:
            found = await older(group, position, count)
            forgotten = not found and await has_forgotten(group, position)
        except UnknownPosition:
            raise Problem(
                "not_found",
                f"{before} is no position of {group} that is known here: leave `before` out for the newest.",
                group=group,
            ) from None
    head = msgspec.json.encode({"replica": replica_of(request.scope), "group": group, "forgotten": forgotten})
    frames = b",".join(map(protocol.ENCODER.publication, found))
    await answer.whole(200, MEDIA_TYPE, b'%b,"publications":[%b]}' % (head[:-1], frames))


def last_of(text: str) -> int:
    """Return the `last` of a query. Raise BadFrame."""
    if not re.fullmatch(r"\d{1,3}", text, re.ASCII) or not 1 <= int(text) <= PAGE_LIMIT:
        raise BadFrame(f"`last` must be a number from 1 to {PAGE_LIMIT}, not {text[:20]!r}.")
    return int(text)
