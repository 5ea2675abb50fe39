"""A PostgreSQL of a drill's own, beside its fleet."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from drills.errors import DrillError
from fleet import waiting
from fleet.packages import require

if TYPE_CHECKING:
    from drills.stand import Stand

NOBODY = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups")
"""PostgreSQL refuses to run as root."""
NAME = "fleet"
"""Of the account, which needs no password on this machine, and of the database."""
START_SECONDS = 30.0


def start(stand: Stand) -> str:
    """Start a server with an empty database; return its URL. Raise DrillError."""
    folder, port = stand.folder / "postgres", str(stand.spare_ports[0])
    folder.mkdir()
    rights: tuple[str, ...] = ()
    if os.geteuid() == 0:
        stand.folder.chmod(0o711)  # what lies in it is closed by itself
        shutil.chown(folder, "nobody", "nogroup")
        rights = NOBODY
    made = ("-U", NAME, "-A", "trust", "-E", "UTF8", "--no-sync", "-D", str(folder / "data"))
    subprocess.run([*rights, require("initdb"), *made], cwd=folder, capture_output=True, check=True)
    listen = ("-h", "127.0.0.1", "-p", port, "-k", str(folder), "-F")
    stand.beside([*rights, require("postgres"), "-D", str(folder / "data"), *listen], name="postgres")
    if not waiting.until(lambda: _creates(port), START_SECONDS):
        raise DrillError("PostgreSQL does not start.")
    return f"postgresql://{NAME}@127.0.0.1:{port}/{NAME}"


def _creates(port: str) -> bool:
    """Return whether the database could be made: once the server answers."""
    command = [require("createdb"), "-h", "127.0.0.1", "-p", port, "-U", NAME, NAME]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
