"""The Lua scripts: their text, their call and its answer."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError

if TYPE_CHECKING:
    from fanout.layers.pipeline import Pipeline

_folder = files("fanout.layers") / "lua"


class Script:
    """A script that is sent by its hash, and by its text when the server does not know it (any more)."""

    def __init__(self, *parts: str) -> None:
        self._text = "".join((_folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)
        self._hash = hashlib.sha1(self._text.encode()).hexdigest()  # noqa: S324 - Redis names scripts so

    async def run(self, pipeline: Pipeline, keys: list[bytes], arguments: list[Any]) -> Any:
        """Return the script's answer. Raise Unavailable."""
        try:
            return await pipeline.execute("EVALSHA", self._hash, len(keys), *keys, *arguments)
        except NoScriptError:
            return await pipeline.execute("EVAL", self._text, len(keys), *keys, *arguments)


append = Script("stream", "append")
position = Script("stream", "position")
read = Script("stream", "read")
archived = Script("stream", "archived")

send = Script("queue", "send")
take = Script("queue", "take")
leave = Script("queue", "leave")

announce = Script("announce")
forget = Script("forget")
beat = Script("beat")

claim = Script("claim")
hold = Script("hold")

collect = Script("collect")
