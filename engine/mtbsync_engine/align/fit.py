"""From scattered sightings to one smooth, strictly increasing time map with an honest error.

The curve is fitted along `u = (t_new + t_ref) / 2`, as `d(u) = t_ref - t_new`: a rider who stands still in
either run stretches one clock against the other without end, but `d` never changes by more than 2 per
unit of `u`, so stops need no special care. `d` is an integrated random walk seen through noise, solved by
a Kalman filter and the smoother of Rauch, Tung and Striebel (1965). The noise has Student's heavy tails, by
iterated reweighting (Lange, Little and Taylor 1989), and the walk is as restless as makes the sightings
likeliest. Where a person says which moments are at the same place, the curve passes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.optimize import isotonic_regression

from mtbsync_engine.align.anchors import PACE_CHANGE, heeded
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.model import (
    ANCHOR_SE_S,
    Alignment,
    FloatArray,
    MatchedPairs,
    Matching,
    Model,
    TimeMap,
)

MIN_PAIRS = 4
# Anchors that will do without sightings.
_MIN_ANCHORS = 2
_INLIER_SPACING = 0.6
# Changes of d' per square root of a second, from one pace held throughout to a rider who brakes all the time.
_RESTLESSNESS = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
_USUAL_WALK = 2
_DEGREES_OF_FREEDOM = 4.0
_REWEIGHTINGS = 5
# Sightings that are compared with each other before there is a curve, and how far off a gross error is: far
# enough that a rider who comes to a halt commits none.
_AROUND = 11
_GROSS_S = 0.5
_RESCALINGS = 2
# By how much the errors claimed for a kind of sighting may be raised to what they turn out to be. Never
# lowered: neighbouring sightings that err together look better than they are.
_SCALE_RANGE = (1.0, 4.0)
# Kinds of sightings: of the pictures, by their key points or as a whole, of other witnesses, and a person's.
_VERIFIED, _WHOLE, _OTHER, _ANCHOR = range(4)
# Sightings around an anchor err together, and many of them must not outvote it: it is held so much faster
# than its error asks for.
_HELD = 0.1
_FIRST_VARIANCE = 1e4
_FIRST_SLOPE_VARIANCE = 1.0
# What averaging does not take away: the share of each sighting's error that its neighbours have too (the
# rider's other line, the light from another side), larger where no key points were verified, and larger
# still where hardly any were in the whole run, so that nothing shows what likeness is worth in it; and a
# rest that all sightings have (a rolling shutter).
_SHARED_VERIFIED, _SHARED_WHOLE, _SHARED_UNPROVEN = 1.0, 1.0, 2.0
HARDLY_ANY_VERIFIED = 0.1
_SYSTEMATIC_S = 0.01
_LEAST_RISE_S = 1e-6
# Rounding never takes the first sighting of a stretch out of it.
_EDGE_S = 1e-6
# Of the error that follows from all this near verified sightings, so much was found on made rides, so that
# nine in ten errors stay within what is stated for them (conformal prediction; Vovk et al. 2005).
_FOUND_OF_STATED = 0.4
# Key points that agree in a typical picture of those rides.
_FOUND_AT_INLIERS = 25
# Sightings that are looked at together for what the curve leaves over.
_NEIGHBOURS = 5
# Further than this from any sighting nothing is seen.
_UNSEEN_S = 1.0
_KNOWS_NOTHING_S = 1e3
# Where the runs part is known to about a second only, and less well where they meet again: for some metres
# before, the view ahead is the same already.
_PARTING_S = 1.0
_MEETING_S = 2.0
_PARTING_ERROR_S = 0.6
# Where the reference stands still its clock runs away; the error of t_ref does so only this far.
_MAX_PACE = 10.0
# How far a normal error strays in four cases of five, in standard errors.
_FOUR_IN_FIVE = 1.2816
# One standard error of the pace beyond the last sighting.
_REACH_ERROR = 0.25


@dataclass(frozen=True, eq=False)
class _Smoothed:
    """`d`, its slope and the variance of `d` at each `u` (K,)."""

    d: FloatArray
    slope: FloatArray
    variance: FloatArray


@dataclass(frozen=True)
class FitParams:
    """Which family of maps is fitted, and how.

    `inlier_thresh_s` is how far from the map a sighting may lie and still count for it: it steers the
    affine fit, and the share of inliers that is reported; None is 0.6 of the time between pictures.
    `ransac_iters` and `seed` are the affine fit's.
    """

    model: Model = Model.CURVE
    inlier_thresh_s: float | None = None
    ransac_iters: int = 500
    seed: int = 0


def fit(matching: Matching, params: FitParams) -> Alignment:
    """Lay a time map of the wanted family through what the runs have in common.

    A curve passes its anchors, and sightings that contradict them are left out. Where anchors reach further
    than the sightings, the curve goes on to them, and its error grows in between as where nothing is seen.
    A straight line comes as near to two anchors or more as it can, whatever the sightings say, and passes
    a single one.

    Raises:
        AlignmentError: fewer than four sightings and fewer than two anchors, none that agree on a rising
            line, or anchors that contradict each other.
    """
    matching, refuted = heeded(matching)
    pairs = matching.pairs
    if len(pairs) < MIN_PAIRS and len(matching.anchors) < _MIN_ANCHORS:
        raise AlignmentError(_too_little(matching))
    thresh_s = params.inlier_thresh_s or _INLIER_SPACING * 2 * matching.reach_s
    time_map = (
        _fit_affine(matching, params, thresh_s)
        if params.model is Model.AFFINE
        else _fit_curve(matching, refuted)
    )
    residual_s = pairs.t_ref - np.interp(pairs.t_new, time_map.t_new, time_map.t_ref)
    return Alignment(params.model, time_map, matching, residual_s, thresh_s)


def _too_little(matching: Matching) -> str:
    n_pairs = len(matching.pairs)
    if matching.anchors:
        return (
            f"Beside the place that was marked as the same, only {n_pairs} moments of the two runs match. "
            "If it is right, mark another one well away from it; if not, take it away."
        )
    return f"Only {n_pairs} moments of the two runs match, and {MIN_PAIRS} are needed to line them up."


@dataclass(frozen=True, eq=False)
class _Sightings:
    """All that is known, in order of `u`: `d` with one standard error of t_ref, of which kind it is, and
    in which stretch; (K,)."""

    u: FloatArray
    d: FloatArray
    se_ref: FloatArray
    kind: NDArray[np.int64]
    stretch: NDArray[np.int64]

    @property
    def meets(self) -> NDArray[np.bool_]:
        """Whether the runs meet again there (K,)."""
        return np.diff(self.stretch, prepend=0) > 0

    def at(self, rows: NDArray[np.bool_]) -> _Sightings:
        """Only those that `rows` (K,) says."""
        return _Sightings(self.u[rows], self.d[rows], self.se_ref[rows], self.kind[rows], self.stretch[rows])


@dataclass(frozen=True, eq=False)
class _Learnt:
    """What sightings tell of themselves: one standard error of t_ref (K,), how much of it leads off the
    curve, as one of `d` (K,), and which number of `_RESTLESSNESS` is theirs."""

    se_ref: FloatArray
    se: FloatArray
    walk: int


def _fit_curve(matching: Matching, refuted: MatchedPairs) -> TimeMap:
    sightings = _sightings(matching)
    is_anchor = sightings.kind == _ANCHOR
    # An anchor tells nothing of how sightings err, nor of the pace elsewhere.
    learnt = _learnt(sightings.at(~is_anchor))
    se_ref, se = sightings.se_ref.copy(), sightings.se_ref.copy()
    se_ref[~is_anchor], se[~is_anchor] = learnt.se_ref, learnt.se
    smoothed, _ = _smoothed_as(_RESTLESSNESS[learnt.walk], sightings, se)
    u, d, kind = sightings.u, sightings.d, sightings.kind
    found = _found_of_stated(matching, (se_ref / sightings.se_ref)[kind == _VERIFIED])
    unsure = _unsure(u, is_anchor)
    variance = (
        _honest(smoothed.variance, u, se, kind, found, unsure)
        + (unsure * _left_over(u, d - smoothed.d, se, kind)) ** 2
        + ((1 - unsure) * ANCHOR_SE_S) ** 2
        + _doubt(refuted, sightings, smoothed.d) ** 2
    )
    smoothed = replace(smoothed, variance=variance)
    u, smoothed = _with_reach(u, smoothed, matching.reach_s)
    rows = 1 + np.flatnonzero(is_anchor)
    at_new, at_ref = np.array([(a.t_new_s, a.t_ref_s) for a in matching.anchors]).reshape(-1, 2).T
    t_new = _rising(u - smoothed.d / 2, smoothed.variance, rows, at_new)
    t_ref = _rising(u + smoothed.d / 2, smoothed.variance, rows, at_ref)
    pace = np.minimum(np.gradient(t_ref, t_new), _MAX_PACE)
    # An error of d moves the curve askew: at a given t_new only this much of it shows in t_ref.
    se_ref_s = np.sqrt(smoothed.variance) * (1 + pace) / 2
    support = _support(matching, t_new)
    # What lies between the last knot before runs part and the first after they meet, neither run vouches for.
    inner = [_nearest(t_new, edge) for stretch in support for edge in stretch][1:-1]
    edges = [support[0][0], *inner, support[-1][1]]
    support = tuple(zip(edges[::2], edges[1::2], strict=True))
    parting_s = _wrapped(unsure, np.ones(2)) * _parting_error(matching, support, t_new, t_ref)
    return TimeMap(t_new, t_ref, np.hypot(se_ref_s, parting_s), support)


def _learnt(sightings: _Sightings) -> _Learnt:
    se, se_ref, kind = sightings.se_ref, sightings.se_ref, sightings.kind
    walk = _USUAL_WALK
    if np.isin(kind, (_VERIFIED, _WHOLE)).sum() < MIN_PAIRS:
        return _Learnt(se_ref, se, walk)
    smoothed, walk = _robustly_smoothed(sightings, se, walk)
    for _ in range(_RESCALINGS):
        se_ref = se_ref * _claimed_too_little(sightings.d - smoothed.d, se, kind)
        # An error of t_ref moves a sighting along u as well: only this much of it leads off the curve.
        se = se_ref * np.clip(1 - smoothed.slope / 2, 2 / (1 + _MAX_PACE), 2)
        smoothed, walk = _robustly_smoothed(sightings, se, walk)
    return _Learnt(se_ref, se, walk)


def _nearest(knots: FloatArray, t_s: float) -> float:
    """The one of `knots` (K,) that is nearest to `t_s`."""
    return float(knots[np.abs(knots - t_s).argmin()])


def _parting_error(
    matching: Matching, support: tuple[tuple[float, float], ...], t_new: FloatArray, t_ref: FloatArray
) -> FloatArray:
    """What is added to the error at each `t_new` and `t_ref` near where the runs part or meet (K,)."""
    begins, ends = np.array(support).T
    meet_s, part_s = begins[begins > _PARTING_S], ends[ends < matching.duration_new_s - _PARTING_S]
    is_near = np.zeros(t_new.size, np.bool_)
    # Who stands still stays as near.
    for t_s in (t_new, t_ref):
        for edge_s in np.interp(meet_s, t_new, t_s):
            is_near |= (t_s > edge_s - _PARTING_S) & (t_s < edge_s + _MEETING_S)
        for edge_s in np.interp(part_s, t_new, t_s):
            is_near |= np.abs(t_s - edge_s) < _PARTING_S
    return np.where(is_near, _PARTING_ERROR_S, 0.0)


def _sightings(matching: Matching) -> _Sightings:
    """What every witness saw; where none saw anything for a while, sightings that know nothing tell how the
    error grows there."""
    pairs, others, anchors = matching.pairs, matching.testimonies, matching.anchors
    t_new = np.concatenate([pairs.t_new, *(o.t_new_s for o in others), [a.t_new_s for a in anchors]])
    t_ref = np.concatenate([pairs.t_ref, *(o.t_ref_s for o in others), [a.t_ref_s for a in anchors]])
    se_ref = np.concatenate([pairs.se_s, *(o.se_s for o in others), [ANCHOR_SE_S] * len(anchors)])
    kind = np.full(t_new.size, _OTHER)
    kind[: len(pairs)] = np.where(pairs.n_inliers > 0, _VERIFIED, _WHOLE)
    kind[t_new.size - len(anchors) :] = _ANCHOR
    u, d = 0.5 * (t_new + t_ref), t_ref - t_new
    order = np.argsort(u, kind="stable")
    parts = np.diff(_stretch_of(t_new[order], matching)) > 0
    gaps = zip(u[order][:-1], u[order][1:], parts, strict=True)
    holes = [np.arange(a + _UNSEEN_S, b, _UNSEEN_S) for a, b, is_parting in gaps if not is_parting]
    unseen = np.concatenate([np.zeros(0), *holes])
    d = np.concatenate([d, np.interp(unseen, u[order], d[order])])
    u = np.concatenate([u, unseen])
    se_ref = np.concatenate([se_ref, np.full(unseen.size, _KNOWS_NOTHING_S)])
    kind = np.concatenate([kind, np.full(unseen.size, _OTHER)])
    order = np.argsort(u, kind="stable")
    u, d = u[order], d[order]
    return _Sightings(u, d, se_ref[order], kind[order], _stretch_of(u - d / 2, matching))


def _stretch_of(t_new: FloatArray, matching: Matching) -> NDArray[np.int64]:
    """In which stretch each `t_new` (K,), nearly in order, lies, or after which."""
    begins = np.array([begin for begin, _ in matching.stretches[1:]])
    return np.maximum.accumulate(np.searchsorted(begins, t_new + _EDGE_S))


def _fit_affine(matching: Matching, params: FitParams, thresh_s: float) -> TimeMap:
    """t_ref = a * t_new + b, for runs that keep one pace: two cameras, or a copy of the same ride.

    RANSAC (Fischler and Bolles 1981) over pairs of sightings, then least squares over those that agree.
    The standard error is that of a normal error which strays as far from the line as four in five sightings
    do, and of what they share: a pace that changes shows in it, one gross error in five does not.

    Anchors come first among what lines are laid through: two or more by themselves, one with any sighting.
    """
    anchors, pairs = matching.anchors, matching.pairs
    t_new = np.concatenate([[anchor.t_new_s for anchor in anchors], pairs.t_new])
    t_ref = np.concatenate([[anchor.t_ref_s for anchor in anchors], pairs.t_ref])
    # The more sightings share a line, the faster an anchor has to be held against them.
    held_s = _HELD * ANCHOR_SE_S / np.sqrt(max(len(pairs), 1))
    se_s = np.concatenate([[held_s] * len(anchors), pairs.se_s])
    is_sure = np.arange(t_new.size) < len(anchors)
    rng = np.random.default_rng(params.seed)
    n_first = len(anchors) or t_new.size
    n_second = len(anchors) if len(anchors) >= _MIN_ANCHORS else t_new.size
    first, second = rng.integers(0, [[n_first], [n_second]], (2, params.ransac_iters))
    apart = t_new[first] != t_new[second]
    first, second = first[apart], second[apart]
    a = (t_ref[second] - t_ref[first]) / (t_new[second] - t_new[first])
    b = t_ref[first] - a * t_new[first]
    rising = np.flatnonzero(a > 0)
    lines = (np.abs(a[k] * t_new + b[k] - t_ref) <= thresh_s for k in rising)
    chosen = max(lines, key=np.count_nonzero, default=np.zeros_like(is_sure)) | is_sure
    if np.count_nonzero(chosen) < MIN_PAIRS and len(anchors) < _MIN_ANCHORS:
        raise AlignmentError(
            "No straight line fits these two runs; leave out --model affine to follow their pace."
        )
    t, r, weight = t_new[chosen], t_ref[chosen], 1 / se_s[chosen]
    (slope, offset), *_ = np.linalg.lstsq(np.column_stack([t, np.ones_like(t)]) * weight[:, None], r * weight)
    if slope <= 0:
        raise AlignmentError(
            "No straight line fits these two runs; leave out --model affine to follow their pace."
        )
    ends = np.array(
        [matching.stretches[0][0] - matching.reach_s, matching.stretches[-1][1] + matching.reach_s]
    )
    scatter = np.percentile(np.abs(t_ref - slope * t_new - offset), 80) / _FOUR_IN_FIVE
    is_verified = np.concatenate([np.ones(len(anchors), np.bool_), pairs.n_inliers > 0])
    shared = np.median(_shared_variance(se_s, is_verified))
    se_s = np.full(2, np.sqrt(scatter**2 + shared))
    return TimeMap(ends, slope * ends + offset, se_s, _support(matching, ends))


def drift_ppm(time_map: TimeMap) -> float:
    """How much faster than 1 the reference's clock runs along the map's best straight line, in ppm."""
    return float((np.polyfit(time_map.t_new, time_map.t_ref, 1)[0] - 1) * 1e6)


def _robustly_smoothed(sightings: _Sightings, se: FloatArray, walk: int) -> tuple[_Smoothed, int]:
    """The smoothest curve through the sightings, with errors `se` of `d`, that their own likelihood prefers,
    found uphill from number `walk` of `_RESTLESSNESS`; and the number of its own."""
    tried = {k: _smoothed_as(_RESTLESSNESS[k], sightings, se) for k in _beside(walk)}
    best = None
    while best != (best := max(tried, key=lambda k: tried[k][1])):
        tried |= {k: _smoothed_as(_RESTLESSNESS[k], sightings, se) for k in _beside(best) if k not in tried}
    return tried[best][0], best


def _beside(walk: int) -> range:
    return range(max(walk - 1, 0), min(walk + 2, len(_RESTLESSNESS)))


def _smoothed_as(restlessness: float, sightings: _Sightings, se: FloatArray) -> tuple[_Smoothed, float]:
    """The curve through the sightings, with errors `se` of `d`, begun anew wherever the runs meet again; and
    its log likelihood."""
    u, d, meets, is_anchor = sightings.u, sightings.d, sightings.meets, sightings.kind == _ANCHOR
    # A gross error at either end has no neighbours beyond it and would pull the curve all the way, so the
    # first weights are those of the distance from the sightings around.
    around = median_filter(d, _AROUND, mode="mirror")
    weight = _weight((d - around) / np.maximum(se, _GROSS_S))
    for _ in range(_REWEIGHTINGS):
        variance = np.where(is_anchor, (_HELD * se) ** 2, se**2 / weight)
        steps = _Steps.of(u, d, variance, meets)
        forward = _filter(steps, restlessness)
        smoothed = _smooth(steps, forward)
        weight = _weight((d - smoothed.d) / se)
    return smoothed, forward.log_likelihood


def _weight(residual: FloatArray) -> FloatArray:
    """What a sighting that is `residual` standard errors off counts for, under Student's distribution."""
    return (_DEGREES_OF_FREEDOM + 1) / (_DEGREES_OF_FREEDOM + residual**2)


