"""The app that operators talk to."""

from django.apps import AppConfig


class OpsConfig(AppConfig):
    """Health, readiness, checks, the policy of `proof.` groups."""

    name = "ops"
    verbose_name = "Operations"

    def ready(self) -> None:
        """Register the policy."""
        from fanout.policy import register
        from ops.proof import ProofPolicy

        register(ProofPolicy())
