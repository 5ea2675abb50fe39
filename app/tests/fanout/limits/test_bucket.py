"""A bucket gives so much a second, and some at once."""

from fanout.limits.bucket import Bucket, Buckets


def test_a_bucket_gives_so_much_a_second_and_some_at_once():
    """What could be had later is told in seconds; nothing is saved beyond the burst."""
    bucket = Bucket(2, now=0)
    assert [bucket.take(1, 2, now) for now in (0, 0, 0, 0.5, 1, 10, 10, 10)] == [0, 0, 1, 0.5, 0, 0, 0, 1]
    heavy = Bucket(2, now=0)
    assert [heavy.take(1, 2, now, cost=cost) for now, cost in ((0, 3), (0, 1), (2, 1), (2, 3))] == [0, 2, 0, 2]


def test_forgotten_buckets_are_the_least_used():
    """So many strangers at once cost no more memory, and leave who is busy as it is."""
    buckets = Buckets(2)
    assert buckets.take("busy", 1, 1, 0) == 0
    for name in ("a", "b", "c"):
        assert buckets.take("busy", 1, 1, 0) == 1
        assert buckets.take(name, 1, 1, 0) == 0
    assert len(buckets._buckets) == 2
