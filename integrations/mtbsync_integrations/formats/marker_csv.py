"""Markers as CSV: the reference's, as they are read, and the new run's, as they are written and read back.

`,` or `;` between the fields, whichever the header has more of. Columns that mtbsync does not know are kept
in order and written again after its own.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from mtbsync_engine.errors import MarkerError, TimecodeError
from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode, frame_start_s, nearest_frame
from mtbsync_integrations.build import marker_timeline, transferred_timeline
from mtbsync_integrations.formats import Export
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.ids import stable_ids
from mtbsync_integrations.formats.sources import read_text, timeline_start
from mtbsync_integrations.timeline import Reading, Timeline, TimelineMarker

NAME = "csv"
SUFFIX = ".csv"
CARRIES = Carries(lengths=True, ids=True, sync=True, sync_of_all=True)

_MARKER_COLUMNS = ("marker_id", "name", "t_ref", "duration", "colour", "comment")
_WRITTEN_COLUMNS = (
    "marker_id",
    "name",
    "t_ref",
    "t_new",
    "confidence",
    "expected_error_s",
    "needs_review",
    "colour",
    "comment",
    "reason",
    "duration",
)
# As in RFC 4180; it also makes the writer quote a lone carriage return.
_LINE_END = "\r\n"
# A week; no other number of a marker is as large.
_MOST_S = 7 * 24 * 3600
_EXAMPLE_HEADER = "name,t_ref,colour,comment"
# Other spellings that people's files have.
_ALIASES = {"color": "colour", "t_new_est": "t_new"}
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_markers(
    path: Path, *, rate: Rate | None = None, start: Timecode | None = None
) -> tuple[Marker, ...]:
    """The reference run's markers, in the file's order, which must be that of their times.

    Columns: `t_ref` and `name` (or `marker_id`, which then is the name too), and, where wanted,
    `marker_id`, `colour`, `comment` and `duration`. Times are seconds, or timecode at `rate` on a
    timeline that starts at `start`, by default 00:00:00:00. A marker
    without an id gets one that follows from its name and time.

    Raises:
        MarkerError: the file, one of its columns, times or ids cannot be used; the sentence says where.
    """
    rows = _rows(path, _MARKER_COLUMNS, needed=("t_ref",))
    markers = _markers(rows, rate, start)
    for (before, after), row in zip(pairwise(markers), rows[1:], strict=True):
        if after.t_s < before.t_s:
            raise MarkerError(
                f"{row.where}: '{after.name}' comes before the marker above it; sort the markers by t_ref."
            )
    return markers


def read_transferred(path: Path) -> tuple[TransferredMarker, ...]:
    """Markers of the new run, as `write_transferred` wrote them, in the file's order.

    `t_new_est` will do for `t_new`. Where a file does not say how sure a marker is, its confidence is 0 and
    it is to be reviewed.

    Raises:
        MarkerError: the file, one of its columns, times or ids cannot be used; the sentence says where.
    """
    rows = _rows(path, _WRITTEN_COLUMNS, needed=("t_ref", "t_new"))
    return tuple(
        _transferred(row, marker) for row, marker in zip(rows, _markers(rows, None, None), strict=True)
    )


def write_markers(markers: Sequence[Marker]) -> str:
    """A reference's markers as CSV, in the order given, for `read_markers`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=_LINE_END)
    writer.writerow(_MARKER_COLUMNS)
    for m in markers:
        writer.writerow((m.marker_id, m.name, _exact(m.t_s), _exact(m.duration_s), m.colour, m.comment))
    return out.getvalue()


def write_transferred(markers: Sequence[TransferredMarker]) -> str:
    """The markers as CSV, in the order given; one that could not be placed has an empty t_new.

    Times have as many digits as it takes to read back the same number, so no frame changes. A column of
    the reference that is called like one of ours is written as `ref_` and its name.
    """
    extra = dict.fromkeys(column for m in markers for column, _ in m.marker.extra)
    names = {column: _free_name(column, extra) for column in extra}
    out = io.StringIO()
    writer = csv.DictWriter(out, [*_WRITTEN_COLUMNS, *names.values()], restval="", lineterminator=_LINE_END)
    writer.writeheader()
    for transferred in markers:
        cells = {names[column]: cell for column, cell in transferred.marker.extra}
        writer.writerow(_cells(transferred) | cells)
    return out.getvalue()


