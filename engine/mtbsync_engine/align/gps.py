"""Two GPS tracks of one trail, laid on each other in space.

First the stretches that both have are found (`gps_path`). Then every moment is set against the nearest
point of the reference nearby; by how much the receivers disagree (`gps_offset`) is taken out, and what is
left unknown of that is the result's error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.spatial import KDTree

from mtbsync_engine.align.gps_line import (
    WORST_ACCURACY_M,
    BoolArray,
    Line,
    Plane,
    knots,
    line_of,
    on_plane_of,
    place_at,
    points_of,
    squared,
    standing,
)
from mtbsync_engine.align.gps_offset import offset_between
from mtbsync_engine.align.gps_path import (
    GATE_M,
    HEADING_M,
    LEAST_LENGTH_M,
    Method,
    Stretch,
    stretches_in_common,
)
from mtbsync_engine.align.prior import Prior
from mtbsync_engine.model import FloatArray, Track

__all__ = ["SAME_PLACE_M", "GpsPrior", "Method", "align_tracks", "standing"]

_SAME_PLACE_OVERLAP = 0.3
SAME_PLACE_M = 25.0

# How far along the reference the nearest point may be from where the coarse path has it.
_SEARCH_M = 30
# Which way the line runs right here.
_LOCAL_M = 2.0
_HEADING_WINDOW_S = 2.0
_LEAST_MOVE_M = 1.5

# How far ahead or behind a place may be that still counts as beside the line.
_ABREAST_M = 3.0
_ROUNDS = 3
# A stretch long enough that the line's wiggles from its receiver's noise do not pass for bends: so long at
# least, and so many times what the tracks lie apart.
_TANGENT_M = 15.0
_TANGENT_PER_SEPARATION = 8.0


@dataclass(frozen=True, eq=False)
class GpsPrior(Prior):
    """Where two tracks put the new run on the reference.

    Arrays of length K: `t_new_s` strictly increasing; `t_ref_s` never decreasing, and `se_s` one standard
    error of it, both nan where not `valid`. `overlap` is the share of the shorter line that matches; below
    three tenths nothing is valid. Nor is anything where the reference passes in several laps and the tracks
    do not tell which of them is meant, though that is the same place. `separation_m` is the median distance
    sideways between the tracks where they match; where they do not, that of the shorter one's points from
    the other.
    """

    separation_m: float
    overlap: float

    @property
    def is_same_place(self) -> bool:
        """Whether three tenths or more of the shorter track run along the other, the same way and near."""
        return self.overlap >= _SAME_PLACE_OVERLAP and self.separation_m <= SAME_PLACE_M


def align_tracks(
    track_new: Track, track_ref: Track, *, method: Method = "local", clock_se_s: float = 0.3
) -> GpsPrior | None:
    """Find where the new run passes the reference's places, and when the reference was there.

    None where a track says nothing: it covers less than 30 m, or its accuracy is nowhere 20 m or better.
    `clock_se_s` is one standard error of how the two tracks lie on their recordings' clocks, in reference
    seconds. `method` "fastdtw" has the package of that name (Salvador and Chan 2007) find the coarse path;
    it joins the tracks' ends whether they fit or not.
    """
    new = on_plane_of(track_ref, track_new)
    line_new, line_ref = line_of(new), line_of(track_ref)
    if min(line_new.length_m, line_ref.length_m) < LEAST_LENGTH_M:
        return None
    shorter, longer = sorted((line_new, line_ref), key=lambda line: line.length_m)
    stretches = stretches_in_common(line_new, line_ref, method)
    overlap = sum(stretch.length_m for stretch in stretches) / shorter.length_m
    if overlap < _SAME_PLACE_OVERLAP:
        # Where two trails cross, or share an access road, their rides are not the same place.
        stretches = []
    t_new_s = knots(new)
    t_ref_s, se_s = np.full(t_new_s.size, np.nan), np.full(t_new_s.size, np.nan)
    coarse_m, certain = _coarse(t_new_s, line_new, stretches)
    near = np.flatnonzero(np.isfinite(coarse_m))
    found = _refined(new, track_ref, line_ref, t_new_s[near], coarse_m[near])
    t_ref_s[near], se_s[near] = found.t_ref_s, np.hypot(found.se_s, clock_se_s)
    t_ref_s[~certain], se_s[~certain] = np.nan, np.nan
    valid = np.isfinite(t_ref_s)
    if np.isfinite(found.lateral_m).any():
        separation_m = np.nanmedian(np.abs(found.lateral_m))
    else:
        separation_m = np.median(KDTree(points_of(longer)).query(points_of(shorter))[0])
    return GpsPrior(t_new_s, t_ref_s, se_s, valid, float(separation_m), float(overlap))


def _coarse(t_new_s: FloatArray, line_new: Line, stretches: list[Stretch]) -> tuple[FloatArray, BoolArray]:
    """Where on the reference line each moment is, to within a node or two, and whether in that lap for
    certain; nan and False outside the stretches. (K,)"""
    distance_m, certain = np.full(t_new_s.size, np.nan), np.zeros(t_new_s.size, np.bool_)
    for stretch in stretches:
        t_s = line_new.time(stretch.new_m)
        inside = (t_new_s >= t_s[0]) & (t_new_s <= t_s[-1])
        distance_m[inside] = np.interp(t_new_s[inside], t_s, stretch.ref_m)
        certain[inside] = np.interp(t_new_s[inside], t_s, stretch.certain) == 1
    return distance_m, certain


@dataclass(frozen=True, eq=False)
class _Refined:
    """For each moment of the new run its time on the reference, one standard error of it, and how far to
    the left of the reference line it lies; all (K,), nan where not to be told."""

    t_ref_s: FloatArray
    se_s: FloatArray
    lateral_m: FloatArray


def _refined(new: Track, ref: Track, line_ref: Line, t_new_s: FloatArray, coarse_m: FloatArray) -> _Refined:
    if not t_new_s.size:
        return _Refined(t_new_s, t_new_s, t_new_s)
    place, heading = place_at(new, t_new_s), _heading(new, t_new_s)
    accuracy_new_m = np.interp(t_new_s, new.t_s, new.accuracy_m)
    moving = ~standing(new, t_new_s)
    offset = np.zeros_like(place)
    reach_m = _TANGENT_M
    for _ in range(_ROUNDS):
        s_m = _nearest(line_ref, coarse_m, place - offset, heading)
        along = line_ref.heading(s_m, reach_m)
        lateral_m = ((place - line_ref.place(s_m)) * along.conj()).imag
        accuracy_ref_m = np.interp(line_ref.time(s_m), ref.t_s, ref.accuracy_m)
        valid = (np.abs(lateral_m) <= GATE_M) & _abreast(line_ref, s_m, place - offset)
        valid &= np.maximum(accuracy_new_m, accuracy_ref_m) <= WORST_ACCURACY_M
        # Accuracies are of the position in the plane; one direction has half the variance.
        variance_m2 = (accuracy_new_m**2 + accuracy_ref_m**2) / 2
        reach_m = max(_TANGENT_M, _TANGENT_PER_SEPARATION * float(np.median(np.abs(lateral_m))))
        offset, se_m = offset_between(t_new_s, lateral_m, along, valid & moving, variance_m2)
    s_m[valid] = isotonic_regression(s_m[valid], weights=1 / se_m[valid] ** 2).x
    unknown = np.where(valid, 0.0, np.nan)
    # Where the reference all but stands, a metre is many seconds, yet no more than it stood there.
    early_m, late_m = np.maximum(s_m - se_m, 0), np.minimum(s_m + se_m, line_ref.length_m)
    se_s = se_m * (line_ref.time(late_m) - line_ref.time(early_m)) / (late_m - early_m)
    return _Refined(line_ref.time(s_m) + unknown, se_s + unknown, lateral_m + unknown)


def _heading(track: Track, t_s: FloatArray) -> Plane:
    """Where the rider is heading: shorter than 1 where hardly moving, 0 at a stand. (K,)"""
    move = place_at(track, t_s + _HEADING_WINDOW_S / 2) - place_at(track, t_s - _HEADING_WINDOW_S / 2)
    return move / np.maximum(np.abs(move), _LEAST_MOVE_M)


def _nearest(line: Line, coarse_m: FloatArray, place: Plane, heading: Plane) -> FloatArray:
    """Distance along the line of the point nearest to each place, near `coarse_m`, the same way on. (K,)"""
    s_m = np.arange(0.0, line.length_m + 1.0)
    reach = np.arange(-_SEARCH_M, _SEARCH_M + 1)
    candidates = np.clip(np.rint(coarse_m).astype(np.int64)[:, None] + reach, 0, s_m.size - 1)
    turn = 1 - (heading[:, None] * line.heading(s_m, _LOCAL_M).conj()[candidates]).real
    # Squared, the turn rules out the wrong leg of a hairpin without a say within the right one.
    cost = squared(place[:, None] - line.place(s_m)[candidates]) + (HEADING_M * turn) ** 2
    rows = np.arange(coarse_m.size)
    k = np.clip(cost.argmin(axis=1), 1, reach.size - 2)
    before, at, after = (cost[rows, k + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    # The parabola through three costs, one metre apart, has its lowest point this far from the middle.
    shift_m = np.where(bend > 0, (before - after) / np.maximum(2 * bend, 1e-9), 0.0)
    nearest_m: FloatArray = s_m[candidates[rows, k]] + np.clip(shift_m, -1, 1)
    return np.clip(nearest_m, 0, line.length_m)


def _abreast(line: Line, s_m: FloatArray, place: Plane) -> BoolArray:
    """Whether each place lies beside the line at its distance, not ahead or behind as beyond an end or where
    the line cuts across a gap. (K,)"""
    apart = (place - line.place(s_m)) * line.heading(s_m, _LOCAL_M).conj()
    abreast: BoolArray = np.abs(apart.real) <= np.maximum(_ABREAST_M, np.abs(apart.imag) / 2)
    return abreast
