"""What drills came to, as a table."""

from drills.engine import Outcome
from drills.table import render


def test_a_row_for_each_drill():
    """Times with their unit; what is not known is a dash; a reason in one line."""
    outcomes = [
        Outcome("redis-down", "FanoutRedisUnavailable", detect=2.84, shipped_wait=30, recover=6.02),
        Outcome("clock-jump", "FanoutDeliveriesLate", "skipped", "faketime is not installed"),
        Outcome("nginx-down", "NginxDown", "failed", "`make up` failed (exit code 1):\nand more"),
    ]
    assert (
        render(outcomes)
        == """\
drill       alert                   detect  recover  as shipped  verdict
redis-down  FanoutRedisUnavailable   2.8 s    6.0 s  waits 30 s  passed
clock-jump  FanoutDeliveriesLate         -        -           -  skipped: faketime is not installed
nginx-down  NginxDown                    -        -           -  failed: `make up` failed (exit code 1):"""
    )
