"""The client's core, frame by frame: what it publishes."""

import pytest

from fanout import errors
from fanout.client import Core, Later, NotConnected, Settled, Unacknowledged
from fanout.positions import Position
from tests.fanout.client.cores import GROUP, hears, join, sent


def test_a_publication_is_sent_again_with_the_same_key(core):
    """Over a reconnect, before what was published later to the group; each is settled with its position."""
    one, two = core.publish(GROUP, 1), core.publish(GROUP, 2, "mine")
    (first,) = sent(core)
    core.lost(1006)
    core.opened()
    (again,) = sent(core)
    assert again == {**first, "id": again["id"]}
    assert hears(core, "ack", id=again["id"], epoch="e", offset=1) == [Settled(one, Position("e", 1))]
    (second,) = sent(core)
    assert (second["data"], second["key"]) == (2, "mine")
    assert hears(core, "ack", id=second["id"], epoch="e", offset=2) == [Settled(two, Position("e", 2))]


def test_groups_do_not_wait_for_each_other(core):
    """One publication of each group is under way."""
    for group in ("chat.a", "chat.b", "chat.a"):
        core.publish(group, 1)
    assert [frame["group"] for frame in sent(core)] == ["chat.a", "chat.b"]


def test_a_refused_publication_lets_the_next_one_go(core):
    """By the server's own error."""
    one = core.publish(GROUP, 1)
    core.publish(GROUP, 2)
    (first,) = sent(core)
    (settled,) = hears(core, "error", id=first["id"], code="key_conflict", message="Choose a new key.")
    assert (settled.ticket, type(settled.error)) == (one, errors.KeyConflict)
    assert [frame["data"] for frame in sent(core)] == [2]


def test_an_unavailable_server_is_tried_again(core):
    """With the same key, after a wait that stays small."""
    core.publish(GROUP, 1)
    (first,) = frames = sent(core)
    waits = []
    for _ in range(6):
        (later,) = hears(core, "error", id=frames[0]["id"], code="unavailable", message="Redis is away.")
        assert isinstance(later, Later)
        waits.append(later.seconds)
        later.again()
        frames = sent(core)
        assert frames[0]["key"] == first["key"]
    assert waits == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]


def test_an_ephemeral_publication_is_sent_once(core):
    """Not again on the next connection, not while there is none: it could be doubled, or come too late."""
    join(core, epoch=None, offset=None, recovered=None)
    ticket = core.publish(GROUP, 1)
    (settled,) = core.lost(1006)[1]
    assert (settled.ticket, type(settled.error)) == (ticket, Unacknowledged)
    with pytest.raises(NotConnected, match="ephemeral"):
        core.publish(GROUP, 2)


@pytest.mark.parametrize("connected", [True, False])
def test_giving_up_says_how_far_it_came(connected):
    """Sent: it may be there or not. Never sent: it is not there."""
    core = Core()
    if connected:
        core.opened()
    ticket = core.publish(GROUP, 1)
    assert type(core.give_up(ticket)) is (Unacknowledged if connected else NotConnected)
    assert core.give_up(ticket) is None
    core.opened()
    assert [frame for frame in sent(core) if not connected] == []


def test_an_acknowledgement_that_nobody_waits_for_is_nothing(core):
    """Of a publication that was given up, or with an id that is not ours."""
    ticket = core.publish(GROUP, 1)
    (first,) = sent(core)
    core.give_up(ticket)
    assert hears(core, "ack", id=first["id"], epoch="e", offset=1) == hears(core, "ack", id=99) == []


@pytest.mark.parametrize(("name", "data", "key", "error"), [
    ("no room", 1, None, errors.BadGroup),
    (GROUP, object(), None, errors.BadData),
    (GROUP, 1, "", ValueError),
    (GROUP, 1, "k" * 65, ValueError),
])  # fmt: skip
def test_what_can_not_be_published_is_refused_at_once(core, name, data, key, error):
    """A bad group, data or key is the caller's error and is not sent."""
    with pytest.raises(error):
        core.publish(name, data, key)
    assert sent(core) == []
