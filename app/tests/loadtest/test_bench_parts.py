"""Each part once, as small as it goes, with real servers, Redis and nginx."""

import io
import tempfile
from pathlib import Path

import pytest

from bench.context import Bench
from bench.parts import connect, edge, sockets, storm, streams
from bench.sides import OTHERS, redis
from fleet.progress import Progress

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

PATIENT = 20
"""How much longer what is judged may take here: other tests run beside it, and a held up machine voids a figure."""


@pytest.fixture(scope="module")
def bench():
    """A run of one repeat."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as name, redis(Path(name)) as server:
        yield Bench(Path(name), server, Progress(io.StringIO()), repeats=1)


def believed(rows):
    """The values of ours and stock; fails on what is void."""
    for row in rows:
        for figure in (row.ours, *row.compared):
            assert figure.value is not None, f"{row.name}, {figure.side}: {figure.void}"
    return {row.name: (row.ours.value, row.stock.value if row.stock else None) for row in rows}


def test_connections(bench, monkeypatch):
    """A handshake costs CPU, an idle connection memory, ours and stock."""
    monkeypatch.setattr(connect, "CONNECTIONS", 200)
    monkeypatch.setattr(connect, "WARM", 50)
    for name, (ours, stock) in believed(connect.rows(bench)).items():
        assert ours > 0, name
        assert stock is None or stock > 0, name


@pytest.mark.parametrize("side", OTHERS, ids=lambda side: side.name)
def test_other_servers(bench, monkeypatch, side):
    """Each one runs the stock consumer, joined, on a unix socket."""
    monkeypatch.setattr(connect, "CONNECTIONS", 50)
    monkeypatch.setattr(connect, "WARM", 10)
    handshake, _ = connect.figures(bench, side)
    assert not handshake.void
    assert handshake.value > 0


def test_event_streams(bench, monkeypatch):
    """A stream costs more than nothing, for each delivery and while it idles; each gets all that was published."""
    monkeypatch.setattr(streams, "STREAMS", 40)
    monkeypatch.setattr(streams, "WARM", 10)
    monkeypatch.setattr(streams, "PUBLICATIONS", 5)
    for name, (ours, _) in believed(streams.rows(bench)).items():
        assert ours > 0, name


def test_a_storm(bench, monkeypatch):
    """Every handshake is counted, and a small storm is answered with 101."""
    monkeypatch.setattr(storm, "HANDSHAKES", 60)
    monkeypatch.setattr(storm, "AT_ONCE_SECONDS", PATIENT * storm.AT_ONCE_SECONDS)
    failed, lasted = storm.rows(bench)
    assert failed.ours.value == 0
    assert "60 x 101" in failed.note
    assert lasted.ours.value > 0


def test_end_to_end(bench, monkeypatch):
    """What is offered arrives through nginx, from every replica."""
    monkeypatch.setattr(edge, "SOCKETS", 40)
    monkeypatch.setattr(edge, "SECONDS", 1)
    monkeypatch.setattr(edge, "REPLICAS", (2,))
    monkeypatch.setattr(edge, "TARGET", 800)
    monkeypatch.setattr(edge, "OFFERED", {"ours": (400, 800), "stock": (80,)})
    monkeypatch.setattr(edge, "KEEPS_UP", PATIENT * edge.KEEPS_UP)
    found = believed(edge.rows(bench))
    assert found["deliveries/s through nginx, 2 replicas"] == (800, 80)
    assert found["latency p50 at 800 deliveries/s, 2 replicas"][0] > 0


def test_sizes_and_neighbours(bench, monkeypatch):
    """Groups of two sizes are measured on one server, and a neighbour of the larger one."""
    monkeypatch.setattr(sockets, "SIZES", {"ours": (20, 60), "stock": (20, 60)})
    monkeypatch.setattr(sockets, "NEIGHBOURS", (60,))
    monkeypatch.setattr(sockets, "SECONDS", 1)
    monkeypatch.setattr(sockets, "TALK", 10)
    monkeypatch.setattr(sockets, "LATE", PATIENT * sockets.LATE)
    rows = sockets.rows(bench)
    # So few sockets cost less than what one publication more or less does: that may be void.
    found = believed([row for row in rows if "dearest over cheapest" not in row.name])
    assert len(found) == len(rows) - 1
    ours, stock = found["CPU per delivery, 60 sockets"]
    assert 0 < ours < stock
    assert found["delay of another group by a publication to 60"][1] is not None
