"""The client's core, frame by frame."""

import inspect
import json
import shlex
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout import errors
from fanout.client import Core, Joined, NotConnected, Publication, Refused, Reset, Settled, Unacknowledged
from fanout.client import core as core_module
from fanout.positions import Position
from tests.fanout.client.cores import GROUP, answer_join, hears, join, numbers, publication, sent
from tests.replicas import APP

# -- groups ----------------------------------------------------------------------------------------


def test_a_join_asks_for_what_the_user_wants(core):
    """From a position, for the last n, or from now."""
    core.join("chat.a", since=Position("e", 7))
    core.join("chat.b", last=50)
    core.join("chat.c")
    asked = [(frame["group"], frame.get("since"), frame["last"]) for frame in sent(core)]
    assert asked == [("chat.a", {"epoch": "e", "offset": 7}, 0), ("chat.b", None, 50), ("chat.c", None, 0)]


def test_a_publication_is_told_with_its_position(core):
    """Group, data and position are those of the frame."""
    assert join(core) == [Joined(GROUP, "web-1", Position("e", 0))]
    (message,) = hears(core, "publication", group=GROUP, epoch="e", offset=1, data={"message": "hi"})
    assert (message.group, message.data, message.json) == (GROUP, {"message": "hi"}, b'{"message": "hi"}')
    assert (message.position, message.recovered) == (Position("e", 1), False)
    assert core.position(GROUP) == Position("e", 1)


def test_what_is_known_is_not_told_again(core):
    """A publication at or before the position is a double."""
    join(core, offset=3)
    assert publication(core, 3) == publication(core, 1) == []
    assert numbers(publication(core, 4)) == [4]


def test_a_gap_is_asked_for_and_filled(core):
    """The publication that shows the gap is told behind the missing ones, once."""
    join(core)
    publication(core, 1)
    assert publication(core, 4) == []
    assert publication(core, 5) == []
    events = answer_join(core, epoch="e", offset=5, recovered=4)
    for offset in (2, 3, 4, 5, 6):
        events += publication(core, offset)
    assert numbers(events) == [2, 3, 4, 5, 6]
    assert [event.recovered for event in events[1:]] == [True, True, True, True, False]


def test_a_gap_that_can_not_be_filled_is_told(core):
    """A refused position is a reset with the server's reason, and the group goes on behind it."""
    join(core)
    publication(core, 4)
    told = answer_join(core, epoch="e", offset=9, recovered=0, reset="trimmed")
    assert told[1:] == [Reset(GROUP, Position("e", 9), "trimmed")]
    assert numbers(publication(core, 10)) == [10]


def test_a_reset_of_a_live_group_is_told(core):
    """Reused offsets are taken for what they are."""
    join(core, offset=7)
    assert hears(core, "reset", group=GROUP, epoch="f", offset=5, reason="lost") == [
        Reset(GROUP, Position("f", 5), "lost")
    ]
    assert numbers(publication(core, 6, epoch="f") + publication(core, 7, epoch="f")) == [6, 7]


def test_a_new_epoch_that_lost_nothing_goes_on(core):
    """Where nothing was lost the offsets go on, and so does the client."""
    join(core, offset=7)
    assert numbers(publication(core, 8, epoch="f") + publication(core, 9, epoch="f")) == [8, 9]
    assert core.position(GROUP) == Position("f", 9)


@pytest.mark.parametrize(("offset", "recovered"), [(9, 3), (4, 0)], ids=["begins too late", "ends too early"])
def test_a_server_that_leaves_a_gap_is_not_believed(core, offset, recovered):
    """An answer that does not go on from the position, and does not say so, is a reset."""
    join(core, offset=5)
    publication(core, 7)
    told = answer_join(core, epoch="e", offset=offset, recovered=recovered)
    assert told[1:] == [Reset(GROUP, Position("e", offset - recovered), "lost")]
    assert numbers(publication(core, offset - recovered + 1)) == [offset - recovered + 1]


