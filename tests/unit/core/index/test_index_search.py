"""What a search answers, whatever the index is made of."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from memory_source import DIMENSION, SMALL, MemorySource, clustered, finish, recall

from core.errors import CancelledError
from core.index import IndexSettings, LibraryIndex, VectorIndex, VectorSource, open_index
from core.jobs import CancelToken

QUERIES = clustered(40, seed=9)


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """6,150 rows: three full graphs and a tail, labels with holes and beyond 32 bits."""
    source = MemorySource(first_row=2**33)
    source.put(clustered(3_000))
    source.put(clustered(20, seed=77))
    source.drop(source.labels[-20:])
    source.put(clustered(3_000, seed=1))
    index = open_index(tmp_path_factory.mktemp("index"), source, read_only=False, settings=SMALL)
    finish(index)
    source.put(clustered(150, seed=2))
    index.refresh()
    return index, source


def test_that_the_index_and_the_test_source_keep_the_protocols(big):
    index: VectorIndex = big[0]
    source: VectorSource = big[1]
    assert index.count == source.count() == 6_150


@pytest.mark.parametrize("rows", [0, 1, 7, 300])
def test_that_a_small_library_is_searched_exactly_and_writes_no_graph(tmp_path, rows):
    source = MemorySource()
    source.put(clustered(rows))
    index = open_index(tmp_path, source, read_only=False, settings=SMALL)
    assert finish(index) == []
    assert list(tmp_path.glob("segment-*")) == []
    for query in QUERIES:
        labels, scores = index.search(query, 10)
        wanted, wanted_scores = source.best(query, 10)
        np.testing.assert_array_equal(labels, wanted)
        np.testing.assert_allclose(scores, wanted_scores, atol=1e-6)


def test_that_a_search_over_graphs_finds_what_is_there(big):
    index, source = big
    status = index.status()
    assert (status.segments, status.graph_rows, status.memory_rows) == (3, 6_000, 150)
    assert recall(index, source, QUERIES) >= 0.98
    assert recall(index, source, 7.5 * QUERIES[:5], k=100) >= 0.98


def test_that_graphs_do_answer_where_they_are_allowed_to(big, monkeypatch):
    index, _ = big
    monkeypatch.setattr(
        "core.index.segment.Part._search_exactly", lambda *_: pytest.fail("the graph should have answered")
    )
    assert index.search(QUERIES[0], 10)[0].size == 10


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("settings", [SMALL, IndexSettings()])
def test_that_a_filter_applies_before_the_best_are_chosen(big, share, settings):
    index, source = big
    for part in index._snapshot.parts:
        part._settings = settings
    random = np.random.default_rng(3)
    allowed = np.sort(random.choice(source.labels, int(share * source.count()), replace=False))
    try:
        assert recall(index, source, QUERIES, allowed=allowed) >= 0.95
    finally:
        for part in index._snapshot.parts:
            part._settings = SMALL


def test_that_a_filter_on_the_far_side_of_the_query_still_gives_all_results(big):
    index, source = big
    query = QUERIES[3]
    far = np.sort(source.labels[np.argsort(source.matrix @ query)[:2_500]])
    assert recall(index, source, query[None], allowed=far) >= 0.95


def test_that_a_filter_may_be_empty_unsorted_repeated_and_name_strangers(big):
    index, source = big
    assert index.search(QUERIES[0], 10, allowed=np.empty(0, np.int64))[0].size == 0
    assert index.search(QUERIES[0], 10, allowed=np.array([1, 2, 3]))[0].size == 0
    known = source.labels[[6_100, 5, 3_500]]
    allowed = np.concatenate([known, known, [-4, 2**62]])
    labels, _ = index.search(QUERIES[0], 10, allowed=allowed)
    assert sorted(labels.tolist()) == sorted(known.tolist())
    assert recall(index, source, QUERIES[:5], allowed=source.labels) >= 0.98


def test_that_more_results_than_rows_gives_every_row(big):
    index, source = big
    labels, _ = index.search(QUERIES[0], 10_000)
    np.testing.assert_array_equal(np.sort(labels), source.labels)


def test_that_equal_scores_are_ordered_by_label(tmp_path):
    source = MemorySource()
    source.put(np.repeat(clustered(1), 50, axis=0))
    index = open_index(tmp_path, source, read_only=True, settings=SMALL)
    labels, _ = index.search(QUERIES[0], 5)
    assert labels.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (np.zeros(DIMENSION + 1, np.float32), "shape"),
        (np.zeros((1, DIMENSION), np.float32), "shape"),
        (np.full(DIMENSION, np.nan, np.float32), "finite"),
        (np.full(DIMENSION, np.inf, np.float32), "finite"),
        (np.full(DIMENSION, 1e300), "finite"),
    ],
)
def test_that_an_impossible_query_is_refused(big, query, message):
    with pytest.raises(ValueError, match=message):
        big[0].search(query, 10)


def test_that_no_results_cannot_be_asked_for(big):
    with pytest.raises(ValueError, match="1 result"):
        big[0].search(QUERIES[0], 0)


def test_that_vectors_come_back_in_the_order_asked_for(big):
    index, source = big
    places = np.array([6_140, 3, 5_999, 0, 3])
    held, vectors = index.held(np.append(source.labels[places], 12))
    assert held.tolist() == [True] * len(places) + [False]
    np.testing.assert_array_equal(vectors, source.matrix[places])


def test_that_a_graph_is_loaded_by_the_second_search(tmp_path):
    source = MemorySource()
    source.put(clustered(5_000))
    finish(open_index(tmp_path, source, read_only=False, settings=SMALL))
    index = open_index(tmp_path, source, read_only=True, settings=SMALL)

    def loaded() -> list[bool]:
        return [part.segment.loaded for part in index._snapshot.parts]

    assert set(loaded()) == {False}
    assert index.search(QUERIES[0], 10)[0].tolist() == source.best(QUERIES[0], 10)[0].tolist()
    assert set(loaded()) == {False}
    assert recall(index, source, QUERIES) >= 0.98
    assert set(loaded()) == {True}
    index = open_index(tmp_path, source, read_only=True, settings=SMALL)
    stopped = CancelToken()
    stopped.cancel()
    with pytest.raises(CancelledError):
        index.load(stopped)
    assert set(loaded()) == {False}
    index.load()
    assert set(loaded()) == {True}


def test_that_vectors_with_impossible_values_do_no_harm(tmp_path, caplog):
    source = MemorySource()
    vectors = clustered(700)
    vectors[5] = np.nan
    source.put(vectors)
    index = open_index(tmp_path, source, read_only=False, settings=SMALL)
    finish(index)
    assert index.count == 700
    assert "impossible values" in caplog.text
    labels, scores = index.search(QUERIES[0], 700)
    assert np.isfinite(scores).all()
    assert scores[labels == 6] == 0


@pytest.mark.parametrize("read_only", [True, False])
def test_that_a_library_without_graphs_is_searched_in_bounded_memory(tmp_path, read_only):
    source = MemorySource()
    source.put(clustered(5_000))
    index = open_index(tmp_path, source, read_only=read_only, settings=SMALL)
    assert index.status().memory_rows == SMALL.memory_rows
    assert not index.status().complete
    assert recall(index, source, QUERIES[:10]) == 1.0
    allowed = source.labels[::7]
    assert recall(index, source, QUERIES[:5], allowed=allowed) == 1.0
    held, vectors = index.held(np.array([5_000, 1]))
    assert held.tolist() == [False, True]
    np.testing.assert_array_equal(vectors, source.matrix[:1])


def test_that_searches_go_on_while_rows_come_and_go(tmp_path):
    source = MemorySource()
    first = source.put(clustered(500))
    # Which rows meet in a graph depends on the threads here, so it is built with more than the least care.
    careful = replace(SMALL, build_breadth=200, search_breadth=128)
    index: LibraryIndex = open_index(tmp_path, source, read_only=False, settings=careful)
    failures: list[BaseException] = []
    searches = [0, 0, 0]
    done = threading.Event()

    def search(number: int) -> None:
        try:
            while not done.is_set() or not searches[number]:
                query = QUERIES[searches[number] % len(QUERIES)]
                labels, scores = index.search(query, 10)
                assert labels.size == np.unique(labels).size == 10
                held, vectors = index.held(labels)
                np.testing.assert_allclose(vectors @ query, scores[held], atol=1e-5)
                searches[number] += 1
        except BaseException as error:  # noqa: BLE001 - raised again by the test
            failures.append(error)

    threads = [threading.Thread(target=search, args=(number,)) for number in range(len(searches))]
    for thread in threads:
        thread.start()
    try:
        for round_number in range(6):
            source.put(clustered(500, seed=round_number))
            index.refresh()
            finish(index)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[0]
    assert first.size < index.count == 3_500
    assert recall(index, source, QUERIES) >= 0.98


def test_that_the_default_settings_send_a_large_filter_to_the_graph_and_a_small_one_to_exact_search(big, monkeypatch):
    index, source = big
    part = index._snapshot.parts[0]
    asked: list[int] = []
    through_graph = type(part)._search_graph

    def watch(self, query, k, fetched, allowed, floor):
        asked.append(fetched)
        return through_graph(self, query, k, fetched, allowed, floor)

    monkeypatch.setattr(type(part), "_search_graph", watch)
    part._settings = replace(SMALL, exact_premium=1.0)
    try:
        part.search(QUERIES[0], 10, source.labels[:100], -np.inf)
        assert asked == []
        part.search(QUERIES[0], 10, source.labels[:1_900], -np.inf)
        assert asked == [64]
    finally:
        part._settings = SMALL
