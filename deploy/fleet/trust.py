"""Whether somebody else could change what lies in a run folder: the fleet's shell runs a file of it."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from typing import TYPE_CHECKING

from fleet.errors import UsageError
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

ROOT = 0
OWN_FOLDER = "give a folder in your home, for example RUN_DIR=~/fleet"


def refuse_foreign(root: Path) -> None:
    """Raise UsageError when another account could change or replace the folder; one that is missing is no obstacle."""
    for folder in (*reversed(root.parents), root):
        try:
            found = folder.lstat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise unusable(root, str(error.strerror)) from None
        if not stat.S_ISDIR(found.st_mode):
            raise unusable(root, f"{folder} is no folder")
        objection = of_run_folder(found, folder) if folder == root else of_parent(found, folder, _trusted())
        if objection:
            raise UsageError(f"The run folder {root} is not safe from others: {objection}.")


def of_run_folder(found: os.stat_result, folder: Path) -> str:
    """Return what is wrong with the run folder itself, and the remedy; nothing when it is this account's alone."""
    if found.st_uid != os.geteuid():
        return f"it belongs to {_name(found.st_uid)}: {OWN_FOLDER}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"its mode is {_mode(found)}: `chmod go-w {shlex.quote(str(folder))}`, or {OWN_FOLDER}"
    return ""


def of_parent(found: os.stat_result, folder: Path, trusted: Container[int]) -> str:
    """Return what is wrong with a folder above, in which the next one could be replaced, and the remedy."""
    if found.st_uid not in trusted:
        return f"{folder} above it belongs to {_name(found.st_uid)}: {OWN_FOLDER}"
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        return f"{folder} above it has mode {_mode(found)}: `chmod o-w {shlex.quote(str(folder))}`, or {OWN_FOLDER}"
    return ""


def unusable(root: Path, reason: str) -> UsageError:
    """Return the sentence about a folder that cannot be made or looked at."""
    return UsageError(f"The run folder {root} cannot be used ({reason}): {OWN_FOLDER}.")


def _trusted() -> set[int]:
    """Return who may own the folders above: whoever owns the code that runs here can change it anyway."""
    return {ROOT, os.geteuid(), REPOSITORY.stat().st_uid}


def _name(account: int) -> str:
    try:
        return pwd.getpwuid(account).pw_name
    except KeyError:
        return f"account {account}"


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"
