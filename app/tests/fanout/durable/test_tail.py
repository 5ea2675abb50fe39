"""What a process keeps at hand of a stream."""

from fanout.durable.tail import LIMIT, OVERHEAD, Tail
from fanout.positions import Position
from fanout.publication import Publication

KIB = 1024


def publication(offset, size=1):
    return Publication("a.b", b"x" * size, 0.0, Position("e", offset))


def held(tail):
    """All that it holds, by what it weighs."""
    shelves = [*tail._newest.values(), *tail._read.values()]
    return sum(len(each.data) + OVERHEAD for each in shelves)


def test_it_is_bounded_in_bytes():
    """However many come, and however large: the oldest go, of what was read too; the newest stays."""
    tail = Tail()
    for offset in range(1, 2000):
        tail.add(publication(offset, 64 * KIB))
        tail.keep([publication(offset + 5000, 10)])
        assert held(tail) <= 2 * LIMIT
    assert tail.find(1999)
    assert not tail.find(1900)
    assert not tail.find(5001)
    tail.add(publication(2000, 10 * LIMIT))
    assert tail.find(2000)
    assert not tail.find(1999)


def test_a_run_goes_through_what_was_read_into_the_newest():
    """Where both are at hand they are one; a hole ends it."""
    tail = Tail()
    tail.keep(map(publication, (1, 2, 3)))
    for offset in (4, 5, 7):
        tail.add(publication(offset))
    assert [each.offset for each in tail.run(2, 9, 100)] == [2, 3, 4, 5]
    assert tail.run(6, 9, 100) == []
    assert [each.offset for each in tail.run(1, 4, 100)] == [1, 2, 3, 4]


def test_a_run_is_bounded_in_bytes_but_never_empty():
    """One that is larger than the bound comes alone."""
    tail = Tail()
    tail.keep([publication(1, 100), publication(2, 50), publication(3, 50)])
    assert [each.offset for each in tail.run(1, 3, 60)] == [1]
    assert [each.offset for each in tail.run(2, 3, 100)] == [2, 3]


def test_what_is_read_again_stays():
    """It counts as new, and once."""
    tail = Tail()
    quarter = LIMIT // 4 - OVERHEAD
    for offset in (1, 2, 3, 4, 1, 5):
        tail.keep([publication(offset, quarter)])
    assert [offset for offset in range(1, 6) if tail.find(offset)] == [1, 3, 4, 5]
