"""The variables replicas start with: the caller's FANOUT_…, and what the run folder decides."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

from fleet import redis_accounts
from fleet.errors import FleetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from fleet.state import Run

PREFIX = "FANOUT_"
STATE_DIR = "FANOUT_STATE_DIR"
MARK = "FLEET_RUN_DIR"
"""Every process of a fleet carries it, so that leftovers are known without asking for their name."""
NOT_INHERITED = ("FANOUT_", "MAKE", "MFLAGS", "GNUMAKEFLAGS", "PYTHONPATH", "VIRTUAL_ENV", "FLEET_")
QUOTES = "\"'"


def compose(given: Mapping[str, str], run: Run) -> dict[str, str]:
    """Return every FANOUT_ variable of a replica, from those that the caller gives. Raise UsageError.

    The state folder is the fleet's own variable: a given one is refused unless it names the run folder.
    """
    variables = {name: value for name, value in given.items() if value.strip()}
    asked = variables.setdefault(STATE_DIR, str(run.root))
    if asked != str(run.root):
        raise UsageError(
            f"{STATE_DIR}={asked} has no effect here, a fleet keeps its state in its run folder: "
            f"take it out of the shell or .env and give RUN_DIR={shlex.quote(asked)} to make."
        )
    variables.setdefault("FANOUT_REDIS_URLS", own_redis_url(run))
    if "FANOUT_SECRET_KEY" not in variables:
        variables.setdefault("FANOUT_SECRET_KEY_FILE", str(run.secret_key))
    return dict(sorted(variables.items()))


def own_redis_url(run: Run) -> str:
    """Return the URL of the Redis that the fleet runs itself, with the rights of the application."""
    return f"unix://{redis_accounts.APPLICATION}@{quote(str(run.redis / 'redis.sock'))}"


def operators_redis_url(run: Run) -> str:
    """Return the same with the rights of operators."""
    return f"unix://{quote(str(run.redis / 'redis.sock'))}"


def given(environ: Mapping[str, str], env_file: Path) -> dict[str, str]:
    """Return the FANOUT_ variables of the file and, over them, of the shell."""
    own = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    return {**read_file(env_file), **own}


def read_file(path: Path, also: Container[str] = ()) -> dict[str, str]:
    """Return the FANOUT_ variables, and those in `also`, of an `.env` file; a missing file has none.

    Raise FleetError on a bad line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise FleetError(f"{path} cannot be read: {error}.") from None
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise FleetError(f"{path}, line {number} is not NAME=value: {line.strip()!r}.")
        if name.startswith(PREFIX) or name.strip() in also:
            found[name.strip()] = _unquote(value.strip())
    return found


def _unquote(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in QUOTES:
        return value[1:-1]
    return value


def render(variables: Mapping[str, str]) -> str:
    """Return the variables as a file that a shell reads."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def parse(text: str) -> dict[str, str]:
    """Return the variables of a rendered file."""
    words = [word for word in shlex.split(text) if word != "export"]
    return dict(word.split("=", 1) for word in words)


def kept(run: Run) -> dict[str, str]:
    """Return the variables that the running replicas were started with."""
    try:
        return parse(run.environment.read_text(encoding="utf-8"))
    except OSError:
        return {}


def inherited(environ: Mapping[str, str], run: Run) -> dict[str, str]:
    """Return the caller's environment without what is not a fleet's business, with the fleet's mark."""
    rest = {name: value for name, value in environ.items() if not name.startswith(NOT_INHERITED)}
    return {**rest, MARK: str(run.root)}


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the names whose values differ."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
