"""DaVinci Resolve, as far as a script there stays connected."""

from __future__ import annotations

import sqlite3

from mtbsync_daemon.http import models
from mtbsync_daemon.http.problems import not_found
from mtbsync_daemon.http.resolve_link import LINK, LinkRequest
from mtbsync_daemon.http.routes.recordings import recording_row
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.store import markers
from mtbsync_daemon.store.markers import MarkerState

_NOT_CONNECTED = (
    "DaVinci Resolve is not connected. In Resolve, choose Workspace > Scripts > mtbsync > "
    "Stay connected to mtbsync, and try again."
)


async def state(call: Call) -> models.Resolve:
    """Whether a script in DaVinci Resolve is connected, and what came of what it was asked for."""
    link = call.request.app[LINK]
    return models.Resolve(
        requests=tuple(_document(request) for request in link.requests),
        is_connected=link.is_connected,
        timeline=link.timeline,
    )


async def connect(call: Call, body: models.ResolveConnection) -> models.ResolveWork:
    """What a script in DaVinci Resolve is to do next, which is waited for."""
    request = call.request
    taken = await request.app[LINK].take(body.timeline, body.wait_s, lambda: request.transport is not None)
    return models.ResolveWork(request=None if taken is None else _document(taken))


async def create(call: Call, body: models.ResolveRequestWanted) -> models.ResolveRequest:
    """Have a run's markers put on the timeline that is open in DaVinci Resolve."""
    await call.read(_check, body.recording)
    link = call.request.app[LINK]
    if not link.is_connected:
        raise StateError(_NOT_CONNECTED)
    return _document(link.ask(body.recording))


async def change(call: Call, request_id: str, body: models.ResolveRequestChange) -> models.ResolveRequest:
    """Tell what came of such a request."""
    answered = call.request.app[LINK].answer(request_id, body.state, body.said)
    if answered is None:
        raise not_found("request")
    return _document(answered)


def _check(db: sqlite3.Connection, recording_id: str) -> None:
    recording = recording_row(db, recording_id)
    kept = (m for m in markers.of_recording(db, recording_id) if m.state is not MarkerState.REJECTED)
    if all(m.t_s is None for m in kept):
        raise StateError(f"{recording.name} has no markers yet that could be sent.")


def _document(request: LinkRequest) -> models.ResolveRequest:
    return models.ResolveRequest(
        id=request.request_id,
        recording=request.recording_id,
        state=request.state,
        said=request.said,
        asked_at=request.asked_at,
    )


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/resolve", state),
    Route("POST", "/api/v1/resolve/connection", connect),
    Route("POST", "/api/v1/resolve/requests", create, errors=(404, 409)),
    Route("PATCH", "/api/v1/resolve/requests/{request_id}", change, errors=(404, 409)),
)
