"""What the filters panel can express, as values: choices to expressions of `core.search.filter` and back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from PySide6.QtCore import QCoreApplication

from core.errors import QueryError
from core.search.filter import NumberCondition, parse_condition

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate

_EXPRESSION = re.compile(r"\s*([A-Za-z_]+)\s*(>=|<=|!=|:|=|>|<)\s*(.*?)\s*$", re.DOTALL)
FORMATS = ("wav", "aiff", "flac", "mp3", "ogg", "m4a")
RATES_KHZ = ("44.1", "48", "88.2", "96", "192")
CHANNELS = ("1", "2", ">2")


@dataclass(frozen=True, slots=True)
class Choices:
    """The state of all filters; empty strings and zeros mean "any".

    Attributes:
        folder: Part of the folder's path.
        formats: Containers of which a file must have one.
        least_rate_khz: As in `RATES_KHZ`.
        channels: As in `CHANNELS`.
        least_duration, most_duration: As typed: "2.5" or "1:30".
        least_loudness, most_loudness: In LUFS, as typed.
        category: UCS category, CatID or pattern.
        tag: A tag.
        least_rating: 1 to 5.
        is_favourite: Only favourites.
        captioned: "yes", "no" or "".
        others: Expressions that have no control of their own.
    """

    folder: str = ""
    formats: tuple[str, ...] = ()
    least_rate_khz: str = ""
    channels: str = ""
    least_duration: str = ""
    most_duration: str = ""
    least_loudness: str = ""
    most_loudness: str = ""
    category: str = ""
    tag: str = ""
    least_rating: int = 0
    is_favourite: bool = False
    captioned: str = ""
    others: tuple[str, ...] = ()

    def expressions(self) -> tuple[str, ...]:
        """The expressions that these choices stand for, in a fixed order."""
        found = [
            f"folder={self.folder}" if self.folder else "",
            f"format={'|'.join(self.formats)}" if self.formats else "",
            f"rate>={self.least_rate_khz}k" if self.least_rate_khz else "",
            f"channels{self.channels if self.channels.startswith('>') else '=' + self.channels}"
            if self.channels
            else "",
            _range("duration", self.least_duration, self.most_duration),
            _range("loudness", self.least_loudness, self.most_loudness),
            f"ucs={self.category}" if self.category else "",
            f"tag={self.tag}" if self.tag else "",
            f"rating>={self.least_rating}" if self.least_rating else "",
            "favourite=yes" if self.is_favourite else "",
            f"captioned={self.captioned}" if self.captioned else "",
        ]
        return (*filter(None, found), *self.others)


def choices_of(expressions: Iterable[str]) -> Choices:
    """The choices that stand for expressions; what has no control goes to `others` unchanged."""
    choices = Choices()
    for expression in expressions:
        match = _EXPRESSION.match(expression)
        taken = None
        if match is not None:
            field, operator, value = match.groups()
            taken = _taken(choices, field.lower(), operator, value.strip('"'))
        choices = taken or replace(choices, others=(*choices.others, expression))
    return choices


def problem_of(choices: Choices) -> str:
    """Why the choices cannot be used, as a sentence, or an empty string."""
    for expression in choices.expressions():
        try:
            condition = parse_condition(expression)
        except QueryError as error:
            return str(error)
        if isinstance(condition, NumberCondition) and not _can_hold(condition):
            text = translate("Filters", "Nothing can meet “{expression}”: its end lies before its beginning.")
            return text.format(expression=expression)
    return ""


def _can_hold(condition: NumberCondition) -> bool:
    return condition.least is None or condition.most is None or condition.least <= condition.most


def _range(field: str, least: str, most: str) -> str:
    if least and most:
        return f"{field}={least}..{most}"
    if least:
        return f"{field}>={least}"
    return f"{field}<={most}" if most else ""


def _taken(choices: Choices, field: str, operator: str, value: str) -> Choices | None:
    """The choices with one more expression, or None where no control can show it."""
    equal = operator in (":", "=")
    match field:
        case "folder" if equal and not choices.folder:
            return replace(choices, folder=value)
        case "format" if equal and not choices.formats and set(value.lower().split("|")) <= set(FORMATS):
            return replace(choices, formats=tuple(value.lower().split("|")))
        case "rate" if operator == ">=" and value.removesuffix("k") in RATES_KHZ:
            return replace(choices, least_rate_khz=value.removesuffix("k"))
        case "channels" if not choices.channels and (value if equal else operator + value) in CHANNELS:
            return replace(choices, channels=value if equal else operator + value)
        case "duration" | "loudness":
            return _with_range(choices, field, operator, value)
        case "ucs" if equal and not choices.category:
            return replace(choices, category=value)
        case "tag" if equal and not choices.tag:
            return replace(choices, tag=value)
        case "rating" if operator == ">=" and value in ("1", "2", "3", "4", "5"):
            return replace(choices, least_rating=int(value))
        case "favourite" if equal and value == "yes":
            return replace(choices, is_favourite=True)
        case "captioned" if equal and value in ("yes", "no"):
            return replace(choices, captioned=value)
        case _:
            return None


def _with_range(choices: Choices, field: str, operator: str, value: str) -> Choices | None:
    is_duration = field == "duration"
    present = (
        choices.least_duration + choices.most_duration
        if is_duration
        else choices.least_loudness + choices.most_loudness
    )
    if present or not value:
        return None
    if operator in (":", "=") and ".." in value:
        least, _, most = (part.strip() for part in value.partition(".."))
    elif operator in (">=", "<="):
        least, most = (value, "") if operator == ">=" else ("", value)
    else:
        return None
    if is_duration:
        return replace(choices, least_duration=least, most_duration=most)
    return replace(choices, least_loudness=least, most_loudness=most)
