"""What happens, told as it happens: server-sent events for whoever wants to follow.

Changes of the library are kept there, so a stream that was cut resumes where it was (`Last-Event-ID`). How
far running jobs are is told in between and not kept. A stream holds no more than the newest of each job, so
that one that nobody reads costs nothing.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import web

from mtbsync_daemon.http.problems import Problem
from mtbsync_daemon.http.routing import Call
from mtbsync_daemon.jobs.executor import Progress
from mtbsync_daemon.services import Services
from mtbsync_daemon.store import events
from mtbsync_daemon.store.events import Event

MOST_STREAMS = 32
_HEARTBEAT_S = 15.0
# What comes close together is told together: nobody sees more than a few steps a second.
_PAUSE_S = 0.05
# Who takes nothing for so long is gone.
_PATIENCE_S = 30.0
_RELOAD = "event: reload\ndata: {}\n\n"


@dataclass(eq=False)
class Stream:
    """One follower: `awake` when there may be something new, `progress` of jobs that it is yet to be told."""

    awake: asyncio.Event = field(default_factory=asyncio.Event)
    progress: dict[str, Progress] = field(default_factory=dict)


class Streams:
    """Everyone who follows, until `close`."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()
        self.is_closed = False

    def __len__(self) -> int:
        return len(self._streams)

    def follow(self, services: Services) -> None:
        """Hear of every change and all progress from now on. Called in the loop that serves."""
        loop = asyncio.get_running_loop()

        def changed() -> None:
            # In the thread that wrote, which may go on after the loop has ended.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake)

        def progressed(job_id: str, progress: Progress) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._progressed, job_id, progress)

        services.store.on_change(changed)
        services.queue.on_progress(progressed)

    def begin(self) -> Stream:
        """A stream for one more follower."""
        stream = Stream()
        self._streams.add(stream)
        return stream

    def end(self, stream: Stream) -> None:
        """Forget a stream."""
        self._streams.discard(stream)

    def close(self) -> None:
        """End all streams."""
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        for stream in self._streams:
            stream.awake.set()

    def _progressed(self, job_id: str, progress: Progress) -> None:
        for stream in self._streams:
            stream.progress[job_id] = progress
            stream.awake.set()


STREAMS = web.AppKey("streams", Streams)


async def tell(call: Call) -> web.StreamResponse:
    """What happens, as it happens.

    Events are `change` with the `kind` and `id` of what is not what it was, `progress` with a `job`, its
    `stage` and how much of it is `done`, and `reload` where too much was missed. `Last-Event-ID` goes on
    behind that change.
    """
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    if call.request.method == "HEAD":
        return response
    streams = call.request.app[STREAMS]
    if len(streams) >= MOST_STREAMS:
        raise Problem(503, "Too many follow mtbsync already; close one of its pages.", {"Retry-After": "10"})
    stream = streams.begin()
    try:
        await response.prepare(call.request)
        async for text in _texts(call, streams, stream):
            await asyncio.wait_for(response.write(text.encode()), _PATIENCE_S)
    except (ConnectionResetError, TimeoutError):
        if call.request.transport is not None:
            call.request.transport.abort()
    finally:
        streams.end(stream)
    return response


async def wait_for_change(streams: Streams, stream: Stream, at_most_s: float) -> bool:
    """Wait until something may have changed; False where nothing did for that long, or the daemon stops."""
    if streams.is_closed:
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await stream.awake.wait()
    return stream.awake.is_set() and not streams.is_closed


async def _texts(call: Call, streams: Streams, stream: Stream) -> AsyncIterator[str]:
    seen, is_gap = await call.read(_begin, call.request.headers.get("Last-Event-ID"))
    yield f"retry: 2000\nid: {seen}\n" + (_RELOAD if is_gap else "\n")
    while not streams.is_closed:
        stream.awake.clear()
        while happened := await call.read(events.after, seen):
            for event in happened:
                yield _text_of(event)
            seen = happened[-1].event_id
        while stream.progress:
            job_id, progress = stream.progress.popitem()
            told = {"job": job_id, "stage": progress.stage, "done": progress.done}
            yield f"event: progress\ndata: {json.dumps(told)}\n\n"
        if await wait_for_change(streams, stream, _HEARTBEAT_S):
            await asyncio.sleep(_PAUSE_S)
        elif not streams.is_closed:
            yield ": still here\n\n"


def _text_of(event: Event) -> str:
    told = json.dumps({"kind": event.kind, "id": event.subject})
    return f"id: {event.event_id}\nevent: change\ndata: {told}\n\n"


def _begin(db: sqlite3.Connection, last: str | None) -> tuple[int, bool]:
    """Behind which event to begin, and whether some before it were missed for good."""
    oldest, newest = events.span(db)
    if last is None:
        return newest, False
    if last.isascii() and last.isdigit() and len(last) < 19 and oldest - 1 <= int(last) <= newest:
        return int(last), False
    return newest, True
