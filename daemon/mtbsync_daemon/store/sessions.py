"""Sessions, their cameras, what was made of the cameras' footage, and how the cameras lie on each other."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from mtbsync_daemon.store import events, jobs
from mtbsync_daemon.store.ids import new_id, now
from mtbsync_daemon.store.jobs import JobRow, State

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class SessionState(StrEnum):
    """How far a session is."""

    DRAFT = "draft"
    INGESTING = "ingesting"
    SYNCING = "syncing"
    NEEDS_REVIEW = "needs-review"
    READY = "ready"


class CameraState(StrEnum):
    """How far a camera is."""

    UPLOADING = "uploading"
    INGESTING = "ingesting"
    READY = "ready"
    FAILED = "failed"


class Decided(StrEnum):
    """What a person said of a placement."""

    PENDING = "pending"
    APPROVED = "approved"
    CORRECTED = "corrected"


class Derivative(StrEnum):
    """What is made of a camera's footage."""

    MEZZANINE = "mezzanine"
    PROXY = "proxy"
    WAV = "audio-wav"
    WAVEFORM = "waveform"
    THUMBNAIL = "thumbnail"


@dataclass(frozen=True)
class SessionRow:
    """A session. `prefix` begins the keys that its media are stored under."""

    session_id: str
    title: str
    project: str
    date: str
    location: str
    notes: str
    prefix: str
    wanted_master: str | None
    version: int
    created_at: float


@dataclass(frozen=True)
class CameraRow:
    """A camera of a session. `problem` says what went wrong, or what is waited for; `has_sound` is None until
    it was ingested."""

    session_id: str
    label: str
    angle: int
    take: int
    path: Path
    recording_id: str | None
    job_id: str | None
    has_sound: bool | None
    state: CameraState
    problem: str


@dataclass(frozen=True)
class DerivedRow:
    """A file that was made of a camera's footage, in the storage under `key`."""

    session_id: str
    label: str
    kind: Derivative
    key: str
    n_bytes: int
    sha256: str
    made_at: float


@dataclass(frozen=True)
class DisownedRow:
    """A file in the storage that is nobody's any more since `at`; it was that session's."""

    key: str
    session_id: str
    n_bytes: int
    at: float


@dataclass(frozen=True)
class LineUpRow:
    """How a session's cameras were lined up last: by which job, on which camera."""

    session_id: str
    job_id: str
    master: str
    qualities: Mapping[str, Any]
    at: float


@dataclass(frozen=True)
class PlacementRow:
    """Where a camera lies on the master's clock: as it was found (None: nothing tells), and by a person. Each
    change gives it a `version` that it has never had."""

    session_id: str
    label: str
    offset_ms: float | None
    drift_ppm: float | None
    score: float
    error_ms: float | None
    method: str | None
    reason: str
    through: str | None
    status: Decided = Decided.PENDING
    own_offset_ms: float | None = None
    own_drift_ppm: float | None = None
    version: int = 1

    @property
    def counts_ms(self) -> float | None:
        """The offset that counts: a person's, or else what was found."""
        return self.offset_ms if self.own_offset_ms is None else self.own_offset_ms

    @property
    def counts_ppm(self) -> float:
        """The drift that counts."""
        return (self.drift_ppm if self.own_drift_ppm is None else self.own_drift_ppm) or 0.0


@dataclass(frozen=True)
class HistoryRow:
    """Something that was found of a placement, or that a person decided."""

    label: str
    what: str
    offset_ms: float | None
    drift_ppm: float | None
    at: float


# --- sessions --------------------------------------------------------------------------------------


def add(
    db: sqlite3.Connection, title: str, project: str, date: str, location: str, notes: str, prefix: str
) -> SessionRow:
    """Note a new session. Its keys begin with `prefix` and a piece of its id, as another library may keep its
    own in the same storage."""
    session_id = new_id()
    own = f"{prefix}-{session_id[:6]}"
    row = SessionRow(session_id, title, project, date, location, notes, own, None, 1, now())
    db.execute(
        "INSERT INTO sessions (id, title, project, date, location, notes, prefix, wanted_master, version, "
        "created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        tuple(vars(row).values()),
    )
    events.add(db, "session", row.session_id)
    return row


