"""A library after updates of the program, which write another model over the one that shipped."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from installed_model import install_small_model
from small_library import rows, write_sound
from typer.testing import CliRunner

from core.cli import app
from core.encoders import install, safekeeping
from core.encoders.card import ModelCard
from core.errors import CancelledError
from core.index import index_folder
from core.jobs import CancelToken
from core.library import Library, models
from core.search.query import ClipPart, Query, build_query

# Whole libraries are embedded anew: ten seconds together.
pytestmark = pytest.mark.slow

OLD, NEW, NEWER = "earshot-base-1.0.0", "earshot-base-2.0.0", "earshot-base-3.0.0"
Answers = tuple[list[tuple[str, float]], ...]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the models that ship."""
    monkeypatch.setattr("core.encoders.load.RESOURCES", tmp_path / "program")
    return tmp_path / "program" / "models"


@pytest.fixture
def ship(program: Path) -> Callable[[int], ModelCard]:
    """Write a version over the model that ships, as an installer that keeps the folder does."""

    def write(major: int) -> ModelCard:
        return install_small_model(
            version=f"{major}.0.0", name="earshot-base", redrawn=major, folder=program / "earshot-base"
        )

    write(1)
    return write


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for number, name in enumerate(("door", "dog", "rain")):
        write_sound(tmp_path / "sounds" / f"{name}.wav", number, duration_s=1.0)
    write_sound(tmp_path / "elsewhere" / "example.wav", 9, duration_s=1.0)
    return tmp_path / "sounds"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Library]]:
    """Open a library by its name; closed at the end."""
    libraries = []

    def open_one(name: str = "library", **options: bool) -> Library:
        libraries.append(Library.open(tmp_path / name, device="cpu", **options))
        return libraries[-1]

    yield open_one
    for library in libraries:
        library.close()


def indexed(library: Library, sounds: Path) -> Library:
    list(library.index([sounds], jobs=1))
    return library


def kept(library: Library) -> set[str]:
    folder = library.folder / "models"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def answers(library: Library, sounds: Path) -> Answers:
    """What a text, an example from elsewhere and one of the library's own find, with scores."""

    def ask(query: Query) -> list[tuple[str, float]]:
        hits = library.search(query, show_all=True).hits
        return [(hit.path.name, round(hit.score, 5)) for hit in hits]

    example = sounds.parent / "elsewhere" / "example.wav"
    return tuple(
        ask(query)
        for query in (
            build_query("a dog barks"),
            build_query("", clips=[ClipPart(example)]),
            build_query("", clips=[ClipPart(sounds / "rain.wav")]),
        )
    )


def test_that_the_old_index_answers_after_an_update_until_the_new_one_is_complete(ship, opened, sounds):
    library = indexed(opened(), sounds)
    before = answers(library, sounds)
    assert [len(found) for found in before] == [3, 3, 3]
    assert kept(library) == {OLD}
    library.close()
    ship(2)
    assert [card.id for card in models()] == [NEW], "what is kept is not offered"
    library = opened()
    change = library.model_change()
    assert (change.old_id, change.new_id, change.files_left) == (OLD, NEW, 3)
    asked = 0
    for _ in library.embed(jobs=1):
        if library.card.id == OLD:
            assert answers(library, sounds) == before
            asked += 1
    assert asked > 3
    assert (library.card.id, library.model_change()) == (NEW, None)
    assert kept(library) == {NEW}
    assert not index_folder(library.folder, OLD).exists()
    assert rows(library._catalogue, "SELECT DISTINCT model_id FROM embeddings") == [(NEW,)]
    fresh = indexed(opened("fresh"), sounds)
    assert answers(library, sounds) == answers(fresh, sounds) != before


def test_that_the_terminal_answers_as_before_the_update(ship, opened, sounds):
    library = indexed(opened(), sounds)

    def ask(*question: object) -> str:
        told = CliRunner().invoke(
            app, [*map(str, question), "--all", "--device", "cpu", "--library", str(library.folder)]
        )
        assert told.exit_code == 0, told.output
        return told.stdout

    questions = [("search", "a dog barks"), ("similar", sounds.parent / "elsewhere" / "example.wav")]
    before = [ask(*question) for question in questions]
    library.close()
    ship(2)
    assert [ask(*question) for question in questions] == before
    told = CliRunner().invoke(app, ["index", str(sounds), "--device", "cpu", "--library", str(library.folder)])
    assert told.exit_code == 0, told.output
    after = [ask(*question) for question in questions]
    for old, new in zip(before, after, strict=True):
        assert new != old
        assert all(f"{name}.wav" in text for name in ("door", "dog", "rain") for text in (old, new))


