"""Files that are the same sound."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import soundfile
from small_library import BandEncoder, index_all, rows, write_sound

from core.catalogue.repository import Repository
from core.catalogue.vectors import CatalogueVectors
from core.index import open_index
from core.search.duplicate import find_duplicates

MODEL = {"model_id": BandEncoder().card.id, "dimension": BandEncoder().card.dimension}


@pytest.fixture
def duplicates(catalogue, sounds, tmp_path):
    """A sound of four seconds, a copy, the same as FLAC, another sound; gives a look-up by name."""
    first = write_sound(sounds / "first.wav", 1, duration_s=4.0)
    shutil.copy(first, sounds / "copy.wav")
    samples, rate_hz = soundfile.read(first)
    soundfile.write(sounds / "same.flac", samples, rate_hz)
    tone = np.sin(2 * np.pi * 3_300 * np.arange(4 * rate_hz) / rate_hz) ** 21
    soundfile.write(sounds / "other.wav", 0.5 * tone, rate_hz)
    index_all(catalogue, sounds)
    source = CatalogueVectors(catalogue, **MODEL)
    index = open_index(tmp_path / "index", source, read_only=True)

    def look_up(name: str):
        ((file_id,),) = rows(catalogue, "SELECT id FROM files WHERE name = ?", name)
        return find_duplicates(Repository(catalogue, **MODEL), index, file_id)

    return look_up


def test_that_equal_bytes_come_before_what_sounds_almost_the_same(duplicates):
    found = duplicates("first.wav")
    assert [(one.path.name, one.kind) for one in found] == [("copy.wav", "exact"), ("same.flac", "near")]
    assert found[0].similarity == 1.0
    assert 0.98 <= found[1].similarity <= 1.001


def test_that_a_lonely_sound_has_no_duplicates(duplicates):
    assert duplicates("other.wav") == ()


def test_that_missing_and_unknown_files_are_no_duplicates(duplicates, catalogue):
    with catalogue.write() as session:
        session.connection().exec_driver_sql(
            "UPDATE files SET state = 'missing' WHERE name IN ('copy.wav', 'same.flac')"
        )
        session.connection().exec_driver_sql(
            "DELETE FROM windows WHERE file_id IN (SELECT id FROM files WHERE name = 'other.wav')"
        )
        session.connection().exec_driver_sql(
            "DELETE FROM file_embeddings WHERE file_id IN (SELECT id FROM files WHERE name = 'other.wav')"
        )
    assert duplicates("first.wav") == ()
    assert duplicates("other.wav") == ()