# One by one numpy's numbers are several times slower than Python's own.
@dataclass(frozen=True)
class _Steps:
    """K sightings as plain numbers: the step in `u` to each from the one before, `d`, its variance, and
    whether the walk begins anew."""

    step: list[float]
    d: list[float]
    variance: list[float]
    anew: list[bool]

    @classmethod
    def of(cls, u: FloatArray, d: FloatArray, variance: FloatArray, anew: NDArray[np.bool_]) -> _Steps:
        return cls(np.diff(u, prepend=u[0]).tolist(), d.tolist(), variance.tolist(), anew.tolist())


# d, its slope, and their covariance as var d, cov, var slope.
_State = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class _Forward:
    """The filter's states before and after each of K sightings."""

    predicted: list[_State]
    filtered: list[_State]
    log_likelihood: float


def _filter(steps: _Steps, restlessness: float) -> _Forward:
    """Kalman filter for an integrated random walk."""
    q = restlessness**2
    predicted, filtered = [], []
    log_likelihood = 0.0
    x, v, pxx, pxv, pvv = steps.d[0], 0.0, _FIRST_VARIANCE, 0.0, _FIRST_SLOPE_VARIANCE
    for h, d, variance, anew in zip(steps.step, steps.d, steps.variance, steps.anew, strict=True):
        x += h * v
        pxx += h * (2 * pxv + h * (pvv + q * h / 3))
        pxv += h * (pvv + q * h / 2)
        pvv += q * h
        if anew:
            pxx += _FIRST_VARIANCE
            pvv += _FIRST_SLOPE_VARIANCE
        predicted.append((x, v, pxx, pxv, pvv))
        spread = pxx + variance
        surprise = d - x
        log_likelihood -= 0.5 * (math.log(spread) + surprise * surprise / spread)
        gain_x, gain_v = pxx / spread, pxv / spread
        x += gain_x * surprise
        v += gain_v * surprise
        pvv -= gain_v * pxv
        pxx -= gain_x * pxx
        pxv -= gain_x * pxv
        filtered.append((x, v, pxx, pxv, pvv))
    return _Forward(predicted, filtered, log_likelihood)


