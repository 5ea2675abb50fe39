"""`POST /groups/<group>/publications`: publish what the body holds, once for each `Idempotency-Key`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanout.errors import BadFrame, Forbidden
from fanout.groups import check_group
from fanout.hub import get_hub
from fanout.limits.bounds import check_depth, frame_limit, weight_of
from fanout.policy import policy_for
from fanout.protocol import KEY_LIMIT

if TYPE_CHECKING:
    from fanout.http.answer import Answer
    from fanout.http.request import Request

MEDIA_TYPE = "application/json"


async def publish(request: Request, answer: Answer, group: str) -> None:
    """Publish, and answer 201 with the position; 202 in an ephemeral group, which keeps nothing."""
    policy = policy_for(check_group(group))
    request.accepts(MEDIA_TYPE)
    request.brings_json()
    key = key_of(request.headers.get("idempotency-key"))
    hub = get_hub()
    hub.admission.publish(request.scope)
    if not await policy.may_publish(request.scope, group):
        raise Forbidden(f"You may not publish to {group}.")
    body = await request.body(frame_limit(policy))
    hub.admission.publish(request.scope, max(weight_of(body) - 1, 0), len(body))  # paid before it is decoded
    sent = _json(body)
    check_depth(sent)
    data = await policy.accept(request.scope, group, sent)
    await hub.admit(request.scope, group)
    position = await hub.publish(group, data, key=key)
    said: dict[str, Any] = {"group": group}
    if position is None:
        await answer.whole(202, MEDIA_TYPE, msgspec.json.encode(said))
    else:
        said |= {"epoch": position.epoch, "offset": position.offset}
        await answer.whole(201, MEDIA_TYPE, msgspec.json.encode(said))


def key_of(header: str | None) -> str | None:
    """Return the key: a string in quotes, as the IETF's draft has it, or bare. Raise BadFrame."""
    if header is None:
        return None
    key = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    if not 1 <= len(key) <= KEY_LIMIT or not key.isascii() or not key.isprintable():
        raise BadFrame(f"The Idempotency-Key must have 1 to {KEY_LIMIT} printable ASCII characters.")
    return key


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadFrame('The body must be JSON, the data itself; for example {"message": "hi"}.') from None
