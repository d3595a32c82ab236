"""Recordings, and the files they lie in."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtbsync_daemon.store import events
from mtbsync_daemon.store.ids import as_text, now

TRACK_SUFFIXES = (".gpx", ".fit")


# Of a recording `r`: the trail that its sync which counts has put it on, and who is shown.
_CURRENT_TRAIL = "SELECT trail_id FROM syncs WHERE recording_id = r.id ORDER BY turn DESC LIMIT 1"
_CURRENT_STATE = (
    "SELECT jobs.state FROM syncs JOIN jobs ON jobs.id = syncs.job_id WHERE syncs.recording_id = r.id "
    "ORDER BY syncs.turn DESC LIMIT 1"
)
_IS_REFERENCE = "EXISTS (SELECT 1 FROM trails WHERE recording_id = r.id)"
# What is a session's camera only is no run.
_IS_RUN = (
    f"(NOT {_IS_REFERENCE} AND (EXISTS (SELECT 1 FROM syncs WHERE recording_id = r.id) "
    "OR NOT EXISTS (SELECT 1 FROM cameras WHERE recording_id = r.id)))"
)
_SHOWN = {
    "all": f"({_IS_REFERENCE} OR {_IS_RUN})",
    "runs": _IS_RUN,
    "references": _IS_REFERENCE,
    "waiting": (
        f"(NOT {_IS_REFERENCE} AND ({_CURRENT_STATE}) IS NOT 'cancelled' AND ("
        f"({_CURRENT_STATE}) IN ('needs_review', 'failed') "
        "OR EXISTS (SELECT 1 FROM markers WHERE recording_id = r.id AND state = 'found' AND needs_review "
        "AND t_s IS NOT NULL)))"
    ),
}


@dataclass(frozen=True)
class StoredFile:
    """A file that was taken; `first` is its group's first chapter. `refused` says why it is no recording."""

    path: Path
    first: Path
    is_chapter: bool
    n_bytes: int
    mtime_ns: int
    recording_id: str | None = None
    refused: str | None = None


@dataclass(frozen=True)
class RecordingRow:
    """A recording. `about` holds what its probe told: `rate`, `width`, `height`, `start_timecode`,
    `has_audio`, `created_utc`, and `chapters` with `offset_s`, `duration_s`, `n_bytes` each."""

    recording_id: str
    name: str
    duration_s: float
    about: Mapping[str, Any]
    added_at: float


