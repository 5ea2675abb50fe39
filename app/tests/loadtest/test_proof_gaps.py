from proof.generator.gaps import between


def test_the_difference_is_what_was_filled_meanwhile():
    """What was filled before the run is not its business."""
    assert between({"web-1": 5, "web-2": 0}, {"web-1": 7, "web-2": 3}, ["web-1", "web-2"]) == 5


def test_a_replica_that_restarted_began_at_zero():
    """All that it tells was filled meanwhile."""
    assert between({"web-1": 5}, {"web-1": 2}, ["web-1"]) == 2


def test_a_replica_that_does_not_tell_leaves_the_sum_unknown():
    """Half a sum would be taken for the whole."""
    assert between({"web-1": 5}, {"web-1": 5}, ["web-1", "web-2"]) is None
    assert between({"web-1": 5}, {"web-1": 5, "web-2": 0}, ["web-1", "web-2"]) is None
    assert between({}, {}, []) is None
