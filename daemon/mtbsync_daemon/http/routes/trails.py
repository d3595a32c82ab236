"""Trails: making a recording the reference of one, and its markers."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from mtbsync_daemon.http import models
from mtbsync_daemon.http.models import means_find
from mtbsync_daemon.http.problems import Problem, not_found
from mtbsync_daemon.http.routing import Call, Route, after_name, page_of
from mtbsync_daemon.library import Library
from mtbsync_daemon.store import recordings, trails
from mtbsync_daemon.store.ids import new_marker_id
from mtbsync_daemon.store.trails import TrailMarker, TrailRow


async def several(call: Call, query: models.Page) -> models.Trails:
    """Trails, by name."""
    found = await call.read(trails.page, query.limit + 1, after_name(query.cursor))
    rows, cursor = page_of(found, query.limit, lambda row: (row.name, row.trail_id))
    return models.Trails(trails=tuple(_document(row) for row in rows), next_cursor=cursor)


async def one(call: Call, trail_id: str) -> models.Trail:
    """One trail."""
    return _document(await call.read(_row, trail_id))


async def create(call: Call, body: models.TrailWanted) -> models.Trail:
    """Make a recording the reference of a new trail, which runs are compared with from then on."""
    return await call.write(_create, call.services.library, body)


async def change(call: Call, trail_id: str, body: models.TrailChange) -> models.Trail:
    """Rename a trail, or replace its markers, which its runs then get as well."""
    return await call.write(_change, call, trail_id, body)


async def remove(call: Call, trail_id: str) -> models.Empty:
    """Forget a trail; its reference stays a recording, and runs keep their markers."""
    return await call.write(_remove, call, trail_id)


def _document(row: TrailRow) -> models.Trail:
    markers = tuple(
        models.TrailMarker(
            id=m.marker_id,
            name=m.name,
            t_s=m.t_s,
            duration_s=m.duration_s,
            colour=m.colour,
            comment=m.comment,
        )
        for m in row.markers
    )
    return models.Trail(
        id=row.trail_id,
        name=row.name,
        recording=row.recording_id,
        is_ready=row.is_ready,
        markers=markers,
        version=row.version,
        created_at=row.created_at,
    )


def _row(db: sqlite3.Connection, trail_id: str) -> TrailRow:
    found = trails.get(db, trail_id)
    if found is None:
        raise not_found("trail")
    return found


def _create(db: sqlite3.Connection, library: Library, wanted: models.TrailWanted) -> models.Trail:
    recording = recordings.get(db, wanted.recording)
    if recording is None:
        raise not_found("recording")
    name = wanted.name or _free_name(db, Path(recording.name).stem)
    return _document(library.add_trail(db, name, recording, _markers(wanted.markers, ())))


def _change(db: sqlite3.Connection, call: Call, trail_id: str, wanted: models.TrailChange) -> models.Trail:
    row = _row(db, trail_id)
    call.check_match(_document(row))
    marked = None if wanted.markers is None else _markers(wanted.markers, row.markers)
    return _document(call.services.library.mark_trail(db, row, name=wanted.name, marked=marked))


def _remove(db: sqlite3.Connection, call: Call, trail_id: str) -> models.Empty:
    row = _row(db, trail_id)
    call.check_match(_document(row))
    call.services.library.remove_trail(db, row)
    return models.Empty()


def _free_name(db: sqlite3.Connection, name: str) -> str:
    """`name`, or with a number where a trail is called so, or none may be."""
    names = (name if k == 1 else f"{name} {k}" for k in count(1))
    return next(free for free in names if not means_find(free) and trails.named(db, free) is None)


def _markers(
    wanted: Sequence[models.TrailMarkerWanted], before: Sequence[TrailMarker]
) -> tuple[TrailMarker, ...]:
    extra = {m.marker_id: m.extra for m in before}
    named = [m.id for m in wanted if m.id is not None]
    if len(set(named)) < len(named):
        raise Problem(422, "Two of these markers have the same id.")
    made = [
        TrailMarker(
            m.id or new_marker_id(),
            m.name,
            m.t_s,
            m.duration_s,
            m.colour,
            m.comment,
            extra.get(m.id or "", ()),
        )
        for m in wanted
    ]
    return tuple(sorted(made, key=lambda m: m.t_s))


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/trails", several),
    Route("POST", "/api/v1/trails", create, errors=(404, 409)),
    Route("GET", "/api/v1/trails/{trail_id}", one, errors=(404,)),
    Route("PATCH", "/api/v1/trails/{trail_id}", change, errors=(404, 409), is_edit=True),
    Route("DELETE", "/api/v1/trails/{trail_id}", remove, errors=(404,), is_edit=True),
)
