"""The markers of runs: where a sync put them, and what a person made of that."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from mtbsync_daemon.store import events
from mtbsync_daemon.store.ids import key_of, now

# The columns of a marker's extra ones that people write on the page.
NOTE, LABELS = "note", "labels"
# Of a run's markers (?1), those that are not of another trail than the one that it is on now.
_ON_TRAIL = (
    "(sync_id IS NULL OR sync_id NOT IN (SELECT id FROM syncs WHERE recording_id = ?1 AND trail_id != "
    "(SELECT trail_id FROM syncs WHERE recording_id = ?1 ORDER BY turn DESC LIMIT 1)))"
)


class MarkerState(StrEnum):
    """Who has the last word on a marker: the sync that found it, or a person, whose own it is if `ADDED`."""

    FOUND = "found"
    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    REJECTED = "rejected"
    ADDED = "added"


@dataclass(frozen=True)
class MarkerRow:
    """A marker of a run, at `t_s` of it and at `t_ref_s` of its trail's reference; None says that the place
    is not shown there. `sync_id` None tells a person's own. `expected_error_s` bounds its error in nine cases
    of ten; `extra` are columns that mtbsync has no use for, and among them `NOTE` and `LABELS`, in order;
    each change gives it a `version` that it has never had. `own` names what of it a person wrote, fields and
    columns of `extra`: no sync writes that anew."""

    recording_id: str
    marker_id: str
    sync_id: str | None
    name: str
    colour: str
    comment: str
    t_ref_s: float | None
    t_s: float | None
    duration_s: float
    confidence: float
    expected_error_s: float | None
    needs_review: bool
    reason: str
    extra: tuple[tuple[str, str], ...] = ()
    state: MarkerState = MarkerState.FOUND
    version: int = 1
    own: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What people tell each other about it."""
        return dict(self.extra).get(NOTE, "")

    @property
    def labels(self) -> tuple[str, ...]:
        """Words that it can be found by."""
        listed = dict(self.extra).get(LABELS, "").split(",")
        return tuple(label.strip() for label in listed if label.strip())


def place(db: sqlite3.Connection, recording_id: str, markers: Iterable[MarkerRow]) -> None:
    """Put a sync's markers in place of those of the sync before; what a person decided or wrote stays."""
    before = {m.marker_id: m for m in of_recording(db, recording_id)}
    found = {m.marker_id: m for m in markers}
    for marker_id, old in before.items():
        if marker_id not in found and old.state is MarkerState.FOUND:
            db.execute("DELETE FROM markers WHERE recording_id = ? AND id = ?", (recording_id, marker_id))
    for marker_id, new in found.items():
        known = before.get(marker_id)
        if known is None:
            _write(db, new)
        elif known.state is MarkerState.FOUND:
            _write(db, _with_words_of(known, new))
    events.add(db, "markers", recording_id)


def _with_words_of(known: MarkerRow, new: MarkerRow) -> MarkerRow:
    """What a sync found, in the words of a person who wrote some of them."""
    extra = new.extra
    for name in {NOTE, LABELS}.intersection(known.own):
        extra = with_column(extra, name, dict(known.extra).get(name, ""))
    fields = {name: getattr(known, name) for name in known.own if name not in (NOTE, LABELS)}
    return replace(new, **fields, extra=extra, own=known.own)


def is_decided(db: sqlite3.Connection, recording_id: str) -> bool:
    """Whether a person has decided anything about a run's markers, or trusts its sync."""
    row = db.execute(
        "SELECT 1 FROM markers WHERE recording_id = ?1 AND state != 'found' UNION "
        "SELECT 1 FROM syncs WHERE recording_id = ?1 AND verdict = 'review' AND is_accepted",
        (recording_id,),
    ).fetchone()
    return row is not None


def forget_of_other_trails(db: sqlite3.Connection, recording_id: str, trail_id: str) -> None:
    """Forget the markers that syncs found on any trail but this one, which a run is on now. What a person
    decided there is kept for when it is on that trail again."""
    db.execute(
        "DELETE FROM markers WHERE recording_id = ?1 AND state = 'found' AND sync_id IN "
        "(SELECT id FROM syncs WHERE recording_id = ?1 AND trail_id IS NOT NULL AND trail_id != ?2)",
        (recording_id, trail_id),
    )


def put(db: sqlite3.Connection, marker: MarkerRow) -> None:
    """Have a marker be as it is here, but for its version."""
    _write(db, marker)
    events.add(db, "markers", marker.recording_id)


