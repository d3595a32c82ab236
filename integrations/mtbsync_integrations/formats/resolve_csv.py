"""The table that DaVinci Resolve exports of a timeline's Edit Index, with a row for each marker.

Its columns are known by their names alone. How Resolve fills them for a marker is not verified.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, edl
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.colours import RESOLVE, is_colour_name
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.sources import timeline_start
from mtbsync_integrations.formats.tables import Row, Table, read_table
from mtbsync_integrations.timeline import Reading, Timeline, TimelineMarker

NAME = "resolve-csv"
SUFFIX = ".csv"
CARRIES = Carries(
    palette=RESOLVE,
    default_colour="Blue",
    name=edl.one_line,
    comment=edl.one_line,
    lengths=True,
    one_a_frame=True,
)

_COLUMNS = (
    "#",
    "Reel",
    "Match",
    "V",
    "C",
    "Dur",
    "Source In",
    "Source Out",
    "Record In",
    "Record Out",
    "Name",
    "Comments",
    "Color",
    "Notes",
)
_UNVERIFIED = (
    "Nobody has yet checked this against a table from Resolve: look at the first and the last marker."
)


def encode(timeline: Timeline) -> Export:
    """The timeline's markers, each with its first frame and the first after it.

    Raises:
        ExportError: they span more than a day.
    """
    start = timeline.start
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for number, m in enumerate(timeline.markers, start=1):
        writer.writerow(
            {
                "#": number,
                "V": "V1",
                "C": "C",
                "Dur": Timecode(m.n_frames, start.rate, start.drop_frame),
                "Record In": start + m.frame,
                "Record Out": start + m.frame + m.n_frames,
                "Name": m.name,
                "Color": m.colour,
                "Notes": m.comment,
            }
        )
    losses = (
        "Resolve writes such tables and does not read them: import markers from resolve-edl.",
        _UNVERIFIED,
    )
    return Export(
        ((SUFFIX, out.getvalue()),),
        losses + edl.rate_warning(start) + edl.day_warning(start, edl.marked_frames(timeline)),
    )


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """The rows that have a colour; the others are cuts. Without `start` the timeline begins at 01:00:00:00,
    as Resolve's do.

    Raises:
        MarkerError: the file is no such table, its timecode does not fit `start`, or it tells no rate.
    """
    table = read_table(path)
    missing = [column for column in ("Record In", "Name", "Color") if column.lower() not in table.columns]
    if missing:
        raise MarkerError(
            f"{path} has no column '{missing[0]}'; export the Edit Index with its markers shown, as CSV."
        )
    start = timeline_start(path, rate, start, "01:00:00:00", drop_frame=table.drop_frame("record in"))
    rows = [row for row in table.rows if is_colour_name(row.text("color"))]
    others = len(table.rows) - len(rows)
    losses = (f"Rows without a marker's colour left out: {others}.",) if others else ()
    markers = tuple(sorted((_marker(table, row, start) for row in rows), key=lambda marker: marker.frame))
    return Reading(with_stable_ids(Timeline(path.stem, start, markers=markers)), (*losses, _UNVERIFIED))


def _marker(table: Table, row: Row, start: Timecode) -> TimelineMarker:
    first, end = table.frames(row, ("record in", "record out"), start)
    return TimelineMarker(
        frame=first,
        n_frames=max(1, end - first),
        name=row.text("name"),
        colour=row.text("color"),
        comment=row.text("notes"),
    )
