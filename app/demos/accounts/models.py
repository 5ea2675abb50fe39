"""The table of attempts to log in that did not succeed, and of sign-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models

if TYPE_CHECKING:
    from datetime import datetime


class Attempt(models.Model):
    """One attempt, under the digest of an account's name or of an address: what people type by mistake is not kept."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    key: models.CharField[str, str] = models.CharField(max_length=64)
    at: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)

    class Meta:
        """Counted by key since a time."""

        indexes: ClassVar = [models.Index(fields=["key", "at"], name="accounts_attempt_key_at")]

    def __str__(self) -> str:
        return f"{self.key[:8]} at {self.at}"
