"""What happened, in order, for whoever wants to follow."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from mtbsync_daemon.store.ids import now

KEPT = 10_000


@dataclass(frozen=True)
class Event:
    """That `subject`, an id, of `kind` is not what it was; `event_id` counts up."""

    event_id: int
    kind: str
    subject: str


def add(db: sqlite3.Connection, kind: str, subject: str) -> None:
    """Note a change together with the change itself."""
    db.execute("INSERT INTO events (at, kind, subject) VALUES (?, ?, ?)", (now(), kind, subject))


def after(db: sqlite3.Connection, event_id: int, limit: int = 500) -> list[Event]:
    """The next events behind `event_id`."""
    rows = db.execute(
        "SELECT id, kind, subject FROM events WHERE id > ? ORDER BY id LIMIT ?", (event_id, limit)
    )
    return [Event(*row) for row in rows]


def span(db: sqlite3.Connection) -> tuple[int, int]:
    """The ids of the oldest and the newest event that are kept; (1, 0) where there are none."""
    oldest, newest = db.execute("SELECT min(id), max(id) FROM events").fetchone()
    return (1, 0) if newest is None else (oldest, newest)


def prune(db: sqlite3.Connection) -> None:
    """Forget all but the newest."""
    db.execute("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (KEPT,))
