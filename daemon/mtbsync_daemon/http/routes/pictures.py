"""Pictures of recordings, and copies that any browser plays."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from aiohttp import web

from mtbsync_daemon.http import models
from mtbsync_daemon.http.files import is_there, on_disk, send_file
from mtbsync_daemon.http.problems import Problem
from mtbsync_daemon.http.routes.recordings import recording_row
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.library import Library
from mtbsync_daemon.rules import recording_params

# A list asks for all its pictures at once, and something else may be asked for meanwhile.
ONE_AT_A_TIME = web.AppKey("one_picture_at_a_time", asyncio.Lock)
# Where a ride is under way: at its ends somebody stands around.
_SHARE = 0.4
# Somebody may have plugged the disk in by then.
_TRIED_AGAIN_AFTER_S = 300.0
_MOST_REMEMBERED = 1000
_ABOUT = {"Content-Type": "image/jpeg", "Cache-Control": "private, max-age=86400"}


@dataclass
class _Missing:
    """Pictures that could not be made lately, by where they would lie: what was wanted, when, and why not. To
    try costs a process each time, and a list asks for all of them again."""

    _known: dict[Path, tuple[dict[str, Any], float, str]] = field(default_factory=dict)

    def why(self, path: Path, wanted: dict[str, Any]) -> str | None:
        """Why there is none of what is wanted; None where that may be tried."""
        known, at, why = self._known.get(path, ({}, 0.0, ""))
        return why if known == wanted and monotonic() < at + _TRIED_AGAIN_AFTER_S else None

    def note(self, path: Path, wanted: dict[str, Any], why: str) -> None:
        """It could not be made now."""
        self._known.pop(path, None)
        self._known[path] = wanted, monotonic(), why
        if len(self._known) > _MOST_REMEMBERED:
            del self._known[next(iter(self._known))]


_MISSING = _Missing()


async def picture(call: Call, recording_id: str) -> web.StreamResponse:
    """A small picture of a recording."""
    wanted = await call.read(_wanted, recording_id)
    path = call.services.places.still_of(recording_id)
    if not await on_disk(call.request, is_there, path):
        async with call.request.app[ONE_AT_A_TIME]:
            # Whoever waited may find that it has been made meanwhile.
            if not await on_disk(call.request, is_there, path):
                await _make(call, path, wanted)
    return await send_file(call.request, path, _ABOUT)


async def make_light_copy(call: Call, recording_id: str) -> models.Created:
    """Have a copy made that any browser plays; gives the job that does it."""
    return models.Created(job=await call.write(_light, call.services.library, recording_id))


async def _make(call: Call, path: Path, wanted: dict[str, Any]) -> None:
    why = _MISSING.why(path, wanted)
    if why is None:
        try:
            await call.ask("still", wanted | {"path": str(path)})
        except Problem as problem:
            if problem.status != 409:
                raise
            # The footage is away, or no picture can be had of it: there is none.
            why = problem.detail
            _MISSING.note(path, wanted, why)
    if why is not None:
        raise Problem(404, why)


def _wanted(db: sqlite3.Connection, recording_id: str) -> dict[str, Any]:
    row = recording_row(db, recording_id)
    return {"recording": recording_params(db, recording_id), "t_s": _SHARE * row.duration_s}


def _light(db: sqlite3.Connection, library: Library, recording_id: str) -> str:
    recording_row(db, recording_id)
    return library.want_light_copy(db, recording_id)


_OF_RECORDING = "/api/v1/recordings/{recording_id}"
ROUTES: tuple[Route, ...] = (
    Route("GET", f"{_OF_RECORDING}/picture", picture, errors=(404,), media_type="image/jpeg"),
    Route("POST", f"{_OF_RECORDING}/light-copy", make_light_copy, errors=(404,)),
)
