"""Single replicas, beside the fleets of all folders."""

from tests.replicas import folder, start  # noqa: F401  # fixtures
