"""One fleet in containers: its name, what it was told, and the Compose command that brings it about."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet import limits, state
from fleet.compose import engine, override
from fleet.compose.engine import NATIVE, Engine, EngineError
from fleet.environment import PREFIX, read_file
from fleet.errors import UsageError
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fleet.limits import ClientLimits
    from fleet.state import Run, Settings

FILE = REPOSITORY / "compose.yaml"
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::-([^}]*))?\}")
BOTH = (("docker", "compose"), ("docker-compose",))
"""Version 2, a plugin; version 1, as Debian 12 packages it."""
NOT_IN_A_NAME = re.compile(r"[^a-z0-9_-]")
DIGITS = 8  # of a hash, enough for the fleets of one machine
MADE_HERE = {
    f"{PREFIX}SECRET_KEY": "secret_key",
    f"{PREFIX}SECRET_KEY_FILE": "secret_key",
    f"{PREFIX}REDIS_PASSWORD_FILE": "redis_password",
    f"{PREFIX}DATABASE_PASSWORD_FILE": "database_password",
}
FIXED = (f"{PREFIX}REDIS_URLS", f"{PREFIX}DATABASE", f"{PREFIX}STATE_DIR", f"{PREFIX}STATIC_ROOT")


@dataclass(frozen=True)
class Project:
    """The containers of one run folder."""

    run: Run
    engine: Engine = field(default_factory=Engine)
    asked: str = ""
    """The command of Compose, where the caller names one."""

    @property
    def root(self) -> Path:
        """What is remembered between two commands."""
        return self.run.root / "compose"

    @property
    def secrets(self) -> Path:
        """The secrets' folder."""
        return self.run.root / "secrets"

    @property
    def memory(self) -> Path:
        """The settings of the fleet that runs."""
        return self.root / "fleet.json"

    @property
    def variables_file(self) -> Path:
        """The values for compose.yaml, for `docker compose --env-file` by hand."""
        return self.root / "env"

    @property
    def override(self) -> Path:
        """What compose.yaml cannot say by a value: made only when there is something."""
        return self.root / "override.json"

    @property
    def name(self) -> str:
        """Compose's own name for this folder; another run folder's has a hash behind it."""
        base = NOT_IN_A_NAME.sub("", REPOSITORY.name.lower()).lstrip("_-") or "fleet"
        if self.run.root == REPOSITORY / ".run":
            return base
        return f"{base}-{hashlib.sha256(os.fsencode(self.run.root)).hexdigest()[:DIGITS]}"

    @property
    def tag(self) -> str:
        """The tag of the images that are built here."""
        return "local" if self.run.root == REPOSITORY / ".run" else self.name

    def remember(self, settings: Settings, given: Mapping[str, str]) -> None:
        """Keep the settings, and write what Compose reads."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        state.store(self.memory, settings)
        values = self.values(settings, given)
        overriding = override.render(self.root, settings, limits.of(values, limits.PRIVATE))
        if overriding:
            state.write_private(self.override, json.dumps(overriding, indent=2) + "\n")
        else:
            self.override.unlink(missing_ok=True)
        text = "# Written by `make`: docker compose --env-file this …\n"
        text += "".join(f"{name}={quoted(value)}\n" for name, value in values.items())
        state.write_private(self.variables_file, text)

    def recall(self) -> Settings:
        """Return the settings of the last start, the defaults where there was none."""
        return state.load(self.memory)

    @contextlib.contextmanager
    def remembering(self, settings: Settings, given: Mapping[str, str]) -> Iterator[None]:
        """Keep the settings if the block comes through; else what was kept before: it is what runs."""
        notes = (self.memory, self.variables_file, self.override)
        before = [(note, note.read_text(encoding="utf-8") if note.exists() else None) for note in notes]
        try:
            self.remember(settings, given)
            yield
        except BaseException:
            for note, text in before:
                if text is None:
                    note.unlink(missing_ok=True)
                else:
                    state.write_private(note, text)
            raise

    def resize(self, settings: Settings) -> None:
        """Keep another number of replicas, and all else as it was given."""
        self.remember(settings, self.kept())

    def forget(self) -> None:
        """Remember nothing: the next start has the defaults again."""
        for note in (self.memory, self.variables_file, self.override):
            note.unlink(missing_ok=True)

    def volumes(self) -> list[str]:
        """Return the volumes that hold data."""
        label = f"label=com.docker.compose.project={self.name}"
        found = self.engine.call("volume", "ls", "--quiet", "--filter", label).split()
        return sorted(name for name in found if not name.endswith("_sockets"))

    def kept(self) -> dict[str, str]:
        """Return the values that the fleet was last given."""
        try:
            lines = self.variables_file.read_text(encoding="utf-8").splitlines()
        except OSError:
            return {}
        pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        return {name: shlex.split(value)[0] if value else "" for name, value in pairs}

    def values(self, settings: Settings, given: Mapping[str, str]) -> dict[str, str]:
        """Return a value for each variable of compose.yaml that differs from its default."""
        addresses = override.addresses(settings)
        values = {
            "COMPOSE_PROJECT_NAME": self.name,
            "REPLICAS": str(settings.replicas),
            "PORT": str(settings.port),
            "BIND": override.bracketed(addresses[0]),
            "SECRETS": str(self.secrets),
            "APP_IMAGE": f"fanout-app:{self.tag}",
            "EDGE_IMAGE": f"fanout-edge:{self.tag}",
            "LOAD_IMAGE": f"fanout-load:{self.tag}",
        }
        if override.is_public(settings):  # whoever comes from a network beside this one is no part of it
            values[limits.EXEMPT] = limits.NONE
        values |= {name: value for name, value in given.items() if name in names() - _BY_OPTION}
        return {**values, "COMPOSE_FILE": os.pathsep.join(self.files(settings, values))}

    def limits(self) -> ClientLimits | None:
        """Return what nginx refuses by itself."""
        return limits.of(self.kept(), limits.PRIVATE)

    def given(self, env_file: Path) -> dict[str, str]:
        """Return the application's variables and Compose's, from `.env` and, over it, the shell. Raise FleetError."""
        known = names() - _BY_OPTION
        environ = self.engine.environ
        shell = {name: value for name, value in environ.items() if name.startswith(PREFIX) or name in known}
        found = {**read_file(env_file, also=known), **shell}
        return {name: value for name, value in found.items() if value.strip()}

    def files(self, settings: Settings, values: Mapping[str, str]) -> list[str]:
        """Return the Compose files, base first."""
        needed = override.render(self.root, settings, limits.of(values, limits.PRIVATE))
        more = [str(self.override)] if needed else []
        return [str(FILE), *more]

    def compose(self, *arguments: str, seconds: float | None = None) -> str:
        """Run Compose on this fleet, return what it prints. Raise EngineError."""
        return engine.run([*self.command(), *arguments], self.environ(), seconds)

    def command(self) -> list[str]:
        """Return the beginning of a Compose command line."""
        files = self.kept().get("COMPOSE_FILE", str(FILE)).split(os.pathsep)
        named = [word for file in files for word in ("--file", file)]
        return [
            *self.program(), "--project-name", self.name, "--project-directory", str(REPOSITORY),
            *(["--env-file", str(self.variables_file)] if self.variables_file.exists() else []), *named,
        ]  # fmt: skip

    def program(self) -> list[str]:
        """Return the command of Compose. Raise EngineError."""
        return program(self.engine, self.asked, self.recall().compose)

    def environ(self) -> dict[str, str]:
        """Return the environment of Compose: what is in the file, and nothing of the shell's in its place."""
        mine = {*names(), *self.kept()}
        rest = {name: value for name, value in self.engine.environ.items() if name not in mine}
        rest = {name: value for name, value in rest.items() if not name.startswith((PREFIX, "COMPOSE_"))}
        return {**rest, **self.kept()}


