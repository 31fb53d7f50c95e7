"""Opens a library's database and hands out sessions on it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from core.catalogue.failure import known_errors, shown
from core.catalogue.location import DATABASE_NAME, database_uri
from core.catalogue.lock import WriterLock
from core.catalogue.migration import SCHEMA_VERSION, refuse_newer, schema_version, upgrade
from core.errors import LibraryError

_BUSY_TIMEOUT_S = 30.0
_MIGRATION_WAIT_S = 10.0
_PAGE_CACHE_KIB = 16_384
_LOG_LIMIT_BYTES = 64 << 20


class Catalogue:
    """A library's database.

    Any number of threads and processes read; one process at a time indexes, see `writer`. Use `open`.
    """

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self.folder = folder
        self.read_only = read_only
        self._connect = _connector(folder / DATABASE_NAME, read_only=read_only)
        self._engine = _create_engine(self._connect)
        self._writing_engine = self._engine.execution_options(begin="IMMEDIATE")
        self._lock = None if read_only else WriterLock(folder)
        self._watch: sqlite3.Connection | None = None
        self._watch_lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False) -> Self:
        """Open the library in a folder, and create or upgrade it where needed.

        Args:
            folder: The library's own folder, not one of sounds.
            read_only: Never write; the library must exist and be up to date.

        Raises:
            SchemaTooNewError: A newer version of the program wrote it.
            LibraryBusyError: It must be upgraded, and another process is writing to it.
            LibraryError: It is missing, damaged, not writable, or the disk is full.
        """
        folder = folder.absolute()
        try:
            with known_errors(folder):
                return cls._open(folder, read_only=read_only)
        except OSError as error:
            raise LibraryError(
                f"The library in {shown(folder)} cannot be opened: {error.strerror or error}.",
                "Check the folder's permissions, or choose another with --library.",
            ) from error

    @classmethod
    def _open(cls, folder: Path, *, read_only: bool) -> Self:
        database = folder / DATABASE_NAME
        if not read_only:
            folder.mkdir(parents=True, exist_ok=True)
        elif not database.exists():
            raise LibraryError(f"There is no library in {shown(folder)} yet.", "Add a folder with `earshot index DIR`.")
        version = schema_version(database)
        refuse_newer(version, folder)
        catalogue = cls(folder, read_only=read_only)
        try:
            if version < SCHEMA_VERSION:
                catalogue._migrate(database)
            catalogue._check()
        except BaseException:
            catalogue.close()
            raise
        return catalogue

    @property
    def database(self) -> Path:
        """The database file."""
        return self.folder / DATABASE_NAME

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A session for reading: one unchanging view of the data while it is open."""
        with known_errors(self.folder), Session(self._engine) as session:
            yield session

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A session for writing: one transaction, committed at the end or rolled back by an exception.

        Raises:
            LibraryError: The library was opened read-only, or cannot be written.
        """
        self._refuse_read_only()
        with known_errors(self.folder), Session(self._writing_engine) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def writing_connection(self) -> Iterator[Connection]:
        """One connection for several writing transactions, each begun by `connection.begin()`."""
        self._refuse_read_only()
        with known_errors(self.folder), self._writing_engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def cursor(self) -> Iterator[sqlite3.Cursor]:
        """A bare SQLite cursor for reading many rows fast."""
        with known_errors(self.folder):
            pooled = self._engine.raw_connection()
            try:
                driver: Any = pooled.driver_connection
                with contextlib.closing(driver.cursor()) as cursor:
                    yield cursor
            finally:
                pooled.close()

    @contextlib.contextmanager
    def writer(self) -> Iterator[None]:
        """Hold the library's writer lock inside the block; whoever indexes or removes must. May be nested.

        Raises:
            LibraryBusyError: Another process, or another `Catalogue` of this one, holds it.
            LibraryError: The library was opened read-only.
        """
        self._refuse_read_only()
        assert self._lock is not None
        with self._lock.held():
            yield

    def data_version(self) -> int:
        """A number that differs from an earlier one if anything was committed in between, by whatever process."""
        with known_errors(self.folder), self._watch_lock:
            # SQLite counts the commits of other connections only, so this one never writes.
            if self._watch is None:
                self._watch = self._connect()
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Let go of the database. The object cannot be used afterwards."""
        with self._watch_lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_read_only(self) -> None:
        if self.read_only:
            raise LibraryError(
                f"The library in {shown(self.folder)} was opened for reading only.", "Open it for writing."
            )

    def _migrate(self, database: Path) -> None:
        if self.read_only:
            raise LibraryError(
                f"The library in {shown(self.folder)} is of an older version and must be upgraded first.",
                "Run `earshot index` once on it.",
            )
        assert self._lock is not None
        with self._lock.held(timeout_s=_MIGRATION_WAIT_S):
            # Another process may have done it while this one waited.
            version = schema_version(database)
            if version < SCHEMA_VERSION:
                upgrade(self._writing_engine, database, version)

    def _check(self) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM roots").scalar_one()


def _connector(database: Path, *, read_only: bool) -> Callable[[], sqlite3.Connection]:
    uri = database_uri(database, read_only=read_only)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, timeout=_BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}")
            if not read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                # In WAL mode this outlives any death of the process; only a power cut may lose the last commits.
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


def _create_engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=8, max_overflow=32)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Begin by hand: the driver's own way would leave DDL out of transactions, and readers must not block writers."""
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}")
