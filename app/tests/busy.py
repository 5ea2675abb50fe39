"""How busy this machine is: a promise in seconds is one of a machine that has nothing else to do."""

import time

CPU_SECONDS = 0.1


def slowed():
    """By how much other work slows a process down at the moment: the wall time of a computation over its CPU time."""
    began, worked = time.perf_counter(), time.process_time()
    while time.process_time() - worked < CPU_SECONDS:
        pass
    return max(1, (time.perf_counter() - began) / CPU_SECONDS)
