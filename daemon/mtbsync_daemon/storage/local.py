"""A folder as the storage; its keys are the paths in it.

What is kept is a hard link to what was given wherever that is possible, so that large files take no time and
no more room: whoever gave it may remove or replace it, but must not write into it. Beside each file lies a
note of its SHA-256, which counts while the file is of the size and the moment that the note says. The folder
is marked as mtbsync's own before anything comes into it, so that nobody who watches it takes in what is kept,
and so that it is known from the empty folder that its drive leaves behind where that is not mounted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from mtbsync_daemon.own import MARK, is_marked, mark
from mtbsync_daemon.storage import StorageAwayError, StorageError, Stored
from mtbsync_daemon.storage.keys import check_key
from mtbsync_daemon.storage.whole import beside, to_disk
from mtbsync_engine.errors import OutputError
from mtbsync_engine.files import write_text

_NOTES = "folders"
_PIECE = 8 * 2**20


def open_folder(folder: Path, notes: Path) -> FolderStorage:
    """The folder that the settings' `[storage]` names. Once something was put there, which is noted below the
    folder `notes`, it is away where it is not marked.

    Raises:
        StorageAwayError: it is not there.
        StorageError: nobody can tell now.
    """
    try:
        is_there = folder.is_dir()
    except OSError as error:
        raise _out_of_reach(folder, error) from error
    if not is_there:
        # Made where a drive is missing, it would fill another.
        raise StorageAwayError(
            f"{folder}, the folder of [storage], is not there; plug its drive in, or make it."
        )
    name = sha256(os.fsencode(folder)).hexdigest()[:32]
    return FolderStorage(folder, notes / _NOTES / f"{name}.txt")


class FolderStorage:
    """Keeps files below `folder`, which is made where it is missing. The file `used`, if one is named, tells
    that something was put there."""

    def __init__(self, folder: Path, used: Path | None = None) -> None:
        self._folder = folder
        self._used = used

    def put(
        self, key: str, source: Path, sha256: str, on_bytes: Callable[[int], None] = lambda n_bytes: None
    ) -> None:
        """See `Storage`; what takes no time is not told."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            mark(self._folder)
            self._note_use()
            with beside(path) as temporary:
                _link_or_copy(source, temporary, on_bytes)
                # First, so that no note ever speaks of another file than its own.
                write_text(_note_of(path), f"{sha256} {_mark(temporary)}\n")
                temporary.replace(path)
        except OSError as error:
            raise OutputError(f"{path} could not be written: {error.strerror or error}.") from error

    def stat(self, key: str) -> Stored | None:
        """See `Storage`."""
        path = self._path(key)
        try:
            if not path.is_file():
                return None
            return Stored(path.stat().st_size, _noted(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _out_of_reach(path, error) from error

    def fetch(self, key: str, cache: Path) -> Path:
        """See `Storage`; nothing is ever copied."""
        if self.stat(key) is None:
            raise StorageError(f"{self._path(key)} is not there any more; have it made again.")
        return self._path(key)

    def remove(self, key: str) -> None:
        """See `Storage`."""
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
            _note_of(path).unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as error:
            raise StorageError(f"{path} cannot be removed: {error.strerror or error}.") from error

    def url(self, key: str, lasts_s: float) -> str | None:
        """See `Storage`; a folder has no addresses."""
        return None

    def _path(self, key: str) -> Path:
        path = self._folder / check_key(key)
        try:
            is_away = self._used is not None and self._used.exists() and not is_marked(self._folder)
            is_inside = path.resolve().is_relative_to(self._folder.resolve())
        except OSError as error:
            raise _out_of_reach(path, error) from error
        if is_away:
            raise StorageAwayError(
                f"{self._folder}, the folder of [storage], holds nothing of what was put there; plug its "
                f"drive in, or, if all of that is gone for good, put an empty file {MARK} there."
            )
        if not is_inside:
            raise StorageError(f"{path} is a link to elsewhere, where nothing is kept; remove it.")
        return path

    def _note_use(self) -> None:
        if self._used is not None and not self._used.exists():
            self._used.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._used, f"{self._folder}\n")


def _link_or_copy(source: Path, path: Path, on_bytes: Callable[[int], None]) -> None:
    try:
        path.hardlink_to(source)
    except OSError:
        # On another disk, or on one that knows no links.
        with source.open("rb") as original, path.open("wb") as copy:
            while piece := original.read(_PIECE):
                copy.write(piece)
                on_bytes(copy.tell())
    to_disk(path)


def _note_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def _noted(path: Path) -> str:
    try:
        sha256, _, mark = _note_of(path).read_text("ascii").strip().partition(" ")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
    return sha256 if mark == _mark(path) else ""


def _mark(path: Path) -> str:
    """Tells a file from another of its name."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _out_of_reach(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be reached: {error.strerror or error}.")
