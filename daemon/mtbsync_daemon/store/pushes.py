"""The journal of what was done to editors' timelines."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtbsync_daemon.store import events
from mtbsync_daemon.store.ids import now


@dataclass(frozen=True)
class PushRow:
    """One push; `steps` are `before` and `after` of each marker that it touched."""

    push_id: int
    timeline: str
    name: str
    state: str
    steps: tuple[Mapping[str, Any], ...]


def begin(db: sqlite3.Connection, timeline: str, name: str, steps: Sequence[Mapping[str, Any]]) -> PushRow:
    """Note a push before anything is done."""
    added = db.execute(
        "INSERT INTO pushes (timeline, name, state, steps, created_at) VALUES (?, ?, 'started', ?, ?)",
        (timeline, name, json.dumps(list(steps)), now()),
    )
    return _changed(db, int(added.lastrowid or 0))


def done(db: sqlite3.Connection, push: PushRow, steps: Sequence[Mapping[str, Any]]) -> PushRow:
    """Note what a push really did."""
    db.execute(
        "UPDATE pushes SET state = 'done', steps = ? WHERE id = ?", (json.dumps(list(steps)), push.push_id)
    )
    return _changed(db, push.push_id)


def undone(db: sqlite3.Connection, push: PushRow) -> PushRow:
    """Note that a push was taken back."""
    db.execute("UPDATE pushes SET state = 'undone' WHERE id = ?", (push.push_id,))
    return _changed(db, push.push_id)


def get(db: sqlite3.Connection, push_id: int) -> PushRow | None:
    """The push of that id."""
    row = db.execute("SELECT * FROM pushes WHERE id = ?", (push_id,)).fetchone()
    return None if row is None else _push(row)


def of_timeline(db: sqlite3.Connection, timeline: str) -> list[PushRow]:
    """A timeline's pushes that were not taken back, newest first."""
    rows = db.execute(
        "SELECT * FROM pushes WHERE timeline = ? AND state != 'undone' ORDER BY id DESC", (timeline,)
    )
    return [_push(row) for row in rows]


def _changed(db: sqlite3.Connection, push_id: int) -> PushRow:
    found = get(db, push_id)
    assert found is not None
    events.add(db, "push", str(push_id))
    return found


def _push(row: sqlite3.Row) -> PushRow:
    return PushRow(row["id"], row["timeline"], row["name"], row["state"], tuple(json.loads(row["steps"])))
