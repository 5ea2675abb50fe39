from hypothesis import given
from hypothesis import strategies as st

from proof.judgement.track import Heard, OffsetTrack

ARRIVALS = st.lists(st.integers(5, 14), max_size=25)


def passed_over(track):
    """The offsets that a track has as missing."""
    return {offset for first, last in track.holes for offset in range(first, last + 1)}


@given(ARRIVALS)
def test_whatever_arrives_each_offset_is_there_lost_late_or_double(arrivals):
    """A list of all that came would say the same as the few numbers that are kept."""
    track = OffsetTrack()
    track.join("web-1", "e", 4)
    for offset in arrivals:
        track.take(offset)
    newest = max(arrivals, default=4)
    assert track.expected == newest + 1
    assert passed_over(track) == set(range(5, newest + 1)) - set(arrivals)
    assert len(track.doubled) == len(arrivals) - len(set(arrivals))
    late = {
        offset for number, offset in enumerate(arrivals)
        if offset not in arrivals[:number] and any(before > offset for before in arrivals[:number])
    }  # fmt: skip
    assert set(track.disordered) == late


def test_a_receiver_that_comes_back_goes_on_where_it_was():
    """Its stays follow each other without a gap, each on its replica."""
    track = OffsetTrack()
    track.join("web-1", "e", 10)
    track.take(11)
    track.join("web-2", "e", 10)
    track.take(12)
    track.leave()
    assert [(stay.replica, stay.behind, stay.upto) for stay in track.stays] == [("web-1", 10, 11), ("web-2", 11, 12)]
    assert not track.holes


def test_a_reset_leaves_a_hole():
    """What lies behind the position up to the new one is lost to the receiver."""
    track = OffsetTrack()
    track.join("web-1", "e", 10)
    track.reset("trimmed", "e", 15)
    track.take(16)
    assert track.holes == [(11, 15)]
    assert track.resets == ["trimmed"]
    assert track.expected == 17


@given(st.lists(st.integers(1, 10), min_size=1, max_size=25))
def test_a_publishers_numbers_are_judged_as_offsets_are(arrivals):
    """Without offsets, what comes first is where a receiver begins to know."""
    heard = Heard(arrivals[0], arrivals[0])
    for seq in arrivals[1:]:
        heard.take(seq, latest=False)
    missing = {seq for first, last in heard.holes for seq in range(first, last + 1)}
    assert missing == set(range(min(arrivals), max(arrivals) + 1)) - set(arrivals)
    assert heard.doubled == len(arrivals) - len(set(arrivals))
    assert (heard.first, heard.last) == (min(arrivals), max(arrivals))


def test_a_value_that_was_superseded_is_not_missed():
    """Of latest values only an older one behind a newer one is wrong."""
    heard = Heard(1, 1)
    for seq in (4, 9):
        heard.take(seq, latest=True)
    assert (heard.holes, heard.disordered, heard.doubled) == ([], 0, 0)
    heard.take(7, latest=True)
    assert heard.disordered == 1
    heard.take(9, latest=True)
    assert heard.doubled == 1
