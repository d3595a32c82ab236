"""Anchors: moments of a run and of a trail's reference that a person saw to be at the same place."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from mtbsync_daemon.store import events


@dataclass(frozen=True)
class AnchorRow:
    """One such place. Where it is a marker's (`is_of_marker`), `anchor_id` is the marker's id."""

    recording_id: str
    trail_id: str
    anchor_id: str
    t_new_s: float
    t_ref_s: float
    is_of_marker: bool


def of_run(db: sqlite3.Connection, recording_id: str, trail_id: str) -> list[AnchorRow]:
    """The anchors between a run and a trail, in order."""
    rows = db.execute(
        "SELECT * FROM anchors WHERE recording_id = ? AND trail_id = ? ORDER BY t_new_s, id",
        (recording_id, trail_id),
    )
    return [_anchor(row) for row in rows]


def get(db: sqlite3.Connection, recording_id: str, trail_id: str, anchor_id: str) -> AnchorRow | None:
    """The anchor of that id."""
    row = db.execute(
        "SELECT * FROM anchors WHERE recording_id = ? AND trail_id = ? AND id = ?",
        (recording_id, trail_id, anchor_id),
    ).fetchone()
    return None if row is None else _anchor(row)


def put(db: sqlite3.Connection, anchor: AnchorRow) -> None:
    """Note an anchor, in place of one of the same id."""
    db.execute(
        "INSERT OR REPLACE INTO anchors (recording_id, trail_id, id, t_new_s, t_ref_s, is_of_marker) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            anchor.recording_id,
            anchor.trail_id,
            anchor.anchor_id,
            anchor.t_new_s,
            anchor.t_ref_s,
            anchor.is_of_marker,
        ),
    )
    events.add(db, "anchors", anchor.recording_id)


def remove(db: sqlite3.Connection, anchor: AnchorRow) -> None:
    """Forget an anchor."""
    db.execute(
        "DELETE FROM anchors WHERE recording_id = ? AND trail_id = ? AND id = ?",
        (anchor.recording_id, anchor.trail_id, anchor.anchor_id),
    )
    events.add(db, "anchors", anchor.recording_id)


def _anchor(row: sqlite3.Row) -> AnchorRow:
    return AnchorRow(
        row["recording_id"],
        row["trail_id"],
        row["id"],
        row["t_new_s"],
        row["t_ref_s"],
        bool(row["is_of_marker"]),
    )
