"""The reference above the new run, retimed so that both stand at the same place at every moment.

The timeline runs on the reference's clock. The new run is cut into pieces of constant speed, each as long as
the straight line stays within a tolerance of the time map, and there are gaps where it has no support.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from mtbsync_engine.model import FloatArray, TimeMap, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.build import Footage, clips_of, cuts, marker_timeline
from mtbsync_integrations.formats.losses import review_hint
from mtbsync_integrations.timeline import Clip, Gap, Timeline, Track

TOLERANCE_S = 0.02
# Editors and formats write speeds with six decimals at most.
_SPEED_STEPS = 1_000_000


def side_by_side(
    reference: Footage,
    new: Footage,
    time_map: TimeMap,
    markers: Sequence[TransferredMarker],
    start: Timecode,
    tolerance_s: float = TOLERANCE_S,
) -> Timeline:
    """Two tracks, the new run below; the markers stand where the reference has them, and those that need
    review say so in their comments."""
    rate = start.rate
    track = Track("Reference", clips_of(reference, rate))
    retimed = Track("New run", tuple(_retimed(new, time_map, track.n_frames, rate, tolerance_s)))
    shown = [
        replace(m.marker, comment=review_hint(m) + m.marker.comment) for m in markers if m.t_new is not None
    ]
    timeline = marker_timeline(f"{reference.name} and {new.name}", shown, start)
    medium = reference.chapters[0][0]
    return replace(
        timeline,
        tracks=(retimed, track),
        unplaced=tuple(m for m in markers if m.t_new is None),
        width=medium.width,
        height=medium.height,
    )


def _retimed(
    new: Footage, time_map: TimeMap, n_frames: int, rate: Rate, tolerance_s: float
) -> Iterator[Clip | Gap]:
    """Pieces and gaps from the timeline's first frame to the last piece's end."""
    frame = 0
    for first, last in _supported(time_map, n_frames, rate):
        if first > frame:
            yield Gap(first - frame)
        edges = np.arange(first, last + 1)
        t_new = time_map.to_new(edges / float(rate.fps))
        for a, b in _straight(t_new, tolerance_s):
            speed = _speed(float(t_new[b] - t_new[a]) / (b - a) * float(rate.fps))
            yield from cuts(new, float(t_new[a]), b - a, speed, rate)
        frame = last


def _supported(time_map: TimeMap, n_frames: int, rate: Rate) -> Iterator[tuple[int, int]]:
    """The first frame, and the one after the last, of each stretch of the reference that the map supports."""
    before = 0
    for t_new in time_map.support:
        begins_s, ends_s = time_map.to_ref(np.array(t_new))
        first = max(before, math.ceil(Fraction(float(begins_s)) * rate.fps))
        last = min(n_frames, math.floor(Fraction(float(ends_s)) * rate.fps))
        if last > first:
            yield first, last
            before = last


def _straight(t_new: FloatArray, tolerance_s: float) -> Iterator[tuple[int, int]]:
    """Neighbouring intervals of `t_new` (N,), over each of which a straight line between its ends is off by
    at most `tolerance_s`; each is as long as doubling and halving finds it."""
    a, last = 0, t_new.size - 1

    def fits(b: int) -> bool:
        line = np.interp(np.arange(a, b + 1), [a, b], t_new[[a, b]])
        return bool(np.abs(line - t_new[a : b + 1]).max() <= tolerance_s)

    while a < last:
        b, step = a + 1, 1
        while b + step <= last and fits(b + step):
            b, step = b + step, 2 * step
        while step:
            if b + step <= last and fits(b + step):
                b += step
            step //= 2
        yield a, b
        a = b


def _speed(speed: float) -> Fraction:
    return Fraction(max(1, round(speed * _SPEED_STEPS)), _SPEED_STEPS)
