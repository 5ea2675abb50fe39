"""The table of snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from demos.document.update import EMPTY

if TYPE_CHECKING:
    from datetime import datetime


class Snapshot(models.Model):
    """All that was written to one document, up to a position in its group's stream.

    A snapshot is replaced as a whole, in one statement, by who has read the version before: whatever dies, the row is
    the old one or the new one.
    """

    name: models.CharField[str, str] = models.CharField(max_length=64, primary_key=True)
    state: models.BinaryField[bytes, bytes] = models.BinaryField(default=EMPTY)
    """One Yjs update (version 1): all changes that have what they need, merged."""
    waiting: models.BinaryField[bytes, bytes] = models.BinaryField(default=b"")
    """Changes that need others which are missing: a list of bytes, in MessagePack; empty for none."""
    epoch: models.CharField[str, str] = models.CharField(max_length=32)
    offset: models.BigIntegerField[int, int] = models.BigIntegerField()
    version: models.BigIntegerField[int, int] = models.BigIntegerField()
    """How often it was written."""
    saved_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.name} at {self.epoch}:{self.offset}"
