"""Groups in which operators prove on a fleet in service that latest values arrive: loadtest/ws.py does."""

from __future__ import annotations

from typing import Any

from fanout.errors import BadData, TooLarge
from fanout.policy import KIB, Policy

MESSAGE_LIMIT = 4 * KIB
"""Bytes of UTF-8 in one value."""
NAME_LIMIT = 64
"""Characters of what a value is called."""


class ProofPolicy(Policy):
    """Ephemeral and open to anyone, as a chat room is: who can load the one can load the other."""

    kind = "proof"

    def clean(self, data: Any) -> dict[str, str]:
        """Return `message`, a value, and `name`, what it is the latest of; all else is dropped."""
        message, name = (data.get("message"), data.get("name")) if isinstance(data, dict) else (None, None)
        if not isinstance(message, str) or not isinstance(name, str) or not 1 <= len(name) <= NAME_LIMIT:
            raise BadData(
                'Send a value and what it is the latest of: {"name": "cpu", "message": "17"}; '
                f"a name has 1 to {NAME_LIMIT} characters."
            )
        if len(message.encode("utf-8", "surrogatepass")) > MESSAGE_LIMIT:
            raise TooLarge(f"A value may hold {MESSAGE_LIMIT // KIB} KiB of UTF-8; send a shorter one.")
        return {"message": message, "name": name}

    def value_key(self, data: Any) -> str | None:
        """Return what the value is the latest of."""
        return str(data["name"])
