"""Cameras that recorded one event, as tracks above each other that are in sync.

The timeline runs on the master's clock, and its first frame is the earliest camera's first picture. Where a
camera's clock drifts, its clips play at the speed that makes up for it; for what plays nothing but its own
speed they are cut into pieces, of which each begins on the whole frame that keeps it in sync.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from mtbsync_engine.session import PPM
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.build import Footage
from mtbsync_integrations.timeline import Clip, Gap, Medium, Timeline, Track

_MICRO = 1_000_000
# No more than this is told as 0 ms.
_WORTH_A_WORD_S = Fraction(1, 2000)
# Of a clock's drift, a thousandth of a millionth part: 4 microseconds an hour.
_DRIFT_STEPS = round(1000 / PPM)
# Every usual frame rate's frames last whole ticks, and all formats can write times that are counted in them.
_TICKS_A_SECOND = 720_000
_FRAMES = Rate(Fraction(1))
_HALF = Fraction(1, 2)


# Rates that every editor's timelines can run at.
_EDITORS_RATES = tuple(
    Rate(Fraction(fps)) for fps in ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60")
)


def timeline_rate(rate: Rate) -> Rate:
    """The rate of a timeline for footage of that rate: its own, or, where that is the average of a rate that
    varies, the nearest that editors know."""
    if rate.fps.denominator in (1, 2, 1001):
        return rate
    return min(_EDITORS_RATES, key=lambda known: abs(known.fps - rate.fps))


@dataclass(frozen=True)
class Angle:
    """A camera, what it recorded, and how its clock lies on the master's:
    t_master_s = offset_s + (1 + drift_ppm / 1e6) * t_cam_s."""

    label: str
    footage: Footage
    offset_s: float
    drift_ppm: float

    @property
    def stretch(self) -> Fraction:
        """Seconds of the master for each of the camera's."""
        return 1 + Fraction(round(self.drift_ppm * 1000), _DRIFT_STEPS)

    def to_master(self, t_cam_s: float | Fraction) -> Fraction:
        """The moment on the master's clock."""
        return _exact(self.offset_s) + self.stretch * _exact(t_cam_s)


@dataclass(frozen=True)
class Cameras:
    """The cameras of an event, from the bottom track up. `start` is the timecode of the timeline's first
    frame, at the master's rate; `width` and `height` are of the master's pictures, 0 where unknown. `master`
    counts the angles from 0."""

    name: str
    angles: tuple[Angle, ...]
    start: Timecode
    width: int = 0
    height: int = 0
    master: int = 0

    @property
    def begins_s(self) -> Fraction:
        """The moment on the master's clock that the first frame shows."""
        return min(angle.to_master(0) for angle in self.angles)


@dataclass(frozen=True)
class Off:
    """By how many seconds of the master's clock a camera is off at worst, and what has a part in that: clips
    that begin on whole frames, a drift that is left out, and chapters that begin between two frames of the
    timeline, before which there is no picture to show."""

    at_worst_s: float
    by_whole_frames: bool = False
    by_drift: bool = False
    by_chapters: bool = False


def synced_timeline(cameras: Cameras, *, in_pieces: bool = False, exact: bool = False) -> Timeline:
    """One track a camera, chapters as clips that abut; a gap leads to a camera's first whole frame.

    What a camera's offset has beyond whole frames is in where its clips begin in their files. A clip whose
    drift leaves all of it within half a frame, even if it begins on a whole frame, plays at its own speed, at
    which editors show its pictures and its sound untouched, unless all is to be `exact`. With `in_pieces`
    every clip does, begins on a whole frame of its file, and is within half a frame of the truth.
    """
    tracks = tuple(
        Track(angle.label, tuple(_items(angle, cameras, in_pieces=in_pieces, exact=exact)))
        for angle in cameras.angles
    )
    return Timeline(cameras.name, cameras.start, tracks, width=cameras.width, height=cameras.height)


def how_far_off(cameras: Cameras, timeline: Timeline) -> tuple[Off, ...]:
    """How each camera is off, on a timeline that has a track for each and shows their own media: where its
    clips begin, and where they end."""
    return tuple(
        _off(angle, track, cameras.begins_s, timeline.rate)
        for angle, track in zip(cameras.angles, timeline.tracks, strict=True)
    )


