"""What redis-py is told about a host."""

import pytest

from fanout.layers.pipeline import COMMAND_TIMEOUT
from fanout.layers.shard import SENTINEL_TIMEOUT, _with_defaults


def test_a_host_gets_our_limits():
    """No command waits longer than we promise, and none is repeated behind our back."""
    options = _with_defaults({"address": "redis://localhost"})
    assert options["socket_timeout"] == options["socket_connect_timeout"] == COMMAND_TIMEOUT
    assert options["retry"]._retries == 0
    assert "sentinel_kwargs" not in options


def test_what_the_user_sets_wins():
    """For the host, and for the Sentinels in front of it; what is not set stays ours."""
    host = {"sentinels": [("localhost", 26379)], "master_name": "fleet", "socket_timeout": 1, "username": "master's"}
    options = _with_defaults({**host, "sentinel_kwargs": {"username": "sentinel's", "socket_timeout": 0.1}})
    assert options["socket_timeout"] == 1
    assert options["username"] == "master's"
    assert options["sentinel_kwargs"]["username"] == "sentinel's"
    assert options["sentinel_kwargs"]["socket_timeout"] == 0.1
    assert options["sentinel_kwargs"]["socket_connect_timeout"] == SENTINEL_TIMEOUT


@pytest.mark.parametrize("given", [None, {}])
def test_sentinels_get_our_limits(given):
    """A dead Sentinel costs a fraction of what a command may take, so that the next is still asked in time."""
    options = _with_defaults({"sentinels": [("localhost", 26379)], "master_name": "fleet", "sentinel_kwargs": given})
    assert options["sentinel_kwargs"]["socket_timeout"] == SENTINEL_TIMEOUT
    assert options["sentinel_kwargs"]["retry"]._retries == 0
    assert 3 * SENTINEL_TIMEOUT < COMMAND_TIMEOUT
