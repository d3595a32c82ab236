"""Sessions: events that several cameras recorded, lined up by their sound."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from mtbsync_daemon import sessions as rules
from mtbsync_daemon.http import models
from mtbsync_daemon.http.files import on_disk
from mtbsync_daemon.http.problems import Problem, not_found
from mtbsync_daemon.http.roots import shown
from mtbsync_daemon.http.routes.exports import attached
from mtbsync_daemon.http.routes.recordings import groups_of, take_groups
from mtbsync_daemon.http.routes.uploads import path_of_upload
from mtbsync_daemon.http.routing import Call, Route, after_time, page_of
from mtbsync_daemon.http.stored import link_of, send_stored
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.services import Services
from mtbsync_daemon.store import jobs, recordings, sessions
from mtbsync_daemon.store.ids import new_id
from mtbsync_daemon.store.jobs import JobRow, State
from mtbsync_daemon.store.recordings import StoredFile
from mtbsync_daemon.store.sessions import (
    CameraRow,
    Decided,
    Derivative,
    DerivedRow,
    PlacementRow,
    SessionRow,
)
from mtbsync_daemon.watch.gather import is_video
from mtbsync_engine.confidence import Method, Trust, trust_of

_MOST_EVENTS = 200


async def several(call: Call, query: models.Page) -> models.Sessions:
    """Sessions, the newest first."""
    after = after_time(query.cursor)
    return await call.read(_several, query.limit, after)


async def one(call: Call, session_id: str) -> models.Session:
    """One session, with its cameras and how they lie on each other."""
    return await call.read(_one, session_id)


async def create(call: Call, body: models.SessionWanted) -> models.Session:
    """Begin a session."""
    return await call.write(_create, body)


async def change(call: Call, session_id: str, body: models.SessionChange) -> models.Session:
    """Change what a session is called, or which camera the others are laid on."""
    return await call.write(_change, call, session_id, body)


async def remove(call: Call, session_id: str) -> models.Empty:
    """Forget a session; footage and what was made of it stay where they are."""
    await _stop_all(call, await call.write(_remove, session_id))
    return models.Empty()


async def add_camera(call: Call, session_id: str, body: models.CameraWanted) -> models.Session:
    """Add a camera by the file it recorded, or by the upload that is to bring it.

    Once its footage is there it is ingested, and once no camera is under way any more, all are lined up.
    """
    services = call.services
    if body.upload is not None:
        path = path_of_upload(services, body.upload)
        if not is_video(path.name):
            raise Problem(422, f"{path.name} is no video that mtbsync knows by its name.")
        return await call.write(_add_camera, services, session_id, path, body.label, None)
    path = Path(os.path.normpath(body.path or ""))
    roots = (*services.settings.current.readable_roots, services.places.footage)
    groups = await on_disk(call.request, groups_of, [path], roots)
    return await call.write(_add_camera, services, session_id, groups[0][0].first, body.label, groups)


async def change_camera(call: Call, session_id: str, label: str, body: models.CameraChange) -> models.Session:
    """Call a camera something else."""
    return await call.write(_change_camera, session_id, label, body)


async def remove_camera(call: Call, session_id: str, label: str) -> models.Session:
    """Take a camera out of its session; its footage stays."""
    copies, left = await call.write(_remove_camera, session_id, label)
    await _stop_all(call, copies)
    return left


async def _stop_all(call: Call, job_ids: Sequence[str]) -> None:
    for job_id in job_ids:
        await call.services.queue.cancel(job_id)


async def ingest(call: Call, session_id: str, label: str) -> models.Created:
    """Have a camera ingested once more: what was made is checked, and made again where it is damaged."""
    return models.Created(job=await call.write(_ingest, session_id, label))


async def copy(call: Call, session_id: str, label: str, body: models.CopiesWanted) -> models.Created:
    """Have a proxy or a mezzanine of a camera's footage made."""
    return models.Created(job=await call.write(_copy, session_id, label, body))


async def derived(call: Call, session_id: str, label: str, kind: str) -> web.StreamResponse:
    """A file that was made of a camera's footage."""
    row = await call.read(_derived, session_id, label, kind)
    return await send_stored(call, row)


async def link(call: Call, session_id: str, label: str, kind: str) -> models.DerivedLink:
    """An address of such a file for who has no key to the storage, where that is not on this computer."""
    row = await call.read(_derived, session_id, label, kind)
    return models.DerivedLink(url=await link_of(call, row))


async def line_up(call: Call, session_id: str) -> models.Created:
    """Have a session's cameras lined up, once more if they were."""
    return models.Created(job=await call.write(_line_up, session_id))