def encode(timeline: Timeline) -> Export:
    """Markers that mtbsync carried over with all that is known of them, placed or not, in order of the
    reference; any others as a reference's markers, their times counted from the timeline's start."""
    known = [_as_it_stands(m, m.transferred, timeline.rate) for m in timeline.markers if m.transferred]
    if not known and not timeline.unplaced:
        return Export(((SUFFIX, write_markers([_plain(m, timeline.rate) for m in timeline.markers])),))
    markers = sorted((*known, *timeline.unplaced), key=lambda m: m.marker.t_s)
    return Export(((SUFFIX, write_transferred(markers)),))


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """Markers of either kind. Without `start` the timeline begins at 01:00:00:00, as editors' do; seconds
    count from there.

    Raises:
        MarkerError: the file, one of its columns, times or ids cannot be used, or no rate is given.
    """
    start = timeline_start(path, rate, start, "01:00:00:00")
    if _is_transferred(path):
        return Reading(transferred_timeline(path.stem, read_transferred(path), start))
    return Reading(marker_timeline(path.stem, read_markers(path, rate=start.rate, start=start), start))


def _as_it_stands(marker: TimelineMarker, known: TransferredMarker, rate: Rate) -> TransferredMarker:
    """What is known of a marker that was carried over, its time moved if an editor moved it."""
    own = replace(
        known.marker,
        marker_id=marker.marker_id,
        name=marker.name,
        colour=marker.colour,
        comment=marker.comment,
    )
    if known.t_new is not None and nearest_frame(known.t_new, rate) == marker.frame:
        return replace(known, marker=own)
    return replace(known, marker=own, t_new=frame_start_s(marker.frame, rate))


def _plain(marker: TimelineMarker, rate: Rate) -> Marker:
    return Marker(
        marker_id=marker.marker_id,
        name=marker.name,
        t_s=frame_start_s(marker.frame, rate),
        duration_s=frame_start_s(marker.n_frames, rate) if marker.n_frames > 1 else 0.0,
        colour=marker.colour,
        comment=marker.comment,
    )


