"""What lies in a folder and below it now. Nothing is opened, and nothing is remembered."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mtbsync_daemon.own import MARK
from mtbsync_daemon.watch.gather import is_passed_over, is_wanted
from mtbsync_daemon.watch.settle import Stamp


@dataclass(frozen=True)
class Tree:
    """A folder's files. `listings` has, by the path of each folder that was read, the stamps of the files
    that can be part of a recording, by name. `skipped` says in sentences what could not be read. `is_bare`:
    there is nothing at all, as where a disk was mounted before."""

    listings: dict[str, dict[str, Stamp]]
    skipped: list[str]
    is_bare: bool


def walk(root: Path) -> Tree:
    """List `root` and every folder below it.

    Links are not followed: what they lead to inside `root` is found in its own place, and what lies outside
    is none of ours. `root` itself may be one. What lies in and below a folder that is marked as mtbsync's own
    is passed over.

    Raises:
        OSError: `root` cannot be listed.
    """
    listings: dict[str, dict[str, Stamp]] = {}
    skipped: list[str] = []
    is_bare = False
    folders = [str(root)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as opened:
                entries = list(opened)
        except OSError as error:
            if not listings:
                raise
            skipped += _unless_gone(folder, error)
            continue
        is_bare = not (listings or entries)
        listing = listings[folder] = {}
        if any(entry.name == MARK for entry in entries):
            if len(listings) == 1:
                skipped.append(_is_own(folder))
            continue
        for entry in entries:
            try:
                if is_passed_over(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if not _is_junction(entry):
                        folders.append(entry.path)
                elif is_wanted(entry.name) and entry.is_file(follow_symlinks=False):
                    listing[entry.name] = _stamp(entry.stat(follow_symlinks=False))
            except OSError as error:
                skipped += _unless_gone(entry.path, error)
    return Tree(listings, skipped, is_bare)


def stamps_now(folder: Path, names: Iterable[str]) -> dict[str, Stamp]:
    """The stamps of those of the files that are still there.

    Unlike a folder's listing, which on Windows may lag behind while a file is written, this asks the files.
    """
    stamps = {}
    for name in names:
        with suppress(OSError):
            stamps[name] = _stamp((folder / name).stat())
    return stamps


def cannot_be_read(path: str | Path, error: OSError) -> str:
    """The sentence for a file or folder below a watched one that is left out."""
    return f"{as_text(path)} cannot be read ({error.strerror or error}); give mtbsync leave to read it."


def as_text(path: str | Path) -> str:
    """`path` as text, for which names need not be: bytes that are none are written as numbers."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _is_own(path: str) -> str:
    return f"{as_text(path)} is where mtbsync keeps what it makes; watch another folder."


def _unless_gone(path: str, error: OSError) -> list[str]:
    return [] if isinstance(error, FileNotFoundError) else [cannot_be_read(path, error)]


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns)


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Whether a folder is Windows' other kind of link; `entry.is_junction` comes with Python 3.12 only."""
    if sys.platform == "win32":
        return entry.stat(follow_symlinks=False).st_reparse_tag == stat.IO_REPARSE_TAG_MOUNT_POINT
    return False
