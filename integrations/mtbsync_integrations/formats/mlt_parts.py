"""What reading MLT XML is made of: properties, times, JSON, and items laid over each other."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

from lxml import etree

from mtbsync_engine.errors import MarkerError, TimecodeError
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.timeline import Clip, Gap

# Editors call colours and their backgrounds two thousand hours long.
_MAX_FRAMES = 10**12
_COUNT = re.compile(r"[0-9]{1,12}")
_CLOCK = re.compile(r"([0-9]{1,4}):([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,9}))?")


def children(element: etree._Element | None, tag: str) -> list[etree._Element]:
    """The element's children called `tag`; none where there is no element."""
    return [] if element is None else element.findall(tag)


def properties(element: etree._Element | None) -> dict[str, str]:
    """The element's own properties."""
    return {p.get("name", ""): p.text or "" for p in children(element, "property")}


def first_of(known: Mapping[str, str], *names: str) -> str:
    """The first of the named properties that says anything."""
    return next((known[name] for name in names if known.get(name)), "")


def count(text: str | None) -> int:
    """`text` as a number from 0 up; 0 where it is none."""
    return int(text) if text and _COUNT.fullmatch(text) else 0


def frames(text: str, rate: Rate, where: str) -> int:
    """A number of frames, clock time or timecode as frames from 0 up.

    Raises:
        MarkerError: it is none of them.
    """
    text = text.strip()
    try:
        if _COUNT.fullmatch(text):
            found = int(text)
        elif clock := _CLOCK.fullmatch(text):
            hours, minutes, seconds, part = clock.groups(default="0")
            whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
            found = nearest_frame(whole + Fraction(f"0.{part}"), rate)
        else:
            found = Timecode.parse(text, rate).frame
    except TimecodeError:
        found = -1
    if not 0 <= found <= _MAX_FRAMES:
        raise MarkerError(f"{where}: '{text[:40]}' is not a time; save the project from its editor again.")
    return found


def json_list(text: str, where: str) -> list[dict[str, object]]:
    """A JSON list of objects; empty text is an empty one.

    Raises:
        MarkerError: it is something else.
    """
    try:
        found = json.loads(text) if text.strip() else []
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise MarkerError(f"{where}: this is not a list of markers; save it from its editor again.")
    return found


def json_frames(item: Mapping[str, object], key: str, default: int | None, where: str) -> int:
    """A number of frames from 0 up.

    Raises:
        MarkerError: it is none, or is missing and has no default.
    """
    found = item.get(key, default)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= _MAX_FRAMES:
        raise MarkerError(f"{where}: a marker's '{key}' is not a number of frames; save it again.")
    return found


def json_text(item: Mapping[str, object], key: str, where: str) -> str:
    """A text, empty where it is missing.

    Raises:
        MarkerError: it is something else.
    """
    found = item.get(key, "")
    if not isinstance(found, str):
        raise MarkerError(f"{where}: a marker's '{key}' is not a text; save it again.")
    # JSON can name halves of characters, which no file can hold.
    return found.encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class Strip:
    """Clips and gaps that follow each other, and the frame at which each begins."""

    items: tuple[Clip | Gap, ...]
    starts: tuple[int, ...]
    n_frames: int

    @classmethod
    def of(cls, items: Iterable[Clip | Gap]) -> Strip:
        """The items that are any frames long, gaps beside each other made one."""
        found: list[Clip | Gap] = []
        for item in items:
            if isinstance(item, Gap) and found and isinstance(found[-1], Gap):
                found[-1] = Gap(found[-1].n_frames + item.n_frames)
            elif item.n_frames:
                found.append(item)
        ends = tuple(accumulate((item.n_frames for item in found), initial=0))
        return cls(tuple(found), ends[:-1], ends[-1])

    def piece(self, first: int, n_frames: int, rate: Rate) -> Iterator[Clip | Gap]:
        """What the strip shows for `n_frames` from `first` on; nothing, past its end."""
        end = first + n_frames
        at = first
        for number in range(max(0, bisect_right(self.starts, first) - 1), len(self.items)):
            item, start = self.items[number], self.starts[number]
            if start >= end:
                break
            if start + item.n_frames > at:
                stop = min(end, start + item.n_frames)
                yield _cut(item, at - start, stop - at, rate)
                at = stop
        if end > at:
            yield Gap(end - at)

    def under(self, upper: Strip, rate: Rate) -> Strip:
        """This strip where `upper` shows nothing, and `upper` elsewhere."""
        found: list[Clip | Gap] = []
        for start, item in zip(upper.starts, upper.items, strict=True):
            found += [item] if isinstance(item, Clip) else self.piece(start, item.n_frames, rate)
        if self.n_frames > upper.n_frames:
            found += self.piece(upper.n_frames, self.n_frames - upper.n_frames, rate)
        return Strip.of(found)

    def without_end(self) -> tuple[Clip | Gap, ...]:
        """The items up to the last clip."""
        return self.items[:-1] if self.items and isinstance(self.items[-1], Gap) else self.items


def under_each_other(strips: Sequence[Strip], rate: Rate) -> Strip:
    """What is seen of strips that lie over each other, the last on top."""
    seen = Strip.of(())
    for strip in strips:
        seen = seen.under(strip, rate)
    return seen


def _cut(item: Clip | Gap, offset: int, n_frames: int, rate: Rate) -> Clip | Gap:
    if n_frames == item.n_frames:
        return item
    if isinstance(item, Gap):
        return Gap(n_frames)
    return replace(
        item,
        n_frames=n_frames,
        source_in_s=item.source_in_s + offset * item.speed / rate.fps,
        markers=tuple(
            replace(m, frame=m.frame - offset) for m in item.markers if 0 <= m.frame - offset < n_frames
        ),
    )
