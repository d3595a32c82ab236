"""From scattered sightings to one smooth, strictly increasing time map with an honest error.

The curve is fitted along `u = (t_new + t_ref) / 2`, as `d(u) = t_ref - t_new`: a rider who stands still in
either run stretches one clock against the other without end, but `d` never changes by more than 2 per
unit of `u`, so stops need no special care. `d` is an integrated random walk seen through noise, solved by
a Kalman filter and the smoother of Rauch, Tung and Striebel (1965). The noise has Student's heavy tails, by
iterated reweighting (Lange, Little and Taylor 1989), and the walk is as restless as makes the sightings
likeliest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.optimize import isotonic_regression

from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.model import Alignment, FloatArray, Matching, Model, TimeMap

MIN_PAIRS = 4
_INLIER_SPACING = 0.6
# Changes of d' per square root of a second, from one pace held throughout to a rider who brakes all the time.
_RESTLESSNESS = 0.02 * 2.0 ** np.arange(6)
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
_FIRST_VARIANCE = 1e4
_FIRST_SLOPE_VARIANCE = 1.0
# What averaging does not take away: the share of each sighting's error that its neighbours have too (the
# rider's other line, the light from another side), larger where no key points were verified, and larger
# still where hardly any were in the whole run, so that nothing shows what likeness is worth in it; and a
# rest that all sightings have (a rolling shutter).
_SHARED_VERIFIED, _SHARED_WHOLE, _SHARED_UNPROVEN = 0.5, 1.0, 2.0
HARDLY_ANY_VERIFIED = 0.1
_SYSTEMATIC_S = 0.01
_LEAST_RISE_S = 1e-6
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

    Raises:
        AlignmentError: fewer than four sightings, or none that agree on a rising line.
    """
    n_pairs = len(matching.pairs)
    if n_pairs < MIN_PAIRS:
        raise AlignmentError(
            f"Only {n_pairs} moments of the two runs match, and {MIN_PAIRS} are needed to line them up."
        )
    thresh_s = params.inlier_thresh_s or _INLIER_SPACING * 2 * matching.reach_s
    time_map = (
        _fit_affine(matching, params, thresh_s) if params.model is Model.AFFINE else _fit_curve(matching)
    )
    pairs = matching.pairs
    residual_s = pairs.t_ref - np.interp(pairs.t_new, time_map.t_new, time_map.t_ref)
    return Alignment(params.model, time_map, matching, residual_s, thresh_s)


def _fit_curve(matching: Matching) -> TimeMap:
    pairs = matching.pairs
    u = 0.5 * (pairs.t_new + pairs.t_ref)
    order = np.argsort(u, kind="stable")
    u, d, se_ref = u[order], (pairs.t_ref - pairs.t_new)[order], pairs.se_s[order]
    verified = pairs.n_inliers[order] > 0
    se = se_ref
    smoothed = _robustly_smoothed(u, d, se)
    for _ in range(_RESCALINGS):
        se_ref = se_ref * _claimed_too_little(d - smoothed.d, se, verified)
        # An error of t_ref moves a sighting along u as well: only this much of it leads off the curve.
        se = se_ref * np.clip(1 - smoothed.slope / 2, 2 / (1 + _MAX_PACE), 2)
        smoothed = _robustly_smoothed(u, d, se)
    smoothed = replace(smoothed, variance=smoothed.variance + _shared_variance(se, verified))
    u, smoothed = _with_reach(u, smoothed, matching.reach_s)
    t_new = _rising(u - smoothed.d / 2, smoothed.variance)
    t_ref = _rising(u + smoothed.d / 2, smoothed.variance)
    pace = np.minimum(np.gradient(t_ref, t_new), _MAX_PACE)
    # An error of d moves the curve askew: at a given t_new only this much of it shows in t_ref.
    se_ref_s = np.sqrt(smoothed.variance) * (1 + pace) / 2
    return TimeMap(t_new, t_ref, se_ref_s, _support(matching, t_new))


