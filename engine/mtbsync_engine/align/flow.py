"""Moments timed once more, by every picture around them: where dense flow neither grows nor shrinks.

Riding forward makes the view grow outwards from the middle. The flow from a reference picture to the new one
grows before the place that both show, and shrinks beyond it; where it does neither, the two stand at the same
place. Key points tell the same of sampled pictures only, a third of a second apart; here every picture in
a short window is compared, by dense inverse search (Kroeger et al. 2016).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.media import Picture, pictures_between
from mtbsync_engine.model import FloatArray, MatchedPairs, Recording

# Neighbouring pictures closer than this say nearly the same.
_LEAST_SPACING_S = 1 / 31
# The two rides' light differs.
_CLAHE_CLIP = 3.0
_CLAHE_TILES = (8, 8)
# Flow is smooth: it is looked at in every so many pixels.
_GRID_PX = 8
# Flow there and back ends where it began, to so many pixels, or shows different things.
_MAX_ROUND_TRIP_PX = 1.5
# How far parallax may pull flow off one similarity, as a share of the longer side, and how much must agree.
_MAX_REPROJECTION = 0.00625
_MIN_SHARE = 0.05
_RANSAC_ITERS = 500
_MIN_VIEWS = 4
_NEAR_S = 0.2
_MIN_LOG_SCALE_RATE = 0.05
# One standard error of the crossing, in log scale: measured on rendered rides.
_LOG_SCALE_ERROR = 0.02
# From how many moments the lenses are compared; that much in log scale apart, they are different ones.
_MIN_ZOOM_MOMENTS = 8
_SAME_LENS = 0.04


@dataclass(frozen=True)
class FlowParams:
    """Which moments are timed by flow, and how.

    One in `every_s` seconds of the new run is, from the reference's pictures up to `window_s` before and
    after where key points put it, at `max_side_px` along the longer side.
    """

    every_s: float = 1.0
    window_s: float = 0.35
    max_side_px: int = 480


@dataclass(frozen=True)
class _Growth:
    """Log scale falling along the reference: `log_scale` where key points put the moment, falling by `rate`
    a second."""

    log_scale: float
    rate: float


def refine_by_flow(
    pairs: MatchedPairs,
    new: Recording,
    ref: Recording,
    params: FlowParams,
    *,
    n_threads: int | None = None,
    on_moment: Callable[[float], None] = lambda t_new_s: None,
) -> MatchedPairs:
    """The same sightings, some of them timed more precisely.

    Only what key points verified is timed, and only between lenses that draw alike. `n_threads` None uses
    all cores; `on_moment` is called with each moment's t_new in seconds, for progress.

    Raises:
        MediaError: one of the videos does not decode.
    """
    chosen = _moments(pairs, params.every_s)

    def look(k: int) -> _Growth | None:
        return _growth(float(pairs.t_new[k]), float(pairs.t_ref[k]), new, ref, params)

    growths: list[_Growth | None] = []
    with ThreadPoolExecutor(n_threads or os.cpu_count()) as pool:
        for k, growth in zip(chosen, pool.map(look, chosen), strict=True):
            growths.append(growth)
            on_moment(float(pairs.t_new[k]))
    return _timed(pairs, chosen, growths, params.window_s)


def _moments(pairs: MatchedPairs, every_s: float) -> NDArray[np.intp]:
    """The first verified sighting in every `every_s` seconds of the new run."""
    verified = np.flatnonzero(pairs.n_inliers > 0)
    _, first = np.unique(np.floor(pairs.t_new[verified] / every_s), return_index=True)
    return verified[first]


def _growth(
    t_new_s: float, t_ref_s: float, new: Recording, ref: Recording, params: FlowParams
) -> _Growth | None:
    """How the new run's view at `t_new_s` grows along the reference around `t_ref_s`; None if unclear."""
    shown = pictures_between(new, t_new_s, t_new_s, max_side=params.max_side_px)
    around = _thinned(
        pictures_between(
            ref, t_ref_s - params.window_s, t_ref_s + params.window_s, max_side=params.max_side_px
        )
    )
    if not shown or len(around) < _MIN_VIEWS or shown[0].gray.shape != around[0].gray.shape:
        return None
    compare = _Comparison(shown[0].gray)
    seen = [(p.t_s - t_ref_s, compare.log_scale(p.gray)) for p in around]
    known = [(t_s, log_scale) for t_s, log_scale in seen if log_scale is not None]
    if len(known) < _MIN_VIEWS:
        return None
    t_s, log_scale = np.array(known).T
    growth = _line(t_s, log_scale)
    # Growth is a straight line only near the place where there is none.
    near = abs(growth.rate * t_s - growth.log_scale) <= growth.rate * _NEAR_S
    return _line(t_s[near], log_scale[near]) if near.sum() >= _MIN_VIEWS else growth


