"""Jobs: what is to be done, is being done, and was."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from aiohttp import web

from mtbsync_daemon.http import models
from mtbsync_daemon.http.problems import not_found
from mtbsync_daemon.http.routing import Call, Route, after_time, page_of
from mtbsync_daemon.jobs.queue import Queue
from mtbsync_daemon.library import Library
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.store import jobs
from mtbsync_daemon.store.jobs import JobRow

# The end of a log is what matters.
_MOST_LOG = 2**20


async def several(call: Call, query: models.JobsQuery) -> models.Jobs:
    """Jobs, the newest first."""
    after = after_time(query.cursor)
    found = await call.read(jobs.page, query.limit + 1, after, query.state, query.recording)
    rows, cursor = page_of(found, query.limit, lambda row: (row.created_at, row.job_id))
    return models.Jobs(jobs=tuple(_document(call.services.queue, row) for row in rows), next_cursor=cursor)


async def one(call: Call, job_id: str) -> models.Job:
    """One job."""
    return _document(call.services.queue, await call.read(_row, job_id))


async def cancel(call: Call, job_id: str) -> models.Job:
    """Stop a job, or take it from the queue."""
    await call.read(_row, job_id)
    if not await call.services.queue.cancel(job_id):
        raise StateError("That job has ended already.")
    return await one(call, job_id)


async def retry(call: Call, job_id: str) -> models.Job:
    """Do a job once more that failed or was cancelled."""
    row = await call.write(_retry, call.services.library, job_id)
    return _document(call.services.queue, row)


async def log(call: Call, job_id: str) -> web.Response:
    """The end of what a job said."""
    await call.read(_row, job_id)
    said = await asyncio.to_thread(_end_of, call.services.places.log_of(job_id))
    return web.Response(body=said, content_type="text/plain", charset="utf-8")


def _document(queue: Queue, row: JobRow) -> models.Job:
    progress = queue.progress_of(row.job_id)
    return models.Job(
        id=row.job_id,
        kind=row.kind,
        state=row.state,
        recording=row.recording_id,
        attempts=row.attempts,
        stage=row.stage,
        progress=None if progress is None else models.JobProgress(stage=progress.stage, done=progress.done),
        error=row.error,
        stages_s=dict(row.stages_s),
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def _row(db: sqlite3.Connection, job_id: str) -> JobRow:
    found = jobs.get(db, job_id)
    if found is None:
        raise not_found("job")
    return found


def _retry(db: sqlite3.Connection, library: Library, job_id: str) -> JobRow:
    library.retry(db, _row(db, job_id))
    return _row(db, job_id)


def _end_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MOST_LOG))
            return file.read().decode("utf-8", "replace").encode()
    except FileNotFoundError:
        return b""


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/jobs", several),
    Route("GET", "/api/v1/jobs/{job_id}", one, errors=(404,)),
    Route("POST", "/api/v1/jobs/{job_id}/cancel", cancel, errors=(404, 409)),
    Route("POST", "/api/v1/jobs/{job_id}/retry", retry, errors=(404, 409)),
    Route("GET", "/api/v1/jobs/{job_id}/log", log, errors=(404,), media_type="text/plain"),
)
