"""What a query means, without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout.errors import BadFrame, BadGroup, TooManyGroups
from fanout.http.parameters import Wanted, text_of, wanted
from fanout.limits.bounds import limits
from fanout.positions import OFFSET_LIMIT, Position

NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True)
POSITIONS = st.builds(Position, st.from_regex(r"[A-Za-z0-9]{1,32}", fullmatch=True), st.integers(0, OFFSET_LIMIT))


@given(st.dictionaries(NAMES, POSITIONS, min_size=1, max_size=8))
def test_a_position_of_each_group_finds_its_group(places):
    """Whether it stands in the query or in the id of the last event."""
    items = [f"{group}@{text_of(position)}" for group, position in places.items()]
    expected = [Wanted(group, position) for group, position in places.items()]
    assert wanted("", {"group": list(places), "since": items}) == expected
    assert wanted("", {"group": list(places)}, ",".join(items)) == expected


def test_the_last_event_outdoes_the_query():
    """A browser repeats the address as it was, and says how far it has come."""
    (place,) = wanted("chat.a", {"since": ["chat.a@a:1"]}, "a:7")
    assert place.since == Position("a", 7)


def test_a_field_holds_for_all_groups_unless_one_has_its_own():
    """Behind the group's name and an @."""
    first, second = wanted("", {"group": ["a", "b"], "last": ["5", "b@7"], "presence": ["b@1"]})
    assert (first.last, second.last, first.presence, second.presence) == (5, 7, False, True)


def test_an_at_sign_within_json_names_no_group():
    """`info` holds what people say of themselves."""
    (place,) = wanted("a", {"info": ['{"name":"ada@home"}']})
    assert place.info == {"name": "ada@home"}
    (place,) = wanted("a", {"info": ['a@{"name":"ada@home"}']})
    assert place.info == {"name": "ada@home"}


def test_a_cursor_is_told_from_a_position():
    """It begins with a colon."""
    (place,) = wanted("live.a", {"since": [":ab12.3.1700000000000000"]})
    assert (place.since, place.cursor) == (None, ":ab12.3.1700000000000000")


def test_each_value_is_looked_at_once():
    """However many groups ask for theirs."""
    looked = []

    class Value(str):
        __slots__ = ()

        def partition(self, mark):
            looked.append(self)
            return super().partition(mark)

    groups = [f"g{number}" for number in range(100)]
    places = wanted("", {"group": groups, "since": [Value(f"{group}@a:7") for group in groups]})
    assert {place.since for place in places} == {Position("a", 7)}
    assert len(looked) == 100


def test_a_last_event_names_no_more_groups_than_a_request():
    """As many as one may have; beyond, the header is not taken apart."""
    most = limits().groups_per_connection
    assert wanted("a", {}, ",".join(["a@b:1"] * most))[0].since == Position("b", 1)
    with pytest.raises(TooManyGroups, match="A Last-Event-ID may name 128 groups"):
        wanted("a", {}, "a@b:1," * (most + 1))


def test_a_group_that_is_named_twice_is_one():
    """In the path and in the query."""
    assert [place.group for place in wanted("a", {"group": ["b", "a"]})] == ["a", "b"]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"since": ["a"]}, BadFrame), ({"since": ["a:-1"]}, BadFrame), ({"since": ["é:1"]}, BadFrame),
        ({"since": [f"a:{OFFSET_LIMIT + 1}"]}, BadFrame), ({"epoch": ["a"]}, BadFrame), ({"last": ["²"]}, BadFrame),
        ({"group": ["ü"]}, BadGroup), ({"group": [str(number) for number in range(129)]}, TooManyGroups),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(query, error):
    """With the error that a WebSocket would bring."""
    with pytest.raises(error):
        wanted("x", query)
