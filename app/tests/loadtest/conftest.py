"""Figures as the benchmark makes them."""

import pytest

from bench.figure import Figure, Sample
from bench.work import Work

WORK = Work(sockets=500, fan_out=500, rate=60)


@pytest.fixture
def figure():
    """Make a figure of some values; keywords change the work, `generator` and `void` the samples."""

    def make(*values, side="ours", unit="µs", generator=0.2, void="", work=WORK):
        return Figure(side, unit, work, tuple(Sample(value, generator, void) for value in values))

    return make
