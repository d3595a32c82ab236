"""Trails: a reference recording each, with the markers that runs get from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mtbsync_daemon.store import events
from mtbsync_daemon.store.ids import key_of, new_id, now
from mtbsync_engine.errors import InputError


class TakenError(InputError):
    """There is such a thing already."""


@dataclass(frozen=True)
class TrailMarker:
    """A marker on the reference's clock; `extra` are columns that mtbsync has no use for."""

    marker_id: str
    name: str
    t_s: float
    duration_s: float = 0.0
    colour: str = ""
    comment: str = ""
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TrailRow:
    """A trail. `is_ready` once its reference is indexed; `cells` are where it goes, none where nobody knows;
    `version` counts its changes."""

    trail_id: str
    name: str
    recording_id: str
    markers: tuple[TrailMarker, ...]
    is_ready: bool
    cells: tuple[str, ...]
    version: int
    created_at: float

    @property
    def markers_key(self) -> str:
        """Names the markers by their content."""
        return key_of("markers", [asdict(marker) for marker in self.markers])


def add(
    db: sqlite3.Connection, name: str, recording_id: str, markers: Sequence[TrailMarker] = ()
) -> TrailRow:
    """Make a recording the reference of a new trail.

    Raises:
        TakenError: a trail has that name, or that reference.
    """
    if of_recording(db, recording_id) is not None:
        raise TakenError("That recording is the reference of a trail already.")
    _check_name(db, name)
    trail_id = new_id()
    db.execute(
        "INSERT INTO trails (id, name, recording_id, markers, created_at) VALUES (?, ?, ?, ?, ?)",
        (trail_id, name, recording_id, _text(markers), now()),
    )
    events.add(db, "trail", trail_id)
    events.add(db, "recording", recording_id)
    found = get(db, trail_id)
    assert found is not None
    return found


def change(
    db: sqlite3.Connection,
    trail: TrailRow,
    *,
    name: str | None = None,
    markers: Sequence[TrailMarker] | None = None,
) -> TrailRow:
    """Rename a trail, or give it other markers.

    Raises:
        TakenError: another trail has that name.
    """
    if name is not None and name.casefold() != trail.name.casefold():
        _check_name(db, name)
    db.execute(
        "UPDATE trails SET name = ?, markers = ?, version = version + 1 WHERE id = ?",
        (
            trail.name if name is None else name,
            _text(trail.markers if markers is None else markers),
            trail.trail_id,
        ),
    )
    events.add(db, "trail", trail.trail_id)
    found = get(db, trail.trail_id)
    assert found is not None
    return found


def learned(db: sqlite3.Connection, trail_id: str, cells: Iterable[str]) -> None:
    """Note that a trail's reference is indexed, and where it goes."""
    told = json.dumps(sorted(set(cells)))
    db.execute(
        "UPDATE trails SET is_ready = 1, cells = ?, version = version + 1 WHERE id = ?", (told, trail_id)
    )
    events.add(db, "trail", trail_id)


def remove(db: sqlite3.Connection, trail: TrailRow) -> None:
    """Forget a trail; its reference stays a recording, and runs keep their markers."""
    db.execute("DELETE FROM trails WHERE id = ?", (trail.trail_id,))
    events.add(db, "trail", trail.trail_id)
    events.add(db, "recording", trail.recording_id)


def get(db: sqlite3.Connection, trail_id: str) -> TrailRow | None:
    """The trail of that id."""
    return _one(db.execute("SELECT * FROM trails WHERE id = ?", (trail_id,)))


def named(db: sqlite3.Connection, name: str) -> TrailRow | None:
    """The trail of that name, in capitals or not."""
    return _one(db.execute("SELECT * FROM trails WHERE name = ?", (name,)))


def of_recording(db: sqlite3.Connection, recording_id: str) -> TrailRow | None:
    """The trail that a recording is the reference of."""
    return _one(db.execute("SELECT * FROM trails WHERE recording_id = ?", (recording_id,)))


def all_of(db: sqlite3.Connection) -> list[TrailRow]:
    """Every trail, by name."""
    return [_trail(row) for row in db.execute("SELECT * FROM trails ORDER BY name")]


def page(db: sqlite3.Connection, limit: int, after: str = "") -> list[TrailRow]:
    """The next trails by name, behind the one called `after`."""
    rows = db.execute("SELECT * FROM trails WHERE name > ? ORDER BY name LIMIT ?", (after, limit))
    return [_trail(row) for row in rows]


def count(db: sqlite3.Connection) -> int:
    """How many trails there are."""
    return int(db.execute("SELECT count(*) FROM trails").fetchone()[0])


def _check_name(db: sqlite3.Connection, name: str) -> None:
    if named(db, name) is not None:
        raise TakenError(f"There is a trail called {name} already; choose another name.")


def _text(markers: Sequence[TrailMarker]) -> str:
    return json.dumps([asdict(marker) for marker in markers])


def _one(rows: sqlite3.Cursor) -> TrailRow | None:
    row = rows.fetchone()
    return None if row is None else _trail(row)


def _trail(row: sqlite3.Row) -> TrailRow:
    return TrailRow(
        row["id"],
        row["name"],
        row["recording_id"],
        tuple(_marker(m) for m in json.loads(row["markers"])),
        bool(row["is_ready"]),
        tuple(json.loads(row["cells"])),
        row["version"],
        row["created_at"],
    )


def _marker(document: Mapping[str, Any]) -> TrailMarker:
    extra = tuple((key, value) for key, value in document["extra"])
    return TrailMarker(**{**document, "extra": extra})
