"""Where Prometheus finds the replicas."""

import pytest

from ops.targets import targets


def test_each_replica_is_a_target_behind_the_address_that_was_asked():
    """By its path, and with a name of its own: the address is the same for all."""
    first, second = targets(["web-1", "web-12"], "nginx:8081")
    assert first == {
        "targets": ["nginx:8081"],
        "labels": {"__metrics_path__": "/ops/replicas/web-1/metrics", "instance": "web-1", "replica": "web-1"},
    }
    assert second["labels"]["__metrics_path__"] == "/ops/replicas/web-12/metrics"


def test_what_nginx_does_not_find_is_no_target():
    """It knows its slots and nothing else."""
    assert targets(["blue", "web-", "web-1x", "web-1"], "localhost:8080") == targets(["web-1"], "localhost:8080")


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:8080", "[::1]:8080", "a_b.example:1"])
def test_an_address_is_a_host_with_a_port_or_without(address):
    """As it stands in a Host header."""
    assert targets(["web-1"], address)[0]["targets"] == [address]


@pytest.mark.parametrize("address", ["", "a b", "evil/x", "x:port", "x:123456", "http://x", "x\n"])
def test_what_is_none_is_told(address):
    """Nothing of it reaches Prometheus."""
    assert targets(["web-1"], address) is None
