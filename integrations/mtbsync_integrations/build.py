"""Timelines made from what mtbsync found: the new run with its markers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode, frame_start_s, nearest_frame
from mtbsync_integrations.media_urls import url_of
from mtbsync_integrations.timeline import Clip, Medium, Timeline, TimelineMarker, Track

# Far finer than any frame, and every format can write it.
_MICRO = 1_000_000


@dataclass(frozen=True)
class Footage:
    """A recording as an editor sees it: its files in order, each with the seconds at which it begins on the
    recording's clock, and the length of the whole."""

    name: str
    chapters: tuple[tuple[Medium, float], ...]
    duration_s: float

    @classmethod
    def of_files(
        cls,
        files: Sequence[tuple[Path, float]],
        duration_s: float,
        rate: Rate,
        start: Timecode | None,
        *,
        width: int = 0,
        height: int = 0,
        has_audio: bool = False,
        reel: str = "",
    ) -> Footage:
        """A recording's files at its own `rate`, each with the second at which it begins. `start` is the
        timecode of the first picture, and chapters go on counting where the one before ends; where it is
        None, editors count each file from 0."""
        ends = [t_s for _, t_s in files[1:]] + [duration_s]
        chapters = tuple(
            (
                Medium(
                    name=path.name,
                    url=url_of(path.absolute()),
                    start=Timecode(0, rate) if start is None else start + nearest_frame(t_s, rate),
                    n_frames=nearest_frame(end_s - t_s, rate),
                    width=width,
                    height=height,
                    has_audio=has_audio,
                    reel=reel,
                ),
                t_s,
            )
            for (path, t_s), end_s in zip(files, ends, strict=True)
        )
        return cls(files[0][0].name, chapters, duration_s)

    @classmethod
    def of_markers(cls, name: str, markers: Sequence[TransferredMarker], rate: Rate, reel: str) -> Footage:
        """Footage of which nothing but its markers is known: it lasts up to the end of the last."""
        ends = [m.t_new + m.duration_s for m in markers if m.t_new is not None]
        n_frames = max(0, nearest_frame(max(ends, default=0.0), rate)) + 1
        medium = Medium(name, "", Timecode(0, rate), n_frames, reel=reel)
        return cls(name, ((medium, 0.0),), frame_start_s(n_frames, rate))


def run_timeline(footage: Footage, markers: Sequence[TransferredMarker], start: Timecode) -> Timeline:
    """The new run from its first picture to its last, chapters as clips that abut, and its markers.

    A marker stands on the frame nearest to its t_new; one that the new run does not show, or that lies
    outside it, is `unplaced`.
    """
    placed, unplaced = _place(markers, start.rate, footage.duration_s)
    width, height = footage.chapters[0][0].width, footage.chapters[0][0].height
    track = Track("Video 1", clips_of(footage, start.rate))
    return Timeline(footage.name, start, (track,), placed, unplaced, width, height)


def marker_timeline(name: str, markers: Sequence[Marker], start: Timecode) -> Timeline:
    """A recording's own markers, without clips; seconds count from the timeline's start."""
    placed = tuple(
        TimelineMarker(
            frame=nearest_frame(m.t_s, start.rate),
            n_frames=_n_frames(m.t_s, m.duration_s, start.rate),
            name=m.name,
            colour=m.colour,
            comment=m.comment,
            marker_id=m.marker_id,
        )
        for m in sorted(markers, key=lambda m: m.t_s)
    )
    return Timeline(name, start, markers=placed)


def transferred_timeline(name: str, markers: Sequence[TransferredMarker], start: Timecode) -> Timeline:
    """Markers that were carried over, without clips; seconds count from the timeline's start."""
    placed, unplaced = _place(markers, start.rate, None)
    return Timeline(name, start, markers=placed, unplaced=unplaced)


def clips_of(footage: Footage, rate: Rate) -> tuple[Clip, ...]:
    """The footage at its own pace, a clip a file, from its first picture to its last; the clips abut."""
    edges = [nearest_frame(t_s, rate) for _, t_s in footage.chapters]
    edges.append(max(edges[-1] + 1, nearest_frame(footage.duration_s, rate)))
    return tuple(
        Clip(medium.name, end - first, medium)
        for (medium, _), (first, end) in zip(footage.chapters, pairwise(edges), strict=True)
    )


def cuts(footage: Footage, begins_s: float, n_frames: int, speed: Fraction, rate: Rate) -> tuple[Clip, ...]:
    """`n_frames` of the timeline at `rate` that show the footage from `begins_s` on at `speed`: one clip,
    or several that abut where the footage goes on in another file."""
    step_s = float(speed / rate.fps)
    starts = [t_s for _, t_s in footage.chapters]
    crossed = (round((t_s - begins_s) / step_s) for t_s in starts[1:]) if step_s else ()
    edges = [0, *sorted({frame for frame in crossed if 0 < frame < n_frames}), n_frames]
    made = []
    for first, end in pairwise(edges):
        k = max(0, bisect_right(starts, begins_s + (first + end) / 2 * step_s) - 1)
        source_in_s = Fraction(round(max(0.0, begins_s + first * step_s - starts[k]) * _MICRO), _MICRO)
        medium = footage.chapters[k][0]
        made.append(Clip(medium.name, end - first, medium, source_in_s, speed))
    return tuple(made)


def _place(
    markers: Sequence[TransferredMarker], rate: Rate, duration_s: float | None
) -> tuple[tuple[TimelineMarker, ...], tuple[TransferredMarker, ...]]:
    placed, unplaced = [], []
    for transferred in markers:
        if transferred.t_new is None:
            unplaced.append(transferred)
            continue
        frame = _frame_within(transferred.t_new, rate, duration_s)
        if frame is None:
            reason = f"{transferred.t_new:.3f} s lies outside the clip"
            unplaced.append(replace(transferred, t_new=None, needs_review=True, reason=reason))
            continue
        marker = transferred.marker
        placed.append(
            TimelineMarker(
                frame,
                _n_frames(transferred.t_new, transferred.duration_s, rate),
                marker.name,
                marker.colour,
                marker.comment,
                marker.marker_id,
                transferred=transferred,
            )
        )
    return tuple(sorted(placed, key=lambda m: m.frame)), tuple(unplaced)


def _n_frames(t_s: float, duration_s: float, rate: Rate) -> int:
    return max(1, nearest_frame(t_s + duration_s, rate) - nearest_frame(t_s, rate))


def _frame_within(t_s: float, rate: Rate, duration_s: float | None) -> int | None:
    frame = nearest_frame(t_s, rate)
    if duration_s is None:
        return frame if frame >= 0 else None
    last = max(1, nearest_frame(duration_s, rate)) - 1
    if t_s <= duration_s:
        # In the second half of the last frame, the nearest start is one that the clip no longer has.
        frame = min(frame, last)
    return frame if 0 <= frame <= last else None
