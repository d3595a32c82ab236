"""What two runs have in common: what the cameras saw, with GPS as a prior where there is any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from threadpoolctl import threadpool_limits

from mtbsync_engine.align.gps import GpsPrior, Method, align_tracks, standing
from mtbsync_engine.align.likeness import Band, Resemblance, likeness_image, resting
from mtbsync_engine.align.prior import Prior, fuse
from mtbsync_engine.align.refine import RefineParams, refine
from mtbsync_engine.align.search import Path, best_path, part_on_trail, rivals
from mtbsync_engine.align.turns import TurnPrior, align_turns
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.model import (
    FloatArray,
    GpsUse,
    Index,
    LikenessImage,
    MatchedPairs,
    Matching,
    OtherPlace,
    Telemetry,
    Testimony,
    Track,
    Weights,
    Witness,
)

# Raised whenever the same indexes and tracks would be lined up or judged otherwise.
STAGE_VERSION = 3
# Below this gap to chance what the camera saw says nothing, and GPS alone has to carry the result.
CHANCE_MARGIN = 0.3
# Key points of a picture that agree at another place of a trail that resembles itself: one in thirty has 12,
# one in a hundred 15.
WELL_VERIFIED = 18
# A prior may cost a step as much as a good look-alike earns, and no more: the camera has the last word.
_MAX_PRIOR_COST = 3.0
# A clock that counts only riding lets the path pass a rest at any pace; it is slowed rather than stopped,
# as GPS that stands still may be a rider who creeps.
_RESTING_CLOCK = 0.25
# Leaps shorter than this are bridged by the curve like any other missing picture.
_SHORT_LEAP_S = 2.0
# What well verified neighbours may be off the pace around them, in seconds and in their own errors, before
# one of the runs must have gone another way. At a stop hardly more than a picture's time is.
_LONGEST_SKIP_S = 0.45
_SKIP_SE = 4.0
_PACE_CHANGE = 0.3
# Where nothing was well verified for longer, what is less so has to do.
_LONGEST_DOUBT_S = 4.0
_PACE_STEPS = 9
# Pictures that stay alike for so short a time may show that the camera was blinded, and no rest.
_NO_REST_S = 2.5
# How far from a path through some of the pictures that through all of them may lead, in strides.
_REACH_STRIDES = 4
# Over which time a receiver, or a gyroscope, errs in one direction.
_ALIKE_S = 10.0
_NOTHING = Telemetry()


def match(
    new: Index,
    ref: Index,
    params: RefineParams | None,
    *,
    noted_new: Telemetry = _NOTHING,
    noted_ref: Telemetry = _NOTHING,
    gps_method: Method = "local",
    weights: Weights | None = None,
    n_threads: int | None = None,
    on_picture: Callable[[float], None] = lambda t_new_s: None,
) -> tuple[Matching, LikenessImage]:
    """Find what the two runs have in common, and the picture of their likeness.

    `params` None leaves out the comparison of key points; `noted_new` and `noted_ref` are what the cameras
    noted besides pictures; `gps_method` is `align_tracks`'s; `weights` is where the networks of a matcher
    that needs them lie; `n_threads` None uses all cores. `on_picture` is called with each picture's t_new in
    seconds, for progress.

    Raises:
        AlignmentError: the indexes were not made alike.
        MatcherError: a network that compares key points cannot be used.
    """
    _check_comparable(new, ref)
    track_new, track_ref = noted_new.track, noted_ref.track
    gps = align_tracks(track_new, track_ref, method=gps_method) if track_new and track_ref else None
    turns = align_turns(noted_new.motion, noted_ref.motion) if noted_new.motion and noted_ref.motion else None
    heard = _usable(gps, turns)
    # A track of another place belongs to another ride, and so do its rests.
    is_elsewhere = gps is not None and not gps.is_same_place
    rests_new, rests_ref = (
        _rests(run, None if is_elsewhere else track) for run, track in ((new, track_new), (ref, track_ref))
    )
    # The products are small: more threads in each of them would only wait for each other.
    with threadpool_limits(1, "blas"):
        search = _search(
            new,
            ref,
            fuse([prior for _, prior in heard]) if heard else None,
            riding_clock(new, rests_new),
            riding_clock(ref, rests_ref),
        )
        use = _gps_use(track_new, track_ref, gps, search.margin)
        if use is GpsUse.ALONE and gps is not None:
            pairs = _pairs_from_gps(gps, new.t_s)
            stretches = stretches_without_gap(pairs.t_new)
        else:
            pairs = refine(
                search.path,
                search.seen,
                new,
                ref,
                params,
                weights=weights,
                n_threads=n_threads,
                on_picture=on_picture,
            )
            pairs, stretches = _together(pairs, new, ref, rests_new, rests_ref)
    matching = Matching(
        pairs=pairs,
        stretches=stretches,
        reach_s=0.5 * new.spacing_s,
        duration_new_s=new.duration_s,
        margin=search.margin,
        gps=use,
        gps_separation_m=float("nan") if gps is None else gps.separation_m,
        elsewhere=search.elsewhere,
        testimonies=() if use is GpsUse.ALONE else tuple(_testimony(*one, stretches) for one in heard),
    )
    return matching, search.image


@dataclass(frozen=True, eq=False)
class _Found:
    """The path through what was `seen`, its margin over chance, where else the new run fits, and the picture
    of it all."""

    path: Path
    seen: Band
    margin: float
    elsewhere: tuple[OtherPlace, ...]
    image: LikenessImage


def _search(
    new: Index, ref: Index, prior: Prior | None, clock_new: FloatArray, clock_ref: FloatArray
) -> _Found:
    """First through some of the pictures against all, then through all of them near that path."""
    resemblance = Resemblance(new, ref)
    stride = resemblance.stride
    rows, columns = np.arange(0, new.t_s.size, stride), np.arange(0, ref.t_s.size, stride)
    seen = resemblance.whole()
    image = likeness_image(seen, new.t_s[rows], ref.t_s[columns])
    expected, evidence = _with_prior(seen, prior, new.t_s[rows], ref.t_s[columns])
    whole = best_path(expected, clock_new[rows], clock_ref[columns])
    path = part_on_trail(whole, expected, evidence)
    against = rivals(whole, path.score, expected, evidence, seen, clock_new[rows], clock_ref[columns])
    margin = _margin(path.score, against.chance_score)
    elsewhere = tuple(
        OtherPlace(
            float(new.t_s[rows[rival.new[0]]]),
            float(ref.t_s[columns[rival.ref[0]]]),
            rival.score / path.score,
        )
        for rival in against.elsewhere
        if margin >= CHANCE_MARGIN
    )
    if stride > 1:
        seen = resemblance.near(*_around(whole, stride, new.t_s.size))
        expected, evidence = _with_prior(seen, prior, new.t_s, ref.t_s)
        whole = best_path(expected, clock_new, clock_ref)
        path = part_on_trail(whole, expected, evidence)
    # A path that chance explains is kept whole, so that a person sees what was rejected.
    return _Found(
        path if margin >= CHANCE_MARGIN and path.new.size else whole, seen, margin, elsewhere, image
    )


def _usable(gps: GpsPrior | None, turns: TurnPrior | None) -> list[tuple[Witness, Prior]]:
    """The witnesses other than the pictures that have something to say."""
    heard: list[tuple[Witness, Prior]] = []
    if gps is not None and gps.is_same_place:
        heard.append((Witness.GPS, gps))
    if turns is not None and turns.valid.any():
        heard.append((Witness.TURNS, turns))
    return heard


def _testimony(witness: Witness, prior: Prior, stretches: tuple[tuple[float, float], ...]) -> Testimony:
    """What `prior` says inside the stretches, once in every time over which its errors are alike."""
    moments = [np.arange(start, end, _ALIKE_S) for start, end in stretches]
    t_new_s = np.concatenate([np.zeros(0), *moments])
    t_ref_s, se_s = prior.at(t_new_s)
    known = np.isfinite(t_ref_s)
    return Testimony(witness, t_new_s[known], t_ref_s[known], se_s[known])


def stretches_without_gap(t_new_s: FloatArray) -> tuple[tuple[float, float], ...]:
    """Intervals of ascending `t_new_s` (K,) in which neighbours are no further apart than a short leap."""
    parts = np.split(t_new_s, np.flatnonzero(np.diff(t_new_s) > _SHORT_LEAP_S) + 1)
    return tuple((float(part[0]), float(part[-1])) for part in parts if part.size)


def _check_comparable(new: Index, ref: Index) -> None:
    a, b = new.params, ref.params
    differing = [f"{name} ({getattr(a, name)} and {getattr(b, name)})" for name in a.differing(b)]
    if differing:
        raise AlignmentError(
            f"The two indexes were made differently, in {', '.join(differing)}; index one of the runs again."
        )


def _rests(run: Index, track: Track | None) -> NDArray[np.bool_]:
    """Whether the rider stood still over each step between pictures (N - 1,)."""
    rests = resting(run)
    return rests if track is None else rests | standing(track, run.t_s)[1:]


def riding_clock(run: Index, rests: NDArray[np.bool_]) -> FloatArray:
    """Its pictures' times (N,) on a clock that all but stops over the steps between them in which the rider
    `rests` (N - 1,)."""
    return np.cumsum(np.diff(run.t_s, prepend=run.t_s[0]) * np.r_[1.0, np.where(rests, _RESTING_CLOCK, 1.0)])


def _with_prior(
    seen: Band, prior: Prior | None, t_new_s: FloatArray, t_ref_s: FloatArray
) -> tuple[Band, Band]:
    """What to look for the path in, and what tells whether the runs share a trail, given the other witnesses.

    `t_new_s` and `t_ref_s` are the times of the rows and columns of `seen`.
    """
    if prior is None:
        return seen, seen
    expected_s, se_s = prior.at(t_new_s)
    off = (t_ref_s[seen.columns()] - expected_s[:, None]) / se_s[:, None]
    disagreement = np.minimum(0.5 * off**2, _MAX_PRIOR_COST).astype(np.float32)
    return (
        replace(seen, z=seen.z - np.nan_to_num(disagreement)),
        # Where others put both runs at one place they share it, however little the pictures show of that.
        replace(seen, z=seen.z + np.nan_to_num(_MAX_PRIOR_COST - disagreement)),
    )


def _around(path: Path, stride: int, n_new: int) -> tuple[FloatArray, int]:
    """The reference's picture that a path through every `stride`-th one leads to for each of the `n_new`,
    and how many pictures off that may be."""
    centre = np.interp(np.arange(n_new), path.new * stride, path.ref * stride)
    centre += np.clip(np.arange(n_new) - path.new[-1] * stride, 0, None)
    centre -= np.clip(path.new[0] * stride - np.arange(n_new), 0, None)
    return np.maximum(centre, 0.0), _REACH_STRIDES * stride


def _margin(score: float, chance_score: float) -> float:
    return max(0.0, 1 - chance_score / score) if score > 0 else 0.0


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


def _together(
    pairs: MatchedPairs, new: Index, ref: Index, rests_new: NDArray[np.bool_], rests_ref: NDArray[np.bool_]
) -> tuple[MatchedPairs, tuple[tuple[float, float], ...]]:
    """The sightings of `pairs` at which the runs are together, and the intervals of t_new in which they stay
    together.

    They part where one went where the other did not: for long, or for longer than the pace around explains
    from one well verified sighting to the next. The time that a rider stood still does not count.
    """
    ridden_new_s, ridden_ref_s = (
        np.interp(t_s, run.t_s, np.concatenate([[0.0], np.cumsum(np.where(rests, 0.0, np.diff(run.t_s)))]))
        for t_s, run, rests in ((pairs.t_new, new, rests_new), (pairs.t_ref, ref, rests_ref))
    )
    parts_here = np.maximum(np.diff(ridden_new_s), np.diff(ridden_ref_s)) > _SHORT_LEAP_S
    is_lost = np.zeros(len(pairs), np.bool_)
    for before, after in _skips(pairs, ridden_new_s, ridden_ref_s):
        # Who rode further than the reference sees the view ahead come back: that is no way back.
        beyond = after + int(np.argmax(pairs.t_ref[after:] > pairs.t_ref[before]))
        parts_here[before:beyond] = True
        is_lost[before + 1 : beyond] = True
    parts = np.split(np.arange(len(pairs)), np.flatnonzero(parts_here) + 1)
    stretches = tuple(
        (float(pairs.t_new[part[0]]), float(pairs.t_new[part[-1]])) for part in parts if not is_lost[part[0]]
    )
    return pairs.at(~is_lost), stretches


def _skips(pairs: MatchedPairs, ridden_new_s: FloatArray, ridden_ref_s: FloatArray) -> list[tuple[int, int]]:
    """Numbers of well verified sightings that follow each other and between which one run skips a part of the
    trail that the other rides, given how long either had been riding at each (K,)."""
    verified = np.flatnonzero(pairs.n_inliers >= WELL_VERIFIED)
    steps = (
        (np.diff(t_new_s[verified]), np.diff(t_ref_s[verified]))
        for t_new_s, t_ref_s in ((ridden_new_s, ridden_ref_s), (pairs.t_new, pairs.t_ref))
    )
    (step_new_s, step_ref_s), (whole_new_s, whole_ref_s) = steps
    paces = np.divide(step_ref_s, step_new_s, out=np.ones_like(step_ref_s), where=step_new_s > 0)
    pace = median_filter(paces, _PACE_STEPS) if paces.size else paces
    lost_s = np.abs(step_ref_s - pace * step_new_s)
    if_no_rest_s = np.abs(whole_ref_s - pace * whole_new_s)
    lost_s = np.where(whole_new_s <= _NO_REST_S, np.minimum(lost_s, if_no_rest_s), lost_s)
    se_s = pairs.se_s[verified]
    explained_s = np.maximum(_LONGEST_SKIP_S, _SKIP_SE * np.hypot(se_s[1:], se_s[:-1]))
    # Over a longer time the pace itself may have changed.
    explained_s = np.maximum(explained_s, _PACE_CHANGE * step_new_s)
    is_skip = (lost_s > explained_s) & (step_new_s <= _LONGEST_DOUBT_S)
    return [(int(verified[k]), int(verified[k + 1])) for k in np.flatnonzero(is_skip)]
