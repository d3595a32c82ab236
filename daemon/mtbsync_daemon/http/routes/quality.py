"""How good the runs' syncs are, and what they cost."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from mtbsync_daemon.http import models
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.store import jobs

_REPORT = "runs-in-numbers.html"


async def numbers(call: Call) -> models.Numbers:
    """How good each run's sync is, held against the strict gates, and what it cost."""
    return models.Numbers.model_validate(await _asked(call, is_report=False), strict=False)


async def report(call: Call) -> web.Response:
    """The same as one HTML file with charts, to keep or to send."""
    found = await _asked(call, is_report=True)
    return web.Response(
        body=found["report"].encode(),
        headers={
            "Content-Type": "text/html; charset=utf-8",
            "Content-Disposition": f"attachment; filename={_REPORT}",
        },
    )


async def _asked(call: Call, *, is_report: bool) -> dict[str, Any]:
    params = {
        "root": str(call.services.places.artifacts / "syncs"),
        "looking_s": await call.read(jobs.looking_s),
        "is_report": is_report,
    }
    return await call.ask("quality", params)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/quality", numbers, errors=(409,)),
    Route("GET", "/api/v1/quality/report", report, errors=(409,), media_type="text/html"),
)