async def correlation(call: Call, session_id: str, label: str) -> models.Correlation:
    """What a camera's placement was told from."""
    found = await call.read(_correlation, session_id, label)
    return models.Correlation(**{name: tuple(values) for name, values in found.items()})


async def decide(call: Call, session_id: str, label: str, body: models.PlacementChange) -> models.Session:
    """Approve where a camera lies, correct it, or take that back."""
    return await call.write(_decide, call, session_id, label, body)


async def approve(call: Call, session_id: str) -> models.Session:
    """Approve all cameras that look good and that nobody has decided on yet."""
    return await call.write(_approve, session_id)


async def history(call: Call, session_id: str) -> models.PlacementHistory:
    """What was found and decided, the newest first."""
    return await call.read(_history, session_id)


async def offers(call: Call, session_id: str) -> models.SessionOffers:
    """Every format that the synced cameras can be written in, and what each would lose."""
    params = await call.read(_timeline_params, session_id)
    found = await call.ask("session_offers", params)
    return models.SessionOffers(
        notes=tuple(found["notes"]),
        offers=tuple(
            models.SessionOffer(
                **{**offer, "suffixes": tuple(offer["suffixes"]), "losses": tuple(offer["losses"])}
            )
            for offer in found["offers"]
        ),
    )


async def timeline(call: Call, session_id: str) -> models.SyncedTimeline:
    """The synced cameras as tracks, for a script that builds them in an editor."""
    params = await call.read(_timeline_params, session_id)
    return models.SyncedTimeline.model_validate_json((await call.ask("session_timeline", params))["timeline"])


async def export(call: Call, session_id: str, format_name: str) -> web.Response:
    """The synced cameras in an editor's format: one file, or a .zip where it takes several."""
    params = await call.read(_timeline_params, session_id)
    path = call.services.places.artifacts / "zips" / f"{session_id}.{new_id()}.zip"
    try:
        made = await call.ask("session_export", {**params, "format": format_name, "path": str(path)})
        content = await on_disk(call.request, path.read_bytes)
    finally:
        await on_disk(call.request, partial(path.unlink, missing_ok=True))
    return web.Response(body=content, headers=attached(made["name"], made["media_type"]))


# --- what they ask of the library --------------------------------------------------------------------


def session_row(db: sqlite3.Connection, session_id: str) -> SessionRow:
    """The session of that id.

    Raises:
        Problem: there is none.
    """
    found = sessions.get(db, session_id)
    if found is None:
        raise not_found("session")
    return found


def _camera_row(db: sqlite3.Connection, session_id: str, label: str) -> CameraRow:
    session_row(db, session_id)
    found = sessions.camera(db, session_id, label)
    if found is None:
        raise not_found("camera")
    return found


def _placement_row(db: sqlite3.Connection, session_id: str, label: str) -> PlacementRow:
    _camera_row(db, session_id, label)
    found = sessions.placement(db, session_id, label)
    if found is None:
        raise not_found("placement")
    return found


def _several(db: sqlite3.Connection, limit: int, after: tuple[float, str] | None) -> models.Sessions:
    rows, cursor = page_of(
        sessions.page(db, limit + 1, after), limit, lambda row: (row.created_at, row.session_id)
    )
    return models.Sessions(sessions=tuple(_document(db, row) for row in rows), next_cursor=cursor)


def _one(db: sqlite3.Connection, session_id: str) -> models.Session:
    return _document(db, session_row(db, session_id))


def _create(db: sqlite3.Connection, wanted: models.SessionWanted) -> models.Session:
    row = rules.create(
        db,
        wanted.title,
        project=wanted.project,
        date=wanted.date or "",
        location=wanted.location,
        notes=wanted.notes,
    )
    return _document(db, row)


def _change(
    db: sqlite3.Connection, call: Call, session_id: str, wanted: models.SessionChange
) -> models.Session:
    row = session_row(db, session_id)
    call.check_match(models.Versioned(version=row.version))
    values: dict[str, str | None] = wanted.model_dump(exclude_none=True, exclude={"master"})
    if wanted.master is not None:
        if wanted.master:
            _camera_row(db, session_id, wanted.master)
        values["wanted_master"] = wanted.master or None
    changed = sessions.change(db, row, values)
    is_lined_up = sessions.newest_line_up_job(db, session_id) is not None
    if changed.wanted_master != row.wanted_master and is_lined_up:
        rules.want_line_up(db, changed)
    return _document(db, changed)


def _remove(db: sqlite3.Connection, session_id: str) -> list[str]:
    """Gives the jobs that write copies nobody wants any more."""
    session_row(db, session_id)
    copies = [job for camera in sessions.cameras(db, session_id) for job in _copies_under_way(db, camera)]
    rules.remove(db, session_id)
    return copies


