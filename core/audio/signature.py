"""What kind of file it is, told by its first bytes and never by its name.

Only files whose signature is known to hold sound are handed to a decoder. That gives a useful reason for all others,
and keeps playlists and scripts, which a general decoder would follow to other files or to the network, away from it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

from core.audio.mpeg import find_mpeg_audio

HEAD_BYTES = 4096
_SEARCHED_BYTES = 65_536

W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
W64_WAVE = bytes.fromhex("77617665f3acd3118cd100c04f8edb8a")
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")


class Engine(Enum):
    """The library that decodes a container."""

    SOUNDFILE = "soundfile"
    LIBAV = "libav"


@dataclass(frozen=True, slots=True)
class Signature:
    """A kind of file that may hold sound.

    Attributes:
        container: Short name, as in AudioInfo.container.
        engine: The library to try first.
        libav_format: The demuxer's name for libav, or None where libav does not read it.
        start: Where the container begins, after an ID3v2 tag.
    """

    container: str
    engine: Engine
    libav_format: str | None
    start: int = 0


@dataclass(frozen=True, slots=True)
class NotSound:
    """A kind of file that holds no sound we can read; ``description`` completes "This is ..."."""

    description: str


_SOUNDFILE: tuple[tuple[bytes, str, str | None], ...] = (
    (b"fLaC", "flac", "flac"),
    (b"OggS", "ogg", "ogg"),
    (b"caff\x00\x01", "caf", "caf"),
    (W64_RIFF, "w64", "w64"),
    (b".snd", "au", "au"),
    (b"dns.", "au", None),
    (b"Creative Voice File\x1a", "voc", "voc"),
    (b"NIST_1A\n", "nist", "nistsphere"),
)

_LIBAV: tuple[tuple[bytes, str, str], ...] = (
    (ASF_HEADER, "wma", "asf"),
    (b"\x1a\x45\xdf\xa3", "mkv", "matroska"),
    (b"FLV\x01", "flv", "flv"),
    (b"wvpk", "wv", "wv"),
    (b"MAC ", "ape", "ape"),
    (b"TTA1", "tta", "tta"),
    (b"MPCK", "mpc", "mpc8"),
    (b"MP+", "mpc", "mpc"),
    (b"tBaK", "tak", "tak"),
    (b"#!AMR", "amr", "amr"),
    (b"\x0b\x77", "ac3", "ac3"),
    (b"\x7f\xfe\x80\x01", "dts", "dts"),
    (b"DSD ", "dsf", "dsf"),
    (b"\x00\x00\x01\xba", "mpeg", "mpeg"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "mxf", "mxf"),
)

_NOT_SOUND: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"8BPS", "a Photoshop image"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"{\\rtf", "a text document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"MThd", "a MIDI file: notes and no sound"),
    (b"\x00\x05\x16\x07", "a macOS side file that describes another file"),
    (b"\x00\x05\x16\x00", "a macOS side file that describes another file"),
    (b"SQLite format 3\x00", "a database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"BKHD", "a game's sound bank"),
    (b"FSB", "a game's sound bank"),
    (b"UnityFS", "a game's asset archive"),
    (b"#EXTM3U", "a playlist"),
    (b"[playlist]", "a playlist"),
    (b"ffconcat", "a playlist"),
    (b"<!DOCTYPE html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
)

_RIFF_NOT_SOUND = {
    b"WEBP": "a WebP image",
    b"RMID": "a MIDI file: notes and no sound",
    b"sfbk": "a SoundFont, an instrument and not one sound",
    b"DLS ": "an instrument bank and not one sound",
    b"ACON": "an animated cursor",
}

_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def identify(file: BinaryIO, name: str = "") -> Signature | NotSound:
    """Tell a file's kind by its content.

    Args:
        file: An open file that can seek; it is left anywhere.
        name: The file's name, whose extension decides only how hard to look for MPEG audio in unknown bytes.

    Returns:
        A Signature, or NotSound with what it is instead.
    """
    head = _read_at(file, 0, HEAD_BYTES)
    start = _after_id3(head)
    if start:
        tagged = _read_at(file, start, HEAD_BYTES)
        if tagged.startswith((b"fLaC", b"OggS", b"RIFF", b"FORM")):
            found = _known(tagged)
        else:
            found = _mpeg_or_adts(file, start)
        return _shifted(found or NotSound("an ID3 tag with no sound behind it"), start)
    found = _known(head)
    if found is not None:
        return found
    return _guess(file, head, name)


def _known(head: bytes) -> Signature | NotSound | None:
    """The kind that a fixed signature tells."""
    for magic, container, libav_format in _SOUNDFILE:
        if head.startswith(magic):
            return Signature(container, Engine.SOUNDFILE, libav_format)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _riff(head)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Signature("aiff", Engine.SOUNDFILE, "aiff")
    if head[:4] == b"FORM" and head[8:12] in (b"8SVX", b"16SV"):
        return Signature("svx", Engine.SOUNDFILE, "iff")
    if head[:4] == b"FRM8" and head[12:16] == b"DSD ":
        return Signature("dff", Engine.LIBAV, "iff")
    for magic, container, libav_format in _LIBAV:
        if head.startswith(magic):
            return Signature(container, Engine.LIBAV, libav_format)
    if head[4:8] in _MOV_BOXES:
        return Signature(_mov_container(head), Engine.LIBAV, "mov")
    for magic, description in _NOT_SOUND:
        if head.startswith(magic):
            return NotSound(description)
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return NotSound("a BMP image")
    return None


def _riff(head: bytes) -> Signature | NotSound:
    form = head[8:12]
    if form == b"WAVE":
        # libsndfile knows RF64 but not the same thing under its newer name.
        engine = Engine.LIBAV if head[:4] == b"BW64" else Engine.SOUNDFILE
        return Signature("rf64" if head[:4] in (b"RF64", b"BW64") else "wav", engine, "wav")
    if form == b"AVI ":
        return Signature("avi", Engine.LIBAV, "avi")
    return NotSound(_RIFF_NOT_SOUND.get(form, "a RIFF file of a kind that holds no sound"))


def _mov_container(head: bytes) -> str:
    brand = head[8:12] if head[4:8] == b"ftyp" else b"qt  "
    if brand[:3] in (b"M4A", b"M4B", b"M4P"):
        return "m4a"
    if brand[:2] == b"qt":
        return "mov"
    return "3gp" if brand[:2] == b"3g" else "mp4"


def _guess(file: BinaryIO, head: bytes, name: str) -> Signature | NotSound:
    """Kinds without a signature: MPEG streams, text, padding."""
    found = _mpeg_or_adts(file, 0, thorough=is_mpeg_name(name))
    if found is not None:
        return found
    if len(head) >= 188 * 3 and all(head[at] == 0x47 for at in range(0, 188 * 3, 188)):
        return Signature("ts", Engine.LIBAV, "mpegts")
    if not head.strip(b"\x00"):
        return NotSound("a file that begins with nothing but zeros")
    if _is_text(head):
        return NotSound("a text file")
    return NotSound("a file of a kind that Earshot does not know")


def is_mpeg_name(name: str) -> bool:
    """Whether a name promises MPEG audio, which may have any junk before its first frame."""
    return name.lower().endswith((".mp3", ".mp2", ".mp1", ".mpga", ".aac"))


def _mpeg_or_adts(file: BinaryIO, start: int, *, thorough: bool = True) -> Signature | None:
    data = _read_at(file, start, _SEARCHED_BYTES)
    found = find_mpeg_audio(data if thorough else data[:HEAD_BYTES], only_at_start=not thorough)
    if found is None:
        return None
    if found.layer == 0:
        return Signature("aac", Engine.LIBAV, "aac", start)
    return Signature("mp3", Engine.SOUNDFILE, "mp3", start + found.offset)


def _shifted(found: Signature | NotSound, start: int) -> Signature | NotSound:
    if isinstance(found, Signature) and not found.start:
        return Signature(found.container, found.engine, found.libav_format, start)
    return found


def _after_id3(head: bytes) -> int:
    """Where the bytes after an ID3v2 tag begin, 0 without one (ID3v2.4 section 3.1: a size of four 7-bit bytes)."""
    if head[:3] != b"ID3" or len(head) < 10 or any(byte & 0x80 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    footer = 10 if head[5] & 0x10 else 0
    return 10 + size + footer


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return True
    if b"\x00" in head:
        return False
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\r\n\t\f" for character in text)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset, os.SEEK_SET)
    return file.read(size)
