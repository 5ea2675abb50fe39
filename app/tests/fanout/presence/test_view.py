"""Views of a group, and the changes that lead from one to the next."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fanout.presence import view
from fanout.presence.view import Part, View, difference, merge
from tests.fanout.presence.watchers import Known


def part(process, first, size, more):
    """A part of members with consecutive numbers, and `more` that are not named."""
    members = {f"{process}-{number}": f"info {number}" for number in range(first, first + size)}
    return Part(process, 1, size + more, members)


parts = st.lists(
    st.builds(part, st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 80), st.sampled_from([0, 0, 0, 1, 500])),
    max_size=3,
    unique_by=lambda part: part.process,
)


@given(st.lists(parts, min_size=1, max_size=6))
def test_changes_lead_from_one_view_to_the_next(states):
    """A client that was told every change knows the count, and every member where all are named."""
    views = [merge(state) for state in states]
    client = Known(views[0])
    for before, after in pairwise(views):
        client.told(difference(before, after))
        assert client.count == after.count
        if after.whole:
            assert client.members == after.members


@given(parts)
def test_nothing_is_told_when_nothing_changed(state):
    """The same view twice is no change."""
    assert difference(merge(state), merge(state)) is None


@given(parts, parts)
def test_a_change_is_bounded(before, after):
    """However many come or go, no frame names more than twice the limit."""
    change = difference(merge(before), merge(after))
    if change is not None:
        assert len(change.join) + len(change.leave) + len(change.members or ()) <= 2 * view.MEMBERS_LIMIT


def test_a_large_group_names_nobody_more():
    """Past the limit a change is a count; when it is small again all are named anew."""
    large = View(101, {str(number): None for number in range(100)})
    small = View(1, {"7": None})
    assert difference(small, large) == view.Change(101)
    assert difference(large, View(102, large.members)) == view.Change(102)
    assert difference(large, small) == view.Change(1, members={"7": None})
