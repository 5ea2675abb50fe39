"""The table of snapshots."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One row a document."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("state", models.BinaryField(default=b"\0\0")),
                ("waiting", models.BinaryField(default=b"")),
                ("epoch", models.CharField(max_length=32)),
                ("offset", models.BigIntegerField()),
                ("version", models.BigIntegerField()),
                ("saved_at", models.DateTimeField(auto_now=True)),
            ],
        ),
    )
