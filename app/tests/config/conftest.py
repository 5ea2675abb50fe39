"""Real replicas of the project, and a password in a file."""

import pytest

from tests.replicas import folder, start, start_once  # noqa: F401  # fixtures


@pytest.fixture(scope="module")
def replica(start_once):  # noqa: F811  # the fixture
    """One replica of the project for a module, on the in-memory layer."""
    return start_once.replica()


@pytest.fixture
def password_file(tmp_path):
    """A file with a password that no URL could hold as it is."""
    path = tmp_path / "password"
    path.write_text("p@ss/w%rd\n")
    return str(path)
