"""The version that the trial upgrades to: the one at hand with one migration more."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from fleet.kubernetes import loading, manifests
from fleet.kubernetes.images import engine

if TYPE_CHECKING:
    from fleet.kubernetes.kubectl import Context
    from fleet.progress import Progress

FOLDER = "/opt/fanout/app/demos/home/migrations"
"""An app without migrations of its own."""
MIGRATION = "home.0001_trial"
CODE = """\
from django.db import migrations

class Migration(migrations.Migration):
    operations = [migrations.RunSQL("CREATE TABLE trial (id integer)", "DROP TABLE trial")]
"""


def version() -> str:
    """Return its version."""
    return f"{manifests.version()}-trial"


def dockerfile() -> str:
    """Return what makes it of the image at hand."""
    files = {"__init__.py": "", "0001_trial.py": CODE}
    write = f"import os; os.makedirs({FOLDER!r})" + "".join(
        f"; open({f'{FOLDER}/{name}'!r}, 'w').write({text!r})" for name, text in files.items()
    )
    command = f"RUN python -c {shlex.quote(write)}"
    return f"FROM fanout-app:{manifests.version()}\nUSER 0:0\n{command}\nUSER 10001:10001\n"


def prepare(context: Context, loader: str | None, progress: Progress) -> None:
    """Build its images and load them into the cluster. Raise FleetError."""
    source, other = engine(), version()
    command = loading.way(context, loader)
    with progress.step(f"build and load {other}"):
        source.call("build", "--tag", f"fanout-app:{other}", "-", given=dockerfile())
        source.call("image", "tag", f"fanout-edge:{manifests.version()}", f"fanout-edge:{other}")
        for name in (f"fanout-app:{other}", f"fanout-edge:{other}"):
            loading.give(source, name, command)
