"""Routes as declarations, from which both the routing and its description are made."""

from __future__ import annotations

import asyncio
import base64
import binascii
import inspect
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ParamSpec, TypeVar, get_type_hints

from aiohttp import web
from pydantic import BaseModel, ValidationError

from mtbsync_daemon.http.models import Document, Query, Versioned
from mtbsync_daemon.http.problems import Problem
from mtbsync_daemon.jobs.executor import Task
from mtbsync_daemon.services import Services
from mtbsync_daemon.store import database

MAX_BODY = 2**20

SERVICES = web.AppKey("services", Services)
# As many questions as can be answered at a time; others wait their turn.
ASKING = web.AppKey("asking", asyncio.Semaphore)
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request on its way through a route."""

    request: web.Request
    services: Services

    async def read(self, query: database.Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `query` finds in the library."""
        return await asyncio.to_thread(self.services.store.read, query, *args, **kwargs)

    async def write(self, change: database.Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `change` to the library."""
        return await asyncio.to_thread(self.services.store.write, change, *args, **kwargs)

    async def ask(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """What the function `run` in the module `tasks.name` gives, which a person is waiting for.

        Raises:
            Problem: it says that it cannot be done, and why.
        """
        asked, log = self.services.asked, self.services.places.logs / "asked.log"
        task = Task(name, f"mtbsync_daemon.tasks.{name}:run", params, log, asked.n_threads)
        async with self.request.app[ASKING]:
            if self.request.transport is None:
                # Whoever asked went away before it was their turn.
                raise ConnectionResetError
            outcome = await asked.run(task, lambda progress: None)
        if outcome.result is None:
            raise Problem(409 if outcome.error_kind else 500, outcome.error)
        return outcome.result

    def check_match(self, document: Versioned) -> None:
        """Find out, within the change itself, that nobody has changed what is about to be.

        Raises:
            Problem: somebody has.
        """
        if not _names(self.request.headers["If-Match"], document.etag):
            raise Problem(412, "It has changed meanwhile; load it again.")


@dataclass(frozen=True)
class Route:
    """One way to ask for something.

    `handler` takes a `Call` and, by name, what stands in braces in `path`, `query` and `body`; what they
    are and what it answers with its annotations say, and its docstring's first line sums it up. `errors`
    are the statuses with which it may refuse, beside those that any route may. With `is_edit` the request
    has to name the version that it changes. `media_type` is what it answers where that is no document, and
    `takes` what it is sent where that is none: its handler reads that by itself, however much it is.
    `counts` are headers that have to hold a number, and what each of them says.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    errors: tuple[int, ...] = ()
    is_edit: bool = False
    media_type: str = "application/json"
    takes: str = ""
    counts: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.handler)

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return (inspect.getdoc(self.handler) or "").partition("\n\n")[0].replace("\n", " ")

    @property
    def query(self) -> type[Query] | None:
        """What may stand behind the question mark."""
        return self._hints.get("query")

    @property
    def body(self) -> type[Document] | None:
        """What the request has to hold."""
        return self._hints.get("body")

    @property
    def answer(self) -> type[Document] | None:
        """What comes back, where that is a document."""
        found = self._hints["return"]
        return found if issubclass(found, Document) else None

    @property
    def has_etag(self) -> bool:
        """Whether the answer names its version."""
        return self.answer is not None and issubclass(self.answer, Versioned)


async def respond(route: Route, request: web.Request) -> web.StreamResponse:
    """Have a route's handler answer a request that has been let in."""
    arguments: dict[str, Any] = dict(request.match_info)
    if route.is_edit and "If-Match" not in request.headers:
        raise Problem(428, "Say with If-Match which version this changes.")
    arguments |= {} if route.query is None else {"query": _query(request, route.query)}
    if route.query is None and request.query_string:
        raise Problem(400, "Nothing can be asked for behind a question mark here.")
    if route.body is not None:
        arguments["body"] = await _body(request, route.body)
    elif route.takes:
        _check_raw(request, route.takes)
    elif request.can_read_body:
        raise Problem(400, "Nothing can be sent here.")
    done = await route.handler(Call(request, request.app[SERVICES]), **arguments)
    if isinstance(done, web.StreamResponse):
        return done
    return _document(request, done)


