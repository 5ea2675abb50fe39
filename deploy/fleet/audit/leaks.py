"""Secrets in files that git knows: keys and tokens by their shape, passwords by what stands before them."""

from __future__ import annotations

import math
import re
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "a key of AWS": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a token of GitHub": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})"),
    "a token of GitLab": re.compile(r"\bglpat-[\w-]{20,}"),
    "a token of Slack": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
    "a key of Google": re.compile(r"\bAIza[\w-]{35}\b"),
    "a key of Stripe": re.compile(r"\b[sr]k_live_\w{20,}"),
    "a token of npm or PyPI": re.compile(r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,})"),
    "a JSON Web Token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "a password in a URL": re.compile(r"\b[a-z][a-z0-9+]*://[^\s:/@{}$'\"]*:(?P<word>[^\s:/@{}$'\"]{8,})@"),
    "a secret in plain words": re.compile(
        r"(?i)\b(?:password|passwd|secret|secret_key|token|api_?key)\b[\"']?\s*[:=]\s*[\"'](?P<word>[^\"'\s]{12,})[\"']"
    ),
}
RANDOM_BITS = 3.4
"""Of entropy a character, from which it is no word; one of English has some 2.5 to 3.3 at that length."""
NOT_READ = re.compile(r"requirements[\w-]*\.txt$|^deploy/scan/audit\.txt$|package-lock\.json$|\.(png|gz|br|woff2|ico)$")
"""Locks, whose hashes are no secrets, and what is no text."""
EXCEPTIONS = {
    "deploy/fleet/audit/leaks.py": "the shapes themselves",
    "app/tests/deploy/test_audit.py": "samples of each shape, which the test builds or names",
}


def files() -> list[str]:
    """Return what git knows, or would with the next `git add`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return sorted({name for name in done.stdout.splitlines() if name and not NOT_READ.search(name)} - set(EXCEPTIONS))


def problems() -> list[str]:
    """Return where something looks like a secret, without repeating it."""
    return [f"{name}:{number}: {what}." for name in files() for number, what in _of_file(name)]


def _of_file(name: str) -> Iterator[tuple[int, str]]:
    path = REPOSITORY / name
    if not path.is_file() or path.is_symlink():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        yield from ((number, what) for what in found_in(line))


def found_in(line: str) -> Iterator[str]:
    """Yield what a line holds."""
    for what, shape in SHAPES.items():
        for match in shape.finditer(line):
            word = match.groupdict().get("word")
            if word is None or _is_random(word):
                yield what


def _is_random(word: str) -> bool:
    """Return whether nobody would think of it: letters, digits, and no letter far more often than others."""
    is_mixed = any(sign.isdigit() for sign in word) and any(sign.isalpha() for sign in word)
    return is_mixed and entropy(word) >= RANDOM_BITS


def entropy(word: str) -> float:
    """Return the bits of a character, if each came as often as in this word."""
    return -sum(count / len(word) * math.log2(count / len(word)) for count in Counter(word).values())
