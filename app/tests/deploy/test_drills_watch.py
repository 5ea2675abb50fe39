"""What a drill makes of the alerts that it sees."""

import pytest

from drills.prometheus import Alert
from drills.watch import Watch

OURS = ("RedisDown", "FanoutPublicationErrors")


def alert(name, window="", *, is_firing=True):
    """One that Prometheus tells of."""
    return Alert(name, is_firing, summary="", runbook="", severity="page", window=window)


@pytest.fixture
def told():
    """What Prometheus tells at each look, in this order."""
    return []


@pytest.fixture
def watch(told):
    class Prometheus:
        def alerts(self):
            return told.pop(0)

    return Watch(Prometheus(), OURS)


def test_all_have_to_be_seen_and_one_may_end_meanwhile(watch, told):
    """Pending is not firing; others are kept by name alone."""
    told += [None, [alert("RedisDown", is_firing=False)], [alert("RedisDown"), alert("NginxDown")]]
    assert [watch.unseen(), watch.unseen()] == [[*OURS]] * 2
    assert watch.unseen() == ["FanoutPublicationErrors"]
    told += [[alert("FanoutPublicationErrors", "1h")]]
    assert watch.unseen() == []
    assert list(watch.seen) == list(OURS)
    assert watch.fired == {*OURS, "NginxDown"}
    assert "RedisDown" in watch.ended


def test_only_the_rule_that_was_seen_has_to_end(watch, told):
    """Those of the same name look back for hours; and what fires again has not ended."""
    slow, quick = (alert("FanoutPublicationErrors", window) for window in ("6h", "1h"))
    told += [[quick], [slow], [slow, quick], [slow], None]
    watch.unseen()
    assert watch.firing() == []
    assert watch.firing() == ["FanoutPublicationErrors"]
    assert watch.ended == {}
    assert watch.firing() == []
    assert set(watch.ended) == {"FanoutPublicationErrors"}
    assert watch.firing() is None
