"""The search engine: from a query to files, each with its moments and reasons.

Filters come first; then candidates from the index, for the weighted sum of the query's parts; exact scores of every
part on every candidate; calibration, negatives and words fused to one relevance; the best moments of each file; the
cut.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from core.audio.mono import read_mono
from core.catalogue.repository import FileRow, Repository, WindowTable
from core.encoders.protocol import DualEncoder
from core.encoders.relevance import Relevance
from core.index.protocol import VectorIndex
from core.search.filter import compile_condition
from core.search.focus import Focus, find_focus, listen
from core.search.fusion import denied_by_words, fuse, lexical_relevance
from core.search.lexical import LexicalSearch
from core.search.moment import MomentScore
from core.search.query import ClipPart, Query, TextPart, content_words
from core.search.result import Hit, LexicalHit, Moment, SearchResult, Why
from core.search.scoring import Asked, Scored, fit_of, score_windows
from core.types import FloatArray, IntArray, Span

# A hit below this probability of being a match is not claimed.
RELEVANCE_CUT = 0.5
_MOMENTS_PER_FILE = 5
_CLOSEST = 3
# Windows fetched per wanted file: windows of one file are often next to each other in rank.
_WINDOWS_PER_FILE = 12
_LEAST_WINDOWS = 256
_TEXTS_KEPT = 512
# Files whose text is looked at for the words of a negative.
_DENIED_FILES = 5_000

Words = Mapping[int, Mapping[str, frozenset[str]]]


class SearchEngine:
    """Answers queries over one library; may be used from several threads.

    Args:
        repository: The library's catalogue.
        index: Its vectors.
        encoder: Gives the encoder; called only when text must be embedded.
        clip_vector: Gives the unit vector (d,) of an example clip.
        relevance: The model's calibration.
    """

    def __init__(
        self,
        repository: Repository,
        index: VectorIndex,
        *,
        encoder: Callable[[], DualEncoder],
        clip_vector: Callable[[ClipPart], FloatArray],
        relevance: Relevance,
    ) -> None:
        self._repository = repository
        self._index = index
        self._encoder = encoder
        self._clip_vector = clip_vector
        self._relevance = relevance
        self._lexical = LexicalSearch(repository)
        self._texts: OrderedDict[str, FloatArray] = OrderedDict()

    def search(
        self,
        query: Query,
        *,
        limit: int = 20,
        show_all: bool = False,
        without: Collection[int] = (),
        within: Collection[int] | IntArray | None = None,
    ) -> SearchResult:
        """Answer a query.

        Args:
            query: What is asked.
            limit: Files wanted at most, 1 or more.
            show_all: Rank everything, with no relevance cut.
            without: Files that must not be among the hits.
            within: Ids of the only files that may be; None: all.

        Raises:
            UnusableFileError: An example clip cannot be read.
            ModelError: The encoder cannot be loaded.
        """
        if limit < 1:
            raise ValueError(f"limit is 1 or more, not {limit}")
        asked = self._embed(query) if query.parts or query.negatives else None
        self._index.refresh()
        scope = self._scope(query, within)
        considered = self._repository.available_count() if scope is None else len(scope)
        if not considered:
            return SearchResult(())
        if asked is None:
            assert scope is not None, "a query without parts has conditions"
            return SearchResult(self._listed(scope, limit=limit, without=without), considered=considered)
        hidden = self._repository.missing_file_ids() if scope is None else ()
        excluded = np.unique(np.fromiter((*hidden, *without), dtype=np.int64))
        words = self._words(query, scope, excluded)
        scored = self._scored(asked, words, scope, excluded, wanted=limit + _CLOSEST)
        hits = self._hits(query, asked, scored, words, self._denials(query, scope), limit=limit + _CLOSEST)
        if show_all:
            return SearchResult(hits[:limit], considered=considered)
        matches = tuple(hit for hit in hits if hit.relevance >= RELEVANCE_CUT)[:limit]
        return SearchResult(matches, () if matches else hits[:_CLOSEST], considered)

    def _embed(self, query: Query) -> Asked:
        vectors = np.stack(
            [
                self._text_vector(part.text)
                if isinstance(part, TextPart)
                else self._relevance.example(self._clip_vector(part))
                for part in (*query.parts, *query.negatives)
            ]
        )
        wanted = len(query.parts)
        return Asked(query.parts, vectors[:wanted], query.negatives, vectors[wanted:])

    def _text_vector(self, text: str) -> FloatArray:
        """A text's embedding (d,); the latest ones are remembered, since a query is typed letter by letter."""
        vector = self._texts.pop(text, None)
        if vector is None:
            vector = self._encoder().embed_text([text])[0]
        self._texts[text] = vector
        while len(self._texts) > _TEXTS_KEPT:
            self._texts.popitem(last=False)
        return vector

    def moments(self, query: Query, file_id: int) -> tuple[MomentScore, ...]:
        """How every window of a file fits a query, in the order of time; nothing where the query describes no sound.

        Raises:
            UnusableFileError: An example clip cannot be read.
            ModelError: The encoder cannot be loaded.
        """
        if not (query.parts or query.negatives):
            return ()
        scored = self._windows_of(self._embed(query), file_id)
        if scored is None:
            return ()
        return tuple(
            MomentScore(Span(float(scored.starts_s[row]), float(scored.ends_s[row])), float(scored.relevance[row]))
            for row in np.argsort(scored.starts_s, kind="stable")
        )

    def focus(self, query: Query, file_id: int) -> Focus | None:
        """Where in a file the sound is that a query asks for; listens to the file again, for about a second at most.

        Returns:
            None where the query describes no sound or the file has no embedding.

        Raises:
            UnusableFileError: The file or an example clip cannot be read.
            ModelError: The encoder cannot be loaded.
        """
        if not (query.parts or query.negatives):
            return None
        asked = self._embed(query)
        scored = self._windows_of(asked, file_id)
        file = self._repository.files_by_id([file_id]).get(file_id)
        if scored is None or file is None or not len(scored.files):
            return None
        encoder = self._encoder()
        return find_focus(
            [Span(float(start), float(end)) for start, end in zip(scored.starts_s, scored.ends_s, strict=True)],
            # They are in order of merit.
            -np.arange(len(scored.files), dtype=np.float32),
            hear=lambda part: listen(
                encoder, read_mono(file.path, sample_rate_hz=encoder.card.sample_rate_hz, span=part)
            ),
            fit=lambda vectors: fit_of(asked, self._relevance, vectors),
            window_s=encoder.card.window_s,
            duration_s=float(scored.ends_s.max()),
        )

    def _windows_of(self, asked: Asked, file_id: int) -> Scored | None:
        """All windows of a file, best first; None if it has none."""
        windows = self._repository.windows_of_files(np.asarray([file_id], dtype=np.int64))
        return self._score(asked, windows) if len(windows) else None

    def _score(self, asked: Asked, windows: WindowTable) -> Scored:
        """Windows, as far as they still exist, best first."""
        exists, vectors = self._vectors(windows.labels)
        windows = windows.taken(exists)
        return score_windows(
            asked,
            self._relevance,
            vectors=vectors,
            files=windows.files,
            starts_s=windows.starts_s,
            ends_s=windows.ends_s,
        )

    def _vectors(self, labels: IntArray) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Which labels (m,) still exist, and their vectors: from the index what it has at hand, the rest as stored."""
        held, vectors = self._index.held(labels)
        if held.all():
            return held, vectors
        exists, stored = self._repository.known_vectors(labels[~held])
        result = np.empty((len(labels), vectors.shape[1]), dtype=np.float32)
        result[held] = vectors
        found = held.copy()
        found[~held] = exists
        result[found & ~held] = stored
        return found, result[found]

    def _scope(self, query: Query, within: Collection[int] | IntArray | None) -> IntArray | None:
        """Sorted ids of the files that pass all filters and literal demands; None where there are none."""
        demanded, excluded = self._lexical.demanded_files(query.lexical)
        if not query.conditions and demanded is None and excluded is None and within is None:
            return None
        scope = self._repository.file_ids_where(*(compile_condition(condition) for condition in query.conditions))
        if demanded is not None:
            scope = np.intersect1d(scope, demanded)
        if excluded is not None:
            scope = np.setdiff1d(scope, excluded, assume_unique=True)
        if within is not None:
            scope = np.intersect1d(scope, np.fromiter(within, dtype=np.int64, count=len(within)))
        return scope

    def _words(self, query: Query, scope: IntArray | None, excluded: IntArray) -> Words:
        found = self._lexical.find(query.lexical.hints, among=scope)
        ids = np.fromiter(found, dtype=np.int64, count=len(found))
        return {int(file_id): found[int(file_id)] for file_id in ids[~np.isin(ids, excluded)]}

    def _scored(self, asked: Asked, words: Words, scope: IntArray | None, excluded: IntArray, *, wanted: int) -> Scored:
        """Windows of at least `wanted` files, if the scope holds so many, and of all files that words point at."""
        allowed = None if scope is None else self._repository.labels_of_files(scope)
        reach = self._index.count if allowed is None else len(allowed)
        worded = self._repository.windows_of_files(np.sort(np.fromiter(words, dtype=np.int64, count=len(words))))
        k = min(reach, max(_LEAST_WINDOWS, _WINDOWS_PER_FILE * wanted))
        while True:
            found = [self._index.search(query, k, allowed=allowed)[0] for query in asked.index_queries() if k]
            near = np.unique(np.concatenate([worded.labels[:0], *found]))
            windows = worded.joined(
                self._repository.windows_of_labels(np.setdiff1d(near, worded.labels, assume_unique=True))
            )
            windows = windows.taken(~np.isin(windows.files, excluded))
            if k >= reach or len(np.unique(windows.files)) >= wanted:
                break
            k = min(reach, 4 * k)
        return self._score(asked, windows)

    def _denials(self, query: Query, scope: IntArray | None) -> dict[int, float]:
        """For files in whose text the words of a negative stand, what is left of their relevance, 0 to 1."""
        left: dict[int, float] = {}
        for negative in query.negatives:
            wanted = content_words(negative.text)
            for file_id, found in self._lexical.find(wanted, limit=_DENIED_FILES, among=scope).items():
                factor = denied_by_words(lexical_relevance(found, wanted)) ** negative.weight
                left[file_id] = left.get(file_id, 1.0) * factor
        return left

    def _hits(
        self, query: Query, asked: Asked, scored: Scored, words: Words, denials: Mapping[int, float], *, limit: int
    ) -> tuple[Hit, ...]:
        rows_of = _rows_by_file(scored.files)
        demanded, hints, text_share = query.lexical.demanded_share**2, query.lexical.hints, query.text_share
        # Of hundreds of files most hold the same words in the same places.
        literal = cache(lambda found: max(demanded, lexical_relevance(dict(found), hints)))
        ranked = []
        for file_id in rows_of.keys() | words.keys():
            row = int(rows_of[file_id][0]) if file_id in rows_of else None
            semantic, kept = (0.0, 1.0) if row is None else (float(scored.wanted[row]), float(scored.kept[row]))
            # Whatever is here has the words that were demanded, wherever they stand in its text.
            lexical = text_share * literal(tuple(words.get(file_id, {}).items()))
            relevance = fuse(semantic, lexical) * kept * denials.get(file_id, 1.0)
            # Rows are in order of merit, which tells apart what rounds to the same relevance.
            ranked.append((-relevance, len(scored.files) if row is None else row, file_id))
        ranked.sort()
        files = self._repository.files_by_id([file_id for _, _, file_id in ranked[:limit]])
        # A file may have been removed by another process a moment ago.
        present = [(relevance, file_id) for relevance, _, file_id in ranked[:limit] if file_id in files]
        none = np.zeros(0, dtype=np.int64)
        return tuple(
            _hit(rank, files[file_id], -relevance, asked, scored, rows_of.get(file_id, none), words.get(file_id, {}))
            for rank, (relevance, file_id) in enumerate(present, start=1)
        )

    def _listed(self, scope: IntArray, *, limit: int, without: Collection[int]) -> tuple[Hit, ...]:
        """Files that pass the filters of a query that describes no sound, by path."""
        wanted = scope[~np.isin(scope, np.fromiter(without, dtype=np.int64))]
        files = self._repository.files_by_path(wanted, limit=limit)
        return tuple(
            Hit(
                rank=rank,
                file_id=file.id,
                path=file.path,
                span=None if file.duration_s is None else Span(0.0, file.duration_s),
                score=0.0,
                relevance=1.0,
                why=Why(),
                category=file.ucs_cat_id or "",
                container=file.container or "",
                duration_s=file.duration_s,
                is_offline=file.is_offline,
            )
            for rank, file in enumerate(files, start=1)
        )


def _hit(
    rank: int,
    file: FileRow,
    relevance: float,
    asked: Asked,
    scored: Scored,
    rows: IntArray,
    found: Mapping[str, frozenset[str]],
) -> Hit:
    moments = _moments(scored, rows)
    parts, negatives = scored.part_scores(asked, int(rows[0])) if len(rows) else ((), ())
    lexical = tuple(LexicalHit(field, tuple(sorted(words))) for field, words in found.items())
    return Hit(
        rank=rank,
        file_id=file.id,
        path=file.path,
        span=moments[0].span if moments else None,
        score=moments[0].score if moments else 0.0,
        relevance=relevance,
        why=Why(parts, negatives, lexical),
        moments=moments,
        category=file.ucs_cat_id or "",
        container=file.container or "",
        duration_s=file.duration_s,
        is_offline=file.is_offline,
    )


def _rows_by_file(files: IntArray) -> dict[int, IntArray]:
    """For each file its rows, best first as the rows are."""
    order = np.argsort(files, kind="stable")
    unique, starts = np.unique(files[order], return_index=True)
    return dict(zip(unique.tolist(), np.split(order, starts[1:]), strict=True)) if len(files) else {}


def _moments(scored: Scored, rows: IntArray) -> tuple[Moment, ...]:
    """The best stretches of one file that do not overlap: the very best, and others only where they match."""
    moments: list[Moment] = []
    for row in rows:
        relevance = float(scored.relevance[row])
        if len(moments) == _MOMENTS_PER_FILE or (moments and relevance < RELEVANCE_CUT):
            break
        span = Span(float(scored.starts_s[row]), float(scored.ends_s[row]))
        if all(span.end_s <= other.span.start_s or other.span.end_s <= span.start_s for other in moments):
            moments.append(Moment(span, float(scored.score[row]), relevance))
    return tuple(moments)
