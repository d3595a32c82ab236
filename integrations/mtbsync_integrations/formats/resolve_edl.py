"""DaVinci Resolve's timeline markers as an edit list (Timelines > Import > Timeline Markers from EDL).

A dialect of CMX3600: a one-frame event at each marker, source equal to record, two blanks after it, then
a line of its own with note, colour, name and length, then an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from opentimelineio.schema import Timeline

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.model import Marker
from mtbsync_engine.timing import Timecode, frame_start_s
from mtbsync_integrations.formats import Export, edl
from mtbsync_integrations.formats.collisions import one_a_frame
from mtbsync_integrations.formats.colours import RESOLVE, to_palette
from mtbsync_integrations.formats.losses import listed, not_carried, review_hint, title
from mtbsync_integrations.formats.sources import stable_ids
from mtbsync_integrations.timeline import PlacedMarker, placed_markers, timeline_clip, timeline_start

NAME = "resolve-edl"
SUFFIX = ".edl"

_MARKER = re.compile(r"(?P<note>[^|]*)\|C:(?P<colour>[^|]*)\|M:(?P<name>[^|]*)\|D:(?P<n_frames>\d{1,9})")
_COLOUR_PREFIX = "ResolveColor"
# At the start of a line Resolve takes these for something else than a note.
_UNSAFE_START = re.compile(r"\d|\*|TITLE:|FCM:", re.IGNORECASE)


def write(timeline: Timeline) -> Export:
    """The timeline's markers; more than 999 of them go on in further files, as events have three digits.

    Raises:
        ExportError: the timeline was not built by `timeline.build_timeline`.
    """
    start, clip = timeline_start(timeline), timeline_clip(timeline)
    markers, moves = one_a_frame(placed_markers(timeline), clip.n_frames, start.rate)
    colours, colour_losses = to_palette(
        (m.transferred.marker.colour for m in markers), RESOLVE, default="Blue"
    )
    parts = [markers[k : k + edl.MAX_EVENTS] for k in range(0, len(markers), edl.MAX_EVENTS)] or [()]
    files = tuple(
        (SUFFIX if k == 0 else f"_{k + 1}{SUFFIX}", _part(clip.name, start, part, colours))
        for k, part in enumerate(parts)
    )
    losses = (
        *not_carried(timeline, comment=True, length=True),
        *moves,
        *colour_losses,
        *_text_losses(markers),
        *edl.rate_warning(start),
    )
    if start.drop_frame:
        losses += ("Nobody has yet seen Resolve read drop-frame markers; check the first and the last one.",)
    if len(files) > 1:
        losses += (
            f"A file holds {edl.MAX_EVENTS} markers, so these take {len(files)}; import each of them.",
        )
    return Export(files, losses)


def read(path: Path, start: Timecode) -> tuple[Marker, ...]:
    """Markers that Resolve exported, in order, their times counted from the timeline's `start`.

    Raises:
        MarkerError: the file is no such list, or its timecode does not fit `start`.
    """
    found: list[tuple[int, re.Match[str]]] = []
    event: edl.Line | None = None
    frame = 0
    for line in edl.lines(path):
        cut, marker = edl.EVENT.fullmatch(line.text), _MARKER.fullmatch(line.text)
        if (cut and event) or (marker and not event):
            wrong = event or line
            raise MarkerError(
                f"{wrong.where}: an event and its marker do not follow each other; export the markers again."
            )
        if cut:
            event, frame = line, line.frames_after(start, cut[3])
        elif marker:
            event = None
            found.append((frame, marker))
    if event:
        raise MarkerError(f"{event.where}: this event carries no marker; export the timeline markers.")
    return _markers(sorted(found, key=lambda item: item[0]), start)


def _part(name: str, start: Timecode, markers: Sequence[PlacedMarker], colours: dict[str, str]) -> str:
    text = edl.header(name, start)
    for number, placed in enumerate(markers, start=1):
        marker = placed.transferred.marker
        frame = (start + placed.frame, start + placed.frame + 1)
        colour, label = _COLOUR_PREFIX + colours[marker.colour], edl.one_line(marker.name, without="|")
        text += f"{edl.event(number, '001', frame, frame)}  \n"
        note = _note(review_hint(placed.transferred) + marker.comment)
        text += f"{note} |C:{colour} |M:{label} |D:{max(1, placed.n_frames)}\n\n"
    return text


def _note(comment: str) -> str:
    note = edl.one_line(comment, without="|")
    return f"Note: {note}" if _UNSAFE_START.match(note) else note


def _text_losses(markers: Sequence[PlacedMarker]) -> tuple[str, ...]:
    transferred = [m.transferred for m in markers]
    names = [title(m) for m in transferred if edl.one_line(m.marker.name, without="|") != m.marker.name]
    comments = [title(m) for m in transferred if _note(m.marker.comment) != m.marker.comment]
    kinds = {
        "Names made fit for one line without '|'": names,
        "Comments made fit for one line without '|' that begins with no digit": comments,
    }
    return tuple(f"{kind}: {listed(things)}." for kind, things in kinds.items() if things)


def _markers(found: Sequence[tuple[int, re.Match[str]]], start: Timecode) -> tuple[Marker, ...]:
    rate = start.rate
    times = [frame_start_s(frame, rate) for frame, _ in found]
    ids = stable_ids((match["name"].strip(), t_s) for (_, match), t_s in zip(found, times, strict=True))
    return tuple(
        Marker(
            marker_id=marker_id,
            name=match["name"].strip(),
            t_s=t_s,
            # Resolve has no points: one frame is what it gives every marker that was not stretched.
            duration_s=frame_start_s(int(match["n_frames"]), rate) if int(match["n_frames"]) > 1 else 0.0,
            colour=match["colour"].strip().removeprefix(_COLOUR_PREFIX),
            comment=match["note"].strip(),
        )
        for marker_id, t_s, (_, match) in zip(ids, times, found, strict=True)
    )
