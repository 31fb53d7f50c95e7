"""The words that go with a WAV file that Earshot writes: a bext chunk (EBU Tech 3285) and an iXML chunk.

They are made anew from what the source says of itself. What only describes the source's bytes is left behind: loudness
values, UMIDs, markers, cue points and loops, which would be wrong for a part of it or at another rate.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from core.audio.metadata import MetadataField, best

_BEXT_BYTES = 602
_LARGEST_RIFF = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Words:
    """What a written file says of itself.

    Attributes:
        description: What is heard.
        originator: Who made it.
        reference: The originator's own reference.
        date: Of its making, "2024-05-31".
        time: Of its making, "12:30:00".
        time_reference_s: When its first sample was, in seconds since midnight; None if the source does not say.
        cat_id: UCS category.
        keywords: As the source has them.
    """

    description: str = ""
    originator: str = ""
    reference: str = ""
    date: str = ""
    time: str = ""
    time_reference_s: float | None = None
    cat_id: str = ""
    keywords: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say."""
        return self == Words()


def words_of(fields: Iterable[MetadataField], sample_rate_hz: int) -> Words:
    """What a source says that is true of any part of it.

    Args:
        fields: Its metadata.
        sample_rate_hz: Its rate, in which bext counts time.
    """
    fields = tuple(fields)
    bext = {field.key: field.value for field in fields if field.scheme == "bext"}
    samples = bext.get("time_reference", "")
    return Words(
        description=best(fields, "description") or "",
        originator=bext.get("originator") or best(fields, "artist") or "",
        reference=bext.get("originator_reference", ""),
        date=bext.get("origination_date", ""),
        time=bext.get("origination_time", ""),
        time_reference_s=int(samples) / sample_rate_hz if samples.isdecimal() else None,
        cat_id=best(fields, "cat_id") or "",
        keywords=best(fields, "keywords") or "",
    )


def append_words(path: Path, words: Words, *, sample_rate_hz: int) -> None:
    """Put words behind the samples of a finished WAV file; one too large for its header is left as it is.

    Args:
        path: The file.
        words: What to say; nothing is written for none.
        sample_rate_hz: The file's rate.
    """
    if words.is_empty:
        return
    with path.open("r+b") as file:
        file.seek(0)
        head = file.read(12)
        size = file.seek(0, 2)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        chunks = _chunk(b"bext", _bext(words, sample_rate_hz)) + _chunk(b"iXML", _ixml(words))
        padding = bytes(size & 1)
        total = size + len(padding) + len(chunks) - 8
        if total > _LARGEST_RIFF:
            return
        file.write(padding + chunks)
        file.seek(4)
        file.write(struct.pack("<I", total))


def _bext(words: Words, sample_rate_hz: int) -> bytes:
    data = bytearray(_BEXT_BYTES)
    for text, offset, length in (
        (words.description, 0, 256),
        (words.originator, 256, 32),
        (words.reference, 288, 32),
        (words.date, 320, 10),
        (words.time, 330, 8),
    ):
        encoded = _cut(text, length)
        data[offset : offset + len(encoded)] = encoded
    struct.pack_into("<QH", data, 338, max(0, round((words.time_reference_s or 0.0) * sample_rate_hz)), 1)
    return bytes(data)


def _ixml(words: Words) -> bytes:
    entries = (("DESCRIPTION", words.description), ("CATID", words.cat_id), ("KEYWORDS", words.keywords))
    user = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in entries if text)
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n<BWFXML><IXML_VERSION>1.61</IXML_VERSION><USER>{user}</USER>'
    return f"{document}</BWFXML>\n".encode()


def _cut(text: str, length: int) -> bytes:
    """As many whole characters as fit."""
    return text.encode("utf-8", "replace")[:length].decode("utf-8", "ignore").encode("utf-8")


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) & 1)