def get(db: sqlite3.Connection, session_id: str) -> SessionRow | None:
    """The session of that id."""
    row = db.execute("SELECT * FROM sessions WHERE id = ?", (session_id,)).fetchone()
    return None if row is None else SessionRow(*row)


def titled(db: sqlite3.Connection, title: str) -> SessionRow | None:
    """The newest session of that title, whatever its capitals."""
    row = db.execute(
        "SELECT * FROM sessions WHERE title = ? COLLATE NOCASE ORDER BY created_at DESC, id LIMIT 1", (title,)
    ).fetchone()
    return None if row is None else SessionRow(*row)


def page(db: sqlite3.Connection, limit: int, after: tuple[float, str] | None = None) -> list[SessionRow]:
    """The newest sessions first; `after` is (created_at, id) of the last one seen."""
    at, session_id = after or (float("inf"), "")
    rows = db.execute(
        "SELECT * FROM sessions WHERE (created_at < ?1 OR (created_at = ?1 AND id > ?2)) "
        "ORDER BY created_at DESC, id LIMIT ?3",
        (at, session_id, limit),
    )
    return [SessionRow(*row) for row in rows]


def change(db: sqlite3.Connection, session: SessionRow, values: Mapping[str, str | None]) -> SessionRow:
    """Give a session other texts, or another master; the keys are its columns."""
    named = "".join(f"{name} = ?, " for name in values)
    db.execute(
        f"UPDATE sessions SET {named}version = version + 1 WHERE id = ?",
        (*values.values(), session.session_id),
    )
    events.add(db, "session", session.session_id)
    changed = get(db, session.session_id)
    assert changed is not None
    return changed


def touch(db: sqlite3.Connection, session_id: str) -> None:
    """Tell whoever follows that a session is not what it was."""
    events.add(db, "session", session_id)


def remove(db: sqlite3.Connection, session_id: str) -> None:
    """Forget a session; its cameras' recordings stay."""
    db.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
    events.add(db, "session", session_id)


def state_of(db: sqlite3.Connection, session_id: str) -> SessionState:
    """How far a session is, told from its cameras, its jobs and what people decided."""
    found = cameras(db, session_id)
    states = {camera.state for camera in found}
    if states & {CameraState.UPLOADING, CameraState.INGESTING}:
        return SessionState.INGESTING
    if is_lining_up(db, session_id):
        return SessionState.SYNCING
    if CameraState.FAILED in states:
        return SessionState.NEEDS_REVIEW
    if len(found) < 2:
        return SessionState.DRAFT
    lies = {p.label: p.status for p in placements(db, session_id)}
    known = line_up(db, session_id)
    if known is None:
        return SessionState.NEEDS_REVIEW
    others = [c.label for c in found if c.label != known.master]
    is_decided = all(lies.get(label, Decided.PENDING) is not Decided.PENDING for label in others)
    return SessionState.READY if is_decided else SessionState.NEEDS_REVIEW


# --- cameras ---------------------------------------------------------------------------------------

_CAMERAS = (
    "SELECT c.*, j.state AS job_state, j.error AS job_error, f.path IS NOT NULL AS is_taken, f.refused "
    "FROM cameras AS c LEFT JOIN jobs AS j ON j.id = c.job_id LEFT JOIN files AS f ON f.path = c.path "
)


def add_camera(db: sqlite3.Connection, session: SessionRow, label: str, path: Path) -> CameraRow:
    """Note a camera whose recording is yet to come or to be looked at."""
    angle = db.execute(
        "INSERT INTO angles (prefix, last) VALUES (?, 1) "
        "ON CONFLICT (prefix) DO UPDATE SET last = last + 1 RETURNING last",
        (session.prefix,),
    ).fetchone()["last"]
    db.execute(
        "INSERT INTO cameras (session_id, label, angle, path) VALUES (?, ?, ?, ?)",
        (session.session_id, label, angle, os.fsencode(path)),
    )
    events.add(db, "session", session.session_id)
    made = camera(db, session.session_id, label)
    assert made is not None
    return made


