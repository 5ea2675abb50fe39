"""A page of ours stands on a host that nobody has named: its visitors are refused."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from drills.drill import Drill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

PAGE = "https://app.example.org"
"""The one of the runbook."""
CLIENT = """
import sys, time, websockets, websockets.sync.client
while True:
    try:
        with websockets.sync.client.connect(sys.argv[1], origin=sys.argv[2], proxy=None, open_timeout=5):
            pass
    except (OSError, websockets.WebSocketException):
        pass
    time.sleep(0.1)
"""


def with_file(stand: Stand) -> dict[str, str]:
    """Let the fleet have an .env of its own, as a checkout has."""
    return {"ENV_FILE": str(stand.folder / ".env")}


@contextlib.contextmanager
def visited(stand: Stand) -> Iterator[None]:
    """Have the page's visitors try again and again; once they are let in, they go on all the same."""
    with stand.alongside([sys.executable, "-c", CLIENT, f"ws://{stand.address}/ws/chat/lobby/", PAGE], "visitors"):
        yield


DRILL = Drill(
    name="origin-refused",
    alert="FanoutOriginsRefused",
    text="a page of ours is not among the trusted origins",
    breaks=visited,
    step="A page of yours",
    prepare=with_file,
)
