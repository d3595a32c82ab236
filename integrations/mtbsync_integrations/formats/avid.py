"""Avid's markers as text, one a line, with tabs: user, timecode, track, colour, comment, frames.

mtbsync	01:00:01:14	V1	red	Gap jump | brake	1
"""

from __future__ import annotations

import re
from pathlib import Path

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, edl, one_text
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.colours import AVID
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.sources import read_text, timeline_start
from mtbsync_integrations.timeline import Reading, Timeline, TimelineMarker

NAME = "avid"
SUFFIX = ".txt"
CARRIES = Carries(
    palette=AVID, default_colour="red", name=one_text.fit_name, comment=edl.one_line, lengths=True
)

_USER = "mtbsync"
_TRACK = "V1"
_FIELDS = ("user", "timecode", "track", "colour", "comment")


def encode(timeline: Timeline) -> Export:
    """The timeline's markers on its first video track.

    Raises:
        ExportError: they span more than a day.
    """
    start = timeline.start
    lines = [
        "\t".join(
            (
                _USER,
                str(start + m.frame),
                _TRACK,
                m.colour,
                one_text.joined(m.name, m.comment),
                str(m.n_frames),
            )
        )
        for m in timeline.markers
    ]
    losses = edl.rate_warning(start) + edl.day_warning(start, edl.marked_frames(timeline))
    if any(m.comment for m in timeline.markers):
        losses += (f"Avid has one text for a marker: '{one_text.joined('name', 'comment')}'.",)
    return Export(((SUFFIX, "".join(f"{line}\n" for line in lines)),), losses)


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """Markers that Avid exported. Without `start` the timeline begins at 01:00:00:00, as Avid's do.

    Raises:
        MarkerError: the file is no such list, its timecode does not fit `start`, or it tells no rate.
    """
    texts = re.split(r"\r\n|\r|\n", read_text(path, may_be_empty=True))
    rows = [(number, text.split("\t")) for number, text in enumerate(texts, start=1) if text.strip()]
    drops = any(len(fields) > 1 and ";" in fields[1] for _, fields in rows)
    start = timeline_start(path, rate, start, "01:00:00:00", drop_frame=drops)
    found = [_marker(edl.Line(fields[0], number, path, drops), fields, start) for number, fields in rows]
    markers = tuple(sorted(found, key=lambda marker: marker.frame))
    return Reading(with_stable_ids(Timeline(path.stem, start, markers=markers)))


def _marker(line: edl.Line, fields: list[str], start: Timecode) -> TimelineMarker:
    """A marker of a line's fields; releases that count no length leave the last one out."""
    if len(fields) < len(_FIELDS):
        raise MarkerError(
            f"{line.where}: not a marker of Avid, which has {', '.join(_FIELDS)} with tabs between them; "
            "export the markers as text."
        )
    name, comment = one_text.parted(fields[4])
    length = fields[5].strip() if len(fields) > len(_FIELDS) else ""
    return TimelineMarker(
        frame=line.frames_after(start, fields[1].strip()),
        n_frames=max(1, int(length)) if re.fullmatch(r"[0-9]{1,9}", length) else 1,
        name=name,
        colour=fields[3].strip().lower(),
        comment=comment,
    )