def _copies_under_way(db: sqlite3.Connection, camera: CameraRow) -> list[str]:
    return [job.job_id for job in sessions.copy_jobs(db, camera) if job.state is State.RUNNING]


def _add_camera(
    db: sqlite3.Connection,
    services: Services,
    session_id: str,
    path: Path,
    label: str | None,
    groups: Sequence[Sequence[StoredFile]] | None,
) -> models.Session:
    session = session_row(db, session_id)
    rules.add_camera(db, session, path, label)
    if groups is not None:
        take_groups(db, services.library, groups)
    return _document(db, session)


def _change_camera(
    db: sqlite3.Connection, session_id: str, label: str, wanted: models.CameraChange
) -> models.Session:
    rules.relabel(db, _camera_row(db, session_id, label), wanted.label)
    return _one(db, session_id)


def _remove_camera(db: sqlite3.Connection, session_id: str, label: str) -> tuple[list[str], models.Session]:
    """Gives the jobs that write copies nobody wants any more, and what is left."""
    camera = _camera_row(db, session_id, label)
    copies = _copies_under_way(db, camera)
    rules.remove_camera(db, camera)
    return copies, _one(db, session_id)


def _ingest(db: sqlite3.Connection, session_id: str, label: str) -> str:
    return rules.want_ingest(db, _camera_row(db, session_id, label))


def _copy(db: sqlite3.Connection, session_id: str, label: str, wanted: models.CopiesWanted) -> str:
    kinds = tuple(Derivative(kind) for kind in wanted.kinds)
    return rules.want_copies(db, _camera_row(db, session_id, label), kinds)


def _derived(db: sqlite3.Connection, session_id: str, label: str, kind: str) -> DerivedRow:
    _camera_row(db, session_id, label)
    found = next((d for d in sessions.derived(db, session_id, label) if d.kind == kind), None)
    if found is None:
        raise not_found("file of this camera")
    return found


def _line_up(db: sqlite3.Connection, session_id: str) -> str:
    return rules.want_line_up(db, session_row(db, session_id))


def _correlation(db: sqlite3.Connection, session_id: str, label: str) -> Mapping[str, Any]:
    _placement_row(db, session_id, label)
    found = sessions.correlation(db, session_id, label)
    if not found:
        raise StateError("Nothing was measured of this camera's sound.")
    return found


def _decide(
    db: sqlite3.Connection, call: Call, session_id: str, label: str, wanted: models.PlacementChange
) -> models.Session:
    row = _placement_row(db, session_id, label)
    call.check_match(models.Versioned(version=row.version))
    if wanted.status == "approved":
        rules.approve(db, row)
    elif wanted.offset_ms is None:
        rules.take_back(db, row)
    else:
        rules.correct(db, row, wanted.offset_ms, wanted.drift_ppm)
    return _one(db, session_id)


def _approve(db: sqlite3.Connection, session_id: str) -> models.Session:
    session_row(db, session_id)
    for row in sessions.placements(db, session_id):
        if row.status is Decided.PENDING and trust_of(row.score) is Trust.LOOKS_GOOD:
            rules.approve(db, row)
    return _one(db, session_id)


def _history(db: sqlite3.Connection, session_id: str) -> models.PlacementHistory:
    session_row(db, session_id)
    return models.PlacementHistory(
        events=tuple(
            models.PlacementEvent(
                camera=row.label,
                what=row.what,
                offset_ms=row.offset_ms,
                drift_ppm=row.drift_ppm,
                at=row.at,
            )
            for row in sessions.history(db, session_id, _MOST_EVENTS)
        )
    )


def _timeline_params(db: sqlite3.Connection, session_id: str) -> dict[str, Any]:
    return rules.timeline_params(db, session_row(db, session_id))


# --- as documents ------------------------------------------------------------------------------------


def _document(db: sqlite3.Connection, session: SessionRow) -> models.Session:
    known = sessions.line_up(db, session.session_id)
    qualities = {} if known is None else known.qualities
    made = sessions.derived(db, session.session_id)
    return models.Session(
        id=session.session_id,
        version=session.version,
        title=session.title,
        project=session.project,
        date=session.date,
        location=session.location,
        notes=session.notes,
        status=sessions.state_of(db, session.session_id).value,
        wanted_master=session.wanted_master,
        master=None if known is None else known.master,
        cameras=tuple(
            _camera(db, row, qualities.get(row.label), [d for d in made if d.label == row.label])
            for row in sessions.cameras(db, session.session_id)
        ),
        placements=tuple(_placement(row) for row in sessions.placements(db, session.session_id)),
        problem=_trouble_of_line_up(db, session.session_id),
        lined_up_at=None if known is None else known.at,
        created_at=session.created_at,
    )


