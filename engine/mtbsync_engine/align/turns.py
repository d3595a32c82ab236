"""Two rides laid on each other by how the camera turned.

Headings are integrated from the gyroscope and freed of what the handlebar adds. A search (`turns_path`)
finds which moments belong together to within a second, and whether chance would have done as well. A Kalman
smoother then finds by how much the clocks differ along the path, and how sure that is: a bend tells to a
fraction of a second where the new run is, a straight stretch tells nothing, and in between the error grows
with what a rider can do about the pace.

Riders who stand still hardly turn. Both steps run on clocks that count riding only, so that a stop in either
run is no change of pace, and a gyroscope's drift in it no turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening, gaussian_filter1d, uniform_filter1d

from mtbsync_engine.align.prior import Prior
from mtbsync_engine.align.turns_path import STEP_NEW_S, STEP_REF_S, TurnPath, find_path
from mtbsync_engine.model import FloatArray, Motion

# Below this gap to chance the turning says nothing. Rides of different trails reached 0.36 in 100 pairs,
# rides of one winding trail of a kilometre or two fell no lower than 0.44 in 54.
CHANCE_MARGIN = 0.4
# Below this gap to the best path elsewhere it does not say which lap is meant.
_LAP_MARGIN = 0.2

_GRID_S = 0.05
# Riders wave the bars once to three times a second, and trails do not bend that fast.
_WOBBLE_S = 0.5
_LEAST_DURATION_S = 20.0
# Of the search's table: 120 MB, as for two rides of two hours.
_MOST_CELLS = 120_000_000
# A rider stands where, for so long, the camera is shaken by so small a share of what it is on the whole.
_STANDING_S = 3.0
_STANDING_SHARE = 0.3
_SHAKE_WINDOW_S = 2.0

_KNOT_SPACING_S = 0.5
# What is less certain than this says nothing.
_WORST_SE_S = 5.0
_ROUNDS = 4
# How restless the riders' paces are, as in the fit of time maps, a square root of a second.
_RESTLESSNESS = 0.25
_FIRST_SE_S = 2.0
_FIRST_PACE_SE = 0.5
# How the difference of headings wanders, in radians a square root of a second, by drift and by leaning.
_WANDER_RAD = 0.01
_FIRST_APART_RAD = 1.0
_LEAST_NOISE_RAD = 0.01
# Neighbouring headings err alike, by the rider's line: this many count as one.
_ALIKE = 18.0
# The lines that riders take bend too, by their error of heading in this time; that is no bend of the trail.
_LINE_BENDS_S = 1.0
_DEGREES_OF_FREEDOM = 4.0
_MAX_PACE = 10.0


@dataclass(frozen=True, eq=False)
class TurnPrior(Prior):
    """Where two cameras' turning puts the new run on the reference.

    `margin` is the gap between what the rides have in common and what chance has, as a share of the former.
    Below `CHANCE_MARGIN` nothing is valid, nor where the new run turns as well as another lap of the
    reference does.
    """

    margin: float


def align_turns(motion_new: Motion, motion_ref: Motion) -> TurnPrior | None:
    """Find where the new run turns as the reference did.

    None where either has less than 20 s of riding, or both last so long (two hours each) that looking through
    them would take too much memory. Time is proportional to the product of the durations.
    """
    if min(np.ptp(motion.t_s) for motion in (motion_new, motion_ref)) < _LEAST_DURATION_S:
        return None
    new, ref = _heading(motion_new), _heading(motion_ref)
    if min(new.duration_s, ref.duration_s) < _LEAST_DURATION_S:
        return None
    if new.duration_s / STEP_NEW_S * ref.duration_s / STEP_REF_S > _MOST_CELLS:
        return None
    path = find_path(new.every(STEP_NEW_S), ref.every(STEP_REF_S))
    margin, lap_margin = (
        max(0.0, 1 - rival / path.score) if path.score > 0 else 0.0
        for rival in (path.chance_score, path.elsewhere_score)
    )
    t_new_s = np.arange(motion_new.t_s[0], motion_new.t_s[-1], _KNOT_SPACING_S, dtype=np.float64)
    t_ref_s, se_s = np.full(t_new_s.size, np.nan), np.full(t_new_s.size, np.nan)
    if margin >= CHANCE_MARGIN and lap_margin >= _LAP_MARGIN:
        ridden_ref_s, se_ridden_s = _refined(path, new, ref, new.ridden(t_new_s))
        t_ref_s = ref.when(ridden_ref_s)
        # Where the reference stands within the error, its whole stop is part of it.
        early_s, late_s = ref.when(ridden_ref_s - se_ridden_s), ref.when(ridden_ref_s + se_ridden_s)
        se_s = np.maximum((late_s - early_s) / 2, se_ridden_s)
    unknown = np.where(se_s <= _WORST_SE_S, 0.0, np.nan)
    return TurnPrior(t_new_s, t_ref_s + unknown, se_s + unknown, np.isfinite(unknown), margin)


@dataclass(frozen=True, eq=False)
class _Heading:
    """A heading in radians, positive to the left, every `_GRID_S` of riding, and when that was; both (n,)."""

    rad: FloatArray
    t_s: FloatArray

    @property
    def duration_s(self) -> float:
        """Seconds of riding."""
        return max(self.rad.size - 1, 0) * _GRID_S

    def every(self, spacing_s: float) -> FloatArray:
        """The heading at equal distances in riding time."""
        return self.rad[:: round(spacing_s / _GRID_S)]

    def at(self, ridden_s: FloatArray) -> FloatArray:
        """The heading after so many seconds of riding."""
        return np.interp(ridden_s, self._clock_s, self.rad)

    def turn(self, ridden_s: FloatArray) -> FloatArray:
        """How fast it changes, in radians a second."""
        return (self.at(ridden_s + _GRID_S) - self.at(ridden_s - _GRID_S)) / (2 * _GRID_S)

    def ridden(self, t_s: FloatArray) -> FloatArray:
        """Seconds of riding before each moment of the recording."""
        return np.interp(t_s, self.t_s, self._clock_s)

    def when(self, ridden_s: FloatArray) -> FloatArray:
        """The moment of the recording after so many seconds of riding."""
        return np.interp(ridden_s, self._clock_s, self.t_s)

    @property
    def _clock_s(self) -> FloatArray:
        return _GRID_S * np.arange(self.rad.size, dtype=np.float64)


def _heading(motion: Motion) -> _Heading:
    """Which way the trail went, up to a constant and the gyroscope's drift."""
    turned_rad = 0.5 * (motion.turn_radps[1:] + motion.turn_radps[:-1]) * np.diff(motion.t_s)
    grid_s = np.arange(motion.t_s[0], motion.t_s[-1], _GRID_S, dtype=np.float64)
    step_rad = np.diff(np.interp(grid_s, motion.t_s, np.concatenate([[0.0], np.cumsum(turned_rad)])))
    riding = ~_standing(step_rad)
    rad = gaussian_filter1d(np.cumsum(step_rad[riding]), _WOBBLE_S / _GRID_S, mode="nearest")
    return _Heading(rad, grid_s[1:][riding])


