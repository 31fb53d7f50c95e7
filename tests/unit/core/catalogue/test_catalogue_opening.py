"""Creating, opening, upgrading and sharing a library's database."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from small_library import index_all, rows, scan_all, states, write_sound
from sqlalchemy import create_engine

from core.catalogue import Catalogue
from core.catalogue import catalogue as catalogue_module
from core.catalogue.location import DATABASE_NAME
from core.catalogue.migration import SCHEMA_VERSION, SCRIPTS, backup_path, upgrade
from core.catalogue.models import Base, Root
from core.errors import LibraryBusyError, LibraryError, SchemaTooNewError

REPOSITORY = Path(__file__).parents[4]
NEXT = SCHEMA_VERSION + 1
HOLD_THE_WRITER = """
import sys
from pathlib import Path
from core.catalogue import Catalogue
with Catalogue.open(Path(sys.argv[1])) as catalogue, catalogue.writer():
    print("held", flush=True)
    sys.stdin.readline()
"""


def in_another_process(code: str, *arguments: object, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def test_that_the_migrations_make_the_tables_that_the_classes_describe(catalogue):
    engine = create_engine(f"sqlite:///{catalogue.database}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": _is_ours})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def _is_ours(thing, name, kind, reflected, compare_to) -> bool:
    return not (kind == "table" and (name.startswith("file_text") or name == "alembic_version"))


def test_that_the_schema_version_is_that_of_the_newest_migration(catalogue):
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    assert int(ScriptDirectory.from_config(config).get_current_head()) == SCHEMA_VERSION
    assert rows(catalogue, "PRAGMA user_version") == [(SCHEMA_VERSION,)]


def test_that_opening_an_existing_library_imports_neither_alembic_nor_torch(catalogue):
    code = (
        "import sys; from pathlib import Path; from core.catalogue import Catalogue\n"
        "import core.ingest.pipeline, core.ingest.scan, core.catalogue.repository, core.catalogue.vectors\n"
        "Catalogue.open(Path(sys.argv[1])).close(); print(*{'alembic', 'torch', 'transformers'} & set(sys.modules))"
    )
    done, _ = in_another_process(code, catalogue.folder).communicate(timeout=60)
    assert done.strip() == ""


def test_that_a_library_of_a_newer_version_is_refused_and_left_alone(catalogue):
    with contextlib.closing(sqlite3.connect(catalogue.database)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    for read_only in (False, True):
        with pytest.raises(SchemaTooNewError, match="newer version"):
            Catalogue.open(catalogue.folder, read_only=read_only)


def test_that_an_upgrade_keeps_a_copy_and_the_data(tmp_path, monkeypatch):
    scripts = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, scripts)
    (scripts / "versions" / "v9999_mood.py").write_text(
        f"import sqlalchemy as sa\nfrom alembic import op\nrevision, down_revision = '{NEXT:04}', '{NEXT - 1:04}'\n"
        "def upgrade():\n    op.add_column('files', sa.Column('mood', sa.String))\n"
    )
    folder = tmp_path / "library"
    with Catalogue.open(folder) as catalogue:
        scan_all(catalogue, write_sound(tmp_path / "sounds" / "a.wav", 1).parent)
        database = catalogue.database
    with monkeypatch.context() as later:
        later.setattr(catalogue_module, "SCHEMA_VERSION", NEXT)
        later.setattr(catalogue_module, "upgrade", partial(upgrade, scripts=scripts))
        with Catalogue.open(folder) as catalogue:
            assert rows(catalogue, "SELECT name, mood FROM files") == [("a.wav", None)]
    with contextlib.closing(sqlite3.connect(backup_path(database, SCHEMA_VERSION))) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert copy.execute("SELECT name FROM files").fetchall() == [("a.wav",)]
    with pytest.raises(SchemaTooNewError):
        Catalogue.open(folder)


def test_that_a_migration_that_fails_halfway_changes_nothing(tmp_path, monkeypatch):
    scripts = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, scripts)
    (scripts / "versions" / "v9999_broken.py").write_text(
        f"import sqlalchemy as sa\nfrom alembic import op\nrevision, down_revision = '{NEXT:04}', '{NEXT - 1:04}'\n"
        "def upgrade():\n    op.add_column('files', sa.Column('mood', sa.String))\n    raise ZeroDivisionError\n"
    )
    monkeypatch.setattr(catalogue_module, "upgrade", partial(upgrade, scripts=scripts))
    with pytest.raises(ZeroDivisionError):
        Catalogue.open(tmp_path / "library")
    with contextlib.closing(sqlite3.connect(tmp_path / "library" / DATABASE_NAME)) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == []
    monkeypatch.undo()
    Catalogue.open(tmp_path / "library").close()


def test_that_a_library_of_an_older_version_is_not_upgraded_by_a_reader(tmp_path, monkeypatch):
    Catalogue.open(tmp_path).close()
    monkeypatch.setattr(catalogue_module, "SCHEMA_VERSION", NEXT)
    with pytest.raises(LibraryError, match="older version"):
        Catalogue.open(tmp_path, read_only=True)


@pytest.mark.parametrize("read_only", [False, True])
def test_that_a_file_that_is_no_database_is_refused(tmp_path, read_only):
    content = b"RIFF" + bytes(5_000)
    (tmp_path / DATABASE_NAME).write_bytes(content)
    with pytest.raises(LibraryError, match="damaged"):
        Catalogue.open(tmp_path, read_only=read_only)
    assert (tmp_path / DATABASE_NAME).read_bytes() == content


def test_that_a_database_of_another_program_is_refused(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    with pytest.raises(LibraryError, match="another program"):
        Catalogue.open(tmp_path)


def test_that_damage_inside_the_database_is_told_as_such(tmp_path, sounds):
    for seed in range(30):
        write_sound(sounds / f"{seed}.wav", seed, duration_s=0.1)
    with Catalogue.open(tmp_path / "library") as catalogue:
        scan_all(catalogue, sounds)
        database = catalogue.database
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(database.stat().st_size - 4096))
    with pytest.raises(LibraryError, match="damaged"):
        Catalogue.open(database.parent)


def test_that_a_library_that_does_not_exist_cannot_be_read(tmp_path):
    with pytest.raises(LibraryError, match="no library"):
        Catalogue.open(tmp_path / "nowhere", read_only=True)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_that_a_place_where_no_library_can_be_is_told(tmp_path, read_only):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder" / DATABASE_NAME).mkdir(parents=True)
    for folder in (tmp_path / "file" / "library", tmp_path / ("long" * 100), tmp_path / "folder"):
        with pytest.raises(LibraryError, match=r"cannot be opened|no library|disk failed"):
            Catalogue.open(folder, read_only=read_only)


def test_that_a_library_may_lie_in_a_folder_of_any_name(tmp_path):
    folder = tmp_path / os.fsdecode(b"100 % ?#\xff Ger\xc3\xa4usche")
    for read_only in (False, True):
        with Catalogue.open(folder, read_only=read_only) as catalogue, catalogue.session() as session:
            assert session.query(Root).count() == 0


def test_that_a_reader_cannot_write(catalogue):
    with Catalogue.open(catalogue.folder, read_only=True) as reader:
        for block in (reader.write, reader.writer, reader.writing_connection):
            with pytest.raises(LibraryError, match="reading only"), block():
                pytest.fail("it let us in")
        with pytest.raises(LibraryError, match="cannot be written"), reader.cursor() as cursor:
            cursor.execute("DELETE FROM roots")


def test_that_a_library_on_a_medium_that_cannot_be_written_can_be_read(tmp_path, sounds, monkeypatch):
    write_sound(sounds / "a.wav", 1)
    with Catalogue.open(tmp_path / "library") as catalogue:
        scan_all(catalogue, sounds)
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    with Catalogue.open(tmp_path / "library", read_only=True) as reader, reader.session() as session:
        assert session.query(Root).count() == 1
        assert sorted(path.name for path in reader.folder.iterdir()) == [DATABASE_NAME, "writer.lock"]


def test_that_readers_see_what_a_writer_commits_while_it_goes_on(catalogue, sounds):
    write_sound(sounds / "a.wav", 1)
    with Catalogue.open(catalogue.folder, read_only=True) as reader, catalogue.writer():
        before = reader.data_version()
        with reader.session() as session, catalogue.write() as writing:
            assert session.query(Root).count() == 0
            writing.add(Root(path="/x", display_path="/x", added_at=0.0))
            writing.flush()
            assert session.query(Root).count() == 0
        with reader.session() as session:
            assert session.query(Root).count() == 1
        assert reader.data_version() != before


def test_that_only_one_process_may_index_while_others_search(catalogue, sounds):
    write_sound(sounds / "a.wav", 1)
    other = in_another_process(HOLD_THE_WRITER, catalogue.folder)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LibraryBusyError, match="Another Earshot is indexing"), catalogue.writer():
            pytest.fail("two writers at once")
        with pytest.raises(LibraryBusyError):
            index_all(catalogue, sounds)
        with Catalogue.open(catalogue.folder) as second, second.session() as session:
            assert session.query(Root).count() == 1
        other.kill()
        other.wait()
        # The lock dies with its holder.
        index_all(catalogue, sounds)
    finally:
        other.kill()
        other.communicate()
    assert states(catalogue) == {"a.wav": "ready"}


def test_that_the_writer_lock_may_be_nested(catalogue):
    with catalogue.writer(), catalogue.writer():
        pass
    with catalogue.writer():
        pass


def test_that_many_threads_of_one_process_hold_the_writer_lock_together(catalogue):
    failures = []
    begin = threading.Barrier(6)

    def hold() -> None:
        begin.wait()
        try:
            for _ in range(50):
                with catalogue.writer():
                    pass
        except LibraryError as error:
            failures.append(error)

    threads = [threading.Thread(target=hold) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with Catalogue.open(catalogue.folder) as other, other.writer():
        pass


def test_that_a_full_disk_is_told_and_the_library_opens_afterwards(catalogue, sounds, monkeypatch):
    for seed in range(40):
        write_sound(sounds / f"{seed:02}.wav", seed, duration_s=2.0)
    scan_all(catalogue, sounds)
    connect = sqlite3.connect
    pages = rows(catalogue, "PRAGMA page_count")[0][0]
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: _limited(connect(*a, **k), pages + 2))
    with Catalogue.open(catalogue.folder) as small, pytest.raises(LibraryError, match="disk is full"):
        index_all(small)
    monkeypatch.undo()
    with Catalogue.open(catalogue.folder) as again:
        assert set(states(again).values()) == {"scanned"}
        index_all(again)
        assert set(states(again).values()) == {"ready"}


def _limited(connection: sqlite3.Connection, pages: int) -> sqlite3.Connection:
    connection.execute(f"PRAGMA max_page_count = {pages}")
    return connection
