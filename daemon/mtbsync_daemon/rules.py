"""What the rules of the house share, whatever they are about."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from mtbsync_daemon.store import recordings
from mtbsync_daemon.store.recordings import StoredFile
from mtbsync_engine.errors import InputError

T = TypeVar("T")


class StateError(InputError):
    """That cannot be done as things stand."""


def still_there(found: T | None) -> T:
    """What was found.

    Raises:
        StateError: nothing was.
    """
    if found is None:
        raise StateError("What this job was about has been removed.")
    return found


def recording_params(db: sqlite3.Connection, recording_id: str) -> dict[str, Any]:
    """A recording as tasks get it: see `tasks.footage`."""
    files = recordings.files_of(db, recording_id)
    return {
        "fingerprint": recording_id,
        "copies": [str(f.path) for f in files if f.path == f.first],
        "tracks": [str(f.path) for f in files if f.path.suffix.lower() in recordings.TRACK_SUFFIXES],
    }


def copies_of(files: Sequence[StoredFile]) -> list[list[Path]]:
    """The chapters of each copy of a recording, in order."""
    copies: dict[Path, list[Path]] = {}
    for file in files:
        if file.is_chapter:
            copies.setdefault(file.first, []).append(file.path)
    return list(copies.values())
