"""Markers where the new run shows their places, and nowhere else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbsync_engine.markers import REVIEW_THRESHOLD, confidence_of, transfer
from mtbsync_engine.model import Decision, Marker, TimeMap, TransferredMarker

# From 10 s of the reference to 40 s, with a rest at 20 s from 10 s to 15 s of the new run, and a hole.
_MAP = TimeMap(
    t_new=[0.0, 9.0, 9.9, 10.0, 15.0, 15.1, 16.0, 35.0],
    t_ref=[10.0, 19.0, 19.9, 20.0, 20.0 + 1e-9, 20.1, 21.0, 40.0],
    se_s=[0.05] * 8,
    support=((0.0, 22.0), (26.0, 35.0)),
)


def _marker(t_s: float, duration_s: float = 0.0) -> Marker:
    return Marker("m1", "Drop", t_s, duration_s, "Red", "mind the root", (("Camera", "chest"),))


def _placed(
    t_s: float, duration_s: float = 0.0, decision: Decision = Decision.ACCEPT, time_map: TimeMap = _MAP
) -> TransferredMarker:
    (placed,) = transfer([_marker(t_s, duration_s)], time_map, decision)
    return placed


def test_a_marker_is_placed_where_the_map_puts_it() -> None:
    placed = _placed(15.0)
    assert placed.t_new == pytest.approx(5.0, abs=1e-6)
    assert placed.expected_error_s == pytest.approx(1.645 * 0.05, rel=0.01)
    assert placed.confidence > 0.999
    assert not placed.needs_review
    assert placed.reason == ""


def test_the_marker_itself_is_carried_along_unchanged() -> None:
    assert _placed(15.0).marker == _marker(15.0)


@pytest.mark.parametrize(
    "t_s",
    [0.0, 9.99, 40.01, 1000.0, 27.5, 30.5],
    ids=["start", "before", "after", "far after", "hole", "hole end"],
)
def test_a_place_that_the_new_run_does_not_show_gets_no_time(t_s: float) -> None:
    placed = _placed(t_s, duration_s=2.0)
    assert placed.t_new is None
    assert placed.expected_error_s is None
    assert placed.confidence == 0.0
    assert placed.needs_review
    assert "does not show this place" in placed.reason
    assert placed.duration_s == 2.0


@pytest.mark.parametrize(("t_ref", "t_new"), [(10.0, 0.0), (27.0, 22.0), (31.0, 26.0), (40.0, 35.0)])
def test_the_first_and_last_moments_of_a_stretch_are_placed(t_ref: float, t_new: float) -> None:
    assert _placed(t_ref).t_new == pytest.approx(t_new, abs=1e-6)


@given(st.floats(-10, 60))
def test_no_marker_is_ever_placed_outside_the_support(t_s: float) -> None:
    placed = _placed(t_s)
    if placed.t_new is not None:
        assert any(a <= placed.t_new <= b for a, b in _MAP.support)
        assert abs(float(_MAP.to_ref(placed.t_new)) - t_s) < 1e-5


def test_a_rejected_alignment_places_nothing() -> None:
    for t_s in (5.0, 15.0, 35.0):
        placed = _placed(t_s, duration_s=1.0, decision=Decision.REJECT)
        assert (placed.t_new, placed.expected_error_s, placed.confidence) == (None, None, 0.0)
        assert placed.needs_review
        assert "do not line up" in placed.reason


def test_an_alignment_that_waits_for_review_flags_every_marker() -> None:
    placed = _placed(15.0, decision=Decision.REVIEW)
    assert placed.t_new == pytest.approx(5.0, abs=1e-6)
    assert placed.needs_review
    assert "waits for review" in placed.reason


def test_a_ranged_marker_ends_where_its_end_is_shown() -> None:
    assert _placed(12.0, 3.0).duration_s == pytest.approx(3.0, abs=1e-5)
    # Across the rest of five seconds.
    assert _placed(19.0, 2.0).duration_s == pytest.approx(7.0, abs=1e-5)


def test_a_range_that_runs_out_of_the_map_ends_with_the_stretch_it_began_in() -> None:
    assert _placed(25.0, 3.0).duration_s == pytest.approx(2.0, abs=1e-5)
    assert _placed(38.0, 60.0).duration_s == pytest.approx(2.0, abs=1e-5)
    assert _placed(27.0, 1.0).duration_s == pytest.approx(0.0, abs=1e-5)


def test_a_range_that_begins_at_the_very_end_of_a_map_has_no_length() -> None:
    # An end that microseconds cannot write: rounded, the marker would begin after it.
    end = 22.0000007
    time_map = TimeMap([0.0, 30.0], [10.0, 40.0], [0.05, 0.05], ((0.0, end),))
    placed = _placed(10.0 + end, 5.0, time_map=time_map)
    assert placed.t_new == pytest.approx(end, abs=1e-6)
    assert placed.duration_s == pytest.approx(0.0, abs=2e-6)


def test_a_range_across_a_hole_ends_beyond_it() -> None:
    assert _placed(26.0, 8.0).duration_s == pytest.approx(8.0, abs=1e-5)


def test_the_expected_error_grows_in_a_rest() -> None:
    riding, resting = _placed(15.0), _placed(20.0)
    assert riding.expected_error_s is not None
    assert resting.expected_error_s is not None
    assert resting.expected_error_s > 20 * riding.expected_error_s
    assert resting.confidence < REVIEW_THRESHOLD
    assert resting.needs_review
    assert resting.reason == f"it may be off by {resting.expected_error_s:.2f} s"


def test_the_threshold_decides_what_is_looked_at() -> None:
    uncertain = TimeMap(_MAP.t_new, _MAP.t_ref, np.full(8, 0.2), _MAP.support)
    for threshold, needs_review in ((0.0, False), (0.78, False), (0.8, True), (1.0, True)):
        (placed,) = transfer([_marker(15.0)], uncertain, Decision.ACCEPT, review_threshold=threshold)
        assert placed.confidence == pytest.approx(math.erf(0.25 / 0.2 / math.sqrt(2)), abs=0.01)
        assert placed.needs_review is needs_review


def test_no_marker_that_may_be_half_a_second_off_goes_unflagged() -> None:
    assert confidence_of(0.5) < REVIEW_THRESHOLD


def test_confidence_falls_as_the_error_grows() -> None:
    levels = [confidence_of(error_s) for error_s in (0.0, 0.05, 0.25, 0.5, 2.0, 100.0)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == 1.0
    assert confidence_of(0.25) == pytest.approx(0.9, abs=0.001)
    assert 0 < levels[-1] < 0.01


def test_a_map_without_any_error_is_trusted() -> None:
    exact = TimeMap([0.0, 10.0], [5.0, 15.0], [0.0, 0.0], ((0.0, 10.0),))
    placed = _placed(8.0, time_map=exact)
    assert (placed.t_new, placed.confidence, placed.expected_error_s) == (pytest.approx(3.0), 1.0, 0.0)


def test_markers_keep_their_order() -> None:
    markers = [_marker(t_s) for t_s in (38.0, 5.0, 15.0, 12.0)]
    assert [m.marker for m in transfer(markers, _MAP, Decision.ACCEPT)] == markers
    assert transfer([], _MAP, Decision.ACCEPT) == ()
