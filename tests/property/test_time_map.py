"""A time map rises, has an exact inverse, and is silent where nothing supports it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.model import FloatArray, TimeMap

_ORIGIN_S = st.floats(0, 10_000)
_SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@st.composite
def time_maps(draw: st.DrawFn, least_slope: float = 1e-6) -> TimeMap:
    """Maps of 2 to 12 knots, slopes from `least_slope` to its inverse, one to three stretches of support."""
    reach = -0.5 * math.log10(least_slope)
    # Steps that the geometric mean of both clocks makes at 0.1 s have either clock at 100 s at most.
    exponents = draw(st.lists(st.floats(-reach, reach), min_size=1, max_size=11))
    dt_new, dt_ref = (0.1 * 10.0 ** (sign * np.array(exponents)) for sign in (1, -1))
    t_new = draw(_ORIGIN_S) + np.concatenate([[0.0], np.cumsum(dt_new)])
    t_ref = draw(_ORIGIN_S) + np.concatenate([[0.0], np.cumsum(dt_ref)])
    se_s = draw(st.lists(st.floats(0, 2), min_size=t_new.size, max_size=t_new.size))
    n_edges = 2 * draw(st.integers(1, 3))
    shares = sorted(draw(st.lists(st.floats(0, 1), min_size=n_edges, max_size=n_edges)))
    edges = np.clip(t_new[0] + np.array(shares) * np.ptp(t_new), t_new[0], t_new[-1]).tolist()
    return TimeMap(t_new, t_ref, np.array(se_s), tuple(zip(edges[::2], edges[1::2], strict=True)))


def _moments(time_map: TimeMap, shares: list[float]) -> FloatArray:
    """Supported t_new: every edge of every stretch, and `shares` of the way through each."""
    inside = [np.clip(a + share * (b - a), a, b) for a, b in time_map.support for share in (0, *shares, 1)]
    return np.unique(inside)


def _between_and_beyond(time_map: TimeMap, shares: list[float]) -> FloatArray:
    """Unsupported t_new: before, after, and `shares` of the way through each hole."""
    edges = [time_map.t_new[0] - 10, *np.ravel(time_map.support), time_map.t_new[-1] + 10]
    holes = zip(edges[::2], edges[1::2], strict=True)
    between = ((a + share * (b - a), a, b) for a, b in holes for share in shares)
    return np.array([t for t, a, b in between if a < t < b])


def _rounding_s(time_map: TimeMap) -> float:
    """How far off t_ref float64 may be: its own rounding, and that of t_new on the steepest piece."""
    steepest = 3 * (np.diff(time_map.t_ref) / np.diff(time_map.t_new)).max()
    return 8 * float(np.spacing(time_map.t_ref[-1]) + steepest * np.spacing(time_map.t_new[-1]))


@given(time_maps(), _SHARES)
def test_a_later_moment_is_never_earlier_in_the_reference(time_map: TimeMap, shares: list[float]) -> None:
    steps = np.diff(time_map.to_ref(_moments(time_map, shares)))
    assert (steps >= -_rounding_s(time_map)).all()


@given(time_maps(least_slope=0.05), _SHARES)
def test_a_rider_on_the_move_is_later_in_the_reference_at_every_later_moment(
    time_map: TimeMap, shares: list[float]
) -> None:
    t_new = _moments(time_map, shares)
    steps = np.diff(time_map.to_ref(t_new))
    # A microsecond of a piece that starts or ends flat is less than float64 can tell.
    assert (steps[np.diff(t_new) > 1e-4] > 0).all()


@given(time_maps())
def test_it_goes_through_its_knots(time_map: TimeMap) -> None:
    ends = (float(time_map.t_new[0]), float(time_map.t_new[-1]))
    whole = TimeMap(time_map.t_new, time_map.t_ref, time_map.se_s, (ends,))
    rounding_s = _rounding_s(whole)
    np.testing.assert_allclose(whole.to_ref(whole.t_new), whole.t_ref, rtol=0, atol=rounding_s)
    np.testing.assert_array_equal(whole.error_ref_s(whole.t_new), whole.se_s)


@given(time_maps(least_slope=0.05), _SHARES)
@example(
    TimeMap(
        np.r_[0.0, 0.31622777 + 0.1 * np.arange(8)],
        np.r_[0.0, 0.03162278 + 0.1 * np.arange(8)],
        np.zeros(9),
        ((0.0, 0.0), (1.0162e-5, 1.01622), (1.01622, 1.01622)),
    ),
    [0.0],
)
def test_from_new_to_reference_and_back_is_the_same_moment(time_map: TimeMap, shares: list[float]) -> None:
    t_new = _moments(time_map, shares)
    # Where a piece ends flat, the inverse turns the rounding of t_ref into its square root: microseconds.
    np.testing.assert_allclose(time_map.to_new(time_map.to_ref(t_new)), t_new, rtol=0, atol=1e-5)


@given(time_maps(), _SHARES)
def test_from_reference_to_new_and_back_is_the_same_moment(time_map: TimeMap, shares: list[float]) -> None:
    stretches = [time_map.to_ref(stretch) for stretch in time_map.support]
    t_ref = np.array([a + share * (b - a) for a, b in stretches for share in (0, *shares, 1)])
    back = time_map.to_ref(time_map.to_new(t_ref))
    # Stretches that touch to a nanosecond are one to the inverse.
    np.testing.assert_allclose(back, t_ref, rtol=0, atol=1e-9 + _rounding_s(time_map))


@given(time_maps(), _SHARES)
def test_nothing_is_said_of_moments_without_support(time_map: TimeMap, shares: list[float]) -> None:
    t_new = _between_and_beyond(time_map, shares)
    assert not time_map.supports(t_new).any()
    for answer in (time_map.to_ref, time_map.slope, time_map.error_ref_s):
        assert np.isnan(answer(t_new)).all()


@given(time_maps(least_slope=0.05), _SHARES)
def test_nothing_is_said_of_places_without_support(time_map: TimeMap, shares: list[float]) -> None:
    whole = TimeMap(time_map.t_new, time_map.t_ref, time_map.se_s, ((time_map.t_new[0], time_map.t_new[-1]),))
    t_new = _between_and_beyond(time_map, shares)
    clear = np.abs(t_new[:, None] - np.ravel(time_map.support)).min(axis=1, initial=np.inf) > 1e-3
    inside = whole.to_ref(t_new[clear & whole.supports(t_new)])
    outside = np.array([time_map.t_ref[0] - 1, time_map.t_ref[-1] + 1])
    for t_ref in (inside, outside):
        assert np.isnan(time_map.to_new(t_ref)).all()
        assert np.isnan(time_map.error_new_s(t_ref)).all()


@given(time_maps(), _SHARES)
def test_the_edges_of_support_belong_to_it(time_map: TimeMap, shares: list[float]) -> None:
    t_new = _moments(time_map, shares)
    assert time_map.supports(t_new).all()
    assert np.isfinite(time_map.to_ref(t_new)).all()
    assert np.isfinite(time_map.to_new(time_map.to_ref(t_new))).all()


@given(time_maps(), _SHARES, st.floats(0, 5), st.floats(0, 5))
def test_an_error_is_never_negative_and_grows_with_the_standard_errors(
    time_map: TimeMap, shares: list[float], n_se: float, more: float
) -> None:
    t_ref = time_map.to_ref(_moments(time_map, shares))
    error_s = time_map.error_new_s(t_ref, n_se)
    assert (error_s >= 0).all()
    assert (time_map.error_new_s(t_ref, n_se + more) >= error_s).all()


@given(time_maps(least_slope=0.05), _SHARES)
def test_an_error_reaches_as_far_as_the_map_puts_either_end_of_it(
    time_map: TimeMap, shares: list[float]
) -> None:
    ends = (float(time_map.t_new[0]), float(time_map.t_new[-1]))
    whole = TimeMap(time_map.t_new, time_map.t_ref, time_map.se_s, (ends,))
    t_ref = whole.to_ref(_moments(whole, shares))
    t_new, error_s = whole.to_new(t_ref), whole.error_new_s(t_ref)
    for sign in (-1, 1):
        off = np.abs(whole.to_new(t_ref + sign * whole.error_ref_s(t_new)) - t_new)
        within = np.isfinite(off)
        assert (off[within] <= error_s[within] + 1e-9).all()


@given(time_maps(), st.sampled_from([(), (0,), (1,), (5,), (2, 3), (1, 0, 4)]))
def test_any_shape_in_is_the_same_shape_out(time_map: TimeMap, shape: tuple[int, ...]) -> None:
    t_new, t_ref = np.full(shape, time_map.t_new[0]), np.full(shape, time_map.t_ref[0])
    for answer in (time_map.to_ref, time_map.slope, time_map.error_ref_s, time_map.supports):
        assert answer(t_new).shape == shape
    for answer in (time_map.to_new, time_map.error_new_s):
        assert answer(t_ref).shape == shape


@given(time_maps())
def test_a_moment_that_is_no_number_gets_no_answer(time_map: TimeMap) -> None:
    for answer in (
        time_map.to_ref,
        time_map.to_new,
        time_map.slope,
        time_map.error_ref_s,
        time_map.error_new_s,
    ):
        assert np.isnan(answer([math.nan, math.inf, -math.inf])).all()


def test_a_place_shown_during_a_rest_has_an_error_as_long_as_the_rest() -> None:
    t_new = [0.0, 9.0, 9.9, 10.0, 15.0, 15.1, 16.0, 25.0]
    t_ref = [0.0, 9.0, 9.9, 10.0, 10.001, 10.101, 11.0, 20.0]
    resting = TimeMap(t_new, t_ref, [0.05] * 8, ((0.0, 25.0),))
    assert resting.error_new_s(10.0) == pytest.approx(5.05, abs=0.05)
    assert resting.error_new_s(10.0005) == pytest.approx(2.55, abs=0.05)
    assert resting.error_new_s(5.0) == pytest.approx(0.05, abs=0.001)


def test_it_keeps_its_own_copy_of_what_it_was_made_from() -> None:
    t_new = np.array([0.0, 1.0, 2.0])
    time_map = TimeMap(t_new, t_new + 5, np.zeros(3), ((0.0, 2.0),))
    t_new[1] = 1.9
    assert time_map.to_ref(1.0) == 6.0
    with pytest.raises(ValueError, match="read-only"):
        time_map.t_new[1] = 1.9


@pytest.mark.parametrize(
    ("t_new", "t_ref", "se_s"),
    [
        ([0.0, 1.0, 1.0], [0.0, 1.0, 2.0], [0.1, 0.1, 0.1]),
        ([0.0, 2.0, 1.0], [0.0, 1.0, 2.0], [0.1, 0.1, 0.1]),
        ([0.0, 1.0, 2.0], [0.0, 1.0, 1.0], [0.1, 0.1, 0.1]),
        ([0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [0.1, 0.1, 0.1]),
        ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.1, -0.1, 0.1]),
        ([0.0, math.nan, 2.0], [0.0, 1.0, 2.0], [0.1, 0.1, 0.1]),
        ([0.0, 1.0, 2.0], [0.0, 1.0, math.inf], [0.1, 0.1, 0.1]),
        ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.1, 0.1, math.nan]),
        ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.1, 0.1]),
        ([0.0, 1.0, 2.0], [0.0, 1.0], [0.1, 0.1, 0.1]),
        ([0.0], [0.0], [0.1]),
        ([], [], []),
        ([[0.0, 1.0]], [[0.0, 1.0]], [[0.1, 0.1]]),
    ],
    ids=[
        "equal t_new",
        "t_new falls",
        "equal t_ref",
        "t_ref falls",
        "negative error",
        "t_new nan",
        "t_ref infinite",
        "error nan",
        "an error short",
        "a t_ref short",
        "one knot",
        "none",
        "two-dimensional",
    ],
)
def test_knots_that_break_the_rules_are_refused(
    t_new: list[float], t_ref: list[float], se_s: list[float]
) -> None:
    with pytest.raises(AlignmentError):
        TimeMap(t_new, t_ref, se_s, ((0.0, 0.5),))


@pytest.mark.parametrize(
    "support",
    [
        (),
        ((-1.0, 1.0),),
        ((0.0, 2.1),),
        ((1.0, 0.5),),
        ((1.0, 2.0), (0.0, 0.5)),
        ((0.0, 1.5), (1.0, 2.0)),
        ((0.0, math.nan),),
    ],
    ids=["none", "early", "late", "backwards", "unordered", "overlapping", "nan"],
)
def test_support_that_breaks_the_rules_is_refused(support: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(AlignmentError):
        TimeMap([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.1, 0.1, 0.1], support)
