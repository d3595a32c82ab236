"""DaVinci Resolve's timeline markers as an edit list (Timelines > Import > Timeline Markers from EDL).

A dialect of CMX3600: a one-frame event at each marker, source equal to record, two blanks after it, then
a line of its own with note, colour, name and length, then an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, edl
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.colours import RESOLVE
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.sources import timeline_start
from mtbsync_integrations.timeline import Reading, Timeline, TimelineMarker

NAME = "resolve-edl"
SUFFIX = ".edl"

_MARKER = re.compile(r"(?P<note>[^|]*)\|C:(?P<colour>[^|]*)\|M:(?P<name>[^|]*)\|D:(?P<n_frames>\d{1,9})")
_COLOUR_PREFIX = "ResolveColor"
# At the start of a line Resolve takes these for something else than a note.
_UNSAFE_START = re.compile(r"\d|\*|TITLE:|FCM:", re.IGNORECASE)


def _name(text: str) -> str:
    return edl.one_line(text, without="|")


def _note(text: str) -> str:
    note = edl.one_line(text, without="|")
    return f"Note: {note}" if _UNSAFE_START.match(note) else note


CARRIES = Carries(
    palette=RESOLVE, default_colour="Blue", name=_name, comment=_note, lengths=True, one_a_frame=True
)


def encode(timeline: Timeline) -> Export:
    """The timeline's markers; more than 999 of them go on in further files, as events have three digits.

    Raises:
        ExportError: they span more than a day.
    """
    markers, start = timeline.markers, timeline.start
    parts = [markers[k : k + edl.MAX_EVENTS] for k in range(0, len(markers), edl.MAX_EVENTS)] or [()]
    files = tuple(
        (SUFFIX if k == 0 else f"_{k + 1}{SUFFIX}", _part(timeline.name, start, part))
        for k, part in enumerate(parts)
    )
    losses = edl.rate_warning(start) + edl.day_warning(start, edl.marked_frames(timeline))
    if start.drop_frame:
        losses += ("Nobody has yet seen Resolve read drop-frame markers; check the first and the last one.",)
    if len(files) > 1:
        losses += (
            f"A file holds {edl.MAX_EVENTS} markers, so these take {len(files)}; import each of them.",
        )
    return Export(files, losses)


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """Markers that Resolve exported. Without `start` the timeline begins at 01:00:00:00, as Resolve's do.

    Raises:
        MarkerError: the file is no such list, its timecode does not fit `start`, or it tells no rate.
    """
    listed = edl.read_list(path)
    start = timeline_start(path, rate, start, "01:00:00:00", drop_frame=listed.drop_frame)
    found: list[TimelineMarker] = []
    event: edl.Line | None = None
    frame = 0
    for line in listed.lines:
        cut, marker = edl.EVENT.fullmatch(line.text), _MARKER.fullmatch(line.text)
        if (cut and event) or (marker and not event):
            wrong = event or line
            raise MarkerError(
                f"{wrong.where}: an event and its marker do not follow each other; export the markers again."
            )
        if cut:
            event, frame = line, line.frames_after(start, cut["record_in"])
        elif marker:
            event = None
            found.append(_read_marker(frame, marker))
    if event:
        raise MarkerError(f"{event.where}: this event carries no marker; export the timeline markers.")
    markers = tuple(sorted(found, key=lambda marker: marker.frame))
    return Reading(with_stable_ids(Timeline(listed.title, start, markers=markers)))


def _part(name: str, start: Timecode, markers: Sequence[TimelineMarker]) -> str:
    text = edl.header(name, start)
    for number, marker in enumerate(markers, start=1):
        frame = (start + marker.frame, start + marker.frame + 1)
        text += f"{edl.event(number, '001', frame, frame)}  \n"
        text += (
            f"{marker.comment} |C:{_COLOUR_PREFIX}{marker.colour} |M:{marker.name} |D:{marker.n_frames}\n\n"
        )
    return text


def _read_marker(frame: int, match: re.Match[str]) -> TimelineMarker:
    return TimelineMarker(
        frame,
        n_frames=max(1, int(match["n_frames"])),
        name=match["name"].strip(),
        colour=match["colour"].strip().removeprefix(_COLOUR_PREFIX),
        comment=match["note"].strip(),
    )
