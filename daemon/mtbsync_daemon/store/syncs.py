"""Syncs: what came of lining a recording up with a trail."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtbsync_daemon.store import events
from mtbsync_daemon.store.ids import now

_NEXT_TURN = "(SELECT ifnull(max(turn), 0) + 1 FROM syncs WHERE recording_id = {})"


@dataclass(frozen=True)
class SyncRow:
    """One sync. `wanted_trail_id` is the trail that it was asked for (None: find it), `trail_id` the one that
    was found to fit, `verdict` None until its job has ended well. `candidates` are the trails that were
    tried, with what spoke for each. `artifact` is the folder of its results below the artifacts, `map_folder`
    that of the map that counts."""

    sync_id: str
    job_id: str
    recording_id: str
    wanted_trail_id: str | None
    trail_id: str | None
    verdict: str | None
    reasons: tuple[str, ...]
    candidates: tuple[Mapping[str, Any], ...]
    artifact: str | None
    map_folder: str | None
    is_accepted: bool
    version: int
    created_at: float


def add(db: sqlite3.Connection, job_id: str, recording_id: str, wanted_trail_id: str | None) -> SyncRow:
    """The sync that a new job is for, which counts from now on."""
    db.execute(
        "INSERT INTO syncs (id, job_id, recording_id, wanted_trail_id, created_at, turn) "
        f"VALUES (?1, ?1, ?2, ?3, ?4, {_NEXT_TURN.format('?2')})",
        (job_id, recording_id, wanted_trail_id, now()),
    )
    return _changed(db, job_id)


def make_current(db: sqlite3.Connection, sync: SyncRow) -> SyncRow:
    """Have a sync that was done before count, and not those done since."""
    db.execute(
        f"UPDATE syncs SET turn = {_NEXT_TURN.format('recording_id')}, version = version + 1 WHERE id = ?",
        (sync.sync_id,),
    )
    return _changed(db, sync.sync_id)


def run_again(db: sqlite3.Connection, sync: SyncRow) -> SyncRow:
    """Note that a sync's job runs again; what it found stays until that has ended."""
    db.execute("UPDATE syncs SET version = version + 1 WHERE id = ?", (sync.sync_id,))
    return _changed(db, sync.sync_id)


def found(
    db: sqlite3.Connection,
    sync: SyncRow,
    *,
    trail_id: str | None,
    verdict: str,
    reasons: Sequence[str],
    candidates: Sequence[Mapping[str, Any]],
    artifact: str | None,
) -> SyncRow:
    """Note what a sync's job found. What a person trusted before is trusted still where it says the same."""
    is_as_before = (trail_id, verdict) == (sync.trail_id, sync.verdict)
    db.execute(
        "UPDATE syncs SET trail_id = ?, verdict = ?, reasons = ?, candidates = ?, artifact = ?, "
        "map_folder = NULL, is_accepted = ?, version = version + 1 WHERE id = ?",
        (
            trail_id,
            verdict,
            json.dumps(list(reasons)),
            json.dumps(list(candidates)),
            artifact,
            verdict == "accept" or (is_as_before and sync.is_accepted),
            sync.sync_id,
        ),
    )
    return _changed(db, sync.sync_id)


def accept(db: sqlite3.Connection, sync: SyncRow) -> SyncRow:
    """Note that a person trusts a sync."""
    db.execute("UPDATE syncs SET is_accepted = 1, version = version + 1 WHERE id = ?", (sync.sync_id,))
    return _changed(db, sync.sync_id)


def mapped(db: sqlite3.Connection, sync: SyncRow, folder: str | None) -> None:
    """Note which map counts: the one in `folder` below the artifacts, or (None) the one that was found."""
    db.execute("UPDATE syncs SET map_folder = ? WHERE id = ?", (folder, sync.sync_id))
    events.add(db, "sync", sync.sync_id)


def dismissed(db: sqlite3.Connection, sync: SyncRow) -> SyncRow:
    """Note that a person wants no more of a sync."""
    db.execute("UPDATE syncs SET version = version + 1 WHERE id = ?", (sync.sync_id,))
    return _changed(db, sync.sync_id)


def get(db: sqlite3.Connection, sync_id: str) -> SyncRow | None:
    """The sync of that id."""
    return _one(db.execute("SELECT * FROM syncs WHERE id = ?", (sync_id,)))


def of_job(db: sqlite3.Connection, job_id: str) -> SyncRow | None:
    """The sync that a job works for."""
    return _one(db.execute("SELECT * FROM syncs WHERE job_id = ?", (job_id,)))


def current(db: sqlite3.Connection, recording_id: str) -> SyncRow | None:
    """The sync of a recording that counts: the one that was asked for last."""
    return _one(
        db.execute("SELECT * FROM syncs WHERE recording_id = ? ORDER BY turn DESC LIMIT 1", (recording_id,))
    )


def page(
    db: sqlite3.Connection,
    limit: int,
    after: tuple[float, str] | None = None,
    recording_id: str | None = None,
) -> list[SyncRow]:
    """The newest syncs first; `after` is (created_at, id) of the last one seen."""
    at, sync_id = after or (float("inf"), "")
    rows = db.execute(
        "SELECT * FROM syncs WHERE (created_at < ?1 OR (created_at = ?1 AND id > ?2)) "
        "AND (?3 IS NULL OR recording_id = ?3) ORDER BY created_at DESC, id LIMIT ?4",
        (at, sync_id, recording_id, limit),
    )
    return [_sync(row) for row in rows]


def of_recording(db: sqlite3.Connection, recording_id: str) -> list[SyncRow]:
    """All syncs of a recording, the one that counts first."""
    rows = db.execute("SELECT * FROM syncs WHERE recording_id = ? ORDER BY turn DESC", (recording_id,))
    return [_sync(row) for row in rows]


def of_trail(db: sqlite3.Connection, trail_id: str) -> list[SyncRow]:
    """The syncs that put runs on a trail."""
    return [_sync(row) for row in db.execute("SELECT * FROM syncs WHERE trail_id = ?", (trail_id,))]


def without_a_trail(db: sqlite3.Connection) -> list[SyncRow]:
    """The syncs that count and have ended without a trail, but for those that a person wants no more of."""
    rows = db.execute(
        "SELECT s.* FROM syncs AS s JOIN jobs ON jobs.id = s.job_id WHERE s.trail_id IS NULL "
        "AND jobs.state NOT IN ('queued', 'running', 'cancelled') "
        "AND s.turn = (SELECT max(turn) FROM syncs WHERE recording_id = s.recording_id)"
    )
    return [_sync(row) for row in rows]


def _changed(db: sqlite3.Connection, sync_id: str) -> SyncRow:
    found = get(db, sync_id)
    assert found is not None
    events.add(db, "sync", sync_id)
    events.add(db, "recording", found.recording_id)
    return found


def _one(rows: sqlite3.Cursor) -> SyncRow | None:
    row = rows.fetchone()
    return None if row is None else _sync(row)


def _sync(row: sqlite3.Row) -> SyncRow:
    return SyncRow(
        row["id"],
        row["job_id"],
        row["recording_id"],
        row["wanted_trail_id"],
        row["trail_id"],
        row["verdict"],
        tuple(json.loads(row["reasons"])),
        tuple(json.loads(row["candidates"])),
        row["artifact"],
        row["map_folder"] or row["artifact"],
        bool(row["is_accepted"]),
        row["version"],
        row["created_at"],
    )
