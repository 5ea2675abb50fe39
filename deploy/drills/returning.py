"""A client of a durable group that goes away, and comes back behind where it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect

from drills.errors import DrillError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from websockets.sync.client import ClientConnection

    from drills.stand import Stand

ANSWER_SECONDS = 10.0


class Returning:
    """Connects for one question at a time, through nginx: to any replica."""

    def __init__(self, stand: Stand, group: str) -> None:
        self._url = f"ws://{stand.address}/ws/"
        self._group = group
        self._since: dict[str, Any] = {}

    def leave(self) -> None:
        """Take the group's position for one's own, having seen everything."""
        joined = self._join()
        self._since = {"since": {name: joined[name] for name in ("epoch", "offset")}}

    def come_back(self, reason: str) -> None:
        """Join behind one's position. Raise DrillError unless that is refused for that reason."""
        said = self._join().get("reset")
        if said != reason:
            raise DrillError(f"A client that came back was told {said or 'that it can go on'}, and not {reason}.")

    def newest(self, count: int) -> list[Any]:
        """Return the data of the newest publications that are kept, the oldest of them first."""
        with self._connected() as client:
            joined = self._ask(client, last=count)
            frames = [json.loads(client.recv(timeout=ANSWER_SECONDS)) for _ in range(joined["recovered"])]
        return [frame["data"] for frame in frames]

    def _join(self) -> Mapping[str, Any]:
        with self._connected() as client:
            return self._ask(client, **self._since)

    def _connected(self) -> ClientConnection:
        return connect(self._url, subprotocols=["fanout.v1"], proxy=None)  # type: ignore[list-item]

    def _ask(self, client: ClientConnection, **wanted: Any) -> Mapping[str, Any]:
        client.send(json.dumps({"type": "join", "id": 1, "group": self._group, **wanted}))
        answer: dict[str, Any] = json.loads(client.recv(timeout=ANSWER_SECONDS))
        if answer["type"] != "joined":
            raise DrillError(f"A client could not join {self._group}: {answer}")
        return answer
