"""Words of a query looked up in the text of files: names, folders, metadata and captions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from core.catalogue.repository import Repository
from core.search.query import Lexical
from core.types import IntArray

TEXT_FIELDS = ("name", "folder", "metadata", "captions")
# Files looked at for hints: beyond some hundreds a word is too common to tell anything.
_HINT_LIMIT = 300
# A shorter word must match whole: "a" or "sf" as a beginning would match almost anything.
_SHORTEST_PREFIX = 3

_TOKEN = re.compile(r"[^\W_]+", re.UNICODE)
_SUFFIXES = ("ings", "ing", "ers", "er", "ed", "es", "s")


class LexicalSearch:
    """Full-text search over one library.

    Args:
        repository: Where the text lies.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def demanded_files(self, lexical: Lexical) -> tuple[IntArray | None, IntArray | None]:
        """Files that meet every demanded group, and files that hold an excluded word; None where nothing is said."""
        demanded = excluded = None
        if lexical.groups:
            groups = (" OR ".join(_literal(word) for word in group) for group in lexical.groups)
            demanded = self._repository.full_text_ids(" AND ".join(f"({group})" for group in groups))
        if lexical.excluded:
            excluded = self._repository.full_text_ids(" OR ".join(_literal(word) for word in lexical.excluded))
        return demanded, excluded

    def find(
        self, words: Sequence[str], *, limit: int = _HINT_LIMIT, among: IntArray | None = None
    ) -> dict[int, dict[str, frozenset[str]]]:
        """Files in whose text any of the words stands: for each, by field, which of them.

        Args:
            words: Lower-case words; inflected forms and longer words that begin with them count too.
            limit: Files at most, best first.
            among: Ids of the only files that count, or None for all.
        """
        if not words:
            return {}
        finder = _WordFinder(words)
        expression = " OR ".join(_prefix(stem) for stem in finder.stems)
        found: dict[int, dict[str, frozenset[str]]] = {}
        for file_id, texts in self._repository.full_text(expression, limit=limit, among=among):
            fields = {
                field: present
                for field, text in zip(TEXT_FIELDS, texts, strict=True)
                if text and (present := finder(text))
            }
            if fields:
                found[file_id] = fields
        return found


class _WordFinder:
    """Finds words that begin with the stems of given words; short stems must be whole words.

    Args:
        words: Lower-case words.
    """

    def __init__(self, words: Sequence[str]) -> None:
        stem_of = {word: _stem(_fold(word)) for word in words}
        self.stems = tuple(dict.fromkeys(stem_of.values()))
        # Where several stems begin at the same place the longest one tells all.
        longest_first = sorted(self.stems, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![^\W_])(?=({'|'.join(map(_as_pattern, longest_first))}))")
        self._words_of = {
            stem: frozenset(word for word, own in stem_of.items() if re.match(_as_pattern(own), stem))
            for stem in self.stems
        }

    def __call__(self, text: str) -> frozenset[str]:
        """Those of the words that stand in a text."""
        present = frozenset[str]()
        for stem in self._pattern.findall(_fold(text)):
            present |= self._words_of[stem]
        return present


def _as_pattern(stem: str) -> str:
    return re.escape(stem) + ("" if len(stem) >= _SHORTEST_PREFIX else r"(?![^\W_])")


def _stem(word: str) -> str:
    """A word without a common English ending, as long as enough of it is left to mean something."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _literal(text: str) -> str:
    """A word or phrase as FTS5 reads it, whatever characters it holds; single words match as beginnings."""
    quoted = '"' + text.replace('"', '""').replace("\x00", " ") + '"'
    return quoted if len(_TOKEN.findall(text)) > 1 or len(text) < _SHORTEST_PREFIX else f"{quoted}*"


def _prefix(stem: str) -> str:
    return f'"{stem}"*' if len(stem) >= _SHORTEST_PREFIX else f'"{stem}"'
