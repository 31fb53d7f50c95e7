"""Libraries of earlier versions of the program."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from earlier_library import write_first_version
from small_library import rows
from sqlalchemy import create_engine

from core.catalogue import Catalogue
from core.catalogue.browse import desk_rows, file_detail
from core.catalogue.migration import SCHEMA_VERSION, backup_path
from core.catalogue.models import Base, FileState
from core.catalogue.peaks import peaks_of
from core.catalogue.saved_search import latest_searches, list_saved_searches


def test_that_a_library_of_the_first_version_keeps_everything_and_gains_the_desk(tmp_path):
    database = write_first_version(tmp_path / "library", tmp_path / "sounds")
    with Catalogue.open(tmp_path / "library") as catalogue:
        assert rows(catalogue, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
        (row,) = desk_rows(catalogue, [7]).values()
        assert (row.path, row.state, row.duration_s) == (tmp_path / "sounds" / "a.wav", FileState.READY, 2.0)
        assert (row.rating, row.is_favourite, row.tags) == (0, False, ("pet",))
        assert (row.caption.text, row.caption.origin, row.caption.confidence) == ("a dog", "model", 0.5)
        assert (row.caption.is_sure, row.caption.tags, row.caption.original) == (True, (), None)
        assert file_detail(catalogue, 7).collections == ("film",)
        assert peaks_of(catalogue, [7]) == {}
        assert list_saved_searches(catalogue) == []
        assert latest_searches(catalogue, 5) == []
        assert rows(catalogue, "SELECT vector FROM embeddings") == [(b"\x00\x3c\x00\x00",)]
        assert rows(catalogue, "SELECT rowid FROM file_text WHERE file_text MATCH 'dog'") == [(7,)]
    assert backup_path(database, 1).is_file()


def test_that_an_upgraded_library_has_the_tables_of_a_new_one(tmp_path):
    write_first_version(tmp_path / "library", tmp_path)
    with Catalogue.open(tmp_path / "library") as upgraded, Catalogue.open(tmp_path / "new") as new:
        tables = [
            rows(catalogue, "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'alembic%' ORDER BY name")
            for catalogue in (upgraded, new)
        ]
        assert tables[0] == tables[1]
        engine = create_engine(f"sqlite:///{upgraded.database}")
        with engine.connect() as connection:
            options = {"include_object": lambda thing, name, *_: not name.startswith(("file_text", "alembic"))}
            assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []
        engine.dispose()
