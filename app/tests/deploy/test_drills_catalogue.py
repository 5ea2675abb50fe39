"""The list of drills, and what is said of a name that is none."""

import re

import pytest

from drills import catalogue, runbook
from drills.prometheus import RULES
from drills.verbs import listing
from fleet.errors import UsageError
from fleet.options import REPOSITORY

FOLDER = REPOSITORY / "deploy/drills"


def test_every_module_is_a_drill_of_the_list():
    """By its name, with - for _."""
    modules = {path.stem for path in (FOLDER / "breaks").glob("*.py")} - {"__init__"}
    assert {name.replace("-", "_") for name in catalogue.NAMES} == modules
    assert [drill.name for drill in catalogue.everything()] == list(catalogue.NAMES)


def test_every_alert_has_a_drill():
    """And none is drilled that is not shipped."""
    shipped = re.findall(r"- alert: (\w+)$", "".join(path.read_text() for path in RULES.glob("*.yml")), re.MULTILINE)
    assert {alert for drill in catalogue.everything() for alert in drill.alerts} == set(shipped)


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_what_a_drill_types_stands_in_the_runbook_of_each_of_its_alerts(name):
    """Whichever of them somebody reads."""
    drill = catalogue.find(name)
    folder = REPOSITORY / "deploy/runbooks"
    followed = REPOSITORY / drill.follows(f"deploy/runbooks/{drill.alert}.md")
    typed = [step.commands for step in runbook.mitigation(followed, drill.step)]
    assert typed
    for alert in drill.also:
        steps = [step.commands for step in runbook.mitigation(folder / f"{alert}.md")]
        assert all(commands in steps for commands in typed)


def test_the_list_tells_what_each_breaks():
    """A line each, which fits a terminal, and how to begin."""
    text = listing(catalogue.everything())
    assert all(f"  {name} " in text for name in catalogue.NAMES)
    assert max(map(len, text.splitlines())) <= 120
    assert "make drill NAME=" in text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("redis-donw", "NAME=redis-donw is no drill: did you mean redis-down?"), ("x", "NAME=x is no drill: there are ")],
)
def test_a_name_that_is_none_is_told(name, sentence):
    """With the one that was meant, or all."""
    with pytest.raises(UsageError) as caught:
        catalogue.find(name)
    assert str(caught.value).startswith(sentence)


def test_what_drills_came_to_is_written_down():
    """A row for each alert of each, and all passed."""
    rows = re.findall(r"^\| ([\w-]+) \| (\w+) \|.*\| (\w+) \|$", (FOLDER / "results.md").read_text(), re.MULTILINE)
    wanted = [(drill.name, alert, "passed") for drill in catalogue.everything() for alert in drill.alerts]
    assert sorted(rows[1:]) == sorted(wanted)
