"""What a board takes."""

import math

import pytest

from demos.dashboard.policy import NAME_LIMIT, NUMBER_LIMIT, SERIES_LIMIT, DashboardPolicy
from fanout.errors import BadData

policy = DashboardPolicy()


@pytest.mark.parametrize("data", [{"temperature": 21.5}, {"a": 0, "b": -3}, {"é" * NAME_LIMIT: NUMBER_LIMIT}])
def test_numbers_by_name_are_taken_as_they_are(data):
    """Whole or broken, of any sign, under any visible name."""
    assert policy.clean(data) == data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "numbers by name"),
        (5, "numbers by name"),
        ([1], "numbers by name"),
        ({}, "numbers by name"),
        ({f"n{number}": 1 for number in range(SERIES_LIMIT + 1)}, f"1 to {SERIES_LIMIT}"),
        ({"a": "1"}, "a must be a number, not str"),
        ({"a": True}, "not bool"),
        ({"a": None}, "not NoneType"),
        ({"a": math.inf}, "between"),
        ({"a": 10 * NUMBER_LIMIT}, "between"),
        ({"": 1}, "visible characters"),
        ({"x" * (NAME_LIMIT + 1): 1}, "visible characters"),
        ({"a\nb": 1}, "visible characters"),
    ],
)
def test_anything_else_is_refused_with_the_rule(data, words):
    """One sentence that names what is wrong."""
    with pytest.raises(BadData, match=words):
        policy.clean(data)


async def test_the_fleets_own_board_is_the_replicas():
    """A client posts to any board that a page can name, but not to that one."""
    assert not await policy.may_publish({}, "dashboard.fleet")
    assert await policy.may_publish({}, "dashboard.office")
    assert not await policy.may_publish({}, "dashboard")
    assert not await policy.may_publish({}, "dashboard..")
    assert not await policy.may_join({}, "dashboard")


@pytest.mark.parametrize("data", [{"replica": "web-1", "cpu": 1}, {"b": 1, "a": 2}, {}, {"replica": 5}, {1: 2, "a": 3}])
def test_a_value_has_a_key_whatever_server_code_publishes(data):
    """Policies bind clients: what comes from Django code is not cleaned, and must break nothing."""
    assert isinstance(policy.value_key(data), str)
    for other in (None, 5, "x", [1]):
        assert policy.value_key(other) is None


def test_the_same_names_are_the_same_value():
    """A newer number of one program does not push out another's."""
    assert policy.value_key({"a": 1, "b": 2}) == policy.value_key({"b": 3, "a": 4}) != policy.value_key({"a": 1})
    assert policy.value_key({"replica": "web-1", "cpu": 1}) == policy.value_key({"replica": "web-1", "lag": 1})