def _off(angle: Angle, track: Track, begins_s: Fraction, rate: Rate) -> Off:
    starts_s = {medium: _exact(t_s) for medium, t_s in angle.footage.chapters}
    clips = [(first, clip, starts_s[clip.medium]) for first, clip in track.clips() if clip.medium is not None]

    def late_s(k: int, first: int, clip: Clip, start_s: Fraction) -> Fraction:
        """What the timeline's frame `first + k` shows, less what it should."""
        shown_s = angle.to_master(start_s + clip.source_in_s + k * clip.speed / rate.fps)
        return shown_s - begins_s - (first + k) / rate.fps

    pairs = [(late_s(0, *cut), late_s(cut[1].n_frames, *cut)) for cut in clips]
    # A chapter from its very first picture, which was due a little earlier.
    opens = [
        clip.source_in_s == 0 and begin > 0 for (_, clip, _), (begin, _) in zip(clips, pairs, strict=True)
    ]
    is_begin_off = [abs(begin) > _WORTH_A_WORD_S for begin, _ in pairs]
    return Off(
        float(max(abs(late) for pair in pairs for late in pair)),
        by_whole_frames=any(off and not opening for off, opening in zip(is_begin_off, opens, strict=True)),
        by_drift=len(clips) <= len(starts_s)
        and any(abs(end - begin) > _WORTH_A_WORD_S for begin, end in pairs),
        by_chapters=any(off and opening for off, opening in zip(is_begin_off, opens, strict=True)),
    )


def _items(angle: Angle, cameras: Cameras, *, in_pieces: bool, exact: bool) -> Iterator[Clip | Gap]:
    """A camera's track. Frames are the timeline's, and where chapters begin fractions of them."""
    rate, footage = cameras.start.rate, angle.footage
    begins = [(angle.to_master(t_s) - cameras.begins_s) * rate.fps for _, t_s in footage.chapters]
    end = (angle.to_master(footage.duration_s) - cameras.begins_s) * rate.fps
    first = math.ceil(begins[0])
    edges = [
        first,
        *(nearest_frame(b, _FRAMES) for b in begins[1:]),
        max(first + 1, nearest_frame(end, _FRAMES)),
    ]
    if first:
        yield Gap(first)
    for (medium, _), begin, ends in zip(
        footage.chapters, begins, pairwise(accumulate(edges, max)), strict=True
    ):
        chapter = _Chapter(medium, begin, angle.stretch, rate)
        if ends[1] > ends[0]:
            yield from chapter.pieces(*ends) if in_pieces else (chapter.clip(*ends, exact=exact),)


@dataclass(frozen=True)
class _Chapter:
    """A file that begins at `begin` on the timeline, in its frames, and takes `stretch` of its own time."""

    medium: Medium
    begin: Fraction
    stretch: Fraction
    rate: Rate

    def clip(self, first: int, end: int, *, exact: bool) -> Clip:
        """From the timeline's frame `first` to `end`."""
        cut = max(Fraction(0), self._shown(first))
        speed = Fraction(1) if not exact and self._stays_in_sync(first, end, cut) else self._speed()
        return self._cut(end - first, cut, speed)

    def pieces(self, first: int, end: int) -> Iterator[Clip]:
        """The same at its own speed: whenever the nearest whole frame is another one, a new piece begins."""
        # The timeline's frame less the file's at 0, and what each frame adds.
        late, drift = self.begin / self.stretch, 1 - 1 / self.stretch
        while first < end:
            whole = nearest_frame(late + drift * first, _FRAMES)
            if drift > 0:
                until = math.ceil((whole + _HALF - late) / drift)
            elif drift < 0:
                until = math.floor((whole - _HALF - late) / drift) + 1
            else:
                until = end
            stop = min(until, end)
            yield self._cut(stop - first, Fraction(max(0, first - whole)), Fraction(1))
            first = stop

    def _cut(self, n_frames: int, cut: Fraction, speed: Fraction) -> Clip:
        return Clip(self.medium.name, n_frames, self.medium, cut / self.rate.fps, speed)

    def _shown(self, frame: int) -> Fraction:
        """The file's own time at a frame of the timeline, counted in frames of the timeline too."""
        return (frame - self.begin) / self.stretch

    def _stays_in_sync(self, first: int, end: int, cut: Fraction) -> bool:
        """Whether, at its own speed, a clip is never off by more than half a frame, be it that it begins at
        `cut` or on the nearest whole frame."""
        return all(
            abs(begins + frame - first - self._shown(frame)) <= _HALF
            for begins in (cut, Fraction(nearest_frame(cut, _FRAMES)))
            for frame in (first, end)
        )

    def _speed(self) -> Fraction:
        """The file lasts a whole number of ticks on the timeline, which is the drift but for less than a
        microsecond at its end."""
        lasts_s = self.medium.n_frames / self.medium.start.rate.fps
        n_ticks = round(lasts_s * self.stretch * _TICKS_A_SECOND)
        return lasts_s * _TICKS_A_SECOND / n_ticks if n_ticks else 1 / self.stretch


def _exact(t_s: float | Fraction) -> Fraction:
    return Fraction(round(t_s * _MICRO), _MICRO)
