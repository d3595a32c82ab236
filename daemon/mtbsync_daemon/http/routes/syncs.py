"""Syncs: having a run lined up with a trail, and what came of it."""

from __future__ import annotations

import sqlite3
from typing import Literal

from mtbsync_daemon.http import models
from mtbsync_daemon.http.problems import not_found
from mtbsync_daemon.http.routing import Call, Route, after_time, page_of
from mtbsync_daemon.jobs.queue import Queue
from mtbsync_daemon.library import Library
from mtbsync_daemon.store import jobs, recordings, syncs, trails
from mtbsync_daemon.store.jobs import State
from mtbsync_daemon.store.syncs import SyncRow

_STATES: dict[State, Literal["queued", "running", "done", "failed", "cancelled"]] = {
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.NEEDS_REVIEW: "done",
    State.DONE: "done",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


async def several(call: Call, query: models.SyncsQuery) -> models.Syncs:
    """Syncs, the newest first."""
    return await call.read(_several, call.services.queue, query, after_time(query.cursor))


async def one(call: Call, sync_id: str) -> models.Sync:
    """One sync."""
    return await call.read(_one, call.services.queue, sync_id)


async def create(call: Call, body: models.SyncWanted) -> models.Sync:
    """Line a recording up with a trail, or with whichever fits; what is under way or done already is given
    as it is."""
    return await call.write(_create, call.services.library, call.services.queue, body)


async def again(call: Call, sync_id: str) -> models.Sync:
    """Do a sync's work once more."""
    return await call.write(_again, call.services.library, call.services.queue, sync_id)


async def change(call: Call, sync_id: str, body: models.SyncChange) -> models.Sync:
    """Trust a sync that waited for a person, or dismiss it."""
    return await call.write(_change, call, sync_id, body)


def sync_document(db: sqlite3.Connection, queue: Queue, row: SyncRow) -> models.Sync:
    """A sync with how far its job is."""
    job = jobs.get(db, row.job_id)
    assert job is not None
    progress = queue.progress_of(job.job_id) if job.state is State.RUNNING else None
    trail = None if row.trail_id is None else trails.get(db, row.trail_id)
    share = 0.0 if progress is None else progress.done or 0.0
    return models.Sync(
        id=row.sync_id,
        recording=row.recording_id,
        wanted_trail=row.wanted_trail_id,
        trail=row.trail_id,
        reference=None if trail is None else trail.recording_id,
        state=_STATES[job.state],
        stage=job.stage if progress is None else progress.stage,
        progress=share if job.state.is_active else 1.0,
        verdict=_verdict(row),
        reasons=row.reasons,
        error=job.error,
        accepted=row.is_accepted,
        version=row.version,
        created_at=row.created_at,
        ended_at=job.ended_at,
    )


def _verdict(row: SyncRow) -> models.Verdict | None:
    match row.verdict:
        case "accept" | "review" | "reject":
            return row.verdict
    return None


def sync_row(db: sqlite3.Connection, sync_id: str) -> SyncRow:
    """The sync of that id.

    Raises:
        Problem: there is none.
    """
    found = syncs.get(db, sync_id)
    if found is None:
        raise not_found("sync")
    return found


def _several(
    db: sqlite3.Connection, queue: Queue, query: models.SyncsQuery, after: tuple[float, str] | None
) -> models.Syncs:
    found = syncs.page(db, query.limit + 1, after, query.recording)
    rows, cursor = page_of(found, query.limit, lambda row: (row.created_at, row.sync_id))
    return models.Syncs(syncs=tuple(sync_document(db, queue, row) for row in rows), next_cursor=cursor)


def _one(db: sqlite3.Connection, queue: Queue, sync_id: str) -> models.Sync:
    return sync_document(db, queue, sync_row(db, sync_id))


def _create(db: sqlite3.Connection, library: Library, queue: Queue, wanted: models.SyncWanted) -> models.Sync:
    recording = recordings.get(db, wanted.recording)
    if recording is None:
        raise not_found("recording")
    trail = None if wanted.trail is None else trails.get(db, wanted.trail)
    if wanted.trail is not None and trail is None:
        raise not_found("trail")
    return sync_document(db, queue, library.want_sync(db, recording, trail, is_asked_for=True))


def _again(db: sqlite3.Connection, library: Library, queue: Queue, sync_id: str) -> models.Sync:
    return sync_document(db, queue, library.sync_again(db, sync_row(db, sync_id)))


def _change(db: sqlite3.Connection, call: Call, sync_id: str, wanted: models.SyncChange) -> models.Sync:
    row, library = sync_row(db, sync_id), call.services.library
    call.check_match(sync_document(db, call.services.queue, row))
    changed = library.accept_sync(db, row) if wanted.accepted else library.dismiss(db, row)
    return sync_document(db, call.services.queue, changed)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/syncs", several),
    Route("POST", "/api/v1/syncs", create, errors=(404, 409)),
    Route("GET", "/api/v1/syncs/{sync_id}", one, errors=(404,)),
    Route("PATCH", "/api/v1/syncs/{sync_id}", change, errors=(404, 409), is_edit=True),
    Route("POST", "/api/v1/syncs/{sync_id}/again", again, errors=(404, 409)),
)
