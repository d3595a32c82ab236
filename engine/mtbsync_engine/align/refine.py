"""From matching pictures to the same moment: time between samples by the change of scale.

Riding forward makes the view grow. Where a new picture's key points lie exactly as large as in the
reference, both were taken at the same place; pictures before and after it bracket that moment, and a
line through their scales finds it to a fraction of a frame. The nearer that moment is, the more key points
agree, as parallax pulls them apart less: where their number peaks says the same thing once more, more
roughly but whatever the scales do. The two are weighed by their errors.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.align.likeness import Band
from mtbsync_engine.align.matchers import Match, matching
from mtbsync_engine.align.search import Path
from mtbsync_engine.model import Index, MatchedPairs, Weights

# A similarity is only the gist of what parallax does to a trail; this much of the longer side it may err.
_MAX_REPROJECTION = 0.00625
_RANSAC_CONFIDENCE = 0.995
# Beyond this change of scale the same trees stop looking alike and matches turn into chance.
_MAX_LOG_SCALE = 0.7
_MIN_LOG_SCALE_RATE = 0.05
# One standard error of the crossing, in log scale: what a rider's other line through the same trees does.
_LOG_SCALE_ERROR = 0.03
# One standard error of where likeness peaks, and of where the number of inliers does for all that counting
# cannot tell, in times between pictures.
_LIKENESS_PEAK_ERROR = 0.3
_PEAK_ERROR = 0.2
# How far from the view that most agree with a crossing may be, in times between pictures.
_FARTHEST_CROSSING = 2.0
# How many sights tell how the two lenses differ, and by how much they must to count, as a log scale.
_MIN_ZOOM_SIGHTS = 8
_SAME_LENS = 0.07
# One standard error with another lens, which also bends the view otherwise, in times between pictures.
_ZOOMED_ERROR = 0.55
# Pictures at equal distances are so to a microsecond only.
_ROUNDING_S = 1e-3
# Pictures that one thread times at a go.
_BLOCK = 32


@dataclass(frozen=True)
class RefineParams:
    """How pictures near the path are compared.

    `window_s` is how far from the path, in seconds of the reference, pictures are tried; `lowe` the
    ratio a match must beat its runner-up by (Lowe 2004); `min_inliers` how many key points must agree
    on one similarity; `max_reprojection` how far off each may be, as a share of the longer side;
    `ransac_iters` how many similarities are tried at most.
    """

    window_s: float = 1.0
    lowe: float = 0.8
    min_inliers: int = 12
    max_reprojection: float = _MAX_REPROJECTION
    ransac_iters: int = 500


@dataclass(frozen=True)
class _View:
    """How one reference picture is seen from one new picture; without inliers it is not."""

    t_ref_s: float
    log_scale: float
    n_inliers: int


@dataclass(frozen=True)
class _Moment:
    """A time of the reference and one standard error of it, in seconds."""

    t_ref_s: float
    se_s: float


_NO_VIEW = _View(math.nan, math.nan, 0)


def refine(
    path: Path,
    seen: Band,
    new: Index,
    ref: Index,
    params: RefineParams | None,
    *,
    weights: Weights | None = None,
    n_threads: int | None = None,
    on_picture: Callable[[float], None] = lambda t_new_s: None,
) -> MatchedPairs:
    """The moment of the reference that each new picture on the path shows.

    Pictures whose key points can be verified are timed by the change of scale; the others by where
    their likeness `seen` peaks, with a larger error. `params` None leaves all to likeness. `weights` is
    where the networks of a matcher that needs them lie; `n_threads` None uses all cores; `on_picture` is
    called with each picture's t_new in seconds, for progress.

    Raises:
        MatcherError: such a network cannot be used.
    """
    whole = _by_likeness(path, seen, new, ref)
    if params is None:
        return whole

    match = matching(new.params.matcher, params.lowe, weights)

    def look(rows: NDArray[np.int64]) -> list[list[_View] | None]:
        found = []
        for k in rows:
            j, reach = int(path.new[k]), params.window_s + _ROUNDING_S
            first, end = np.searchsorted(ref.t_s, ref.t_s[path.ref[k]] + np.array([-reach, reach]))

            def compare(i: int, j: int = j) -> _View:
                return _compare(match, new, j, ref, i, params)

            found.append(_around_the_best(compare, int(path.ref[k]), range(first, end)))
        return found

    blocks = np.array_split(np.arange(path.new.size), max(1, path.new.size // _BLOCK))
    with ThreadPoolExecutor(n_threads or os.cpu_count()) as pool:
        sights: list[list[_View] | None] = []
        for rows, found in zip(blocks, pool.map(look, blocks), strict=True):
            sights += found
            on_picture(float(whole.t_new[rows[-1]]))
    return _timed(whole, sights, ref.spacing_s, params.min_inliers)


def _timed(
    whole: MatchedPairs, sights: list[list[_View] | None], spacing_s: float, min_inliers: int
) -> MatchedPairs:
    """Pairs timed by what was seen of each, `sights`, instead of as a whole, wherever anything was."""
    peaks = [_most_inliers(views, spacing_s, min_inliers) if views else None for views in sights]
    log_zoom = _log_zoom(sights, peaks)
    t_ref_s, se_s, n_inliers = whole.t_ref.copy(), whole.se_s.copy(), whole.n_inliers.copy()
    for k, (views, peak) in enumerate(zip(sights, peaks, strict=True)):
        if views is not None and peak is not None:
            moment = _same_moment(views, peak, spacing_s, log_zoom)
            t_ref_s[k], se_s[k], n_inliers[k] = moment.t_ref_s, moment.se_s, views[1].n_inliers
    return replace(whole, t_ref=t_ref_s, se_s=se_s, n_inliers=n_inliers)


def _by_likeness(path: Path, seen: Band, new: Index, ref: Index) -> MatchedPairs:
    """Where a parabola through the likeness of three neighbours peaks; on the path where it does not."""
    first = seen.first[path.new]
    i = np.clip(path.ref, first + 1, first + seen.z.shape[1] - 2)
    before, here, after = (seen.at(path.new, i + d).astype(np.float64) for d in (-1, 0, 1))
    bend = before - 2 * here + after
    peak = np.divide(0.5 * (before - after), bend, out=(path.ref - i).astype(np.float64), where=bend < 0)
    peak = np.clip(peak, -1, 1)
    step_s = 0.5 * (ref.t_s[i + 1] - ref.t_s[i - 1])
    return MatchedPairs(
        t_new=new.t_s[path.new],
        t_ref=ref.t_s[i] + peak * step_s,
        se_s=_LIKENESS_PEAK_ERROR * step_s,
        score=seen.at(path.new, path.ref).astype(np.float64),
        n_inliers=np.zeros(path.new.size, np.int64),
    )


def _around_the_best(compare: Callable[[int], _View], start: int, allowed: range) -> list[_View] | None:
    """Uphill from reference picture `start`: the view that most key points agree with, and its neighbours.

    None where nothing agrees at `start` or beside it.
    """
    views = {i: compare(i) for i in (start - 1, start, start + 1) if i in allowed}
    best = None
    while best != (best := max(views, key=lambda i: views[i].n_inliers)):
        for i in (best - 1, best + 1):
            if i not in views:
                views[i] = compare(i) if i in allowed else _NO_VIEW
    return [views[i] for i in (best - 1, best, best + 1)] if views[best].n_inliers else None


def _compare(match: Match, new: Index, j: int, ref: Index, i: int, params: RefineParams) -> _View:
    """The similarity that takes reference picture `i` to new picture `j`, if enough key points agree."""
    seen_new, seen_ref = new.local(j), ref.local(i)
    in_new, in_ref = match(seen_new, seen_ref).T
    if in_new.size < params.min_inliers:
        return _NO_VIEW
    similarity, inliers = cv2.estimateAffinePartial2D(
        seen_ref[0][in_ref],
        seen_new[0][in_new],
        method=cv2.RANSAC,
        ransacReprojThreshold=params.max_reprojection,
        maxIters=params.ransac_iters,
        confidence=_RANSAC_CONFIDENCE,
    )
    n_inliers = 0 if similarity is None else int(inliers.sum())
    if n_inliers < params.min_inliers:
        return _NO_VIEW
    log_scale = float(np.log(np.hypot(similarity[0, 0], similarity[1, 0])))
    if abs(log_scale) > _MAX_LOG_SCALE:
        return _NO_VIEW
    return _View(float(ref.t_s[i]), log_scale, n_inliers)


def _log_zoom(sights: list[list[_View] | None], peaks: list[_Moment | None]) -> float:
    """How much larger the new run's lens draws everything than the reference's, as a logarithm.

    Where most key points agree both runs are at one place, whatever their lenses; whatever scale is left
    there is the lenses' own. Cameras of one kind differ by less than can be measured, and count as alike.
    """
    scales = []
    for views, peak in zip(sights, peaks, strict=True):
        line = views and _scale_line([v for v in views if v.n_inliers])
        if line and peak:
            scales.append(line.log_mean - line.rate * (peak.t_ref_s - line.t_mean_s))
    log_zoom = float(np.median(scales)) if len(scales) >= _MIN_ZOOM_SIGHTS else 0.0
    return log_zoom if abs(log_zoom) > _SAME_LENS else 0.0


def _same_moment(views: list[_View], peak: _Moment, spacing_s: float, log_zoom: float) -> _Moment:
    """When neighbouring views show the same place, by both ways."""
    line = _scale_line([v for v in views if v.n_inliers])
    if line is None:
        return peak
    crossing = _Moment(line.t_mean_s + (line.log_mean - log_zoom) / line.rate, _LOG_SCALE_ERROR / line.rate)
    # A line is good near the views that it was drawn through.
    if abs(crossing.t_ref_s - views[1].t_ref_s) > _FARTHEST_CROSSING * spacing_s:
        return peak
    weight = np.array([peak.se_s, crossing.se_s]) ** -2.0
    t_ref_s = float(weight @ [peak.t_ref_s, crossing.t_ref_s] / weight.sum())
    if log_zoom:
        # What was learnt of the lenses from the peaks tells nothing that they do not.
        return _Moment(t_ref_s, max(peak.se_s, _ZOOMED_ERROR * spacing_s))
    return _Moment(t_ref_s, float(weight.sum() ** -0.5))


def _most_inliers(views: list[_View], spacing_s: float, min_inliers: int) -> _Moment:
    """Where a parabola through the logarithms of the numbers of inliers peaks.

    Numbers are as uncertain as counts are (by their root), and a flat parabola peaks anywhere.
    """
    counts = np.array([max(v.n_inliers, min_inliers) for v in views], dtype=np.float64)
    before, here, after = np.log(counts)
    var_before, var_here, var_after = 1 / counts
    bend = 2 * here - before - after
    if bend <= 0:
        return _Moment(views[1].t_ref_s, spacing_s)
    off = 0.5 * (after - before) / bend
    var_off = (0.25 * (var_before + var_after) + off**2 * (var_before + 4 * var_here + var_after)) / bend**2
    se = min(math.hypot(_PEAK_ERROR, math.sqrt(var_off)), 1.0)
    return _Moment(views[1].t_ref_s + spacing_s * float(off), spacing_s * se)


@dataclass(frozen=True)
class _Line:
    """Log scale over t_ref: `log_mean` at `t_mean_s`, falling by `rate` a second."""

    t_mean_s: float
    log_mean: float
    rate: float


def _scale_line(views: list[_View]) -> _Line | None:
    """The line through the log scales of `views`; None where fewer than two show it, or nothing grows."""
    if len(views) < 2:
        return None
    t = np.array([v.t_ref_s for v in views])
    log_scale = np.array([v.log_scale for v in views])
    weight = np.array([v.n_inliers for v in views], dtype=np.float64)
    weight /= weight.sum()
    t_mean, log_mean = weight @ t, weight @ log_scale
    rate = -(weight @ ((t - t_mean) * (log_scale - log_mean))) / (weight @ (t - t_mean) ** 2)
    return _Line(float(t_mean), float(log_mean), float(rate)) if rate >= _MIN_LOG_SCALE_RATE else None
