"""The best monotone path through a likeness matrix, by dynamic programming.

A local alignment in the manner of Smith and Waterman (1981): the path may start and end anywhere, stand
still while the rider stands, advance at up to `_MAX_SLOPE` times the reference's pace, and leap over a
stretch that one of the runs lacks at a fixed price. Looking at whole sequences rather than single
pictures is what makes look-alikes harmless (SeqSLAM, Milford and Wyeth 2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.model import FloatArray

# A step earns its likeness less this, so that a path through chance look-alikes earns little.
_CHANCE = 1.0
_MAX_LIKENESS = 6.0
# At equal distances a step is four pictures or five: rounding of their times must not decide which it may be.
_MAX_SLOPE = 4.5
_SLOPE_COST = 0.05
_LEAP_COST = 10.0
_MISSED_PICTURE_COST = 0.2
# Likeness on the move: above this two runs show the same trail. Through different trails the best path finds
# 1.4 on average and hardly ever 1.9 for five seconds; through the same, more than 2.1 all the time.
_SAME_TRAIL_LIKENESS = 1.9
# What it costs to say that the new run leaves the trail, or comes back to it, so that a few pictures which
# look like nothing (a hand, the sun) do not.
_LEAVING_COST = 3.5
# A rival must keep this far from the best path, in seconds of the reference.
_RIVAL_DISTANCE_S = 3.0


@dataclass(frozen=True, eq=False)
class Path:
    """Pictures that belong together: `new` and `ref` (K,) are picture numbers, `score` what they earn."""

    new: NDArray[np.int64]
    ref: NDArray[np.int64]
    score: float


def best_path(z: NDArray[np.float32], t_new_s: FloatArray, t_ref_s: FloatArray) -> Path:
    """The path that earns most through `z` (N, M), the likeness in standard deviations.

    `t_new_s` (N,) and `t_ref_s` (M,) are the pictures' times, on which slopes are bounded.
    """
    n_new, n_ref = z.shape
    came_from = np.full((n_new, n_ref), -1, dtype=np.int32)
    score = _earned(z[0])
    best_score, best_end = float(score.max()), int(score.argmax())
    leap_from = score.copy()
    leap_origin = np.arange(n_ref)
    for j in range(1, n_new):
        # Starting afresh earns nothing; everything else has to beat that.
        gain, origin = np.zeros(n_ref), np.full(n_ref, -1)
        _consider_leaps(gain, origin, leap_from, leap_origin)
        _consider_steps(gain, origin, score, (j - 1) * n_ref, t_new_s[j] - t_new_s[j - 1], t_ref_s)
        score = _earned(z[j]) + gain
        came_from[j] = origin
        leap_from -= _MISSED_PICTURE_COST
        better = score > leap_from
        leap_from[better] = score[better]
        leap_origin[better] = j * n_ref + np.flatnonzero(better)
        if score.max() > best_score:
            best_score, best_end = float(score.max()), j * n_ref + int(score.argmax())
    return _trace_back(came_from, best_end, best_score)


def _earned(z: NDArray[np.float32]) -> FloatArray:
    """What a picture as alike as `z` adds to a path's score."""
    return np.clip(z, -_MAX_LIKENESS / 2, _MAX_LIKENESS).astype(np.float64) - _CHANCE


def _consider_leaps(
    gain: FloatArray, origin: NDArray[np.int64], leap_from: FloatArray, leap_origin: NDArray[np.int64]
) -> None:
    """Take over, in place, whatever a leap from any earlier moment of both runs earns."""
    highest = np.maximum.accumulate(leap_from)
    leader = np.maximum.accumulate(np.where(leap_from == highest, np.arange(leap_from.size), 0))
    earned = highest[:-1] - _LEAP_COST
    better = earned > gain[1:]
    gain[1:][better] = earned[better]
    origin[1:][better] = leap_origin[leader[:-1]][better]


def _consider_steps(
    gain: FloatArray,
    origin: NDArray[np.int64],
    score: FloatArray,
    first: int,
    dt_new_s: float,
    t_ref_s: FloatArray,
) -> None:
    """Take over, in place, whatever a step of 0, 1, 2 … reference pictures earns."""
    n_ref = score.size
    for step in range(n_ref):
        slope = (t_ref_s[step:] - t_ref_s[: n_ref - step]) / dt_new_s
        if slope.min() > _MAX_SLOPE:
            break
        earned = np.where(
            slope <= _MAX_SLOPE, score[: n_ref - step] - _SLOPE_COST * np.abs(slope - 1), -np.inf
        )
        better = earned > gain[step:]
        gain[step:][better] = earned[better]
        origin[step:][better] = first + np.flatnonzero(better)


def _trace_back(came_from: NDArray[np.int32], end: int, score: float) -> Path:
    cells = []
    cell = end
    while cell >= 0:
        cells.append(cell)
        cell = int(came_from.flat[cell])
    new, ref = np.divmod(np.array(cells[::-1], dtype=np.int64), came_from.shape[1])
    return Path(new, ref, score)


def part_on_trail(path: Path, expected: NDArray[np.float32], evidence: NDArray[np.float32]) -> Path:
    """What is left of `path`, the best through `expected` (N, M), where both runs show the same trail.

    The best path goes on from where the runs part, through whatever look-alikes chance offers. Those are
    less alike than the same places are: a hidden Markov model of two states, on the trail and off it, with
    `evidence` (N, M), the likeness, for probabilities, finds where it changes over (Viterbi 1967).
    """
    kept = _is_on_trail(evidence[path.new, path.ref])
    left_out = expected[path.new[~kept], path.ref[~kept]]
    return Path(path.new[kept], path.ref[kept], path.score - float(_earned(left_out).sum()))


def _is_on_trail(likeness: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The likelier state at each picture (K,), two ways in at every one: as before, or changed."""
    stays = np.empty((likeness.size, 2), dtype=np.bool_)
    off = on = 0.0
    for k, gain in enumerate(likeness - _SAME_TRAIL_LIKENESS):
        stays[k] = off >= on - _LEAVING_COST, on >= off - _LEAVING_COST
        off, on = max(off, on - _LEAVING_COST), max(on, off - _LEAVING_COST) + float(gain)
    is_on = np.empty(likeness.size, dtype=np.bool_)
    state = on > off
    for k in range(likeness.size - 1, -1, -1):
        is_on[k] = state
        state = bool(state == stays[k, int(state)])
    return is_on


def rival_score(
    expected: NDArray[np.float32],
    seen: NDArray[np.float32],
    path: Path,
    t_new_s: FloatArray,
    t_ref_s: FloatArray,
) -> float:
    """What the best path earns that cannot be the truth if `path` is.

    Two rivals are tried. One is the best path through `expected`, the matrix that `path` was found in,
    that keeps clear of `path`: it earns much where the trail resembles itself. The other plays the new run
    backwards through `seen`, the bare likeness: no ride goes that way, so it earns what chance does in
    pictures like these (the decoys of Elias and Gygi 2007).
    """
    elsewhere = expected.copy()
    for j, i in zip(path.new, path.ref, strict=True):
        elsewhere[j, np.abs(t_ref_s - t_ref_s[i]) < _RIVAL_DISTANCE_S] = -_MAX_LIKENESS
    backwards_t_new_s = t_new_s[-1] - t_new_s[::-1]
    return max(
        0.0,
        best_path(elsewhere, t_new_s, t_ref_s).score,
        best_path(seen[::-1], backwards_t_new_s, t_ref_s).score,
    )
