"""Walking the chunks of RIFF, RF64, BW64, W64, AIFF and CAF files, however damaged their sizes are."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.audio.signature import W64_RIFF, W64_WAVE

_MOST_CHUNKS = 10_000
_FARTHEST_OFFSET = 1 << 62
_UNKNOWN_32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of a file.

    Attributes:
        name: Its four-byte identifier.
        offset: Where its content begins.
        declared: Bytes of content that its header promises, None if it says "until the end" or "unknown".
        present: Bytes of content that the file holds.
    """

    name: bytes
    offset: int
    declared: int | None
    present: int


def file_size(file: BinaryIO) -> int:
    """Size of an open file in bytes."""
    return file.seek(0, os.SEEK_END)


def walk_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a file in order; nothing for a file that is not made of chunks.

    Sizes that lead beyond the end of the file end the walk after the chunk that has them.
    """
    size = file_size(file)
    head = read_at(file, 0, 40)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        yield from _walk_riff(file, size, head[:4])
    elif head[:4] == b"FORM":
        yield from _walk(file, size, 12, ">4sI")
    elif head[:4] == b"caff":
        yield from _walk(file, size, 8, ">4sq", even=False)
    elif head[:16] == W64_RIFF and head[24:40] == W64_WAVE:
        yield from _walk_w64(file, size)


def read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    """Up to ``size`` bytes from ``offset``, none from an offset that no file system has."""
    if offset >= _FARTHEST_OFFSET:
        return b""
    file.seek(offset)
    return file.read(size)


def _walk(file: BinaryIO, size: int, offset: int, header: str, *, even: bool = True) -> Iterator[Chunk]:
    length = struct.calcsize(header)
    for _ in range(_MOST_CHUNKS):
        data = read_at(file, offset, length)
        if len(data) < length:
            return
        name, declared = struct.unpack(header, data)
        offset += length
        known = None if declared < 0 else declared
        present = max(0, min(size - offset, size if known is None else known))
        yield Chunk(name, offset, known, present)
        if known is None:
            return
        offset += known + (known & 1 if even else 0)


def _walk_riff(file: BinaryIO, size: int, form: bytes) -> Iterator[Chunk]:
    """RIFF chunks; where a 32-bit size says "see ds64" (EBU Tech 3306), the size from there."""
    order = ">" if form == b"RIFX" else "<"
    long_sizes: dict[bytes, int] = {}
    offset = 12
    for _ in range(_MOST_CHUNKS):
        data = read_at(file, offset, 8)
        if len(data) < 8:
            return
        name, declared = struct.unpack(order + "4sI", data)
        offset += 8
        if name == b"ds64" and form in (b"RF64", b"BW64"):
            sizes = read_at(file, offset, 16)
            if len(sizes) == 16:
                long_sizes[b"data"] = struct.unpack("<QQ", sizes)[1]
        known = long_sizes.get(name) if declared == _UNKNOWN_32 else declared
        present = max(0, min(size - offset, size if known is None else known))
        yield Chunk(name, offset, known, present)
        if known is None:
            return
        offset += known + (known & 1)


def _walk_w64(file: BinaryIO, size: int) -> Iterator[Chunk]:
    """W64 chunks: a GUID, whose first four bytes are the RIFF name, and a 64-bit size that counts the header too."""
    offset = 40
    for _ in range(_MOST_CHUNKS):
        data = read_at(file, offset, 24)
        if len(data) < 24:
            return
        name, total = data[:4], struct.unpack_from("<Q", data, 16)[0]
        offset += 24
        declared = total - 24
        if declared < 0:
            return
        yield Chunk(name, offset, declared, max(0, min(size - offset, declared)))
        offset += (declared + 7) & ~7
