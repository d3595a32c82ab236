"""Exports: files for editors."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from mtbsync_daemon.http import models
from mtbsync_daemon.http.files import is_there, on_disk, send_file
from mtbsync_daemon.http.problems import Problem, not_found
from mtbsync_daemon.http.roots import shown
from mtbsync_daemon.http.routing import Call, Route, after_time, page_of
from mtbsync_daemon.library import Library, StateError
from mtbsync_daemon.store import exports, markers, recordings
from mtbsync_daemon.store.exports import ExportRow
from mtbsync_integrations.formats import describe, format_names


async def several(call: Call, query: models.ExportsQuery) -> models.Exports:
    """Files that were written for editors, the newest first."""
    after = after_time(query.cursor)
    found = await call.read(exports.page, query.limit + 1, after, query.recording)
    rows, cursor = page_of(found, query.limit, lambda row: (row.written_at, row.export_id))
    return models.Exports(exports=tuple(_document(row) for row in rows), next_cursor=cursor)


async def create(call: Call, body: models.ExportsWanted) -> models.Created:
    """Have a run's markers written for editors; gives the job that does it."""
    unknown = [name for name in body.formats or () if name not in format_names()]
    if unknown:
        raise Problem(422, f"There is no format called {unknown[0]}; there are {', '.join(format_names())}.")
    return models.Created(job=await call.write(_create, call.services.library, body))


async def file(call: Call, export_id: str) -> web.StreamResponse:
    """One of these files."""
    row = await call.read(exports.get, export_id)
    if row is None:
        raise not_found("export")
    # What mtbsync writes is a file of its own, never a link to another.
    if not await on_disk(call.request, _is_plain_file, row.path):
        raise Problem(404, f"{shown(row.path)} is not there any more.")
    name = quote(shown(row.path).rpartition("/")[2].rpartition("\\")[2])
    about = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
    }
    return await send_file(call.request, row.path, about)


async def formats(call: Call) -> models.Formats:
    """The formats that markers can be written in."""
    named = (models.Format(name=name, description=describe(name)) for name in format_names())
    return models.Formats(formats=tuple(named))


def _is_plain_file(path: Path) -> bool:
    return is_there(path) and not path.is_symlink()


def _create(db: sqlite3.Connection, library: Library, wanted: models.ExportsWanted) -> str:
    recording = recordings.get(db, wanted.recording)
    if recording is None:
        raise not_found("recording")
    if not markers.of_recording(db, recording.recording_id):
        raise StateError(f"{recording.name} has no markers yet that could be written.")
    return library.want_delivery(db, recording.recording_id, wanted.formats)


def _document(row: ExportRow) -> models.Export:
    return models.Export(
        id=row.export_id,
        recording=row.recording_id,
        format=row.format_name,
        path=shown(row.path),
        losses=row.losses,
        written_at=row.written_at,
    )


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/exports", several),
    Route("POST", "/api/v1/exports", create, errors=(404, 409)),
    Route(
        "GET",
        "/api/v1/exports/{export_id}/file",
        file,
        errors=(404, 416),
        media_type="application/octet-stream",
    ),
    Route("GET", "/api/v1/formats", formats),
)
