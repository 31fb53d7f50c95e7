"""Growing, saving, following the source, compaction, cancellation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from memory_source import SMALL, MemorySource, clustered, finish, recall

from core.errors import CancelledError, LibraryBusyError, LibraryError
from core.index import index_folder, open_index
from core.jobs import CancelToken

QUERIES = clustered(20, seed=9)


@pytest.fixture
def source():
    source = MemorySource()
    source.put(clustered(3_000))
    return source


def opened(folder, source, *, read_only=False):
    return open_index(folder, source, read_only=read_only, settings=SMALL)


def test_that_a_saved_index_is_loaded_and_not_built_again(tmp_path, source):
    finish(opened(tmp_path, source))
    source.rows_read = 0
    index = opened(tmp_path, source)
    assert index.status().segments == 2
    assert source.rows_read < 100
    assert finish(index) == []
    assert recall(index, source, QUERIES) >= 0.98
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["model_id"], manifest["dimension"]) == ("model-1", 16)
    assert (manifest["count"], manifest["last_row"]) == (3_000, 3_000)


def test_that_rows_added_and_removed_while_closed_are_taken_up(tmp_path, source):
    finish(opened(tmp_path, source))
    added = source.put(clustered(100, seed=5))
    source.drop(np.array([1, 1_500, 3_000, int(added[0])]))
    for read_only in (True, False):
        index = opened(tmp_path, source, read_only=read_only)
        assert index.count == source.count() == 3_096
        assert index.status().dead_rows == 3
        assert recall(index, source, QUERIES) >= 0.98
        assert not index.held(np.array([1_500]))[0].any()


def test_that_a_removed_row_is_found_no_more(tmp_path, source):
    index = opened(tmp_path, source)
    finish(index)
    source.put(clustered(50, seed=5))
    index.refresh()
    for label in (700, 2_500, 3_020):
        vector = index.held(np.array([label]))[1][0]
        assert label in index.search(vector, 5)[0]
        source.drop(np.array([label]))
        assert index.refresh()
        assert label not in index.search(vector, 3_000)[0]
        assert label not in index.search(vector, 5, allowed=np.array([label, label + 1]))[0]
    assert not index.refresh()


def test_that_a_removal_is_remembered_by_graphs_that_grow_and_by_saved_ones(tmp_path, source):
    finish(opened(tmp_path, source))
    index = opened(tmp_path, source)
    source.drop(np.arange(2_100, 2_200))
    source.put(clustered(500, seed=6))
    finish(index)
    assert index.status().segments == 2
    for checked in (index, opened(tmp_path, source)):
        assert checked.count == 3_400
        assert checked.status().dead_rows == 100
        assert recall(checked, source, QUERIES, k=20) >= 0.98


def test_that_few_new_rows_stay_outside_the_graph_and_many_go_into_the_last_one(tmp_path, source):
    index = opened(tmp_path, source)
    finish(index)
    source.put(clustered(150, seed=5))
    assert finish(index) == []
    assert index.status().memory_rows == 150
    source.put(clustered(150, seed=6))
    events = finish(index)
    assert [(event.stage, event.done, event.total) for event in events] == [
        ("graph", done, 300) for done in (100, 200, 300)
    ]
    status = index.status()
    assert (status.segments, status.graph_rows, status.memory_rows) == (2, 3_300, 0)
    assert len(list(tmp_path.glob("segment-*"))) == 2


def test_that_a_segment_with_many_dead_rows_is_built_anew(tmp_path, source):
    index = opened(tmp_path, source)
    finish(index)
    source.drop(np.arange(1, 400))
    assert finish(index) == []
    source.drop(np.arange(400, 800))
    events = finish(index)
    assert (events[-1].stage, events[-1].done, events[-1].total) == ("compact", 1_201, 1_201)
    for checked in (index, opened(tmp_path, source)):
        assert checked.status().dead_rows == 0
        assert checked.count == source.count() == 2_201
        assert recall(checked, source, QUERIES) >= 0.98


def test_that_segments_whose_rows_are_all_gone_leave_nothing_behind(tmp_path, source):
    index = opened(tmp_path, source)
    finish(index)
    source.drop(np.arange(1, 2_001))
    finish(index)
    reopened = opened(tmp_path, source)
    for checked in (index, reopened):
        status = checked.status()
        assert (status.segments, status.count, status.complete, status.problem) == (1, 1_000, True, "")
    source.drop(np.arange(2_001, 3_001))
    finish(reopened)
    assert reopened.status().segments == 0
    assert list(tmp_path.glob("segment-*")) == []
    source.put(clustered(300, seed=4))
    again = opened(tmp_path, source)
    assert again.count == 300
    assert again.search(QUERIES[0], 5)[0].min() > 3_000


def test_that_a_reader_sees_what_a_writer_commits_and_builds(tmp_path, source):
    writer = opened(tmp_path, source)
    reader = opened(tmp_path, source, read_only=True)
    assert reader.status().segments == 0
    finish(writer)
    assert reader.refresh()
    assert (reader.status().segments, reader.status().memory_rows) == (2, 0)
    source.put(clustered(50, seed=5))
    source.drop(np.array([10]))
    assert reader.refresh()
    assert not reader.refresh()
    assert (reader.count, reader.status().memory_rows) == (3_049, 50)
    source.put(clustered(300, seed=6))
    finish(writer)
    assert reader.refresh()
    assert (reader.count, reader.status().memory_rows) == (3_349, 0)
    assert recall(reader, source, QUERIES) >= 0.98


def test_that_a_reader_writes_nothing(tmp_path, source):
    reader = opened(tmp_path / "index", source, read_only=True)
    assert reader.search(QUERIES[0], 10)[0].size == 10
    with pytest.raises(LibraryError, match="reading only"):
        finish(reader)
    assert not (tmp_path / "index").exists()


def test_that_a_second_build_at_the_same_time_is_refused(tmp_path, source):
    index = opened(tmp_path, source)
    job = index.catch_up()
    next(job)
    with pytest.raises(LibraryBusyError):
        finish(index)
    job.close()
    assert finish(index)[-1].done == 3_000


def test_that_a_cancelled_build_keeps_what_it_has_and_goes_on_from_there(tmp_path, source):
    index = opened(tmp_path, source)
    token = CancelToken()
    job = index.catch_up(token)
    while next(job).done < 500:
        pass
    token.cancel()
    with pytest.raises(CancelledError):
        next(job)
    for checked in (index, opened(tmp_path, source)):
        assert checked.status().graph_rows == 500
        assert recall(checked, source, QUERIES[:5]) >= 0.98
    events = finish(opened(tmp_path, source))
    assert events[-1].done == events[-1].total == 2_500
    assert opened(tmp_path, source).verify() == ()


def test_that_a_build_cancelled_at_once_leaves_no_file(tmp_path, source):
    index = opened(tmp_path, source)
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        finish(index, token)
    assert list(tmp_path.glob("segment-*")) == []
    assert recall(index, source, QUERIES[:5]) == 1.0


def test_that_a_cancelled_compaction_leaves_the_old_graph(tmp_path, source):
    index = opened(tmp_path, source)
    finish(index)
    source.drop(np.arange(1, 800))
    token = CancelToken()
    job = index.catch_up(token)
    while next(job).done < 500:
        pass
    token.cancel()
    with pytest.raises(CancelledError):
        next(job)
    assert index.status().dead_rows == 799
    assert recall(index, source, QUERIES) >= 0.98
    assert opened(tmp_path, source).count == 2_201


def test_that_rows_removed_while_a_graph_is_built_are_dead_in_it(tmp_path, source):
    index = opened(tmp_path, source)
    job = index.catch_up()
    for event in job:
        if event.done == 1_000:
            source.drop(np.arange(1, 101))
            source.put(clustered(30, seed=8))
    for checked in (index, opened(tmp_path, source)):
        assert checked.count == source.count() == 2_930
        assert checked.search(QUERIES[0], 3_000)[0].min() == 101
        assert checked.verify() == ()


def test_that_an_index_lies_below_the_library_under_the_name_of_its_model(tmp_path):
    assert index_folder(tmp_path, "earshot-base-1.0.0") == tmp_path / "index" / "earshot-base-1.0.0"
    assert index_folder(tmp_path, "../evil/..").parent == tmp_path / "index"
    assert index_folder(tmp_path, "..").parent == tmp_path / "index"
    assert index_folder(tmp_path, "..").name not in (".", "..")
