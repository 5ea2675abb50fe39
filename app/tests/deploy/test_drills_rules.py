"""Rules with shorter times, made from those that are shipped."""

import re
import subprocess

import pytest

from drills.engine import shipped_wait
from drills.errors import DrillError
from drills.prometheus import RULES
from drills.rules import shortened, waits
from fleet import packages

TEXT = """\
    interval: 1m
    rules:
      - alert: First
        expr: rate(a_total[10m]) > 3
        for: 5m
        labels: {severity: page, window: 6h}
      - alert: Second
        expr: increase(b_total[1m]) > 0 unless b_total offset 10m
        for: 0m
      - alert: Third
        expr: c == 0
        for: 30s
"""


def test_it_waits_and_looks_back_shorter():
    """Down to what two samples need; what holds at once still does, and labels are left alone."""
    assert (
        shortened({"a.yml": TEXT}, 30, {})["a.yml"]
        == """\
    interval: 2s
    rules:
      - alert: First
        expr: rate(a_total[20s]) > 3
        for: 10s
        labels: {severity: page, window: 6h}
      - alert: Second
        expr: increase(b_total[5s]) > 0 unless b_total offset 20s
        for: 0s
      - alert: Third
        expr: c == 0
        for: 1s
"""
    )


def test_a_threshold_is_replaced():
    """Only one that is there: a rule that has changed is told."""
    files = shortened({"a.yml": TEXT, "b.yml": "c == 0"}, 30, {"[10m]) > 3": "[10m]) > 1"})
    assert "rate(a_total[20s]) > 1\n" in files["a.yml"]
    with pytest.raises(DrillError, match=r"The rules have no '> 4' any more"):
        shortened({"a.yml": TEXT}, 30, {"> 4": "> 1"})


def test_how_long_an_alert_waits():
    """In seconds; None for one that is not there."""
    assert [waits(TEXT, name) for name in ("First", "Second", "Third", "Fourth")] == [300, 0, 30, None]


@pytest.mark.parametrize("path", sorted(RULES.glob("*.yml")), ids=lambda path: path.stem)
def test_the_shipped_rules_are_the_same_but_for_times(path, tmp_path):
    """Prometheus takes them, no time is as long as it was, and nothing else is another."""
    shipped = path.read_text()
    ours = shortened({"it": shipped}, 30, {})["it"]
    (tmp_path / path.name).write_text(ours)
    subprocess.run([packages.require("promtool"), "check", "rules", tmp_path / path.name], check=True)
    times = re.compile(r"\[\d+[smhd]\]|(?:for|interval): \d+[smhd]|offset \d+[smhd]")
    assert times.sub("", ours) == times.sub("", shipped)
    for was, now in zip(times.findall(shipped), times.findall(ours), strict=True):
        assert now != was


def test_of_an_alert_with_several_rules_the_one_that_is_first_to_fire_is_told():
    """Those of an objective, which look back for an hour and more, come behind."""
    assert shipped_wait("FanoutUnreachable") == 60
