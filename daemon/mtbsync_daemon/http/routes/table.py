"""Everything that can be asked."""

from __future__ import annotations

from mtbsync_daemon.http.routes import (
    exports,
    jobs,
    markers,
    pages,
    pushes,
    recordings,
    syncs,
    system,
    trails,
)
from mtbsync_daemon.http.routing import Route

ROUTES: tuple[Route, ...] = (
    *recordings.ROUTES,
    *trails.ROUTES,
    *syncs.ROUTES,
    *markers.ROUTES,
    *pushes.ROUTES,
    *jobs.ROUTES,
    *exports.ROUTES,
    *system.ROUTES,
    *pages.ROUTES,
)
