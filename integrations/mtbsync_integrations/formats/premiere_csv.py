"""The table that Premiere's Markers panel exports: a file called .csv whose cells are parted by tabs.

Marker Name	Description	In	Out	Duration	Marker Type
Gap jump	brake	00:00:01:14	00:00:01:14	00:00:00:00	Comment
"""

from __future__ import annotations

from pathlib import Path

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, edl
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.losses import listed
from mtbsync_integrations.formats.sources import timeline_start
from mtbsync_integrations.formats.tables import Row, Table, read_table
from mtbsync_integrations.timeline import MarkerKind, Reading, Timeline, TimelineMarker

NAME = "premiere-csv"
SUFFIX = ".csv"
CARRIES = Carries(
    palette={},
    name=edl.one_line,
    comment=edl.one_line,
    lengths=True,
    kinds=frozenset({MarkerKind.STANDARD, MarkerKind.CHAPTER}),
)

_COLUMNS = ("Marker Name", "Description", "In", "Out", "Duration", "Marker Type")
_TYPES = {MarkerKind.STANDARD: "Comment", MarkerKind.CHAPTER: "Chapter"}


def encode(timeline: Timeline) -> Export:
    """The timeline's markers. A point ends where it begins; the end of a range is its first frame after.

    Raises:
        ExportError: they span more than a day.
    """
    start = timeline.start
    rows = [_COLUMNS]
    for m in timeline.markers:
        n_frames = m.n_frames if m.n_frames > 1 else 0
        times = (
            start + m.frame,
            start + m.frame + n_frames,
            Timecode(n_frames, start.rate, start.drop_frame),
        )
        first, end, length = (_written(timecode) for timecode in times)
        rows.append((m.name, m.comment, first, end, length, _TYPES[m.kind]))
    text = "".join("\t".join(row) + "\n" for row in rows)
    losses = (
        "Premiere writes such tables and does not read them: use a panel that does, or import the xmeml.",
    )
    return Export(
        ((SUFFIX, text),),
        losses + edl.rate_warning(start) + edl.day_warning(start, edl.marked_frames(timeline)),
    )


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """Markers that Premiere exported, in whatever language. Without `start` the sequence begins at
    00:00:00:00, as Premiere's do.

    Raises:
        MarkerError: the file is no such table, its timecode does not fit `start`, or it tells no rate.
    """
    table = read_table(path, tuple(column.lower() for column in _COLUMNS))
    if "in" not in table.columns:
        raise MarkerError(f"{path} has no column 'In'; export the markers as CSV from the Markers panel.")
    start = timeline_start(path, rate, start, "00:00:00:00", drop_frame=table.drop_frame("in"))
    found = [_marker(table, row, start) for row in table.rows]
    known = {kind.lower() for kind in _TYPES.values()}
    others = dict.fromkeys(row.text("marker type") for row in table.rows)
    unknown = [f"'{kind}'" for kind in others if kind and kind.lower() not in known]
    losses = (f"Read as plain markers: those of type {listed(unknown)}.",) if unknown else ()
    markers = tuple(sorted(found, key=lambda marker: marker.frame))
    return Reading(with_stable_ids(Timeline(path.stem, start, markers=markers)), losses)


def _written(timecode: Timecode) -> str:
    return str(timecode).replace(":", ";") if timecode.drop_frame else str(timecode)


def _marker(table: Table, row: Row, start: Timecode) -> TimelineMarker:
    first, end = table.frames(row, ("in", "out"), start)
    chapter = row.text("marker type").lower() == "chapter"
    return TimelineMarker(
        frame=first,
        n_frames=max(1, end - first),
        name=row.text("marker name"),
        comment=row.text("description"),
        kind=MarkerKind.CHAPTER if chapter else MarkerKind.STANDARD,
    )
