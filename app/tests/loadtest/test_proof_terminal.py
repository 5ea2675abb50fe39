import io
import random
import re

import pytest

from proof.judgement.result import Verdict
from proof.report import terminal
from tests.loadtest.results import EMPTY, LOST, SAMPLES, SLOW, UNASKED, a_result, a_second, names

COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Terminal(io.StringIO):
    """Where a person looks."""

    def isatty(self):
        return True


def row_of(text, name):
    return next(line for line in text.splitlines() if re.match(rf"{re.escape(name)}\s", line))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_summary_begins_with_the_verdict_and_its_sentence(name):
    """Whatever a run came to, the first line says it."""
    result = SAMPLES[name]()
    first = terminal.summary(result).strip().splitlines()[0]
    assert first == f"{result.verdict.upper()}  {result.sentence}"


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_matrix_stays_within_the_terminal(name, width):
    """Twelve replicas with long names fit as well: with numbers for names, rounded counts, or marks alone."""
    text = terminal.summary(SAMPLES[name](), width=width)
    matrix = [line for line in text.splitlines() if re.match(r"(from \\ to|web-\d|#\d)", line)]
    assert all(len(line) <= width for line in matrix)


def test_each_cell_has_its_count_and_its_mark():
    """A cell that is empty, wrong, slow or was not asked is told from a whole one without colour."""
    result = a_result(3, wrong={(0, 1): EMPTY, (1, 1): LOST, (2, 0): SLOW, (2, 1): UNASKED})
    text = terminal.summary(result)
    assert row_of(text, "web-1").split() == ["web-1", "21,000", "!0", "21,002"]
    assert row_of(text, "web-2").split() == ["web-2", "21,037", "!21,017", "21,039"]
    assert row_of(text, "web-3").split() == ["web-3", "~21,074", "?0", "21,076"]
    assert "!0 nothing arrived" in text
    assert "worst cell: web-1 -> web-2: 21,001 lost of 21,001" in text


def test_a_whole_matrix_names_its_slowest_cell():
    """When nothing is wrong, nothing is called the worst and no mark is explained."""
    text = terminal.summary(a_result(2))
    assert re.search(r"^slowest cell: web-\d -> web-\d: p99 [\d.]+ ms$", text, re.MULTILINE)
    assert "!" not in text
    assert "worst cell" not in text


def test_long_names_are_shown_without_what_they_share():
    """The pods' common beginning is said once."""
    text = terminal.summary(a_result(4, pods=True))
    assert "web-6d5f7c9b8-…" in text
    assert sum(name in text for name in names(4, pods=True)) <= 2


def test_colour_changes_no_letter():
    """What is coloured reads the same as what is not, and the verdict has its colour."""
    for make in SAMPLES.values():
        result = make()
        coloured = terminal.summary(result, colour=True)
        assert COLOUR.sub("", coloured) == terminal.summary(result)
        code = {Verdict.PROVED: "32", Verdict.BROKEN: "31", Verdict.INVALID: "33"}[result.verdict]
        assert f"\x1b[1;{code}m{result.verdict.upper()}" in coloured


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_for_terminals_that_nobody_has_asked_to_be_plain(stream, environ, coloured):
    """NO_COLOR counts when it is not empty."""
    assert terminal.in_colour(stream, environ) is coloured


def test_what_comes_from_outside_does_not_steer_the_terminal():
    """A sentence, a host or a name with control characters is shown with question marks."""
    steering = "\x1b]0;owned\x07\n\x9b2J"
    text = terminal.summary(a_result(2, sentence=f"S{steering}", host=f"http://h{steering}"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_the_report_of_progress_is_one_short_line(subtests):
    """While clients connect, while publications flow with and without an end, with and without faults."""
    rng = random.Random(1)  # noqa: S311 - no secret
    before, during = a_second(-2, 180, 120, rng), a_second(30, 180, 120, rng)
    with subtests.test("connecting"):
        assert terminal.progress(before, 60, cpu=0.2, faults=0) == "connecting  120 users, 60 connects/s  cpu 20 %"
    with subtests.test("running"):
        line = terminal.progress(during, 60, cpu=0.2, faults=0)
        assert line.startswith("[#####.....] 30/60 s  180 users")
        assert line.endswith("none wrong")
    with subtests.test("without an end"):
        assert terminal.progress(during, 0, cpu=0.2, faults=3).startswith("30 s  180 users")
    with subtests.test("wrong"):
        assert terminal.progress(during, 60, cpu=0.2, faults=1234).endswith("1,234 wrong")
    assert len(terminal.progress(during, 60, cpu=0.999, faults=1234)) <= 100
