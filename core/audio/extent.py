"""How much sound a file's header promises and how much of it the file holds, told without decoding.

Decoders mostly read a truncated file without a word. The containers here promise a number of bytes, or mark their end,
so that a file that was cut off can be told from a whole one by its header and its size.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from core.audio.chunk import Chunk, file_size, read_at, walk_chunks
from core.audio.mpeg import MpegTotals, find_mpeg_audio, read_totals
from core.audio.signature import Signature

_MOST_BOXES = 10_000
_OGG_HEADER_BYTES = 27
_OGG_LAST = 4
_OGG_TAIL_BYTES = 66_000  # a page is at most 65,307 bytes long
_EBML_SEGMENT = 0x18538067
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")


@dataclass(frozen=True, slots=True)
class Extent:
    """What a header promises.

    Attributes:
        declared: Bytes of sound that are promised, None if the header does not say.
        present: Bytes of sound that the file holds, at most ``declared``.
        break_at: Where the sound breaks off although no number of bytes is promised, as a share of the file; 1 is its
            end, None is nowhere.
        unfinished: The writer never filled in the length: read what is there.
        found: False if a file made of chunks has none with sound.
    """

    declared: int | None = None
    present: int = 0
    break_at: float | None = None
    unfinished: bool = False
    found: bool = True

    @property
    def whole(self) -> bool:
        """Whether all that is promised is there."""
        return self.break_at is None and self.share >= 1

    @property
    def share(self) -> float:
        """The part of the promised sound that is there, 1.0 if nothing is promised."""
        if not self.declared:
            return 1.0
        return self.present / self.declared


def read_extent(file: BinaryIO, signature: Signature) -> Extent:
    """How much of its sound a file holds; a container that promises nothing is whole."""
    if signature.container in ("wav", "rf64", "w64", "aiff", "caf", "svx") and not signature.start:
        return _chunk_extent(file)
    if signature.container == "au":
        return _au_extent(file)
    if signature.container == "ogg":
        return _ogg_extent(file)
    if signature.container == "mp3":
        return _mpeg_extent(file, signature)
    if signature.libav_format == "mov":
        return _mov_extent(file)
    if signature.libav_format == "asf":
        return _asf_extent(file)
    if signature.libav_format == "matroska":
        return _matroska_extent(file)
    if signature.libav_format == "avi":
        return _avi_extent(file)
    return Extent()


def read_mpeg_totals(file: BinaryIO, signature: Signature) -> MpegTotals | None:
    """What an MPEG stream's first frame says of its length."""
    data = read_at(file, signature.start, 8192)
    frame = find_mpeg_audio(data)
    return read_totals(data, frame) if frame else None


def is_plain_ogg(file: BinaryIO) -> bool:
    """Whether an Ogg file is one Vorbis or Opus stream: no chain of several, no video, no other codec."""
    first = read_at(file, 0, 27 + 255 + 8)
    if len(first) < 27:
        return False
    codec = first[27 + first[26] :]
    last = _last_ogg_page(file)
    one_stream = last is None or first[14:18] == last[14:18]
    return one_stream and codec.startswith((b"\x01vorbis", b"OpusHead"))


def _chunk_extent(file: BinaryIO) -> Extent:
    for chunk in walk_chunks(file):
        if chunk.name in (b"data", b"SSND", b"BODY"):
            return _sound_chunk_extent(file, chunk)
    return Extent(found=False)


def _sound_chunk_extent(file: BinaryIO, chunk: Chunk) -> Extent:
    """The extent of the chunk that holds the samples.

    Programs that write to a pipe put the largest size of 31 or 32 bits there, and a recorder that lost power leaves 0:
    both mean "until the end of the file".
    """
    if chunk.declared is None:
        return Extent()
    rest = file_size(file) - chunk.offset
    if chunk.declared == 0:
        return Extent(unfinished=rest > 8 and not _is_chunk_header(read_at(file, chunk.offset, 8), rest))
    if chunk.declared > rest and _is_placeholder(chunk.declared):
        return Extent()
    return Extent(declared=chunk.declared, present=chunk.present)


def _is_placeholder(size: int) -> bool:
    return 0x7FFF_0000 <= size <= 0x8000_1000 or 0xFFFF_0000 <= size <= 0xFFFF_FFFF


def _is_chunk_header(data: bytes, rest: int) -> bool:
    name, size = struct.unpack("<4sI", data)
    return bool(name.isascii() and name.decode("ascii").isprintable() and size <= rest)


