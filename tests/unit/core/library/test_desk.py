"""The facade as the window uses it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from small_library import write_sound

from core.encoders.bert import SentenceTower
from core.errors import LibraryBusyError, LibraryError, QueryError, UnusableFileError
from core.index import LibraryIndex
from core.jobs import PauseToken, Progress
from core.library import FileState, Library
from core.search.query import ClipPart, QuerySpec, build_query
from core.types import Span

REPOSITORY = Path(__file__).parents[4]


def test_that_names_are_searchable_after_a_scan_and_sounds_after_embedding(library, sounds):
    write_sound(sounds / "Zeppelin.wav", 9, duration_s=1.0)
    events = list(library.scan())
    assert {event.stage for event in events if isinstance(event, Progress)} == {"scan"}
    (hit,) = library.search(build_query('"zeppelin"')).hits
    assert hit.span is None
    assert library.rows([hit.file_id])[hit.file_id].state is FileState.SCANNED
    assert library.roots()[0].files_by_state[FileState.SCANNED] == 1
    list(library.embed(jobs=1))
    (hit,) = library.search(build_query('"zeppelin"')).hits
    assert hit.span is not None
    assert library.peaks([hit.file_id])[hit.file_id].duration_s == pytest.approx(1.0)


def test_that_warming_up_loads_what_the_first_questions_need(library, monkeypatch):
    loaded: list[object] = []
    monkeypatch.setattr(LibraryIndex, "load", lambda self, _token: loaded.append(self))
    library.warm_up()
    assert loaded == [library._serving.index]
    read = SentenceTower.forward
    begun: list[int] = []
    monkeypatch.setattr(SentenceTower, "__init__", lambda self, *_: begun.append(1))
    monkeypatch.setattr(SentenceTower, "forward", lambda self, *given: [begun.append(2), read(self, *given)][1])
    assert library.search(build_query("rain"), show_all=True).hits
    assert begun == [2], "the tower is there and need not be made"


def test_that_a_scan_runs_beside_embedding_but_not_beside_another_scan(library, sounds):
    for number in range(6):
        write_sound(sounds / f"new {number}.wav", 20 + number, duration_s=0.3)
    list(library.scan())
    run = library.embed(jobs=1)
    assert next(run).total == 6
    write_sound(sounds / "late.wav", 50, duration_s=0.3)
    scan = library.scan()
    next(scan)
    with pytest.raises(LibraryBusyError):
        next(library.scan())
    list(scan)
    with pytest.raises(LibraryBusyError):
        next(library.embed())
    with pytest.raises(LibraryBusyError):
        library.remove(sounds)
    assert list(run)[-1].done == 7
    assert library.remove(sounds) == 10
    assert library.roots() == []


def test_that_marks_can_be_set_while_a_job_is_held(library, sounds):
    write_sound(sounds / "new.wav", 9, duration_s=0.3)
    list(library.scan())
    pause = PauseToken()
    pause.pause()
    run = library.embed(jobs=1, pause=pause)
    next(run)
    ids = library.list_files()
    library.set_rating(ids, 3)
    library.add_tag(ids[:2], "kept")
    library.set_favourite(ids[:1], True)
    pause.resume()
    list(run)
    assert {row.rating for row in library.rows(ids).values()} == {3}
    assert set(library.list_files("tag:kept").tolist()) == set(ids[:2].tolist())
    assert library.list_files("favourite:yes", "rating>=3").tolist() == ids[:1].tolist()


def test_that_files_from_elsewhere_can_stand_in_a_collection(library, sounds, tmp_path):
    outside = write_sound(tmp_path / "desktop" / "anvil.wav", 3, duration_s=1.0)
    door = library.file_id_at(sounds / "door.wav")
    ids = library.add_outside_files([outside, sounds / "door.wav"])
    assert ids[1] == door
    film = library.create_collection("Film")
    assert library.add_to_collection(film, ids) == 2
    list(library.embed(jobs=1))
    assert library.collection_files(film).tolist() == ids
    assert [hit.path for hit in library.search(build_query("anvil")).hits] == [outside]
    assert {hit.file_id for hit in library.search(build_query("a dog"), within=ids, show_all=True).hits} == set(ids)
    library.remove_from_collection(film, ids)
    assert set(library.rows(ids)) == {door}
    (tmp_path / "notes.txt").write_text("no sound")
    for wrong in (tmp_path / "notes.txt", tmp_path / "gone.wav", tmp_path):
        with pytest.raises(UnusableFileError):
            library.add_outside_files([outside, wrong])
    assert library.search(build_query('"anvil"')).nothing_matches


def test_that_folders_are_counted_and_few_files_are_sorted_alone(library, sounds):
    list(library.index([sounds]))
    assert library.folder_counts() == []
    inner = write_sound(sounds / "Castle" / "gate.wav", 5, duration_s=0.5)
    list(library.index([sounds]))
    (folder,) = library.folder_counts()
    assert (folder.path, folder.files) == (inner.parent, 1)
    ids = library.list_files(order="duration")
    few = ids[[2, 0]]
    assert library.list_files(order="duration", among=few).tolist() == [ids[0], ids[2]]
    assert library.list_files(order="duration", descending=True, among=few).tolist() == [ids[2], ids[0]]
    assert library.list_files(below=inner.parent, among=ids).tolist() == [library.file_id_at(inner)]


def test_that_an_example_that_cannot_be_used_is_named(library, tmp_path):
    spec = QuerySpec("rain", clips=(ClipPart(tmp_path / "gone.wav"),))
    with pytest.raises(UnusableFileError, match=r"gone\.wav"):
        library.search(spec.build())


def test_that_an_indexed_moment_is_an_example_also_when_its_disk_is_gone(library, sounds):
    long = write_sound(sounds / "long.wav", 7, duration_s=9.0)
    list(library.index([sounds], jobs=1))
    spans = [moment.span for moment in library.moments(library.file_id_at(long), QuerySpec("rain").build())]
    asked = [Span(spans[1].start_s, spans[2].end_s), spans[1]]
    present = [library.similar(long, span=span, show_all=True).hits for span in asked]
    sounds.rename(sounds.parent / "unplugged")
    list(library.scan([sounds]))
    for span, before in zip(asked, present, strict=True):
        spec = QuerySpec(clips=(ClipPart(long, span),))
        hits = library.search(spec.build(), show_all=True).hits
        assert {hit.file_id for hit in before} <= {hit.file_id for hit in hits}
        assert hits[0].path == long
    with pytest.raises(UnusableFileError):
        library.search(QuerySpec(clips=(ClipPart(long, Span(0.3, 0.9)),)).build())


def test_that_the_sound_itself_is_found_in_a_file_and_not_looked_for_where_none_is_asked_for(library, sounds):
    long = write_sound(sounds / "long.wav", 7, duration_s=9.0)
    list(library.index([sounds], jobs=1))
    file_id = library.file_id_at(long)
    found = library.focus(file_id, QuerySpec("rain").build())
    assert found is not None
    assert 0.0 <= found.start_s <= found.peak_s <= 9.0
    assert found.span.start_s <= found.peak_s <= found.span.end_s <= 9.0
    assert library.focus(file_id, QuerySpec(where=("favourite:no",)).build()) is None
    assert library.focus(999, QuerySpec("rain").build()) is None
    long.unlink()
    with pytest.raises(UnusableFileError):
        library.focus(file_id, QuerySpec("rain").build())


def test_that_similar_sounds_can_stay_inside_the_results(library, sounds):
    rain = library.file_id_at(sounds / "rain.wav")
    hits = library.similar(sounds / "door.wav", within=[rain], show_all=True).hits
    assert [hit.file_id for hit in hits] == [rain]
    curve = library.moments(rain, QuerySpec("rain").build())
    assert [(score.span.start_s, score.span.end_s) for score in curve] == [(0.0, 1.0)]
    assert library.duplicates(rain) == ()


def test_that_searches_are_saved_and_remembered(library):
    spec = QuerySpec("iron gate", where=("favourite:yes",))
    library.save_search("Gates", spec.to_json())
    library.remember_search(spec.to_json())
    library.remember_search(QuerySpec("rain").to_json())
    assert [QuerySpec.from_json(line).text for line in library.history()] == ["rain", "iron gate"]
    (saved,) = library.saved_searches()
    assert QuerySpec.from_json(saved.query_json) == spec
    library.delete_saved_search(saved.id)
    library.forget_history()
    assert library.saved_searches() == library.history() == []


def test_that_the_inspector_is_told_when_a_file_is_gone(library):
    assert library.detail(1).row.name == "door.wav"
    with pytest.raises(LibraryError, match="no longer"):
        library.detail(999)
    with pytest.raises(LibraryError, match="not in the library"):
        library.file_id_at(Path("/nowhere.wav"))
    with pytest.raises(QueryError):
        library.list_files("colour:red")


def test_that_results_are_sorted_by_any_column(library):
    hits = [hit.file_id for hit in library.search(build_query("a dog"), show_all=True).hits]
    assert library.list_files(order="name", among=hits).tolist() == [2, 1, 3]
    assert library.list_files(order="name", descending=True, among=hits[:2]).size == 2


@pytest.mark.slow
def test_that_a_watched_folder_tells_of_a_new_sound_until_the_library_is_closed(library, sounds, tmp_path):
    told, heard = [], threading.Event()
    watcher = library.watch(lambda root: (told.append(root), heard.set()))
    write_sound(tmp_path / "more" / "a.wav", 1)
    list(library.scan([tmp_path / "more"]))
    write_sound(tmp_path / "more" / "b.wav", 2)
    assert heard.wait(30)
    assert set(told) == {tmp_path / "more"}
    library.close()
    assert watcher.is_closed


@pytest.mark.slow
def test_that_a_library_is_opened_and_browsed_without_torch(library):
    library.close()
    code = (
        "import sys; from pathlib import Path; from core.library import Library\n"
        "import core.cli, core.catalogue, core.ingest.watch\n"
        "with Library.open(Path(sys.argv[1]), model='earshot-small') as library:\n"
        "    ids = library.list_files(); library.rows(ids); library.peaks(ids); library.set_rating(ids, 1)\n"
        "    library.captioner_card(); library.captions_pending(); library.roots()\n"
        "print(len(ids), *{'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(library.folder)], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["3"]


def test_that_a_reader_browses_but_does_not_mark(library):
    with Library.open(library.folder, model="earshot-small", read_only=True) as reader:
        assert len(reader.rows(reader.list_files())) == 3
        with pytest.raises(LibraryError, match="reading only"):
            reader.set_rating([1], 3)
