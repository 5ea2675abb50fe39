"""The archive's two tables."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """As `makemigrations` made it, in this project's style."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        migrations.CreateModel(
            name="Progress",
            fields=[
                ("group", models.CharField(max_length=99, primary_key=True, serialize=False)),
                ("epoch", models.CharField(max_length=32)),
                ("offset", models.BigIntegerField()),
                ("number", models.BigIntegerField()),
            ],
            options={"verbose_name_plural": "progress"},
        ),
        migrations.CreateModel(
            name="ArchivedPublication",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "group", "epoch", "offset", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("group", models.CharField(max_length=99)),
                ("epoch", models.CharField(max_length=32)),
                ("offset", models.BigIntegerField()),
                ("number", models.BigIntegerField()),
                ("data", models.BinaryField()),
                ("published_at", models.DateTimeField()),
                ("archived_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("group", "number"), name="fanout_archive_number")],
            },
        ),
    ]