def _au_extent(file: BinaryIO) -> Extent:
    head = read_at(file, 0, 12)
    if len(head) < 12:
        return Extent()
    offset, declared = struct.unpack((">" if head[:4] == b".snd" else "<") + "II", head[4:])
    if declared == 0xFFFFFFFF:
        return Extent()
    return Extent(declared=declared, present=max(0, min(declared, file_size(file) - offset)))


def _ogg_extent(file: BinaryIO) -> Extent:
    """An Ogg file is pages end to end, the last one with a flag that says so (RFC 3533 section 6).

    What follows such a page and is none itself, a tag of another kind for example, does not matter.
    """
    size, offset, ended = file_size(file), 0, False
    while offset < size:
        page = read_at(file, offset, _OGG_HEADER_BYTES)
        if page[:5] != b"OggS\x00" or len(page) < _OGG_HEADER_BYTES:
            break
        lacing = file.read(page[26])
        offset += _OGG_HEADER_BYTES + page[26] + sum(lacing)
        ended = bool(page[5] & _OGG_LAST) and len(lacing) == page[26] and offset <= size
    return Extent(break_at=None if ended else min(1.0, offset / size))


def _last_ogg_page(file: BinaryIO) -> bytes | None:
    """Header of the last page."""
    size = file_size(file)
    tail = read_at(file, max(0, size - _OGG_TAIL_BYTES), _OGG_TAIL_BYTES)
    at = tail.rfind(b"OggS\x00", 0, len(tail) - _OGG_HEADER_BYTES + 5)
    return None if at < 0 else tail[at : at + _OGG_HEADER_BYTES]


def _mpeg_extent(file: BinaryIO, signature: Signature) -> Extent:
    totals = read_mpeg_totals(file, signature)
    if totals is None or not totals.size:
        return Extent()
    return Extent(declared=totals.size, present=min(totals.size, max(0, file_size(file) - signature.start)))


def _mov_extent(file: BinaryIO) -> Extent:
    """Top-level boxes (ISO/IEC 14496-12 section 4.2): the media data must lie inside the file."""
    size, offset = file_size(file), 0
    for _ in range(_MOST_BOXES):
        head = read_at(file, offset, 16)
        if len(head) < 8:
            break
        length, name = struct.unpack_from(">I4s", head)
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        if length < 8:
            break
        if name in (b"mdat", b"moov") and offset + length > size:
            return Extent(declared=length, present=size - offset)
        offset += length
    return Extent()


def _asf_extent(file: BinaryIO) -> Extent:
    """Top-level objects (ASF specification 2.1): a GUID and a 64-bit size; the data object must lie inside the file."""
    size, offset = file_size(file), 0
    for _ in range(_MOST_BOXES):
        head = read_at(file, offset, 24)
        if len(head) < 24:
            break
        (length,) = struct.unpack_from("<Q", head, 16)
        if length < 24:
            break
        if head[:16] == _ASF_DATA and offset + length > size:
            return Extent(declared=length, present=size - offset)
        offset += length
    return Extent()


def _matroska_extent(file: BinaryIO) -> Extent:
    """The EBML header, then one segment that holds all else (RFC 8794 sections 5 and 6, RFC 9559)."""
    size, offset = file_size(file), 0
    for _ in range(2):
        head = read_at(file, offset, 12)
        name, name_bytes = _ebml_number(head, keep_marker=True)
        length, length_bytes = _ebml_number(head[name_bytes:], keep_marker=False)
        if not name_bytes or not length_bytes:
            break
        offset += name_bytes + length_bytes
        unknown = length == (1 << 7 * length_bytes) - 1
        if name == _EBML_SEGMENT and not unknown and offset + length > size:
            return Extent(declared=length, present=size - offset)
        offset += length
    return Extent()


def _ebml_number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """A number of variable length and its length in bytes, which the zero bits before its first one tell."""
    if not data or not data[0]:
        return 0, 0
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return 0, 0
    number = int.from_bytes(data[:length], "big")
    return number if keep_marker else number & ((1 << 7 * length) - 1), length


def _avi_extent(file: BinaryIO) -> Extent:
    """The first RIFF chunk must lie inside the file; more of them follow in a long one."""
    declared = int.from_bytes(read_at(file, 4, 4), "little")
    present = file_size(file) - 8
    return Extent() if _is_placeholder(declared) else Extent(declared=declared, present=min(declared, present))
