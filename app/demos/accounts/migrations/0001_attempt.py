"""The table of attempts to log in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Two rows an attempt: whose account, and from where."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=64)),
                ("at", models.DateTimeField(db_index=True)),
            ],
            options={"indexes": [models.Index(fields=["key", "at"], name="accounts_attempt_key_at")]},
        ),
    )
