"""A time map through sightings that are made from a known ride, with known errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.align.fit import FitParams, drift_ppm, fit
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.model import FloatArray, GpsUse, MatchedPairs, Matching, Model, TimeMap

_SPACING_S = 1 / 3
_NINE_IN_TEN = 1.645
_AFFINE = FitParams(model=Model.AFFINE)
Ride = Callable[[FloatArray], FloatArray]


def _matching(
    t_new: FloatArray,
    t_ref: FloatArray,
    se_s: float | FloatArray = 0.05,
    *,
    verified: bool = True,
    stretches: tuple[tuple[float, float], ...] | None = None,
    duration_new_s: float | None = None,
) -> Matching:
    n = t_new.size
    return Matching(
        pairs=MatchedPairs(
            t_new, t_ref, np.broadcast_to(se_s, n).copy(), np.full(n, 4.0), np.full(n, 20 if verified else 0)
        ),
        stretches=stretches or ((float(t_new[0]), float(t_new[-1])),),
        reach_s=0.5 * _SPACING_S,
        duration_new_s=duration_new_s or float(t_new[-1]) + _SPACING_S,
        margin=0.9,
        gps=GpsUse.NONE,
        gps_separation_m=math.nan,
    )


def _sightings(
    ride: Ride, seed: int, *, se_s: float = 0.05, outliers: float = 0.0, until_s: float = 30.0
) -> tuple[FloatArray, FloatArray]:
    """The ride seen three times a second, with normal errors and a share of gross ones, up to 8 s."""
    rng = np.random.default_rng(seed)
    t_new = np.arange(0, until_s, _SPACING_S)
    t_ref = ride(t_new) + se_s * rng.standard_normal(t_new.size)
    gross = rng.random(t_new.size) < outliers
    return t_new, np.where(gross, t_ref + rng.uniform(-8, 8, t_new.size), t_ref)


def _waves(t: FloatArray) -> FloatArray:
    """A rider now 1.5 times as fast as in the reference, now half as fast."""
    return 7 + t + 1.6 * np.sin(t / 3.2)


def _errors(time_map: TimeMap, ride: Ride, moments: FloatArray) -> FloatArray:
    return np.abs(time_map.to_ref(moments) - ride(moments))


# --- the curve ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ride",
    [lambda t: t, lambda t: 12.3 + t, lambda t: 3 + 0.7 * t, lambda t: 5 + 1.8 * t, _waves],
    ids=["identity", "offset", "slower", "faster", "varying pace"],
)
@pytest.mark.parametrize("outliers", [0.0, 0.2], ids=["clean", "a fifth gross errors"])
@pytest.mark.parametrize("seed", range(2))
def test_the_curve_finds_the_ride_again(ride: Ride, outliers: float, seed: int) -> None:
    time_map = fit(_matching(*_sightings(ride, seed, outliers=outliers)), FitParams()).time_map
    off = _errors(time_map, ride, np.arange(1, 29, 0.1))
    assert np.median(off) < 0.03
    assert np.percentile(off, 90) < 0.06
    assert off.max() < 0.3


@pytest.mark.parametrize("seed", range(6))
def test_a_gross_error_at_either_end_does_not_pull_the_curve(seed: int) -> None:
    t_new, t_ref = _sightings(_waves, seed, se_s=0.03)
    t_ref[0] -= 5
    t_ref[-1] += 5
    time_map = fit(_matching(t_new, t_ref, 0.03), FitParams()).time_map
    moments = np.linspace(0.2, 29.5, 500)
    off = _errors(time_map, _waves, moments)
    flagged = time_map.error_new_s(time_map.to_ref(moments), _NINE_IN_TEN) >= 0.5
    assert (off[~flagged] < 0.3).all()
    assert flagged.mean() < 0.05


def test_clean_sightings_of_one_pace_are_followed_to_the_millisecond() -> None:
    t_new = np.arange(0, 30, _SPACING_S)
    time_map = fit(_matching(t_new, 12.3 + t_new), FitParams()).time_map
    assert _errors(time_map, lambda t: 12.3 + t, np.arange(0, 29.5, 0.1)).max() < 0.001


@pytest.mark.parametrize("seed", range(4))
def test_a_stop_in_the_new_run_is_followed(seed: int) -> None:
    def ride(t: FloatArray) -> FloatArray:
        return 4 + np.interp(t, [0, 12, 17, 30], [0, 12, 12, 25])

    time_map = fit(_matching(*_sightings(ride, seed)), FitParams()).time_map
    assert _errors(time_map, ride, np.arange(0.2, 29.5, 0.1)).max() < 0.3
    riding = np.r_[np.arange(0.5, 11, 0.1), np.arange(18, 29, 0.1)]
    assert np.abs(time_map.to_new(ride(riding)) - riding).max() < 0.2
    # The place is shown for five seconds; that a marker there may sit anywhere in them must show.
    there = np.arange(15.9, 16.11, 0.01)
    assert time_map.error_new_s(there, _NINE_IN_TEN).max() > 2.0
    assert time_map.error_new_s(9.0, _NINE_IN_TEN) < 0.2


@pytest.mark.parametrize("seed", range(4))
def test_a_stop_in_the_reference_is_followed(seed: int) -> None:
    before = np.arange(0, 12, _SPACING_S)
    after = np.arange(before[-1] + _SPACING_S, 28, _SPACING_S)
    rng = np.random.default_rng(seed)
    t_new = np.r_[before, after]
    t_ref = np.r_[4 + before, 9 + after] + 0.05 * rng.standard_normal(t_new.size)
    time_map = fit(_matching(t_new, t_ref), FitParams()).time_map
    moments = np.r_[np.arange(0.2, 11, 0.1), np.arange(13, 27, 0.1)]
    truth = np.where(moments < 12, 4 + moments, 9 + moments)
    assert np.abs(time_map.to_ref(moments) - truth).max() < 0.3
    # Whenever in its rest the reference shows the place, the new run rides past it in no time.
    assert np.abs(time_map.to_new(np.linspace(16.5, 20.5, 9)) - 12).max() < 0.8


@pytest.mark.parametrize("verified", [True, False], ids=["verified", "as a whole"])
@pytest.mark.parametrize("se_s", [0.03, 0.1], ids=str)
@pytest.mark.parametrize("outliers", [0.0, 0.2], ids=["clean", "a fifth gross errors"])
def test_stated_errors_hold(verified: bool, se_s: float, outliers: float) -> None:
    shares_ref, shares_new = [], []
    for seed in range(4):
        sightings = _sightings(_waves, seed, se_s=se_s, outliers=outliers)
        time_map = fit(_matching(*sightings, se_s, verified=verified), FitParams()).time_map
        moments = np.linspace(0.2, 29.6, 300)
        t_ref = _waves(moments)
        within = _errors(time_map, _waves, moments) <= _NINE_IN_TEN * time_map.error_ref_s(moments)
        shares_ref.append(within.mean())
        off_new = np.abs(time_map.to_new(t_ref) - moments)
        shares_new.append((off_new <= time_map.error_new_s(t_ref, _NINE_IN_TEN)).mean())
    assert np.mean(shares_ref) >= 0.9
    assert min(shares_ref) >= 0.8
    assert np.mean(shares_new) >= 0.9
    assert min(shares_new) >= 0.8


@pytest.mark.parametrize("pace", [0.02, 0.4, 1.0, 2.5])
def test_stated_errors_hold_at_any_pace(pace: float) -> None:
    def ride(t: FloatArray) -> FloatArray:
        return np.interp(t, [0, 10, 20, 30], [5, 15, 15 + 10 * pace, 25 + 10 * pace])

    moments = np.linspace(12, 18, 40)
    within, stated = [], []
    for seed in range(8):
        time_map = fit(_matching(*_sightings(ride, seed)), FitParams()).time_map
        stated.append(np.median(time_map.error_ref_s(moments)))
        within.append((_errors(time_map, ride, moments) <= _NINE_IN_TEN * stated[-1]).mean())
    assert np.mean(within) >= 0.9
    # The sightings are as good at one pace as at another.
    assert 0.025 <= np.median(stated) <= 0.06


@pytest.mark.parametrize("seed", range(4))
def test_sightings_that_err_more_than_they_claim_are_found_out(seed: int) -> None:
    sightings = _sightings(_waves, seed, se_s=0.12)
    time_map = fit(_matching(*sightings, 0.04), FitParams()).time_map
    moments = np.linspace(0.2, 29.6, 300)
    off = _errors(time_map, _waves, moments)
    assert (off <= _NINE_IN_TEN * time_map.error_ref_s(moments)).mean() >= 0.85


def test_the_error_is_never_claimed_away_by_many_sightings() -> None:
    t_new = np.arange(0, 200, _SPACING_S)
    time_map = fit(_matching(t_new, t_new + 3, 0.05), FitParams()).time_map
    assert time_map.se_s.min() >= 0.025


def test_stated_errors_hold_where_nothing_was_seen_for_two_seconds() -> None:
    def ride(t: FloatArray) -> FloatArray:
        return 7 + t + 0.8 * np.sin(t / 3.2)

    shares = []
    for seed in range(8):
        t_new, t_ref = _sightings(ride, seed)
        gap = 4 + 2.5 * seed
        seen = (t_new < gap) | (t_new > gap + 1.9)
        time_map = fit(_matching(t_new[seen], t_ref[seen]), FitParams()).time_map
        moments = np.linspace(gap, gap + 1.9, 20)
        off = _errors(time_map, ride, moments)
        shares.append((off <= _NINE_IN_TEN * time_map.error_ref_s(moments)).mean())
    assert np.mean(shares) >= 0.8


def test_the_map_reaches_half_a_sample_beyond_its_ends_and_no_further() -> None:
    t_new = np.arange(5, 25, _SPACING_S)
    for params in (FitParams(), _AFFINE):
        time_map = fit(_matching(t_new, t_new + 3, duration_new_s=40.0), params).time_map
        (start, end) = (time_map.support[0][0], time_map.support[-1][1])
        assert start == pytest.approx(5 - 0.5 * _SPACING_S, abs=1e-3)
        assert end == pytest.approx(t_new[-1] + 0.5 * _SPACING_S, abs=1e-3)


def test_the_map_stays_within_the_new_run() -> None:
    t_new = np.arange(0, 20, _SPACING_S)
    for params in (FitParams(), _AFFINE):
        matching = _matching(t_new, t_new + 3, duration_new_s=float(t_new[-1]) + 0.1)
        alignment = fit(matching, params)
        assert alignment.time_map.support == ((0.0, pytest.approx(t_new[-1] + 0.1, abs=1e-3)),)
        assert alignment.coverage == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_a_gross_error_at_the_end_does_not_stretch_the_support(seed: int) -> None:
    t_new, t_ref = _sightings(_waves, seed, until_s=20)
    t_new += 10
    t_ref[0] -= 6
    t_ref[-1] += 6
    (support,) = fit(_matching(t_new, t_ref, duration_new_s=60), FitParams()).time_map.support
    assert support[0] >= t_new[0] - 0.5 * _SPACING_S - 1e-6
    assert support[1] <= t_new[-1] + 0.5 * _SPACING_S + 1e-6


def test_a_hole_between_stretches_stays_a_hole() -> None:
    t_new = np.r_[np.arange(0, 10, _SPACING_S), np.arange(16, 30, _SPACING_S)]
    t_ref = np.where(t_new < 12, t_new + 2, t_new - 4)
    stretches = ((0.0, float(t_new[29])), (16.0, float(t_new[-1])))
    for params in (FitParams(), _AFFINE):
        matching = _matching(t_new, t_ref if params is not _AFFINE else t_new + 2, stretches=stretches)
        time_map = fit(matching, params).time_map
        assert np.isnan(time_map.to_ref([10.1, 12.0, 15.9])).all()
        assert np.isfinite(time_map.to_ref([9.6, 16.01])).all()


@pytest.mark.parametrize("model", list(Model))
def test_residuals_are_sightings_less_the_map(model: Model) -> None:
    t_new, t_ref = _sightings(lambda t: 2 + 1.2 * t, 1)
    t_ref[40] += 3
    alignment = fit(_matching(t_new, t_ref), FitParams(model=model))
    assert alignment.model is model
    assert alignment.residual_s[40] == pytest.approx(3, abs=0.2)
    assert np.abs(np.delete(alignment.residual_s, 40)).max() < 0.25


@pytest.mark.parametrize("model", list(Model))
@pytest.mark.parametrize("n", [0, 1, 3])
def test_fewer_than_four_sightings_are_too_few(model: Model, n: int) -> None:
    t_new = np.arange(n) * _SPACING_S
    matching = _matching(np.r_[t_new, 9.0], np.r_[t_new, 9.0])
    few = MatchedPairs(*(getattr(matching.pairs, name)[:n] for name in matching.pairs.__dataclass_fields__))
    matching = Matching(**{**vars(matching), "pairs": few})
    with pytest.raises(AlignmentError, match=f"Only {n} moments"):
        fit(matching, FitParams(model=model))


_TIMES = st.floats(0, 600).map(lambda t: round(t, 3))


@st.composite
def any_matching(draw: st.DrawFn) -> Matching:
    """Sightings that agree on nothing, among them equal times, reversals and errors from 1 ms to 2 s."""
    n = draw(st.integers(1, 30))
    t_new = np.sort(draw(st.lists(_TIMES, min_size=n, max_size=n)))
    t_ref = np.array(draw(st.lists(_TIMES, min_size=n, max_size=n)))
    se_s = np.array(draw(st.lists(st.floats(1e-3, 2), min_size=n, max_size=n)))
    return _matching(t_new, t_ref, se_s, verified=draw(st.booleans()))


@pytest.mark.parametrize("model", list(Model))
@settings(deadline=None, max_examples=40)
@given(any_matching())
def test_whatever_the_sightings_the_map_rises_or_there_is_none(model: Model, matching: Matching) -> None:
    try:
        alignment = fit(matching, FitParams(model=model))
    except AlignmentError:
        return
    time_map = alignment.time_map
    assert (np.diff(time_map.t_new) > 0).all()
    assert (np.diff(time_map.t_ref) > 0).all()
    assert np.isfinite(alignment.residual_s).all()
    assert time_map.support[0][0] >= 0
    assert time_map.support[-1][1] <= matching.duration_new_s
    assert 0 <= alignment.coverage <= 1


# --- the straight line ------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (1.0, 12.3), (1.0002, -3.0), (0.8, 5.0), (1.3, 2.0)])
@pytest.mark.parametrize("outliers", [0.0, 0.2, 0.4], ids=["clean", "a fifth gross", "two fifths gross"])
def test_the_line_finds_slope_and_offset_again(a: float, b: float, outliers: float) -> None:
    sightings = _sightings(lambda t: a * t + b, 3, outliers=outliers)
    time_map = fit(_matching(*sightings), _AFFINE).time_map
    assert time_map.slope(15.0) == pytest.approx(a, abs=0.002)
    assert time_map.to_ref(15.0) == pytest.approx(a * 15 + b, abs=0.02)
    assert drift_ppm(time_map) == pytest.approx((a - 1) * 1e6, abs=2000)


@pytest.mark.parametrize("outliers", [0.0, 0.15], ids=["clean", "gross errors"])
def test_the_line_states_what_sightings_scatter(outliers: float) -> None:
    sightings = _sightings(lambda t: t + 5, 2, se_s=0.08, outliers=outliers)
    time_map = fit(_matching(*sightings), _AFFINE).time_map
    assert time_map.se_s.tolist() == pytest.approx([0.08, 0.08], rel=0.6)


def test_the_line_owns_up_to_a_pace_that_it_cannot_follow() -> None:
    sightings = _sightings(_waves, 2)
    time_map = fit(_matching(*sightings), _AFFINE).time_map
    moments = np.linspace(0.2, 29.5, 300)
    off = _errors(time_map, _waves, moments)
    assert np.percentile(off, 90) > 1.0
    assert (off <= _NINE_IN_TEN * time_map.error_ref_s(moments)).mean() >= 0.8


@pytest.mark.parametrize("noise_s", [0.0, 0.3, 3.0], ids=str)
def test_a_falling_line_is_refused(noise_s: float) -> None:
    t_new = np.arange(0, 30, _SPACING_S)
    t_ref = 60 - t_new + noise_s * np.random.default_rng(0).standard_normal(t_new.size)
    matching = _matching(t_new, t_ref)
    if noise_s == 0.0:
        with pytest.raises(AlignmentError, match="No straight line"):
            fit(matching, _AFFINE)
    else:
        # A few sightings always happen to rise together; that no others agree with them must show.
        try:
            alignment = fit(matching, _AFFINE)
        except AlignmentError:
            return
        assert (np.abs(alignment.residual_s) <= alignment.inlier_thresh_s).mean() < 0.25
        assert alignment.time_map.se_s.min() > 3


def test_the_line_is_the_same_every_time() -> None:
    matching = _matching(*_sightings(_waves, 5, outliers=0.3))
    first, second = (fit(matching, _AFFINE).time_map for _ in range(2))
    np.testing.assert_array_equal(first.t_ref, second.t_ref)


def test_drift_is_in_parts_per_million() -> None:
    drifting = TimeMap([0.0, 1000.0], [5.0, 1005.1], [0.01, 0.01], ((0.0, 1000.0),))
    assert drift_ppm(drifting) == pytest.approx(100, abs=0.01)


def test_where_a_run_skips_a_part_of_the_trail_the_curve_is_right_on_both_sides() -> None:
    t_new = np.arange(0, 30, _SPACING_S)
    skips = t_new > 15
    t_ref = t_new + np.where(skips, 5.0, 1.0)
    edges = float(t_new[~skips][-1]), float(t_new[skips][0])
    stretches = ((0.0, edges[0]), (edges[1], float(t_new[-1])))
    time_map = fit(_matching(t_new, t_ref, stretches=stretches), FitParams()).time_map
    away = np.abs(t_new - 15) > 0.5
    np.testing.assert_allclose(time_map.to_ref(t_new[away]), t_ref[away], rtol=0, atol=0.02)
    # Nothing is placed in what was skipped, and what is beside it is doubtful.
    assert np.isnan(time_map.to_new(np.arange(edges[0] + 1.2, edges[1] + 4.9, 0.1))).all()
    assert (time_map.error_ref_s(np.arange(14.4, 14.9, 0.1)) > 0.4).all()
    assert (time_map.error_ref_s(np.arange(15.5, 17.0, 0.1)) > 0.4).all()
    assert (time_map.error_ref_s([13.0, 18.0]) < 0.1).all()


def test_a_poor_sighting_among_good_ones_makes_the_map_no_poorer_there() -> None:
    t_new = np.arange(0, 30, _SPACING_S)
    se_s = np.full(t_new.size, 0.05)
    se_s[45] = 0.5
    time_map = fit(_matching(t_new, t_new + 1, se_s), FitParams()).time_map
    stated = time_map.error_ref_s(t_new)
    assert stated[45] < 1.3 * np.median(stated)
