"""Names of files that are written: from a pattern, safe on every system, and never one that is taken.

A pattern is a name with fields in braces: `{name}_{start}` gives "gate_creak_0m03.2s". Whatever a file system could
refuse or misread is replaced, also where it comes from a caption.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from core.errors import KnownError
from core.types import Span

FIELDS = ("name", "start", "end", "length", "number", "folder", "category", "caption", "rate", "channels")
DEFAULT_PATTERN = "{name}"
DEFAULT_REGION_PATTERN = "{name}_{start}-{end}"

_FIELD = re.compile(r"\{([^{}]*)\}")
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
# Names that Windows takes for devices, with any extension.
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])$")
_MOST_BYTES = 180


class PatternError(KnownError):
    """A naming pattern cannot be understood."""


def check_pattern(pattern: str) -> None:
    """Find out whether a pattern can be used.

    Raises:
        PatternError: It has an unknown field or a stray brace, or is empty.
    """
    fields = ", ".join(f"{{{field}}}" for field in FIELDS)
    for field in _FIELD.findall(pattern):
        if field not in FIELDS:
            raise PatternError(f"The pattern has an unknown field {{{field}}}.", f"There are {fields}.")
    if "{" in _FIELD.sub("", pattern) or "}" in _FIELD.sub("", pattern):
        raise PatternError("The pattern has a brace without its counterpart.", f"Fields look like this: {fields}.")
    if not pattern.strip():
        raise PatternError("The pattern is empty.", "Try {name}.")


def fill_pattern(pattern: str, fields: Mapping[str, str]) -> str:
    """A safe name without an extension; fields without a value are left out.

    Raises:
        PatternError: As `check_pattern`.
    """
    check_pattern(pattern)
    return safe_name(_FIELD.sub(lambda match: fields.get(match[1], ""), pattern))


def time_fields(span: Span | None, duration_s: float) -> dict[str, str]:
    """The fields {start}, {end} and {length} of a region, or of a whole sound."""
    span = span or Span(0.0, max(0.0, duration_s))
    return {"start": spoken(span.start_s), "end": spoken(span.end_s), "length": spoken(span.duration_s)}


def spoken(time_s: float) -> str:
    """A time as a part of a name: no system allows "0:03.2"."""
    tenths = round(time_s * 10)
    return f"{tenths // 600}m{tenths % 600 / 10:04.1f}s"


def safe_name(name: str) -> str:
    """A name that every file system takes, without an extension and never empty."""
    plain = unicodedata.normalize("NFC", name)
    plain = "".join(character if character.isprintable() else " " for character in plain)
    plain = " ".join(_FORBIDDEN.sub("_", plain).split()).strip(". ")
    encoded = plain.encode("utf-8", "replace")[:_MOST_BYTES]
    plain = encoded.decode("utf-8", "ignore").strip(". ")
    if not plain or _RESERVED.match(plain.partition(".")[0]):
        plain = f"_{plain}" if plain else "sound"
    return plain


def free_name(folder: Path, stem: str, extension: str, taken: Iterable[str] = ()) -> Path:
    """A path in a folder that no file has yet: "gate.wav", "gate 2.wav", ...

    Args:
        folder: The folder.
        stem: From `fill_pattern`.
        extension: With its dot.
        taken: Names given out before, lower case; upper and lower case are one and the same on many systems.
    """
    used = set(taken)
    number = 1
    while True:
        name = f"{stem}{extension}" if number == 1 else f"{stem} {number}{extension}"
        path = folder / name
        if name.lower() not in used and not path.exists() and not path.is_symlink():
            return path
        number += 1
