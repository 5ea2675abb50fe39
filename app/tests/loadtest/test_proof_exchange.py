import gevent
import pytest

from proof.generator.exchange import QUESTION, Exchange

PATIENCE = 30
"""Seconds; what is waited for happens at once."""


class Workers:
    """They answer with their name, each after as many questions as it is slow by."""

    def __init__(self, **slow):
        self.slow, self.held = slow, []
        self.exchange = Exchange(self.take, self.slow.__contains__)

    def take(self, name, message):
        self.held.append((name, {"word": message["word"], QUESTION: message[QUESTION]}))
        due = self.slow[name]
        mine = [each for each in self.held if each[0] == name]
        if len(mine) > due:
            self.held.remove(mine[0])
            gevent.spawn(self.exchange.hear, *mine[0])


def words(answers):
    """What each has answered."""
    return {name: answer["word"] for name, answer in answers.items()}


def test_each_worker_answers_what_it_is_asked():
    """The answers come by worker, each with the time at which it came."""
    workers = Workers(one=0, two=0)
    for word in ("first", "second"):
        answers = workers.exchange.ask({"word": word}, PATIENCE, ["one", "two"])
        assert words(answers) == {"one": word, "two": word}
        assert all(answer["at"] > 0 for answer in answers.values())


@pytest.mark.parametrize("asked", [["late"], ["late", "one"]])
def test_an_answer_that_comes_late_answers_no_later_question(asked):
    """It is passed over, and the worker is one that has not answered."""
    workers = Workers(late=1, one=0)
    assert "late" not in workers.exchange.ask({"word": "first"}, 0.01, asked)
    assert "late" not in workers.exchange.ask({"word": "second"}, 0.05, asked)


def test_who_is_not_there_is_not_waited_for():
    """A worker that is gone costs no time."""
    workers = Workers(one=0)
    workers.slow["gone"] = PATIENCE
    exchange = Exchange(workers.take, lambda name: name == "one")
    workers.exchange = exchange
    assert words(exchange.ask({"word": "first"}, PATIENCE, ["one", "gone"])) == {"one": "first"}
