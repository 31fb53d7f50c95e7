"""What a file says of itself in words: bext, iXML, INFO, ID3, Vorbis comments and their like.

Reading never fails: what is damaged is left out. It is bounded, too: no chunk above 1 MiB is read, and sizes that a
damaged or hostile file claims are never believed.
"""

from __future__ import annotations

import io
import logging
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
import tinytag
from defusedxml.common import DefusedXmlException

from core.audio.chunk import Chunk, read_at, walk_chunks
from core.audio.signature import Signature, identify
from core.audio.source import open_source
from core.errors import UnusableFileError

_log = logging.getLogger(__name__)

_MAX_CHUNK_BYTES = 1 << 20
_MAX_FIELDS = 500
_MAX_VALUE_CHARACTERS = 8_192
_MAX_XML_DEPTH = 8

# EBU Tech 3285 v2, section 2.3; the UMID and the loudness values are no words.
_BEXT_TEXTS = (
    ("description", 0, 256),
    ("originator", 256, 32),
    ("originator_reference", 288, 32),
    ("origination_date", 320, 10),
    ("origination_time", 330, 8),
)
_BEXT_HISTORY_OFFSET = 602
_AIFF_TEXTS = (b"NAME", b"AUTH", b"ANNO", b"(c) ")

_TAGGED = {"mp3": "id3", "flac": "vorbis", "ogg": "vorbis", "mov": "mp4", "asf": "asf"}

# Where a concept stands, best source first: what the user wrote over what the game industry's fields (ASWG) say over
# bext over INFO, and the tags of compressed files last.
_PRECEDENCE: dict[str, tuple[tuple[str, str], ...]] = {
    "description": (
        ("ixml", "USER/DESCRIPTION"),
        ("ixml", "USER"),
        ("ixml", "ASWG/description"),
        ("ixml", "ASWG/notes"),
        ("bext", "description"),
        ("ixml", "BEXT/BWF_DESCRIPTION"),
        ("ixml", "NOTE"),
        ("info", "ICMT"),
        ("info", "ISBJ"),
        ("vorbis", "description"),
        ("*", "description"),
        ("*", "comment"),
        ("aiff", "ANNO"),
    ),
    "title": (
        ("ixml", "USER/FXNAME"),
        ("ixml", "USER/TRACKTITLE"),
        ("ixml", "ASWG/fxName"),
        ("info", "INAM"),
        ("*", "title"),
        ("aiff", "NAME"),
    ),
    "keywords": (("ixml", "USER/KEYWORDS"), ("ixml", "ASWG/keywords"), ("info", "IKEY"), ("*", "keywords")),
    "category": (("ixml", "USER/CATEGORY"), ("ixml", "ASWG/category"), ("info", "IGNR"), ("*", "genre")),
    "subcategory": (("ixml", "USER/SUBCATEGORY"), ("ixml", "ASWG/subCategory")),
    "cat_id": (("ixml", "USER/CATID"), ("ixml", "ASWG/catId")),
    "artist": (
        ("ixml", "USER/DESIGNER"),
        ("ixml", "ASWG/originator"),
        ("bext", "originator"),
        ("info", "IART"),
        ("*", "artist"),
        ("aiff", "AUTH"),
    ),
    "library": (("ixml", "USER/LIBRARY"), ("ixml", "ASWG/library"), ("info", "IPRD"), ("*", "album")),
}


@dataclass(frozen=True, slots=True)
class MetadataField:
    """One statement of a file about itself.

    Attributes:
        scheme: Where it stands: "bext", "ixml", "info", "adtl" (marker labels), "id3", "vorbis", "mp4", "asf", "aiff"
            or "caf".
        key: Its name there: "description", "USER/DESCRIPTION", "ICMT", "title", ...
        value: Its text, without surrounding blanks, never empty.
    """

    scheme: str
    key: str
    value: str


def read_metadata(path: Path) -> tuple[MetadataField, ...]:
    """Everything a file says of itself, without repetitions, in the order in which it is said.

    Never raises: a file that cannot be read or understood says nothing, and damaged parts are left out.
    """
    try:
        with open_source(path) as file:
            return _unique(_fields(file, path.name))
    except (UnusableFileError, OSError) as error:
        _log.debug("no metadata from %s: %s", os.fsencode(path), error)
        return ()


def best(fields: Iterable[MetadataField], concept: str) -> str | None:
    """The most trustworthy value of a concept, None if the file is silent about it.

    What the user wrote into iXML wins over ASWG fields, these over bext, bext over INFO, INFO over other tags.

    Args:
        fields: Of one file.
        concept: "description", "title", "keywords", "category", "subcategory", "cat_id", "artist" or "library".

    Raises:
        KeyError: There is no such concept.
    """
    values: dict[tuple[str, str], str] = {}
    for field in fields:
        values.setdefault((field.scheme, field.key.lower()), field.value)
        if field.scheme in _TAGGED.values():
            values.setdefault(("*", field.key.lower()), field.value)
    return next(
        (values[scheme, key.lower()] for scheme, key in _PRECEDENCE[concept] if (scheme, key.lower()) in values), None
    )


def _unique(fields: Iterator[MetadataField]) -> tuple[MetadataField, ...]:
    kept: dict[MetadataField, None] = {}
    for field in fields:
        if field.value:
            kept[field] = None
        if len(kept) >= _MAX_FIELDS:
            break
    return tuple(kept)


def _fields(file: BinaryIO, name: str) -> Iterator[MetadataField]:
    for chunk in walk_chunks(file):
        yield from _chunk_fields(file, chunk)
    signature = identify(file, name)
    if isinstance(signature, Signature):
        scheme = _TAGGED.get(signature.container) or _TAGGED.get(signature.libav_format or "")
        if scheme:
            yield from _tag_fields(file, scheme)


