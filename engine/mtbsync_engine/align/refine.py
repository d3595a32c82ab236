"""From matching pictures to the same moment: time between samples by the change of scale.

Riding forward makes the view grow. Where a new picture's key points lie exactly as large as in the
reference, both were taken at the same place; pictures before and after it bracket that moment, and a
line through their scales finds it to a fraction of a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.align.search import Path
from mtbsync_engine.model import Index, MatchedPairs

# A similarity is only the gist of what parallax does to a trail; this much of the longer side it may err.
_MAX_REPROJECTION = 0.0125
_RANSAC_CONFIDENCE = 0.995
_MIN_MATCHES = 6
# Beyond this change of scale the same trees stop looking alike and matches turn into chance.
_MAX_LOG_SCALE = 0.35
_MIN_LOG_SCALE_RATE = 0.05
# One standard error of the crossing, in log scale: what a rider's other line through the same trees does.
_LOG_SCALE_ERROR = 0.03
# One standard error of a likeness's peak, as a share of the time between pictures.
_PEAK_ERROR = 0.3
# Pictures at equal distances are so to a microsecond only.
_ROUNDING_S = 1e-3


@dataclass(frozen=True)
class RefineParams:
    """How pictures near the path are compared.

    `window_s` is how far from the path, in seconds of the reference, pictures are tried; `lowe` the
    ratio a match must beat its runner-up by (Lowe 2004); `min_inliers` how many key points must agree
    on one similarity; `max_reprojection` how far off each may be, as a share of the longer side;
    `ransac_iters` and `seed` steer the random sampling.
    """

    window_s: float = 1.0
    lowe: float = 0.8
    min_inliers: int = 8
    max_reprojection: float = _MAX_REPROJECTION
    ransac_iters: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class _View:
    """How one reference picture is seen from one new picture."""

    t_ref_s: float
    log_scale: float
    n_inliers: int


def refine(
    path: Path,
    z: NDArray[np.float32],
    new: Index,
    ref: Index,
    params: RefineParams | None,
    *,
    on_picture: Callable[[float], None] = lambda t_new_s: None,
) -> MatchedPairs:
    """The moment of the reference that each new picture on the path shows.

    Pictures whose key points can be verified are timed by the change of scale; the others by where
    their likeness `z` (N, M) peaks, with a larger error. `params` None leaves all to likeness. `on_picture`
    is called with each picture's t_new in seconds, for progress.
    """
    whole = _by_likeness(path, z, new, ref)
    if params is None:
        return whole
    cv2.setRNGSeed(params.seed)
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
    t_ref_s, se_s, n_inliers = whole.t_ref.copy(), whole.se_s.copy(), whole.n_inliers.copy()
    for k, (j, i) in enumerate(zip(path.new, path.ref, strict=True)):
        on_picture(float(new.t_s[j]))
        near = np.flatnonzero(np.abs(ref.t_s - ref.t_s[i]) <= params.window_s + _ROUNDING_S)
        views = [v for v in (_compare(matcher, new, int(j), ref, int(m), params) for m in near) if v]
        timed = _same_scale(views, ref.spacing_s)
        if timed is not None:
            t_ref_s[k], se_s[k] = timed
            n_inliers[k] = max(v.n_inliers for v in views)
    return MatchedPairs(whole.t_new, t_ref_s, se_s, whole.score, n_inliers)


def _by_likeness(path: Path, z: NDArray[np.float32], new: Index, ref: Index) -> MatchedPairs:
    """Where a parabola through the likeness of three neighbours peaks; on the path where it does not."""
    i = np.clip(path.ref, 1, ref.t_s.size - 2)
    before, here, after = (z[path.new, i + d].astype(np.float64) for d in (-1, 0, 1))
    bend = before - 2 * here + after
    peak = np.divide(0.5 * (before - after), bend, out=(path.ref - i).astype(np.float64), where=bend < 0)
    peak = np.clip(peak, -1, 1)
    step_s = 0.5 * (ref.t_s[i + 1] - ref.t_s[i - 1])
    return MatchedPairs(
        t_new=new.t_s[path.new],
        t_ref=ref.t_s[i] + peak * step_s,
        se_s=_PEAK_ERROR * step_s,
        score=z[path.new, path.ref].astype(np.float64),
        n_inliers=np.zeros(path.new.size, np.int64),
    )


def _compare(
    matcher: cv2.BFMatcher, new: Index, j: int, ref: Index, i: int, params: RefineParams
) -> _View | None:
    """The similarity that takes reference picture `i` to new picture `j`, if enough key points agree."""
    xy_new, bits_new = new.local(j)
    xy_ref, bits_ref = ref.local(i)
    if len(xy_new) < _MIN_MATCHES or len(xy_ref) < _MIN_MATCHES:
        return None
    pairs = [
        (first.queryIdx, first.trainIdx)
        for first, second in matcher.knnMatch(bits_new, bits_ref, k=2)
        if first.distance < params.lowe * second.distance
    ]
    if len(pairs) < _MIN_MATCHES:
        return None
    q, t = np.array(pairs).T
    similarity, inliers = cv2.estimateAffinePartial2D(
        xy_ref[t],
        xy_new[q],
        method=cv2.RANSAC,
        ransacReprojThreshold=params.max_reprojection,
        maxIters=params.ransac_iters,
        confidence=_RANSAC_CONFIDENCE,
    )
    n_inliers = 0 if similarity is None else int(inliers.sum())
    if n_inliers < params.min_inliers:
        return None
    log_scale = float(np.log(np.hypot(similarity[0, 0], similarity[1, 0])))
    if abs(log_scale) > _MAX_LOG_SCALE:
        return None
    return _View(float(ref.t_s[i]), log_scale, n_inliers)


def _same_scale(views: list[_View], spacing_s: float) -> tuple[float, float] | None:
    """Where a line through the views' log scales crosses zero: t_ref and its standard error, in seconds.

    None when they do not bracket a moment: fewer than two, no growth, or a crossing far outside them.
    """
    if len(views) < 2:
        return None
    t = np.array([v.t_ref_s for v in views])
    log_scale = np.array([v.log_scale for v in views])
    weight = np.array([v.n_inliers for v in views], dtype=np.float64)
    weight /= weight.sum()
    t_mean, log_mean = weight @ t, weight @ log_scale
    rate = -(weight @ ((t - t_mean) * (log_scale - log_mean))) / (weight @ (t - t_mean) ** 2)
    if rate < _MIN_LOG_SCALE_RATE:
        return None
    crossing = t_mean + log_mean / rate
    if not t.min() - spacing_s <= crossing <= t.max() + spacing_s:
        return None
    return float(crossing), _LOG_SCALE_ERROR / float(rate)
