"""What two runs have in common: what the cameras saw, with GPS as a prior where there is any."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.align.gps import GpsPrior, Method, align_tracks, standing
from mtbsync_engine.align.likeness import likeness, likeness_image, resting
from mtbsync_engine.align.refine import RefineParams, refine
from mtbsync_engine.align.search import Path, best_path, part_on_trail, rival_score
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.model import FloatArray, GpsUse, Index, LikenessImage, MatchedPairs, Matching, Track

# Raised whenever the same indexes and tracks would be lined up or judged otherwise.
STAGE_VERSION = 1
# Below this gap to the best rival, what the camera saw says nothing, and GPS alone has to carry the result.
CHANCE_MARGIN = 0.3
# A prior may cost a step as much as a good look-alike earns, and no more: the camera has the last word.
_MAX_PRIOR_COST = 3.0
# A clock that counts only riding lets the path pass a rest at any pace; it is slowed rather than stopped,
# as GPS that stands still may be a rider who creeps.
_RESTING_CLOCK = 0.25
# Leaps shorter than this are bridged by the curve like any other missing picture.
_SHORT_LEAP_S = 2.0


def match(
    new: Index,
    ref: Index,
    params: RefineParams | None,
    *,
    track_new: Track | None = None,
    track_ref: Track | None = None,
    gps_method: Method = "local",
    on_picture: Callable[[float], None] = lambda t_new_s: None,
) -> tuple[Matching, LikenessImage]:
    """Find what the two runs have in common, and the picture of their likeness.

    `params` None leaves out the comparison of key points; `gps_method` is `align_tracks`'s.
    `on_picture` is called with each picture's t_new in seconds, for progress.

    Raises:
        AlignmentError: the indexes were not made alike.
    """
    _check_comparable(new, ref)
    prior = align_tracks(track_new, track_ref, method=gps_method) if track_new and track_ref else None
    seen = likeness(new, ref)
    expected, evidence = seen, seen
    if prior is not None and prior.is_same_place:
        disagreement = _disagreement(prior, new, ref)
        expected = seen - np.nan_to_num(disagreement)
        # Where GPS puts both runs at one place they share it, however little the pictures show of that.
        evidence = seen + np.nan_to_num(_MAX_PRIOR_COST - disagreement)
    if prior is not None and not prior.is_same_place:
        # A track of another place belongs to another ride, and so do its rests.
        clock_new, clock_ref = _riding_clock(new, None), _riding_clock(ref, None)
    else:
        clock_new, clock_ref = _riding_clock(new, track_new), _riding_clock(ref, track_ref)
    whole = best_path(expected, clock_new, clock_ref)
    path = part_on_trail(whole, expected, evidence)
    margin = _margin(path.score, rival_score(expected, seen, whole, clock_new, clock_ref))
    gps = _gps_use(track_new, track_ref, prior, margin)
    if gps is GpsUse.ALONE and prior is not None:
        pairs = _pairs_from_gps(prior, new.t_s)
        stretches = stretches_without_gap(pairs.t_new)
    else:
        # A path that chance explains is kept whole, so that a person sees what was rejected.
        path = path if margin >= CHANCE_MARGIN else whole
        pairs = refine(path, seen, new, ref, params, on_picture=on_picture)
        stretches = _stretches_of_path(path, new, ref)
    matching = Matching(
        pairs=pairs,
        stretches=stretches,
        reach_s=0.5 * new.spacing_s,
        duration_new_s=new.duration_s,
        margin=margin,
        gps=gps,
        gps_separation_m=float("nan") if prior is None else prior.separation_m,
    )
    return matching, likeness_image(seen, new, ref)


def stretches_without_gap(t_new_s: FloatArray) -> tuple[tuple[float, float], ...]:
    """Intervals of ascending `t_new_s` (K,) in which neighbours are no further apart than a short leap."""
    parts = np.split(t_new_s, np.flatnonzero(np.diff(t_new_s) > _SHORT_LEAP_S) + 1)
    return tuple((float(part[0]), float(part[-1])) for part in parts if part.size)


def _check_comparable(new: Index, ref: Index) -> None:
    a, b = new.params, ref.params
    differing = [
        f"{name} ({getattr(a, name)} and {getattr(b, name)})"
        for name in ("max_side_px", "n_features", "clahe")
        if getattr(a, name) != getattr(b, name)
    ]
    if differing:
        raise AlignmentError(
            f"The two indexes were made differently, in {', '.join(differing)}; index one of the runs again."
        )


def _riding_clock(run: Index, track: Track | None) -> FloatArray:
    """Its pictures' times (N,) on a clock that all but stops while the rider stands still."""
    rests = resting(run)
    if track is not None:
        rests = rests | standing(track, run.t_s)[1:]
    return np.cumsum(np.diff(run.t_s, prepend=run.t_s[0]) * np.r_[1.0, np.where(rests, _RESTING_CLOCK, 1.0)])


def _disagreement(prior: GpsPrior, new: Index, ref: Index) -> NDArray[np.float32]:
    """How far GPS is from putting each pair of pictures (N, M) at one place, from 0 to `_MAX_PRIOR_COST`; nan
    where it does not say."""
    t_ref_s, se_s = prior.at(new.t_s)
    off = (ref.t_s[None, :] - t_ref_s[:, None]) / se_s[:, None]
    disagreement: NDArray[np.float32] = np.minimum(0.5 * off**2, _MAX_PRIOR_COST).astype(np.float32)
    return disagreement


def _margin(score: float, rival: float) -> float:
    return max(0.0, 1 - rival / score) if score > 0 else 0.0


def _gps_use(
    track_new: Track | None, track_ref: Track | None, prior: GpsPrior | None, margin: float
) -> GpsUse:
    if prior is not None:
        if not prior.is_same_place:
            return GpsUse.CONTRADICTS
        return GpsUse.BOTH if margin >= CHANCE_MARGIN else GpsUse.ALONE
    if track_new is not None and track_ref is not None:
        return GpsUse.UNUSABLE
    return GpsUse.NONE if track_new is None and track_ref is None else GpsUse.ONE


def _pairs_from_gps(prior: GpsPrior, t_new_s: FloatArray) -> MatchedPairs:
    """What GPS by itself says of each picture of the new run."""
    t_ref_s, se_s = prior.at(t_new_s)
    known = np.isfinite(t_ref_s)
    n = int(known.sum())
    return MatchedPairs(t_new_s[known], t_ref_s[known], se_s[known], np.zeros(n), np.zeros(n, np.int64))


def _stretches_of_path(path: Path, new: Index, ref: Index) -> tuple[tuple[float, float], ...]:
    """Intervals of t_new that the path goes through without a hole.

    A leap is a hole where one run went where the other did not. It is none where it is short, leaving out
    the time that a rider stood still in it.
    """
    riding_s = [
        np.concatenate([[0.0], np.cumsum(np.where(resting(run), 0.0, np.diff(run.t_s)))])[at]
        for run, at in ((new, path.new), (ref, path.ref))
    ]
    is_hole = np.max([np.diff(clock) for clock in riding_s], axis=0) > _SHORT_LEAP_S
    parts = np.split(new.t_s[path.new], np.flatnonzero(is_hole) + 1)
    return tuple((float(part[0]), float(part[-1])) for part in parts)
