"""What a person asks: a line of text taken apart into meaning, literal conditions and filters.

The line follows the habits of sound libraries::

    metal gate creaks                 meaning, and the same words looked up in names and metadata
    gate AND rusty                    both words must stand in the file's text
    gate OR hinge                     at least one of them must
    -distant                          the word must not
    "iron gate"                       the phrase must
    format:wav duration:<5 ucs:DOOR   filters, see `core.search.filter`
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from core.errors import QueryError
from core.search.filter import FIELDS, Condition, parse_condition
from core.types import Span

MAX_TEXT_LENGTH = 2_000
MAX_WEIGHT = 100.0

_TOKEN = re.compile(r'-?(?:[A-Za-z_]+(?::|>=|<=|!=|=|>|<))?"[^"]*"|\S+')
_FIELD_START = re.compile(r"([A-Za-z_]+)(:|>=|<=|!=|=|>|<)")
_WORD = re.compile(r"[^\W_]+", re.UNICODE)


@dataclass(frozen=True, slots=True)
class TextPart:
    """A described sound and how much it counts."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ClipPart:
    """An example sound: a whole file or a stretch of it, and how much it counts."""

    path: Path
    span: Span | None = None
    weight: float = 1.0

    @property
    def text(self) -> str:
        """How the part is named to a person."""
        if self.span is None:
            return self.path.name
        return f"{self.path.name}@{self.span.start_s:g}-{self.span.end_s:g}"


@dataclass(frozen=True, slots=True)
class Lexical:
    """Literal conditions on a file's text (name, folder, metadata, captions).

    Attributes:
        groups: Every group must be met; a group is met by any of its words or phrases.
        excluded: Words and phrases of which none may occur.
        hints: Words of the query that raise a file in which they occur but are not demanded.
    """

    groups: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def demanded_share(self) -> float:
        """Which share of the hints, 0 to 1, every file that meets the groups holds by their letter."""
        demanded = {word for group in self.groups for literal in group for word in content_words(literal)}
        return sum(word in demanded for word in self.hints) / len(self.hints) if self.hints else 0.0

    @property
    def demands(self) -> bool:
        """Whether any condition must hold, as opposed to hints."""
        return bool(self.groups or self.excluded)


