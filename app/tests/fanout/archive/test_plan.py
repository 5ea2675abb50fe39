"""What is copied, as a function of how far the archive is and what the stream holds."""

import pytest

from fanout.archive.plan import copy_of, start_of
from fanout.positions import Position, Top
from fanout.publication import Publication

TOP = Top(Position("e3", 9), {"e2": 6, "e1": 4})


def read(*offsets):
    """What a layer reads of TOP: all in its newest epoch."""
    return [Publication("chat.a", b"%d" % offset, 1.5, Position("e3", offset)) for offset in offsets]


@pytest.mark.parametrize(("copied", "start"), [
    (None, 0),
    (Position("e3", 7), 7),
    (Position("e2", 5), 5),
    (Position("e1", 3), 3),
    (Position("e2", 8), 6),  # 7 and 8 were copied and then lost: other publications have these offsets now
    (Position("e1", 9), 4),
    (Position("other", 50), 0),
])  # fmt: skip
def test_it_goes_on_behind_what_was_copied_and_survived(copied, start):
    """Whatever has happened to the stream meanwhile."""
    assert start_of(copied, TOP) == start


def test_each_row_is_in_the_epoch_of_its_publication():
    """A stream is read in its newest one."""
    copy = copy_of("chat.a", None, TOP, 2, read(3, 4, 5, 6, 7, 8, 9))
    assert [(each.position.epoch, each.offset, each.data) for each in copy.publications] == [
        ("e1", 3, b"3"), ("e1", 4, b"4"), ("e2", 5, b"5"), ("e2", 6, b"6"), ("e3", 7, b"7"), ("e3", 8, b"8"),
        ("e3", 9, b"9"),
    ]  # fmt: skip
    assert (copy.through, copy.lost, copy.complete) == (Position("e3", 9), 0, True)


def test_a_part_is_told_from_the_whole():
    """The rest is read next."""
    copy = copy_of("chat.a", Position("e3", 6), TOP, 6, read(7, 8))
    assert (copy.through, copy.lost, copy.complete) == (Position("e3", 8), 0, False)


@pytest.mark.parametrize(("found", "lost"), [((5, 6, 7, 8, 9), 2), ((3, 4, 5, 7, 8, 9), 1), ((), 7)])
def test_what_is_missing_is_counted(found, lost):
    """At the beginning, in the middle, or all of it."""
    copy = copy_of("chat.a", None, TOP, 2, read(*found))
    assert (copy.through, copy.lost, copy.complete) == (Position("e3", 9), lost, True)
