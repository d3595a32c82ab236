"""Two rides are laid on each other by how the camera turned; where that says nothing, nothing is said.

The trails are made, so the truth is known: a heading at every metre. A ride knows at which metre it was at
every moment, and its motion is the heading it passed, plus the rider's own line, a handlebar that wobbles,
noise and a gyroscope that is off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfilt

from mtbsync_engine.align.turns import CHANCE_MARGIN, TurnPrior, align_turns
from mtbsync_engine.model import FloatArray, Motion

STEP_S = 0.05


def winding(length_m: int, seed: int) -> FloatArray:
    """The heading at every metre of a trail with bends some thirty metres apart."""
    rng = np.random.default_rng(seed)
    turn = gaussian_filter1d(rng.normal(size=length_m), 12)
    heading = np.cumsum(0.035 * turn / turn.std())
    return heading - 0.5 * gaussian_filter1d(heading, 150)


@dataclass(frozen=True, eq=False)
class Ride:
    """A motion, and the metre of the trail it was at every `STEP_S`."""

    motion: Motion
    t_s: FloatArray
    at_m: FloatArray

    def metre(self, t_s: FloatArray) -> FloatArray:
        return np.interp(t_s, self.t_s, self.at_m)

    def off_s(self, t_s: FloatArray, at_m: FloatArray) -> FloatArray:
        """How far each moment is from being at that metre; any moment of a stop there is right."""
        rising_m = self.at_m + 1e-9 * np.arange(self.at_m.size)
        first, last = (np.interp(at_m + side, rising_m, self.t_s) for side in (-0.05, 0.05))
        return np.maximum(np.maximum(first - t_s, t_s - last), 0)


def ride(
    heading: FloatArray,
    speed_mps: float,
    seed: int,
    *,
    hz: float = 50,
    first_m: float = 0.0,
    last_m: float = np.inf,
    stops: tuple[tuple[float, float], ...] = (),
    bias_radps: float = 0.01,
    wobble_radps: float = 0.5,
) -> Ride:
    """Ride the trail between two of its metres, standing at `stops` (metre, seconds)."""
    rng = np.random.default_rng(seed)
    last_m = min(last_m, heading.size - 1)
    wave = gaussian_filter1d(rng.normal(size=round(4 * (last_m - first_m) / speed_mps / STEP_S)), 4 / STEP_S)
    at_m = first_m + np.cumsum(speed_mps * np.exp(0.3 * wave / wave.std())) * STEP_S
    at_m = at_m[at_m <= last_m]
    for metre, seconds in stops:
        k = int(np.searchsorted(at_m, metre))
        at_m = np.insert(at_m, k, np.full(round(seconds / STEP_S), at_m[k]))
    t_s = np.arange(at_m.size) * STEP_S
    line = gaussian_filter1d(rng.normal(size=heading.size), 5)
    own_heading = heading + 0.04 * line / line.std()
    sample_s = np.arange(0, t_s[-1], 1 / hz)
    sample_m = np.interp(sample_s, t_s, at_m)
    moves = np.gradient(sample_m, sample_s) > 0.1
    band = butter(2, [1, 3], btype="band", fs=hz, output="sos")
    wobble = sosfilt(band, rng.normal(size=sample_s.size))
    turn_radps = (
        np.gradient(np.interp(sample_m, np.arange(heading.size), own_heading), sample_s)
        + moves * wobble * wobble_radps / np.sqrt(2) / wobble.std()
        + bias_radps
        + 0.05 * rng.normal(size=sample_s.size)
    )
    return Ride(Motion(sample_s, turn_radps), t_s, at_m)


def aligned(new: Ride, ref: Ride) -> TurnPrior:
    prior = align_turns(new.motion, ref.motion)
    assert prior is not None
    return prior


def off_s(prior: TurnPrior, new: Ride, ref: Ride) -> FloatArray:
    """Errors in seconds of the reference, where the prior says anything."""
    return ref.off_s(prior.t_ref_s, new.metre(prior.t_new_s))[prior.valid]


# --- rides of one trail ------------------------------------------------------------------------------------


def test_a_ride_laid_on_itself_is_the_identity() -> None:
    once = ride(winding(800, 1), 5, seed=2)
    prior = aligned(once, once)
    assert prior.valid.mean() > 0.9
    np.testing.assert_allclose(prior.t_ref_s[prior.valid], prior.t_new_s[prior.valid], atol=0.1)


@pytest.mark.parametrize(("speed_new_mps", "speed_ref_mps"), [(5, 6), (3, 8), (8, 3)])
def test_pace_does_not_matter(speed_new_mps: float, speed_ref_mps: float) -> None:
    trail = winding(1500, 3)
    new, ref = ride(trail, speed_new_mps, seed=4), ride(trail, speed_ref_mps, seed=5, bias_radps=-0.01)
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.9
    assert np.median(off_s(prior, new, ref)) < 0.5
    assert off_s(prior, new, ref).max() < 5


@pytest.mark.parametrize("hz", [10, 25, 100, 400])
def test_the_gyroscopes_rate_does_not_matter(hz: float) -> None:
    trail = winding(1000, 6)
    new, ref = ride(trail, 5, seed=7, hz=hz), ride(trail, 6, seed=8, hz=50)
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.9
    assert np.median(off_s(prior, new, ref)) < 0.5


def test_stops_of_a_minute_in_either_run_are_passed_over() -> None:
    trail = winding(1500, 9)
    new = ride(trail, 5, seed=10, stops=((400, 60), (900, 20)))
    ref = ride(trail, 6, seed=11, stops=((700, 60),))
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.85
    off = off_s(prior, new, ref)
    assert np.median(off) < 0.5
    assert np.percentile(off, 99) < 5
    stands = (np.abs(new.metre(prior.t_new_s) - 400) < 0.4) & prior.valid
    assert stands.sum() > 80
    assert np.ptp(prior.t_ref_s[stands]) < 2


def test_a_part_is_found_in_the_whole() -> None:
    trail = winding(2000, 12)
    part, whole = ride(trail, 5, seed=13, first_m=700, last_m=1400), ride(trail, 6, seed=14)
    prior = aligned(part, whole)
    assert prior.valid.mean() > 0.9
    assert np.median(off_s(prior, part, whole)) < 0.5


@pytest.mark.long
def test_most_rides_of_winding_trails_are_accepted_and_err_as_much_as_they_say() -> None:
    ratios, medians_s, n_accepted, n_pairs = [], [], 0, 11
    for seed in range(n_pairs):
        trail = winding(1500, seed)
        rng = np.random.default_rng(seed)
        speeds, biases = rng.uniform(3, 8, 2), rng.uniform(-0.01, 0.01, 2)
        stop = (rng.uniform(200, 1300), rng.uniform(5, 60))
        new = ride(trail, speeds[0], 100 + seed, bias_radps=biases[0], stops=(stop,))
        ref = ride(trail, speeds[1], 200 + seed, bias_radps=biases[1])
        prior = aligned(new, ref)
        n_accepted += bool(prior.valid.any())
        off = off_s(prior, new, ref)
        medians_s.append(np.median(off))
        ratios.append(off / prior.se_s[prior.valid])
    assert n_accepted > 0.9 * n_pairs
    assert np.median(medians_s) < 0.4
    share = np.concatenate(ratios)
    assert 0.85 < (share < 1.645).mean() < 0.96


def test_nothing_is_said_where_the_reference_never_was() -> None:
    trail = winding(2000, 12)
    new, ref = ride(trail, 5, seed=13, last_m=1700), ride(trail, 6, seed=14, first_m=300)
    prior = aligned(new, ref)
    metre = new.metre(prior.t_new_s)
    assert not prior.valid[metre < 250].any()
    assert prior.valid[(metre > 350) & (metre < 1650)].mean() > 0.95
    assert np.median(off_s(prior, new, ref)) < 0.5


def test_a_straight_between_bends_is_bridged_with_an_error_that_grows() -> None:
    bends = winding(1400, 15)
    trail = np.concatenate([bends[:700], np.full(300, bends[700]), bends[700:]])
    ratios = []
    for seed in range(4):
        new, ref = ride(trail, 5, seed=16 + seed), ride(trail, 6, seed=30 + seed)
        prior = aligned(new, ref)
        metre = new.metre(prior.t_new_s)
        straight, bending = (metre > 800) & (metre < 900), (metre > 200) & (metre < 600)
        assert prior.valid[bending].all()
        vague_s = np.where(prior.valid, prior.se_s, np.inf)
        assert np.median(vague_s[straight]) > 3 * np.median(vague_s[bending])
        ratios.append(off_s(prior, new, ref) / prior.se_s[prior.valid])
    assert (np.concatenate(ratios) < 1.645).mean() > 0.85


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    speed_new_mps=st.floats(3, 9),
    speed_ref_mps=st.floats(3, 9),
    stop_s=st.floats(0, 30),
)
def test_whatever_the_ride_the_map_never_runs_back_and_says_how_sure_it_is(
    seed: int, speed_new_mps: float, speed_ref_mps: float, stop_s: float
) -> None:
    trail = winding(700, seed)
    new = ride(trail, speed_new_mps, seed, stops=((350, stop_s),))
    ref = ride(trail, speed_ref_mps, seed + 1)
    prior = aligned(new, ref)
    assert (np.diff(prior.t_new_s) > 0).all()
    assert (np.isfinite(prior.t_ref_s) == prior.valid).all()
    assert (np.isfinite(prior.se_s) == prior.valid).all()
    assert (np.diff(prior.t_ref_s[prior.valid]) >= 0).all()
    assert (prior.se_s[prior.valid] > 0).all()


# --- where turning says nothing --------------------------------------------------------------------------


def test_rides_of_different_trails_are_refused() -> None:
    for seed in range(8):
        new = ride(winding(1200, 300 + seed), 5, seed=seed)
        ref = ride(winding(1200, 400 + seed), 6, seed=50 + seed, bias_radps=-0.01)
        prior = aligned(new, ref)
        assert prior.margin < CHANCE_MARGIN
        assert not prior.valid.any()


@pytest.mark.parametrize("seed", range(4))
def test_the_same_trail_ridden_the_other_way_is_refused(seed: int) -> None:
    trail = winding(1200, 20 + seed)
    assert not aligned(ride(trail[::-1] + np.pi, 5, seed=21), ride(trail, 6, seed=22)).valid.any()


@pytest.mark.parametrize("seed", range(4))
def test_a_straight_trail_is_refused(seed: int) -> None:
    straight = np.zeros(1200)
    assert not aligned(ride(straight, 5, seed), ride(straight, 6, seed + 50)).valid.any()


def test_one_of_three_laps_is_refused_and_three_of_three_are_taken_in_order() -> None:
    lap = winding(600, 24)
    closing = lap + np.linspace(0, 2 * np.pi - (lap[-1] - lap[0]), lap.size)
    trail = np.concatenate([closing, closing + 2 * np.pi, closing + 4 * np.pi])
    ref = ride(trail, 6, seed=25)
    assert not aligned(ride(trail, 5, seed=26, first_m=600, last_m=1200), ref).valid.any()
    new = ride(trail, 5, seed=27)
    prior = aligned(new, ref)
    assert prior.valid.mean() > 0.9
    assert np.median(off_s(prior, new, ref)) < 0.5


def test_a_motion_shorter_than_twenty_seconds_says_nothing() -> None:
    long = ride(winding(600, 28), 5, seed=29)
    short = Motion(long.motion.t_s[:500], long.motion.turn_radps[:500])
    assert align_turns(short, long.motion) is None
    assert align_turns(long.motion, short) is None


def test_a_camera_that_never_moved_says_nothing() -> None:
    still = Motion(np.arange(0, 120, 0.02), np.zeros(6000))
    once = ride(winding(600, 30), 5, seed=31)
    for new, ref in ((still, once.motion), (once.motion, still), (still, still)):
        prior = align_turns(new, ref)
        assert prior is None or not prior.valid.any()


def test_rides_too_long_to_look_through_say_nothing() -> None:
    t_s = np.arange(0, 10 * 3600, 0.1)
    long = Motion(t_s, np.random.default_rng(32).normal(size=t_s.size))
    assert align_turns(long, long) is None
