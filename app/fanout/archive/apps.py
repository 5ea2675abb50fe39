"""The archive, as Django knows it."""

from django.apps import AppConfig


class ArchiveConfig(AppConfig):
    """Its models are found by this, and its parts of the worker's work are registered."""

    name = "fanout.archive"
    label = "fanout_archive"
    verbose_name = "Archive"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Give the worker its jobs."""
        from fanout.archive.archive import Archive
        from fanout.archive.retention import Retention, kept_age
        from fanout.jobs import register

        register("archive", Archive)
        if (age := kept_age()) is not None:
            register("retention", lambda: Retention(age))