def remove(db: sqlite3.Connection, marker: MarkerRow) -> None:
    """Forget a marker."""
    db.execute(
        "DELETE FROM markers WHERE recording_id = ? AND id = ?", (marker.recording_id, marker.marker_id)
    )
    events.add(db, "markers", marker.recording_id)


def with_column(extra: Sequence[tuple[str, str]], name: str, value: str) -> tuple[tuple[str, str], ...]:
    """`extra` with that value in the column `name`, or without the column where there is none."""
    others = tuple((key, held) for key, held in extra if key != name)
    return (*others, (name, value)) if value else others


def counts(db: sqlite3.Connection, recording_id: str) -> tuple[int, int]:
    """How many markers a run has that nobody rejected, and how many of them have a place that waits for a
    person to look at it."""
    row = db.execute(
        "SELECT count(*), ifnull(sum(state = 'found' AND needs_review AND t_s IS NOT NULL), 0) FROM markers "
        f"WHERE recording_id = ?1 AND state != 'rejected' AND {_ON_TRAIL}",
        (recording_id,),
    ).fetchone()
    return int(row[0]), int(row[1])


def of_document(document: Mapping[str, Any]) -> MarkerRow:
    """The marker that `dataclasses.asdict` made this document of."""
    extra = tuple((key, value) for key, value in document["extra"])
    state, own = MarkerState(document["state"]), tuple(document.get("own", ()))
    return MarkerRow(**{**document, "extra": extra, "state": state, "own": own})


def of_recording(db: sqlite3.Connection, recording_id: str) -> list[MarkerRow]:
    """All markers of a run on the trail that it is on now, in order; those that have no place come last."""
    rows = db.execute(
        f"SELECT * FROM markers WHERE recording_id = ?1 AND {_ON_TRAIL} ORDER BY t_s IS NULL, t_s, id",
        (recording_id,),
    )
    return [_marker(row) for row in rows]


def get(db: sqlite3.Connection, recording_id: str, marker_id: str) -> MarkerRow | None:
    """A run's marker of that id."""
    row = db.execute(
        "SELECT * FROM markers WHERE recording_id = ? AND id = ?", (recording_id, marker_id)
    ).fetchone()
    return None if row is None else _marker(row)


def content_key(markers: Sequence[MarkerRow]) -> str:
    """Names what an export of these markers would hold."""
    told_apart = [asdict(replace(m, recording_id="", sync_id="", version=0, own=())) for m in markers]
    return key_of("markers", told_apart)


def tell(
    db: sqlite3.Connection, recording_id: str, timeline: str, markers: Sequence[Mapping[str, Any]]
) -> None:
    """Note what a timeline shows over a recording, in place of what it was told before."""
    db.execute(
        "INSERT INTO told (recording_id, timeline, markers, told_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (recording_id, timeline) DO UPDATE SET markers = excluded.markers, "
        "told_at = excluded.told_at",
        (recording_id, timeline, json.dumps(list(markers)), now()),
    )


def _write(db: sqlite3.Connection, m: MarkerRow) -> None:
    """Note a marker as a new version, which none has had before, nor one that is gone."""
    version = db.execute(
        "SELECT ifnull(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'events'"
    ).fetchone()
    db.execute(
        "INSERT OR REPLACE INTO markers (recording_id, id, sync_id, name, colour, comment, t_ref_s, t_s, "
        "duration_s, confidence, expected_error_s, needs_review, reason, extra, state, version, own) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            m.recording_id,
            m.marker_id,
            m.sync_id,
            m.name,
            m.colour,
            m.comment,
            m.t_ref_s,
            m.t_s,
            m.duration_s,
            m.confidence,
            m.expected_error_s,
            m.needs_review,
            m.reason,
            json.dumps(m.extra),
            m.state,
            version[0],
            json.dumps(m.own),
        ),
    )


def _marker(row: sqlite3.Row) -> MarkerRow:
    return MarkerRow(
        row["recording_id"],
        row["id"],
        row["sync_id"],
        row["name"],
        row["colour"],
        row["comment"],
        row["t_ref_s"],
        row["t_s"],
        row["duration_s"],
        row["confidence"],
        row["expected_error_s"],
        bool(row["needs_review"]),
        row["reason"],
        tuple((key, value) for key, value in json.loads(row["extra"])),
        MarkerState(row["state"]),
        row["version"],
        tuple(json.loads(row["own"])),
    )
