"""The garbage collector of a replica."""

import json

from server.collector import ALLOCATIONS


def test_what_the_start_made_is_let_alone_and_later_garbage_is_not(scripted):
    """No collection walks through what was imported; of an application's garbage no more than some rounds' is there."""
    replica = scripted.replica("littering:application")
    for _ in range(2):
        told = json.loads(replica.get()[2])
        assert told["frozen"] > 20_000 > told["watched"] - told["there"]
        assert told["there"] <= 3 * ALLOCATIONS
