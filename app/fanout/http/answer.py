"""The answer to one HTTP request: whole, or in parts that leave as they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanout.asgi import Send


class Answer:
    """Sends an answer; `common` headers come with each."""

    def __init__(self, send: Send, common: Mapping[str, str]) -> None:
        self._send = send
        self._common = common
        self.started = False

    async def whole(self, status: int, media_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send all of it."""
        more = {"content-type": media_type} if media_type else {}
        await self._start(status, {**more, "content-length": str(len(body)), **(headers or {})})
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, media_type: str, headers: Mapping[str, str]) -> None:
        """Send the head of an answer that comes in parts."""
        await self._start(200, {"content-type": media_type, **headers})

    async def part(self, body: bytes) -> None:
        """Send a part; returns when the client has read enough of what came before."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes) -> None:
        """Send the last part."""
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.started = True
        all_headers = [(name.encode(), value.encode("latin1")) for name, value in {**self._common, **headers}.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": all_headers})
