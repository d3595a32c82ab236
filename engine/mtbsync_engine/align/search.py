"""The best monotone path through a likeness matrix, by dynamic programming.

A local alignment in the manner of Smith and Waterman (1981): the path may start and end anywhere, stand
still while the rider stands, advance at up to `_MAX_SLOPE` times the reference's pace, and leap over a
stretch that one of the runs lacks at a fixed price. Looking at whole sequences rather than single
pictures is what makes look-alikes harmless (SeqSLAM, Milford and Wyeth 2012).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mtbsync_engine.align.likeness import Band
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
# What another place earns where the new run fits it about as well, as a share of the best; and how many such
# places are looked for.
_AS_WELL = 0.5
_MOST_PLACES = 8
# Of times between pictures, in decimal places of a second: what containers round to.
_ROUNDING_DIGITS = 4
# Different times between pictures that are remembered: a camera has a handful, a jittery one no end of them.
_MAX_REMEMBERED = 32
_NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Path:
    """Pictures that belong together: `new` and `ref` (K,) are picture numbers, `score` what they earn."""

    new: NDArray[np.int64]
    ref: NDArray[np.int64]
    score: float


def best_path(band: Band, t_new_s: FloatArray, t_ref_s: FloatArray) -> Path:
    """The path that earns most through `band`.

    `t_new_s` (N,) and `t_ref_s` (M,) are the times of rows and columns, on which slopes are bounded. Time and
    memory are those of the band, whatever the size of the matrix.
    """
    n_new, width = band.z.shape
    steps = _Steps(t_ref_s, width)
    came_from = np.full((n_new, width), _NOWHERE)
    score = _earned(band.z[0])
    best = (float(score.max()), 0, int(score.argmax()))
    leaps = _Leaps(band, score)
    for j in range(1, n_new):
        first, shift = band.first[j], int(band.first[j] - band.first[j - 1])
        gain, origin = leaps.to_row(j)
        stepped, step = steps.best(score, shift, first, t_new_s[j] - t_new_s[j - 1])
        better = stepped > gain
        gain[better] = stepped[better]
        origin[better] = ((j - 1) * width + np.arange(width) + shift - step)[better]
        score = _earned(band.z[j]) + gain
        came_from[j] = origin
        leaps.add(j, score)
        highest = int(score.argmax())
        if score[highest] > best[0]:
            best = (float(score[highest]), j, highest)
    return _trace_back(came_from, band, *best)


class _Steps:
    """Steps of 0, 1, 2 … columns from one row to the next, which cost by their slope."""

    def __init__(self, t_ref_s: FloatArray, width: int) -> None:
        self._t_ref_s, self._width = t_ref_s, width
        self._costs: dict[float, FloatArray] = {}
        self._starts: dict[int, tuple[FloatArray, FloatArray]] = {}

    def best(
        self, score: FloatArray, shift: int, first: int, dt_new_s: float
    ) -> tuple[FloatArray, NDArray[np.intp]]:
        """What the best step into each column of a row earns, and how many columns long it is (W,).

        The row begins at column `first`, `dt_new_s` after the row before; paths to that, which begins
        `shift` columns earlier, earn `score` (W,).
        """
        cost = self._cost(dt_new_s)[:, first : first + self._width]
        if len(cost) not in self._starts:
            before = np.empty(len(cost) - 1 + self._width)
            # Row k shows the scores that a step of k columns starts from.
            self._starts[len(cost)] = before, sliding_window_view(before, self._width)[::-1]
        before, starts = self._starts[len(cost)]
        begin = len(cost) - 1 - shift
        before.fill(-np.inf)
        before[max(begin, 0) : max(begin + self._width, 0)] = score[max(-begin, 0) :]
        earned = starts - cost
        step = earned.argmax(axis=0)
        return earned[step, np.arange(self._width)], step

    def _cost(self, dt_new_s: float) -> FloatArray:
        """The cost of each step to each column (steps, M) while `dt_new_s` pass; inf where it is too steep
        or would begin before the first column."""
        rounded_s = max(round(dt_new_s, _ROUNDING_DIGITS), 10.0**-_ROUNDING_DIGITS)
        if rounded_s not in self._costs:
            if len(self._costs) >= _MAX_REMEMBERED:
                self._costs.clear()
            self._costs[rounded_s] = self._computed(rounded_s)
        return self._costs[rounded_s]

    def _computed(self, dt_new_s: float) -> FloatArray:
        t_ref_s = self._t_ref_s
        earliest = np.searchsorted(t_ref_s, t_ref_s - _MAX_SLOPE * dt_new_s)
        n_steps = 1 + int(np.max(np.arange(t_ref_s.size) - earliest))
        cost = np.full((n_steps, t_ref_s.size), np.inf)
        for step in range(n_steps):
            slope = (t_ref_s[step:] - t_ref_s[: t_ref_s.size - step]) / dt_new_s
            cost[step, step:] = np.where(slope <= _MAX_SLOPE, _SLOPE_COST * np.abs(slope - 1), np.inf)
        return cost


class _Leaps:
    """The best place to leap from to each column, over all rows so far."""

    def __init__(self, band: Band, score: FloatArray) -> None:
        self._band = band
        self._score = np.full(band.n_columns, -np.inf)
        self._origin = np.full(band.n_columns, _NOWHERE)
        # What lies before the band for good: its best score and where that was.
        self._passed = (-np.inf, _NOWHERE)
        self.add(0, score)

    def add(self, j: int, score: FloatArray) -> None:
        """Take in row `j`, to whose columns paths earn `score` (W,)."""
        first, width = self._band.first[j], score.size
        self._score[first : first + width] -= _MISSED_PICTURE_COST
        self._passed = (self._passed[0] - _MISSED_PICTURE_COST, self._passed[1])
        here = slice(first, first + width)
        better = score > self._score[here]
        self._score[here][better] = score[better]
        self._origin[here][better] = j * width + np.flatnonzero(better)

    def to_row(self, j: int) -> tuple[FloatArray, NDArray[np.int64]]:
        """What a leap into each column of row `j` earns, or starting afresh where that earns more (W,)."""
        before, first = self._band.first[j - 1], self._band.first[j]
        width = self._band.z.shape[1]
        if first > before:
            leader = before + int(self._score[before:first].argmax())
            if self._score[leader] > self._passed[0]:
                self._passed = (float(self._score[leader]), int(self._origin[leader]))
        scores = np.concatenate([[self._passed[0]], self._score[first : first + width - 1]])
        origins = np.concatenate([[self._passed[1]], self._origin[first : first + width - 1]])
        highest = np.maximum.accumulate(scores)
        leader = np.maximum.accumulate(np.where(scores == highest, np.arange(width), 0))
        gain = highest - _LEAP_COST
        return np.maximum(gain, 0.0), np.where(gain > 0, origins[leader], _NOWHERE)


def _earned(z: NDArray[np.float32]) -> FloatArray:
    """What a picture as alike as `z` adds to a path's score."""
    return np.clip(z, -_MAX_LIKENESS / 2, _MAX_LIKENESS).astype(np.float64) - _CHANCE