def test_a_server_that_recovers_too_much_doubles_nothing(core):
    """What the client has already is left out, twice or not, whatever epoch it was made in."""
    join(core, offset=5)
    publication(core, 7)
    events = answer_join(core, epoch="f", offset=7, recovered=4)
    for offset in (4, 5, 6, 6, 7, 8):
        events += publication(core, offset, epoch="f")
    assert numbers(events) == [6, 7, 8]


def test_a_gap_among_the_recovered_is_told(core):
    """What the server says it sends, and does not, is a reset before the next one."""
    join(core, offset=5, recovered=5, last=5)
    assert [type(event) for event in publication(core, 1) + publication(core, 3)] == [Publication, Reset, Publication]


def test_a_reset_among_the_recovered_ends_them(core):
    """What was trimmed while we were behind is told once; what follows is live, behind the reset's position."""
    join(core, offset=5, recovered=5, last=5)
    assert numbers(publication(core, 1)) == [1]
    assert hears(core, "reset", group=GROUP, epoch="e", offset=9, reason="trimmed") == [
        Reset(GROUP, Position("e", 9), "trimmed")
    ]
    (message,) = publication(core, 10)
    assert (message.position, message.recovered) == (Position("e", 10), False)


def test_an_ephemeral_group_has_no_positions(core):
    """What comes is told; nothing is known or missing."""
    assert join(core, epoch=None, offset=None, recovered=None) == [Joined(GROUP, "web-1")]
    (message,) = hears(core, "publication", group=GROUP, data=1)
    assert (message.data, message.position) == (1, None)


def test_nothing_is_heard_before_the_group_is_joined(core):
    """Nor of a group that was left, or of a stranger's."""
    core.join(GROUP)
    assert publication(core, 1) == []
    join(core, group="chat.b")
    core.leave("chat.b")
    assert publication(core, 1, group="chat.b") == publication(core, 1, group="chat.c") == []


def test_every_group_is_joined_again_behind_its_position(core):
    """After a reconnect; one that was left is not."""
    join(core, offset=3)
    join(core, group="chat.b", offset=9)
    core.leave("chat.b")
    publication(core, 4)
    core.lost(1006)
    core.opened()
    assert [(frame["group"], frame["since"]) for frame in sent(core)] == [(GROUP, {"epoch": "e", "offset": 4})]


def test_a_refused_group_is_given_up(core):
    """Forbidden is told by the server's own error, and not asked again."""
    core.join(GROUP)
    (asked,) = sent(core)
    (refused,) = hears(core, "error", id=asked["id"], code="forbidden", message="You may not join chat.a.")
    assert (refused.group, type(refused.error), str(refused.error)) == (
        GROUP, errors.Forbidden, "You may not join chat.a.",
    )  # fmt: skip
    core.lost(1006)
    core.opened()
    assert sent(core) == []


def test_an_unavailable_group_is_asked_for_again(core):
    """After a growing wait, unless the connection is another one by then."""
    core.join(GROUP)
    waits = []
    for _ in range(5):
        (asked,) = sent(core)
        (later,) = hears(core, "error", id=asked["id"], code="unavailable", message="Redis is away.")
        waits.append(later.seconds)
        later.again()
    assert waits == [2.0, 2.0, 2.0, 2.0, 4.0]
    sent(core)
    core.lost(1006)
    core.opened()
    assert len(sent(core)) == 1
    later.again()
    assert sent(core) == []


def test_a_left_group_is_settled_by_every_answer(core):
    """`left`, `not_joined` and a lost connection all say that the client is not in the group."""
    for answer in ({"kind": "left"}, {"kind": "error", "code": "not_joined", "message": "You are not in it."}, None):
        join(core)
        ticket = core.leave(GROUP)
        (asked,) = sent(core)
        settled = core.lost(1006)[1] if answer is None else hears(core, **answer, id=asked["id"])
        assert list(settled) == [Settled(ticket)]
    assert core.leave(GROUP) is None


# -- without room ------------------------------------------------------------------------------------


