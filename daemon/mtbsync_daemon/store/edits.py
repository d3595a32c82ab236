"""Edits: what a person changed on a run, as it was before and after, so that it can be undone and done again.

A change holds a marker or an anchor twice; None stands for none. Doing, undoing and redoing are the same in
either direction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mtbsync_daemon.store import anchors, events, markers
from mtbsync_daemon.store.anchors import AnchorRow
from mtbsync_daemon.store.ids import now
from mtbsync_daemon.store.markers import MarkerRow

# Nobody undoes more one by one.
_MOST_KEPT = 1000


@dataclass(frozen=True)
class MarkerChange:
    """A marker before and after; one of the two may be None."""

    before: MarkerRow | None
    after: MarkerRow | None


@dataclass(frozen=True)
class AnchorChange:
    """An anchor before and after; one of the two may be None."""

    before: AnchorRow | None
    after: AnchorRow | None


Change = MarkerChange | AnchorChange


@dataclass(frozen=True)
class Edit:
    """Changes that were made together; `what` says in words what was done."""

    edit_id: int
    recording_id: str
    what: str
    changes: tuple[Change, ...]
    is_undone: bool
    at: float


def make(db: sqlite3.Connection, recording_id: str, what: str, changes: Sequence[Change]) -> None:
    """Make these changes, and note them; what was undone before can be redone no more."""
    db.execute("DELETE FROM edits WHERE recording_id = ? AND is_undone", (recording_id,))
    for change in changes:
        _put(db, change.before, change.after)
    db.execute(
        "INSERT INTO edits (recording_id, what, changes, at) VALUES (?, ?, ?, ?)",
        (recording_id, what, json.dumps([_document(change) for change in changes]), now()),
    )
    db.execute(
        "DELETE FROM edits WHERE recording_id = ?1 AND id <= "
        "(SELECT id FROM edits WHERE recording_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (recording_id, _MOST_KEPT),
    )
    events.add(db, "edits", recording_id)


def to_undo(db: sqlite3.Connection, recording_id: str) -> Edit | None:
    """The edit that was made last and stands."""
    return _one(
        db.execute(
            "SELECT * FROM edits WHERE recording_id = ? AND NOT is_undone ORDER BY id DESC LIMIT 1",
            (recording_id,),
        )
    )


def to_redo(db: sqlite3.Connection, recording_id: str) -> Edit | None:
    """The edit that was undone last."""
    return _one(
        db.execute(
            "SELECT * FROM edits WHERE recording_id = ? AND is_undone ORDER BY id LIMIT 1", (recording_id,)
        )
    )


def of_recording(db: sqlite3.Connection, recording_id: str, limit: int) -> list[Edit]:
    """The newest edits of a run first."""
    rows = db.execute(
        "SELECT * FROM edits WHERE recording_id = ? ORDER BY id DESC LIMIT ?", (recording_id, limit)
    )
    return [_edit(row) for row in rows]


def stands(db: sqlite3.Connection, edit: Edit) -> bool:
    """Whether everything is still as this edit, or its undoing, left it."""
    return all(
        _same(_now(db, c.before or c.after), c.before if edit.is_undone else c.after) for c in edit.changes
    )


def undo(db: sqlite3.Connection, edit: Edit) -> None:
    """Put everything back to how it was before."""
    for change in reversed(edit.changes):
        _put(db, change.after, change.before)
    _note(db, edit, is_undone=True)


def redo(db: sqlite3.Connection, edit: Edit) -> None:
    """Make the changes once more."""
    for change in edit.changes:
        _put(db, change.before, change.after)
    _note(db, edit, is_undone=False)


def forget(db: sqlite3.Connection, edit: Edit) -> None:
    """Forget an edit that cannot be undone, or redone, any more."""
    db.execute("DELETE FROM edits WHERE id = ?", (edit.edit_id,))
    events.add(db, "edits", edit.recording_id)


def _note(db: sqlite3.Connection, edit: Edit, *, is_undone: bool) -> None:
    db.execute("UPDATE edits SET is_undone = ? WHERE id = ?", (is_undone, edit.edit_id))
    events.add(db, "edits", edit.recording_id)


def _put(
    db: sqlite3.Connection, before: MarkerRow | AnchorRow | None, after: MarkerRow | AnchorRow | None
) -> None:
    if isinstance(after, MarkerRow):
        markers.put(db, after)
    elif isinstance(after, AnchorRow):
        anchors.put(db, after)
    elif isinstance(before, MarkerRow):
        markers.remove(db, before)
    elif isinstance(before, AnchorRow):
        anchors.remove(db, before)


def _now(db: sqlite3.Connection, named: MarkerRow | AnchorRow | None) -> MarkerRow | AnchorRow | None:
    if isinstance(named, MarkerRow):
        return markers.get(db, named.recording_id, named.marker_id)
    assert named is not None
    return anchors.get(db, named.recording_id, named.trail_id, named.anchor_id)


def _same(one: MarkerRow | AnchorRow | None, other: MarkerRow | AnchorRow | None) -> bool:
    """Whether no person has changed it; where a sync puts what it found is nobody's doing."""
    if isinstance(one, MarkerRow) and isinstance(other, MarkerRow):
        if one.state is other.state is markers.MarkerState.FOUND:
            written = one.own == other.own
            return written and all(getattr(one, name) == getattr(other, name) for name in one.own)
        return replace(one, version=0) == replace(other, version=0)
    return one == other


def _document(change: Change) -> dict[str, Any]:
    kind = "marker" if isinstance(change, MarkerChange) else "anchor"
    sides = (change.before, change.after)
    return {"kind": kind, "sides": [None if side is None else asdict(side) for side in sides]}


def _change(document: dict[str, Any]) -> Change:
    before, after = document["sides"]
    if document["kind"] == "marker":
        return MarkerChange(before and markers.of_document(before), after and markers.of_document(after))
    return AnchorChange(before and AnchorRow(**before), after and AnchorRow(**after))


def _one(rows: sqlite3.Cursor) -> Edit | None:
    row = rows.fetchone()
    return None if row is None else _edit(row)


def _edit(row: sqlite3.Row) -> Edit:
    changes = tuple(_change(document) for document in json.loads(row["changes"]))
    return Edit(row["id"], row["recording_id"], row["what"], changes, bool(row["is_undone"]), row["at"])
