"""The documents name only what is there, and what is not there is told."""

import pytest

from fleet import docs

GOOD = """# One

Read [the next](two.md), [its end](two.md#the-end-of-it) or [this](#one); `make up REPLICAS=5`, then `append.lua`:

    make drill NAME=redis-down
    make test ARGS="-k every_replica_hears"
    make bench ARGS="--only connect"
    make chaos WHAT=restart,reload
    FANOUT_LIMITS=off python manage.py publish
    make test ARGS="app/tests/deploy/test_fleet_docs.py::test_what_is_there_is_not_told"
"""


@pytest.fixture
def told(tmp_path):
    """A function that returns what is told of a text, with a second document beside it."""
    (tmp_path / "two.md").write_text("# Two\n\n## The end of it\n")

    def told(text):
        path = tmp_path / "one.md"
        path.write_text(text)
        return docs.problems_of(path)

    return told


def test_the_documents_name_what_is_there():
    """All of them, and none is longer than it may be."""
    assert docs.problems() == []


def test_what_is_there_is_not_told(told):
    """Links, anchors, verbs, values, modules, tests and parts of the benchmark."""
    assert told(GOOD) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[it](three.md)", "the link three.md leads nowhere."),
        ("[it](two.md#the-middle)", "the link two.md#the-middle leads to no heading."),
        ("[it](#two)", "the link #two leads to no heading."),
        ("`make upp`", "`make upp` is no verb of the Makefile."),
        ("    make upp", "`make upp` is no verb of the Makefile."),
        ("`make up REPLIKAS=5`", "`make up REPLIKAS=` is told nothing: there is no such variable."),
        ("`make chaos WHAT=restart,flood`", "`make chaos` knows no restart,flood."),
        ("`make drill NAME=redis-gone`", "there is no drill redis-gone."),
        ('`make bench ARGS="--only dreams"`', "there is no part dreams of the benchmark."),
        ("`manage.py publis`", "there is no command `manage.py publis`."),
        ("`FANOUT_LIMIT=off`", "there is no variable FANOUT_LIMIT."),
        ("see app/fanout/hubs.py", "there is no app/fanout/hubs.py."),
        ("see `hubs.py`", "there is no module hubs.py."),
        ('`make test ARGS="-k every_hamster_hears"`', "`-k every_hamster_hears` selects no test."),
        ("`pytest app/tests\n-k every_hamster_hears`", "`-k every_hamster_hears` selects no test."),
        (
            "`app/tests/deploy/test_fleet_docs.py::test_it`",
            "app/tests/deploy/test_fleet_docs.py has no test_it.",
        ),
    ],
)
def test_what_is_not_there_is_told(told, text, sentence):
    """In the words that name it."""
    assert told(text) == [f"one.md: {sentence}"]


def test_a_document_that_grows_too_long_is_told(monkeypatch):
    """With its length."""
    monkeypatch.setattr(docs, "LENGTHS", (("README.md", 10),))
    (problem,) = docs.problems()
    assert problem.startswith("README.md: ")
    assert problem.endswith(" lines, and 10 are the most.")
