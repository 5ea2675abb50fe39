"""What is said waits in a replica, for many clients at once, and each of them below its own limit."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from drills.breaks.slow_client import GROUP, MESSAGE_BYTES, deaf
from drills.drill import Drill
from drills.errors import DrillError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

CLIENTS = 10
WAITING_BYTES = 4 * 1024 * 1024
"""Of all together, and twice what the alert wants here: 0.4 MiB each, of 1 MiB that one may let wait."""
ROUNDS = 60
A_ROUND = 5
"""Messages between two looks at what waits."""


@contextlib.contextmanager
def growing(stand: Stand) -> Iterator[None]:
    """Publish to clients that do not read, until enough waits for them."""
    with contextlib.ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(deaf(stand))
        for _ in range(ROUNDS):
            stand.publish(GROUP, {"message": "x" * MESSAGE_BYTES}, times=A_ROUND)
            if waiting_bytes(stand) > WAITING_BYTES:
                break
        else:
            raise DrillError(f"After {ROUNDS * A_ROUND} messages no {WAITING_BYTES} bytes wait for clients.")
        yield


def waiting_bytes(stand: Stand) -> float:
    """Return what the replica says of itself, as Prometheus has it."""
    return float(stand.prometheus.value("fanout_outbox_bytes").get("web-1", 0))


DRILL = Drill(
    name="outbox-growing",
    alert="FanoutOutboxGrowing",
    text=f"{CLIENTS} clients of one replica stop reading, and much waits for them",
    breaks=growing,
    step="nginx does not read any more",
    replicas=1,
    thresholds={"fanout_outbox_bytes > 64 * 1024 * 1024": "fanout_outbox_bytes > 2 * 1024 * 1024"},
)
