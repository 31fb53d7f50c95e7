"""Describing sounds in the background."""

from __future__ import annotations

import threading

import pytest
from installed_model import NameCaptioner, NameCard
from small_captioner import save_small_captioner
from small_library import write_sound

from core.config import user_models_folder
from core.errors import CancelledError, LibraryBusyError, LibraryError, UnusableFileError
from core.jobs import CancelToken, PauseToken, Skipped
from core.library import models
from core.search.query import build_query


@pytest.fixture
def captioner(library):
    captioner = NameCaptioner()
    library.use_captioner(captioner)
    return captioner


def id_of(library, name: str) -> int:
    (file_id,) = library.list_files(f"name:{name}.wav")
    return int(file_id)


def shown(library) -> dict[str, str]:
    return {row.name: row.caption.shown for row in library.rows(library.list_files()).values() if row.caption}


def test_that_rows_on_screen_are_described_first(library, captioner):
    rain = id_of(library, "rain")
    list(library.caption(first=lambda: [rain, 999]))
    assert captioner.heard == ["rain", "door", "dog"]


def test_that_rows_that_come_on_screen_meanwhile_overtake_the_others(library, captioner):
    visible: list[int] = []
    captioner.before = lambda name: visible.append(id_of(library, "rain"))
    list(library.caption(first=lambda: list(visible)))
    assert captioner.heard == ["door", "rain", "dog"]


def test_that_captions_are_told_of_stored_searched_and_not_made_twice(library, captioner):
    events = list(library.caption())
    assert {event.stage for event in events} == {"caption"}
    assert (events[-1].done, events[-1].total) == (3, 3)
    stored = [file_id for event in events for file_id in event.files]
    assert sorted(stored) == sorted(library.list_files().tolist())
    assert library.rows(stored)[id_of(library, "dog")].caption.confidence == 0.8
    assert [hit.path.name for hit in library.search(build_query('"sound of dog"')).hits] == ["dog.wav"]
    assert library.captions_pending().tolist() == []
    assert list(library.caption()) == []
    assert len(captioner.heard) == 3


def test_that_a_doubtful_caption_shows_its_tags(library, captioner, sounds):
    write_sound(sounds / "_noise.wav", 9, duration_s=1.0)
    list(library.index(jobs=1))
    list(library.caption())
    assert shown(library)["_noise.wav"] == "thing, _noise"
    assert library.search(build_query('"maybe the sound"')).nothing_matches


def test_that_a_person_s_words_are_never_overwritten(library, captioner):
    door, dog = id_of(library, "door"), id_of(library, "dog")
    assert library.edit_caption(door, "my door").origin == "user"
    list(library.caption())
    assert captioner.heard == ["dog", "rain"]
    library.edit_caption(dog, "my dog")
    row = library.regenerate_caption(dog)
    assert (row.text, row.original) == ("my dog", "the sound of dog")
    assert library.restore_caption(dog).text == "the sound of dog"
    assert library.restore_caption(door) is None
    assert library.captions_pending().tolist() == [door]


def test_that_a_stopped_job_keeps_what_is_finished_and_goes_on_there(library, captioner):
    cancel = CancelToken()
    captioner.before = lambda name: cancel.cancel() if name == "dog" else None
    with pytest.raises(CancelledError):
        list(library.caption(cancel=cancel))
    assert len(library.captions_pending()) == 1
    captioner.before = lambda name: None
    list(library.caption())
    assert captioner.heard == ["door", "dog", "rain"]


def test_that_a_held_job_waits_with_everything_stored(library, captioner):
    pause = PauseToken()
    captioner.before = lambda name: pause.pause()
    run = library.caption(pause=pause)
    while not next(run).files:
        pass
    assert len(library.captions_pending()) == 2
    captioner.before = lambda name: None
    resume = threading.Timer(0.05, pause.resume)
    resume.start()
    list(run)
    resume.join()
    assert len(captioner.heard) == 3


def test_that_one_bad_file_does_not_stop_the_others(library, captioner):
    def fail(name: str) -> None:
        if name == "dog":
            raise UnusableFileError("It is damaged.")
        if name == "rain":
            raise ZeroDivisionError("a bug")

    captioner.before = fail
    skipped = [event for event in library.caption() if isinstance(event, Skipped)]
    assert [event.reason for event in skipped] == [
        "It is damaged.",
        "It could not be described: ZeroDivisionError: a bug",
    ]
    assert shown(library) == {"door.wav": "the sound of door"}
    assert len(library.captions_pending()) == 2


def test_that_copies_share_a_caption_and_changed_files_wait_for_indexing(library, captioner, sounds):
    list(library.caption())
    (sounds / "copy.wav").write_bytes((sounds / "dog.wav").read_bytes())
    list(library.index(jobs=1))
    write_sound(sounds / "rain.wav", 77, duration_s=1.5)
    list(library.caption())
    assert captioner.heard == ["door", "dog", "rain"]
    assert shown(library)["copy.wav"] == "the sound of dog"
    list(library.index(jobs=1))
    assert "rain.wav" not in shown(library)
    list(library.caption())
    assert captioner.heard[3:] == ["rain"]


def test_that_another_captioner_describes_anew_what_no_person_wrote(library, captioner):
    list(library.caption())
    library.edit_caption(id_of(library, "dog"), "my dog")
    later = NameCaptioner(NameCard("names-2.0.0"))
    library.use_captioner(later)
    list(library.caption())
    assert later.heard == ["door", "rain"]


def test_that_two_such_jobs_at_once_are_refused(library, captioner):
    run = library.caption()
    next(run)
    with pytest.raises(LibraryBusyError, match="already"):
        next(library.caption())
    run.close()
    list(library.caption())


def test_that_sounds_indexed_meanwhile_are_described_too(library, captioner, sounds):
    run = library.caption()
    next(run)
    write_sound(sounds / "late.wav", 5, duration_s=1.0)
    list(library.index(jobs=1))
    list(run)
    assert captioner.heard[-1] == "late"


def test_that_a_file_that_is_gone_cannot_be_described(library, captioner):
    with pytest.raises(UnusableFileError, match="no longer"):
        library.regenerate_caption(999)
    with pytest.raises(LibraryError, match="no longer"):
        library.edit_caption(999, "a gate")


def test_that_an_installed_captioner_is_found_told_from_encoders_and_used(library):
    assert library.captioner_card() is None or library.captioner_card().id != "small-captioner-1.0.0"
    save_small_captioner(user_models_folder() / "small-captioner")
    assert library.captioner_card().id == "small-captioner-1.0.0"
    assert "small-captioner-1.0.0" not in {model.id for model in models()}
    events = list(library.caption())
    assert events[-1].done == 3
    captions = [row.caption for row in library.rows(library.list_files()).values()]
    assert all(caption.origin == "model" and 0 <= caption.confidence <= 1 for caption in captions)
    before = library.rows([1])[1].caption
    assert library.regenerate_caption(1) == library.rows([1])[1].caption == before
    assert library.captions_pending().tolist() == []
