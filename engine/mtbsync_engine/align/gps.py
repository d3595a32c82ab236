"""Two GPS tracks of one trail, laid on each other in space.

The lines that the two runs drew are compared place by place and direction by direction, so it does not
matter how fast either was ridden. A local alignment (Smith and Waterman 1981) over points at equal
distances finds the stretches that pass the same places the same way in the same order. Then every moment
is set against the nearest point of the reference nearby. How far the two lie apart sideways, in one bend
after the other, tells how the errors of two days' receivers differ in every direction: that difference is
estimated over time by a Kalman smoother and taken out, and what is left unknown of it is the result's error.

Places are complex numbers here, metres east + 1j * metres north, and headings complex numbers of length 1.

Where the trail is ridden in laps and one run has more of them than the other, nothing in the tracks says
which lap is meant; the first that fits best is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from fastdtw import fastdtw
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression
from scipy.spatial import KDTree

from mtbsync_engine.model import FloatArray, Track
from mtbsync_engine.telemetry.gpx import from_plane, to_plane

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Plane = NDArray[np.complex128]
Single = NDArray[np.float32]
Method = Literal["local", "fastdtw"]

KNOT_SPACING_S = 0.5
# Two receivers that err by 15 m each, as between houses, may still be at one place.
_GATE_M = 40.0
# A position as uncertain as this says nothing about where the rider is.
_WORST_ACCURACY_M = 20.0
_LEAST_LENGTH_M = 30.0
_SAME_PLACE_OVERLAP = 0.3
SAME_PLACE_M = 25.0

_STANDING_MPS = 0.7
_STANDING_S = 3.0
_STANDING_WINDOWS_S = np.linspace(-_STANDING_S, 0.0, 7)

_NODE_SPACING_M = 5.0
# Of the alignment's table: 100 MB.
_MAX_CELLS = 20_000_000
# Where a match begins to be worth markedly less than a perfect one, which earns 1 a node.
_NEAR_M = 5.0
# Cost of each node that one line has and the other lacks, and of going elsewhere on the reference.
_SKIP_COST = 0.5
_JUMP_COST_M = 50.0
# How much better the tracks must fit when one is ridden backwards, for that to be what happened: along the
# bends of a hillside single legs fit their neighbours.
_WRONG_WAY = 1.5
_START, _STAY, _ADVANCE, _JUMP = range(4)

# How far along the reference the nearest point may be from where the coarse path has it.
_SEARCH_M = 30
# Which way the line runs right here.
_LOCAL_M = 2.0
# What riding the other way weighs against being elsewhere.
_HEADING_M = 10.0
_HEADING_WINDOW_S = 2.0
_LEAST_MOVE_M = 1.5

# How far ahead or behind a place may be that still counts as beside the line.
_ABREAST_M = 3.0
_ROUNDS = 3
# A stretch long enough that the line's wiggles from its receiver's noise do not pass for bends: so long at
# least, and so many times what the tracks lie apart.
_TANGENT_M = 15.0
_TANGENT_PER_SEPARATION = 8.0
# Receivers err in two parts: what lasts for minutes, and what passes with the next trees.
_SLOW_S, _FAST_S = 120.0, 10.0
# Variance of two riders' lines on one trail, as a share of the fast part's.
_LINE_CHOICE = 0.05
_SIGHTING_SPACING_S = 2.0
# Offsets this far apart count as independent of each other, and what the receivers claim as so many of them.
_INDEPENDENT_S = 30.0
_CLAIM_WEIGHT = 2.0
_FAST_PASSES = 3
# Errors were this much larger than the smoother knows, on rides with known truth.
_MODEL_ERROR = 1.2


@dataclass(frozen=True, eq=False)
class GpsPrior:
    """Where two tracks put the new run on the reference.

    Arrays of length K: `t_new_s` strictly increasing; `t_ref_s` never decreasing, and `se_s` one standard
    error of it, both nan where not `valid`. `overlap` is the share of the shorter line that matches; below
    three tenths nothing is valid. `separation_m` is the median distance sideways between the tracks where
    they match; where nothing is valid, that of the shorter one's points from the other.
    """

    t_new_s: FloatArray
    t_ref_s: FloatArray
    se_s: FloatArray
    valid: BoolArray
    separation_m: float
    overlap: float

    @property
    def is_same_place(self) -> bool:
        """Whether three tenths or more of the shorter track run along the other, the same way and near."""
        return self.overlap >= _SAME_PLACE_OVERLAP and self.separation_m <= SAME_PLACE_M

    def at(self, t_new_s: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """t_ref_s and its standard error at any times of the new run; nan where the tracks do not tell."""
        t = np.asarray(t_new_s, dtype=np.float64)
        return (
            np.interp(t, self.t_new_s, self.t_ref_s, left=np.nan, right=np.nan),
            np.interp(t, self.t_new_s, self.se_s, left=np.nan, right=np.nan),
        )


def standing(track: Track, t_s: ArrayLike) -> BoolArray:
    """Whether each `t_s` lies in three seconds over which the rider gets on at less than 0.7 m/s.

    Where the track does not tell, before it, after it and in long gaps, nobody is said to stand.
    """
    t = np.asarray(t_s, dtype=np.float64)
    begin = t[..., None] + _STANDING_WINDOWS_S
    begin, end = (np.clip(edge, track.t_s[0], track.t_s[-1]) for edge in (begin, begin + _STANDING_S))
    # By way of the middle, else a sharp hairpin looks like a stand.
    by_way = np.stack([_place(track, when) for when in (begin, (begin + end) / 2, end)])
    slow = np.abs(np.diff(by_way, axis=0)).sum(axis=0) < _STANDING_MPS * (end - begin)
    known = np.interp(t, track.t_s, track.accuracy_m, left=np.inf, right=np.inf) <= _WORST_ACCURACY_M
    still: BoolArray = known & slow.any(axis=-1)
    return still


def align_tracks(
    track_new: Track, track_ref: Track, *, method: Method = "local", clock_se_s: float = 0.3
) -> GpsPrior | None:
    """Find where the new run passes the reference's places, and when the reference was there.

    None where a track says nothing: it covers less than 30 m, or its accuracy is nowhere 20 m or better.
    `clock_se_s` is one standard error of how the two tracks lie on their recordings' clocks, in reference
    seconds. `method` "fastdtw" has the package of that name (Salvador and Chan 2007) find the coarse path;
    it joins the tracks' ends whether they fit or not.
    """
    new = _on_plane_of(track_ref, track_new)
    line_new, line_ref = _line(new), _line(track_ref)
    if min(line_new.length_m, line_ref.length_m) < _LEAST_LENGTH_M:
        return None
    shorter, longer = sorted((line_new, line_ref), key=lambda line: line.length_m)
    stretches = _stretches(line_new, line_ref, method)
    overlap = sum(min(np.ptp(s_new), np.ptp(s_ref)) for s_new, s_ref in stretches) / shorter.length_m
    if overlap < _SAME_PLACE_OVERLAP:
        # Where two trails cross, or share an access road, their rides are not the same place.
        stretches = []
    t_new_s = _knots(new)
    t_ref_s, se_s = np.full(t_new_s.size, np.nan), np.full(t_new_s.size, np.nan)
    coarse_m = _distance_along_ref(t_new_s, line_new, stretches)
    near = np.flatnonzero(np.isfinite(coarse_m))
    found = _refined(new, track_ref, line_ref, t_new_s[near], coarse_m[near])
    t_ref_s[near], se_s[near] = found.t_ref_s, np.hypot(found.se_s, clock_se_s)
    valid = np.isfinite(t_ref_s)
    if valid.any():
        separation_m = np.nanmedian(np.abs(found.lateral_m))
    else:
        separation_m = np.median(KDTree(_points(longer)).query(_points(shorter))[0])
    return GpsPrior(t_new_s, t_ref_s, se_s, valid, float(separation_m), float(overlap))


# --- lines ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Line:
    """What a track drew on the ground, without its stops and what is uncertain: places at distances `s_m`
    along it, and the times `t_s` it was there; all (n,)."""

    s_m: FloatArray
    t_s: FloatArray
    place_m: Plane

    @property
    def length_m(self) -> float:
        return float(self.s_m[-1]) if self.s_m.size else 0.0

    def place(self, s_m: FloatArray) -> Plane:
        """The place at each distance; beyond the ends, the ends."""
        return np.interp(s_m, self.s_m, self.place_m)

    def heading(self, s_m: FloatArray, reach_m: float) -> Plane:
        """The heading from `reach_m` before each distance to `reach_m` after it."""
        step = self.place(s_m + reach_m) - self.place(s_m - reach_m)
        # A line may turn back on itself, and then has none.
        return step / np.maximum(np.abs(step), 1e-6)

    def time(self, s_m: FloatArray) -> FloatArray:
        """When the rider was at each distance."""
        return np.interp(s_m, self.s_m, self.t_s)


def _line(track: Track) -> _Line:
    t_s = _knots(track)
    accuracy_m = np.interp(t_s, track.t_s, track.accuracy_m)
    t_s = t_s[(accuracy_m <= _WORST_ACCURACY_M) & ~standing(track, t_s)]
    place_m = _place(track, t_s)
    return _Line(np.cumsum(np.abs(np.diff(place_m, prepend=place_m[:1]))), t_s, place_m)


def _knots(track: Track) -> FloatArray:
    """Times from the track's first to its last, half a second apart or a little less."""
    n_steps = math.ceil((track.t_s[-1] - track.t_s[0]) / KNOT_SPACING_S)
    return np.linspace(track.t_s[0], track.t_s[-1], n_steps + 1)


