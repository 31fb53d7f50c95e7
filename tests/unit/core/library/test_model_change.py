"""A library on its way from one model to another."""

from __future__ import annotations

import threading

import pytest
from installed_model import install_small_model
from small_library import rows, write_sound

from core.config import user_models_folder
from core.encoders.install import install_model, uninstall_model
from core.errors import CancelledError, ModelError
from core.index import index_folder
from core.jobs import CancelToken
from core.library import Library, models
from core.search.query import build_query

OLD, NEW = "earshot-small-1.0.0", "earshot-small-2.0.0"


@pytest.fixture
def grown(library, tmp_path):
    """The library of version 1.0.0, opened again when version 2.0.0 is there; the old object is closed."""
    library.close()
    install_small_model(version="2.0.0", turned=True)
    with Library.open(tmp_path / "library", model="earshot-small", device="cpu") as opened:
        yield opened


def answer(library: Library) -> list[str]:
    return [hit.path.name for hit in library.search(build_query("a dog barks"), show_all=True).hits]


def test_that_the_old_model_answers_until_the_new_one_knows_every_file(grown):
    before = answer(grown)
    assert len(before) == 3
    assert (grown.card.id, grown.wanted_card.id) == (OLD, NEW)
    change = grown.model_change()
    assert (change.old_id, change.new_id, change.files_left) == (OLD, NEW, 3)
    for _ in grown.embed(jobs=1):
        assert len(answer(grown)) == 3
    assert grown.card.id == NEW
    assert grown.model_change() is None
    assert len(answer(grown)) == 3
    assert grown.status().windows > 0


def test_that_a_switch_forgets_the_older_version_and_its_index(grown, library):
    list(grown.embed(jobs=1))
    catalogue = grown._catalogue
    assert rows(catalogue, "SELECT DISTINCT model_id FROM embeddings") == [(NEW,)]
    assert rows(catalogue, "SELECT id FROM models") == [(NEW,)]
    assert rows(catalogue, "SELECT count(*) FROM removed_embeddings") == [(0,)]
    assert not index_folder(grown.folder, OLD).exists()
    assert all(finding.ok for finding in grown.verify())


def test_that_a_change_that_is_broken_off_goes_on_with_the_old_model_answering(grown, tmp_path):
    cancel = CancelToken()
    run = grown.embed(jobs=1, cancel=cancel)
    while next(run).done < 1:
        pass
    cancel.cancel()
    with pytest.raises(CancelledError):
        list(run)
    assert grown.card.id == OLD
    grown.close()
    with Library.open(tmp_path / "library", model="earshot-small", device="cpu") as again:
        assert again.card.id == OLD
        assert len(answer(again)) == 3
        list(again.embed(jobs=1))
        assert again.card.id == NEW


def test_that_a_reader_chooses_as_the_writer_does(grown, tmp_path):
    with Library.open(tmp_path / "library", model="earshot-small", device="cpu", read_only=True) as reader:
        assert reader.card.id == OLD
        assert len(answer(reader)) == 3
    list(grown.embed(jobs=1))
    with Library.open(tmp_path / "library", model="earshot-small", device="cpu", read_only=True) as reader:
        assert reader.card.id == NEW
        assert len(answer(reader)) == 3


def test_that_files_of_a_volume_that_is_away_keep_their_old_embeddings(grown, sounds, tmp_path):
    write_sound(tmp_path / "volume" / "far.wav", 8, duration_s=1.0)
    grown.close()
    with Library.open(tmp_path / "library", model=OLD, device="cpu") as old:
        list(old.index([tmp_path / "volume"], jobs=1))
    (tmp_path / "volume").rename(tmp_path / "away")
    with Library.open(tmp_path / "library", model=NEW, device="cpu") as new:
        list(new.index(jobs=1))
        assert new.card.id == NEW
        assert rows(new._catalogue, "SELECT count(*) FROM file_embeddings WHERE model_id = ?", OLD) == [(4,)]
        (tmp_path / "away").rename(tmp_path / "volume")
        list(new.index(jobs=1))
        assert rows(new._catalogue, "SELECT DISTINCT model_id FROM embeddings") == [(NEW,)]
        assert len(answer(new)) == 4


def test_that_a_model_of_another_name_keeps_the_first_one_s_embeddings(library, tmp_path):
    library.close()
    install_small_model(name="my-own", turned=True)
    with Library.open(tmp_path / "library", model="my-own", device="cpu") as mine:
        assert mine.card.id == OLD
        list(mine.embed(jobs=1))
        assert mine.card.id == "my-own-1.0.0"
    with Library.open(tmp_path / "library", model="earshot-small", device="cpu") as back:
        assert back.card.id == OLD
        assert back.model_change() is None
        assert len(answer(back)) == 3


def test_that_searches_from_other_threads_never_fail_while_models_change(grown):
    finished, failures, counts = threading.Event(), [], set()

    def ask() -> None:
        try:
            while not finished.is_set():
                counts.add(len(answer(grown)))
                grown.duplicates(1)
                grown.moments(1, build_query("rain"))
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        list(grown.embed(jobs=1))
    finally:
        finished.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert counts == {3}


def test_that_a_trained_model_is_copied_from_its_folder_and_removed_again(library, tmp_path):
    library.close()
    card = install_small_model(name="my-own")
    folder = (user_models_folder() / "my-own-1.0.0").rename(tmp_path / "exported")
    assert card.id not in {model.id for model in models()}
    events = list(install_model(folder))
    assert events[-1].done == events[-1].total
    assert card.id in {model.id for model in models()}
    with pytest.raises(ModelError, match="already"):
        list(install_model(folder))
    with Library.open(tmp_path / "library", model="my-own", device="cpu") as mine:
        list(mine.embed(jobs=1))
        assert mine.card.id == card.id
    uninstall_model(card.id)
    assert card.id not in {model.id for model in models()}
    with pytest.raises(ModelError, match="none of your own"):
        uninstall_model("earshot-base-1.1.0")


def test_that_a_damaged_model_is_not_installed(tmp_path):
    install_small_model(name="my-own")
    folder = (user_models_folder() / "my-own-1.0.0").rename(tmp_path / "exported")
    (folder / "tokenizer.json").write_bytes(b"x" * (folder / "tokenizer.json").stat().st_size)
    with pytest.raises(ModelError, match="damaged"):
        list(install_model(folder))
    assert list(user_models_folder().iterdir()) == []
