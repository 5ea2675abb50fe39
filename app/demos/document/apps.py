"""The documents, as Django knows them."""

from django.apps import AppConfig


class DocumentConfig(AppConfig):
    """Templates, static files, the table and the commands are found by this; policies and the job are registered."""

    name = "demos.document"
    label = "document"
    verbose_name = "Document"

    def ready(self) -> None:
        """Register the policies of `document.` and `cursors.` groups, and what the worker does for documents."""
        from demos.document.compaction import Compaction
        from demos.document.policy import CursorsPolicy, DocumentPolicy
        from fanout import jobs, policy

        policy.register(DocumentPolicy())
        policy.register(CursorsPolicy())
        jobs.register("documents", Compaction)
