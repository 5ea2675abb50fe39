import tempfile
from pathlib import Path

import pytest

from fleet.state import Run


@pytest.fixture
def run():
    """A run folder with a short path, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fleet-", dir="/tmp") as folder:
        made = Run(Path(folder) / "run")
        made.make()
        yield made
