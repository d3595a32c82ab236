"""Exports: files for editors."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from mtbsync_daemon.http import models
from mtbsync_daemon.http.files import is_there, on_disk, send_file
from mtbsync_daemon.http.problems import Problem, not_found
from mtbsync_daemon.http.roots import shown
from mtbsync_daemon.http.routes.recordings import recording_row
from mtbsync_daemon.http.routing import Call, Route, after_time, page_of
from mtbsync_daemon.library import Library
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.store import exports, markers
from mtbsync_daemon.store.exports import ExportRow
from mtbsync_daemon.store.ids import new_id
from mtbsync_daemon.store.recordings import RecordingRow
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
    name = shown(row.path).rpartition("/")[2].rpartition("\\")[2]
    return await send_file(call.request, row.path, attached(name, "application/octet-stream"))


async def offers(call: Call, recording_id: str) -> models.Offers:
    """Every format that a run's markers can be written in, and what each would lose of them now."""
    wanted = await call.read(_wanted, call.services.library, recording_id)
    found = await call.ask("offers", wanted.params)
    documents = (
        models.Offer(
            **{**offer, "suffixes": tuple(offer["suffixes"]), "losses": tuple(offer["losses"])},
            is_usual=offer["format"] in wanted.usual,
            written=tuple(_document(row) for row in wanted.written if row.format_name == offer["format"]),
        )
        for offer in found["offers"]
    )
    return models.Offers(folder=shown(wanted.folder), offers=tuple(documents))


async def everything(call: Call, recording_id: str) -> web.StreamResponse:
    """A run's markers as they are now in every format, and what each loses, in one .zip."""
    wanted = await call.read(_wanted, call.services.library, recording_id)
    # A file of its own for each that asks: Windows replaces none that is being read.
    path = call.services.places.artifacts / "zips" / f"{recording_id}.{new_id()}.zip"
    try:
        await call.ask("zip", {**wanted.params, "stem": wanted.stem, "path": str(path)})
        content = await on_disk(call.request, path.read_bytes)
    finally:
        await on_disk(call.request, partial(path.unlink, missing_ok=True))
    return web.Response(body=content, headers=attached(f"{wanted.stem}.zip", "application/zip"))


async def formats(call: Call) -> models.Formats:
    """The formats that markers can be written in."""
    named = (models.Format(name=name, description=describe(name)) for name in format_names())
    return models.Formats(formats=tuple(named))


def attached(name: str, media_type: str) -> dict[str, str]:
    """The headers of a file that a browser is to keep under that name."""
    disposition = f"attachment; filename*=UTF-8''{quote(name)}"
    return {"Content-Type": media_type, "Content-Disposition": disposition}


def _is_plain_file(path: Path) -> bool:
    return is_there(path) and not path.is_symlink()


@dataclass(frozen=True)
class _Wanted:
    """A run's markers that are wanted in editors' formats: what the tasks take, the formats that are `usual`,
    where files go and what they are called, and those that are `written`, the newest first."""

    params: dict[str, Any]
    usual: tuple[str, ...]
    folder: Path
    stem: str
    written: list[ExportRow]


def _wanted(db: sqlite3.Connection, library: Library, recording_id: str) -> _Wanted:
    recording = _with_markers(db, recording_id)
    folder = library.output(db, recording_id)
    written = exports.of_recording(db, recording_id)
    return _Wanted(
        params=library.delivery_params(db, recording_id),
        usual=library.usual_formats(db, recording_id),
        folder=folder,
        stem=exports.stem_of(db, folder, recording_id, Path(recording.name).stem),
        written=sorted(written, key=lambda row: row.written_at, reverse=True),
    )


def _create(db: sqlite3.Connection, library: Library, wanted: models.ExportsWanted) -> str:
    recording = _with_markers(db, wanted.recording)
    return library.want_delivery(db, recording.recording_id, wanted.formats)


def _with_markers(db: sqlite3.Connection, recording_id: str) -> RecordingRow:
    recording = recording_row(db, recording_id)
    if not markers.of_recording(db, recording_id):
        raise StateError(f"{recording.name} has no markers yet that could be written.")
    return recording


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
    Route("GET", "/api/v1/recordings/{recording_id}/offers", offers, errors=(404, 409)),
    Route(
        "GET",
        "/api/v1/recordings/{recording_id}/exports.zip",
        everything,
        errors=(404, 409),
        media_type="application/zip",
    ),
    Route("GET", "/api/v1/formats", formats),
)
