"""Commands taken from the text of a runbook."""

import pytest

from drills import catalogue
from drills.errors import DrillError
from drills.runbook import Step, mitigation, steps
from fleet.options import REPOSITORY

TEXT = """\
# SomeAlert

## Diagnosis

```sh native
# Look.
make status
```

## Mitigation

```sh native
# Redis is away: start it.
make up
make status
# It hangs: anew.
make restart
```

```sh compose
# Redis is away: start it.
docker compose up
```
"""


def test_steps_are_comments_with_their_commands():
    """Of the Mitigation, for plain processes."""
    assert steps(TEXT) == [
        Step("Redis is away: start it.", ("make up", "make status")),
        Step("It hangs: anew.", ("make restart",)),
    ]


def test_one_step_is_followed_by_the_words_that_it_begins_with(tmp_path):
    """Or all, where no case is told from another."""
    (tmp_path / "SomeAlert.md").write_text(TEXT)
    assert [step.commands for step in mitigation(tmp_path / "SomeAlert.md", "It hangs")] == [("make restart",)]
    assert len(mitigation(tmp_path / "SomeAlert.md")) == 2


@pytest.mark.parametrize(
    ("text", "begins", "sentence"),
    [
        (TEXT.replace("make up\nmake status\n", ""), "Redis", "below a comment that begins with 'Redis'"),
        (
            TEXT.replace("## Mitigation\n\n```sh native", "## Mitigation\n\n```sh podman"),
            "",
            "has no command for native",
        ),
        (TEXT.partition("## Mitigation")[0], "", "has no command for native"),
        (TEXT, "nginx", "below a comment that begins with 'nginx'"),
    ],
)
def test_a_runbook_without_a_command_is_told(tmp_path, text, begins, sentence):
    """With what is missing in it."""
    (tmp_path / "SomeAlert.md").write_text(text)
    with pytest.raises(DrillError, match=f"SomeAlert.md .*{sentence}"):
        mitigation(tmp_path / "SomeAlert.md", begins)


def test_a_runbook_that_is_not_there_is_told(tmp_path):
    """With its path."""
    with pytest.raises(DrillError, match=r"None\.md cannot be read \(No such file"):
        mitigation(tmp_path / "None.md")


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_the_runbook_of_each_drill_has_the_step_that_it_follows(name):
    """By the words that the drill names."""
    drill = catalogue.find(name)
    assert mitigation(REPOSITORY / drill.follows(f"deploy/runbooks/{drill.alert}.md"), drill.step)
