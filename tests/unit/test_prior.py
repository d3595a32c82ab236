"""What several witnesses say together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbsync_engine.align.prior import Prior, fuse
from mtbsync_engine.model import FloatArray

TIMES_S = np.arange(0.0, 10.5, 0.5)


def says(t_ref_s: FloatArray, se_s: float, t_new_s: FloatArray = TIMES_S) -> Prior:
    known = np.isfinite(t_ref_s)
    return Prior(t_new_s, t_ref_s, np.where(known, se_s, np.nan), known)


def test_one_witness_alone_is_believed() -> None:
    one = says(TIMES_S + 3, 0.4)
    fused = fuse([one])
    np.testing.assert_array_equal(fused.t_ref_s, one.t_ref_s)
    np.testing.assert_array_equal(fused.se_s, one.se_s)


def test_witnesses_that_agree_are_weighted_by_inverse_variance() -> None:
    fused = fuse([says(TIMES_S, 0.3), says(TIMES_S + 0.5, 0.4)])
    assert fused.valid.all()
    np.testing.assert_allclose(fused.t_ref_s, TIMES_S + 0.5 * 0.3**2 / (0.3**2 + 0.4**2))
    np.testing.assert_allclose(fused.se_s, 0.24)


def test_three_witnesses_weigh_alike_in_any_order() -> None:
    witnesses = [says(TIMES_S, 0.5), says(TIMES_S + 0.3, 0.5), says(TIMES_S - 0.3, 0.5)]
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        fused = fuse([witnesses[k] for k in order])
        np.testing.assert_allclose(fused.t_ref_s, TIMES_S, atol=1e-9)
        np.testing.assert_allclose(fused.se_s, 0.5 / np.sqrt(3))


def test_of_witnesses_that_contradict_each_other_the_surer_stands_with_a_wider_error() -> None:
    for order in (1, -1):
        fused = fuse([says(TIMES_S, 0.1), says(TIMES_S + 20, 2.0)][::order])
        np.testing.assert_allclose(fused.t_ref_s, TIMES_S)
        np.testing.assert_allclose(fused.se_s, np.hypot(0.1, 20))


def test_where_one_is_silent_the_other_speaks() -> None:
    early = says(np.where(TIMES_S < 4, TIMES_S, np.nan), 0.2)
    late = says(np.where(TIMES_S > 6, TIMES_S, np.nan), 0.5)
    fused = fuse([early, late])
    np.testing.assert_array_equal(fused.valid, (TIMES_S < 4) | (TIMES_S > 6))
    np.testing.assert_array_equal(fused.se_s[fused.valid], np.where(TIMES_S < 4, 0.2, 0.5)[fused.valid])


def test_times_of_all_witnesses_are_answered() -> None:
    other_s = np.arange(5.25, 15, 0.7)
    fused = fuse([says(TIMES_S, 0.2), says(other_s, 0.2, other_s)])
    t_ref_s, se_s = fused.at([2.0, 7.0, 14.0, 20.0])
    np.testing.assert_allclose(t_ref_s, [2, 7, 14, np.nan])
    np.testing.assert_allclose(se_s, [0.2, 0.2 / np.sqrt(2), 0.2, np.nan])


def test_no_witness_is_an_error() -> None:
    with pytest.raises(ValueError, match="no priors"):
        fuse([])


@given(
    offs_s=st.lists(st.floats(-30, 30), min_size=2, max_size=4),
    ses_s=st.lists(st.floats(0.05, 5), min_size=4, max_size=4),
    parts=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 21)), min_size=4, max_size=4),
)
def test_whatever_is_said_the_result_never_runs_back_and_says_how_sure_it_is(
    offs_s: list[float], ses_s: list[float], parts: list[tuple[int, int]]
) -> None:
    k = np.arange(TIMES_S.size)
    witnesses = [
        says(np.where((k >= first) & (k < end), TIMES_S + off, np.nan), se)
        for off, se, (first, end) in zip(offs_s, ses_s, parts, strict=False)
    ]
    fused = fuse(witnesses)
    np.testing.assert_array_equal(fused.valid, np.any([w.valid for w in witnesses], axis=0))
    assert (np.isfinite(fused.t_ref_s) == fused.valid).all()
    assert (fused.se_s[fused.valid] > 0).all()
    assert (np.diff(fused.t_ref_s[fused.valid]) >= 0).all()
