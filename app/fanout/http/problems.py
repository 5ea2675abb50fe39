"""Refusals as RFC 9457 has them (`application/problem+json`): a status, a stable code, a sentence."""

from __future__ import annotations

import math
from http import HTTPStatus

import msgspec

from fanout import errors

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 2
"""Seconds: what Redis needs to be back after a failover is of that order; clients spread it themselves."""

CROWDED_RETRY_AFTER = 10
"""Seconds: connections of an address that has too many come and go in that time."""

STATUSES: dict[type[errors.FanoutError], HTTPStatus] = {
    errors.BadFrame: HTTPStatus.BAD_REQUEST,
    errors.UnknownType: HTTPStatus.BAD_REQUEST,
    errors.BadGroup: HTTPStatus.BAD_REQUEST,
    errors.TooManyGroups: HTTPStatus.BAD_REQUEST,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.BadTicket: HTTPStatus.FORBIDDEN,
    errors.TooFast: HTTPStatus.TOO_MANY_REQUESTS,
    errors.TooManyConnections: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NotJoined: HTTPStatus.CONFLICT,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.BadData: HTTPStatus.UNPROCESSABLE_ENTITY,
    # As the IETF's draft of Idempotency-Key says for a key that comes with another payload.
    errors.KeyConflict: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

HTTP_CODES = {
    "bad_host": HTTPStatus.MISDIRECTED_REQUEST,
    "bad_origin": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "not_acceptable": HTTPStatus.NOT_ACCEPTABLE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""What only HTTP can get wrong."""


class Problem(Exception):
    """An answer that is a refusal. `str(problem)` is its sentence, `code` one of HTTP_CODES or of a FanoutError."""

    def __init__(
        self, code: str, sentence: str, headers: dict[str, str] | None = None, *, group: str | None = None
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = HTTP_CODES.get(code) or _STATUS_BY_CODE[code]
        self.headers = headers or {}
        self.group = group

    @property
    def body(self) -> bytes:
        """The answer's JSON; `group` where it is about one of several."""
        said = {"title": self.status.phrase, "status": self.status.value, "detail": str(self), "code": self.code}
        return msgspec.json.encode(said if self.group is None else {**said, "group": self.group})


def problem_of(error: errors.FanoutError, group: str | None = None) -> Problem:
    """Return the answer for an error of the package, about one group if it is about one."""
    seconds: float = 0
    match error:
        case errors.Unavailable():
            seconds = RETRY_AFTER
        case errors.TooFast():
            seconds = error.wait
        case errors.TooManyConnections():
            seconds = CROWDED_RETRY_AFTER
    headers = {"retry-after": str(math.ceil(seconds))} if seconds else None
    return Problem(error.code, str(error), headers, group=group)


_STATUS_BY_CODE = {error.code: status for error, status in STATUSES.items()}
