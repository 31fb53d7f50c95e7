"""What happens to an index on disk that is damaged, foreign, or half written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from memory_source import SMALL, MemorySource, clustered, finish, recall

from core.errors import CancelledError, LibraryError
from core.index import open_index
from core.index.graph import GraphBuilder, map_vectors, scan_file
from core.jobs import CancelToken

QUERIES = clustered(15, seed=9)
ROWS = 3_000


@pytest.fixture
def source():
    source = MemorySource()
    source.put(clustered(ROWS))
    return source


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    source = MemorySource()
    source.put(clustered(ROWS))
    folder = tmp_path_factory.mktemp("original")
    finish(opened(folder, source))
    return folder


@pytest.fixture
def saved(tmp_path, original):
    return Path(shutil.copytree(original, tmp_path / "index"))


def opened(folder, source, *, read_only=False):
    return open_index(folder, source, read_only=read_only, settings=SMALL)


def segment_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("segment-*"), key=lambda path: int(path.name.split("-")[1], 16))


def flip(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x41
    path.write_bytes(content)


def truncate(path: Path, place: float) -> None:
    os.truncate(path, int(place * path.stat().st_size))


SEGMENT_DAMAGE = {
    "deleted": Path.unlink,
    "empty": lambda path: truncate(path, 0),
    "half": lambda path: truncate(path, 0.5),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "garbage": lambda path: path.write_bytes(os.urandom(path.stat().st_size)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    **{f"flipped at {place}": lambda path, place=place: flip(path, place) for place in (0, 0.00003, 0.3, 0.99, 1)},
}


@pytest.mark.parametrize("damage", SEGMENT_DAMAGE.values(), ids=SEGMENT_DAMAGE.keys())
@pytest.mark.parametrize("which", [0, 1])
def test_that_a_damaged_graph_is_searched_around_and_built_again_alone(saved, source, damage, which):
    files = segment_files(saved)
    whole = files[1 - which].name
    damage(files[which])
    source.put(clustered(50, seed=3))
    source.drop(np.array([100, 2_900]))

    reader = opened(saved, source, read_only=True)
    assert files[which].name in reader.status().problem
    assert recall(reader, source, QUERIES) >= 0.98
    gap_label = (50, 2_950)[which]
    held, vectors = reader.held(np.array([gap_label, 3_001]))
    assert held.tolist() == [False, True]
    np.testing.assert_array_equal(vectors, source.matrix[source.labels == 3_001])

    writer = opened(saved, source)
    events = finish(writer)
    assert {event.stage for event in events} == {"rebuild"}
    assert events[-1].done == (1_999, 999)[which]
    assert writer.status().problem == ""
    assert whole in {path.name for path in segment_files(saved)}
    assert reader.refresh()
    for checked in (reader, writer, opened(saved, source)):
        assert checked.verify() == ()
        assert (checked.status().complete, checked.count) == (True, ROWS + 48)
        assert recall(checked, source, QUERIES) >= 0.98


def edited(**changes):
    def change(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


MANIFEST_DAMAGE = {
    "empty": lambda path: truncate(path, 0),
    "half": lambda path: truncate(path, 0.5),
    "garbage": lambda path: path.write_bytes(os.urandom(500)),
    "huge": lambda path: os.truncate(path, 2**30),
    "not an object": lambda path: path.write_text("[1, 2]"),
    "another version": edited(format=2),
    "another model": edited(model_id="model-2"),
    "another dimension": edited(dimension=32),
    "unknown field": edited(surprise=1),
    "a path": lambda path: path.write_text(path.read_text().replace('"segment-', '"../segment-')),
    "overlap": lambda path: path.write_text(path.read_text().replace('"after_row": 2000', '"after_row": 5')),
}


@pytest.mark.parametrize("damage", MANIFEST_DAMAGE.values(), ids=MANIFEST_DAMAGE.keys())
def test_that_an_index_with_an_unusable_manifest_is_built_again(saved, source, damage):
    before = {path.name for path in segment_files(saved)}
    damage(saved / "manifest.json")
    reader = opened(saved, source, read_only=True)
    assert reader.status().problem
    assert reader.status().segments == 0
    assert recall(reader, source, QUERIES[:5]) == 1.0
    writer = opened(saved, source)
    events = finish(writer)
    assert (events[-1].stage, events[-1].done, events[-1].total) == ("rebuild", ROWS, ROWS)
    assert not before & {path.name for path in segment_files(saved)}
    assert opened(saved, source).verify() == ()


def test_that_a_missing_manifest_means_a_new_index(saved, source):
    (saved / "manifest.json").unlink()
    writer = opened(saved, source)
    assert writer.status().segments == 0
    finish(writer)
    assert len(segment_files(saved)) == 2
    assert opened(saved, source).verify() == ()


def test_that_a_catalogue_with_other_rows_makes_the_index_stale(saved):
    for seed in (1, 2):
        other = MemorySource()
        other.put(clustered(ROWS, seed=seed))
        index = opened(saved, other)
        assert "not what the catalogue holds" in index.status().problem
        assert recall(index, other, QUERIES[:5]) == 1.0
        finish(index)
        assert opened(saved, other).verify() == ()


@pytest.mark.parametrize("lost", [np.arange(1_990, 2_010), np.arange(2_002, 2_004), np.arange(2_500, 3_001)])
def test_that_rows_lost_without_a_tombstone_make_the_index_stale(saved, source, lost):
    source.drop(lost, leaving_tombstones=False)
    index = opened(saved, source)
    assert "catalogue" in index.status().problem
    finish(index)
    assert opened(saved, source).count == source.count()
    assert opened(saved, source).verify() == ()


def test_that_rows_lost_while_the_index_is_open_are_noticed_by_the_next_build(saved, source):
    index = opened(saved, source)
    source.put(clustered(100, seed=4))
    index.refresh()
    source.drop(np.array([7, 3_050]), leaving_tombstones=False)
    assert index.verify() != ()
    finish(index)
    assert index.count == source.count()
    assert index.verify() == ()


def test_that_an_index_deleted_while_it_is_open_is_built_again(saved, source):
    index = opened(saved, source)
    index.search(QUERIES[0], 10)
    shutil.rmtree(saved)
    assert recall(index, source, QUERIES[:5]) >= 0.98
    finish(index)
    assert len(segment_files(saved)) == 2
    assert opened(saved, source).verify() == ()


def test_that_verify_notices_damage_done_while_the_index_is_open(saved, source):
    index = opened(saved, source)
    assert index.verify() == ()
    flip(segment_files(saved)[0], 0.7)
    segment_files(saved)[1].unlink()
    assert len(index.verify()) == 2


def test_that_a_cancelled_rebuild_of_a_lost_graph_leaves_the_rest_of_its_rows_findable(saved, source):
    segment_files(saved)[0].unlink()
    index = opened(saved, source)
    token = CancelToken()
    job = index.catch_up(token)
    while next(job).done < 700:
        pass
    token.cancel()
    with pytest.raises(CancelledError):
        next(job)
    for checked in (index, opened(saved, source, read_only=True)):
        assert checked.status().graph_rows == 1_700
        assert recall(checked, source, QUERIES) >= 0.98
    writer = opened(saved, source)
    finish(writer)
    assert (writer.status().graph_rows, writer.status().segments, writer.verify()) == (ROWS, 3, ())


class PowerCutError(BaseException):
    """Nothing in the program catches this."""


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("step", range(8))
def test_that_a_crash_at_any_step_of_saving_leaves_the_old_or_the_new_index(saved, source, monkeypatch, call, step):
    source.drop(np.arange(1, 600))
    source.put(clustered(400, seed=5))
    index = opened(saved, source)
    real = getattr(os, call)
    calls = iter(range(100))

    def fail(*arguments):
        if next(calls) == step:
            raise PowerCutError
        return real(*arguments)

    monkeypatch.setattr(os, call, fail)
    crashed = False
    try:
        finish(index)
    except PowerCutError:
        crashed = True
    monkeypatch.undo()
    assert crashed == (step < {"replace": 4, "fsync": 8}[call])
    for checked in (opened(saved, source, read_only=True), opened(saved, source)):
        assert checked.status().problem == ""
        assert checked.count == source.count() == 2_801
        assert recall(checked, source, QUERIES[:5]) >= 0.98
    writer = opened(saved, source)
    finish(writer)
    assert writer.status().dead_rows == 0
    assert writer.verify() == ()
    assert len(list(saved.iterdir())) == 1 + writer.status().segments


def test_that_a_process_killed_while_saving_leaves_a_usable_index_and_its_litter_is_cleared(saved, source):
    script = textwrap.dedent(f"""
        import os, sys
        sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}
        from memory_source import *
        from core.index import open_index
        source = MemorySource(); source.put(clustered({ROWS})); source.put(clustered(400, seed=5))
        os.replace = lambda *_: os._exit(9)
        from pathlib import Path
        finish(open_index(Path({str(saved)!r}), source, read_only=False, settings=SMALL))
    """)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert len(list(saved.glob("*.tmp"))) == 1
    keepsake = saved / "notes.txt"
    keepsake.write_text("not ours to delete")
    source.put(clustered(400, seed=5))
    index = opened(saved, source)
    assert index.status().graph_rows == ROWS
    finish(index)
    assert list(saved.glob("*.tmp")) == []
    assert keepsake.exists()
    assert index.verify() == ()


def test_that_a_full_disk_is_a_known_error_and_searches_go_on(saved, source, monkeypatch):
    source.put(clustered(400, seed=5))
    index = opened(saved, source)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LibraryError, match="No space left"):
        finish(index)
    assert recall(index, source, QUERIES[:5]) >= 0.98
    monkeypatch.undo()
    finish(index)
    assert opened(saved, source).verify() == ()


def test_that_a_graph_written_short_is_noticed(tmp_path):
    builder = GraphBuilder(16, capacity=100, settings=SMALL)
    builder.add(np.arange(100), clustered(100))

    class ShortGraph:
        def save_index(self, path: bytes) -> None:
            builder.graph.save_index(path)
            os.truncate(path, 1_000)

        def index_file_size(self) -> int:
            return builder.graph.index_file_size()

    full = GraphBuilder(16, capacity=100, settings=SMALL)
    full.graph = ShortGraph()
    with pytest.raises(OSError, match="not written to its end"):
        full.write(tmp_path / "graph")


def test_that_vectors_and_labels_are_read_from_the_file_as_hnswlib_wrote_them(tmp_path):
    vectors, labels = clustered(500, dimension=24), 2**40 + 3 * np.arange(500)
    builder = GraphBuilder(24, capacity=10, settings=SMALL)
    for first in range(0, 500, 100):
        builder.add(labels[first : first + 100], vectors[first : first + 100])
    path = tmp_path / os.fsdecode(b"na\xefve \xf0\x9f\x94\x8a")
    builder.write(path)
    scan = scan_file(path, 24)
    order = np.argsort(scan.labels)
    np.testing.assert_array_equal(scan.labels[order], labels)
    np.testing.assert_array_equal(map_vectors(path, scan, 24)[order], vectors)
    np.testing.assert_array_equal(builder.graph.get_items(labels, return_type="numpy"), vectors)