def next_label(db: sqlite3.Connection, session_id: str) -> str:
    """The first of A, B, … Z, AA, AB … that no camera of the session has."""
    taken = {
        row["label"] for row in db.execute("SELECT label FROM cameras WHERE session_id = ?", (session_id,))
    }
    number = 0
    while (label := _label(number)) in taken:
        number += 1
    return label


def _label(number: int) -> str:
    before, last = divmod(number, len(_LETTERS))
    return (_label(before - 1) if before else "") + _LETTERS[last]


def camera(db: sqlite3.Connection, session_id: str, label: str) -> CameraRow | None:
    """The session's camera of that label."""
    rows = db.execute(f"{_CAMERAS} WHERE c.session_id = ? AND c.label = ?", (session_id, label))
    return next(iter(_cameras(rows)), None)


def cameras(db: sqlite3.Connection, session_id: str) -> list[CameraRow]:
    """A session's cameras, by their angles."""
    return _cameras(db.execute(f"{_CAMERAS} WHERE c.session_id = ? ORDER BY c.angle", (session_id,)))


def cameras_at(db: sqlite3.Connection, path: Path) -> list[CameraRow]:
    """The cameras, of any session, that were added with this file."""
    return _cameras(db.execute(f"{_CAMERAS} WHERE c.path = ?", (os.fsencode(path),)))


def cameras_with(db: sqlite3.Connection, recording_id: str) -> list[CameraRow]:
    """The cameras, of any session, that made this recording."""
    return _cameras(db.execute(f"{_CAMERAS} WHERE c.recording_id = ?", (recording_id,)))


def change_camera(db: sqlite3.Connection, row: CameraRow, values: Mapping[str, Any]) -> None:
    """Give a camera other values; the keys are its columns."""
    named = ", ".join(f"{name} = ?" for name in values)
    db.execute(
        f"UPDATE cameras SET {named} WHERE session_id = ? AND label = ?",
        (*values.values(), row.session_id, row.label),
    )
    events.add(db, "session", row.session_id)


def rename_camera(db: sqlite3.Connection, row: CameraRow, label: str) -> None:
    """Call a camera something else, wherever it stands."""
    change_camera(db, row, {"label": label})
    for table, column in (("placements", "through"), ("placement_history", "label"), ("line_ups", "master")):
        db.execute(
            f"UPDATE {table} SET {column} = ? WHERE session_id = ? AND {column} = ?",
            (label, row.session_id, row.label),
        )
    db.execute(
        "UPDATE sessions SET wanted_master = ? WHERE id = ? AND wanted_master = ?",
        (label, row.session_id, row.label),
    )
    known = line_up(db, row.session_id)
    if known is not None:
        qualities = {label if name == row.label else name: q for name, q in known.qualities.items()}
        note_line_up(db, replace(known, qualities=qualities))


def remove_camera(db: sqlite3.Connection, row: CameraRow) -> None:
    """Take a camera out of its session, with what was found and decided of it; its recording stays."""
    db.execute(
        "UPDATE placements SET through = NULL WHERE session_id = ? AND through = ?",
        (row.session_id, row.label),
    )
    # The next one may be called the same.
    for table in ("placement_history", "cameras"):
        db.execute(f"DELETE FROM {table} WHERE session_id = ? AND label = ?", (row.session_id, row.label))
    events.add(db, "session", row.session_id)


def _cameras(rows: Iterable[sqlite3.Row]) -> list[CameraRow]:
    return [_camera(row) for row in rows]


def _camera(row: sqlite3.Row) -> CameraRow:
    state, problem = _how_far(row)
    return CameraRow(
        row["session_id"],
        row["label"],
        row["angle"],
        row["take"],
        Path(os.fsdecode(row["path"])),
        row["recording_id"],
        row["job_id"],
        None if row["has_sound"] is None else bool(row["has_sound"]),
        state,
        problem,
    )


