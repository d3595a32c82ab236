"""What a person says who sees both runs: the same place. Whatever contradicts it is wrong.

As in `align.fit` sightings are told by `u = (t_new + t_ref) / 2` and `d = t_ref - t_new`; two moments follow
each other in both runs where `d` changes by less than 2 per unit of `u`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.model import ANCHOR_SE_S, Anchor, FloatArray, MatchedPairs, Matching, Testimony

# Sightings that tell together where their stretch says the reference is.
_AROUND = 11
# Further off than this, in standard errors, a sighting is wrong.
_CONTRADICTS_SE = 4.0
# A stretch that is wrong at an anchor may be right again where a rider whose pace differs by so much from the
# stretch's has made up for it.
PACE_CHANGE = 0.3
# A stretch that is further off than this has followed something else all along, such as another lap.
_ELSEWHERE_S = 10.0
# What lies beside an anchor belongs to it where nobody rode faster than so many times the other, and one of
# them was no further ahead of that than sightings err.
_MOST_PACE = 4.0
_STEEPEST = 2 * (_MOST_PACE - 1) / (_MOST_PACE + 1)
_NEAR_S = 0.5
_NO_STRETCH = -1


def heeded(matching: Matching) -> tuple[Matching, MatchedPairs]:
    """What of `matching` its anchors leave standing, and the sightings that they refute.

    Refuted is what would have the runs pass an anchor in another order than it says, and what belongs to a
    stretch that is wrong there, as far from the anchor as no rider's pace explains. The stretches reach to
    the anchors beside them; an anchor that nothing can be joined to is one by itself.

    Raises:
        AlignmentError: two anchors contradict each other.
    """
    pairs = matching.pairs
    if not matching.anchors:
        return matching, pairs.at(np.zeros(len(pairs), np.bool_))
    anchors = _in_order(matching.anchors)
    at = np.array([(a.t_new_s, a.t_ref_s) for a in anchors])
    stretch = _stretch_of(pairs.t_new, matching)
    typical_d = _typical_d(pairs, stretch)
    stands = _stands(at, pairs.t_new, pairs.t_ref, pairs.se_s, matching, typical_d)
    testimonies = tuple(
        _of_testimony(t, _stands(at, t.t_new_s, t.t_ref_s, t.se_s, matching, typical_d))
        for t in matching.testimonies
    )
    standing = pairs.at(stands)
    stretches = _stretches(at, standing, typical_d[stands], stretch[stands], matching)
    left = replace(matching, pairs=standing, testimonies=testimonies, stretches=stretches, anchors=anchors)
    return left, pairs.at(~stands)


def _in_order(anchors: tuple[Anchor, ...]) -> tuple[Anchor, ...]:
    ordered = tuple(sorted(set(anchors)))
    for one, other in pairwise(ordered):
        if other.t_new_s <= one.t_new_s or other.t_ref_s <= one.t_ref_s:
            raise AlignmentError(
                f"Two places cannot both be the same: {_named(one)}, and {_named(other)}. One run would pass "
                "them in another order than the other; take the wrong one away."
            )
    return ordered


def _named(anchor: Anchor) -> str:
    return f"{anchor.t_new_s:.2f} s of the new run at {anchor.t_ref_s:.2f} s of the reference"


def _stretch_of(t_new: FloatArray, matching: Matching) -> NDArray[np.int64]:
    """The number of the stretch that each `t_new` (K,) lies in, or of the last one before it."""
    begins = np.array([begin for begin, _ in matching.stretches])
    return np.maximum(np.searchsorted(begins, t_new, side="right") - 1, 0)


def _typical_d(pairs: MatchedPairs, stretch: NDArray[np.int64]) -> FloatArray:
    """What the sightings of the same stretch around each of `pairs` say of `d` there (K,)."""
    d = pairs.t_ref - pairs.t_new
    u = 0.5 * (pairs.t_new + pairs.t_ref)
    typical = d.copy()
    for number in np.unique(stretch):
        rows = np.flatnonzero(stretch == number)
        rows = rows[np.argsort(u[rows], kind="stable")]
        typical[rows] = median_filter(d[rows], _AROUND, mode="nearest")
    return typical


def _stands(
    at: FloatArray,
    t_new: FloatArray,
    t_ref: FloatArray,
    se_s: FloatArray,
    matching: Matching,
    typical_d: FloatArray,
) -> NDArray[np.bool_]:
    """Which sightings (K,) no anchor `at` (A, 2) contradicts; `typical_d` is that of the matching's pairs."""
    u, d = 0.5 * (t_new + t_ref), t_ref - t_new
    at_u, at_d = at.mean(axis=1), at[:, 1] - at[:, 0]
    slack_s = _CONTRADICTS_SE * np.hypot(se_s, ANCHOR_SE_S)
    is_in_order = np.abs(d - at_d[:, None]) <= 2 * np.abs(u - at_u[:, None]) + slack_s
    stands: NDArray[np.bool_] = is_in_order.all(axis=0)
    of_pairs, of_these = _stretch_of(matching.pairs.t_new, matching), _stretch_of(t_new, matching)
    for number in np.unique(of_pairs):
        rows, here = np.flatnonzero(of_pairs == number), of_these == number
        pairs_u = 0.5 * (matching.pairs.t_new[rows] + matching.pairs.t_ref[rows])
        order = np.argsort(pairs_u, kind="stable")
        known_u, known_d = pairs_u[order], typical_d[rows][order]
        concerned = np.flatnonzero(_concerns(at, known_u, known_d))
        if not concerned.size:
            continue
        off_s = d[here] - np.interp(u[here], known_u, known_d)
        anchors_off_s = at_d[concerned] - np.interp(at_u[concerned], known_u, known_d)
        # What lies behind another anchor is for that one to tell.
        after = np.searchsorted(at_u[concerned], u[here])
        for beside in (np.maximum(after - 1, 0), np.minimum(after, concerned.size - 1)):
            away_s = np.abs(u[here] - at_u[concerned][beside])
            may_recover = np.abs(anchors_off_s[beside]) <= _ELSEWHERE_S
            explained_s = np.where(may_recover, PACE_CHANGE * away_s, 0.0) + slack_s[here]
            stands[here] &= np.abs(off_s - anchors_off_s[beside]) <= explained_s
    return stands


