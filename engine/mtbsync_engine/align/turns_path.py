"""Which moments of two rides belong together, by how the camera turned in each.

A trail gives its heading to whoever rides it, at any pace. Along the true path the two headings therefore
differ by a constant, but for the drift of two gyroscopes: a local alignment (Smith and Waterman 1981) looks
for the path along which they do. Every path carries its own estimate of that constant, of its drift and of
its pace, as in per-survivor processing (Raheli, Polydoros and Tzou 1995).

What a step earns is how much better the reference foretells the new run's heading than the heading held so
far does: bends count, straights say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.model import FloatArray

IntArray = NDArray[np.int64]
Single = NDArray[np.float32]

# The path takes one step for every sample of the new run, of none to nine samples of the reference.
STEP_NEW_S = 1.0
STEP_REF_S = 0.5
_MOST_STEPS = 9
_STEPS_AT_PAR = STEP_NEW_S / STEP_REF_S
_NO_ORIGIN = 255

# What a step can earn or cost by headings, in units of the logarithm of a likelihood, and what it costs in
# any case, so that a path through chance bends earns little.
_MOST_EARNED = 4.0
_SLOPE_COST = 0.1
# Chance finds a path by changing pace all the time, riders keep theirs for a while: the cost of each sample
# beyond the first half that a step differs from the steps of the last few seconds.
_PACE_COST = 1.0
_FREE_PACE_CHANGE = 0.5
_PACE_MEMORY_S = 5.0
# A path further than this from the heading it expects learns no more drift from it.
_DRIFT_CLIP = 2.0
# A path that keeps this far from the best one, in seconds of the reference, goes through another lap.
_ANOTHER_LAP_S = 20.0
# Drift is read off headings this far apart.
_DRIFT_OVER_S = 30.0


@dataclass(frozen=True)
class _Pass:
    """How a search weighs headings: by their error `spread_rad` about a mean over `memory_s` past seconds;
    over `drift_memory_s` the drift is learnt. `charge` is what every step costs."""

    spread_rad: float
    memory_s: float
    drift_memory_s: float
    charge: float


# With gyroscopes off by 0.01 rad/s a mean over long is no mean, and one over a few seconds hardly tells bends
# from chance. The first pass finds the drift, the second does without.
_DRIFTING = _Pass(spread_rad=0.15, memory_s=10.0, drift_memory_s=30.0, charge=1.0)
_STEADY = _Pass(spread_rad=0.1, memory_s=30.0, drift_memory_s=np.inf, charge=2.25)


@dataclass(frozen=True, eq=False)
class TurnPath:
    """Samples `i_new` and `j_ref` (p,) that belong together, one for every step of the new run; what they
    earn, what chance earns in rides like these, and what the best path earns that is nowhere near; and by how
    much the new run's heading drifts against the reference's, in radians a second."""

    i_new: IntArray
    j_ref: IntArray
    score: float
    chance_score: float
    elsewhere_score: float
    drift_radps: float


def find_path(new_rad: FloatArray, ref_rad: FloatArray) -> TurnPath:
    """The best path through headings every `STEP_NEW_S` (N,) and every `STEP_REF_S` (M,).

    Chance is tried with three rides that nobody rode: the new run backwards, with left for right, and both.
    Time is proportional to N * M, and so is memory, one byte each.
    """
    clock_s = STEP_NEW_S * np.arange(new_rad.size)
    first = _search(new_rad, ref_rad, _DRIFTING)
    drift_radps = _drift_radps(first, new_rad, ref_rad)
    steady_rad = new_rad + drift_radps * clock_s
    found = _search(steady_rad, ref_rad, _STEADY)
    decoys = (steady_rad[::-1], -steady_rad, -steady_rad[::-1])
    chance_score = max(_search(decoy, ref_rad, _STEADY).score for decoy in decoys)
    elsewhere_score = _search(steady_rad, ref_rad, _STEADY, clear_of=found).score
    return TurnPath(found.i_new, found.j_ref, found.score, chance_score, elsewhere_score, drift_radps)


def _drift_radps(found: _Found, new_rad: FloatArray, ref_rad: FloatArray) -> float:
    """By how much the reference's heading gains on the new run's along a path."""
    apart_rad = ref_rad[found.j_ref] - new_rad[found.i_new]
    n_apart = min(round(_DRIFT_OVER_S / STEP_NEW_S), apart_rad.size // 2)
    if n_apart == 0:
        return 0.0
    return float(np.median(apart_rad[n_apart:] - apart_rad[:-n_apart])) / (n_apart * STEP_NEW_S)


@dataclass(frozen=True, eq=False)
class _Found:
    """A path and what it earns."""

    i_new: IntArray
    j_ref: IntArray
    score: float


def _search(new_rad: FloatArray, ref_rad: FloatArray, how: _Pass, clear_of: _Found | None = None) -> _Found:
    """The path that earns most, free to begin and end anywhere, but not near `clear_of`."""
    reach = round(_ANOTHER_LAP_S / STEP_REF_S)
    barred = {}
    if clear_of is not None:
        barred = {
            i: slice(max(j - reach, 0), j + reach)
            for i, j in zip(clear_of.i_new.tolist(), clear_of.j_ref.tolist(), strict=True)
        }
    n_ref = ref_rad.size
    new, ref = new_rad.astype(np.float32), ref_rad.astype(np.float32)
    steps = np.full((new.size, n_ref), _NO_ORIGIN, dtype=np.uint8)
    survivors = _Survivors.fresh(ref - new[0])
    foretold_rad = float(new[0])
    best_score, best_end = 0.0, (0, 0)
    for i in range(1, new.size):
        unforetold_rad = float(new[i]) - foretold_rad
        foretold_rad += STEP_NEW_S / how.memory_s * unforetold_rad
        earned = min(0.5 * (unforetold_rad / how.spread_rad) ** 2, _MOST_EARNED)
        survivors = _stepped(survivors, ref - new[i], earned, how, steps[i])
        if i in barred:
            survivors.score[barred[i]] = -np.inf
        j = int(survivors.score.argmax())
        if survivors.score[j] > best_score:
            best_score, best_end = float(survivors.score[j]), (i, j)
    return _Found(*_traced(steps, best_end), best_score)


@dataclass(frozen=True, eq=False)
class _Survivors:
    """The best path to each sample of the reference: its score, by how much the headings differ along it,
    how fast that changes, and its pace in samples a step; all (M,)."""

    score: Single
    apart_rad: Single
    drift_radps: Single
    pace: Single

    @classmethod
    def fresh(cls, apart_rad: Single) -> _Survivors:
        """Paths that begin here."""
        zero = np.zeros_like(apart_rad)
        return cls(zero, apart_rad, zero, np.full_like(apart_rad, _STEPS_AT_PAR))


def _stepped(
    before: _Survivors, apart_rad: Single, earned: float, how: _Pass, steps: NDArray[np.uint8]
) -> _Survivors:
    """The best paths one step on, and in `steps` (M,) how many samples each of them advanced."""
    n_ref = apart_rad.size
    expected_rad = before.apart_rad + np.float32(STEP_NEW_S) * before.drift_radps
    weight = np.float32(0.5 / how.spread_rad**2)
    score, surprise_rad = np.zeros(n_ref, np.float32), np.zeros(n_ref, np.float32)
    for step in range(min(_MOST_STEPS + 1, n_ref)):
        off_rad = apart_rad[step:] - expected_rad[: n_ref - step]
        gain = np.float32(earned - how.charge - _SLOPE_COST * abs(step / _STEPS_AT_PAR - 1))
        cost = np.minimum(weight * off_rad * off_rad, np.float32(_MOST_EARNED))
        change = np.abs(before.pace[: n_ref - step] - np.float32(step)) - np.float32(_FREE_PACE_CHANGE)
        cost += np.float32(_PACE_COST) * np.maximum(change, 0)
        reached = before.score[: n_ref - step] + gain - cost
        better = reached > score[step:]
        np.copyto(score[step:], reached, where=better)
        np.copyto(surprise_rad[step:], off_rad, where=better)
        np.copyto(steps[step:], np.uint8(step), where=better)
    goes_on = steps != _NO_ORIGIN
    origin = np.arange(n_ref) - np.where(goes_on, steps, 0)
    learnt = np.float32(STEP_NEW_S / how.memory_s)
    clip_rad = np.float32(_DRIFT_CLIP * how.spread_rad)
    drift = before.drift_radps[origin] + learnt / np.float32(how.drift_memory_s) * np.clip(
        surprise_rad, -clip_rad, clip_rad
    )
    pace = before.pace[origin]
    pace = pace + np.float32(STEP_NEW_S / _PACE_MEMORY_S) * (steps - pace)
    return _Survivors(
        score,
        apart_rad - (1 - learnt) * surprise_rad,
        np.where(goes_on, drift, np.float32(0)),
        np.where(goes_on, pace, np.float32(_STEPS_AT_PAR)),
    )


def _traced(steps: NDArray[np.uint8], end: tuple[int, int]) -> tuple[IntArray, IntArray]:
    """Follow the steps back from the end."""
    i, j = end
    reference = [j]
    for back in count():
        step = int(steps[i - back, j])
        if step == _NO_ORIGIN:
            break
        j -= step
        reference.append(j)
    j_ref = np.array(reference[::-1], dtype=np.int64)
    return i - j_ref.size + 1 + np.arange(j_ref.size), j_ref