def _how_far(row: sqlite3.Row) -> tuple[CameraState, str]:
    """A camera's state and what there is to say of that."""
    if row["recording_id"] is None:
        problem = row["refused"] or row["problem"]
        if problem is not None:
            return CameraState.FAILED, problem
        return (CameraState.INGESTING if row["is_taken"] else CameraState.UPLOADING), ""
    job_state = None if row["job_state"] is None else State(row["job_state"])
    if job_state is State.DONE:
        return CameraState.READY, ""
    is_over = job_state in (State.FAILED, State.CANCELLED)
    # What is tried again by itself has something to say too.
    return (CameraState.FAILED if is_over else CameraState.INGESTING), row["job_error"] or ""


# --- what was made of their footage ------------------------------------------------------------------


def note_derived(db: sqlite3.Connection, row: DerivedRow) -> None:
    """Note a file that was made, in the place of what was there."""
    db.execute(
        "INSERT INTO derived (session_id, label, kind, key, n_bytes, sha256, made_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session_id, label, kind) DO UPDATE SET "
        "key = excluded.key, n_bytes = excluded.n_bytes, sha256 = excluded.sha256, "
        "made_at = excluded.made_at",
        (row.session_id, row.label, row.kind, row.key, row.n_bytes, row.sha256, row.made_at),
    )


def derived(db: sqlite3.Connection, session_id: str, label: str | None = None) -> list[DerivedRow]:
    """What was made of a session's footage, or of one camera's."""
    return _derived(
        db.execute(
            "SELECT * FROM derived WHERE session_id = ?1 AND (?2 IS NULL OR label = ?2) ORDER BY label, kind",
            (session_id, label),
        )
    )


def all_derived(db: sqlite3.Connection) -> list[DerivedRow]:
    """What was made of any footage, oldest first."""
    return _derived(db.execute("SELECT * FROM derived ORDER BY made_at, key"))


def forget_derived(db: sqlite3.Connection, row: DerivedRow) -> None:
    """Note that a file is no more to be had; it is `disowned` until it has been removed."""
    db.execute(
        "DELETE FROM derived WHERE session_id = ? AND label = ? AND kind = ? AND key = ?",
        (row.session_id, row.label, row.kind, row.key),
    )
    events.add(db, "session", row.session_id)


def disown(db: sqlite3.Connection, session_id: str, key: str, n_bytes: int) -> None:
    """Note that a file which was made for a session is nobody's, unless it is somebody's."""
    db.execute(
        "INSERT OR IGNORE INTO disowned (key, session_id, n_bytes, at) SELECT ?1, ?2, ?3, ?4 "
        "WHERE NOT EXISTS (SELECT 1 FROM derived WHERE key = ?1)",
        (key, session_id, n_bytes, now()),
    )


def disowned(db: sqlite3.Connection, key: str | None = None) -> list[DisownedRow]:
    """The files, or the one, that are nobody's, and that no job may be making anew; the oldest first."""
    rows = db.execute(
        "SELECT key, session_id, n_bytes, at FROM disowned WHERE (?1 IS NULL OR key = ?1) "
        "AND session_id NOT IN (SELECT * FROM busy) "
        "AND NOT EXISTS (SELECT 1 FROM sessions WHERE id IN (SELECT * FROM busy) "
        "AND substr(key, 1, length(prefix) + 1) = prefix || '/') ORDER BY at, key",
        (key,),
    )
    return [DisownedRow(*row) for row in rows]


def forget_disowned(db: sqlite3.Connection, row: DisownedRow) -> None:
    """Note that a file was removed."""
    db.execute("DELETE FROM disowned WHERE key = ?", (row.key,))


def busy(db: sqlite3.Connection) -> frozenset[str]:
    """The ids of the sessions that something is done for, or will be; some may be gone."""
    return frozenset(row[0] for row in db.execute("SELECT * FROM busy"))


