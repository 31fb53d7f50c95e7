"""The engine over a catalogue whose embeddings are chosen by hand: three kinds of sound at right angles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from core.catalogue import Catalogue
from core.catalogue.repository import Repository
from core.catalogue.vectors import CatalogueVectors
from core.encoders.card import Calibration, LogisticFit
from core.encoders.relevance import Relevance
from core.index import LibraryIndex, open_index
from core.search.engine import SearchEngine
from core.search.query import ClipPart, TextPart, build_query
from core.types import Span

MODEL, DIMENSION = "by-hand-1.0.0", 4
BARK, GROWL, RAIN, OTHER = np.eye(DIMENSION, dtype=np.float32)
NOWHERE = np.full(DIMENSION, -0.5, dtype=np.float32)
MEANINGS = {"bark": BARK, "growl": GROWL, "rain": RAIN, "nonsense": OTHER}


def unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


FILES: dict[str, list[np.ndarray]] = {
    "dogs/rex.wav": [unit(BARK + 0.1 * GROWL)],
    "dogs/angry.wav": [unit(0.8 * BARK + GROWL)],
    "dogs/long.flac": [RAIN, unit(BARK + 0.2 * RAIN), RAIN, RAIN, unit(BARK + 0.3 * RAIN)],
    "weather/rain.wav": [RAIN, RAIN],
    "weather/bark of a tree.wav": [unit(RAIN + 0.5 * OTHER)],
}


class NamedEncoder:
    """Knows the words of `MEANINGS`."""

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([unit(sum(MEANINGS.get(word, NOWHERE) for word in text.split())) for text in texts])


def fill(catalogue: Catalogue, files: dict[str, list[np.ndarray]]) -> None:
    with catalogue.writing_connection() as connection, connection.begin():
        run = connection.exec_driver_sql
        run("INSERT INTO models VALUES (?, ?, 0)", (MODEL, DIMENSION))
        run("INSERT INTO roots VALUES (1, ?, '/sounds', 'online', 0)", (b"/sounds",))
        for file_id, (path, vectors) in enumerate(files.items(), start=1):
            folder, _, name = path.rpartition("/")
            run(
                "INSERT INTO files (id, root_id, relative_path, display_path, folder, name, extension, size, mtime_ns, "
                "state, container, duration_s, added_at) VALUES (?, 1, ?, ?, ?, ?, ?, 1, 1, 'ready', ?, ?, 0)",
                (
                    file_id,
                    path.encode(),
                    path,
                    folder,
                    name,
                    path[-3:],
                    path.rpartition(".")[2],
                    5.0 * len(vectors) + 5,
                ),
            )
            run(
                "INSERT INTO file_text (rowid, name, folder, metadata, captions) VALUES (?, ?, ?, '', '')",
                (file_id, name, folder),
            )
            for number, vector in enumerate(vectors):
                window = run(
                    "INSERT INTO windows (file_id, start_s, end_s) VALUES (?, ?, ?)",
                    (file_id, 5.0 * number, 5.0 * number + 10),
                ).lastrowid
                run(
                    "INSERT INTO embeddings (window_id, file_id, model_id, vector) VALUES (?, ?, ?, ?)",
                    (window, file_id, MODEL, vector.astype("<f2").tobytes()),
                )


FIT = LogisticFit(score=20.0, surprise=0.0, bias=-10.0)
RELEVANCE = Relevance(Calibration(text=FIT, clip=FIT), np.eye(DIMENSION, dtype=np.float32))


def engine_of(catalogue: Catalogue, folder: Path) -> SearchEngine:
    return SearchEngine(
        Repository(catalogue, model_id=MODEL, dimension=DIMENSION),
        open_index(folder, CatalogueVectors(catalogue, model_id=MODEL, dimension=DIMENSION), read_only=True),
        encoder=NamedEncoder,
        clip_vector=lambda clip: MEANINGS[clip.path.stem],
        relevance=RELEVANCE,
    )


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path / "library") as opened:
        fill(opened, FILES)
        yield opened


@pytest.fixture
def engine(catalogue: Catalogue, tmp_path: Path) -> SearchEngine:
    return engine_of(catalogue, tmp_path / "index")


def barking(vector: np.ndarray) -> float:
    """How likely a window of this vector is a bark, judged alone."""
    stored = vector.astype("<f2").astype(np.float32)[None]
    odds = RELEVANCE.log_odds(BARK, stored @ BARK, "text")
    return float(1 / (1 + np.exp(-odds[0])))


def names(hits) -> list[str]:
    return [hit.path.name for hit in hits]


def test_that_a_file_is_one_hit_at_its_best_moment_and_names_the_others(engine):
    hits = {hit.path.name: hit for hit in engine.search(build_query("bark"), show_all=True).hits}
    assert len(hits) == len(FILES)
    long = hits["long.flac"]
    assert long.span == Span(5, 15)
    assert [moment.span for moment in long.moments] == [Span(5, 15), Span(20, 30)]
    assert long.score == long.moments[0].score > long.moments[1].score


def test_that_hits_are_cut_where_the_relevance_falls_below_one_half(engine):
    result = engine.search(build_query("growl"))
    assert names(result.hits) == ["angry.wav"]
    assert all(hit.relevance >= 0.5 for hit in result.hits)
    assert result.considered == len(FILES)


def test_that_an_absurd_query_matches_nothing_and_shows_the_closest_only_as_such(engine):
    result = engine.search(build_query("nonsense", where=["folder=dogs"]))
    assert result.nothing_matches
    assert len(result.closest) == 3
    assert all(hit.relevance < 0.5 for hit in result.closest)


def test_that_ranks_begin_at_one_and_relevance_never_rises(engine):
    hits = engine.search(build_query("rain"), show_all=True).hits
    assert [hit.rank for hit in hits] == list(range(1, len(FILES) + 1))
    relevances = [hit.relevance for hit in hits]
    assert relevances == sorted(relevances, reverse=True)


def test_that_a_negative_sinks_what_resembles_it_and_says_so(engine):
    plain = engine.search(build_query("bark"), show_all=True).hits
    without = engine.search(build_query("bark", negatives=["growl"]), show_all=True).hits
    assert names(without).index("angry.wav") > names(plain).index("angry.wav")
    angry = next(hit for hit in without if hit.path.name == "angry.wav")
    assert angry.relevance < 0.5
    assert [(part.kind, part.label) for part in angry.why.negatives] == [("not", "growl")]
    assert names(without)[:2] == ["rex.wav", "long.flac"]


def test_that_the_words_of_a_negative_in_a_name_sink_the_file_too(engine):
    plain = {hit.path.name: hit.relevance for hit in engine.search(build_query("rain"), show_all=True).hits}
    without = {
        hit.path.name: hit.relevance
        for hit in engine.search(build_query("rain", negatives=["tree"]), show_all=True).hits
    }
    assert without["bark of a tree.wav"] < 0.2 * plain["bark of a tree.wav"]
    assert without["rain.wav"] == pytest.approx(plain["rain.wav"], rel=0.01)


def test_that_negatives_alone_leave_everything_else(engine):
    hits = engine.search(build_query(negatives=["rain"])).hits
    assert set(names(hits)) >= {"rex.wav", "angry.wav"}
    assert "rain.wav" not in names(hits)


def test_that_parts_are_scored_one_by_one_and_weighed(engine):
    query = build_query("bark", clips=[ClipPart(Path("rain.wav"), weight=3)])
    hits = engine.search(query, show_all=True).hits
    best = hits[0]
    assert [(part.kind, part.label, part.weight) for part in best.why.parts] == [
        ("text", "bark", 1.0),
        ("clip", "rain.wav", 3),
    ]
    assert best.score == pytest.approx(0.25 * best.why.parts[0].score + 0.75 * best.why.parts[1].score, abs=1e-6)
    assert set(names(hits)[:2]) == {"rain.wav", "long.flac"}


def test_that_words_in_a_name_find_a_file_whose_sound_does_not_fit(engine):
    result = engine.search(build_query("bark"))
    tree = next(hit for hit in result.hits if hit.path.name == "bark of a tree.wav")
    assert tree.relevance >= 0.5
    assert [(found.field, found.words) for found in tree.why.lexical] == [("name", ("bark",))]
    assert tree.why.parts[0].relevance < 0.1


def test_that_filters_and_literal_words_hold_before_the_count(engine):
    assert set(names(engine.search(build_query("bark", where=["folder=dogs"]), show_all=True, limit=9).hits)) == {
        "rex.wav",
        "angry.wav",
        "long.flac",
    }
    assert names(engine.search(build_query("bark AND tree"), show_all=True).hits) == ["bark of a tree.wav"]
    assert "bark of a tree.wav" not in names(engine.search(build_query("bark -tree"), show_all=True).hits)
    assert names(engine.search(build_query("bark format:flac"), show_all=True).hits) == ["long.flac"]


def test_that_filters_come_before_the_limit_on_words_too(tmp_path):
    better = {f"dogs/bark {number}.wav": [OTHER] for number in range(400)}
    with Catalogue.open(tmp_path / "crowded") as crowded:
        fill(crowded, better | {"far/a long name with bark somewhere in the middle of it.flac": [OTHER]})
        engine = engine_of(crowded, tmp_path / "index")
        hits = engine.search(build_query("bark format:flac")).hits
    assert [hit.why.lexical[0].words for hit in hits] == [("bark",)]


def test_that_a_filter_alone_lists_by_path(engine):
    assert names(engine.search(build_query("folder:dogs")).hits) == ["angry.wav", "long.flac", "rex.wav"]
    assert names(engine.search(build_query("folder:dogs"), limit=1).hits) == ["angry.wav"]


def test_that_a_filter_that_nothing_passes_is_told_apart_from_no_match(engine):
    result = engine.search(build_query("bark", where=["channels=7"]))
    assert result.nothing_matches
    assert result.considered == 0


def test_that_missing_files_are_no_hits(engine, catalogue):
    with catalogue.writing_connection() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE files SET state = 'missing' WHERE name = 'rex.wav'")
    result = engine.search(build_query("bark"), show_all=True)
    assert "rex.wav" not in names(result.hits)
    assert result.considered == len(FILES) - 1


def test_that_a_file_without_embeddings_is_found_by_its_name_alone(engine, catalogue):
    with catalogue.writing_connection() as connection, connection.begin():
        connection.exec_driver_sql("DELETE FROM windows WHERE file_id = 1")
        connection.exec_driver_sql("UPDATE files SET state = 'scanned', duration_s = NULL WHERE id = 1")
        connection.exec_driver_sql("UPDATE file_text SET name = 'rex barks.wav' WHERE rowid = 1")
    hit = next(hit for hit in engine.search(build_query("bark")).hits if hit.file_id == 1)
    assert hit.span is None
    assert hit.why.lexical


def test_that_one_file_of_many_windows_does_not_crowd_out_the_others(tmp_path):
    files = {"long.wav": [BARK] * 800} | {f"short {number}.wav": [unit(BARK + RAIN)] for number in range(5)}
    with Catalogue.open(tmp_path / "crowded") as crowded:
        fill(crowded, files)
        hits = engine_of(crowded, tmp_path / "index").search(build_query("bark"), show_all=True, limit=6).hits
    assert len(hits) == 6
    assert hits[0].path.name == "long.wav"


def test_that_an_empty_library_has_no_matches(tmp_path):
    with Catalogue.open(tmp_path / "empty") as empty:
        fill(empty, {})
        result = engine_of(empty, tmp_path / "index").search(build_query("bark"))
    assert result.nothing_matches
    assert result.closest == ()


def test_that_a_negative_counts_by_its_weight(engine):
    def relevance(weight: float) -> float:
        hits = engine.search(build_query("bark", negatives=[TextPart("growl", weight)]), show_all=True).hits
        return next(hit.relevance for hit in hits if hit.path.name == "angry.wav")

    plain = next(
        hit.relevance for hit in engine.search(build_query("bark"), show_all=True).hits if hit.path.name == "angry.wav"
    )
    assert plain > relevance(0.25) > relevance(1.0) > relevance(3.0)
    unweighted = engine.search(build_query("bark", negatives=["growl"]), show_all=True).hits
    assert next(hit.relevance for hit in unweighted if hit.path.name == "angry.wav") == relevance(1.0)


def test_that_a_search_can_stay_inside_the_results_of_another(engine):
    result = engine.search(build_query("bark"), within=[2, 4, 999], show_all=True)
    assert names(result.hits) == ["angry.wav", "rain.wav"]
    assert result.considered == 2
    assert engine.search(build_query("bark"), within=[], show_all=True).hits == ()
    both = engine.search(build_query("bark", where=["folder=dogs"]), within=np.array([4, 3]), show_all=True)
    assert names(both.hits) == ["long.flac"]


def test_that_every_window_of_a_file_tells_how_it_fits_in_the_order_of_time(engine):
    curve = engine.moments(build_query("bark"), 3)
    assert [score.span for score in curve] == [Span(5.0 * number, 5.0 * number + 10) for number in range(5)]
    assert [score.relevance > 0.5 for score in curve] == [False, True, False, False, True]
    best = next(hit for hit in engine.search(build_query("bark"), show_all=True).hits if hit.file_id == 3)
    assert max(score.relevance for score in curve) == pytest.approx(best.moments[0].relevance)
    assert engine.moments(build_query("bark"), 999) == ()
    assert engine.moments(build_query("format:wav"), 3) == ()


def test_that_literal_words_that_stand_anywhere_in_the_text_are_a_match(engine, catalogue):
    with catalogue.writing_connection() as connection, connection.begin():
        connection.exec_driver_sql("UPDATE file_text SET captions = 'a steam whistle far away' WHERE rowid = 4")
    assert names(engine.search(build_query('"steam whistle"')).hits) == ["rain.wav"]
    assert names(engine.search(build_query("steam AND whistle")).hits) == ["rain.wav"]
    # Not demanded, the words are one witness among others, and captions may err.
    assert engine.search(build_query("nonsense whistle")).nothing_matches


def test_that_rows_removed_during_a_search_do_no_harm(engine, catalogue, monkeypatch):
    spans = Repository.windows_of_labels

    def spans_and_removal(self, labels):
        found = spans(self, labels)
        with catalogue.writing_connection() as connection, connection.begin():
            connection.exec_driver_sql("DELETE FROM files WHERE name = 'rex.wav'")
        return found

    monkeypatch.setattr(Repository, "windows_of_labels", spans_and_removal)
    assert "rex.wav" not in names(engine.search(build_query("bark"), show_all=True).hits)
    assert engine.moments(build_query("bark"), 1) == ()


def test_that_vectors_that_the_index_does_not_hold_are_read_from_the_catalogue(engine, monkeypatch):
    queries = [build_query("bark"), build_query("rain", negatives=["bark"])]
    expected = [engine.search(query, show_all=True) for query in queries]
    curve = engine.moments(queries[0], 3)
    of_index = LibraryIndex.held
    asked: list[int] = []

    def odd_ones(self, labels):
        asked.extend(labels.tolist())
        held, vectors = of_index(self, labels)
        assert held.all()
        odd = labels % 2 == 1
        return odd, vectors[odd]

    monkeypatch.setattr(LibraryIndex, "held", odd_ones)
    assert [engine.search(query, show_all=True) for query in queries] == expected
    assert engine.moments(queries[0], 3) == curve
    assert {label % 2 for label in asked} == {0, 1}


def test_that_a_file_that_was_indexed_anew_and_another_library_are_judged_by_their_own_windows(catalogue, tmp_path):
    def found(engine: SearchEngine) -> dict[str, float]:
        hits = engine.search(build_query("bark"), show_all=True).hits
        return {hit.path.name: hit.why.parts[0].relevance for hit in hits if hit.why.parts}

    engine = engine_of(catalogue, tmp_path / "index")
    assert found(engine)["rex.wav"] == pytest.approx(barking(FILES["dogs/rex.wav"][0]))
    with catalogue.writing_connection() as connection, connection.begin():
        run = connection.exec_driver_sql
        # The last window goes too: its row is free for the new one, its label is not.
        run("DELETE FROM windows WHERE file_id IN (1, 5)")
        window = run("INSERT INTO windows (file_id, start_s, end_s) VALUES (1, 0, 10)").lastrowid
        run(
            "INSERT INTO embeddings (window_id, file_id, model_id, vector) VALUES (?, 1, ?, ?)",
            (window, MODEL, RAIN.astype("<f2").tobytes()),
        )
    assert found(engine)["rex.wav"] == pytest.approx(barking(RAIN))
    # The same labels, other sounds.
    with Catalogue.open(tmp_path / "other") as other:
        fill(other, dict(zip(FILES, reversed(FILES.values()), strict=True)))
        elsewhere = found(engine_of(other, tmp_path / "other index"))
    assert elsewhere["rex.wav"] == pytest.approx(barking(FILES["weather/bark of a tree.wav"][0]))
    assert elsewhere["bark of a tree.wav"] == pytest.approx(barking(FILES["dogs/rex.wav"][0]))
