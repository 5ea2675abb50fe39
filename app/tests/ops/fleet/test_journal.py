"""What a replica remembers of what happened to it."""

import pytest

from fanout.durable.feed import LOST, RESET_REASONS
from ops.fleet.journal import KEPT, Journal, State

FINE = {"redis": "ok", "database": "ok"}


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def journal(clock):
    return Journal("has started", clock)


def told(journal):
    return [(kind, sentence) for _, _, kind, sentence in journal.events][1:]


def test_it_begins_with_the_start(journal):
    """Number, time in ms, kind, sentence."""
    assert journal.events == [[1, 100_000, "good", "has started"]]


def test_nothing_new_is_nothing_to_tell(journal):
    """However often one looks; what was not checked yet is no loss."""
    for _ in range(3):
        journal.look(State(checks={"redis": "not checked yet", "database": "ok"}))
        journal.look(State(checks=FINE, connections=5))
    assert told(journal) == []


def test_redis_away_and_back_is_told_once_each(journal, clock):
    """With its sentence, cut short, and how long it took."""
    for result in ("Redis is away: " + "x" * 500, "Redis is still away", "ok", "ok"):
        journal.look(State(checks={**FINE, "redis": result}))
        clock.now += 6
    (lost, sentence), back = told(journal)
    assert lost == "bad"
    assert sentence.startswith("is without Redis: Redis is away: xxx")
    assert len(sentence) < 150
    assert back == ("good", "has Redis again, after 12 s")


def test_each_kind_of_trouble_has_its_sentence(journal):
    """Counts are told as what was added."""
    journal.look(State(checks=FINE))
    journal.look(State(checks=FINE, too_slow=1, reconnects=2, resets={LOST: 3}, lag=2.5))
    journal.look(State(checks=FINE, too_slow=3, reconnects=2, resets={LOST: 3}, lag=2.5))
    journal.look(State(checks=FINE, too_slow=3, reconnects=2, resets={LOST: 3}, draining=True, connections=1200))
    assert told(journal) == [
        ("wait", "made 2 lost connections to Redis anew"),
        ("bad", f"told 3 clients to reset: {RESET_REASONS[LOST]}"),
        ("bad", "cut 1 client off, too slow to read"),
        ("bad", "stands still: its event loop is 2.5 s late"),
        ("bad", "cut 2 clients off, too slow to read"),
        ("wait", "drains, 1,200 connections open"),
    ]


def test_it_forgets_the_oldest(journal):
    """A flood of events is no flood of memory; numbers go on."""
    for number in range(100):
        journal.note("bad", str(number))
    assert len(journal.events) == KEPT
    assert journal.events[-1][0] == 101
