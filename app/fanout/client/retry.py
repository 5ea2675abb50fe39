"""When to come back after a connection was lost: pure arithmetic, the same as in retry.js."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from fanout.close_codes import GOING_AWAY, SERVICE_RESTART, TRY_AGAIN_LATER

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = 0.5
"""Seconds of the backoff's first step: a replica that died is replaced by another one at once."""
CAP = 30.0
"""Seconds of the longest wait: a fleet that is down for long is asked twice a minute by each client."""
FLOOR = 0.1
"""Seconds of the shortest wait: full jitter may say 0, and a client must not spin."""
HANDOVER = 0.25
"""Seconds over which the clients of a replica spread that left as planned: others are ready to take them."""
LATER_FAILURES = 3
"""Failures that "try again later" (1013) counts for: the wait begins at up to 4 s."""
_MANY = 16
"""Failures from which on the wait does not grow: 2**_MANY steps are far past CAP."""


def retry_delay(
    code: int, failures: int, hint: float | None = None, rand: Callable[[], float] = random.random
) -> float:
    """Return the seconds until the next attempt: exponential backoff with full jitter.

    `code` is the close code (1006 when nothing was said), `failures` the attempts in a row before this connection that
    did not last, `hint` the seconds over which the server asked to spread, `rand` returns a number in [0, 1).
    Whether coming back could help at all says `close_codes.may_return`.
    """
    if failures == 0 and hint is not None:
        return rand() * min(CAP, max(0.0, hint))
    if failures == 0 and code in (GOING_AWAY, SERVICE_RESTART):
        return rand() * HANDOVER
    steps = max(failures, LATER_FAILURES) if code == TRY_AGAIN_LATER else failures
    return max(FLOOR, rand() * min(CAP, BASE * 2.0 ** min(steps, _MANY)))
