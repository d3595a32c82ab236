"""Transferred markers on an OpenTimelineIO timeline, and the exact view of it that formats write from.

The timeline holds one video clip, the new run, from its first frame on. The markers stand on the timeline
itself (`timeline.tracks.markers`), where an editor keeps timeline markers, in frames from its start.
OpenTimelineIO counts rates as floats, so the exact rate, and whatever else it has no field for, lies in
`metadata["mtbsync"]`; frames are whole numbers throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from mtbsync_engine.errors import ExportError
from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats.colours import OTIO, to_palette

_KEY = "mtbsync"


@dataclass(frozen=True)
class PlacedMarker:
    """A marker on the timeline: `frame` counts from the timeline's start, `n_frames` is 0 for a point."""

    frame: int
    n_frames: int
    transferred: TransferredMarker


@dataclass(frozen=True)
class TimelineClip:
    """The new run on the timeline: `n_frames` long, from the first frame on.

    `source_start` is the medium's own timecode at its first frame, at the medium's rate; `reel` is the
    tape name that edit lists know it by.
    """

    name: str
    n_frames: int
    source_start: Timecode
    reel: str


def build_timeline(
    markers: Sequence[TransferredMarker],
    start: Timecode,
    *,
    clip_name: str,
    clip_path: Path | None = None,
    duration_s: float | None = None,
    source_start: Timecode | None = None,
    reel: str = "001",
) -> otio.schema.Timeline:
    """One clip of the new run, with every marker that the run shows on the frame nearest to its t_new.

    `start` gives the timeline's first timecode, its rate and whether it counts drop-frame. Without
    `duration_s` the clip ends with its last marker; with it, a marker outside the clip is not placed.
    `source_start` is the medium's own timecode (00:00:00:00 at the timeline's rate when None).
    """
    rate = start.rate
    placed, unplaced = _place(markers, rate, duration_s)
    if duration_s is None:
        n_frames = max((p.frame + max(1, p.n_frames) for p in placed), default=1)
    else:
        n_frames = _n_frames(duration_s, rate)
    timeline = otio.schema.Timeline(clip_name, global_start_time=_time(start.frame, rate))
    timeline.metadata[_KEY] = {
        "start": _pack_timecode(start),
        "not_placed": [_otio_marker(PlacedMarker(0, 0, m), rate) for m in unplaced],
    }
    clip = TimelineClip(clip_name, n_frames, source_start or Timecode(0, rate), reel)
    timeline.tracks.append(otio.schema.Track("Video 1", kind=otio.schema.TrackKind.Video))
    timeline.tracks[0].append(_otio_clip(clip, clip_path, rate))
    timeline.tracks.markers.extend(_otio_marker(p, rate) for p in placed)
    return timeline


def timeline_start(timeline: otio.schema.Timeline) -> Timecode:
    """The timecode of the timeline's first frame, with its exact rate.

    Raises:
        ExportError: the timeline was not built here.
    """
    return _unpack_timecode(_own(timeline)["start"])


def timeline_clip(timeline: otio.schema.Timeline) -> TimelineClip:
    """The timeline's one clip.

    Raises:
        ExportError: the timeline was not built here.
    """
    clip = timeline.tracks[0][0]
    own = _own(clip)
    return TimelineClip(clip.name, own["n_frames"], _unpack_timecode(own["source_start"]), own["reel"])


def placed_markers(timeline: otio.schema.Timeline) -> tuple[PlacedMarker, ...]:
    """The timeline's markers in order of their frames; those that share one stay as they were given.

    Raises:
        ExportError: the timeline was not built here.
    """
    placed = (
        PlacedMarker(
            round(marker.marked_range.start_time.value),
            round(marker.marked_range.duration.value),
            _unpack_marker(marker),
        )
        for marker in timeline.tracks.markers
    )
    return tuple(sorted(placed, key=lambda p: p.frame))


def unplaced_markers(timeline: otio.schema.Timeline) -> tuple[TransferredMarker, ...]:
    """The markers that have no place on the timeline; their `reason` says why.

    Raises:
        ExportError: the timeline was not built here.
    """
    return tuple(_unpack_marker(marker) for marker in _own(timeline)["not_placed"])


def marker_colour(marker: otio.schema.Marker) -> str:
    """The colour that a marker was given, as a name or hex; empty when it has none.

    That is the exact name in the metadata, else OpenTimelineIO's own field, which is a string up to
    schema Marker.2 and an object or None from Marker.3 on.
    """
    if _KEY in marker.metadata:
        return str(marker.metadata[_KEY]["colour"])
    colour = marker.color
    if colour is None or isinstance(colour, str):
        return colour or ""
    return str(colour.name or colour.to_hex())


