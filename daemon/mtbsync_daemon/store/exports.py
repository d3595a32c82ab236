"""Files that were written for editors."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtbsync_daemon.store import events
from mtbsync_daemon.store.ids import new_id, now


@dataclass(frozen=True)
class ExportRow:
    """A file in an editor's format. `digest` is of its content as it was written; `losses` are sentences on
    what the format does not carry."""

    export_id: str
    recording_id: str
    format_name: str
    path: Path
    digest: str
    losses: tuple[str, ...]
    written_at: float


def note(
    db: sqlite3.Connection,
    recording_id: str,
    format_name: str,
    path: Path,
    digest: str,
    losses: Sequence[str],
) -> None:
    """Note that a file was written."""
    db.execute(
        "INSERT INTO exports (id, recording_id, format, path, digest, losses, written_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET recording_id = excluded.recording_id, "
        "format = excluded.format, digest = excluded.digest, losses = excluded.losses, "
        "written_at = excluded.written_at",
        (
            new_id(),
            recording_id,
            format_name,
            os.fsencode(path),
            digest,
            json.dumps(list(losses)),
            now(),
        ),
    )
    events.add(db, "exports", recording_id)


def of_recording(db: sqlite3.Connection, recording_id: str) -> list[ExportRow]:
    """What was written for a recording, by path."""
    return _exports(db.execute("SELECT * FROM exports WHERE recording_id = ? ORDER BY path", (recording_id,)))


def page(
    db: sqlite3.Connection,
    limit: int,
    after: tuple[float, str] | None = None,
    recording_id: str | None = None,
) -> list[ExportRow]:
    """The newest exports first; `after` is (written_at, id) of the last one seen."""
    at, export_id = after or (float("inf"), "")
    return _exports(
        db.execute(
            "SELECT * FROM exports WHERE (written_at < ?1 OR (written_at = ?1 AND id > ?2)) "
            "AND (?3 IS NULL OR recording_id = ?3) ORDER BY written_at DESC, id LIMIT ?4",
            (at, export_id, recording_id, limit),
        )
    )


def stem_for(db: sqlite3.Connection, folder: Path, recording_id: str, name: str) -> str:
    """What a recording's files in `folder` are called from now on: as `stem_of`."""
    stem = stem_of(db, folder, recording_id, name)
    db.execute(
        "INSERT OR IGNORE INTO stems (folder, stem, recording_id) VALUES (?, ?, ?)",
        (os.fsencode(folder), os.fsencode(stem), recording_id),
    )
    return stem


def stem_of(db: sqlite3.Connection, folder: Path, recording_id: str, name: str) -> str:
    """What a recording's files in `folder` are called, or would be: always the same, as the recording is, and
    where cameras count from 1 again and another has that name, with the beginning of its id."""
    known = db.execute(
        "SELECT stem FROM stems WHERE folder = ? AND recording_id = ?", (os.fsencode(folder), recording_id)
    ).fetchone()
    if known is not None:
        return os.fsdecode(known["stem"])
    for stem in (name, f"{name}-{recording_id[:6]}", f"{name}-{recording_id}"):
        # Some file systems tell no capitals.
        taken = {os.fsdecode(row["stem"]).casefold() for row in _stems_in(db, folder)}
        if stem.casefold() not in taken:
            break
    return stem


def _stems_in(db: sqlite3.Connection, folder: Path) -> list[sqlite3.Row]:
    return db.execute("SELECT stem FROM stems WHERE folder = ?", (os.fsencode(folder),)).fetchall()


def get(db: sqlite3.Connection, export_id: str) -> ExportRow | None:
    """The export of that id."""
    return next(iter(_exports(db.execute("SELECT * FROM exports WHERE id = ?", (export_id,)))), None)


def newest_recordings(db: sqlite3.Connection, limit: int) -> list[str]:
    """The ids of the recordings that something was written for last, the newest first."""
    rows = db.execute(
        "SELECT recording_id FROM exports GROUP BY recording_id "
        "ORDER BY max(written_at) DESC, recording_id LIMIT ?",
        (limit,),
    )
    return [row["recording_id"] for row in rows]


def _exports(rows: Iterable[sqlite3.Row]) -> list[ExportRow]:
    return [
        ExportRow(
            row["id"],
            row["recording_id"],
            row["format"],
            Path(os.fsdecode(row["path"])),
            row["digest"],
            tuple(json.loads(row["losses"])),
            row["written_at"],
        )
        for row in rows
    ]
