"""The archive's two tables: publications, and how far each group has been copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models

from fanout.positions import Position

if TYPE_CHECKING:
    from datetime import datetime

GROUP_CHARACTERS = 99
EPOCH_CHARACTERS = 32


class ArchivedPublication(models.Model):
    """One publication of a durable group. Its place in the group's whole history is `number`, over all epochs."""

    pk = models.CompositePrimaryKey("group", "epoch", "offset")
    group: models.CharField[str, str] = models.CharField(max_length=GROUP_CHARACTERS)
    epoch: models.CharField[str, str] = models.CharField(max_length=EPOCH_CHARACTERS)
    """The one in which it was published."""
    offset: models.BigIntegerField[int, int] = models.BigIntegerField()
    number: models.BigIntegerField[int, int] = models.BigIntegerField()
    """1, 2, 3 … without holes, in the order of publication."""
    data: models.BinaryField[bytes, bytes] = models.BinaryField()
    """As it was published: JSON in UTF-8. Bytes, because no database refuses any of them."""
    published_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    """The publisher's clock."""
    archived_at: models.DateTimeField[datetime, datetime] = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The second way in: a group's newest, and what is before a row."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["group", "number"], name="fanout_archive_number"),
        ]

    def __str__(self) -> str:
        """Group and position."""
        return f"{self.group} {self.epoch}:{self.offset}"

    @property
    def position(self) -> Position:
        """Its place in the stream."""
        return Position(self.epoch, self.offset)


class Progress(models.Model):
    """How far a group's stream has been copied."""

    group: models.CharField[str, str] = models.CharField(max_length=GROUP_CHARACTERS, primary_key=True)
    epoch: models.CharField[str, str] = models.CharField(max_length=EPOCH_CHARACTERS)
    offset: models.BigIntegerField[int, int] = models.BigIntegerField()
    number: models.BigIntegerField[int, int] = models.BigIntegerField()
    """Rows that the group has had."""
    kept_from: models.BigIntegerField[int, int] = models.BigIntegerField(db_default=1)
    """Number of the first that it still has: what is older was deleted (`fanout.archive.retention`)."""

    class Meta:
        """As a person reads it."""

        verbose_name_plural = "progress"

    def __str__(self) -> str:
        """Group and position."""
        return f"{self.group} {self.epoch}:{self.offset}"

    @property
    def position(self) -> Position:
        """Behind the last publication that has a row."""
        return Position(self.epoch, self.offset)
