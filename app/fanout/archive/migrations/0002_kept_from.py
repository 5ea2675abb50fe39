"""Where a group's archive begins, once what is older than it may be has been deleted."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """With a default of the database: workers of the version before write rows without it."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("fanout_archive", "0001_archive")]
    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        migrations.AddField(
            model_name="progress",
            name="kept_from",
            field=models.BigIntegerField(db_default=1),
        ),
    ]