_BY_OPTION = frozenset({"REPLICAS", "PORT", "BIND"})
"""Values that make checks; the others go to Compose as they are."""


def names() -> frozenset[str]:
    """Return the variables that compose.yaml reads."""
    return frozenset(defaults())


def defaults() -> dict[str, str]:
    """Return each variable of compose.yaml with the value it has when nobody gives one."""
    return dict(VARIABLE.findall(FILE.read_text(encoding="utf-8")))


def quoted(value: str) -> str:
    """Return a value as both versions of Compose read it back from a file."""
    return "'" + value.replace("'", "'\\''") + "'" if value else ""


def program(engine: Engine, asked: str = "", before: str = "") -> list[str]:
    """Return the command of Compose. Raise EngineError.

    The one that was asked for, else the one that made what runs, else version 2, else version 1.
    """
    made = (tuple(before.split()),) if before else ()
    choices = (tuple(asked.split()),) if asked else (*made, *BOTH)
    for choice in choices:
        if shutil.which(choice[0]) and _works(choice, engine):
            return list(choice)
    raise EngineError(
        f"{asked or 'Compose'} does not work here: install docker-compose-plugin or docker-compose, {NATIVE}."
    )


def _works(choice: tuple[str, ...], engine: Engine) -> bool:
    command = [*choice, "version"]
    return subprocess.run(command, env=engine.environ, capture_output=True, check=False).returncode == 0


def refuse_fixed(given: Mapping[str, str]) -> None:
    """Raise UsageError for a variable that the containers get from elsewhere."""
    for name in sorted(given):
        if name in MADE_HERE:
            raise UsageError(
                f"{name} has no effect in containers: take it out of the shell or .env, and write the secret into the "
                f"file {MADE_HERE[name]} in the folder secrets of the run folder."
            )
        if name in FIXED:
            raise UsageError(
                f"{name} has no effect in containers, compose.yaml says it: take it out of the shell or .env, "
                "and change it there."
            )
