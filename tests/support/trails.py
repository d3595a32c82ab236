"""Rides along rendered trails, already indexed, whose every moment is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.align.fit import FitParams
from mtbsync_engine.align.match import match
from mtbsync_engine.align.refine import RefineParams
from mtbsync_engine.index.build import build_index
from mtbsync_engine.judge import Gates, Judged
from mtbsync_engine.markers import transfer
from mtbsync_engine.media import probe
from mtbsync_engine.model import FloatArray, Index, IndexParams, Marker, Matcher, Matching, Model
from mtbsync_engine.pipeline import fit_and_judge
from support.scene import View, seen_by
from support.videos import write_video

# What needs no networks that a person has to bring along.
MATCHERS = [matcher for matcher in Matcher if not matcher.needs_weights]

_RATE = 6
_SIZE = (320, 180)
STEP_S = 0.002
# Closer than this two places are one.
_SAME_PLACE_M = 0.02


@dataclass(frozen=True, eq=False)
class Filmed:
    """A ride: its video, what it looks like, and where on its trail it was every `STEP_S`, nan where it had
    left it."""

    video: Path
    index: Index
    position_m: FloatArray

    @property
    def duration_s(self) -> float:
        return self.index.duration_s

    def at_m(self, t_s: FloatArray) -> FloatArray:
        """Where the ride was at `t_s`."""
        return self.position_m[np.round(t_s / STEP_S).astype(int)]

    def when_s(self, position_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First and last moment at each place, nan where the ride never came by."""
        known = np.flatnonzero(np.isfinite(self.position_m))
        places = self.position_m[known]
        first = np.searchsorted(places, position_m - _SAME_PLACE_M)
        last = np.searchsorted(places, position_m + _SAME_PLACE_M, side="right") - 1
        passed = first <= last
        first, last = (np.clip(k, 0, known.size - 1) for k in (first, last))
        return (
            np.where(passed, known[first] * STEP_S, np.nan),
            np.where(passed, known[last] * STEP_S, np.nan),
        )


def film(
    path: Path,
    position_m: Callable[[float], float],
    duration_s: float,
    seed: int,
    *,
    view: View = View(),  # noqa: B008 (immutable)
    elsewhere_s: tuple[float, float] = (0.0, 0.0),
    elsewhere_seed: int = 900,
) -> Filmed:
    """Ride trail `seed`, but for the time `elsewhere_s` another one, and index what was filmed."""

    def is_elsewhere(t_s: float) -> bool:
        return elsewhere_s[0] <= t_s < elsewhere_s[1]

    times_s = [k / _RATE for k in range(math.ceil(duration_s * _RATE))]
    pictures = (
        seen_by(view, t_s, position_m(t_s), elsewhere_seed if is_elsewhere(t_s) else seed, _SIZE)
        for t_s in times_s
    )
    index = build_index(probe(write_video(path, pictures, _RATE, gop=2)), IndexParams())
    moments = np.arange(0, index.duration_s + 2 * STEP_S, STEP_S)
    places = [math.nan if is_elsewhere(t) else position_m(t) for t in moments.tolist()]
    return Filmed(path, index, np.array(places))


@lru_cache(maxsize=64)
def described_by(matcher: Matcher, filmed: Filmed) -> Filmed:
    """The same ride, indexed for another matcher."""
    if matcher is filmed.index.params.matcher:
        return filmed
    return replace(filmed, index=build_index(probe(filmed.video), IndexParams(matcher=matcher)))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of lining two rides up, against the truth, in seconds.

    `t_new` are moments 0.05 s apart, and markers stand 0.2 s apart in the reference. `place_off_s` is how
    far the reference is from showing what the new run shows (nan where the map is silent), `marker_off_s`
    how far the new run is from showing what the marker shows; a place shown for a while is right at any of
    its moments. `shown` says which of the new run's moments the reference shows, `supported` for which the
    map says so.
    """

    judged: Judged
    t_new: FloatArray
    shown: NDArray[np.bool_]
    supported: NDArray[np.bool_]
    place_off_s: FloatArray
    marker_off_s: FloatArray
    flagged: NDArray[np.bool_]

    def assert_accurate(self) -> None:
        """Median within 0.1 s and nine in ten within 0.3 s on either clock; no bad marker unflagged."""
        for off_s in (self.place_off_s, self.marker_off_s):
            known = off_s[np.isfinite(off_s)]
            assert known.size > 0
            assert np.median(known) <= 0.1
            assert np.percentile(known, 90) <= 0.3
        assert not ((self.marker_off_s > 0.5) & ~self.flagged).any()


def line_up(
    new: Filmed,
    ref: Filmed,
    *,
    model: Model = Model.CURVE,
    refine: RefineParams | None = RefineParams(),  # noqa: B008 (immutable)
) -> Outcome:
    """Match, fit and judge, and compare with where both rides were."""
    judged = fit_and_judge(_matched(new, ref, refine), FitParams(model=model), Gates())
    time_map = judged.alignment.time_map

    t_new = np.arange(0, new.duration_s, 0.05)
    first, last = ref.when_s(new.at_m(t_new))
    t_mapped = time_map.to_ref(t_new)
    supported = (t_mapped >= 0) & (t_mapped <= ref.duration_s)
    place_off_s = _outside(t_mapped, first, last)

    t_ref = np.arange(0, ref.duration_s, 0.2)
    placed = transfer(
        [Marker(f"m{k}", "", float(t)) for k, t in enumerate(t_ref)], time_map, judged.verdict.decision
    )
    t_placed = np.array([np.nan if m.t_new is None else m.t_new for m in placed])
    marker_off_s = _outside(t_placed, *new.when_s(ref.at_m(t_ref)))
    flagged = np.array([m.needs_review for m in placed])
    return Outcome(judged, t_new, np.isfinite(first), supported, place_off_s, marker_off_s, flagged)


@lru_cache(maxsize=64)
def _matched(new: Filmed, ref: Filmed, refine: RefineParams | None) -> Matching:
    return match(new.index, ref.index, refine)[0]


def _outside(t_s: FloatArray, first_s: FloatArray, last_s: FloatArray) -> FloatArray:
    """How far `t_s` lies outside the interval, 0 inside it, nan where either is not known."""
    return np.maximum(np.maximum(first_s - t_s, t_s - last_s), 0.0)