def _trace_back(came_from: NDArray[np.int64], band: Band, score: float, row: int, offset: int) -> Path:
    width = came_from.shape[1]
    cells = []
    cell = row * width + offset
    while cell >= 0:
        cells.append(cell)
        cell = int(came_from.flat[cell])
    rows, offsets = np.divmod(np.array(cells[::-1], dtype=np.int64), width)
    return Path(rows, band.first[rows] + offsets, score)


def part_on_trail(path: Path, expected: Band, evidence: Band) -> Path:
    """What is left of `path`, the best through `expected`, where both runs show the same trail.

    The best path goes on from where the runs part, through whatever look-alikes chance offers. Those are
    less alike than the same places are: a hidden Markov model of two states, on the trail and off it, with
    `evidence`, the likeness, for probabilities, finds where it changes over (Viterbi 1967).
    """
    kept = _is_on_trail(evidence.at(path.new, path.ref))
    left_out = expected.at(path.new[~kept], path.ref[~kept])
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


@dataclass(frozen=True, eq=False)
class Rivals:
    """What stands against the best path: `elsewhere`, the paths far from it along which both runs show the
    same trail about as well, the best first; and `chance_score`, what a path earns that shows nothing."""

    elsewhere: tuple[Path, ...]
    chance_score: float


def rivals(
    path: Path,
    score: float,
    expected: Band,
    evidence: Band,
    seen: Band,
    t_new_s: FloatArray,
    t_ref_s: FloatArray,
) -> Rivals:
    """What else there is, if `path` is the best through `expected` and its part on the trail earns `score`.

    One after the other, the best paths that keep clear of those before are looked at. Where both runs show
    the same trail along one, by `evidence`, it is a place that the new run fits too: another lap. The first
    along which they do not, or for little of it, is chance. So is the best path of the new run played
    backwards through `seen`, the bare likeness: no ride goes that way (the decoys of Elias and Gygi 2007).
    """
    backwards_t_new_s = t_new_s[-1] - t_new_s[::-1]
    chance_score = best_path(replace(seen, z=seen.z[::-1]), backwards_t_new_s, t_ref_s).score
    elsewhere: list[Path] = []
    while len(elsewhere) < _MOST_PLACES:
        expected, evidence = (_clear_of(path, band, t_ref_s) for band in (expected, evidence))
        path = best_path(expected, t_new_s, t_ref_s)
        part = part_on_trail(path, expected, evidence)
        if part.score <= _AS_WELL * score:
            chance_score = max(chance_score, path.score)
            break
        elsewhere.append(part)
    return Rivals(tuple(elsewhere), max(chance_score, 0.0))


def _clear_of(path: Path, whole: Band, t_ref_s: FloatArray) -> Band:
    """A whole matrix in which nothing within reach of `path` is alike."""
    z = whole.z.copy()
    for j, i in zip(path.new, path.ref, strict=True):
        z[j, np.abs(t_ref_s - t_ref_s[i]) < _RIVAL_DISTANCE_S] = -_MAX_LIKENESS
    return replace(whole, z=z)
