"""A folder as the storage; its keys are the paths in it.

What is kept is a hard link to what was given wherever that is possible, so that large files take no time and
no more room: whoever gave it may remove or replace it, but must not write into it. Beside each file lies a
note of its SHA-256, which counts while the file is of the size and the moment that the note says. The folder
is marked as mtbsync's own before anything comes into it, so that nobody who watches it takes in what is kept,
and so that it is known from the empty folder that its drive leaves behind where that is not mounted. Other
computers may keep things in it, and other programs too: nothing goes that is not known for its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from mtbsync_daemon.own import MARK, is_marked, mark
from mtbsync_daemon.storage import TOP, StorageAwayError, StorageError, Stored
from mtbsync_daemon.storage.keys import check_key
from mtbsync_daemon.storage.whole import beside, to_disk
from mtbsync_engine.errors import OutputError
from mtbsync_engine.files import write_text

_NOTES = "folders"
_PIECE = 8 * 2**20
# What `beside` calls a file, and `write_text` a note, until it is whole.
_UNFINISHED = re.compile(r"\.angle-.+\.[0-9a-f]{32}\.tmp|\.\.angle-.+\.[a-z0-9_]{8}\.tmp\.sha256")


def open_folder(folder: Path, notes: Path) -> FolderStorage:
    """The folder that the settings' `[storage]` names. Once it was seen to be marked, which is noted below
    the folder `notes`, it is away where it is not.

    Raises:
        StorageAwayError: it is not there, or does not answer.
        StorageError: it may not be looked into.
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
    that it was seen to be marked."""

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

    def clear(self, before: float) -> None:
        """Remove what killed writers have left, if the folder is marked, unless it was written to since the
        moment `before`: another computer may be at it.

        Raises:
            StorageError: as `stat`.
        """
        top = self._path(TOP)
        for path in _unfinished(top) if self._is_marked() else ():
            # Its writer may have come to its end, and it may not be ours to remove.
            with suppress(OSError):
                if path.lstat().st_mtime < before:
                    path.unlink()

    def _path(self, key: str) -> Path:
        path = self._folder / check_key(key)
        is_away = self._is_away()
        try:
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

    def _is_away(self) -> bool:
        if self._used is None:
            return False
        if not self._is_marked():
            return self._used.exists()
        # What cannot be noted now is so the next time.
        with suppress(OutputError):
            self._note_use()
        return False

    def _is_marked(self) -> bool:
        try:
            return is_marked(self._folder)
        except OSError as error:
            raise _out_of_reach(self._folder, error) from error

    def _note_use(self) -> None:
        if self._used is not None and not self._used.exists():
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


def _unfinished(top: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(top):
        yield from (Path(folder, name) for name in names if _UNFINISHED.fullmatch(name))


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
    is_refused = isinstance(error, PermissionError)
    # Whatever else is wrong with a disk or a network passes, or is as good as unplugged.
    kind = StorageError if is_refused else StorageAwayError
    return kind(f"{path} cannot be reached: {error.strerror or error}.")