def _line(t_s: FloatArray, log_scale: FloatArray) -> _Growth:
    """A line that outliers do not pull (Theil 1950, Sen 1968)."""
    i, j = np.triu_indices(t_s.size, 1)
    slope = np.median((log_scale[j] - log_scale[i]) / (t_s[j] - t_s[i]))
    return _Growth(float(np.median(log_scale - slope * t_s)), -float(slope))


def _thinned(pictures: list[Picture]) -> list[Picture]:
    kept: list[Picture] = []
    for picture in pictures:
        if not kept or picture.t_s - kept[-1].t_s >= _LEAST_SPACING_S:
            kept.append(picture)
    return kept


class _Comparison:
    """Compares grey pictures (H, W) with one of them."""

    def __init__(self, gray: NDArray[np.uint8]) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._clahe = cv2.createCLAHE(_CLAHE_CLIP, _CLAHE_TILES)
        self._picture = self._even(gray)
        height, width = gray.shape
        x, y = np.meshgrid(*(np.arange(_GRID_PX // 2, side, _GRID_PX) for side in (width, height)))
        self._grid = np.column_stack([x.ravel(), y.ravel()])

    def log_scale(self, gray: NDArray[np.uint8]) -> float | None:
        """How much larger than in `gray` things are in the one picture, as a logarithm; None if unclear."""
        other = self._even(gray)
        there = self._moved(other, self._picture, self._grid)
        reached = self._grid + there
        height, width = gray.shape
        inside = ((reached >= 0) & (reached <= [width - 1, height - 1])).all(axis=1)
        start, end = self._grid[inside], reached[inside]
        back = self._moved(self._picture, other, np.rint(end).astype(np.intp))
        same = np.linalg.norm(end + back - start, axis=1) < _MAX_ROUND_TRIP_PX
        least = _MIN_SHARE * len(self._grid)
        if same.sum() < least:
            return None
        similarity, inliers = cv2.estimateAffinePartial2D(
            start[same].astype(np.float32),
            end[same].astype(np.float32),
            method=cv2.RANSAC,
            ransacReprojThreshold=_MAX_REPROJECTION * max(gray.shape),
            maxIters=_RANSAC_ITERS,
        )
        if similarity is None or inliers.sum() < least:
            return None
        return float(np.log(np.hypot(similarity[0, 0], similarity[1, 0])))

    def _even(self, gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(self._clahe.apply(gray), np.uint8)

    def _moved(
        self, before: NDArray[np.uint8], after: NDArray[np.uint8], xy: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """How far what is at pixels `xy` (n, 2) of `before` lies from there in `after` (n, 2)."""
        flow = self._flow.calc(before, after, np.zeros((*before.shape, 2), np.float32))
        return np.asarray(flow, np.float32)[xy[:, 1], xy[:, 0]]


def _timed(
    pairs: MatchedPairs, chosen: NDArray[np.intp], growths: list[_Growth | None], window_s: float
) -> MatchedPairs:
    """`pairs` with those `chosen` that flow times more precisely timed by it."""
    clear = [(k, g) for k, g in zip(chosen, growths, strict=True) if g and g.rate >= _MIN_LOG_SCALE_RATE]
    if len(clear) >= _MIN_ZOOM_MOMENTS and abs(np.median([g.log_scale for _, g in clear])) > _SAME_LENS:
        # A constant difference of scale is the lenses', and hides where the place is the same.
        return pairs
    t_ref, se_s = pairs.t_ref.copy(), pairs.se_s.copy()
    for k, growth in clear:
        later_s, error_s = growth.log_scale / growth.rate, _LOG_SCALE_ERROR / growth.rate
        if abs(later_s) <= window_s and error_s < se_s[k]:
            t_ref[k], se_s[k] = t_ref[k] + later_s, error_s
    return replace(pairs, t_ref=t_ref, se_s=se_s)
