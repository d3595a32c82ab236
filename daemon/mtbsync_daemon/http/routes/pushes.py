"""Pushes: the journal of what was done to editors' timelines."""

from __future__ import annotations

import sqlite3
from typing import Any

from mtbsync_daemon.http import models
from mtbsync_daemon.http.problems import Problem, not_found
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.store import pushes
from mtbsync_daemon.store.pushes import PushRow


async def several(call: Call, query: models.PushesQuery) -> models.Pushes:
    """A timeline's pushes that were not taken back, newest first."""
    found = await call.read(pushes.of_timeline, query.timeline)
    return models.Pushes(pushes=tuple(_document(row) for row in found))


async def create(call: Call, body: models.PushWanted) -> models.Push:
    """Note a push before anything is done."""
    steps = [step.model_dump() for step in _checked(body.steps)]
    return _document(await call.write(pushes.begin, body.timeline, body.name, steps))


async def change(call: Call, push_id: str, body: models.PushChange) -> models.Push:
    """Note what a push really did, or that it was taken back."""
    return _document(await call.write(_change, push_id, body))


def _change(db: sqlite3.Connection, push_id: str, wanted: models.PushChange) -> PushRow:
    is_number = push_id.isascii() and push_id.isdigit() and len(push_id) < 19
    push = pushes.get(db, int(push_id)) if is_number else None
    if push is None:
        raise not_found("push")
    if (wanted.steps is None) == (wanted.state == "done"):
        raise Problem(422, "Steps belong to a push that is done, and to no other.")
    if wanted.steps is not None and push.state == "started":
        return pushes.done(db, push, [step.model_dump() for step in _checked(wanted.steps)])
    if wanted.steps is None and push.state != "undone":
        return pushes.undone(db, push)
    raise StateError("A push goes from started to done to undone.")


def _checked(steps: models.Steps) -> models.Steps:
    if any(step.before is None and step.after is None for step in steps):
        raise Problem(422, "A step changes nothing.")
    return steps


def _document(row: PushRow) -> models.Push:
    about: dict[str, Any] = {"timeline": row.timeline, "name": row.name, "state": row.state}
    steps = tuple(models.Step.model_validate(step) for step in row.steps)
    return models.Push(id=str(row.push_id), steps=steps, **about)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/pushes", several),
    Route("POST", "/api/v1/pushes", create),
    Route("PATCH", "/api/v1/pushes/{push_id}", change, errors=(404, 409)),
)
