"""`make test-k8s` before and after the cluster: what it refuses, what it makes of a proof, what it writes."""

import datetime as dt

import pytest
import yaml

from fleet.errors import UsageError
from fleet.kubernetes.kubectl import Context
from fleet.kubernetes.trial import proof, record, run, successor
from fleet.kubernetes.trial.items import ITEMS
from fleet.kubernetes.trial.record import Done

TEST = Context("kind-a", "https://127.0.0.1:6443")


class Cluster:
    """A cluster with or without a fleet, as far as `refuse` asks."""

    def __init__(self, there):
        self.there = there

    def exists(self):
        return self.there


def test_items_are_named_once():
    """So that ARGS names one."""
    names = [item.name for item in ITEMS]
    assert len(set(names)) == len(names)
    assert run.choose(()) == list(ITEMS)
    assert [item.name for item in run.choose(["redis", "restart"])] == ["restart", "redis"]
    with pytest.raises(UsageError, match="ARGS=reds is no item"):
        run.choose(["reds"])


def test_another_machines_cluster_is_refused_unless_told():
    """It would break what runs there."""
    with pytest.raises(UsageError, match=r"is no cluster of this machine.*or say YES=1"):
        run.refuse(Context("production", "https://a.example"), Cluster(there=False), is_told=False)
    run.refuse(Context("production", "https://a.example"), Cluster(there=True), is_told=True)


def test_a_fleet_that_is_there_is_not_deleted_unless_told():
    """Its data would go."""
    with pytest.raises(UsageError, match="with its data"):
        run.refuse(TEST, Cluster(there=True), is_told=False)
    run.refuse(TEST, Cluster(there=False), is_told=False)


def result(**count):
    """A proof's JSON, as far as it is read."""
    cell = {"count": {"received": 100, "lost": 0, "doubled": 0, "disordered": 0, **count}}
    kind = {"name": "BigRoomUser", "published": 10, "resets": 0, "note": ""}
    return {
        "verdict": "broken" if count else "proved", "sentence": "All well." if not count else "1 lost.",
        "reasons": ["1 lost."] if count else [], "cells": [cell, cell], "kinds": [kind], "replicas": ["a", "b"],
    }  # fmt: skip


def test_the_outcome_sums_all_cells():
    """A loss in any of them is a loss."""
    assert proof.outcome(result()).is_proved
    broken = proof.outcome(result(lost=1))
    assert not broken.is_proved
    assert (broken.received, broken.lost, broken.sentence) == (200, 2, "1 lost.")


def test_the_job_is_the_load_tests():
    """But for its arguments: it goes on until it is told to end."""
    job = next(each for each in yaml.safe_load_all(proof.manifest(proof.Flow(7, 3))) if each["kind"] == "Job")
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments == proof.Flow(7, 3).arguments()
    assert arguments[arguments.index("--users") + 1] == "7"
    assert arguments[arguments.index("--rate") + 1] == "3"
    assert job["spec"]["backoffLimit"] == 0


def test_the_successor_has_a_migration_more():
    """Of an app that has none of its own; its image is the one at hand otherwise."""
    text = successor.dockerfile()
    assert text.startswith("FROM fanout-app:")
    assert text.endswith("USER 10001:10001\n")
    compile(successor.CODE, "migration", "exec")
    assert successor.MIGRATION.partition(".")[2] in text


def test_the_page_tells_every_item():
    """Also what was wrong, in words."""
    done = [
        Done(ITEMS[0], "2 pods", None, 20.0),
        Done(ITEMS[1], "4 replicas", proof.outcome(result()), 30.0),
        Done(ITEMS[2], "", None, 5.0, "It | changed\nsomething."),
        Done(ITEMS[4], "2 pods replaced", proof.outcome(result(lost=1)), 40.0),
    ]
    of = record.Circumstances(dt.datetime(2026, 11, 26, tzinfo=dt.UTC), "abc1234", "def5678", "v1.35.4", proof.Flow())
    page = record.text(done, of, "v1.35.4")
    assert "2026-11-26 00:00 UTC, commit abc1234, images of def5678" in page
    assert "2 of 4 as they should be" in page
    assert "| 2 pods replaced. 1 lost. | broken | 200 | 2 | 0 | 0 | 0 | 40 |" in page
    assert "| It / changed something. | failed | - | - | - | - | - | 5 |" in page
    widths = {line.count("|") for line in page.splitlines() if line.startswith("|")}
    assert len(widths) == 1
