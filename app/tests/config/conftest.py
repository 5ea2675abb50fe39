"""Real replicas of the project."""

import pytest

from tests.replicas import folder, start, start_once  # noqa: F401  # fixtures


@pytest.fixture(scope="module")
def replica(start_once):  # noqa: F811  # the fixture
    """One replica of the project for a module, on the in-memory layer."""
    return start_once.replica()