def _smooth(steps: _Steps, forward: _Forward) -> _Smoothed:
    """Rauch-Tung-Striebel smoother."""
    x, v, sxx, sxv, svv = forward.filtered[-1]
    backwards = [(x, v, sxx)]
    for k in range(len(steps.d) - 2, -1, -1):
        h = steps.step[k + 1]
        fx, fv, pxx, pxv, pvv = forward.filtered[k]
        ax, av, axx, axv, avv = forward.predicted[k + 1]
        det = axx * avv - axv * axv
        # gain = P F' A^-1, with F = [[1, h], [0, 1]]
        cxx, cvx = pxx + h * pxv, pxv + h * pvv
        gxx, gxv = (cxx * avv - pxv * axv) / det, (pxv * axx - cxx * axv) / det
        gvx, gvv = (cvx * avv - pvv * axv) / det, (pvv * axx - cvx * axv) / det
        dx, dv = x - ax, v - av
        exx, exv, evv = sxx - axx, sxv - axv, svv - avv
        x, v = fx + gxx * dx + gxv * dv, fv + gvx * dx + gvv * dv
        sxx = pxx + gxx * gxx * exx + 2 * gxx * gxv * exv + gxv * gxv * evv
        sxv = pxv + gxx * gvx * exx + (gxx * gvv + gxv * gvx) * exv + gxv * gvv * evv
        svv = pvv + gvx * gvx * exx + 2 * gvx * gvv * exv + gvv * gvv * evv
        backwards.append((x, v, sxx))
    d, slope, variance = np.array(backwards[::-1]).T
    return _Smoothed(d, slope, variance)