def test_a_durable_group_goes_on_where_there_was_no_room(core):
    """What was not taken is recovered when there is room; nothing twice."""
    join(core)
    events = publication(core, 1) + publication(core, 2, room=False) + publication(core, 3)
    assert core.skipped
    core.resume()
    assert not core.skipped
    events += answer_join(core, epoch="e", offset=3, recovered=2) + publication(core, 2) + publication(core, 3)
    assert numbers(events) == [1, 2, 3]


def test_an_ephemeral_group_loses_what_there_was_no_room_for(core):
    """It is superseded, and nothing is asked again."""
    join(core, epoch=None, offset=None, recovered=None)
    assert hears(core, "publication", group=GROUP, data=1, room=False) == []
    assert numbers(hears(core, "publication", group=GROUP, data=2)) == [2]
    assert not core.skipped


# -- the connection ----------------------------------------------------------------------------------


def test_a_final_close_settles_everything(core):
    """4403 and its like: no next attempt, and each publication is told how far it came."""
    sent_one, waiting = core.publish(GROUP, 1), core.publish(GROUP, 2)
    delay, settled = core.lost(4403)
    assert delay is None
    assert {event.ticket: type(event.error) for event in settled} == {sent_one: Unacknowledged, waiting: NotConnected}


def test_a_frame_over_the_servers_limit_is_the_one_that_was_sent(core):
    """1009 refuses the publication under way as too large."""
    ticket = core.publish(GROUP, 1)
    delay, settled = core.lost(1009)
    assert (delay, settled[0].ticket, type(settled[0].error)) == (None, ticket, errors.TooLarge)


def test_the_hint_before_a_drain_is_the_wait(core):
    """For the next attempt, not for those after it."""
    hears(core, "reconnect", retry=700)
    assert core.lost(1012)[0] == pytest.approx(0.35)
    assert core.lost(1006)[0] == 0.5


def test_failures_count_until_a_connection_holds(core):
    """The wait grows with each connection that did not last, and begins anew after one that did."""
    waits = [core.lost(1006, held)[0] for held in (0, 1, 4.9, 5.0, 0)]
    assert waits == [0.25, 0.5, 1.0, 0.25, 0.5]


@given(st.binary(max_size=60) | st.text(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "id", "group", "epoch", "offset", "data", "retry"]), inner, max_size=5),
    max_leaves=12,
).map(json.dumps))  # fmt: skip
def test_what_is_no_frame_is_ignored(text):
    """Whatever a stranger's server says: no error, no publication."""
    core = Core()
    core.opened()
    core.join(GROUP)
    assert not any(isinstance(event, Publication) for event in core.receive(text))


@pytest.mark.parametrize("frame", [
    {"type": "join", "group": GROUP, "client": "x"},
    {"type": "presence", "group": GROUP, "count": 3},
    {"type": "publication", "group": GROUP, "epoch": "e", "offset": 1, "data": 1, "tags": ["new"]},
    {"type": "joined", "id": 99, "group": GROUP, "presence": {"count": 3}},
])  # fmt: skip
def test_what_a_later_version_adds_is_ignored(core, frame):
    """Frames of unknown type, and unknown fields."""
    join(core)
    assert len(hears(core, frame.pop("type"), **frame)) == (frame.get("data") == 1)


def test_an_error_that_answers_nothing_is_told(core):
    """With a code of a later version too."""
    (refused,) = hears(core, "error", id=None, code="weary", message="Ask later.")
    assert isinstance(refused, Refused)
    assert (refused.group, str(refused.error)) == (None, "Ask later. (weary)")


def test_the_published_number_can_be_measured(tmp_path):
    """The command in the core's docstring runs; a fast machine prints nsec."""
    command = inspect.getdoc(core_module).partition("    python -m timeit")[2].partition("\n\n")[0]
    words = shlex.split(command.replace("\\\n", " ").replace("-n 200000", "-n 100").replace("200001", "101"))
    done = subprocess.run(
        [sys.executable, "-m", "timeit", *words], cwd=APP, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "sec per loop" in done.stdout) == (0, True), done.stderr
