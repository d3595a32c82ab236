"""The file itself: opening, upgrading with a backup, and short transactions from any thread."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from mtbsync_engine.errors import InputError, OutputError
from mtbsync_engine.files import replacing

# "mtbs" in ASCII: tells this file from any other SQLite database.
APPLICATION_ID = 0x6D746273
_BUSY_S = 10.0

P = ParamSpec("P")
T = TypeVar("T")
Query = Callable[Concatenate[sqlite3.Connection, P], T]


class LibraryError(InputError):
    """The library cannot be used."""


class Store:
    """The library. `read` and `write` each run one function in one transaction; both may be called from any
    thread. Whoever was given to `on_change` is told after each write that noted an event."""

    def __init__(self, path: Path, backups: Path) -> None:
        """Open the library at `path`; make it if there is none, and upgrade an older one after a backup.

        Raises:
            LibraryError: it is damaged, no library, or of a newer version.
            OutputError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = _connect(path)
            _upgrade(self._writer, path, backups)
            self._reader = _connect(path)
            self._reader.execute("PRAGMA query_only = ON")
        except sqlite3.OperationalError as error:
            raise OutputError(f"The library {path} cannot be opened: {error}.") from error
        except OSError as error:
            raise OutputError(f"The library {path} cannot be made: {error.strerror}.") from error
        except sqlite3.DatabaseError as error:
            raise LibraryError(f"{path} is damaged ({error}). {how_to_restore(path, backups)}") from error
        self._path = path
        self._write_lock, self._read_lock = threading.Lock(), threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def read(self, query: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `query` finds."""
        with self._read_lock, _transaction(self._reader, "DEFERRED"):
            return query(self._reader, *args, **kwargs)

    def write(self, change: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `change` wholly or not at all.

        Raises:
            OutputError: the disk is full, or the file cannot be written.
        """
        try:
            with self._write_lock, _transaction(self._writer, "IMMEDIATE"):
                before = self._writer.total_changes
                done = change(self._writer, *args, **kwargs)
                changed = self._writer.total_changes != before
        except sqlite3.OperationalError as error:
            raise OutputError(f"The library {self._path} cannot be written: {error}.") from error
        if changed:
            for listener in self._listeners:
                listener()
        return done

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each write, in the thread that wrote."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Put everything into the one file, and let go of it."""
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()


def check_integrity(path: Path) -> str:
    """What SQLite finds wrong with the file, "ok" if nothing; it is only read.

    Raises:
        LibraryError: it is no database at all.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            found = "; ".join(str(row[0]) for row in db.execute("PRAGMA integrity_check(5)"))
            if found == "ok" and db.execute("PRAGMA foreign_key_check").fetchone() is not None:
                return "rows that belong to nothing"
            return found
    except sqlite3.Error as error:
        raise LibraryError(f"{path} cannot be read as a library: {error}.") from error


def how_to_restore(path: Path, backups: Path) -> str:
    """What to do about a damaged library; SQLite would add to the copy what it finds in files beside it."""
    return (
        f"Stop mtbsync, move {path.name}, {path.name}-wal and {path.name}-shm away, as far as they are "
        f"there, and put the newest copy from {backups} there as {path.name}."
    )


def newest_version() -> int:
    """The version that this mtbsync's library has."""
    return len(_migrations())


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    # A write that was answered for is on disk, also when the battery dies.
    db.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
        "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4000;"
    )
    return db


@contextmanager
def _transaction(db: sqlite3.Connection, kind: str) -> Iterator[None]:
    db.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _upgrade(db: sqlite3.Connection, path: Path, backups: Path) -> None:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    owner = int(db.execute("PRAGMA application_id").fetchone()[0])
    is_empty = db.execute("SELECT 1 FROM sqlite_schema").fetchone() is None
    if not is_empty and owner != APPLICATION_ID:
        raise LibraryError(f"{path} is a database of another program; move it away.")
    migrations = _migrations()
    if version > len(migrations):
        raise LibraryError(
            f"{path} was written by a newer mtbsync (version {version} of the library; this one knows "
            f"{len(migrations)}). Update mtbsync; the library was left as it is."
        )
    if version == len(migrations):
        return
    if not is_empty:
        _back_up(db, backups / f"library-v{version}-{time.time_ns()}.sqlite")
    for number, script in enumerate(migrations[version:], start=version + 1):
        db.executescript(
            f"BEGIN IMMEDIATE; {script}\n"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
        )


def _back_up(db: sqlite3.Connection, path: Path) -> None:
    with replacing(path) as temporary, closing(sqlite3.connect(temporary)) as copy:
        db.backup(copy)


def _migrations() -> list[str]:
    folder = resources.files(__package__) / "migrations"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [file.read_text(encoding="utf-8") for file in files]
