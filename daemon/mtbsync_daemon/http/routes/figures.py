"""What a page draws of a sync and of a recording's way."""

from __future__ import annotations

import sqlite3
from typing import Any

from mtbsync_daemon.http import models
from mtbsync_daemon.http.problems import not_found
from mtbsync_daemon.http.routes.syncs import sync_row
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.rules import StateError, recording_params
from mtbsync_daemon.store import recordings


async def figures(call: Call, sync_id: str) -> models.Figures:
    """How alike the two runs look, and how well the map fits what was seen."""
    folders = await call.read(_folders, sync_id)
    artifacts = call.services.places.artifacts
    found = await call.ask("figures", {what: str(artifacts / folder) for what, folder in folders.items()})
    return models.Figures.model_validate(found, strict=False)


async def track(call: Call, recording_id: str) -> models.Track:
    """Where a recording went by GPS; without points where nothing tells."""
    params = await call.read(_recording, recording_id)
    return models.Track.model_validate(await call.ask("track", {"recording": params}), strict=False)


def _folders(db: sqlite3.Connection, sync_id: str) -> dict[str, str]:
    sync = sync_row(db, sync_id)
    if sync.artifact is None or sync.map_folder is None:
        raise StateError("This run is on no trail, so there are no pictures of how it lies on one.")
    return {"results": sync.artifact, "map": sync.map_folder}


def _recording(db: sqlite3.Connection, recording_id: str) -> dict[str, Any]:
    if recordings.get(db, recording_id) is None:
        raise not_found("recording")
    return recording_params(db, recording_id)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/syncs/{sync_id}/figures", figures, errors=(404, 409)),
    Route("GET", "/api/v1/recordings/{recording_id}/track", track, errors=(404, 409)),
)
