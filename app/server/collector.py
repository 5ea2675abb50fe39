"""The garbage collector of a replica: ten thousand connections are a million objects, and all of them are in use."""

import gc

ALLOCATIONS = 10_000
"""More containers than before after which the youngest are looked at; Python's own is 700."""
AT_START = gc.get_threshold()


def settle() -> None:
    """Look no more at what the start has made, and less often at what comes; call it when the application is loaded.

    What is imported stays to the end, so that to look for garbage in it is wasted: 20 ms each time, and a fifth of a
    replica's start, which has the collector disabled. A threshold of the application's own is kept.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    if gc.get_threshold() == AT_START:
        gc.set_threshold(ALLOCATIONS, *AT_START[1:])
