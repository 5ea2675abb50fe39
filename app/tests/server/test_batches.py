"""Batches: how many sockets a drain closes together."""

from hypothesis import given
from hypothesis import strategies as st

from server.batches import BATCH_EVERY, BATCH_LEAST, batches


@given(st.lists(st.integers(), max_size=3000), st.floats(0, 60))
def test_every_socket_is_in_one_batch_and_in_order(sockets, seconds):
    """Nobody is left out, nobody is told twice."""
    assert [socket for batch in batches(sockets, seconds) for socket in batch] == sockets


@given(st.integers(0, 200_000), st.floats(0, 60))
def test_the_batches_fit_into_the_time(count, seconds):
    """However many sockets there are; and no batch is empty."""
    sizes = [len(batch) for batch in batches(range(count), seconds)]
    assert len(sizes) <= max(1, seconds / BATCH_EVERY)
    assert all(sizes)


@given(st.integers(0, 200_000), st.floats(0.1, 60))
def test_the_batches_are_even(count, seconds):
    """All but the last are of one size, and none is larger than the time demands."""
    sizes = [len(batch) for batch in batches(range(count), seconds)]
    assert len(set(sizes[:-1])) <= 1
    fair = -(-count // int(seconds / BATCH_EVERY))
    assert max(sizes, default=0) <= max(BATCH_LEAST, fair)


def test_a_small_replica_goes_at_once():
    """Up to the least batch there is no ceremony."""
    assert list(batches(range(BATCH_LEAST))) == [range(BATCH_LEAST)]
