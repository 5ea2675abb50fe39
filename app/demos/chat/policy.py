"""What a chat room takes: a line of text, and who says it: an account, or a guest by any name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demos.rooms import is_room_name
from fanout.accounts.users import name_of
from fanout.errors import BadData, Forbidden, TooLarge
from fanout.history import History
from fanout.policy import KIB, Policy

if TYPE_CHECKING:
    from fanout.asgi import Scope

LOBBY = "lobby"
"""The room of `/ws/chat/`, and of a form without a name."""
MESSAGE_LIMIT = 64 * KIB
"""Bytes of UTF-8 in one message."""
NAME_LIMIT = 64
"""Characters of a name."""


class ChatPolicy(Policy):
    """Anyone may listen and talk."""

    kind = "chat"
    history = History(size=1000, age=24 * 3600, archived=True)
    presence = True

    async def may_join(self, scope: Scope, group: str) -> bool:  # noqa: ARG002 - anyone
        """Whoever names a room as the page does."""
        return is_room_name(group.partition(".")[2])

    may_publish = may_join

    async def member(self, scope: Scope, group: str, info: Any) -> dict[str, Any] | None:  # noqa: ARG002 - in any room
        """Return the name of the client's account, or the one that a guest gives itself."""
        account = await name_of(scope)
        if account is not None:
            return {"name": account[:NAME_LIMIT], "account": True}
        if info is None:
            return None
        if not isinstance(info, dict) or not isinstance(name := info.get("name"), str) or len(name) > NAME_LIMIT:
            raise BadData(f'Say who you are by {{"name": "…"}}, at most {NAME_LIMIT} characters, or leave `info` out.')
        return {"name": name}

    async def accept(self, scope: Scope, group: str, data: Any) -> dict[str, Any]:  # noqa: ARG002 - in any room
        """Return what `clean` does, under the name of the client's account if it has one.

        A page that was loaded with an account says so by `as`: it is refused when that has no session (any more).
        """
        said = self.clean(data)
        account, claimed = await name_of(scope), data.get("as")
        if claimed is not None and claimed != account:
            raise Forbidden("Your session has ended: log in again, or reload the page to go on as a guest.")
        return said if account is None else {**said, "name": account[:NAME_LIMIT], "account": True}

    def clean(self, data: Any) -> dict[str, str]:
        """Return `message` and, if given, `name`; all else is dropped."""
        if not isinstance(data, dict) or "message" not in data:
            raise BadData('Send an object with a message: {"message": "hi"}.')
        message, name = data["message"], data.get("name")
        if not isinstance(message, str):
            raise BadData(f"The message must be a string, not {type(message).__name__}.")
        if len(message.encode("utf-8", "surrogatepass")) > MESSAGE_LIMIT:
            raise TooLarge(f"A message may hold {MESSAGE_LIMIT // KIB} KiB of UTF-8; send a shorter one.")
        if name is None:
            return {"message": message}
        if not isinstance(name, str) or len(name) > NAME_LIMIT:
            raise BadData(f"The name must be a string of at most {NAME_LIMIT} characters.")
        return {"message": message, "name": name}
