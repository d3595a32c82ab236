"""What a browser shows."""

from __future__ import annotations

import re
from importlib import resources

from aiohttp import web

from mtbsync_daemon.http import models
from mtbsync_daemon.http.problems import not_found
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.http.security import ACCESS

_PLACE = re.compile(r"[A-Za-z0-9/_.-]{1,200}")
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_WEB = resources.files("mtbsync_daemon.web")
# Read once: nothing that a request names is ever looked for on the disk.
_PARTS = {
    (folder, part.name): part.read_bytes()
    for folder in ("js", "css", "images", "vendor")
    for part in (_WEB / folder).iterdir()
    if part.name.endswith(tuple(_TYPES))
}
_INDEX = (_WEB / "index.html").read_bytes()


async def login(call: Call, query: models.LoginQuery) -> web.Response:
    """Let a browser in that brings a code, once, and show it the place that it asks for."""
    access = call.request.app[ACCESS]
    session = access.begin_session(query.code)
    response = web.Response(status=303, headers={"Location": _address(query.to)})
    response.set_cookie(access.cookie, session, path="/", httponly=True, samesite="Strict")
    return response


async def page(call: Call) -> web.Response:
    """The page."""
    return _sent(_INDEX, "text/html")


async def part(call: Call, folder: str, name: str) -> web.Response:
    """A part of the page: a script, a style or a picture."""
    content = _PARTS.get((folder, name))
    if content is None:
        raise not_found("part of the page")
    return _sent(content, next(kind for suffix, kind in _TYPES.items() if name.endswith(suffix)))


def _address(place: str) -> str:
    return f"/#/{place}" if _PLACE.fullmatch(place) else "/"


def _sent(content: bytes, media_type: str) -> web.Response:
    return web.Response(body=content, content_type=media_type, charset="utf-8")


ROUTES: tuple[Route, ...] = (
    Route("GET", "/login", login, errors=(403,), media_type="text/html"),
    Route("GET", "/", page, media_type="text/html"),
    Route("GET", "/web/{folder}/{name}", part, errors=(404,), media_type="text/javascript"),
)
