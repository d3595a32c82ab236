"""Maps: how runs lie on their trails' references, and the places that people vouch for."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtbsync_daemon.http import models
from mtbsync_daemon.http.files import on_disk
from mtbsync_daemon.http.problems import Problem, not_found
from mtbsync_daemon.http.routes.recordings import recording_row
from mtbsync_daemon.http.routes.syncs import sync_row
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.library import Library
from mtbsync_daemon.results import TIMEWARP
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.store import anchors, jobs
from mtbsync_daemon.store.anchors import AnchorRow
from mtbsync_daemon.store.jobs import Kind


async def one(call: Call, sync_id: str) -> models.Map:
    """How a run lies on its trail's reference."""
    found = await call.read(_mapped, sync_id)
    artifacts = call.services.places.artifacts
    paths = [artifacts / folder / TIMEWARP for folder in found.folders]
    return await on_disk(call.request, _document, paths, sync_id, found)


async def add(call: Call, sync_id: str, body: models.AnchorWanted) -> models.Map:
    """Tell that two moments are at the same place, and have the map fitted again."""
    await call.write(_add, call.services.library, sync_id, body)
    return await one(call, sync_id)


async def remove(call: Call, sync_id: str, anchor_id: str) -> models.Map:
    """Take that back."""
    await call.write(_remove, call.services.library, sync_id, anchor_id)
    return await one(call, sync_id)


@dataclass(frozen=True)
class _Mapped:
    """What the library knows of a sync's map, which lies in the first of `folders`, below the artifacts, that
    is there: one without anchors takes the place of one with them before the library hears of it."""

    folders: tuple[str, str]
    anchors: list[AnchorRow]
    is_pending: bool
    problem: str


def _mapped(db: sqlite3.Connection, sync_id: str) -> _Mapped:
    sync = sync_row(db, sync_id)
    if sync.trail_id is None or sync.artifact is None or sync.map_folder is None:
        raise StateError("This run is on no trail, so there is no map of it.")
    carried = jobs.newest_of(db, sync.recording_id, Kind.TRANSFER)
    return _Mapped(
        (sync.map_folder, sync.artifact),
        anchors.of_run(db, sync.recording_id, sync.trail_id),
        carried is not None and carried.state.is_active,
        (carried.error or "") if carried is not None and not carried.state.is_active else "",
    )


def _document(paths: Sequence[Path], sync_id: str, found: _Mapped) -> models.Map:
    """The map in the first of these files that is there."""
    try:
        path = next((path for path in paths if path.is_file()), paths[0])
        noted = json.loads(path.read_text(encoding="utf-8"))
        knots = noted["knots"]
        time_map = [tuple(map(float, knots[name])) for name in ("t_new", "t_ref", "se_s")]
        if not all(math.isfinite(value) for values in time_map for value in values):
            raise ValueError(path)
        return models.Map(
            sync=sync_id,
            t_new=time_map[0],
            t_ref=time_map[1],
            se_s=time_map[2],
            support=tuple(map(tuple, knots["support"])),
            anchors=tuple(map(_anchor, found.anchors)),
            fitted=tuple(map(tuple, noted.get("anchors", ()))),
            is_pending=found.is_pending,
            problem=found.problem,
        )
    except (OSError, KeyError, TypeError, ValueError):
        raise Problem(409, "The map of this run is gone or damaged; have the run lined up again.") from None


def _add(db: sqlite3.Connection, library: Library, sync_id: str, wanted: models.AnchorWanted) -> None:
    sync = sync_row(db, sync_id)
    if wanted.t_new_s > recording_row(db, sync.recording_id).duration_s:
        raise Problem(422, "That is behind the run's end.")
    library.add_anchor(db, sync, wanted.t_new_s, wanted.t_ref_s)


def _remove(db: sqlite3.Connection, library: Library, sync_id: str, anchor_id: str) -> None:
    sync = sync_row(db, sync_id)
    found = None if sync.trail_id is None else anchors.get(db, sync.recording_id, sync.trail_id, anchor_id)
    if found is None:
        raise not_found("anchor")
    library.remove_anchor(db, found)


def _anchor(row: AnchorRow) -> models.Anchor:
    return models.Anchor(
        id=row.anchor_id,
        t_new_s=row.t_new_s,
        t_ref_s=row.t_ref_s,
        marker=row.anchor_id if row.is_of_marker else None,
    )


_OF_SYNC = "/api/v1/syncs/{sync_id}"
ROUTES: tuple[Route, ...] = (
    Route("GET", f"{_OF_SYNC}/map", one, errors=(404, 409)),
    Route("POST", f"{_OF_SYNC}/anchors", add, errors=(404, 409)),
    Route("DELETE", f"{_OF_SYNC}/anchors/{{anchor_id}}", remove, errors=(404, 409)),
)