def _standing(step_rad: FloatArray) -> NDArray[np.bool_]:
    """Whether the rider stands still, by how little the camera shakes. (n,)"""
    window = round(_SHAKE_WINDOW_S / _GRID_S)
    shake = uniform_filter1d((step_rad - uniform_filter1d(step_rad, window)) ** 2, window)
    still = shake < _STANDING_SHARE**2 * np.median(shake)
    return binary_opening(still, np.ones(round(_STANDING_S / _GRID_S), np.bool_))


# --- the fine map ---------------------------------------------------------------------------------


def _refined(
    path: TurnPath, new: _Heading, ref: _Heading, ridden_new_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Where the reference is at each `ridden_new_s` (K,) and one standard error of it, all in seconds of
    riding; nan beyond the path.

    As in the fit of time maps, along `u = (t_new + t_ref) / 2` the difference `d = t_ref - t_new` is an
    integrated random walk, here seen through the difference of headings, linearised about the last round's
    `d` (an iterated extended Kalman smoother, Bell 1994).
    """
    path_new_s, path_ref_s = STEP_NEW_S * path.i_new, STEP_REF_S * path.j_ref
    middle_s = (path_new_s + path_ref_s) / 2
    u = np.arange(middle_s[0], middle_s[-1], _KNOT_SPACING_S)
    d = first = np.interp(u, middle_s, path_ref_s - path_new_s)
    noise_rad, weight = 0.1, np.ones(u.size)
    apart_rad = np.zeros(u.size)
    for _ in range(_ROUNDS):
        at_new_s, at_ref_s = u - d / 2, u + d / 2
        apart_rad = ref.at(at_ref_s) - new.at(at_new_s) - path.drift_radps * at_new_s
        turn = (ref.turn(at_ref_s) + new.turn(at_new_s) + path.drift_radps) / 2
        look = np.sign(turn) * np.sqrt(np.maximum(turn**2 - (noise_rad / _LINE_BENDS_S) ** 2, 0.0))
        variance = _ALIKE * noise_rad**2 / weight
        smoothed = _smoothed(look, apart_rad - look * d, variance, first)
        residual = apart_rad + look * (smoothed.d - d) - smoothed.apart_rad
        noise_rad = max(1.4826 * float(np.median(np.abs(residual))), _LEAST_NOISE_RAD)
        weight = (_DEGREES_OF_FREEDOM + 1) / (_DEGREES_OF_FREEDOM + (residual / noise_rad) ** 2)
        d = smoothed.d
    at_new_s, at_ref_s = np.maximum.accumulate(u - d / 2), np.maximum.accumulate(u + d / 2)
    pace = np.gradient(at_ref_s) / np.maximum(np.gradient(at_new_s), 1e-9)
    # An error of d moves the curve askew: at a given t_new only this much of it shows in t_ref.
    se_s = np.sqrt(smoothed.variance) * (1 + np.minimum(pace, _MAX_PACE)) / 2
    return (
        np.interp(ridden_new_s, at_new_s, at_ref_s, left=np.nan, right=np.nan),
        np.interp(ridden_new_s, at_new_s, se_s, left=np.nan, right=np.nan),
    )


@dataclass(frozen=True, eq=False)
class _Smoothed:
    """`d`, its variance, and by how much the headings differ; (n,)."""

    d: FloatArray
    variance: FloatArray
    apart_rad: FloatArray


def _smoothed(look: FloatArray, seen_rad: FloatArray, variance: FloatArray, first: FloatArray) -> _Smoothed:
    """Smooth the states (d, its slope, the difference of headings), of which `seen_rad`, the difference of
    headings less `look * d`, is seen with an error of `variance`; (n,) each."""
    n, h = look.size, _KNOT_SPACING_S
    moves = np.array([[1.0, h, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    q = _RESTLESSNESS**2
    disturbs = np.array(
        [[q * h**3 / 3, q * h**2 / 2, 0], [q * h**2 / 2, q * h, 0], [0, 0, _WANDER_RAD**2 * h]]
    )
    mean = np.array([first[0], 0.0, seen_rad[0] + look[0] * first[0]])
    cov = np.diag([_FIRST_SE_S**2, _FIRST_PACE_SE**2, _FIRST_APART_RAD**2])
    means, covs = np.empty((n, 3)), np.empty((n, 3, 3))
    foretold, foretold_covs = np.empty((n, 3)), np.empty((n, 3, 3))
    sees = np.column_stack([-look, np.zeros(n), np.ones(n)])
    for k in range(n):
        if k:
            mean, cov = moves @ mean, moves @ cov @ moves.T + disturbs
        foretold[k], foretold_covs[k] = mean, cov
        reach = cov @ sees[k]
        gain = reach / (sees[k] @ reach + variance[k])
        mean, cov = mean + gain * (seen_rad[k] - sees[k] @ mean), cov - np.outer(gain, reach)
        means[k], covs[k] = mean, cov
    for k in range(n - 2, -1, -1):
        gain = np.linalg.solve(foretold_covs[k + 1], moves @ covs[k]).T
        means[k] += gain @ (means[k + 1] - foretold[k + 1])
        covs[k] += gain @ (covs[k + 1] - foretold_covs[k + 1]) @ gain.T
    return _Smoothed(means[:, 0], covs[:, 0, 0], means[:, 2])
