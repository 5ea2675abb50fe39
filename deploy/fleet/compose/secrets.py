"""The secrets of a fleet in containers: made once, each a file, in a folder that only its owner may enter.

Compose mounts each file by itself, so a container reads those it is given, whatever its account: the files can be
read by everybody, and nobody but the owner gets as far as to them.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from fleet import redis_accounts
from fleet.errors import FleetError

if TYPE_CHECKING:
    from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o444
SECRET_KEY, REDIS_PASSWORD, OPERATOR_PASSWORD, REDIS_ACL, DATABASE_PASSWORD = (
    "secret_key", "redis_password", "redis_operator_password", "redis_acl", "database_password",
)  # fmt: skip
SIZES = {SECRET_KEY: 50, REDIS_PASSWORD: 32, OPERATOR_PASSWORD: 32, DATABASE_PASSWORD: 32}
"""Random bytes of each; Redis' accounts follow from its two passwords: the application's, and that of operators."""
NAMES = (*SIZES, REDIS_ACL)


def ensure(folder: Path) -> list[str]:
    """Make what is missing and return its names; what is there stays, since data and sessions depend on it."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    made = [name for name, size in SIZES.items() if _write_once(folder / name, secrets.token_urlsafe(size))]
    _write_acl(folder)
    return made


def read(folder: Path, name: str) -> str:
    """Return a secret. Raise FleetError when it is not there."""
    try:
        return (folder / name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise FleetError(f"The secret {folder / name} cannot be read ({error.strerror}).") from None


def _write_once(path: Path, text: str) -> bool:
    if path.is_dir():  # an engine makes one for a file that it was to mount and that was missing
        path.rmdir()
    if path.exists():
        if not path.read_text(encoding="utf-8").strip():
            raise FleetError(f"The secret {path} is empty: write it, or delete the file and a new one is made.")
        path.chmod(FILE_MODE)
        return False
    _write(path, text + "\n")
    return True


def _write_acl(folder: Path) -> None:
    """Follow the passwords, also when somebody has changed one by hand; Redis has them hashed."""
    text = redis_accounts.render(read(folder, REDIS_PASSWORD), read(folder, OPERATOR_PASSWORD))
    path = folder / REDIS_ACL
    if path.is_dir():
        path.rmdir()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        _write(path, text)


def _write(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w", encoding="utf-8") as file:
        file.write(text)
    new.chmod(FILE_MODE)  # whatever the umask
    new.replace(path)
