"""A core, and what its server says and hears."""

import json

from fanout.client import Publication

GROUP = "chat.a"


def sent(core):
    """The frames that the core sends now, without what their type has by default."""
    frames = [json.loads(text) for text in core.outgoing()]
    return [{name: value for name, value in frame.items() if value is not None} for frame in frames]


def hears(core, kind, *, room=True, **fields):
    """What a frame of the server comes to."""
    return list(core.receive(json.dumps({"type": kind, **fields}).encode(), room=room))


def publication(core, offset, *, epoch="e", group=GROUP, room=True):
    return hears(core, "publication", group=group, epoch=epoch, offset=offset, data=offset, room=room)


def join(core, *, group=GROUP, since=None, last=0, **answer):
    """Join and let the server answer; durable at offset 0 unless told otherwise."""
    core.join(group, since=since, last=last)
    return answer_join(core, **{"group": group, "epoch": "e", "offset": 0, "recovered": 0, **answer})


def answer_join(core, **answer):
    asked = [frame for frame in sent(core) if frame["type"] == "join"][-1]
    fields = {name: value for name, value in answer.items() if value is not None}
    return hears(core, "joined", **{"id": asked["id"], "group": GROUP, "replica": "web-1", **fields})


def numbers(events):
    return [event.data for event in events if isinstance(event, Publication)]
