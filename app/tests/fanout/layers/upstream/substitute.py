"""A pytest plugin for channels_redis' own tests: our layer in the place of theirs, our Redis in the place of theirs.

Loaded with `-p substitute` by test_upstream.py. Its last line says which layer was really tested, and how often.
"""

from __future__ import annotations

import os

import channels_redis.pubsub
import pytest

from fanout.layers import RedisChannelLayer

channels_redis.pubsub.RedisPubSubChannelLayer = RedisChannelLayer
tested: dict[str, int] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for module in {item.module for item in items}:
        assert module.RedisPubSubChannelLayer is RedisChannelLayer, f"{module} holds on to the stock layer"
        module.TEST_HOSTS = [os.environ["TEST_REDIS_URL"]]


@pytest.fixture(autouse=True)
def _count_the_layer(request: pytest.FixtureRequest) -> None:
    if "channel_layer" in request.fixturenames:
        layer = type(request.getfixturevalue("channel_layer"))
        name = f"{layer.__module__}.{layer.__qualname__}"
        tested[name] = tested.get(name, 0) + 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    layers = ", ".join(f"{name} {count}" for name, count in sorted(tested.items()))
    terminalreporter.write_line(f"layers under test: {layers}")
