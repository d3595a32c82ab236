"""By how much two receivers disagree, moment by moment.

How far two tracks lie apart sideways, in one bend after the other, tells how the errors of two days'
receivers differ in every direction: that difference is estimated over time by a Kalman smoother.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtbsync_engine.align.gps_line import KNOT_SPACING_S, BoolArray, Plane
from mtbsync_engine.model import FloatArray

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


def offset_between(
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
