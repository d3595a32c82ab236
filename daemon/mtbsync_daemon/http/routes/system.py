"""The daemon itself: how it is, what it watches, what happens, and letting a browser in."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from importlib.metadata import version

from aiohttp import web

from mtbsync_daemon.config import FIND, Folder
from mtbsync_daemon.http import models
from mtbsync_daemon.http.events import STREAMS, tell
from mtbsync_daemon.http.metrics import count, text_of
from mtbsync_daemon.http.roots import shown
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.http.security import ACCESS
from mtbsync_daemon.services import Services
from mtbsync_daemon.store import trails

_MOST_NAMED = 10


async def health(call: Call) -> models.Health:
    """Whether all is well, and if not, why."""
    waiting = await call.read(_waiting_for_trails, call.services.settings.current.folder)
    reasons = (*_reasons(call.services), *waiting)
    return models.Health(
        status="degraded" if reasons else "ok",
        reasons=reasons,
        version=version("mtbsync"),
        started_at=call.services.started_at,
        changes=call.services.changes.value,
    )


async def metrics(call: Call) -> web.Response:
    """Numbers, as Prometheus reads them."""
    counts = await call.read(count)
    text = text_of(counts, len(call.request.app[STREAMS]), call.services.started_at)
    return web.Response(
        body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )


async def login_code(call: Call) -> models.LoginCode:
    """A link for a browser, good once and for a minute."""
    return models.LoginCode(url=call.request.app[ACCESS].login_url())


async def openapi(call: Call) -> web.Response:
    """This interface, described in OpenAPI 3.1."""
    return web.Response(body=call.request.app[OPENAPI], content_type="application/json")


def _reasons(services: Services) -> tuple[str, ...]:
    settings = services.settings
    problems = [settings.problem] if settings.problem else []
    if services.executor.problem:
        problems.append(services.executor.problem)
    if settings.waiting:
        problems.append(f"Changes of {', '.join(settings.waiting)} count once mtbsync is started anew.")
    return (*problems, *(why for why in services.folders().values() if why))


def _waiting_for_trails(db: sqlite3.Connection, rules: Sequence[Folder]) -> list[str]:
    """Sentences on folders that name a trail which there is not."""
    missing = [rule for rule in rules if rule.trail != FIND and trails.named(db, rule.trail) is None]
    if not missing:
        return []
    names = [trail.name for trail in trails.page(db, _MOST_NAMED)] or ["none yet"]
    there = f"there are {', '.join(names[:-1])} and {names[-1]}" if names[1:] else f"there is {names[0]}"
    return [f"{shown(r.path)} waits for a trail called {r.trail}; {there}." for r in missing]


OPENAPI = web.AppKey("openapi", bytes)
ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/health", health),
    Route("GET", "/api/v1/events", tell, errors=(503,), media_type="text/event-stream"),
    Route("GET", "/api/v1/metrics", metrics, media_type="text/plain"),
    Route("POST", "/api/v1/login-codes", login_code),
    Route("GET", "/api/v1/openapi.json", openapi),
)
