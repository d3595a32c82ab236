"""What the library tells of runs: those that were delivered, that wait for a person, and that failed.

Each is a document for programs, and a sentence for a person.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from mtbsync_daemon.store.jobs import JobRow


def delivered(db: sqlite3.Connection, recording_id: str) -> dict[str, Any] | None:
    """A run that files for editors were written for; None where there is none such any more."""
    from mtbsync_daemon.store import exports, markers, recordings, syncs, trails
    from mtbsync_daemon.store.ids import as_text
    from mtbsync_daemon.store.markers import MarkerState

    recording, sync = recordings.get(db, recording_id), syncs.current(db, recording_id)
    written = exports.of_recording(db, recording_id)
    if recording is None or not written:
        return None
    trail = None if sync is None or sync.trail_id is None else trails.get(db, sync.trail_id)
    marked = markers.of_recording(db, recording_id)
    newest = max(written, key=lambda row: row.written_at)
    return {
        "recording": recording_id,
        "name": recording.name,
        "trail": None if trail is None else trail.name,
        "n_markers": len(marked),
        "n_placed": sum(m.t_s is not None and m.state is not MarkerState.REJECTED for m in marked),
        "folder": as_text(str(newest.path.parent)),
    }


def say_delivered(run: Mapping[str, Any]) -> str:
    """Where a delivered run's markers are."""
    on = f" on {run['trail']}" if run["trail"] else ""
    return f"{run['name']}: {run['n_placed']} of {run['n_markers']} markers{on}, written to {run['folder']}"


def waiting(db: sqlite3.Connection, job: JobRow) -> dict[str, Any]:
    """A run that waits for a person."""
    from mtbsync_daemon.store import syncs

    sync = syncs.of_job(db, job.job_id)
    return {
        "id": job.job_id,
        "name": _name_of(db, job),
        "reasons": [] if sync is None else list(sync.reasons),
    }


def say_waiting(run: Mapping[str, Any]) -> str:
    """Why a run waits."""
    return f"Waits for you: {run['name']}. {' '.join(run['reasons'])}"


def failed(db: sqlite3.Connection, job: JobRow) -> dict[str, Any]:
    """A job that could not be done, for good or for now."""
    return {"id": job.job_id, "kind": job.kind.value, "name": _name_of(db, job), "error": job.error}


def say_failed(job: Mapping[str, Any]) -> str:
    """Why a job failed."""
    return f"Failed: {job['kind']} of {job['name']} ({job['id']}). {job['error']}"


def say_postponed(job: Mapping[str, Any]) -> str:
    """Why a job is not done yet, which mtbsync sees to by itself."""
    return f"Tried again soon: {job['kind']} of {job['name']}. {job['error']}"


def say_news(db: sqlite3.Connection, job: JobRow) -> str:
    """A sentence on a job that changed; empty where a person need not know."""
    from mtbsync_daemon.store.jobs import Kind, State

    if job.state is State.NEEDS_REVIEW:
        return say_waiting(waiting(db, job))
    if job.state is State.FAILED:
        return say_failed(failed(db, job))
    if job.state is State.DONE and job.kind is Kind.DELIVER and job.recording_id is not None:
        run = delivered(db, job.recording_id)
        return "" if run is None else say_delivered(run)
    return ""


def _name_of(db: sqlite3.Connection, job: JobRow) -> str:
    """What the recording, or else the session, that a job is about is called."""
    from mtbsync_daemon.store import recordings, sessions

    found = recordings.get(db, job.recording_id or "")
    if found is not None:
        return found.name
    session = sessions.get(db, job.params.get("session", ""))
    return Path(job.params.get("first", "")).name if session is None else session.title