def _place(
    markers: Sequence[TransferredMarker], rate: Rate, duration_s: float | None
) -> tuple[list[PlacedMarker], list[TransferredMarker]]:
    placed, unplaced = [], []
    for marker in markers:
        if marker.t_new is None:
            unplaced.append(marker)
            continue
        frame = _frame_in_clip(marker.t_new, rate, duration_s)
        if frame is None:
            reason = f"{marker.t_new:.3f} s lies outside the clip"
            unplaced.append(replace(marker, t_new=None, needs_review=True, reason=reason))
            continue
        length_s = marker.duration_s
        end = nearest_frame(marker.t_new + length_s, rate)
        placed.append(PlacedMarker(frame, max(1, end - frame) if length_s else 0, marker))
    return placed, unplaced


def _frame_in_clip(t_new: float, rate: Rate, duration_s: float | None) -> int | None:
    frame = nearest_frame(t_new, rate)
    if duration_s is None:
        return frame if frame >= 0 else None
    last = _n_frames(duration_s, rate) - 1
    if t_new <= duration_s:
        # In the second half of the last frame, the nearest start is one that the clip no longer has.
        frame = min(frame, last)
    return frame if 0 <= frame <= last else None


def _n_frames(duration_s: float, rate: Rate) -> int:
    return max(1, nearest_frame(duration_s, rate))


def _time(frame: int, rate: Rate) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(frame, float(rate.fps))


def _otio_clip(clip: TimelineClip, path: Path | None, rate: Rate) -> otio.schema.Clip:
    source = clip.source_start
    span = otio.opentime.TimeRange(_time(source.frame, source.rate), _time(clip.n_frames, rate))
    medium = (
        otio.schema.ExternalReference(path.absolute().as_uri(), span)
        if path
        else otio.schema.MissingReference(available_range=span)
    )
    own = {"n_frames": clip.n_frames, "source_start": _pack_timecode(source), "reel": clip.reel}
    return otio.schema.Clip(clip.name, medium, span, {_KEY: own})


def _otio_marker(placed: PlacedMarker, rate: Rate) -> otio.schema.Marker:
    marker = placed.transferred.marker
    colours, _ = to_palette([marker.colour], OTIO, default="RED")
    return otio.schema.Marker(
        name=marker.name,
        marked_range=otio.opentime.TimeRange(_time(placed.frame, rate), _time(placed.n_frames, rate)),
        color=colours[marker.colour],
        comment=marker.comment,
        metadata={_KEY: _pack_marker(placed.transferred)},
    )


def _own(thing: Any) -> Any:
    if _KEY not in thing.metadata:
        raise ExportError("This timeline was not made by mtbsync, so its exact rate is unknown.")
    return thing.metadata[_KEY]


def _pack_timecode(timecode: Timecode) -> dict[str, Any]:
    return {
        "frame": timecode.frame,
        "rate": str(timecode.rate.fps),
        "drop_frame": timecode.drop_frame,
    }


def _unpack_timecode(packed: Any) -> Timecode:
    return Timecode(packed["frame"], Rate(Fraction(packed["rate"])), packed["drop_frame"])


def _pack_marker(transferred: TransferredMarker) -> dict[str, Any]:
    """All that OpenTimelineIO's Marker has no exact field for."""
    marker = transferred.marker
    return {
        "marker_id": marker.marker_id,
        "t_ref_s": float(marker.t_s),
        "duration_ref_s": float(marker.duration_s),
        "duration_s": float(transferred.duration_s),
        "colour": marker.colour,
        "extra": [list(pair) for pair in marker.extra],
        "t_new_s": None if transferred.t_new is None else float(transferred.t_new),
        "confidence": float(transferred.confidence),
        "expected_error_s": (
            None if transferred.expected_error_s is None else float(transferred.expected_error_s)
        ),
        "needs_review": bool(transferred.needs_review),
        "reason": transferred.reason,
    }


def _unpack_marker(marker: otio.schema.Marker) -> TransferredMarker:
    own = _own(marker)
    return TransferredMarker(
        marker=Marker(
            marker_id=own["marker_id"],
            name=marker.name,
            t_s=own["t_ref_s"],
            duration_s=own["duration_ref_s"],
            colour=marker_colour(marker),
            comment=marker.comment,
            extra=tuple((column, cell) for column, cell in own["extra"]),
        ),
        t_new=own["t_new_s"],
        confidence=own["confidence"],
        expected_error_s=own["expected_error_s"],
        needs_review=own["needs_review"],
        reason=own["reason"],
        duration_s=own["duration_s"],
    )
