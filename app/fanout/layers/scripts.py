"""The Lua scripts: their text, their call and its answer."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from fanout.layers.publisher import Publisher

_folder = files("fanout.layers") / "lua"
_prelude = (_folder / "prelude.lua").read_text(encoding="utf-8")


class Script:
    """A script that is sent by its hash, and by its text when the server does not know it (any more)."""

    def __init__(self, name: str, prelude: str = "") -> None:
        self._text = prelude + (_folder / f"{name}.lua").read_text(encoding="utf-8")
        self._hash = hashlib.sha1(self._text.encode()).hexdigest()  # noqa: S324 - Redis names scripts so

    async def run(self, publisher: Publisher, keys: list[bytes], arguments: list[Any]) -> Any:
        """Return the script's answer. Raise Unavailable."""
        try:
            return await publisher.execute("EVALSHA", self._hash, len(keys), *keys, *arguments)
        except NoScriptError:
            return await publisher.execute("EVAL", self._text, len(keys), *keys, *arguments)


append = Script("append", _prelude)
position = Script("position", _prelude)
read = Script("read", _prelude)
announce = Script("announce")
forget = Script("forget")
beat = Script("beat")