def _claimed_too_little(residual_s: FloatArray, se: FloatArray, kind: NDArray[np.int64]) -> FloatArray:
    """By what factor the sightings of each kind err more than they claim (K,)."""
    factor = np.ones_like(se)
    for of_kind in (kind == _VERIFIED, kind == _WHOLE):
        if of_kind.sum() >= MIN_PAIRS:
            # 1.4826 makes the median absolute deviation a standard deviation.
            found = 1.4826 * np.median(np.abs(residual_s[of_kind] / se[of_kind]))
            factor[of_kind] = np.clip(found, *_SCALE_RANGE)
    return factor


def _found_of_stated(matching: Matching, raised: FloatArray) -> float:
    """Which share of the errors that sightings state is found near verified ones.

    It is known of rides like those it was found on. Where fewer key points agree, or claims had to be
    `raised` (of each verified sighting, by what factor) to what sightings scatter, the stated errors stand.
    """
    if not raised.size:
        return 1.0
    n_inliers = float(np.median(matching.pairs.n_inliers[matching.pairs.n_inliers > 0]))
    return float(min(_FOUND_OF_STATED * raised.max() * max(_FOUND_AT_INLIERS / n_inliers, 1.0), 1.0))


def _honest(
    variance: FloatArray,
    u: FloatArray,
    se: FloatArray,
    kind: NDArray[np.int64],
    found: float,
    unsure: FloatArray,
) -> FloatArray:
    """The smoother's `variance` made what errors were found to be on rides with known truth (K,)."""
    seen = kind != _OTHER
    # A single poor sighting among good ones does not make the curve poorer there.
    claimed = _shared_variance(se[seen], np.isin(kind[seen], (_VERIFIED, _ANCHOR)))
    shared = np.interp(u, u[seen], median_filter(claimed, _NEIGHBOURS, mode="nearest")) * unsure**2
    verified_u = u[kind == _VERIFIED]
    if not verified_u.size:
        return variance + shared
    is_near = _distance(u, verified_u) <= _UNSEEN_S
    return np.where(is_near, found**2, 1.0) * (variance + shared)


