"""What a document takes: changes to a text, each looked at before it is published; and where the writers are."""

from __future__ import annotations

import asyncio
import binascii
import re
import unicodedata
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from pycrdt import merge_updates

from demos.document.backlog import HISTORY, admit
from demos.document.update import EMPTY, NotText, read
from demos.rooms import is_room_name
from fanout.accounts.users import name_of
from fanout.errors import BadData, TooLarge
from fanout.policy import KIB, Policy

if TYPE_CHECKING:
    from fanout.asgi import Scope

UPDATE_LIMIT = 512 * KIB
"""Bytes of one change: the whole of TEXT_LIMIT characters, three bytes each, put back by one undo."""
TEXT_LIMIT = 150_000
"""Characters (UTF-16 units) up to which a page lets a text grow: 60 printed pages."""
AT_ONCE = 8 * KIB
"""Bytes of a change that are looked at on the event loop, in 5 ms at most; larger ones in a thread."""
NAME_LIMIT = 32
"""Characters of a name."""
PLACE_LIMIT = 128
"""Characters of a place in the text: Base64 of two ids and a name."""
HINT = 'Send {"update": "…"}, the Base64 of an update of Yjs (version 1).'
WHO = 'Say who you are by {"id": "…", "name": "…"}'

_ID = re.compile(r"[A-Za-z0-9]{1,16}")
Place = Annotated[str, msgspec.Meta(max_length=PLACE_LIMIT)]


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a writer is: `id` is of the page's own choice; without places nowhere in the text."""

    id: str
    name: str = ""
    anchor: Place | None = None
    head: Place | None = None
    gone: bool = False


class DocumentPolicy(Policy):
    """Anyone may read and write. A project that knows its users overrides `may_join` and `may_publish`."""

    kind = "document"
    history = HISTORY
    presence = True
    frame_limit = 768 * KIB
    """Characters: Base64 makes four of three bytes."""
    outbox_limit = 2048 * KIB

    async def may_join(self, scope: Scope, group: str) -> bool:  # noqa: ARG002 - anyone
        """Whoever names a document as the page does."""
        return is_room_name(group.partition(".")[2])

    may_publish = may_join

    async def member(self, scope: Scope, group: str, info: Any) -> dict[str, Any] | None:  # noqa: ARG002 - anywhere
        """Return the page's id, and its name: the account's, or the one that a guest gives itself."""
        if info is None:
            return None
        if not isinstance(info, dict) or not isinstance(name := info.get("name"), str):
            raise BadData(f"{WHO}, or leave `info` out.")
        return {"id": _checked_id(info.get("id")), **await _named(scope, name)}

    async def accept(self, scope: Scope, group: str, data: Any) -> dict[str, str]:  # noqa: ARG002 - anyone
        """Return the change, when it is one and the stream has room for it."""
        update = update_of(data)
        if len(update) <= AT_ONCE:
            check(update)
        else:
            await asyncio.to_thread(check, update)
        text = b64encode(update).decode()
        await admit(group.partition(".")[2], len(text))
        return {"update": text}


class CursorsPolicy(Policy):
    """Where the writers of a document are: latest value by writer."""

    kind = "cursors"
    frame_limit = KIB
    flush_interval = 0.05

    async def may_join(self, scope: Scope, group: str) -> bool:  # noqa: ARG002 - anyone
        """Whoever names a document as the page does."""
        return is_room_name(group.partition(".")[2])

    may_publish = may_join

    async def accept(self, scope: Scope, group: str, data: Any) -> dict[str, Any]:  # noqa: ARG002 - anywhere
        """Return the cursor, under the name of the writer's account if there is one. Raise BadData."""
        cursor = self.clean(data)
        return {**cursor, **await _named(scope, cursor["name"])}

    def clean(self, data: Any) -> dict[str, Any]:
        """Return the cursor. Raise BadData."""
        try:
            cursor = msgspec.convert(data, Cursor)
        except msgspec.ValidationError as error:
            raise BadData(f'This is no cursor: {error}. {WHO}, with "anchor" and "head" where you are.') from None
        _checked_id(cursor.id)
        named = msgspec.structs.replace(cursor, name=clean_name(cursor.name))
        return dict(msgspec.to_builtins(named))

    def value_key(self, data: Any) -> str | None:
        """Of each writer the newest place counts."""
        return data.get("id") if isinstance(data, dict) else None


def update_of(data: Any) -> bytes:
    """Return the bytes that a client's data stands for. Raise BadData, TooLarge."""
    if not isinstance(data, dict) or not isinstance(text := data.get("update"), str):
        raise BadData(HINT)
    if len(text) > UPDATE_LIMIT * 4 // 3 + 4:
        raise TooLarge(f"A change may have {UPDATE_LIMIT // KIB} KiB: send it in parts.")
    try:
        update = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadData(f"This is no Base64. {HINT}") from None
    if len(update) > UPDATE_LIMIT:
        raise TooLarge(f"A change may have {UPDATE_LIMIT // KIB} KiB: send it in parts.")
    return update


async def _named(scope: Scope, given: str) -> dict[str, Any]:
    """Return the name of the account behind the client, marked as such, or the given one of a guest."""
    account = await name_of(scope)
    return {"name": clean_name(given)} if account is None else {"name": clean_name(account), "account": True}


def clean_name(name: str) -> str:
    """Return a name as one short line; without one it is somebody."""
    visible = "".join(each for each in name if not unicodedata.category(each).startswith("C") or each == "\u200d")
    return " ".join(visible.split())[:NAME_LIMIT] or "Somebody"


def _checked_id(given: Any) -> str:
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise BadData(f"{WHO}; the id has 1 to 16 letters and digits.")
    return given


def check(update: bytes) -> None:
    """Raise BadData unless it is a change that Yjs can take."""
    try:
        change = read(update)
        merge_updates(EMPTY, update)
    except NotText as error:
        raise BadData(f"This is no change to a text: {error}. {HINT}") from None
    except ValueError as error:
        raise BadData(f"This is no update of Yjs: {error}. {HINT}") from None
    if not change.structs and not change.deleted:
        raise BadData(f"This change changes nothing. {HINT}")