def _fit_affine(matching: Matching, params: FitParams, thresh_s: float) -> TimeMap:
    """t_ref = a * t_new + b, for runs that keep one pace: two cameras, or a copy of the same ride.

    RANSAC (Fischler and Bolles 1981) over pairs of sightings, then least squares over those that agree.
    The standard error is that of a normal error which strays as far from the line as four in five sightings
    do, and of what they share: a pace that changes shows in it, one gross error in five does not.
    """
    pairs = matching.pairs
    rng = np.random.default_rng(params.seed)
    first, second = rng.integers(0, len(pairs), (2, params.ransac_iters))
    apart = pairs.t_new[first] != pairs.t_new[second]
    first, second = first[apart], second[apart]
    a = (pairs.t_ref[second] - pairs.t_ref[first]) / (pairs.t_new[second] - pairs.t_new[first])
    b = pairs.t_ref[first] - a * pairs.t_new[first]
    rising = np.flatnonzero(a > 0)
    lines = (np.abs(a[k] * pairs.t_new + b[k] - pairs.t_ref) <= thresh_s for k in rising)
    chosen = max(lines, key=np.count_nonzero, default=np.zeros(0, np.bool_))
    if np.count_nonzero(chosen) < MIN_PAIRS:
        raise AlignmentError(
            "No straight line fits these two runs; leave out --model affine to follow their pace."
        )
    t, r, weight = pairs.t_new[chosen], pairs.t_ref[chosen], 1 / pairs.se_s[chosen]
    (slope, offset), *_ = np.linalg.lstsq(np.column_stack([t, np.ones_like(t)]) * weight[:, None], r * weight)
    if slope <= 0:
        raise AlignmentError(
            "No straight line fits these two runs; leave out --model affine to follow their pace."
        )
    ends = np.array(
        [matching.stretches[0][0] - matching.reach_s, matching.stretches[-1][1] + matching.reach_s]
    )
    scatter = np.percentile(np.abs(pairs.t_ref - slope * pairs.t_new - offset), 80) / _FOUR_IN_FIVE
    shared = np.median(_shared_variance(pairs.se_s, pairs.n_inliers > 0))
    se_s = np.full(2, np.sqrt(scatter**2 + shared))
    return TimeMap(ends, slope * ends + offset, se_s, _support(matching, ends))


def drift_ppm(time_map: TimeMap) -> float:
    """How much faster than 1 the reference's clock runs along the map's best straight line, in ppm."""
    return float((np.polyfit(time_map.t_new, time_map.t_ref, 1)[0] - 1) * 1e6)


def _robustly_smoothed(u: FloatArray, d: FloatArray, se: FloatArray) -> _Smoothed:
    """The smoothest curve through `d` that the sightings' own likelihood prefers."""
    # A gross error at either end has no neighbours beyond it and would pull the curve all the way, so the
    # first weights are those of the distance from the sightings around.
    around = median_filter(d, _AROUND, mode="mirror")
    weight = np.tile(_weight((d - around) / np.maximum(se, _GROSS_S)), (_RESTLESSNESS.size, 1))
    for _ in range(_REWEIGHTINGS):
        forward = _filter(u, d, se**2 / weight)
        smoothed = _smooth(u, forward)
        weight = _weight((d - smoothed.d) / se)
    best = int(forward.log_likelihood.argmax())
    return _Smoothed(smoothed.d[best], smoothed.slope[best], smoothed.variance[best])


def _weight(residual: FloatArray) -> FloatArray:
    """What a sighting that is `residual` standard errors off counts for, under Student's distribution."""
    return (_DEGREES_OF_FREEDOM + 1) / (_DEGREES_OF_FREEDOM + residual**2)


@dataclass(frozen=True, eq=False)
class _Forward:
    """The filter's states at each of K sightings, for each of G walks: means (K, 2, G), covariances
    (K, 3, G) as (var d, cov, var slope), before and after the sighting; log likelihood (G,)."""

    predicted_mean: FloatArray
    predicted_cov: FloatArray
    mean: FloatArray
    cov: FloatArray
    log_likelihood: FloatArray


