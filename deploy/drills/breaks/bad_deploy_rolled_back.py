"""A version with a bug is deployed: a part of the clients is not let in."""

from __future__ import annotations

import contextlib
import shutil
import sys
from typing import TYPE_CHECKING

from drills.drill import Drill
from drills.errors import DrillError
from drills.stand import TREE
from fleet.options import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drills.stand import Stand

FILES = (*(name for name in TREE if name != ".venv"), "pyproject.toml", "requirements.txt", "requirements-dev.txt")
POLICY = "app/demos/chat/policy.py"
LINE = '        return is_room_name(group.partition(".")[2])\n'
BUG = '        return is_room_name(group.partition(".")[2]) and not (group == "chat.vip" and self.vips)\n'
"""Nobody looks there after a deploy, also not `make restart` with its message through nginx: it takes other rooms."""
GIT = "git -c user.name=drill -c user.email=drill@localhost -c commit.gpgsign=false -c core.hooksPath=/dev/null"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "wheels", "tests")
CLIENT = """
import sys, time, websockets, websockets.sync.client
while True:
    try:
        websockets.sync.client.connect(sys.argv[1], proxy=None, open_timeout=5).close()
    except (OSError, websockets.WebSocketException):
        pass
    time.sleep(0.05)
"""


def missing() -> str:
    """Return that git is not there."""
    return "" if shutil.which("git") else "git is not installed."


def checkout(stand: Stand) -> dict[str, str]:
    """Make the folder a repository of its own, so that a commit can be taken back."""
    for name in FILES:
        (stand.folder / name).unlink(missing_ok=True)
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, stand.folder / name, ignore=LEFT_OUT)
        else:
            shutil.copy(REPOSITORY / name, stand.folder / name)
    stand.must("git init --quiet --initial-branch main")
    commit(stand, "A version that works", *FILES)
    return {}


def commit(stand: Stand, subject: str, *paths: str) -> None:
    """Commit files of the folder."""
    stand.must(f"git add {' '.join(paths)} && {GIT} commit --quiet --message '{subject}'")


@contextlib.contextmanager
def deployed(stand: Stand) -> Iterator[None]:
    """Commit a bug and deploy it, with clients that meet it."""
    file = stand.folder / POLICY
    text = file.read_text(encoding="utf-8")
    if text.count(LINE) != 1:
        raise DrillError(f"{POLICY} has no line any more in which the drill's bug could be: {LINE.strip()}")
    file.write_text(text.replace(LINE, BUG), encoding="utf-8")
    commit(stand, "A version with a bug", POLICY)
    stand.must("make restart")
    with stand.alongside([sys.executable, "-c", CLIENT, f"ws://{stand.address}/ws/chat/vip/"]):
        yield


DRILL = Drill(
    name="bad-deploy-rolled-back",
    alert="FanoutHandshakeErrors",
    text="a version is deployed that refuses a part of the clients",
    breaks=deployed,
    step="A bad version",
    missing=missing,
    prepare=checkout,
)
