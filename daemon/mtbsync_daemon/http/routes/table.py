"""Everything that can be asked."""

from __future__ import annotations

from mtbsync_daemon.http.routes import (
    exports,
    figures,
    folders,
    jobs,
    maps,
    markers,
    pages,
    pictures,
    pushes,
    quality,
    recordings,
    resolve,
    sessions,
    syncs,
    system,
    trails,
    uploads,
)
from mtbsync_daemon.http.routing import Route

ROUTES: tuple[Route, ...] = (
    *recordings.ROUTES,
    *uploads.ROUTES,
    *pictures.ROUTES,
    *trails.ROUTES,
    *syncs.ROUTES,
    *maps.ROUTES,
    *markers.ROUTES,
    *pushes.ROUTES,
    *jobs.ROUTES,
    *exports.ROUTES,
    *figures.ROUTES,
    *quality.ROUTES,
    *resolve.ROUTES,
    *folders.ROUTES,
    *sessions.ROUTES,
    *system.ROUTES,
    *pages.ROUTES,
)
