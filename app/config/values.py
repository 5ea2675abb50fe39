"""What is set, read by kinds: a choice, a list, a folder, a password's file; or the sentence about what can't be."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

URL_HOST = re.compile(r"[A-Za-z0-9_.:%-]+")  # service names may have underscores, IPv6 addresses colons


class ConfigurationError(Exception):
    """A variable is unknown, malformed or missing; the text names it and says what to do."""


class Values:
    """The variables that are set. An empty one is not: what `FANOUT_X= make up` is meant to say."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._values = {name: value.strip() for name, value in environ.items() if value.strip()}
        self.production = self.choice("FANOUT_ENV", ("development", "production")) == "production"

    def get(self, name: str) -> str | None:
        """Return a value as it stands there."""
        return self._values.get(name)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return the value, one of the choices; the first is the default."""
        value = self._values.get(name, choices[0])
        if value not in choices:
            close = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise malformed(name, value, f"one of {', '.join(choices)}{hint}")
        return value

    def items(self, name: str) -> list[str]:
        """Return what stands between commas."""
        return [item.strip() for item in self._values.get(name, "").split(",") if item.strip()]

    def folder(self, name: str, default: Path) -> Path:
        """Return an absolute path."""
        path = Path(self._values.get(name, default))
        if not path.is_absolute():
            raise malformed(name, str(path), "an absolute path")
        return path

    def days(self, name: str) -> float | None:
        """Return a number above 0; None: unset."""
        value = self._values.get(name)
        if value is None:
            return None
        if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,4})?", value) or not float(value):
            raise malformed(name, value, "a number of days, such as 90 or 0.5; unset keeps everything")
        return float(value)

    def content(self, name: str) -> str | None:
        """Return what the file that is named holds, without the white space around it; None when none is."""
        file = self._values.get(name)
        if file is None:
            return None
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{name}={file!r} cannot be read: {error}.") from None

    def password(self, name: str) -> str:
        """Return the password in the file that is named; an empty one when none is."""
        password = self.content(name)
        if password == "":
            raise ConfigurationError(f"{name}={self._values[name]!r} is empty: write the password into it.")
        return password or ""


def malformed(name: str, value: str, wanted: str) -> ConfigurationError:
    """Return the error that says what a value must be."""
    return ConfigurationError(f"{name}={value!r} is malformed: it must be {wanted}.")


def url_parts(value: str, *, may_log_in: bool = False) -> SplitResult | None:
    """Return the parts of a URL; None when its host or port can't be one, or it names a user and must not."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port  # reading the port checks it
    except ValueError:
        return None
    well_formed = host is None or URL_HOST.fullmatch(host)
    return parts if well_formed and (may_log_in or "@" not in parts.netloc) else None
