"""The library as programs beside the daemon see it: only to be read, whether a daemon runs or not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from mtbsync_daemon.store.database import APPLICATION_ID, LibraryError, Query, newest_version

_BUSY_S = 10.0

P = ParamSpec("P")
T = TypeVar("T")


class Reads(Protocol):
    """Whatever queries can be put to: a `Store`, or a `Reader`."""

    def read(self, query: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `query` finds."""


class Reader:
    """A library that is not changed, also not upgraded."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def read(self, query: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `query` finds."""
        self._db.execute("BEGIN")
        try:
            return query(self._db, *args, **kwargs)
        finally:
            self._db.execute("COMMIT")


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """The library at `path`, for the length of the block.

    Raises:
        LibraryError: there is none, it is damaged, or of another version.
    """
    if not path.is_file():
        raise LibraryError(
            f"There is no library at {path}; `mtbsync serve` makes one, and --data names another."
        )
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)
    except sqlite3.Error as error:
        raise LibraryError(f"The library {path} cannot be opened: {error}.") from error
    try:
        db.row_factory = sqlite3.Row
        _check(db, path)
        yield Reader(db)
    except sqlite3.DatabaseError as error:
        raise LibraryError(f"The library {path} cannot be read: {error}.") from error
    finally:
        db.close()


def _check(db: sqlite3.Connection, path: Path) -> None:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    owner = int(db.execute("PRAGMA application_id").fetchone()[0])
    if owner != APPLICATION_ID:
        raise LibraryError(f"{path} is a database of another program; move it away.")
    if version > newest_version():
        raise LibraryError(
            f"{path} was written by a newer mtbsync (version {version} of the library; this one knows "
            f"{newest_version()}). Update mtbsync."
        )
    if version < newest_version():
        raise LibraryError(f"{path} is of an older mtbsync; start the daemon once, which upgrades it.")
