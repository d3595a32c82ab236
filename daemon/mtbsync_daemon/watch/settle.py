"""When a recording's files have come to rest, so that all of it is there and nobody writes it any more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mtbsync_daemon.watch.gather import Group, gather


class Stamp(NamedTuple):
    """What tells that a file has changed: its size and the time it was written (ns since 1970)."""

    n_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Rest:
    """What follows from one look: groups that are `ready` to be handed over; files that stay `empty` (a group
    is ready without them, or not at all where one is a chapter); and in how many seconds to look again,
    `again_s` (infinity: not before something changes)."""

    ready: list[Group]
    empty: list[str]
    again_s: float


class Settling:
    """What the files of one folder did over successive looks.

    A group is ready once nothing joined or changed in it for `settle_s`, or for `late_s` where further
    chapters may follow, as two looks at least that far apart tell. Times are on any clock that only ever goes
    forward.
    """

    def __init__(self, settle_s: float, late_s: float) -> None:
        self._settle_s = settle_s
        self._late_s = max(settle_s, late_s)
        self._since_s: dict[str, tuple[Stamp, float]] = {}

    def look(self, stamps: Mapping[str, Stamp], handed_over: Mapping[str, Stamp], now_s: float) -> Rest:
        """Take in what a look at `now_s` found, by name, and say what follows.

        A group is passed over while all of it is as it was `handed_over`. Where a part is new or has changed,
        the whole of it is ready anew in its time.
        """
        since_s = self._since_s
        self._since_s = {
            name: since_s[name] if name in since_s and since_s[name][0] == stamp else (stamp, now_s)
            for name, stamp in stamps.items()
        }
        ready: list[Group] = []
        still_empty: list[str] = []
        waits_s: list[float] = []
        for group in gather(stamps):
            empty = {name for name in group.members if stamps[name].n_bytes == 0}
            is_new = any(handed_over.get(n) != stamps[n] for n in group.members if n not in empty)
            if not is_new and not empty:
                continue
            still_s = now_s - max(self._since_s[name][1] for name in group.members)
            needed_s = self._late_s if group.may_grow else self._settle_s
            if still_s < needed_s:
                # A change is seen within `settle_s`, so that the long wait counts from when it happened.
                waits_s.append((self._settle_s if still_s < self._settle_s else needed_s) - still_s)
                continue
            still_empty += sorted(empty)
            if is_new and empty.isdisjoint(group.chapters):
                ready.append(Group(group.chapters, tuple(n for n in group.sidecars if n not in empty)))
        return Rest(ready, still_empty, min(waits_s, default=math.inf))