def _concerns(at: FloatArray, u: FloatArray, d: FloatArray) -> NDArray[np.bool_]:
    """Which anchors `at` (A, 2) lie, on either run's clock, within the stretch that is `d` at `u` (A,)."""
    edges = u[[0, -1]][:, None] + d[[0, -1]][:, None] * [-0.5, 0.5]
    is_within: NDArray[np.bool_] = ((at >= edges[0]) & (at <= edges[1])).any(axis=1)
    return is_within


def _of_testimony(testimony: Testimony, stands: NDArray[np.bool_]) -> Testimony:
    columns = (testimony.t_new_s, testimony.t_ref_s, testimony.se_s)
    return Testimony(testimony.witness, *(column[stands] for column in columns))


def _stretches(
    at: FloatArray,
    pairs: MatchedPairs,
    typical_d: FloatArray,
    stretch: NDArray[np.int64],
    matching: Matching,
) -> tuple[tuple[float, float], ...]:
    """Intervals of t_new without a hole, now that the anchors `at` (A, 2) are known."""
    inside = [any(begin <= t <= end for begin, end in matching.stretches) for t in at[:, 0]]
    t_new = np.concatenate([at[:, 0], pairs.t_new])
    d = np.concatenate([at[:, 1] - at[:, 0], typical_d])
    is_anchor = np.arange(t_new.size) < len(at)
    number = np.concatenate([np.where(inside, _stretch_of(at[:, 0], matching), _NO_STRETCH), stretch])
    order = np.argsort(t_new, kind="stable")
    t_new, d, is_anchor, number = (values[order] for values in (t_new, d, is_anchor, number))
    step_u = np.diff(t_new) + 0.5 * np.diff(d)
    is_beside = (is_anchor[1:] | is_anchor[:-1]) & (np.abs(np.diff(d)) <= _STEEPEST * step_u + _NEAR_S)
    is_same = (number[1:] == number[:-1]) & (number[1:] != _NO_STRETCH)
    parts = np.split(t_new, np.flatnonzero(~(is_beside | is_same)) + 1)
    return tuple((float(part[0]), float(part[-1])) for part in parts)
