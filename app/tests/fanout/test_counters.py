"""What a process counts of itself."""

import pytest

from fanout.counters import counters
from fanout.hub import get_hub

from .test_hub import Log, LogBroadcaster, raw, settled


@pytest.mark.usefixtures("memory_default_layer")
async def test_publications_and_deliveries_are_counted():
    """A publication counts once, its delivery once for each socket of this process that it goes to."""
    hub, broadcaster = get_hub(), LogBroadcaster()
    sockets = [Log(broadcaster) for _ in range(3)]
    for socket in sockets:
        await hub.join("chat.counted", socket, raw)
    before = (counters.publications, counters.deliveries)
    await hub.publish("chat.counted", {"message": "hi"})
    await hub.publish("chat.nobody", {"message": "hi"})
    await settled()
    assert (counters.publications - before[0], counters.deliveries - before[1]) == (2, len(sockets))