def _camera(
    db: sqlite3.Connection,
    row: CameraRow,
    quality: Mapping[str, Any] | None,
    made: list[DerivedRow],
) -> models.Camera:
    recording = None if row.recording_id is None else recordings.get(db, row.recording_id)
    about: Mapping[str, Any] = {} if recording is None else recording.about
    return models.Camera(
        label=row.label,
        status=row.state.value,
        problem=row.problem or _trouble_of_copies(db, row, made),
        file_name=shown(Path(row.path.name)),
        path=shown(row.path),
        recording=row.recording_id,
        duration_s=0.0 if recording is None else recording.duration_s,
        frames_a_second=about.get("rate"),
        width=about.get("width", 0),
        height=about.get("height", 0),
        codec=about.get("codec", ""),
        has_audio=about.get("has_audio", False),
        start_timecode=about.get("start_timecode"),
        created_utc=about.get("created_utc"),
        job=row.job_id,
        quality=None if quality is None else models.SoundQuality(**quality),
        derived=tuple(
            models.Derived(
                kind=d.kind.value,
                key=d.key,
                n_bytes=d.n_bytes,
                sha256=d.sha256,
                made_at=d.made_at,
            )
            for d in made
        ),
    )


def _trouble_of_line_up(db: sqlite3.Connection, session_id: str) -> str:
    """Why the last line-up failed, or waits to be tried again, or left cameras where nobody knows."""
    last = jobs.get(db, sessions.newest_line_up_job(db, session_id) or "")
    if last is None or last.state is State.DONE:
        return ""
    if last.state is State.CANCELLED:
        return "Lining up was cancelled." if sessions.unplaced(db, session_id) else ""
    return last.error or ""


def _trouble_of_copies(db: sqlite3.Connection, row: CameraRow, made: Sequence[DerivedRow]) -> str:
    """Why there is no copy of a camera's footage, where making one has failed."""
    newest: dict[Derivative, JobRow] = {}
    for job in sessions.copy_jobs(db, row):
        for kind in job.params["kinds"]:
            newest.setdefault(Derivative(kind), job)
    there = {one.kind for one in made}
    return " ".join(
        f"It has no {kind}. {job.error}"
        for kind, job in newest.items()
        if kind not in there and job.state in (State.FAILED, State.CANCELLED)
    )


def _placement(row: PlacementRow) -> models.Placement:
    return models.Placement(
        version=row.version,
        camera=row.label,
        offset_ms=row.counts_ms,
        drift_ppm=row.counts_ppm,
        found_offset_ms=row.offset_ms,
        found_drift_ppm=row.drift_ppm,
        score=row.score,
        trust=trust_of(row.score).value,
        error_ms=row.error_ms,
        method=None if row.method is None else Method(row.method).value,
        reason=row.reason,
        through=row.through,
        status=row.status.value,
    )


_ONE = "/api/v1/sessions/{session_id}"
_CAMERA = f"{_ONE}/cameras/{{label}}"
ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/sessions", several),
    Route("POST", "/api/v1/sessions", create),
    Route("GET", _ONE, one, errors=(404,)),
    Route("PATCH", _ONE, change, errors=(404, 409), is_edit=True),
    Route("DELETE", _ONE, remove, errors=(404,)),
    Route("POST", f"{_ONE}/cameras", add_camera, errors=(404, 409)),
    Route("PATCH", _CAMERA, change_camera, errors=(404, 409)),
    Route("DELETE", _CAMERA, remove_camera, errors=(404, 409)),
    Route("POST", f"{_CAMERA}/ingest", ingest, errors=(404, 409)),
    Route("POST", f"{_CAMERA}/copies", copy, errors=(404, 409)),
    Route(
        "GET",
        f"{_CAMERA}/derived/{{kind}}",
        derived,
        errors=(404, 416),
        media_type="application/octet-stream",
    ),
    Route("GET", f"{_CAMERA}/derived/{{kind}}/link", link, errors=(404,)),
    Route("GET", f"{_CAMERA}/correlation", correlation, errors=(404, 409)),
    Route("PUT", f"{_CAMERA}/placement", decide, errors=(404, 409), is_edit=True),
    Route("POST", f"{_ONE}/line-up", line_up, errors=(404, 409)),
    Route("POST", f"{_ONE}/approval", approve, errors=(404, 409)),
    Route("GET", f"{_ONE}/history", history, errors=(404,)),
    Route("GET", f"{_ONE}/offers", offers, errors=(404, 409)),
    Route("GET", f"{_ONE}/timeline", timeline, errors=(404, 409)),
    Route(
        "GET",
        f"{_ONE}/exports/{{format_name}}",
        export,
        errors=(404, 409),
        media_type="application/octet-stream",
    ),
)
