"""One state of many changes."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demos.document.merging import WAITING_LIMIT, merged, together
from demos.document.update import EMPTY

from .edits import Writer, scribbles, text_of

APP = Path(__file__).resolve().parents[2]
CASES = 3000


def test_the_state_makes_the_same_text():
    """All at once or bit by bit."""
    said, text = scribbles(400)
    state, waiting = merged(EMPTY, said)
    assert (text_of(state), waiting) == (text, [])
    bit = EMPTY
    for start in range(0, 400, 37):
        bit, waiting = merged(bit, said[start : start + 37])
        assert not waiting
    assert text_of(bit) == text


def test_changes_that_come_twice_count_once():
    """Whoever merges again what is merged already does no harm."""
    said, text = scribbles(50)
    state, _ = merged(EMPTY, said)
    assert merged(state, said[10:40]) == (state, [])
    assert text_of(state) == text


@pytest.mark.parametrize("missing", [0, 3, 10, 30])
def test_what_waits_for_a_missing_change_is_kept_until_it_comes(missing):
    """Nothing is lost, and who gets all of it lets the same wait: the missing change makes it the same as all."""
    said, text = scribbles(60, seed=missing)
    state, waiting = merged(EMPTY, said[:missing] + said[missing + 1 :])
    assert waiting
    assert text_of(said[missing], together(state, waiting)) == text
    assert merged(state, waiting) == (state, waiting)
    state, waiting = merged(state, [*waiting, said[missing]])
    assert (text_of(state), waiting) == (text, [])


def test_a_deletion_waits_too():
    """What is deleted before it is known is deleted when it comes."""
    writer = Writer()
    first, second = writer.write("stay"), writer.write(" go")
    gone = writer.remove(4, 7)
    state, waiting = merged(EMPTY, [first, gone])
    assert waiting == [gone]
    state, waiting = merged(state, [gone, second])
    assert (text_of(state), waiting) == ("stay", [])


def test_any_order_of_two_writers_makes_one_text():
    """They have not heard each other."""
    ada, bob = Writer(), Writer()
    for number in range(20):
        ada.write(f"a{number} ", 0)
        bob.write(f"b{number} ", 0)
    texts = set()
    for seed in range(5):
        said = ada.said + bob.said
        random.Random(seed).shuffle(said)  # noqa: S311 - no secret
        state, waiting = merged(EMPTY, said)
        assert not waiting
        texts.add(text_of(state))
    assert len(texts) == 1


def test_what_server_code_published_that_is_no_change_is_left_out(caplog):
    """The others count; the log says so."""
    said, text = scribbles(10)
    state, waiting = merged(EMPTY, [said[0], b"no update", *said[1:]])
    assert (text_of(state), waiting) == (text, [])
    assert "no change to a text" in caplog.text


def test_what_waits_for_ever_is_bounded(caplog):
    """The newest are kept, each once."""
    writer = Writer()
    writer.write("never published")
    late = [writer.write("x" * 1_000_000) for _ in range(6)]
    _, waiting = merged(EMPTY, [*late, *late])
    assert waiting == late[-4:]
    assert sum(map(len, waiting)) <= WAITING_LIMIT
    assert "never came" in caplog.text


def test_changes_of_strangers_that_wait_for_each_other_end_no_process():
    """Made at random, each passes for a change; the Rust port alone would recurse until it has no stack."""
    merging = subprocess.run(
        [sys.executable, Path(__file__).with_name("hostile.py"), str(CASES)],
        env={**os.environ, "PYTHONPATH": str(APP)}, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert merging.returncode == 0, signal.Signals(-merging.returncode) if merging.returncode < 0 else merging.stderr
    merged_, waited = map(int, merging.stdout.split())
    assert merged_ > CASES / 10
    assert waited > CASES / 10