def _unsure(u: FloatArray, is_anchor: NDArray[np.bool_]) -> FloatArray:
    """How much of what neighbouring sightings err by in common is left at each `u`, given how near the next
    anchor is: 0 at an anchor, 1 far from any (K,)."""
    if not is_anchor.any():
        return np.ones_like(u)
    return np.minimum(_distance(u, u[is_anchor]) / _UNSEEN_S, 1.0)


def _doubt(refuted: MatchedPairs, sightings: _Sightings, d: FloatArray) -> FloatArray:
    """How far the curve `d` lies from what anchors refute, where nothing else is seen, and as far as a pace
    that changes may lead away from the next anchor (K,)."""
    if not len(refuted):
        return np.zeros_like(d)
    u, kind = sightings.u, sightings.kind
    refuted_u, refuted_d = 0.5 * (refuted.t_new + refuted.t_ref), refuted.t_ref - refuted.t_new
    order = np.argsort(refuted_u, kind="stable")
    refuted_u, refuted_d = refuted_u[order], refuted_d[order]
    is_there = (_distance(u, refuted_u) <= _UNSEEN_S) & (kind == _OTHER)
    off_s = np.abs(refuted_d[_nearest_rows(u, refuted_u)] - d)
    off_s = np.minimum(off_s, PACE_CHANGE * _distance(u, u[kind == _ANCHOR]))
    return np.where(is_there, off_s, 0.0)