def test_that_one_library_s_completion_leaves_another_its_old_model(ship, opened, sounds):
    first, second = indexed(opened("first"), sounds), indexed(opened("second"), sounds)
    before = answers(second, sounds)
    first.close()
    second.close()
    ship(2)
    first = opened("first")
    list(first.embed(jobs=1))
    assert kept(first) == {NEW}
    second = opened("second")
    assert second.card.id == OLD
    assert answers(second, sounds) == before
    list(second.embed(jobs=1))
    assert second.card.id == NEW
    assert kept(second) == {NEW}


def test_that_two_updates_in_a_row_leave_the_model_that_knows_the_files_answering(ship, opened, sounds):
    library = indexed(opened(), sounds)
    before = answers(library, sounds)
    library.close()
    ship(2)
    library = opened()
    cancel = CancelToken()
    run = library.embed(jobs=1, cancel=cancel)
    next(run)
    cancel.cancel()
    with pytest.raises(CancelledError):
        list(run)
    assert kept(library) == {OLD, NEW}
    library.close()
    ship(3)
    library = opened()
    assert (library.card.id, library.wanted_card.id) == (OLD, NEWER)
    assert answers(library, sounds) == before
    list(library.embed(jobs=1))
    assert library.card.id == NEWER
    assert kept(library) == {NEWER}


def test_that_files_of_a_volume_that_is_away_keep_the_old_model(ship, opened, sounds, tmp_path):
    write_sound(tmp_path / "volume" / "far.wav", 8, duration_s=1.0)
    library = indexed(opened(), sounds)
    list(library.index([tmp_path / "volume"], jobs=1))
    library.close()
    (tmp_path / "volume").rename(tmp_path / "away")
    ship(2)
    library = opened()
    list(library.index(jobs=1))
    assert library.card.id == NEW
    assert kept(library) == {OLD, NEW}
    (tmp_path / "away").rename(tmp_path / "volume")
    list(library.index(jobs=1))
    assert kept(library) == {NEW}


def test_that_a_question_in_flight_is_asked_again_when_its_model_is_gone(ship, opened, sounds):
    indexed(opened(), sounds).close()
    ship(2)
    library = opened()
    old = library._serving.engine
    search = old.search

    def slow_search(*arguments, **options):
        list(library.embed(jobs=1))
        assert kept(library) == {NEW}
        return search(*arguments, **options)

    old.search = slow_search
    assert len(library.search(build_query("a dog barks"), show_all=True).hits) == 3
    assert library.card.id == NEW


def test_that_nothing_is_kept_for_a_library_without_sounds_or_of_one_s_own_model(ship, opened, sounds, tmp_path):
    empty = opened("empty")
    list(empty.embed(jobs=1))
    assert kept(empty) == set()
    install_small_model(name="my-own")
    with Library.open(tmp_path / "mine", model="my-own", device="cpu") as mine:
        assert kept(indexed(mine, sounds)) == set()


# No room, and damage.


def test_that_without_room_for_a_copy_work_goes_on_and_it_is_told_once(ship, opened, sounds, monkeypatch, caplog):
    with monkeypatch.context() as full:
        full.setattr(safekeeping.shutil, "disk_usage", lambda _: SimpleNamespace(free=safekeeping.SPARE_BYTES))
        library = indexed(opened(), sounds)
        list(library.embed(jobs=1))
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert OLD in warnings[0]
    assert "MB left" in warnings[0]
    assert kept(library) == set()
    assert len(answers(library, sounds)[0]) == 3
    list(library.embed(jobs=1))
    assert kept(library) == {OLD}, "made up for when there is room"


def test_that_a_disk_that_fills_up_meanwhile_keeps_no_half_copy(ship, opened, sounds, monkeypatch, caplog):
    write = install._write

    def run_full(path: Path, content: bytes) -> None:
        if path.name == "text.safetensors":
            path.write_bytes(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, content)

    monkeypatch.setattr(install, "_write", run_full)
    library = indexed(opened(), sounds)
    assert "No space left" in caplog.text
    assert kept(library) == set()
    assert len(answers(library, sounds)[0]) == 3


