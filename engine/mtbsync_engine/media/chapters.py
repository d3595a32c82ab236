"""Which files belong together, told from their names alone.

A GoPro splits a recording at 4 GB. HERO6 and later count the parts from 1 in front of the recording's
number: GX010034.MP4, GX020034.MP4 (GH with H.264). Earlier ones write GOPR0034.MP4, then GP010034.MP4.
Beside them lie low-resolution proxies: GL010034.LRV for GX010034 or GH010034, GOPR0034.LRV for
GOPR0034.MP4; DJI writes the proxy of DJI_0012.MP4 as DJI_0012.LRF.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

_LATER_GOPRO = re.compile(r"(G[HXL])(\d{2})(\d{4})", re.IGNORECASE)
_EARLIER_GOPRO = re.compile(r"(?:GOPR|GP(\d{2}))(\d{4})", re.IGNORECASE)
_PROXY_SUFFIXES = (".lrv", ".lrf")


@dataclass(frozen=True)
class _ChapterName:
    recording: tuple[str, str, str]
    chapter: int


def has_chapters(name: str) -> bool:
    """Whether `name` is of a camera that splits its recordings, so that more of this one may follow."""
    return _parse(name) is not None


def chapter_names(name: str, siblings: Iterable[str]) -> list[str]:
    """The files among `siblings` that make one recording with `name`, itself included, in order.

    Chapters join as long as their numbers follow each other without a gap. Where the first chapter is
    missing, as when a rider kept only the part that matters, the recording begins with the lowest
    one that still hangs together with `name`.
    """
    own = _parse(name)
    if own is None:
        return [name]
    found: dict[int, str] = {}
    for sibling in sorted(siblings):
        parsed = _parse(sibling)
        if parsed is not None and parsed.recording == own.recording:
            found[parsed.chapter] = sibling
    found[own.chapter] = name
    first = last = own.chapter
    while first - 1 in found:
        first -= 1
    while last + 1 in found:
        last += 1
    return [found[chapter] for chapter in range(first, last + 1)]


def proxy_name(name: str, siblings: Iterable[str]) -> str | None:
    """The camera's low-resolution copy of `name` among `siblings`, if there is one."""
    by_lower = {sibling.lower(): sibling for sibling in siblings}
    stem = PurePath(name).stem.lower()
    later = _LATER_GOPRO.fullmatch(stem)
    stems = [f"gl{later[2]}{later[3]}", stem] if later else [stem]
    candidates = [candidate + suffix for candidate in stems for suffix in _PROXY_SUFFIXES]
    return next((by_lower[c] for c in candidates if c in by_lower and c != name.lower()), None)


def _parse(name: str) -> _ChapterName | None:
    path = PurePath(name)
    suffix = path.suffix.lower()
    if later := _LATER_GOPRO.fullmatch(path.stem):
        return _ChapterName((later[1].upper(), later[3], suffix), int(later[2]))
    if earlier := _EARLIER_GOPRO.fullmatch(path.stem):
        return _ChapterName(("GP", earlier[2], suffix), int(earlier[1] or 0))
    return None
