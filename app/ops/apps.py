"""The app that operators talk to."""

from django.apps import AppConfig


class OpsConfig(AppConfig):
    """Health, readiness, checks, the fleet's page; the policies of `ops.` and `proof.` groups."""

    name = "ops"
    verbose_name = "Operations"

    def ready(self) -> None:
        """Register the policies and the checks."""
        from fanout.policy import register
        from ops import checks
        from ops.fleet.policy import OpsPolicy
        from ops.proof import ProofPolicy

        register(OpsPolicy())
        register(ProofPolicy())
        checks.register()