def forget_of_camera(db: sqlite3.Connection, row: CameraRow) -> None:
    """Forget what was made of a camera's footage, and where it lies: that is another's by now."""
    for table in ("derived", "placements"):
        db.execute(f"DELETE FROM {table} WHERE session_id = ? AND label = ?", (row.session_id, row.label))
    events.add(db, "session", row.session_id)


def _derived(rows: Iterable[sqlite3.Row]) -> list[DerivedRow]:
    return [
        DerivedRow(
            row["session_id"],
            row["label"],
            Derivative(row["kind"]),
            row["key"],
            row["n_bytes"],
            row["sha256"],
            row["made_at"],
        )
        for row in rows
    ]


# --- how they lie on each other ----------------------------------------------------------------------


def is_lining_up(db: sqlite3.Connection, session_id: str) -> bool:
    """Whether a session's cameras are being lined up, or will be."""
    found = db.execute(
        "SELECT 1 FROM jobs WHERE kind = 'line_up' AND state IN ('queued', 'running') "
        "AND json_extract(params, '$.session') = ?",
        (session_id,),
    ).fetchone()
    return found is not None


def queued_jobs(db: sqlite3.Connection, session_id: str) -> list[JobRow]:
    """The jobs that wait to be done for a session."""
    rows = db.execute(
        "SELECT id FROM jobs WHERE state = 'queued' AND json_extract(params, '$.session') = ?", (session_id,)
    )
    found = (jobs.get(db, row["id"]) for row in rows.fetchall())
    return [job for job in found if job is not None]


def copy_jobs(db: sqlite3.Connection, row: CameraRow) -> list[JobRow]:
    """The jobs that write copies of a camera's footage: those that have not ended, and then those that ended
    last."""
    rows = db.execute(
        "SELECT id FROM jobs WHERE recording_id = ? AND kind = 'transcode' "
        "AND json_extract(params, '$.session') = ? AND json_extract(params, '$.angle') = ? "
        "ORDER BY ended_at IS NULL DESC, ended_at DESC, created_at DESC",
        (row.recording_id, row.session_id, row.angle),
    )
    found = (jobs.get(db, job["id"]) for job in rows.fetchall())
    return [job for job in found if job is not None]


def unplaced(db: sqlite3.Connection, session_id: str) -> bool:
    """Whether any camera that is ready was not there when the session was lined up last, if it was."""
    known = line_up(db, session_id)
    placed = {p.label for p in placements(db, session_id)} | ({known.master} if known is not None else set())
    return any(c.label not in placed for c in cameras(db, session_id) if c.state is CameraState.READY)


def newest_line_up_job(db: sqlite3.Connection, session_id: str) -> str | None:
    """The id of the job that lined a session's cameras up last, or tried to."""
    row = db.execute(
        "SELECT id FROM jobs WHERE kind = 'line_up' AND json_extract(params, '$.session') = ? "
        "ORDER BY ended_at IS NULL DESC, ended_at DESC, created_at DESC LIMIT 1",
        (session_id,),
    ).fetchone()
    return None if row is None else row["id"]


def forget_line_up(db: sqlite3.Connection, session_id: str) -> None:
    """Forget how a session's cameras lie."""
    for table in ("line_ups", "placements"):
        db.execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))
    events.add(db, "session", session_id)


def line_up(db: sqlite3.Connection, session_id: str) -> LineUpRow | None:
    """How a session's cameras were lined up last."""
    row = db.execute("SELECT * FROM line_ups WHERE session_id = ?", (session_id,)).fetchone()
    if row is None:
        return None
    return LineUpRow(row["session_id"], row["job_id"], row["master"], json.loads(row["qualities"]), row["at"])


def note_line_up(db: sqlite3.Connection, row: LineUpRow) -> None:
    """Note how a session's cameras were lined up."""
    db.execute(
        "INSERT OR REPLACE INTO line_ups (session_id, job_id, master, qualities, at) VALUES (?, ?, ?, ?, ?)",
        (row.session_id, row.job_id, row.master, json.dumps(dict(row.qualities)), row.at),
    )
    events.add(db, "session", row.session_id)


