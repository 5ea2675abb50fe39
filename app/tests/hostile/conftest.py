"""What hostile clients meet: replicas and fleets of other folders, a browser, and examples for hypothesis."""

import hypothesis

from tests.demos.conftest import browser, visit  # noqa: F401 - fixtures
from tests.nginx.conftest import edge, folder, make_edge, secure_edge  # noqa: F401 - fixtures
from tests.replicas import start, start_once  # noqa: F401 - fixtures

hypothesis.settings.register_profile("fuzz", max_examples=20_000, deadline=None)
"""For `make fuzz`: some minutes."""
