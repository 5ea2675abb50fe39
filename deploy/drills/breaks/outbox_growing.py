"""What is said waits in a replica, for many clients at once, and each of them below its own limit."""

from __future__ import annotations

import contextlib
import re
from http.client import HTTPException
from typing import TYPE_CHECKING

from drills.breaks.slow_client import GROUP, MESSAGE_BYTES, deaf
from drills.drill import Drill
from drills.errors import DrillError
from fleet.unix import ANSWER_SECONDS, UnixConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

CLIENTS = 10
WAITING_BYTES = 3 * 1024 * 1024
"""Of all together, and more than the alert wants here: 0.3 MiB each. Who has half of 1 MiB before it and reads nothing
for five seconds is cut off."""
ROUNDS = 60
A_ROUND = 5
"""Messages between two looks at what waits, as long as nothing does; then one."""


@contextlib.contextmanager
def growing(stand: Stand) -> Iterator[None]:
    """Publish to clients that do not read, until enough waits for them."""
    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(deaf(stand))
        waiting = 0.0
        for _ in range(ROUNDS):
            stand.publish(GROUP, {"message": "x" * MESSAGE_BYTES}, times=1 if waiting else A_ROUND)
            waiting = waiting_bytes(stand)
            if waiting > WAITING_BYTES:
                break
        else:
            raise DrillError(f"After {ROUNDS} rounds of messages no {WAITING_BYTES} bytes wait for clients.")
        yield


def waiting_bytes(stand: Stand) -> float:
    """Return what the replica says now: Prometheus has it later, when it may be too much. Raise DrillError."""
    with contextlib.closing(UnixConnection(stand.run.socket("web-1"), ANSWER_SECONDS)) as replica:
        try:
            replica.request("GET", "/metrics")
            text = replica.getresponse().read().decode()
        except (OSError, HTTPException) as error:
            raise DrillError(f"web-1 does not say what waits in it: {error}") from error
    found = re.search(r"^fanout_outbox_bytes(?:\{.*\})? (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


DRILL = Drill(
    name="outbox-growing",
    alert="FanoutOutboxGrowing",
    text=f"{CLIENTS} clients of one replica stop reading, and much waits for them",
    breaks=growing,
    step="nginx does not read any more",
    replicas=1,
    thresholds={"fanout_outbox_bytes > 64 * 1024 * 1024": "fanout_outbox_bytes > 2 * 1024 * 1024"},
)
