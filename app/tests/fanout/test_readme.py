"""What the README of fanout shows of Python does what it says."""

import ast
import inspect
import re
from functools import partial
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

import fanout
from fanout import api, policy
from fanout.history import History
from fanout.policy import Policy
from tests.replicas import APP

README = (APP / "fanout" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def block(word):
    """The only block of Python with a word in it."""
    (found,) = [text for text in BLOCKS if word in text]
    return found


async def execute(source, **names):
    """Run a block, which may await, with these names; return the names it has then."""
    code = compile(source, "app/fanout/README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)  # noqa: S307 - the project's own README
    if inspect.isawaitable(result):
        await result
    return names


@pytest.fixture
def score(memory_default_layer, monkeypatch):
    """The README's own policy, registered; returns a function that gives the newest offset of score.final."""
    names = async_to_sync(execute)(
        block("class ScorePolicy").partition("# anywhere")[0], Policy=Policy, History=History
    )
    monkeypatch.setitem(policy._policies, "score", names["ScorePolicy"]())
    yield lambda: async_to_sync(get_channel_layer().top)("score.final").position.offset
    api._thread.close()


def test_the_policy_and_the_coroutine(score):
    """The group is durable, and what the server says is in it."""
    async_to_sync(execute)(block("class ScorePolicy"), fanout=fanout, Policy=Policy, History=History)
    assert score() == 1


@pytest.mark.django_db(transaction=True)
def test_publishing_behind_a_commit(score):
    """Nothing before the commit, once after it, and once only when the same goal is told again."""
    names = {"transaction": transaction, "partial": partial, "fanout": fanout, "goal": SimpleNamespace(pk=3)}
    for _ in range(2):
        with transaction.atomic():
            before = score()
            exec(block("on_commit"), names)  # noqa: S102 - the project's own README
            assert score() == before
    assert score() == 1
