"""Conditions on files: the grammar of ``--where`` and of ``field:value`` inside a query line.

A condition is ``FIELD OPERATOR VALUE``; ``:`` means "is" for words and accepts a comparison or a range for
numbers: ``duration:<5``, ``rate:>=96k``, ``duration:2..10``. Several values are joined by ``|``: ``format:wav|flac``.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import QueryError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

_EXPRESSION = re.compile(r"\s*([A-Za-z_]+)\s*(:|>=|<=|!=|=|>|<)\s*(.+?)\s*$", re.DOTALL)
_COMPARISON = re.compile(r"(>=|<=|>|<|=)\s*(.+)$")
_NUMBER = re.compile(r"([0-9]*\.?[0-9]+)\s*(k|khz|hz|s|sec|ms|m|min|h|db|lufs|bit|kb|mb|gb)?$", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$")
_SIGNED = re.compile(r"-?[0-9]*\.?[0-9]+$")

WORD_FIELDS = {
    "folder": "folder",
    "path": "folder",
    "format": "format",
    "type": "format",
    "ucs": "ucs",
    "category": "ucs",
    "tag": "tag",
    "name": "name",
    "collection": "collection",
    "state": "state",
    "favourite": "favourite",
    "favorite": "favourite",
    "captioned": "captioned",
}
NUMBER_FIELDS = {
    "rate": "sample_rate_hz",
    "samplerate": "sample_rate_hz",
    "channels": "channels",
    "duration": "duration_s",
    "length": "duration_s",
    "bits": "bit_depth",
    "bitdepth": "bit_depth",
    "loudness": "loudness_lufs",
    "peak": "peak_db",
    "rating": "rating",
    "stars": "rating",
    "size": "size",
}
FIELDS = frozenset(WORD_FIELDS) | frozenset(NUMBER_FIELDS)

_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_CHANNEL_WORDS = {"mono": 1.0, "stereo": 2.0, "quad": 4.0, "5.1": 6.0, "7.1": 8.0}
_UNIT_FACTORS = {
    **{"k": 1e3, "khz": 1e3, "kb": 1e3, "mb": 1e6, "gb": 1e9},
    **{"ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0},
}


@dataclass(frozen=True, slots=True)
class WordCondition:
    """A field is, or is not, one of some values; ``*`` stands for any characters."""

    field: str
    values: tuple[str, ...]
    negative: bool = False

    def negated(self) -> WordCondition:
        """The opposite condition."""
        return dataclasses.replace(self, negative=not self.negative)


@dataclass(frozen=True, slots=True)
class NumberCondition:
    """A number lies in a closed or half-open interval, or does not."""

    field: str
    least: float | None = None
    most: float | None = None
    least_excluded: bool = False
    most_excluded: bool = False
    negative: bool = False

    def negated(self) -> NumberCondition:
        """The opposite condition."""
        return dataclasses.replace(self, negative=not self.negative)


Condition = WordCondition | NumberCondition


def parse_condition(expression: str) -> Condition:
    """Read one filter expression.

    Raises:
        QueryError: It has no operator, an unknown field or an unreadable value.
    """
    match = _EXPRESSION.match(expression)
    if match is None:
        raise QueryError(
            f"The filter “{expression}” has no form of FIELD OPERATOR VALUE.",
            "Write it like duration<5, rate>=96k, format=wav or ucs=DOORWood.",
        )
    name, operator, value = match.group(1).lower(), match.group(2), match.group(3).strip().strip('"')
    if name in WORD_FIELDS:
        if operator not in (":", "=", "!="):
            raise QueryError(f"{name} is a word and cannot be compared with {operator}.", f"Write {name}={value}.")
        values = tuple(part.strip() for part in value.split("|") if part.strip())
        if not values:
            raise QueryError(f"The filter “{expression}” names no value.", f"Write {name}=something.")
        return WordCondition(WORD_FIELDS[name], values, negative=operator == "!=")
    if name in NUMBER_FIELDS:
        return _parse_number_condition(NUMBER_FIELDS[name], operator, value, expression)
    known = ", ".join(sorted(FIELDS))
    raise QueryError(f"There is no field “{name}” to filter by.", f"The fields are {known}.")


def _parse_number_condition(name: str, operator: str, value: str, expression: str) -> NumberCondition:
    if operator == ":":
        inner = _COMPARISON.match(value)
        operator, value = (inner.group(1), inner.group(2)) if inner else ("=", value)
    if ".." in value and operator in ("=", "!="):
        low, high = value.split("..", 1)
        return NumberCondition(
            name,
            least=_number(low, name, expression) if low.strip() else None,
            most=_number(high, name, expression) if high.strip() else None,
            negative=operator == "!=",
        )
    number = _number(value, name, expression)
    match operator:
        case ">=":
            return NumberCondition(name, least=number)
        case ">":
            return NumberCondition(name, least=number, least_excluded=True)
        case "<=":
            return NumberCondition(name, most=number)
        case "<":
            return NumberCondition(name, most=number, most_excluded=True)
        case _:
            return NumberCondition(name, least=number, most=number, negative=operator == "!=")


def _number(text: str, name: str, expression: str) -> float:
    text = text.strip().lower()
    if name == "channels" and text in _CHANNEL_WORDS:
        return _CHANNEL_WORDS[text]
    clock = _CLOCK.match(text)
    if clock is not None and name == "duration_s":
        return int(clock.group(1) or 0) * 3600 + int(clock.group(2)) * 60 + float(clock.group(3))
    if _SIGNED.match(text):
        value = float(text)
        # "96" for a sample rate can only mean kilohertz.
        return value * 1000 if name == "sample_rate_hz" and value < 1000 else value
    sign = -1.0 if text.startswith("-") else 1.0
    match = _NUMBER.match(text.removeprefix("-"))
    if match is None:
        raise QueryError(
            f"“{text}” in the filter “{expression}” is not a number.",
            "Write numbers like 48000, 96k, 2.5 or 1:30.",
        )
    return sign * float(match.group(1)) * _UNIT_FACTORS.get(match.group(2) or "", 1.0)


def compile_condition(condition: Condition) -> ColumnElement[bool]:
    """The SQL expression over `File` that a condition stands for. Files that lack a number never match it."""
    from sqlalchemy import not_

    clause = _compile_words(condition) if isinstance(condition, WordCondition) else _compile_number(condition)
    return not_(clause) if condition.negative else clause


def _compile_number(condition: NumberCondition) -> ColumnElement[bool]:
    from sqlalchemy import and_

    from core.catalogue.models import File

    column = getattr(File, condition.field)
    clauses: list[ColumnElement[bool]] = [column.is_not(None)]
    if condition.least is not None:
        clauses.append(column > condition.least if condition.least_excluded else column >= condition.least)
    if condition.most is not None:
        clauses.append(column < condition.most if condition.most_excluded else column <= condition.most)
    return and_(*clauses)


def _compile_words(condition: WordCondition) -> ColumnElement[bool]:
    from sqlalchemy import or_

    return or_(*(_compile_word(condition.field, value) for value in condition.values))


def _compile_word(name: str, value: str) -> ColumnElement[bool]:
    """One value of a word field, compared without regard to case; ``*`` stands for any characters."""
    from sqlalchemy import func

    from core.catalogue.models import Caption, Collection, File, Root, Tag

    match name:
        case "folder":
            whole = Root.display_path + "/" + File.folder
            return File.root.has(whole.ilike(_like_pattern(value.rstrip("/"), anchored="*" in value), escape="\\"))
        case "name":
            return File.name.ilike(_like_pattern(value, anchored="*" in value), escape="\\")
        case "format":
            plain = value.lower().removeprefix(".")
            return (func.lower(File.container) == plain) | (func.lower(File.extension).in_([plain, f".{plain}"]))
        case "ucs":
            return func.coalesce(File.ucs_cat_id, "").in_(_ucs_ids(value))
        case "tag":
            return File.tags.any(Tag.name.ilike(_like_pattern(value, anchored=True), escape="\\"))
        case "favourite":
            return File.is_favourite.is_(_is_yes(value))
        case "captioned":
            described = File.captions.any(Caption.text != "")
            return described if _is_yes(value) else ~described
        case "collection":
            return File.collections.any(Collection.name.ilike(_like_pattern(value, anchored=True), escape="\\"))
        case _:
            return File.state == _file_state(value)


def _like_pattern(value: str, *, anchored: bool) -> str:
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    return escaped if anchored else f"%{escaped}%"


def _ucs_ids(value: str) -> list[str]:
    """The CatIDs that a value means: one CatID, a pattern of them, or a whole category by its name."""
    from fnmatch import fnmatchcase

    from core.audio.ucs import ucs_table

    wanted = value.casefold()
    ids = [
        entry.cat_id
        for entry in ucs_table().values()
        if fnmatchcase(entry.cat_id.casefold(), wanted) or wanted == entry.category.casefold()
    ]
    if not ids:
        raise QueryError(
            f"“{value}” is no UCS category.", "Name a CatID such as DOORWood, a pattern such as DOOR*, or a category."
        )
    return ids


def _is_yes(value: str) -> bool:
    found = _YES_NO.get(value.lower())
    if found is None:
        raise QueryError(f"“{value}” is neither yes nor no.", "Write favourite:yes or captioned:no.")
    return found


def _file_state(value: str) -> str:
    from core.catalogue.models import FileState

    try:
        return FileState(value.lower())
    except ValueError:
        known = ", ".join(state.value for state in FileState)
        raise QueryError(f"“{value}” is no state of a file.", f"The states are {known}.") from None
