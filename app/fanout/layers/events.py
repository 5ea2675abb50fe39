"""Between Channels' events and publications: what `group_send` says to a hub, and a publication to a consumer."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from fanout.publication import Publication

EVENT_TYPE = "fanout.publication"
"""The event type under which a Channels consumer in the group gets publications (`fanout_publication`)."""


def publication_of(group: str, event: dict[str, Any]) -> Publication:
    """Return an event of `group_send` as a publication: everything but its `type`."""
    data = {key: value for key, value in event.items() if key != "type"}
    return Publication(group, msgspec.json.encode(data), time.time())


def event_of(publication: Publication) -> dict[str, Any]:
    """Return a publication as an event for Channels' consumers."""
    return {
        "type": EVENT_TYPE,
        "group": publication.group,
        "data": msgspec.json.decode(publication.data),
    }
