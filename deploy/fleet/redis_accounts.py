"""Redis' accounts (deploy/redis.acl), with the passwords of one fleet or with none."""

from __future__ import annotations

import hashlib

from fleet.options import REPOSITORY

FILE = REPOSITORY / "deploy" / "redis.acl"
APPLICATION = "app"
NO_PASSWORD = "nopass"  # noqa: S105 - Redis' word for it
"""Behind a unix socket in a folder that only its owner enters a password would lie beside what it locks."""


def render(application: str = "", operator: str = "") -> str:
    """Return a file of accounts as Redis reads it; passwords stand in it hashed, and an empty one is none."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line and not line.startswith("#")) + "\n"
    return text.replace("@{app}", _word(application)).replace("@{operator}", _word(operator))


def _word(password: str) -> str:
    return f"#{hashlib.sha256(password.encode()).hexdigest()}" if password else NO_PASSWORD
