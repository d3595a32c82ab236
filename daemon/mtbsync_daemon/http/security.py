"""Who may ask: only this computer's user, through programs that hold the token or a browser that was let in.

Every request goes through `guard` first, whatever it asks for. It looks, in this order, at the name that the
daemon was called by (against DNS rebinding), at where a browser says that the request comes from (against
other sites' pages), at the token or the cookie, and at whether it may change anything.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlencode

from aiohttp import web

from mtbsync_daemon.http.problems import Problem, answer
from mtbsync_daemon.services import Changes

_NAMES = ("127.0.0.1", "localhost", "[::1]")
_SAFE = ("GET", "HEAD", "OPTIONS")
CODE_LASTS_S = 60.0
_SESSION_LASTS_S = 30 * 86400.0
# What may be asked for with more than GET where not everything may be changed, and what is said of the rest.
# A light copy is only there to be looked at.
_TO_LOOK = r"/api/v1/(login-codes|recordings/[^/]+/light-copy)"
_OF_RUNS = r"/api/v1/(recordings|syncs|jobs|pushes|resolve)/.+|/api/v1/(markers|exports|pushes)"
_ALLOWED = {
    Changes.OF_RUNS: (
        re.compile(f"{_TO_LOOK}|{_OF_RUNS}"),
        "These are files that were opened without a library, so only their markers can be changed here; "
        "`mtbsync serve` keeps a library.",
    ),
    Changes.NONE: (
        re.compile(_TO_LOOK),
        "This was opened only to look; start it with --allow-write to change things.",
    ),
}
# Far more than one person opens; what comes first goes first.
_MOST_CODES, _MOST_SESSIONS = 16, 64
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass
class Access:
    """The keys of one daemon: the token, the sessions of browsers, and codes that one can be begun with.

    `port` is where the daemon listens. Codes and sessions end in their time, and only digests of
    them are kept. `changes` is what whoever comes in may do.
    """

    token: str
    port: int = 0
    clock: Callable[[], float] = time.monotonic
    changes: Changes = Changes.ALL
    _codes: dict[bytes, float] = field(default_factory=dict)
    _sessions: dict[bytes, float] = field(default_factory=dict)

    @property
    def hosts(self) -> frozenset[str]:
        """The names that the daemon may be called by."""
        return frozenset(f"{name}:{self.port}" for name in _NAMES)

    @property
    def cookie(self) -> str:
        """The cookie's name: browsers keep one jar for all ports of a host."""
        return f"mtbsync-{self.port}"

    def new_code(self, lasts_s: float = CODE_LASTS_S) -> str:
        """A code with which a browser can come in once."""
        code = secrets.token_urlsafe(32)
        self._codes[_digest(code)] = self.clock() + lasts_s
        _keep_newest(self._codes, _MOST_CODES)
        return code

    def login_url(self, to: str = "", lasts_s: float = CODE_LASTS_S) -> str:
        """Where a browser comes in with such a code, and is shown the place `to` of the page."""
        query = {"code": self.new_code(lasts_s)} | ({"to": to} if to else {})
        return f"http://127.0.0.1:{self.port}/login?{urlencode(query, safe='/')}"

    def begin_session(self, code: str) -> str:
        """Trade a code for what the cookie holds.

        Raises:
            Problem: the code is unknown, used or too old.
        """
        if self._codes.pop(_digest(code), 0.0) < self.clock():
            raise Problem(
                403, "This link has been used or is too old. `mtbsync status` gives a new one to open."
            )
        session = secrets.token_urlsafe(32)
        self._sessions[_digest(session)] = self.clock() + _SESSION_LASTS_S
        _keep_newest(self._sessions, _MOST_SESSIONS)
        return session

    def is_token(self, given: str) -> bool:
        """Whether `given` is the token, in the same time whatever it is."""
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self.token.encode())

    def is_session(self, given: str) -> bool:
        """Whether `given` is a session's that has not ended."""
        return self._sessions.get(_digest(given), -1.0) > self.clock()


ACCESS = web.AppKey("access", Access)


@web.middleware
async def guard(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Let nobody through but the user's own programs and browser."""
    check(request)
    return await handler(request)


def check(request: web.Request) -> None:
    """Find out whether whoever asks may ask at all.

    Raises:
        Problem: no.
    """
    access = request.app[ACCESS]
    _check_host(request, access)
    _check_origin(request)
    if (request.method, request.path) != ("GET", "/login"):
        _check_key(request, access)
    _check_change(request, access)


async def protect(request: web.Request, response: web.StreamResponse) -> None:
    """Say in every answer what a browser may do with it: next to nothing."""
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.popall("Server", None)


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Ask for a body that is held back only from those who may send one."""
    try:
        check(request)
        if request.headers.get("Expect", "").lower() != "100-continue":
            raise Problem(417, "mtbsync knows of no such expectation.")
    except Problem as problem:
        return answer(request, problem)
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return None


def _check_host(request: web.Request, access: Access) -> None:
    hosts = request.headers.getall("Host", [])
    # A whole address in the request's first line is for proxies, and would count in place of the header.
    if len(hosts) != 1 or hosts[0].lower() not in access.hosts or request.host != hosts[0]:
        raise Problem(421, "That is not the address of this daemon.")


def _check_origin(request: web.Request) -> None:
    sites = request.headers.getall("Sec-Fetch-Site", [])
    if any(site not in ("same-origin", "none") for site in sites):
        raise Problem(403, "Another page may not ask mtbsync anything.")
    if any(origin != _own_origin(request) for origin in request.headers.getall("Origin", [])):
        raise Problem(403, "Another page may not ask mtbsync anything.")


def _check_key(request: web.Request, access: Access) -> None:
    given = request.headers.getall("Authorization", [])
    if given:
        scheme, _, token = given[0].partition(" ")
        if len(given) != 1 or scheme.lower() != "bearer" or not access.is_token(token.strip()):
            raise _no_key("The token is wrong; daemon.json holds the one that counts now.")
        return
    session = request.cookies.get(access.cookie)
    if session is None or not access.is_session(session):
        raise _no_key("Open mtbsync with the link that `mtbsync status` gives.")
    if request.method not in _SAFE and not _is_own_page(request):
        raise Problem(403, "Only mtbsync's own page may do that with its cookie.")


def _check_change(request: web.Request, access: Access) -> None:
    if access.changes is Changes.ALL or request.method in _SAFE:
        return
    allowed, sentence = _ALLOWED[access.changes]
    if allowed.fullmatch(request.path) is None:
        raise Problem(403, sentence)


def _is_own_page(request: web.Request) -> bool:
    # Where these are there at all, they have been found to be mtbsync's own, or none.
    return "Origin" in request.headers or request.headers.get("Sec-Fetch-Site") == "same-origin"


def _own_origin(request: web.Request) -> str:
    return f"http://{request.headers['Host'].lower()}"


def _no_key(sentence: str) -> Problem:
    return Problem(401, sentence, {"WWW-Authenticate": 'Bearer realm="mtbsync"'})


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _keep_newest(keys: dict[bytes, float], n: int) -> None:
    while len(keys) > n:
        del keys[next(iter(keys))]
