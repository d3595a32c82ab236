"""Between mtbsync's page and DaVinci Resolve, whose scripts can only ask.

A script that stays connected asks again and again whether there is something to do; what a person asks for on
the page waits here for it. Nothing of this outlives the daemon: what was not done by then is not done later,
when nobody expects it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

from mtbsync_daemon.rules import StateError
from mtbsync_daemon.store.ids import new_id, now

State = Literal["waiting", "doing", "done", "failed"]

# How long after its last question a script that may still come back counts as connected.
_GRACE_S = 10.0
# The longest push to a timeline, with room to spare.
_DOING_S = 120.0
_MOST_REQUESTS = 50
_GONE = "DaVinci Resolve was not connected any more, so nothing was done. Connect it, and send them again."
_TOO_MANY = "So many runs wait for DaVinci Resolve that no more can be sent; wait until it has done some."
_UNASKED = "That is not being done in DaVinci Resolve, so nothing can have come of it."
_SILENT = "DaVinci Resolve did not say how it went; look at the timeline."


@dataclass
class LinkRequest:
    """What a person asked for: a run's markers on the timeline that is open in Resolve. `said` is what came
    of it, in sentences; `since` is when it came into this state. While it `awaits_answer`, a script has taken
    it and has not said how it went."""

    request_id: str
    recording_id: str
    state: State
    said: str
    asked_at: float
    since: float
    awaits_answer: bool = False

    def become(self, state: State, at: float, said: str = "") -> None:
        """Go on to another state."""
        self.state, self.since, self.said = state, at, said


@dataclass
class ResolveLink:
    """What is known of the scripts in Resolve, and what they are to do. Used from one event loop only."""

    clock: Callable[[], float] = now
    is_closed: bool = False
    _timeline: str | None = None
    _connected_until: float = 0.0
    _requests: list[LinkRequest] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_connected(self) -> bool:
        """Whether a script in Resolve asks for work, or does some."""
        at = self.clock()
        is_busy = any(r.state == "doing" and at <= r.since + _DOING_S for r in self._requests)
        return is_busy or at <= self._connected_until

    @property
    def timeline(self) -> str | None:
        """The name of the timeline that was open in Resolve when a script asked last; None where none was."""
        return self._timeline if self.is_connected else None

    @property
    def requests(self) -> tuple[LinkRequest, ...]:
        """The last of what was asked for, the newest first."""
        self._give_up()
        return tuple(reversed(self._requests))

    def ask(self, recording_id: str) -> LinkRequest:
        """Have a run's markers put on the open timeline; what waits for its turn is not asked for twice.

        Raises:
            StateError: too many wait.
        """
        for waiting in self.requests:
            if waiting.state == "waiting" and waiting.recording_id == recording_id:
                return waiting
        if len(self._requests) == _MOST_REQUESTS:
            ended = next((r for r in self._requests if r.state in ("done", "failed")), None)
            if ended is None:
                raise StateError(_TOO_MANY)
            self._requests.remove(ended)
        at = self.clock()
        asked = LinkRequest(new_id(), recording_id, "waiting", "", at, at)
        self._requests.append(asked)
        self._wake()
        return asked

    async def take(
        self, timeline: str | None, at_most_s: float, is_there: Callable[[], bool]
    ) -> LinkRequest | None:
        """The next thing for a script to do, for which it waits up to `at_most_s`; None where there is
        nothing, or the daemon stops. Several scripts may wait, and one of them gets it. One that is not there
        any more (`is_there`) gets nothing.
        """
        self._give_up()
        self._timeline, self._connected_until = timeline, self.clock() + at_most_s + _GRACE_S
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                while not self.is_closed and is_there():
                    waiting = next((r for r in self._requests if r.state == "waiting"), None)
                    if waiting is not None:
                        waiting.become("doing", self.clock())
                        waiting.awaits_answer = True
                        return waiting
                    await self._changed.wait()
        return None

    def answer(self, request_id: str, state: Literal["done", "failed"], said: str) -> LinkRequest | None:
        """Note what came of a request; None where there is none of that id.

        Raises:
            StateError: no script has taken it, or it has been answered already.
        """
        found = next((r for r in self._requests if r.request_id == request_id), None)
        if found is None:
            return None
        if not found.awaits_answer:
            raise StateError(_UNASKED)
        found.become(state, self.clock(), said)
        found.awaits_answer = False
        self._connected_until = max(self._connected_until, self.clock() + _GRACE_S)
        return found

    def close(self) -> None:
        """Let nobody wait any longer."""
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _give_up(self) -> None:
        """End what nobody is there to do any more."""
        at = self.clock()
        for request in self._requests:
            if request.state == "doing" and at > request.since + _DOING_S:
                request.become("failed", at, _SILENT)
            elif request.state == "waiting" and not self.is_connected:
                request.become("failed", at, _GONE)


LINK = web.AppKey("resolve_link", ResolveLink)