def placements(db: sqlite3.Connection, session_id: str) -> list[PlacementRow]:
    """Where a session's cameras lie, by label."""
    rows = db.execute("SELECT * FROM placements WHERE session_id = ? ORDER BY label", (session_id,))
    return [_placement(row) for row in rows]


def placement(db: sqlite3.Connection, session_id: str, label: str) -> PlacementRow | None:
    """Where one camera lies."""
    rows = db.execute("SELECT * FROM placements WHERE session_id = ? AND label = ?", (session_id, label))
    return next((_placement(row) for row in rows), None)


def correlation(db: sqlite3.Connection, session_id: str, label: str) -> Mapping[str, Any]:
    """What a camera's placement was told from; empty where nothing tells."""
    row = db.execute(
        "SELECT correlation FROM placements WHERE session_id = ? AND label = ?", (session_id, label)
    ).fetchone()
    found: Mapping[str, Any] = {} if row is None else json.loads(row["correlation"])
    return found


def replace_placements(
    db: sqlite3.Connection,
    session_id: str,
    rows: Sequence[PlacementRow],
    correlations: Mapping[str, Mapping[str, Any]],
) -> None:
    """Put these in the place of all that the session had."""
    db.execute("DELETE FROM placements WHERE session_id = ?", (session_id,))
    for row in rows:
        _put(db, row, correlations.get(row.label, {}))
    events.add(db, "session", session_id)


def decide(db: sqlite3.Connection, row: PlacementRow) -> None:
    """Note what a person decided: `row` as it is from now on."""
    db.execute(
        "UPDATE placements SET status = ?, own_offset_ms = ?, own_drift_ppm = ?, version = ? "
        "WHERE session_id = ? AND label = ?",
        (row.status, row.own_offset_ms, row.own_drift_ppm, _version(db), row.session_id, row.label),
    )
    events.add(db, "session", row.session_id)


def note_history(db: sqlite3.Connection, row: PlacementRow, what: str) -> None:
    """Note what became of a placement."""
    db.execute(
        "INSERT INTO placement_history (session_id, label, what, offset_ms, drift_ppm, at) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (row.session_id, row.label, what, row.counts_ms, row.counts_ppm, now()),
    )


def history(db: sqlite3.Connection, session_id: str, limit: int) -> list[HistoryRow]:
    """What became of a session's placements, the newest first."""
    rows = db.execute(
        "SELECT label, what, offset_ms, drift_ppm, at FROM placement_history WHERE session_id = ? "
        "ORDER BY id DESC LIMIT ?",
        (session_id, limit),
    )
    return [HistoryRow(*row) for row in rows]


def _put(db: sqlite3.Connection, row: PlacementRow, told_from: Mapping[str, Any]) -> None:
    db.execute(
        "INSERT INTO placements (session_id, label, offset_ms, drift_ppm, score, error_ms, method, reason, "
        "through, correlation, status, own_offset_ms, own_drift_ppm, version) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.session_id,
            row.label,
            row.offset_ms,
            row.drift_ppm,
            row.score,
            row.error_ms,
            row.method,
            row.reason,
            row.through,
            json.dumps(dict(told_from)),
            row.status,
            row.own_offset_ms,
            row.own_drift_ppm,
            _version(db),
        ),
    )


def _version(db: sqlite3.Connection) -> int:
    """One that no placement ever had, as each change of one is an event."""
    found = db.execute("SELECT ifnull(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(found[0])


def _placement(row: sqlite3.Row) -> PlacementRow:
    return PlacementRow(
        row["session_id"],
        row["label"],
        row["offset_ms"],
        row["drift_ppm"],
        row["score"],
        row["error_ms"],
        row["method"],
        row["reason"],
        row["through"],
        Decided(row["status"]),
        row["own_offset_ms"],
        row["own_drift_ppm"],
        row["version"],
    )