def _distance(u: FloatArray, to_u: FloatArray) -> FloatArray:
    """From each `u` (K,) to the nearest of the rising `to_u`, of which there is one at least."""
    return np.abs(u - to_u[_nearest_rows(u, to_u)])


def _nearest_rows(u: FloatArray, to_u: FloatArray) -> NDArray[np.int64]:
    """The row of the rising `to_u` that is nearest to each `u` (K,)."""
    after = np.clip(np.searchsorted(to_u, u), 1, max(to_u.size - 1, 1))
    before, after = after - 1, np.minimum(after, to_u.size - 1)
    return np.where(np.abs(u - to_u[before]) <= np.abs(u - to_u[after]), before, after)


def _left_over(u: FloatArray, residual: FloatArray, se: FloatArray, kind: NDArray[np.int64]) -> FloatArray:
    """How far neighbouring sightings lie to one side of the curve (K,): what it is too smooth to follow, as
    where a rider stops."""
    seen = kind != _OTHER
    weight = _weight(residual[seen] / se[seen])
    to_one_side = uniform_filter1d(weight * residual[seen], _NEIGHBOURS) / uniform_filter1d(
        weight, _NEIGHBOURS
    )
    return np.interp(u, u[seen], to_one_side)


def _shared_variance(se: FloatArray, verified: NDArray[np.bool_]) -> FloatArray:
    """What no number of sightings averages away, for each of them (K,)."""
    whole = _SHARED_WHOLE if verified.mean() >= HARDLY_ANY_VERIFIED else _SHARED_UNPROVEN
    variance: FloatArray = (np.where(verified, _SHARED_VERIFIED, whole) * se) ** 2 + _SYSTEMATIC_S**2
    return variance