def test_that_a_library_that_kept_nothing_still_opens_after_an_update(ship, opened, sounds):
    library = indexed(opened(), sounds)
    library.close()
    shutil.rmtree(library.folder / "models")
    ship(2)
    library = opened()
    assert library.card.id == NEW
    found = library.search(build_query('"door"'), show_all=True)
    assert [hit.path.name for hit in found.hits] == ["door.wav"], "names answer"
    list(library.embed(jobs=1))
    assert len(answers(library, sounds)[0]) == 3


@pytest.mark.parametrize("name", ["card.json", "text.safetensors", "background.safetensors"])
def test_that_a_damaged_copy_does_not_keep_a_library_from_opening(name, ship, opened, sounds, caplog):
    library = indexed(opened(), sounds)
    library.close()
    path = library.folder / "models" / OLD / name
    content = path.read_bytes()
    # The background is as long as it was: that it is damaged shows only when it is read.
    path.write_bytes(content[:-9] + bytes(9) if name.startswith("background") else content[:-9])
    ship(2)
    library = opened()
    assert library.card.id == NEW
    assert "damaged" in caplog.text
    list(library.embed(jobs=1))
    assert len(answers(library, sounds)[0]) == 3
    assert kept(library) == {NEW}


def test_that_a_damaged_copy_is_made_anew_while_the_model_is_still_there(ship, opened, sounds):
    library = indexed(opened(), sounds)
    before = answers(library, sounds)
    (library.folder / "models" / OLD / "audio.safetensors").write_bytes(b"")
    list(library.embed(jobs=1))
    library.close()
    ship(2)
    assert answers(opened(), sounds) == before


# Death at any moment.

_DIE = """
import os, signal
from pathlib import Path
from core.encoders import install, load, safekeeping

left = {moment}

def count(do):
    def step(*arguments, **options):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return do(*arguments, **options)
    return step

"""
_DIE_KEEPING = """
install._write = count(install._write)
Path.replace = count(Path.replace)
(model,) = load.models_in(Path({source!r}))
safekeeping.keep_model(model, Path({place!r}))
"""
_DIE_DISCARDING = """
Path.replace = count(Path.replace)
os.unlink = count(os.unlink)
os.rmdir = count(os.rmdir)
safekeeping.discard_models(Path({place!r}), needed={needed!r})
"""
_DIE_CHANGING = """
load.RESOURCES = Path({program!r})
from core.library import Library
library = Library.open(Path({folder!r}), device="cpu")
for event in library.embed(jobs=1):
    if getattr(event, "stage", "") == "index" and event.done:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def dies(code: str) -> bool:
    """Run a program; whether it was killed before its end."""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def test_that_a_death_while_a_copy_is_made_leaves_none_and_the_next_run_makes_it(ship, opened, sounds, program):
    library = indexed(opened(), sounds)
    before = answers(library, sounds)
    place = library.folder / "models"
    moment, is_dying = 0, True
    while is_dying:
        shutil.rmtree(place)
        moment += 1
        is_dying = dies(_DIE.format(moment=moment) + _DIE_KEEPING.format(source=str(program), place=str(place)))
        assert [model.card.id for model in safekeeping.kept_models(place)] == ([] if is_dying else [OLD])
        list(library.embed(jobs=1))
        assert kept(library) == {OLD}
    assert moment == 7, "five files and the renaming were each died at"
    library.close()
    ship(2)
    assert answers(opened(), sounds) == before


def test_that_a_death_while_a_copy_is_deleted_is_made_up_for(ship, opened, sounds, program):
    library = indexed(opened(), sounds)
    place = library.folder / "models"
    moment, is_dying = 0, True
    while is_dying:
        shutil.copytree(place / OLD, place / "earshot-base-0.9.0", dirs_exist_ok=True)
        moment += 1
        is_dying = dies(_DIE.format(moment=moment) + _DIE_DISCARDING.format(place=str(place), needed={OLD}))
        list(library.embed(jobs=1))
        assert kept(library) == {OLD}
    assert moment == 8, "the renaming, five files and the folder were each died at"


def test_that_a_death_in_the_midst_of_the_change_leaves_the_old_model_answering(ship, opened, sounds, program):
    library = indexed(opened(), sounds)
    before = answers(library, sounds)
    library.close()
    ship(2)
    code = _DIE_CHANGING.format(program=str(program.parent), folder=str(library.folder))
    assert dies(_DIE.format(moment=-1) + code)
    library = opened()
    assert library.card.id == OLD
    assert answers(library, sounds) == before
    list(library.embed(jobs=1))
    assert library.card.id == NEW
    assert kept(library) == {NEW}
