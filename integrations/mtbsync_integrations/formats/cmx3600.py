"""CMX3600 edit list: the new run as one event, its markers as the locators that Avid and others read.

* LOC: 01:00:01:14 RED     Gap jump
"""

from __future__ import annotations

import re
from pathlib import Path

from opentimelineio.schema import Timeline

from mtbsync_engine.model import Marker
from mtbsync_engine.timing import Timecode, frame_start_s, nearest_frame
from mtbsync_integrations.formats import Export, edl
from mtbsync_integrations.formats.colours import AVID, is_colour_name, to_palette
from mtbsync_integrations.formats.losses import listed, not_carried, review_hint, title
from mtbsync_integrations.formats.sources import stable_ids
from mtbsync_integrations.timeline import TimelineClip, placed_markers, timeline_clip, timeline_start

NAME = "edl"
SUFFIX = ".edl"

_LOCATOR = re.compile(r"\*\s*LOC:\s*(?P<timecode>\S+)(?:\s+(?P<first>\S+)(?:\s+(?P<rest>.*))?)?")
_REEL_LENGTH = 8


def write(timeline: Timeline) -> Export:
    """The clip and its markers, their names and colours; a reel keeps eight plain characters.

    Raises:
        ExportError: the timeline was not built by `timeline.build_timeline`.
    """
    start, clip = timeline_start(timeline), timeline_clip(timeline)
    markers = placed_markers(timeline)
    colours, colour_losses = to_palette((m.transferred.marker.colour for m in markers), AVID, default="red")
    reel = re.sub(r"[^A-Za-z0-9_.-]", "_", clip.reel)[:_REEL_LENGTH] or "AX"
    source = _source_start(clip, start)
    text = edl.header(clip.name, start)
    text += edl.event(1, reel, (source, source + clip.n_frames), (start, start + clip.n_frames)) + "\n"
    text += f"* FROM CLIP NAME:  {edl.one_line(clip.name)}\n"
    for placed in markers:
        marker, hint = placed.transferred.marker, review_hint(placed.transferred)
        locator = f"{colours[marker.colour].upper():<7} {edl.one_line(hint + marker.name)}".rstrip()
        text += f"* LOC: {start + placed.frame} {locator}\n"
    losses = (*not_carried(timeline, comment=False, length=False), *colour_losses)
    changed = [title(m.transferred) for m in markers if _changes(m.transferred.marker.name)]
    if changed:
        losses += (f"Names made fit for one line: {listed(changed)}.",)
    if reel != clip.reel:
        losses += (f"Reel '{clip.reel}' is written as {reel}: eight letters or digits at most.",)
    if source.rate != clip.source_start.rate:
        losses += (
            f"The clip's own timecode {clip.source_start} counts {clip.source_start.rate} frames a second; "
            f"at {start.rate} it is written as {source}.",
        )
    return Export(((SUFFIX, text),), losses + edl.rate_warning(start))


def read(path: Path, start: Timecode) -> tuple[Marker, ...]:
    """The list's locators, in order, their times counted from the timeline's `start`.

    Raises:
        MarkerError: the file is no edit list, or its timecode does not fit `start`.
    """
    found = []
    for line in edl.lines(path):
        locator = _LOCATOR.fullmatch(line.text)
        if locator is None:
            continue
        first, rest = locator["first"] or "", locator["rest"] or ""
        colour, name = (first.lower(), rest) if is_colour_name(first) else ("", f"{first} {rest}".strip())
        found.append((line.frames_after(start, locator["timecode"]), name, colour))
    found.sort(key=lambda locator: locator[0])
    times = [frame_start_s(frame, start.rate) for frame, _, _ in found]
    ids = stable_ids((name, t_s) for (_, name, _), t_s in zip(found, times, strict=True))
    return tuple(
        Marker(marker_id=marker_id, name=name, t_s=t_s, colour=colour)
        for marker_id, t_s, (_, name, colour) in zip(ids, times, found, strict=True)
    )


def _source_start(clip: TimelineClip, start: Timecode) -> Timecode:
    """The medium's own first timecode, in the one rate that an edit list has."""
    own = clip.source_start
    if own.rate == start.rate:
        return own
    frame = nearest_frame(own.frame / own.rate.fps, start.rate)
    return Timecode(frame, start.rate, own.drop_frame and start.rate.can_drop)


def _changes(name: str) -> bool:
    return edl.one_line(name) != name