# --- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """A line of the file: the cells of columns that are known, by name, and the others in order."""

    where: str
    known: Mapping[str, str]
    extra: tuple[tuple[str, str], ...]
    decimal_comma: bool

    def number(self, column: str) -> float | None:
        """The cell as a number from 0 up; None where it is empty, or there is no such column."""
        text = self.known.get(column, "").strip()
        if not text:
            return None
        try:
            value = float(text.replace(",", ".") if self.decimal_comma else text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0:
            raise MarkerError(f"{self.where}: '{text}' in column {column} is not a number from 0 up.")
        if value > _MOST_S:
            raise MarkerError(f"{self.where}: '{text}' in column {column} is longer than any recording.")
        return value


def _rows(path: Path, known: Sequence[str], needed: Sequence[str]) -> tuple[_Row, ...]:
    text = read_text(path)
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    rows = []
    line = 0
    try:
        for cells in reader:
            where, line = f"{path}, line {line + 1}", reader.line_num
            # Spreadsheets leave rows of nothing at the end.
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(cells, where, known, needed)
                continue
            if len(cells) != len(columns):
                raise MarkerError(
                    f"{where}: {len(cells)} fields where the header has {len(columns)}; "
                    "a field that holds the delimiter must stand in quotes."
                )
            pairs = list(zip(columns, cells, strict=True))
            rows.append(
                _Row(
                    where,
                    {column: cell for column, cell in pairs if column in known},
                    tuple((column, cell) for column, cell in pairs if column not in known),
                    decimal_comma=delimiter == ";",
                )
            )
    except csv.Error as error:
        raise MarkerError(f"{path}, line {line + 1}: not readable as CSV ({error}).") from error
    if not columns:
        raise MarkerError(f"{path} has no header; it begins with a line such as {_EXAMPLE_HEADER}.")
    return tuple(rows)


def _delimiter(text: str) -> str:
    first_line = text.lstrip().splitlines()[0]
    return ";" if first_line.count(";") > first_line.count(",") else ","


def _is_transferred(path: Path) -> bool:
    """Whether the file's first line names a column of times in the new run."""
    text = read_text(path).lstrip()
    names = (name.strip(' "').lower() for name in text.splitlines()[0].split(_delimiter(text)))
    return any(_ALIASES.get(name, name) == "t_new" for name in names)


def _columns(header: Sequence[str], where: str, known: Sequence[str], needed: Sequence[str]) -> list[str]:
    columns = []
    for cell in header:
        lower = cell.strip().lower()
        own = _ALIASES.get(lower, lower)
        columns.append(own if own in known else cell.strip())
    missing = [column for column in needed if column not in columns]
    if not {"name", "marker_id"} & set(columns):
        missing.append("name")
    if missing:
        raise MarkerError(
            f"{where}: the header has no column {' and no '.join(missing)}; "
            f"a file begins with a line such as {_EXAMPLE_HEADER}."
        )
    doubled = next((column for column in columns if columns.count(column) > 1), None)
    if doubled is not None:
        raise MarkerError(f"{where}: the header has column '{doubled}' twice; leave one of them out.")
    return columns


def _markers(rows: Sequence[_Row], rate: Rate | None, start: Timecode | None) -> tuple[Marker, ...]:
    names = [row.known.get("name", row.known.get("marker_id", "").strip()) for row in rows]
    times = [_time_s(row, rate, start) for row in rows]
    given = [row.known.get("marker_id", "").strip() for row in rows]
    derived = stable_ids(zip(names, times, strict=True))
    ids = [own or made for own, made in zip(given, derived, strict=True)]
    first_row: dict[str, _Row] = {}
    for row, marker_id in zip(rows, ids, strict=True):
        if first_row.setdefault(marker_id, row) is not row:
            raise MarkerError(
                f"{row.where}: the id '{marker_id}' is taken by the marker at {first_row[marker_id].where}; "
                "every marker needs its own."
            )
    return tuple(
        Marker(
            marker_id=marker_id,
            name=name,
            t_s=t_s,
            duration_s=row.number("duration") or 0.0,
            colour=row.known.get("colour", "").strip(),
            comment=row.known.get("comment", ""),
            extra=row.extra,
        )
        for row, marker_id, name, t_s in zip(rows, ids, names, times, strict=True)
    )


def _time_s(row: _Row, rate: Rate | None, start: Timecode | None) -> float:
    text = row.known["t_ref"].strip()
    if ":" in text:
        if rate is None:
            raise MarkerError(f"{row.where}: '{text}' is timecode at an unknown rate; give the frame rate.")
        try:
            frame = Timecode.parse(text, rate, start.drop_frame if start else None).frame
        except TimecodeError as error:
            raise MarkerError(f"{row.where}: {error}") from error
        first = start.frame if start else 0
        if frame < first:
            raise MarkerError(f"{row.where}: '{text}' lies before the timeline's start, {start}.")
        return frame_start_s(frame - first, rate)
    t_s = row.number("t_ref")
    if t_s is None:
        raise MarkerError(f"{row.where}: the marker has no time in column t_ref.")
    return t_s


def _transferred(row: _Row, marker: Marker) -> TransferredMarker:
    confidence = row.number("confidence")
    if confidence is not None and confidence > 1:
        raise MarkerError(f"{row.where}: a confidence lies between 0 and 1, not at {confidence}.")
    return TransferredMarker(
        marker=marker,
        t_new=row.number("t_new"),
        confidence=confidence or 0.0,
        expected_error_s=row.number("expected_error_s"),
        needs_review=_needs_review(row),
        reason=row.known.get("reason", ""),
        duration_s=marker.duration_s,
    )


def _needs_review(row: _Row) -> bool:
    text = row.known.get("needs_review", "").strip().lower()
    if not text:
        return True
    if text not in _YES_NO:
        raise MarkerError(f"{row.where}: '{text}' in column needs_review is neither true nor false.")
    return _YES_NO[text]


# --- writing ------------------------------------------------------------------------------------


def _cells(transferred: TransferredMarker) -> dict[str, str]:
    marker = transferred.marker
    return {
        "marker_id": marker.marker_id,
        "name": marker.name,
        "t_ref": _exact(marker.t_s),
        "t_new": _unless_none(transferred.t_new, _exact),
        "confidence": f"{transferred.confidence:.3f}",
        "expected_error_s": _unless_none(transferred.expected_error_s, "{:.3f}".format),
        # What is not placed cannot be used as it is, whatever else is known of it.
        "needs_review": "true" if transferred.needs_review or transferred.t_new is None else "false",
        "colour": marker.colour,
        "comment": marker.comment,
        "reason": transferred.reason,
        "duration": _exact(transferred.duration_s),
    }


def _exact(t_s: float) -> str:
    return repr(float(t_s)).removesuffix(".0")


def _unless_none(value: float | None, written: Callable[[float], str]) -> str:
    return "" if value is None else written(value)


def _free_name(column: str, others: Mapping[str, None]) -> str:
    """`column`, or a name for it that neither mtbsync nor the source uses."""
    name = column
    while name.lower() in (*_WRITTEN_COLUMNS, *_ALIASES) or (name != column and name in others):
        name = f"ref_{name}"
    return name