def stamps(db: sqlite3.Connection, folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time (ns since 1970) of every file that was taken from a watched folder, as it was then."""
    rows = db.execute("SELECT path, n_bytes, mtime_ns FROM files WHERE folder = ?", (os.fsencode(folder),))
    return {os.fsdecode(path): (n_bytes, mtime_ns) for path, n_bytes, mtime_ns in rows}


def take(db: sqlite3.Connection, folder: Path | None, files: Iterable[StoredFile]) -> None:
    """Note files as taken; what was known of them stays until they have been probed."""
    rows = [
        (
            os.fsencode(f.path),
            b"" if folder is None else os.fsencode(folder),
            os.fsencode(f.first),
            f.is_chapter,
            f.n_bytes,
            f.mtime_ns,
        )
        for f in files
    ]
    db.executemany(
        "INSERT INTO files (path, folder, first, is_chapter, n_bytes, mtime_ns) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (path) DO UPDATE SET folder = excluded.folder, first = excluded.first, "
        "is_chapter = excluded.is_chapter, n_bytes = excluded.n_bytes, mtime_ns = excluded.mtime_ns",
        rows,
    )


def refuse(db: sqlite3.Connection, first: Path, why: str) -> None:
    """Note that a group is no recording."""
    db.execute(
        "UPDATE files SET recording_id = NULL, refused = ? WHERE first = ?",
        (as_text(why), os.fsencode(first)),
    )
    events.add(db, "file", as_text(str(first)))


def drop(db: sqlite3.Connection, first: Path) -> None:
    """Forget a group that went away before it was known what it is."""
    db.execute("DELETE FROM files WHERE first = ?", (os.fsencode(first),))


def add(db: sqlite3.Connection, recording: RecordingRow, first: Path) -> bool:
    """Give the group that begins with `first` to its recording; tell whether that is a new one."""
    inserted = db.execute(
        "INSERT INTO recordings (id, name, duration_s, about, added_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO NOTHING",
        (
            recording.recording_id,
            recording.name,
            recording.duration_s,
            json.dumps(recording.about),
            recording.added_at,
        ),
    )
    db.execute(
        "UPDATE files SET recording_id = ?, refused = NULL WHERE first = ?",
        (recording.recording_id, os.fsencode(first)),
    )
    events.add(db, "recording", recording.recording_id)
    return inserted.rowcount == 1


def row_of(recording_id: str, name: str, duration_s: float, about: Mapping[str, Any]) -> RecordingRow:
    """A recording that is added now."""
    return RecordingRow(recording_id, as_text(name), duration_s, about, now())


def get(db: sqlite3.Connection, recording_id: str) -> RecordingRow | None:
    """The recording of that id."""
    found = db.execute("SELECT * FROM recordings WHERE id = ?", (recording_id,)).fetchone()
    return None if found is None else _recording(found)


def page(
    db: sqlite3.Connection,
    limit: int,
    after: tuple[float, str] | None = None,
    *,
    name: str = "",
    trail_id: str | None = None,
    show: str = "all",
) -> list[RecordingRow]:
    """The newest recordings first; `after` is (added_at, id) of the last one seen. `name` is a part of it,
    `trail_id` the trail that they are on or the reference of; `show` is a key of `_SHOWN`. What is
    only a camera of a session is never among them."""
    at, recording_id = after or (float("inf"), "")
    rows = db.execute(
        "SELECT * FROM recordings AS r WHERE (added_at < ?1 OR (added_at = ?1 AND id > ?2)) "
        "AND (?4 = '' OR instr(lower(name), lower(?4)) > 0) "
        "AND (?5 IS NULL OR id IN (SELECT recording_id FROM trails WHERE id = ?5) "
        f"OR ({_CURRENT_TRAIL}) = ?5) "
        f"AND {_SHOWN[show]} ORDER BY added_at DESC, id LIMIT ?3",
        (at, recording_id, limit, name, trail_id),
    )
    return [_recording(row) for row in rows]


def count(db: sqlite3.Connection) -> int:
    """How many recordings there are."""
    return int(db.execute("SELECT count(*) FROM recordings").fetchone()[0])


def owners(db: sqlite3.Connection, paths: Sequence[Path]) -> list[RecordingRow]:
    """The recordings that own one of these files."""
    found: dict[str, RecordingRow] = {}
    for path in paths:
        row = db.execute(
            "SELECT recordings.* FROM recordings JOIN files ON files.recording_id = recordings.id "
            "WHERE files.path = ?",
            (os.fsencode(path),),
        ).fetchone()
        if row is not None:
            found.setdefault(row["id"], _recording(row))
    return list(found.values())


def files_of(db: sqlite3.Connection, recording_id: str) -> list[StoredFile]:
    """All of a recording's files, its copies' too: chapters in order within each copy."""
    return _files(
        db.execute(
            "SELECT * FROM files WHERE recording_id = ? ORDER BY first, is_chapter DESC, path",
            (recording_id,),
        )
    )


def group(db: sqlite3.Connection, first: Path) -> list[StoredFile]:
    """The files that were taken together with `first`."""
    return _files(db.execute("SELECT * FROM files WHERE first = ? ORDER BY path", (os.fsencode(first),)))


def is_taken(db: sqlite3.Connection, files: Iterable[StoredFile]) -> bool:
    """Whether these very files, as they are now, are known to be a recording's."""
    for file in files:
        row = db.execute(
            "SELECT 1 FROM files WHERE path = ? AND n_bytes = ? AND mtime_ns = ? "
            "AND recording_id IS NOT NULL",
            (os.fsencode(file.path), file.n_bytes, file.mtime_ns),
        ).fetchone()
        if row is None:
            return False
    return True


def replace_if_unused(db: sqlite3.Connection, recording_id: str, successor_id: str) -> None:
    """Forget a recording that no file is left of, as its files are another's now, unless it is a reference
    or a person has worked on it. What was written for editors is the successor's to write anew."""
    is_used = db.execute(
        "SELECT 1 FROM files WHERE recording_id = ?1 UNION SELECT 1 FROM trails WHERE recording_id = ?1 "
        "UNION SELECT 1 FROM markers WHERE recording_id = ?1 AND (state != 'found' OR own != '[]') "
        "UNION SELECT 1 FROM anchors WHERE recording_id = ?1 "
        "UNION SELECT 1 FROM cameras WHERE recording_id = ?1",
        (recording_id,),
    ).fetchone()
    if is_used is not None:
        return
    db.execute(
        "UPDATE jobs SET state = 'cancelled', error = 'Its files belong to another recording now.' "
        "WHERE recording_id = ? AND state = 'queued'",
        (recording_id,),
    )
    for table in ("exports", "stems"):
        db.execute(
            f"UPDATE OR IGNORE {table} SET recording_id = ? WHERE recording_id = ?",
            (successor_id, recording_id),
        )
    for table in ("markers", "syncs"):
        db.execute(f"DELETE FROM {table} WHERE recording_id = ?", (recording_id,))
    db.execute("DELETE FROM recordings WHERE id = ?", (recording_id,))
    events.add(db, "recording", recording_id)


def never_synced(db: sqlite3.Connection) -> list[RecordingRow]:
    """The recordings that nothing was ever compared with, oldest first."""
    rows = db.execute(
        "SELECT * FROM recordings WHERE id NOT IN (SELECT recording_id FROM syncs) ORDER BY added_at, id"
    )
    return [_recording(row) for row in rows]


def folder_of_file(db: sqlite3.Connection, path: Path) -> Path | None:
    """The watched folder that a file was found in."""
    row = db.execute("SELECT folder FROM files WHERE path = ?", (os.fsencode(path),)).fetchone()
    return Path(os.fsdecode(row["folder"])) if row is not None and row["folder"] else None


def folders_of(db: sqlite3.Connection, recording_id: str) -> list[tuple[Path, Path]]:
    """The watched folders that copies of a recording were found in, each with the copy's first chapter."""
    rows = db.execute(
        "SELECT folder, path FROM files WHERE recording_id = ? AND folder != x'' AND path = first "
        "ORDER BY path",
        (recording_id,),
    )
    return [(Path(os.fsdecode(row["folder"])), Path(os.fsdecode(row["path"]))) for row in rows]


def track_sizes(db: sqlite3.Connection, recording_id: str) -> list[int]:
    """Tells which GPX and FIT files lie beside a recording, by their sizes."""
    files = files_of(db, recording_id)
    return sorted({f.n_bytes for f in files if f.path.suffix.lower() in TRACK_SUFFIXES})


def refused(db: sqlite3.Connection, limit: int) -> list[StoredFile]:
    """First chapters of groups that are no recordings."""
    return _files(
        db.execute(
            "SELECT * FROM files WHERE refused IS NOT NULL AND path = first ORDER BY path LIMIT ?", (limit,)
        )
    )


def _files(rows: Iterable[sqlite3.Row]) -> list[StoredFile]:
    return [
        StoredFile(
            Path(os.fsdecode(row["path"])),
            Path(os.fsdecode(row["first"])),
            bool(row["is_chapter"]),
            row["n_bytes"],
            row["mtime_ns"],
            row["recording_id"],
            row["refused"],
        )
        for row in rows
    ]


def _recording(row: sqlite3.Row) -> RecordingRow:
    return RecordingRow(row["id"], row["name"], row["duration_s"], json.loads(row["about"]), row["added_at"])
