import resource

import pytest

from fleet import descriptors
from fleet.descriptors import Limits
from fleet.errors import FleetError


@pytest.fixture
def limit(monkeypatch):
    """Pretend a limit; tell what was set."""
    calls = []

    def pretend(soft, hard):
        monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", lambda which, pair: calls.append(pair))
        return calls

    return pretend


def test_the_limit_is_raised_as_far_as_allowed(limit):
    """The soft limit becomes the hard one."""
    calls = limit(1024, 65536)
    assert descriptors.raise_limit() == Limits(65536)
    assert calls == [(65536, 65536)]


def test_far_too_few_are_refused(limit):
    """One sentence with the number and the remedy."""
    limit(100, 100)
    with pytest.raises(FleetError, match=r"may open 100 files .*ulimit -Hn"):
        descriptors.raise_limit()


def test_no_limit_is_a_large_number(limit):
    """Nginx wants a number."""
    limit(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert descriptors.raise_limit().descriptors == 1_048_576


def test_clients_are_counted_where_it_is_narrowest():
    """Nginx takes two descriptors a client, a replica one."""
    assert Limits(1064).clients(replicas=4, workers=2) == 1000
    assert Limits(1064).clients(replicas=1, workers=8) == 1000
    assert Limits(1064).clients(replicas=8, workers=1) == 500


def test_nginx_memory_stays_bounded():
    """A million descriptors are no reason to reserve a million connections."""
    assert Limits(1_048_576).worker_connections == 65_536
    assert Limits(1024).worker_connections == 1024
