"""Durable groups for tests."""

import pytest

from fanout import policy
from tests.fanout.clients import Kept, Pouring


@pytest.fixture
def policies(monkeypatch):
    """The durable kinds `kept` and `pouring`."""
    for kind in (Kept, Pouring):
        monkeypatch.setitem(policy._policies, kind.kind, kind())