def page_of(
    found: Sequence[T], limit: int, key: Callable[[T], tuple[float | str, str]]
) -> tuple[Sequence[T], str | None]:
    """The first `limit` of what was found, and the cursor of the next piece where there is more."""
    if len(found) <= limit:
        return found, None
    text = json.dumps(key(found[limit - 1]))
    return found[:limit], base64.urlsafe_b64encode(text.encode()).decode()


def after_time(cursor: str | None) -> tuple[float, str] | None:
    """The moment and the id that a cursor of a list by age holds.

    Raises:
        Problem: it is none.
    """
    if cursor is None:
        return None
    match _unpacked(cursor):
        case [float(at), str(name)] if math.isfinite(at):
            return at, name
    raise _no_cursor()


def after_name(cursor: str | None) -> str:
    """The name that a cursor of a list by name holds.

    Raises:
        Problem: it is none.
    """
    if cursor is None:
        return ""
    match _unpacked(cursor):
        case [str(name), str()]:
            return name
    raise _no_cursor()


def _unpacked(cursor: str) -> Any:
    try:
        unpacked = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        json.dumps(unpacked, ensure_ascii=False).encode()  # no lone surrogates
    except (ValueError, binascii.Error, RecursionError):
        return None
    return unpacked


def _no_cursor() -> Problem:
    return Problem(400, "That is no cursor of this list; begin with its first page.")


def _document(request: web.Request, document: BaseModel) -> web.Response:
    headers = {}
    if isinstance(document, Versioned) and document.etag is not None:
        headers["ETag"] = document.etag
        wanted = request.headers.get("If-None-Match")
        if wanted and request.method in ("GET", "HEAD") and _names(wanted, document.etag, is_weak_well=True):
            return web.Response(status=304, headers=headers)
    body = document.model_dump_json().encode()
    return web.Response(body=body, content_type="application/json", headers=headers)


def _names(wanted: str, etag: str | None, *, is_weak_well: bool = False) -> bool:
    """Whether a header that lists ETags lists that one."""
    if wanted.strip() == "*":
        return True
    listed = [one.strip() for one in wanted.split(",")]
    if is_weak_well:
        listed = [one.removeprefix("W/") for one in listed]
    return etag is not None and etag in listed


def _query(request: web.Request, model: type[Query]) -> Query:
    given: dict[str, Any] = {}
    for name in request.query:
        values = request.query.getall(name)
        field = model.model_fields.get(name)
        is_list = field is not None and isinstance(field.default, tuple)
        if len(values) > 1 and not is_list:
            raise Problem(400, f"'{name}' is given twice.")
        given[name] = tuple(values) if is_list else values[0]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Problem(400, _sentence(error)) from None


def _check_raw(request: web.Request, media_type: str) -> None:
    _check_not_packed(request)
    if request.content_type != media_type:
        raise Problem(415, f"Send it as Content-Type: {media_type}.")
    if request.content_length is None:
        raise Problem(411, "Say with Content-Length how much is sent.")


def _check_not_packed(request: web.Request) -> None:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Problem(415, "Send it as it is, not compressed.")


async def _body(request: web.Request, model: type[Document]) -> Document:
    _check_not_packed(request)
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() != "utf-8":
        raise Problem(415, "Send JSON in UTF-8, as Content-Type: application/json.")
    if (request.content_length or 0) > MAX_BODY:
        raise Problem(413, "That is more than mtbsync takes in one request.")
    sent = await request.read()
    try:
        return model.model_validate_json(sent)
    except ValidationError as error:
        is_json = error.errors()[0]["type"] != "json_invalid"
        raise Problem(422 if is_json else 400, _sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    return f"{name}: {text}." if name else f"{text}."
