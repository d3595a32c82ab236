"""Chapters as YouTube reads them in a video's description: `m:ss Title`, from an hour on `h:mm:ss Title`."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats import Export, edl
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.losses import listed, quoted
from mtbsync_integrations.formats.sources import read_text, timeline_start
from mtbsync_integrations.timeline import Reading, Timeline, TimelineMarker

NAME = "youtube"
SUFFIX = ".txt"

_MIN_CHAPTERS = 3
_MIN_LENGTH_S = 10
_ONE_A_SECOND = Rate.parse("1")
# What people put between a time and a title, dashes of every length among it.
_BETWEEN = r"[\s\-\u2013\u2014:|)\]]*"
_CHAPTER = re.compile(
    r"\W*(?:(?P<hours>[0-9]{1,3}):)?(?P<minutes>[0-9]{1,3}):(?P<seconds>[0-5][0-9])(?![0-9])"
    + _BETWEEN
    + r"(?P<title>.*)"
)


def _title(text: str) -> str:
    # YouTube refuses descriptions with angle brackets; signs in front would be taken for a separator.
    title = re.sub(_BETWEEN, "", edl.one_line(text, without="<>"), count=1)
    return title or "Chapter"


CARRIES = Carries(palette={}, name=_title, comment=None, whole_seconds=True, opening="Start")


def encode(timeline: Timeline) -> Export:
    """A line for each marker, and what YouTube would not take about them."""
    seconds = [nearest_frame(m.frame / timeline.rate.fps, _ONE_A_SECOND) for m in timeline.markers]
    text = "".join(
        f"{_clock(second)} {marker.name}\n" for second, marker in zip(seconds, timeline.markers, strict=True)
    )
    wrong = []
    if len(seconds) < _MIN_CHAPTERS:
        wrong.append(f"it wants {_MIN_CHAPTERS} or more, and there are {len(seconds)}")
    close = [
        quoted(marker.name, marker.marker_id)
        for (before, after), marker in zip(pairwise(seconds), timeline.markers[1:], strict=False)
        if after - before < _MIN_LENGTH_S
    ]
    if close:
        wrong.append(f"each lasts {_MIN_LENGTH_S} s or more, and these come sooner: {listed(close)}")
    losses = (f"YouTube will show no chapters at all: {'; '.join(wrong)}.",) if wrong else ()
    return Export(((SUFFIX, text),), losses)


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """The chapters of a description; other lines are passed over. Times count from `start`, else from
    00:00:00:00.

    Raises:
        MarkerError: there is no chapter in the file, or no rate is given.
    """
    text = read_text(path)
    start = timeline_start(path, rate, start, "00:00:00:00")
    found = [match for line in text.splitlines() if (match := _CHAPTER.fullmatch(line.strip()))]
    if not found:
        raise MarkerError(f"{path} has no line such as '1:23 Rock garden'; check that it lists chapters.")
    markers = sorted(
        (TimelineMarker(nearest_frame(_seconds(m), start.rate), name=m["title"].strip()) for m in found),
        key=lambda marker: marker.frame,
    )
    return Reading(with_stable_ids(Timeline(path.stem, start, markers=tuple(markers))))


def _clock(second: int) -> str:
    minutes, seconds = divmod(second, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _seconds(match: re.Match[str]) -> int:
    return (int(match["hours"] or 0) * 60 + int(match["minutes"])) * 60 + int(match["seconds"])
