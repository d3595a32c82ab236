"""Jobs: what is to be done, what is under way, and how it ended."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mtbsync_daemon.store import events
from mtbsync_daemon.store.ids import as_text, key_of, new_id, now

MAX_ATTEMPTS = 3
# A first try that can pass is made again after this long, the next after four times as long.
_BACK_OFF_S = 10.0
_LONGEST_WAIT_S = 3600.0
# How often it is seen whether what was away is back.
_AWAY_S = 30.0


class State(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    NEEDS_REVIEW = "needs_review"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """Whether it has not ended yet."""
        return self in (State.QUEUED, State.RUNNING)


class Kind(StrEnum):
    """What a job does; each is a module of `tasks`."""

    PROBE = "probe"
    INDEX = "index"
    SYNC = "sync"
    TRANSFER = "transfer"
    DELIVER = "deliver"
    LIGHT = "light"
    INGEST = "ingest"
    LINE_UP = "line_up"
    TRANSCODE = "transcode"


# What takes no time worth speaking of, and a person may be waiting for.
QUICK = (Kind.TRANSFER, Kind.DELIVER)
# What takes as long as the footage, and nobody waits for.
COPIES = (Kind.TRANSCODE,)
SLOW = tuple(kind for kind in Kind if kind not in QUICK + COPIES)

# What a person waits for goes first; what others build on goes before them.
_PRIORITY = {
    Kind.DELIVER: 40,
    Kind.TRANSFER: 30,
    Kind.PROBE: 20,
    Kind.INGEST: 18,
    Kind.LINE_UP: 17,
    Kind.LIGHT: 15,
    Kind.INDEX: 10,
    Kind.SYNC: 0,
    Kind.TRANSCODE: -10,
}
_ASKED_FOR = 5


@dataclass(frozen=True)
class JobRow:
    """One job. `params` name what it is about; where its files lie is looked up when it starts. `stage` is
    the one that it ended in."""

    job_id: str
    kind: Kind
    params: Mapping[str, Any]
    recording_id: str | None
    state: State
    attempts: int
    stage: str
    error: str | None
    result: Mapping[str, Any] | None
    stages_s: Mapping[str, float]
    created_at: float
    started_at: float | None
    ended_at: float | None


def enqueue(
    db: sqlite3.Connection,
    kind: Kind,
    params: Mapping[str, Any],
    inputs: Any,
    *,
    recording_id: str | None = None,
    is_asked_for: bool = False,
    delay_s: float = 0.0,
) -> tuple[str, bool]:
    """The id of the job that does this, and whether it is a new one. `inputs` name the contents and the
    parameters that its result follows from: the same twice is the same job."""
    key, job_id = key_of(kind, inputs), new_id()
    inserted = db.execute(
        "INSERT INTO jobs (id, kind, key, params, recording_id, state, priority, not_before, created_at) "
        "VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (
            job_id,
            kind,
            key,
            json.dumps(params),
            recording_id,
            _PRIORITY[kind] + _ASKED_FOR * is_asked_for,
            now() + delay_s if delay_s else 0.0,
            now(),
        ),
    )
    if inserted.rowcount == 1:
        events.add(db, "job", job_id)
        return job_id, True
    return str(db.execute("SELECT id FROM jobs WHERE key = ?", (key,)).fetchone()["id"]), False


def claim(db: sqlite3.Connection, boot_id: str, kinds: Sequence[Kind]) -> JobRow | None:
    """The job of these kinds to be done next, now running; None where nothing is due. What the last try came
    to stays its `error` until this one has ended.

    Of one recording only one thing is done at a time, but for its light copies, and one session is lined up
    once at a time. Syncs wait until every trail is indexed that can be now, so that a run is compared with
    all of them.
    """
    row = db.execute(
        "SELECT * FROM jobs WHERE state = 'queued' AND (not_before <= ?1 OR not_before > ?1 + ?2) "
        "AND kind IN (SELECT value FROM json_each(?3)) "
        "AND (kind IN ('light', 'transcode') OR NOT EXISTS "
        "(SELECT 1 FROM jobs AS other "
        "WHERE other.recording_id = jobs.recording_id AND other.state = 'running' "
        "AND other.kind NOT IN ('light', 'transcode'))) "
        "AND (kind != 'sync' OR NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.kind = 'index' "
        "AND (other.state = 'running' OR other.state = 'queued' AND other.not_before <= ?1))) "
        "AND (kind != 'line_up' OR NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.kind = 'line_up' "
        "AND other.state = 'running' AND other.params = jobs.params)) "
        "ORDER BY priority DESC, created_at, id LIMIT 1",
        (now(), _LONGEST_WAIT_S, json.dumps(kinds)),
    ).fetchone()
    if row is None:
        return None
    db.execute(
        "UPDATE jobs SET state = 'running', boot_id = ?, attempts = attempts + 1, started_at = ?, "
        "stage = '' WHERE id = ?",
        (boot_id, now(), row["id"]),
    )
    events.add(db, "job", row["id"])
    return get(db, row["id"])


def next_due_s(db: sqlite3.Connection) -> float | None:
    """Seconds until the next of those is due that wait for a moment; None where none does."""
    at = now()
    row = db.execute(
        "SELECT min(not_before) FROM jobs WHERE state = 'queued' AND not_before > ?", (at,)
    ).fetchone()
    return None if row[0] is None else min(row[0] - at, _LONGEST_WAIT_S)


def end(
    db: sqlite3.Connection,
    job_id: str,
    state: State,
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
    stage: str = "",
    stages_s: Mapping[str, float] | None = None,
) -> None:
    """Note how a job ended."""
    db.execute(
        "UPDATE jobs SET state = ?, stage = ?, result = ?, error = ?, stages = ?, ended_at = ? WHERE id = ?",
        (
            state,
            stage,
            None if result is None else json.dumps(result),
            None if error is None else as_text(error),
            json.dumps(stages_s or {}),
            now(),
            job_id,
        ),
    )
    events.add(db, "job", job_id)


def try_again_later(db: sqlite3.Connection, job: JobRow, error: str) -> bool:
    """Queue a job once more, to wait for what can pass; False where it has been tried often enough."""
    if job.attempts >= MAX_ATTEMPTS:
        return False
    wait_s = _BACK_OFF_S * 4 ** (job.attempts - 1)
    db.execute(
        "UPDATE jobs SET state = 'queued', not_before = ?, error = ? WHERE id = ?",
        (now() + wait_s, as_text(error), job.job_id),
    )
    events.add(db, "job", job.job_id)
    return True


def postpone(db: sqlite3.Connection, job: JobRow, error: str) -> None:
    """Queue a job once more that could not be begun, as what it needs is away; that does not count."""
    db.execute(
        "UPDATE jobs SET state = 'queued', attempts = attempts - 1, not_before = ?, error = ? WHERE id = ?",
        (now() + _AWAY_S, as_text(error), job.job_id),
    )
    events.add(db, "job", job.job_id)


def postponed(db: sqlite3.Connection, limit: int) -> list[JobRow]:
    """Jobs that could not be done just now and are tried again by themselves; `error` says why."""
    rows = db.execute(
        "SELECT * FROM jobs WHERE state = 'queued' AND error IS NOT NULL ORDER BY created_at DESC LIMIT ?",
        (limit,),
    )
    return [_job(row) for row in rows]


def put_back(db: sqlite3.Connection, job_id: str) -> None:
    """Queue a running job that the daemon itself has to leave: that attempt does not count."""
    db.execute(
        "UPDATE jobs SET state = 'queued', attempts = attempts - 1 WHERE id = ? AND state = 'running'",
        (job_id,),
    )
    events.add(db, "job", job_id)


def interrupted(db: sqlite3.Connection, boot_id: str) -> list[JobRow]:
    """The jobs that another daemon was at when it was killed."""
    rows = db.execute("SELECT * FROM jobs WHERE state = 'running' AND boot_id IS NOT ?", (boot_id,))
    return [_job(row) for row in rows]


def forget_waits(db: sqlite3.Connection) -> None:
    """Have everything that waits for its next try be tried now."""
    db.execute("UPDATE jobs SET not_before = 0 WHERE state = 'queued' AND not_before > 0")


def requeue(db: sqlite3.Connection, job_id: str) -> None:
    """Queue an interrupted job as it is."""
    db.execute("UPDATE jobs SET state = 'queued', not_before = 0 WHERE id = ?", (job_id,))
    events.add(db, "job", job_id)


def start_over(db: sqlite3.Connection, job_id: str) -> None:
    """Queue a job that has ended as if it had never been tried; one that has not ended is left."""
    started = db.execute(
        "UPDATE jobs SET state = 'queued', attempts = 0, not_before = 0, error = NULL, result = NULL, "
        "ended_at = NULL WHERE id = ? AND state NOT IN ('queued', 'running')",
        (job_id,),
    )
    if started.rowcount:
        events.add(db, "job", job_id)


def start_over_unless_well(db: sqlite3.Connection, job_id: str) -> None:
    """The same for a job that failed or was cancelled; others are left."""
    job = get(db, job_id)
    if job is not None and job.state in (State.FAILED, State.CANCELLED):
        start_over(db, job_id)


def get(db: sqlite3.Connection, job_id: str) -> JobRow | None:
    """The job of that id."""
    row = db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return None if row is None else _job(row)


def page(
    db: sqlite3.Connection,
    limit: int,
    after: tuple[float, str] | None = None,
    state: State | None = None,
    recording_id: str | None = None,
) -> list[JobRow]:
    """The newest jobs first; `after` is (created_at, id) of the last one seen."""
    at, job_id = after or (float("inf"), "")
    rows = db.execute(
        "SELECT * FROM jobs WHERE (created_at < ?1 OR (created_at = ?1 AND id > ?2)) "
        "AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR recording_id = ?4) "
        "ORDER BY created_at DESC, id LIMIT ?5",
        (at, job_id, state, recording_id, limit),
    )
    return [_job(row) for row in rows]


def newest_of(db: sqlite3.Connection, recording_id: str, kind: Kind) -> JobRow | None:
    """The job of a kind that a recording waits for, or else the one that ended last."""
    row = db.execute(
        "SELECT * FROM jobs WHERE recording_id = ? AND kind = ? "
        "ORDER BY ended_at IS NULL DESC, ended_at DESC, created_at DESC LIMIT 1",
        (recording_id, kind),
    ).fetchone()
    return None if row is None else _job(row)


def in_trouble(db: sqlite3.Connection, recording_id: str) -> list[JobRow]:
    """A recording's jobs that failed, or that could not be done just now and are tried again by themselves,
    as far as no later one of their kind has taken their place."""
    rows = db.execute(
        "SELECT * FROM jobs WHERE recording_id = ?1 AND error IS NOT NULL AND state IN ('failed', 'queued') "
        "AND NOT EXISTS (SELECT 1 FROM jobs AS later WHERE later.recording_id = ?1 "
        "AND later.kind = jobs.kind AND later.id != jobs.id "
        "AND (later.ended_at IS NULL OR later.ended_at > jobs.ended_at)) ORDER BY created_at, id",
        (recording_id,),
    )
    return [_job(row) for row in rows]


def counts(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """How many jobs there are, by kind and state."""
    found: dict[str, dict[str, int]] = {kind: {} for kind in Kind}
    for row in db.execute("SELECT kind, state, count(*) AS n FROM jobs GROUP BY kind, state"):
        found.setdefault(row["kind"], {})[row["state"]] = row["n"]
    return found


def seconds_by_stage(db: sqlite3.Connection) -> dict[tuple[str, str], float]:
    """How long jobs took in all, by their kind and stage."""
    rows = db.execute(
        "SELECT kind, stage.key AS stage, sum(stage.value) AS total "
        "FROM jobs, json_each(jobs.stages) AS stage GROUP BY kind, stage.key"
    )
    return {(row["kind"], row["stage"]): row["total"] for row in rows}


def looking_s(db: sqlite3.Connection) -> dict[str, float]:
    """How long it took to look at each recording, by its id, where a job did that."""
    rows = db.execute(
        "SELECT r.id, max(stage.value) AS s FROM recordings AS r JOIN jobs ON jobs.recording_id = r.id, "
        "json_each(jobs.stages) AS stage WHERE stage.key = 'Looking at ' || r.name GROUP BY r.id"
    )
    return {row["id"]: row["s"] for row in rows}


def active_of(db: sqlite3.Connection, recording_id: str, kind: Kind) -> list[JobRow]:
    """A recording's jobs of a kind that have not ended."""
    rows = db.execute(
        "SELECT * FROM jobs WHERE recording_id = ? AND kind = ? AND state IN ('queued', 'running')",
        (recording_id, kind),
    )
    return [_job(row) for row in rows]


def _job(row: sqlite3.Row) -> JobRow:
    return JobRow(
        row["id"],
        Kind(row["kind"]),
        json.loads(row["params"]),
        row["recording_id"],
        State(row["state"]),
        row["attempts"],
        row["stage"],
        row["error"],
        None if row["result"] is None else json.loads(row["result"]),
        json.loads(row["stages"]),
        row["created_at"],
        row["started_at"],
        row["ended_at"],
    )
