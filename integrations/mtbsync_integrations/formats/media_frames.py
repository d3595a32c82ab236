"""Markers on clips, for formats that count them in frames of the medium rather than of the timeline."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from mtbsync_engine.timing import Rate, nearest_frame
from mtbsync_integrations.timeline import Clip, TimelineMarker


def on_medium(marker: TimelineMarker, clip: Clip, rate: Rate, medium_rate: Rate) -> tuple[int, int]:
    """The medium's frame that a clip's marker stands on, and how many it covers: none for a point.

    `rate` is the timeline's, at which the marker's frames count; the clip plays at its usual speed.
    """
    frame = _medium_frame(marker.frame, clip, rate, medium_rate)
    if marker.n_frames == 1:
        return frame, 0
    return frame, max(1, nearest_frame(marker.n_frames / rate.fps, medium_rate))


def on_clip(frame: int, n_frames: int, clip: Clip, rate: Rate, medium_rate: Rate) -> tuple[int, int] | None:
    """The other way: a clip's frame, and how many; None for what the clip does not show."""
    t_s = Fraction(frame) / medium_rate.fps
    first = _medium_frame(0, clip, rate, medium_rate)
    last = _medium_frame(clip.n_frames - 1, clip, rate, medium_rate)
    if frame < first or (frame > last and t_s >= clip.source_in_s + clip.n_frames / rate.fps):
        return None
    on_timeline = nearest_frame(t_s - clip.source_in_s, rate)
    length = max(1, nearest_frame(n_frames / medium_rate.fps, rate))
    return min(max(0, on_timeline), clip.n_frames - 1), length


def snapped(clip: Clip, rate: Rate) -> Clip:
    """The clip with its markers where they come back from the medium's frames."""
    if clip.medium is None:
        return clip
    markers = []
    for marker in clip.markers:
        medium_frame, n_frames = on_medium(marker, clip, rate, clip.medium.start.rate)
        found = on_clip(medium_frame, n_frames, clip, rate, clip.medium.start.rate)
        frame, length = found or (marker.frame, marker.n_frames)
        markers.append(replace(marker, frame=frame, n_frames=length))
    return replace(clip, markers=tuple(markers))


def _medium_frame(frame: int, clip: Clip, rate: Rate, medium_rate: Rate) -> int:
    return nearest_frame(clip.source_in_s + frame / rate.fps, medium_rate)
