"""What a browser shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import resources

from aiohttp import web

from mtbsync_daemon.http import models
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.http.security import ACCESS

_FILES = (
    ("/", "index.html", "text/html"),
    ("/app.js", "app.js", "text/javascript"),
    ("/style.css", "style.css", "text/css"),
)


async def login(call: Call, query: models.LoginQuery) -> web.Response:
    """Let a browser in that brings a code, once."""
    access = call.request.app[ACCESS]
    session = access.begin_session(query.code)
    response = web.Response(status=303, headers={"Location": "/"})
    response.set_cookie(access.cookie, session, path="/", httponly=True, samesite="Strict")
    return response


def _page(name: str, media_type: str) -> Callable[[Call], Awaitable[web.Response]]:
    content = (resources.files("mtbsync_daemon.web") / name).read_bytes()

    async def page(call: Call) -> web.Response:
        """A part of mtbsync's page."""
        return web.Response(body=content, content_type=media_type, charset="utf-8")

    return page


ROUTES: tuple[Route, ...] = (
    Route("GET", "/login", login, errors=(403,), media_type="text/html"),
    *(Route("GET", path, _page(name, kind), media_type=kind) for path, name, kind in _FILES),
)
