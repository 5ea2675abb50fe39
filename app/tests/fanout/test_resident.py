"""This process's memory."""

from fanout.resident import memory_mib


def test_it_is_of_this_process():
    """In MiB: more than an interpreter takes, less than a machine has."""
    assert 10 < memory_mib() < 10_000
