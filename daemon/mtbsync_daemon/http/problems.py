"""What went wrong, as RFC 9457 has it: one sentence in `detail` that can be shown to a person."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from http import HTTPStatus

from aiohttp import web

from mtbsync_daemon.http.models import ProblemDocument
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.store.trails import TakenError
from mtbsync_engine.errors import MtbsyncError, OutputError

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)
# What aiohttp refuses by itself.
_SENTENCES = {
    400: "That is no request that mtbsync understands.",
    404: "There is no such page.",
    405: "That cannot be done with this page.",
    413: "That is more than mtbsync takes in one request.",
    417: "mtbsync knows of no such expectation.",
}
_PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>mtbsync</title><p>{}</p></html>\n'


class Problem(Exception):  # noqa: N818 - the RFC's word
    """Ends a request with `status` and one sentence."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def not_found(what: str) -> Problem:
    """There is none of `what`."""
    return Problem(404, f"There is no such {what}.")


@web.middleware
async def tell_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn whatever ends a request early into an answer."""
    try:
        return await handler(request)
    except (Problem, web.HTTPException, MtbsyncError) as error:
        return answer(request, _problem_of(error))
    except ConnectionResetError:
        raise
    except Exception:
        _log.exception("%s %s failed", request.method, request.path)
        return answer(request, Problem(500, "mtbsync made a mistake; its log says more."))


def answer(request: web.Request, problem: Problem) -> web.Response:
    """A problem as an answer: a document for programs, a page for a person who opened one."""
    if not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", ""):
        page = _PAGE.format(escape(problem.detail))
        return web.Response(
            status=problem.status, text=page, content_type="text/html", headers=problem.headers
        )
    document = ProblemDocument(
        title=HTTPStatus(problem.status).phrase, status=problem.status, detail=problem.detail
    )
    return web.Response(
        status=problem.status,
        body=document.model_dump_json().encode(),
        content_type=MEDIA_TYPE,
        headers=problem.headers,
    )


def _problem_of(error: Problem | web.HTTPException | MtbsyncError) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, web.HTTPException):
        allow = error.headers.get("Allow")
        sentence = _SENTENCES.get(error.status, error.reason)
        return Problem(error.status, sentence, {"Allow": allow} if allow else None)
    if isinstance(error, StateError | TakenError):
        return Problem(409, str(error))
    if isinstance(error, OutputError):
        return Problem(507 if _is_full(error) else 503, str(error), {"Retry-After": "10"})
    return Problem(422, str(error))


def _is_full(error: OutputError) -> bool:
    cause = error.__cause__
    return getattr(cause, "errno", None) == errno.ENOSPC or getattr(cause, "sqlite_errorname", "") == (
        "SQLITE_FULL"
    )
