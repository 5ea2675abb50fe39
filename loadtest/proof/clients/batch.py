"""What the server sends to many receivers alike: decoded once a process, however many get it.

A publication's frame is the same bytes for all receivers of its group, and mostly one read brings one or
several whole frames: so what a read brought is looked up before it is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from frames import TEXT, frame_at
from proof.clients import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from proof.clients.message import Said

KNOWN_LIMIT = 4096
"""Chunks that are remembered: some seconds of many groups; then all are forgotten at once."""
PUBLICATION = b'{"type":"publication"'


class _Line(msgspec.Struct, gc=False):
    message: str


class _Frame(msgspec.Struct, tag="publication", gc=False):
    group: str
    data: _Line
    epoch: str | None = None
    offset: int | None = None


_decode = msgspec.json.Decoder(_Frame).decode
_decode_plain = msgspec.json.Decoder(_Line).decode


class Batch:
    """One or several publications of a group, in the order in which they came. Compared by identity."""

    __slots__ = ("epoch", "first", "group", "last", "offsets", "said")

    def __init__(self, said: tuple[Said | None, ...], offsets: tuple[int, ...], epoch: str, group: str) -> None:
        self.group = group
        """Empty for plain clients: nobody tells them."""
        self.said = said
        """None for a publication that is none of the proof's."""
        self.offsets = offsets
        """0 for each in an ephemeral group, and for plain clients."""
        self.epoch = epoch
        """Of the last one."""
        is_run = offsets[0] > 0 and offsets[-1] - offsets[0] == len(offsets) - 1
        self.first = offsets[0] if is_run and list(offsets) == sorted(offsets) else -1
        """Offset of the first one; -1 when they are not one behind the other."""
        self.last = offsets[-1]


class Batches:
    """Of one process. `seen` is told each publication with an offset, once or a few times; None for a stranger's."""

    def __init__(self, seen: Callable[[str, int, Said | None], None]) -> None:
        self._seen = seen
        # Apart: a client that gets the other kind's frames must not be served from what others know.
        self._known: tuple[dict[bytes, Batch], dict[bytes, Batch]] = ({}, {})

    def known(self, *, plain: bool) -> Callable[[bytes], Batch | None]:
        """Return what finds the batch of a chunk that was decoded before."""
        return self._known[plain].get

    def decode(self, chunk: bytes, *, plain: bool) -> Batch | None:
        """Return what a chunk holds; None unless it is whole publication frames of one group and nothing else."""
        texts, start = [], 0
        while start < len(chunk):
            frame = frame_at(chunk, start)
            if frame is None or frame[0] != TEXT:
                return None
            texts.append(chunk[frame[1] : frame[2]])
            start = frame[2]
        try:
            batch = self._plain(texts) if plain else self._numbered(texts)
        except msgspec.DecodeError:
            return None
        if batch is not None:
            known = self._known[plain]
            if len(known) >= KNOWN_LIMIT:
                known.clear()
            known[chunk] = batch
        return batch

    def _numbered(self, texts: list[bytes]) -> Batch | None:
        if not all(text.startswith(PUBLICATION) for text in texts):
            return None
        frames = [_decode(text) for text in texts]
        group = frames[0].group
        if any(frame.group != group for frame in frames):
            return None
        said = tuple(message.read(frame.data.message) for frame in frames)
        for frame, what in zip(frames, said, strict=True):
            if frame.offset:
                self._seen(group, frame.offset, what)
        return Batch(said, tuple(frame.offset or 0 for frame in frames), frames[-1].epoch or "", group)

    def _plain(self, texts: list[bytes]) -> Batch:
        said = tuple(message.read(_decode_plain(text).message) for text in texts)
        return Batch(said, (0,) * len(texts), "", "")