def _chunk_fields(file: BinaryIO, chunk: Chunk) -> Iterator[MetadataField]:
    """The words in one chunk; W64 writes the names in lower case."""
    name = chunk.name.lower()
    if name in (b"data", b"ssnd") or chunk.present > _MAX_CHUNK_BYTES:
        return
    if name in (b"bext", b"ixml", b"list", b"id3 ", b"info") or chunk.name in _AIFF_TEXTS:
        data = read_at(file, chunk.offset, chunk.present)
        if name == b"bext":
            yield from _bext_fields(data)
        elif name == b"ixml":
            yield from _ixml_fields(data)
        elif name == b"list":
            yield from _list_fields(data)
        elif name == b"id3 ":
            yield from _tag_fields(io.BytesIO(data), "id3")
        elif name == b"info":
            yield from _caf_info_fields(data)
        else:
            yield _field("aiff", chunk.name.decode("ascii"), data)


def _bext_fields(data: bytes) -> Iterator[MetadataField]:
    for key, offset, length in _BEXT_TEXTS:
        content = data[offset : offset + length]
        yield _field("bext", key, content if b"\x00" in content else _whole_characters(content))
    if len(data) >= 346:
        (samples,) = struct.unpack_from("<Q", data, 338)
        if samples:
            yield MetadataField("bext", "time_reference", str(samples))
    yield _field("bext", "coding_history", data[_BEXT_HISTORY_OFFSET:])


def _list_fields(data: bytes) -> Iterator[MetadataField]:
    """A LIST of type INFO, or of type adtl with the labels of markers."""
    kind = data[:4].lower()
    offset = 4
    while offset + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, offset)
        offset += 8
        content = data[offset : offset + size]
        key = name.decode("ascii", "replace").strip()
        if kind == b"info":
            yield _field("info", key.upper(), content)
        elif kind == b"adtl" and name in (b"labl", b"note"):
            yield _field("adtl", key, content[4:])
        offset += size + (size & 1)


def _caf_info_fields(data: bytes) -> Iterator[MetadataField]:
    parts = data[4:].split(b"\x00")
    for key, value in zip(parts[::2], parts[1::2], strict=False):
        yield _field("caf", _text(key), value)


def _ixml_fields(data: bytes) -> Iterator[MetadataField]:
    """Every element that holds text, named by its path below the root."""
    root = _parse_xml(data)
    if root is None:
        return
    waiting: list[tuple[Element, str, int]] = [(root, "", 0)]
    while waiting:
        element, path, depth = waiting.pop()
        value = _clean(element.text or "")
        if path and value:
            yield MetadataField("ixml", path, value)
        if depth < _MAX_XML_DEPTH:
            for child in reversed(element):
                name = str(child.tag).rpartition("}")[2]
                waiting.append((child, f"{path}/{name}" if path else name, depth + 1))


def _parse_xml(data: bytes) -> Element | None:
    """The document, as declared or else with whatever decodes of it; None if it is no XML."""
    padded = data if data.startswith((b"\xff\xfe", b"\xfe\xff")) else data.rstrip(b"\x00 \r\n\t")
    declared = _text(padded)
    _, end, body = declared.partition("?>") if declared.lstrip("﻿").startswith("<?xml") else ("", "", declared)
    for attempt in (padded, (body if end else declared).lstrip("﻿ \r\n\t")):
        try:
            root: Element = defusedxml.ElementTree.fromstring(attempt)
        except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
            _log.debug("an iXML chunk is no XML: %s", error)
        else:
            return root
    return None


def _tag_fields(file: BinaryIO, scheme: str) -> Iterator[MetadataField]:
    """Whatever tinytag finds."""
    file.seek(0)
    try:
        tag = tinytag.TinyTag.get(file_obj=_Bounded(file), duration=False)  # type: ignore[arg-type]
    except tinytag.TinyTagException as error:
        _log.debug("unreadable tags: %s", error)
        return
    properties = ("filename", "filesize", "mime_type", "duration", "channels", "bitrate", "bitdepth", "samplerate")
    for key, values in tag.as_dict().items():
        if key in properties or key == "is_lossless":
            continue
        for value in values if isinstance(values, list) else [values]:
            yield MetadataField(scheme, key, _clean(str(value)))


class _Bounded:
    """A file that refuses reads so large that only a damaged size can ask for them."""

    _MAX_READ = 16 << 20
    _MAX_TOTAL = 64 << 20

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = self._MAX_TOTAL
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes.

        Raises:
            OSError: More was asked for than any tag needs.
        """
        data = self._file.read(self._MAX_READ + 1 if size < 0 else min(size, self._MAX_READ + 1))
        self._left -= len(data)
        if len(data) > self._MAX_READ or self._left < 0:
            raise OSError("a tag of implausible size")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _field(scheme: str, key: str, data: bytes) -> MetadataField:
    return MetadataField(scheme, key, _clean(_text(data.split(b"\x00", 1)[0])))


def _whole_characters(data: bytes) -> bytes:
    """A full field of fixed length without the first bytes of a UTF-8 character that did not fit."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return data[: error.start]
    return data


def _text(data: bytes) -> str:
    """Bytes without a declared encoding: UTF-8 if they are, otherwise Windows' Western European."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _clean(value: str) -> str:
    kept = "".join(character for character in value if character.isprintable() or character in "\n\t")
    return kept.strip()[:_MAX_VALUE_CHARACTERS]
