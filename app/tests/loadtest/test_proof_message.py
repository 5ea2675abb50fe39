import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.clients.message import Said, read, write

NAMES = st.text(st.characters(codec="ascii", exclude_characters=" \n", categories=["L", "N", "P"]), min_size=1)


@given(st.builds(Said, NAMES, st.integers(1, 10**9), st.integers(0, 10**15), NAMES), st.integers(0, 500))
def test_what_is_written_is_read(said, size):
    """The text has the size that was asked for, unless it has to be longer."""
    text = write(said, size)
    assert read(text) == said
    assert len(text) >= size


def test_a_replica_may_have_no_name():
    """A stack that does not tell who answers can be measured too."""
    said = Said("0.User.1", 1, 5, "")
    assert read(write(said, 100)) == said


@pytest.mark.parametrize(
    "text", ["", "hi", "proof", "proof a b", "proof a x 1 web-1 .", "proof a 1 x web-1 .", "Proof a 1 1 w ."]
)
def test_what_others_say_is_nothing_of_ours(text):
    """A person who talks in a room of the proof does not disturb it."""
    assert read(text) is None


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1], lambda text: text[:60], lambda text: text.replace("xx", "xy")]
)
def test_a_text_that_was_changed_on_the_way_is_nothing_of_ours(change):
    """Cut short or with another letter in it, it is not what was published."""
    text = write(Said("0.BigRoomUser.1", 1, 5, "web-1"), 100)
    assert read(text) is not None
    assert read(change(text)) is None
