"""A folder as the storage; its keys are the paths in it.

What is kept is a hard link to what was given wherever that is possible, so that large files take no time and
no more room: whoever gave it may remove or replace it, but must not write into it. Beside each file lies a
note of its SHA-256, which counts while the file is of the size and the moment that the note says. The folder
is marked as mtbsync's own before anything comes into it, so that nobody who watches it takes in what is kept.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mtbsync_daemon.own import mark
from mtbsync_daemon.storage import StorageError, Stored
from mtbsync_daemon.storage.keys import check_key
from mtbsync_daemon.storage.whole import beside, to_disk
from mtbsync_engine.errors import OutputError
from mtbsync_engine.files import write_text


class FolderStorage:
    """Keeps files below `folder`, which is made where it is missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, source: Path, sha256: str) -> None:
        """See `Storage`."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            mark(self._folder)
            with beside(path) as temporary:
                _link_or_copy(source, temporary)
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
            is_inside = path.resolve().is_relative_to(self._folder.resolve())
        except OSError as error:
            raise _out_of_reach(path, error) from error
        if not is_inside:
            raise StorageError(f"{path} is a link to elsewhere, where nothing is kept; remove it.")
        return path


def _link_or_copy(source: Path, path: Path) -> None:
    try:
        path.hardlink_to(source)
    except OSError:
        # On another disk, or on one that knows no links.
        shutil.copyfile(source, path)
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