def _with_reach(u: FloatArray, smoothed: _Smoothed, reach_s: float) -> tuple[FloatArray, _Smoothed]:
    """Carry the curve on at its last pace by `reach_s` at both ends; its error grows with the distance."""
    ends, step = np.array([0, -1]), np.array([-reach_s, reach_s])
    return _wrapped(u, u[ends] + step), _Smoothed(
        d=_wrapped(smoothed.d, smoothed.d[ends] + step * smoothed.slope[ends]),
        slope=_wrapped(smoothed.slope, smoothed.slope[ends]),
        variance=_wrapped(smoothed.variance, smoothed.variance[ends] + (_REACH_ERROR * reach_s) ** 2),
    )


def _wrapped(values: FloatArray, ends: FloatArray) -> FloatArray:
    return np.concatenate([ends[:1], values, ends[1:]])


def _rising(t: FloatArray, variance: FloatArray, rows: NDArray[np.int64], at_t: FloatArray) -> FloatArray:
    """The strictly rising sequence nearest to `t` (K,) that is `at_t` at the `rows`; both rise strictly."""
    k = np.arange(t.size)
    before = np.concatenate([[-np.inf], at_t])[np.searchsorted(rows, k, side="right")]
    after = np.concatenate([at_t, [np.inf]])[np.searchsorted(rows, k, side="left")]
    level = isotonic_regression(np.clip(t, before, after), weights=1 / variance).x
    rising: FloatArray = level + _LEAST_RISE_S * k
    return rising + np.interp(rising, rising[rows], at_t - rising[rows]) if rows.size else rising


def _support(matching: Matching, t_new: FloatArray) -> tuple[tuple[float, float], ...]:
    """The stretches, carried on at both ends by the reach unless an anchor ends them, as far as the map and
    the new run go."""
    edges = np.array(matching.stretches)
    ends = edges[[0, -1], [0, 1]]
    is_open = ~np.isin(ends, [anchor.t_new_s for anchor in matching.anchors])
    edges[[0, -1], [0, 1]] += np.where(is_open, [-matching.reach_s, matching.reach_s], 0.0)
    edges = np.clip(edges, max(0.0, t_new[0]), min(matching.duration_new_s, t_new[-1]))
    return tuple((float(a), float(b)) for a, b in edges)