def _on_plane_of(other: Track, track: Track) -> Track:
    """The same track in metres from the other's origin."""
    lat_deg, lon_deg = from_plane(track.east_m, track.north_m, track.origin_lat_deg, track.origin_lon_deg)
    origin = other.origin_lat_deg, other.origin_lon_deg
    east_m, north_m = to_plane(lat_deg, lon_deg, *origin)
    return replace(track, east_m=east_m, north_m=north_m, origin_lat_deg=origin[0], origin_lon_deg=origin[1])


def _place(track: Track, t_s: FloatArray) -> Plane:
    places: Plane = track.east_m + 1j * track.north_m
    return np.interp(t_s, track.t_s, places)


def _points(line: _Line) -> FloatArray:
    return np.column_stack([line.place_m.real, line.place_m.imag])


# --- the coarse path: which stretches belong together ----------------------------------------------


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Points of a line at equal distances, (n,)."""

    place_m: Plane
    heading: Plane
    spacing_m: float

    def __len__(self) -> int:
        return len(self.place_m)

    def backwards(self) -> _Nodes:
        """The same line ridden the other way."""
        return _Nodes(self.place_m[::-1], -self.heading[::-1], self.spacing_m)


@dataclass(frozen=True, eq=False)
class _Path:
    """Nodes `i_new` and `j_ref` that belong together, in riding order, and how well they fit in all; (p,)."""

    i_new: IntArray
    j_ref: IntArray
    score: float


def _stretches(line_new: _Line, line_ref: _Line, method: Method) -> list[tuple[FloatArray, FloatArray]]:
    """Distances along both lines that belong together, stretch by stretch, in riding order."""
    spacing_m = max(_NODE_SPACING_M, math.sqrt(line_new.length_m * line_ref.length_m / _MAX_CELLS))
    s_new, s_ref = (np.arange(0.0, line.length_m, spacing_m) for line in (line_new, line_ref))
    new, ref = _nodes(line_new, s_new, spacing_m), _nodes(line_ref, s_ref, spacing_m)
    find_path = _fastdtw_path if method == "fastdtw" else _local_path
    path = find_path(new, ref)
    # A path scores at most one a node, so that one which fits well needs no comparison.
    if _WRONG_WAY * path.score < len(new) and (
        find_path(new.backwards(), ref).score > _WRONG_WAY * path.score
    ):
        return []
    breaks = 1 + np.flatnonzero((np.diff(path.i_new) > 1) | (np.diff(path.j_ref) * spacing_m > _JUMP_COST_M))
    pieces = zip(np.split(s_new[path.i_new], breaks), np.split(s_ref[path.j_ref], breaks), strict=True)
    return [(a, b) for a, b in pieces if a.size and min(np.ptp(a), np.ptp(b)) >= _LEAST_LENGTH_M]


def _nodes(line: _Line, s_m: FloatArray, spacing_m: float) -> _Nodes:
    return _Nodes(line.place(s_m), line.heading(s_m, spacing_m), spacing_m)


def _match(new: _Nodes, i: int | IntArray, ref: _Nodes, j: slice | IntArray) -> FloatArray:
    """How well nodes fit: 1 at one place with one heading, 0 at the gate or at right angles, less beyond."""
    apart_m2 = _squared(new.place_m[i] - ref.place_m[j])
    nearness = 1 - np.log1p(apart_m2 / _NEAR_M**2) / math.log1p((_GATE_M / _NEAR_M) ** 2)
    cos_turn = (new.heading[i] * ref.heading[j].conj()).real
    fit: FloatArray = nearness - (1 - cos_turn)
    return fit


def _local_path(new: _Nodes, ref: _Nodes) -> _Path:
    """The monotone path of greatest score through all pairs of nodes, free to begin and end anywhere.

    Each of the new run's nodes takes the same place on the reference as the one before, or one further
    on at a cost for every node skipped; or, for a fixed cost, the path leaves both lines and takes them up
    again later. Whatever comes before a negative score is dropped. Time and table are len(new) * len(ref).
    """
    n_ref = len(ref)
    jump_cost = _JUMP_COST_M / ref.spacing_m
    ramp = (_SKIP_COST * np.arange(n_ref)).astype(np.float32)
    score = np.empty((len(new), n_ref), dtype=np.float32)
    move = np.empty((len(new), n_ref), dtype=np.uint8)
    options = np.zeros((4, n_ref), dtype=np.float32)
    row, best_before = np.zeros(n_ref, dtype=np.float32), np.zeros(n_ref, dtype=np.float32)
    for i in range(len(new)):
        options[_STAY] = row - _SKIP_COST
        options[_ADVANCE, 1:] = np.maximum.accumulate(row + ramp)[:-1] - ramp[:-1]
        options[_JUMP, 1:] = np.maximum.accumulate(best_before)[:-1] - jump_cost
        move[i] = options.argmax(axis=0)
        row = score[i] = options.max(axis=0) + _match(new, i, ref, slice(None))
        best_before = np.maximum(best_before, row)
    return _traced(score, move, ramp)


def _traced(score: Single, move: NDArray[np.uint8], ramp: Single) -> _Path:
    """Follow the moves back from the greatest score."""
    i, j = divmod(int(score.argmax()), score.shape[1])
    path = [(i, j)]
    while i > 0 and move[i, j] != _START:
        if move[i, j] == _JUMP:
            i, j = divmod(int(score[:i, :j].argmax()), j)
        elif move[i, j] == _ADVANCE:
            i, j = i - 1, int((score[i - 1, :j] + ramp[:j]).argmax())
        else:
            i -= 1
        path.append((i, j))
    i_new, j_ref = np.array(path[::-1]).T
    return _Path(i_new, j_ref, float(score.max()))


def _fastdtw_path(new: _Nodes, ref: _Nodes) -> _Path:
    """What fastdtw pairs, less the pairs that do not fit; each new node keeps the one that fits best."""
    features = [
        np.column_stack([z.real, z.imag, _HEADING_M * h.real, _HEADING_M * h.imag])
        for z, h in ((new.place_m, new.heading), (ref.place_m, ref.heading))
    ]
    _, pairs = fastdtw(*features, dist=2)
    i, j = np.array(pairs).T
    match = _match(new, i, ref, j)
    best_first = np.lexsort((-match, i))
    best_first = best_first[match[best_first] > 0]
    i_new, first = np.unique(i[best_first], return_index=True)
    kept = best_first[first]
    return _Path(i_new, j[kept], float(match[kept].sum()))


def _distance_along_ref(
    t_new_s: FloatArray, line_new: _Line, stretches: list[tuple[FloatArray, FloatArray]]
) -> FloatArray:
    """Where on the reference line each moment is, to within a node or two; nan outside the stretches."""
    distance_m = np.full(t_new_s.size, np.nan)
    for s_new, s_ref in stretches:
        t_s = line_new.time(s_new)
        inside = (t_new_s >= t_s[0]) & (t_new_s <= t_s[-1])
        distance_m[inside] = np.interp(t_new_s[inside], t_s, s_ref)
    return distance_m


# --- the fine map: moment by moment ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Refined:
    """For each moment of the new run its time on the reference, one standard error of it, and how far to
    the left of the reference line it lies; all (K,), nan where not to be told."""

    t_ref_s: FloatArray
    se_s: FloatArray
    lateral_m: FloatArray


def _refined(new: Track, ref: Track, line_ref: _Line, t_new_s: FloatArray, coarse_m: FloatArray) -> _Refined:
    if not t_new_s.size:
        return _Refined(t_new_s, t_new_s, t_new_s)
    place, heading = _place(new, t_new_s), _heading(new, t_new_s)
    accuracy_new_m = np.interp(t_new_s, new.t_s, new.accuracy_m)
    moving = ~standing(new, t_new_s)
    offset = np.zeros_like(place)
    reach_m = _TANGENT_M
    for _ in range(_ROUNDS):
        s_m = _nearest(line_ref, coarse_m, place - offset, heading)
        along = line_ref.heading(s_m, reach_m)
        lateral_m = ((place - line_ref.place(s_m)) * along.conj()).imag
        accuracy_ref_m = np.interp(line_ref.time(s_m), ref.t_s, ref.accuracy_m)
        valid = (np.abs(lateral_m) <= _GATE_M) & _abreast(line_ref, s_m, place - offset)
        valid &= np.maximum(accuracy_new_m, accuracy_ref_m) <= _WORST_ACCURACY_M
        # Accuracies are of the position in the plane; one direction has half the variance.
        variance_m2 = (accuracy_new_m**2 + accuracy_ref_m**2) / 2
        reach_m = max(_TANGENT_M, _TANGENT_PER_SEPARATION * float(np.median(np.abs(lateral_m))))
        offset, se_m = _offset(t_new_s, lateral_m, along, valid & moving, variance_m2)
    s_m[valid] = isotonic_regression(s_m[valid], weights=1 / se_m[valid] ** 2).x
    unknown = np.where(valid, 0.0, np.nan)
    # Where the reference all but stands, a metre is many seconds, yet no more than it stood there.
    early_m, late_m = np.maximum(s_m - se_m, 0), np.minimum(s_m + se_m, line_ref.length_m)
    se_s = se_m * (line_ref.time(late_m) - line_ref.time(early_m)) / (late_m - early_m)
    return _Refined(line_ref.time(s_m) + unknown, se_s + unknown, lateral_m + unknown)


def _heading(track: Track, t_s: FloatArray) -> Plane:
    """Where the rider is heading: shorter than 1 where hardly moving, 0 at a stand. (K,)"""
    move = _place(track, t_s + _HEADING_WINDOW_S / 2) - _place(track, t_s - _HEADING_WINDOW_S / 2)
    return move / np.maximum(np.abs(move), _LEAST_MOVE_M)


def _nearest(line: _Line, coarse_m: FloatArray, place: Plane, heading: Plane) -> FloatArray:
    """Distance along the line of the point nearest to each place, near `coarse_m`, the same way on. (K,)"""
    s_m = np.arange(0.0, line.length_m + 1.0)
    reach = np.arange(-_SEARCH_M, _SEARCH_M + 1)
    candidates = np.clip(np.rint(coarse_m).astype(np.int64)[:, None] + reach, 0, s_m.size - 1)
    turn = 1 - (heading[:, None] * line.heading(s_m, _LOCAL_M).conj()[candidates]).real
    # Squared, the turn rules out the wrong leg of a hairpin without a say within the right one.
    cost = _squared(place[:, None] - line.place(s_m)[candidates]) + (_HEADING_M * turn) ** 2
    rows = np.arange(coarse_m.size)
    k = np.clip(cost.argmin(axis=1), 1, reach.size - 2)
    before, at, after = (cost[rows, k + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    # The parabola through three costs, one metre apart, has its lowest point this far from the middle.
    shift_m = np.where(bend > 0, (before - after) / np.maximum(2 * bend, 1e-9), 0.0)
    nearest_m: FloatArray = s_m[candidates[rows, k]] + np.clip(shift_m, -1, 1)
    return np.clip(nearest_m, 0, line.length_m)


# --- what the receivers disagree by -----------------------------------------------------------------


def _abreast(line: _Line, s_m: FloatArray, place: Plane) -> BoolArray:
    """Whether each place lies beside the line at its distance, not ahead or behind as beyond an end or where
    the line cuts across a gap. (K,)"""
    apart = (place - line.place(s_m)) * line.heading(s_m, _LOCAL_M).conj()
    abreast: BoolArray = np.abs(apart.real) <= np.maximum(_ABREAST_M, np.abs(apart.imag) / 2)
    return abreast


def _offset(
    t_s: FloatArray, lateral_m: FloatArray, along: Plane, sighted: BoolArray, variance_m2: FloatArray
) -> tuple[Plane, FloatArray]:
    """By how much the new track is off the reference's, and one standard error of that along the trail. (K,)

    It is a slow and a fast Ornstein-Uhlenbeck process, alike in every direction. How large the slow one is
    follows from how far apart the tracks lie and from `variance_m2`, what the receivers claim; how large the
    fast one is, from how little the sightings so far foretell the next.
    """
    k = np.arange(0, t_s.size, round(_SIGHTING_SPACING_S / KNOT_SPACING_S))
    seen = sighted[k]
    # Where nothing is sighted, no direction is looked in.
    across, lateral_m = np.where(seen, 1j * along[k], 0), np.where(seen, lateral_m[k], 0.0)
    n_seen = int(seen.sum())
    n_independent = n_seen * _SIGHTING_SPACING_S / _INDEPENDENT_S
    claimed_m2 = float(np.median(variance_m2))
    seen_m2 = float((lateral_m**2).sum()) / max(n_seen, 1)
    slow_m2 = (_CLAIM_WEIGHT * claimed_m2 + n_independent * seen_m2) / (_CLAIM_WEIGHT + n_independent)
    fast_m2 = claimed_m2
    for _ in range(_FAST_PASSES):
        filtered = _filtered(t_s[k], across, lateral_m, slow_m2, fast_m2)
        fast_m2 *= (_CLAIM_WEIGHT + filtered.surprise[seen].sum()) / (_CLAIM_WEIGHT + n_seen)
    mean, cov = _smoothed(filtered)
    wanted = _components(along[k])
    along_m2 = np.einsum("ki,kij,kj->k", wanted, cov, wanted) + _LINE_CHOICE * fast_m2
    offset: Plane = mean[:, 0] + mean[:, 2] + 1j * (mean[:, 1] + mean[:, 3])
    worse_m2 = np.maximum(variance_m2 - claimed_m2, 0)
    se_m: FloatArray = _MODEL_ERROR * np.sqrt(np.interp(t_s, t_s[k], along_m2) + worse_m2)
    return np.interp(t_s, t_s[k], offset), se_m


def _components(direction: Plane) -> FloatArray:
    """What each state adds to the offset in a direction: slow east and north, fast east and north. (n, 4)"""
    return np.column_stack([direction.real, direction.imag, direction.real, direction.imag])


@dataclass(frozen=True, eq=False)
class _Filtered:
    """A Kalman filter's states (n, 4) and covariances (n, 4, 4), before and after each sighting.

    `keeps` (n, 4) is the share of each state that is left from one sighting to the next, `surprise` (n,)
    the square of what the earlier ones did not foretell, over the variance expected of it.
    """

    keeps: FloatArray
    mean_before: FloatArray
    cov_before: FloatArray
    mean: FloatArray
    cov: FloatArray
    surprise: FloatArray


def _filtered(
    t_s: FloatArray, across: Plane, lateral_m: FloatArray, slow_m2: float, fast_m2: float
) -> _Filtered:
    """Kalman filter of the offset's states, seen across the trail only."""
    n = t_s.size
    out = _Filtered(
        np.exp(-np.diff(t_s, prepend=t_s[0])[:, None] / [_SLOW_S, _SLOW_S, _FAST_S, _FAST_S]),
        mean_before=np.empty((n, 4)),
        cov_before=np.empty((n, 4, 4)),
        mean=np.empty((n, 4)),
        cov=np.empty((n, 4, 4)),
        surprise=np.empty(n),
    )
    looks = _components(across)
    stationary = np.diag([slow_m2, slow_m2, fast_m2, fast_m2])
    mean, cov = np.zeros(4), stationary
    for k in range(n):
        keeps, look = out.keeps[k], looks[k]
        mean, cov = keeps * mean, stationary + np.outer(keeps, keeps) * (cov - stationary)
        out.mean_before[k], out.cov_before[k] = mean, cov
        seen = cov @ look
        expected_m2 = look @ seen + _LINE_CHOICE * fast_m2
        error_m = lateral_m[k] - look @ mean
        mean, cov = mean + seen * (error_m / expected_m2), cov - np.outer(seen, seen / expected_m2)
        out.mean[k], out.cov[k] = mean, cov
        out.surprise[k] = error_m**2 / expected_m2
    return out


def _smoothed(filtered: _Filtered) -> tuple[FloatArray, FloatArray]:
    """States (n, 4) and covariances (n, 4, 4) given all sightings, after Rauch, Tung and Striebel (1965)."""
    mean, cov = filtered.mean.copy(), filtered.cov.copy()
    for k in range(len(mean) - 2, -1, -1):
        carried = filtered.keeps[k + 1][:, None] * filtered.cov[k]
        gain = np.linalg.solve(filtered.cov_before[k + 1], carried).T
        mean[k] += gain @ (mean[k + 1] - filtered.mean_before[k + 1])
        cov[k] += gain @ (cov[k + 1] - filtered.cov_before[k + 1]) @ gain.T
    return mean, cov


def _squared(z: Plane) -> FloatArray:
    return z.real**2 + z.imag**2
