"""Single replicas, beside the fleets of all folders."""

from tests.replicas import folder, start, start_once  # noqa: F401  # fixtures