@dataclass(frozen=True, slots=True)
class Query:
    """A whole question: what it should sound like, what not, and where to look."""

    parts: tuple[TextPart | ClipPart, ...] = ()
    negatives: tuple[TextPart, ...] = ()
    lexical: Lexical = field(default_factory=Lexical)
    conditions: tuple[Condition, ...] = ()

    @property
    def text_share(self) -> float:
        """How much of the query's weight its described part carries, 0 to 1; words in names count as much."""
        total = sum(part.weight for part in self.parts)
        return sum(part.weight for part in self.parts if isinstance(part, TextPart)) / total if total else 1.0

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was asked."""
        return not (self.parts or self.negatives or self.lexical.demands or self.conditions)


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """A question as a person put it together, before it is understood; what the query bar, history and files hold.

    Attributes:
        text: The typed line.
        text_weight: How much its meaning counts beside the clips.
        clips: Example sounds, each with its weight.
        negatives: What the sounds must not resemble, each with its weight.
        where: Filter expressions such as ``"rate>=96k"``.
    """

    text: str = ""
    text_weight: float = 1.0
    clips: tuple[ClipPart, ...] = ()
    negatives: tuple[TextPart, ...] = ()
    where: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked yet."""
        has_negative = any(part.text.strip() for part in self.negatives)
        return not (self.text.strip() or self.clips or has_negative or self.where)

    def build(self) -> Query:
        """The query that it stands for.

        Raises:
            QueryError: It cannot be understood, or it is empty.
        """
        return build_query(
            self.text, clips=self.clips, negatives=self.negatives, where=self.where, text_weight=self.text_weight
        )

    def to_json(self) -> str:
        """The same as one line of JSON; equal questions give equal lines."""
        fields: dict[str, Any] = {
            "text": self.text,
            "text_weight": self.text_weight,
            "clips": [
                {
                    "path": str(clip.path),
                    "span": None if clip.span is None else [clip.span.start_s, clip.span.end_s],
                    "weight": clip.weight,
                }
                for clip in self.clips
            ],
            "negatives": [{"text": part.text, "weight": part.weight} for part in self.negatives],
            "where": list(self.where),
        }
        return json.dumps(fields)

    @classmethod
    def from_json(cls, line: str) -> Self:
        """What `to_json` wrote; fields that are missing have their default.

        Raises:
            QueryError: It is something else.
        """
        try:
            fields = json.loads(line)
            return cls(
                text=_text(fields.get("text", "")),
                text_weight=float(fields.get("text_weight", 1.0)),
                clips=tuple(
                    ClipPart(
                        Path(_text(clip["path"])),
                        None if clip.get("span") is None else Span(*map(float, clip["span"])),
                        float(clip.get("weight", 1.0)),
                    )
                    for clip in fields.get("clips", [])
                ),
                negatives=tuple(
                    TextPart(_text(part["text"]), float(part.get("weight", 1.0)))
                    for part in fields.get("negatives", [])
                ),
                where=tuple(_text(expression) for expression in fields.get("where", [])),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise QueryError("The saved search cannot be read.", "Put it together again and save it anew.") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {type(value).__name__}")
    return value


def build_query(
    text: str = "",
    *,
    clips: Sequence[ClipPart] = (),
    negatives: Sequence[str | TextPart] = (),
    where: Sequence[str] = (),
    text_weight: float = 1.0,
) -> Query:
    """Put a query together from a typed line, example clips, negatives and filter expressions.

    Args:
        text: The typed line.
        clips: Example sounds.
        negatives: Descriptions of what the sounds must not resemble; a part's weight says how much of what resembles
            it goes: at 0.5 the worst half stays, at 2 even a faint resemblance counts.
        where: Filter expressions such as ``"rate>=96k"``.
        text_weight: How much the described meaning counts beside the clips.

    Raises:
        QueryError: The line or an expression cannot be understood, or nothing was asked.
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise QueryError(
            f"The query has {len(text)} characters; {MAX_TEXT_LENGTH} is the most.",
            "Describe the sound shorter.",
        )
    unwanted = [TextPart(part) if isinstance(part, str) else part for part in negatives]
    for weight in (text_weight, *(clip.weight for clip in clips), *(part.weight for part in unwanted)):
        if not 0 < weight <= MAX_WEIGHT:
            raise QueryError(f"A weight of {weight:g} makes no sense.", "Use a number above 0, such as 0.5.")
    meaning, lexical, conditions = _parse_line(text)
    conditions += tuple(parse_condition(expression) for expression in where)
    parts: tuple[TextPart | ClipPart, ...] = tuple(clips)
    if meaning:
        parts = (TextPart(meaning, text_weight), *parts)
    excluded_sounds = tuple(TextPart(part.text.strip(), part.weight) for part in unwanted if part.text.strip())
    query = Query(parts, excluded_sounds, lexical, conditions)
    if query.is_empty:
        raise QueryError("The query is empty.", "Describe a sound, name an example clip or give a filter.")
    return query


def content_words(text: str) -> tuple[str, ...]:
    """The words of a text that say something, lower-case, each once, in order."""
    words = (word.lower() for word in _WORD.findall(text))
    return tuple(dict.fromkeys(word for word in words if word not in _STOP_WORDS))


def _parse_line(text: str) -> tuple[str, Lexical, tuple[Condition, ...]]:
    meaning: list[str] = []
    groups: list[tuple[str, ...]] = []
    excluded: list[str] = []
    conditions: list[Condition] = []
    demanded: list[str] = []
    operator: str | None = None
    previous: str | None = None
    negated = False
    for token in _TOKEN.findall(text):
        if token in ("AND", "OR"):
            if previous is None:
                raise QueryError(f"{token} stands between two words.", f"Write it as: creak {token} squeak.")
            operator = token
            continue
        if token == "NOT":
            negated = True
            continue
        body, minus = (token[1:], True) if token.startswith("-") and len(token) > 1 else (token, negated)
        negated = False
        condition = _condition_of(body, minus=minus)
        if condition is not None:
            conditions.append(condition)
            continue
        literal = body.strip('"').strip()
        is_phrase = body.startswith('"')
        if not _WORD.search(literal):
            if literal:
                meaning.append(literal)
            continue
        if minus:
            excluded.append(literal)
            continue
        meaning.append(literal)
        if operator is not None and previous is not None:
            _join(groups, previous, literal, operator)
            demanded.extend((previous, literal))
        elif is_phrase:
            groups.append((literal,))
            demanded.append(literal)
        operator, previous = None, literal
    if operator is not None:
        raise QueryError(f"{operator} stands at the end.", f"Write it as: creak {operator} squeak.")
    if negated:
        raise QueryError("NOT stands at the end.", "Write it as: door NOT car.")
    hints = content_words(" ".join(meaning))
    return " ".join(meaning), Lexical(tuple(groups), tuple(excluded), hints), tuple(conditions)


def _condition_of(body: str, *, minus: bool) -> Condition | None:
    """The filter that a token expresses, or None where it is no filter: ``time: 10`` stays text."""
    start = _FIELD_START.match(body)
    if start is None or start.group(1).lower() not in FIELDS or len(body) == start.end():
        return None
    condition = parse_condition(body)
    return condition.negated() if minus else condition


def _join(groups: list[tuple[str, ...]], left: str, right: str, operator: str) -> None:
    """Add `left operator right` to groups, of which the last may already hold `left`. OR binds tighter."""
    if not groups or left not in groups[-1]:
        groups.append((left,))
    if operator == "OR":
        groups[-1] = (*groups[-1], right)
    else:
        groups.append((right,))


_STOP_WORDS = frozenset(
    "a an and are as at be been being but by for from has have in into is it its of off on onto or out over "
    "some someone something sound sounds than that the their then there these they this those through to up "
    "very was were what when where which while who with".split()
)