def _filter(u: FloatArray, d: FloatArray, variance: FloatArray) -> _Forward:
    """Kalman filter for an integrated random walk, all degrees of restlessness at once."""
    n_walks = _RESTLESSNESS.size
    q = _RESTLESSNESS**2
    shape = (u.size, 2, n_walks)
    predicted_mean, mean = np.empty(shape), np.empty(shape)
    predicted_cov, cov = np.empty((u.size, 3, n_walks)), np.empty((u.size, 3, n_walks))
    log_likelihood = np.zeros(n_walks)
    x, v = np.full(n_walks, d[0]), np.zeros(n_walks)
    pxx, pxv, pvv = (
        np.full(n_walks, _FIRST_VARIANCE),
        np.zeros(n_walks),
        np.full(n_walks, _FIRST_SLOPE_VARIANCE),
    )
    for k, h in enumerate(np.diff(u, prepend=u[0])):
        x = x + h * v
        pxx, pxv, pvv = (
            pxx + 2 * h * pxv + h * h * pvv + q * h**3 / 3,
            pxv + h * pvv + q * h * h / 2,
            pvv + q * h,
        )
        predicted_mean[k], predicted_cov[k] = (x, v), (pxx, pxv, pvv)
        spread = pxx + variance[:, k]
        surprise = d[k] - x
        log_likelihood -= 0.5 * (np.log(spread) + surprise**2 / spread)
        x, v = x + pxx / spread * surprise, v + pxv / spread * surprise
        pxx, pxv, pvv = pxx - pxx**2 / spread, pxv - pxx * pxv / spread, pvv - pxv**2 / spread
        mean[k], cov[k] = (x, v), (pxx, pxv, pvv)
    return _Forward(predicted_mean, predicted_cov, mean, cov, log_likelihood)


def _smooth(u: FloatArray, forward: _Forward) -> _Smoothed:
    """Rauch-Tung-Striebel smoother; results have shape (G, K)."""
    mean, cov = forward.mean.copy(), forward.cov.copy()
    for k in range(u.size - 2, -1, -1):
        h = u[k + 1] - u[k]
        pxx, pxv, pvv = forward.cov[k]
        axx, axv, avv = forward.predicted_cov[k + 1]
        det = axx * avv - axv**2
        # gain = P F' A^-1, with F = [[1, h], [0, 1]]
        cxx, cxv, cvx, cvv = pxx + h * pxv, pxv, pxv + h * pvv, pvv
        gxx, gxv = (cxx * avv - cxv * axv) / det, (cxv * axx - cxx * axv) / det
        gvx, gvv = (cvx * avv - cvv * axv) / det, (cvv * axx - cvx * axv) / det
        dx, dv = mean[k + 1] - forward.predicted_mean[k + 1]
        mean[k] = mean[k][0] + gxx * dx + gxv * dv, mean[k][1] + gvx * dx + gvv * dv
        exx, exv, evv = cov[k + 1] - forward.predicted_cov[k + 1]
        cov[k] = (
            pxx + gxx**2 * exx + 2 * gxx * gxv * exv + gxv**2 * evv,
            pxv + gxx * gvx * exx + (gxx * gvv + gxv * gvx) * exv + gxv * gvv * evv,
            pvv + gvx**2 * exx + 2 * gvx * gvv * exv + gvv**2 * evv,
        )
    return _Smoothed(mean[:, 0].T, mean[:, 1].T, cov[:, 0].T)


def _claimed_too_little(residual_s: FloatArray, se: FloatArray, verified: NDArray[np.bool_]) -> FloatArray:
    """By what factor each kind of sighting, verified or not, errs more than it claims (K,)."""
    factor = np.ones_like(se)
    for kind in (verified, ~verified):
        if kind.sum() >= MIN_PAIRS:
            # 1.4826 makes the median absolute deviation a standard deviation.
            found = 1.4826 * np.median(np.abs(residual_s[kind] / se[kind]))
            factor[kind] = np.clip(found, *_SCALE_RANGE)
    return factor


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


def _rising(t: FloatArray, variance: FloatArray) -> FloatArray:
    """The strictly rising sequence nearest to `t`."""
    level = isotonic_regression(t, weights=1 / variance).x
    rising: FloatArray = level + _LEAST_RISE_S * np.arange(t.size)
    return rising


def _support(matching: Matching, t_new: FloatArray) -> tuple[tuple[float, float], ...]:
    """The stretches, carried on at both ends by the reach, as far as the map and the new run go."""
    edges = np.array(matching.stretches)
    edges[0, 0] -= matching.reach_s
    edges[-1, 1] += matching.reach_s
    edges = np.clip(edges, max(0.0, t_new[0]), min(matching.duration_new_s, t_new[-1]))
    return tuple((float(a), float(b)) for a, b in edges)
