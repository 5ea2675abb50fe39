"""RFC 6455 frames as a server sends them: unmasked, unfragmented."""

from __future__ import annotations

import struct

FIN_TEXT = 0x81
SHORT, MEDIUM = 126, 1 << 16


def text_frame(payload: bytes) -> bytes:
    """Return the frame of a text message (UTF-8)."""
    size = len(payload)
    if size < SHORT:
        return bytes((FIN_TEXT, size)) + payload
    if size < MEDIUM:
        return struct.pack("!BBH", FIN_TEXT, 126, size) + payload
    return struct.pack("!BBQ", FIN_TEXT, 127, size) + payload
