"""The web server, put together."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from mtbsync_daemon.http.events import STREAMS, Streams
from mtbsync_daemon.http.files import file_threads
from mtbsync_daemon.http.openapi import describe
from mtbsync_daemon.http.problems import tell_problems
from mtbsync_daemon.http.resolve_link import LINK, ResolveLink
from mtbsync_daemon.http.routes.pictures import ONE_AT_A_TIME
from mtbsync_daemon.http.routes.system import OPENAPI
from mtbsync_daemon.http.routes.table import ROUTES
from mtbsync_daemon.http.routing import ASKING, MAX_BODY, SERVICES, respond
from mtbsync_daemon.http.security import ACCESS, CODE_LASTS_S, Access, expect, guard, protect
from mtbsync_daemon.services import Services
from mtbsync_engine.errors import InputError

# Nobody but this computer reaches it.
_ADDRESS = "127.0.0.1"
_GOODBYE_S = 2.0


class PortError(InputError):
    """The port cannot be used."""


@dataclass(frozen=True)
class Site:
    """A server that listens at `url`."""

    url: str
    runner: web.AppRunner

    def login_url(self, to: str = "", lasts_s: float = CODE_LASTS_S) -> str:
        """As `Access.login_url`."""
        return self.runner.app[ACCESS].login_url(to, lasts_s)

    async def close(self) -> None:
        """End every stream, answer what is being asked, and listen no more."""
        await self.runner.cleanup()


def make_app(services: Services) -> web.Application:
    """Everything that can be asked over HTTP. It answers nobody before its `ACCESS` knows the port."""
    app = web.Application(middlewares=[tell_problems, guard], client_max_size=MAX_BODY)
    app[SERVICES] = services
    app[ACCESS] = Access(services.token, changes=services.changes)
    app[STREAMS] = Streams()
    app[ASKING] = asyncio.Semaphore(services.asked.n_slots)
    app[ONE_AT_A_TIME] = asyncio.Lock()
    app[LINK] = ResolveLink()
    app[OPENAPI] = json.dumps(describe(ROUTES)).encode()
    for route in ROUTES:
        handler = partial(respond, route)
        app.router.add_route(route.method, route.path, handler, expect_handler=expect)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, handler, expect_handler=expect)
    app.on_response_prepare.append(protect)
    app.on_shutdown.append(_end_streams)
    app.cleanup_ctx.extend((_follow, file_threads))
    return app


async def start(services: Services, port: int) -> Site:
    """Listen on this computer's own address; port 0 takes a free one.

    Raises:
        PortError: another program has that port.
    """
    app = make_app(services)
    listening = _listening(port)
    app[ACCESS].port = listening.getsockname()[1]
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=_GOODBYE_S,
        # Nothing is unpacked before it is known who sends it.
        auto_decompress=False,
        # A timeline holds many clips, and all their paths are asked for at once.
        max_line_size=MAX_BODY,
    )
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return Site(f"http://{_ADDRESS}:{app[ACCESS].port}", runner)


def _listening(port: int) -> socket.socket:
    listening = socket.socket()
    # Elsewhere a port of a daemon that was just stopped can be taken again; on Windows that would be shared.
    if sys.platform == "win32":
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_ADDRESS, port))
    except OSError as error:
        listening.close()
        raise PortError(
            f"Port {port} cannot be used ({error.strerror}); choose another, in the settings or with "
            "--port, or 0 for any."
        ) from error
    return listening


async def _follow(app: web.Application) -> AsyncIterator[None]:
    app[STREAMS].follow(app[SERVICES])
    yield


async def _end_streams(app: web.Application) -> None:
    app[STREAMS].close()
    app[LINK].close()
