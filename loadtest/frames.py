"""WebSocket frames as a load generator needs them: a server's are found without being decoded, a client's are written.

Server frames are unmasked (RFC 6455 section 5.2). Only what a stack of ours sends is understood: whole text frames,
pings, a close frame.
"""

from __future__ import annotations

import struct

TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
"""First bytes of whole frames."""
NO_MASK = b"\0\0\0\0"
"""A mask of zeros leaves the text as it is; the server can't tell."""


def frame_at(buffer: bytes, start: int) -> tuple[int, int, int] | None:
    """Return first byte, begin and end of the payload of the frame at `start`; None if it is not all there."""
    if len(buffer) < start + 2:
        return None
    size, begin = buffer[start + 1], start + 2
    if size >= 126:  # noqa: PLR2004 - RFC 6455 section 5.2
        form, begin = ("!H", start + 4) if size == 126 else ("!Q", start + 10)  # noqa: PLR2004
        if len(buffer) < begin:
            return None
        size = struct.unpack_from(form, buffer, start + 2)[0]
    return (buffer[start], begin, begin + size) if len(buffer) >= begin + size else None


def close_code(payload: bytes) -> int:
    """Return the code in a close frame; 1005 when there is none."""
    return int(struct.unpack_from("!H", payload)[0]) if len(payload) > 1 else 1005


def client_frame(kind: int, payload: bytes) -> bytes:
    """Return a whole frame as a client sends it."""
    size = len(payload)
    if size < 126:  # noqa: PLR2004 - RFC 6455 section 5.2
        return bytes((kind, 0x80 | size)) + NO_MASK + payload
    if size < 1 << 16:
        return struct.pack("!BBH", kind, 0x80 | 126, size) + NO_MASK + payload
    return struct.pack("!BBQ", kind, 0x80 | 127, size) + NO_MASK + payload
