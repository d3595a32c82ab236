"""A person says which moments are at the same place, and the map passes there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from mtbsync_engine import model
from mtbsync_engine.align.anchors import heeded
from mtbsync_engine.align.fit import FitParams, fit
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.judge import Gates
from mtbsync_engine.markers import confidence_of
from mtbsync_engine.model import (
    ANCHOR_SE_S,
    Anchor,
    Decision,
    FloatArray,
    GpsUse,
    MatchedPairs,
    Matching,
    Model,
    OtherPlace,
    TimeMap,
    Witness,
)
from mtbsync_engine.pipeline import fit_and_judge

_SPACING_S = 1 / 3
_NINE_IN_TEN = 1.645
_CURVE, _AFFINE = FitParams(), FitParams(model=Model.AFFINE)
Ride = Callable[[FloatArray], FloatArray]


def _waves(t: FloatArray) -> FloatArray:
    """A rider now 1.5 times as fast as in the reference, now half as fast."""
    return 7 + t + 1.6 * np.sin(t / 3.2)


def _matching(
    ride: Ride = _waves,
    *parts: tuple[float, float],
    seed: int = 0,
    se_s: float = 0.04,
    duration_new_s: float | None = None,
) -> Matching:
    """Sightings of `ride` three times a second in `parts` of the new run, each a stretch by itself."""
    rng = np.random.default_rng(seed)
    stretches = [np.arange(begin, end, _SPACING_S) for begin, end in parts or [(0.0, 60.0)]]
    t_new = np.concatenate(stretches)
    n = t_new.size
    t_ref = ride(t_new) + se_s * rng.standard_normal(n)
    return Matching(
        pairs=MatchedPairs(t_new, t_ref, np.full(n, se_s), np.full(n, 4.0), np.full(n, 25)),
        stretches=tuple((float(t[0]), float(t[-1])) for t in stretches),
        reach_s=0.5 * _SPACING_S,
        duration_new_s=duration_new_s or float(t_new[-1]) + 0.2,
        margin=0.9,
        gps=GpsUse.NONE,
        gps_separation_m=math.nan,
    )


def _nothing_seen(duration_new_s: float = 100.0) -> Matching:
    matching = _matching(duration_new_s=duration_new_s)
    none = matching.pairs.at(np.zeros(len(matching.pairs), np.bool_))
    return replace(matching, pairs=none, stretches=())


def _at(*anchors: tuple[float, float]) -> tuple[Anchor, ...]:
    return tuple(Anchor(t_new_s, t_ref_s) for t_new_s, t_ref_s in anchors)


def _map(matching: Matching, *anchors: tuple[float, float], params: FitParams = _CURVE) -> TimeMap:
    return fit(replace(matching, anchors=_at(*anchors)), params).time_map


def _assert_passes(time_map: TimeMap, *anchors: tuple[float, float]) -> None:
    for t_new_s, t_ref_s in anchors:
        assert time_map.to_ref(t_new_s) == pytest.approx(t_ref_s, abs=1e-6)
        assert time_map.to_new(t_ref_s) == pytest.approx(t_new_s, abs=1e-6)


# --- what anchors do to the map ---------------------------------------------------------------------


def test_without_anchors_nothing_is_touched() -> None:
    matching = _matching()
    left, refuted = heeded(matching)
    assert left is matching
    assert len(refuted) == 0


@pytest.mark.parametrize("off_s", [-0.8, -0.3, -0.05, 0.05, 0.3, 0.8])
def test_the_map_passes_an_anchor_and_moves_near_it_only(off_s: float) -> None:
    matching = _matching()
    before = _map(matching)
    anchor = (30.0, float(_waves(np.array(30.0))) + off_s)
    after = _map(matching, anchor)
    _assert_passes(after, anchor)
    assert after.error_ref_s(30.0) < 2 * ANCHOR_SE_S
    far = np.r_[np.arange(0, 22, 0.1), np.arange(38, 59.5, 0.1)]
    np.testing.assert_allclose(after.to_ref(far), before.to_ref(far), rtol=0, atol=0.005)
    np.testing.assert_allclose(after.error_ref_s(far), before.error_ref_s(far), rtol=0.2)
    # Half a second to either side it has moved by more than half as much.
    near = np.array([29.5, 30.5])
    assert (np.sign(off_s) * (after.to_ref(near) - before.to_ref(near)) > 0.5 * abs(off_s) - 0.05).all()


@pytest.mark.parametrize("seed", range(4))
def test_an_anchor_that_lies_on_the_map_hardly_changes_it(seed: int) -> None:
    matching = _matching(seed=seed)
    before = _map(matching)
    after = _map(matching, (20.0, float(before.to_ref(20.0))))
    moments = np.arange(0, 59.5, 0.1)
    np.testing.assert_allclose(after.to_ref(moments), before.to_ref(moments), rtol=0, atol=0.01)
    # Where the pace is 1.5, a frame of either clock is more of the other.
    assert (after.error_ref_s(moments) <= np.maximum(before.error_ref_s(moments), 1.5 * ANCHOR_SE_S)).all()
    np.testing.assert_allclose(after.support, before.support, rtol=0, atol=0.001)


def test_a_marked_place_counts_more_than_many_sightings_that_agree() -> None:
    # All that was seen between 20 s and 40 s is 0.4 s off.
    matching = _matching(lambda t: _waves(t) + np.where((t > 20) & (t < 40), 0.4, 0.0))
    anchors = [(t, float(_waves(np.array(t)))) for t in np.arange(21.0, 40.0, 1.5)]
    time_map = _map(matching, *anchors)
    _assert_passes(time_map, *anchors)
    moments = np.arange(21.0, 39.0, 0.1)
    assert np.abs(time_map.to_ref(moments) - _waves(moments)).max() < 0.25


def test_the_error_owns_up_to_what_was_refuted() -> None:
    """Between an anchor and sightings that it contradicts, either may be right."""
    matching = _matching(lambda t: t + 5)
    time_map = _map(matching, (30.0, 37.0))
    doubtful = np.r_[np.arange(26.0, 28.0, 0.1), np.arange(32.0, 34.0, 0.1)]
    off = np.minimum(time_map.to_ref(doubtful) - (doubtful + 5), (doubtful + 7) - time_map.to_ref(doubtful))
    assert (np.abs(off) <= _NINE_IN_TEN * time_map.error_ref_s(doubtful)).all()
    assert max(confidence_of(_NINE_IN_TEN * e) for e in time_map.error_ref_s(doubtful)) < 0.6


def test_an_anchor_in_a_stop_leaves_the_stop_as_it_was_seen() -> None:
    def ride(t: FloatArray) -> FloatArray:
        return 4 + np.interp(t, [0, 12, 17, 60], [0, 12, 12, 55])

    matching = _matching(ride)
    before = _map(matching)
    for t_new_s in (11.5, 14.5, 17.5):
        after, refuted = heeded(replace(matching, anchors=_at((t_new_s, float(ride(np.array(t_new_s)))))))
        assert len(refuted) == 0
        moments = np.arange(0, 59, 0.1)
        moved = np.abs(fit(after, _CURVE).time_map.to_ref(moments) - before.to_ref(moments))
        assert moved[np.abs(moments - t_new_s) > 3].max() < 0.01


# --- what anchors refute ---------------------------------------------------------------------------


def test_a_stretch_in_the_wrong_lap_is_put_right_by_one_anchor() -> None:
    matching = _matching(lambda t: t + np.where(t < 45, 5.0, 65.0), (0.0, 40.0), (50.0, 90.0))
    assert _map(matching).to_ref(60.0) == pytest.approx(125, abs=0.1)
    alignment = fit(replace(matching, anchors=_at((70.0, 75.0))), _CURVE)
    time_map = alignment.time_map
    moments = np.arange(0.5, 70, 0.5)
    off = np.abs(time_map.to_ref(moments) - (moments + 5))
    assert (off <= np.maximum(2.5 * time_map.error_ref_s(moments), 0.05)).all()
    assert off[moments < 39].max() < 0.06
    assert len(alignment.matching.pairs) == 120
    # What the wrong stretch said of the rest is worth nothing.
    assert np.isnan(time_map.to_ref(71.0))
    assert np.isnan(time_map.to_new(130.0))


def test_a_run_in_the_wrong_lap_needs_another_anchor_and_says_so() -> None:
    matching = _matching(lambda t: t + 65, (0.0, 600.0))
    with pytest.raises(AlignmentError, match=r"only 0 moments.*mark another one well away"):
        _map(matching, (300.0, 305.0))
    time_map = _map(matching, (20.0, 25.0), (580.0, 585.0))
    _assert_passes(time_map, (20.0, 25.0), (580.0, 585.0))
    assert time_map.support == ((20.0, 580.0),)
    assert time_map.error_ref_s(300.0) > 1


def test_a_wrong_stretch_far_away_is_left_alone() -> None:
    matching = _matching(lambda t: t + np.where(t < 45, 5.0, 65.0), (0.0, 40.0), (50.0, 90.0))
    before, after = _map(matching), _map(matching, (20.0, 25.0))
    moments = np.arange(50.5, 89, 0.5)
    np.testing.assert_allclose(after.to_ref(moments), before.to_ref(moments), rtol=0, atol=1e-3)
    np.testing.assert_allclose(after.support, before.support, rtol=0, atol=0.001)


def test_another_anchor_vouches_for_what_lies_behind_it() -> None:
    matching = _matching(lambda t: t + 5)
    alone, _ = heeded(replace(matching, anchors=_at((30.0, 38.0))))
    assert not ((alone.pairs.t_new > 22) & (alone.pairs.t_new < 25)).any()
    vouched, _ = heeded(replace(matching, anchors=_at((25.0, 30.0), (30.0, 38.0))))
    assert ((vouched.pairs.t_new > 22) & (vouched.pairs.t_new < 25)).sum() >= 8


def test_a_stretch_that_comes_in_another_order_than_the_anchor_is_dropped() -> None:
    matching = _matching(lambda t: t + np.where(t < 45, 5.0, 105.0), (0.0, 40.0), (50.0, 90.0))
    left, refuted = heeded(replace(matching, anchors=_at((45.0, 300.0))))
    np.testing.assert_array_equal(left.pairs.t_new, matching.pairs.t_new[matching.pairs.t_new < 45])
    np.testing.assert_array_equal(refuted.t_new, matching.pairs.t_new[matching.pairs.t_new > 45])


def test_an_anchor_that_the_new_run_reaches_later_refutes_what_was_seen_on_the_way() -> None:
    matching = _matching(lambda t: t + 5, (0.0, 60.0), duration_new_s=100.0)
    left, refuted = heeded(replace(matching, anchors=_at((68.0, 64.0))))
    assert left.pairs.t_ref.max() < 64
    assert 20 < refuted.t_new.min() < 40
    assert left.stretches == ((0.0, 68.0),)


def test_other_witnesses_are_refuted_as_well() -> None:
    t = np.arange(0.0, 60.0, 10.0)
    matching = replace(
        _matching(lambda t: t + 65),
        testimonies=(model.Testimony(Witness.GPS, t, t + 65, np.full(t.size, 1.0)),),
    )
    left, _ = heeded(replace(matching, anchors=_at((10.0, 15.0), (50.0, 55.0))))
    assert left.testimonies[0].t_new_s.size == 0
    assert left.shares[Witness.PERSON] == 1.0


@pytest.mark.parametrize(
    "anchors",
    [((10.0, 15.0), (20.0, 14.0)), ((10.0, 15.0), (20.0, 15.0)), ((10.0, 15.0), (10.0, 16.0))],
    ids=["crossing", "one place twice in the new run", "one moment at two places"],
)
@pytest.mark.parametrize("params", [_CURVE, _AFFINE], ids=["curve", "affine"])
def test_anchors_that_contradict_each_other_are_named(
    anchors: tuple[tuple[float, float], ...], params: FitParams
) -> None:
    with pytest.raises(AlignmentError) as refused:
        _map(_matching(), (5.0, 10.0), *anchors, params=params)
    sentence = str(refused.value)
    for t_new_s, t_ref_s in anchors:
        assert f"{t_new_s:.2f} s of the new run at {t_ref_s:.2f} s of the reference" in sentence
    assert "5.00 s of the new run at 10.00 s" not in sentence
    assert "take the wrong one away" in sentence


def test_the_same_anchor_twice_is_one() -> None:
    _assert_passes(_map(_matching(), (30.0, 35.5), (30.0, 35.5)), (30.0, 35.5))


# --- how far the map reaches ---------------------------------------------------------------------------


def test_an_anchor_in_a_hole_joins_what_lies_on_either_side() -> None:
    matching = _matching(_waves, (0.0, 40.0), (60.0, 90.0))
    assert np.isnan(_map(matching).to_ref(50.0))
    anchor = (50.0, float(_waves(np.array(50.0))))
    time_map = _map(matching, anchor)
    (support,) = time_map.support
    assert support == pytest.approx((0.0, 89.83), abs=0.05)
    _assert_passes(time_map, anchor)
    errors = time_map.error_ref_s([39.0, 45.0, 50.0, 55.0, 61.0])
    assert errors[1] > 3 * errors[0]
    assert errors[3] > 3 * errors[4]
    assert errors[2] < 2 * ANCHOR_SE_S


def _changing_pace(seed: int) -> Ride:
    """A rider whose pace strays from the reference's by a fifth, within some seconds."""
    moments = np.arange(0, 100, 0.05)
    pace = gaussian_filter1d(np.random.default_rng(seed).standard_normal(moments.size), 50)
    return lambda t: np.interp(t, moments, 5 + 0.05 * np.cumsum(1 + 0.2 * pace / pace.std()))


def test_stated_errors_hold_between_an_anchor_and_what_was_seen() -> None:
    shares = []
    moments = np.arange(40.0, 50.0, 0.2)
    for seed in range(8):
        ride = _changing_pace(seed)
        matching = _matching(ride, (0.0, 40.0), (50.0, 90.0), seed=seed)
        time_map = _map(matching, (45.0, float(ride(np.array(45.0)))))
        off = np.abs(time_map.to_ref(moments) - ride(moments))
        shares.append((off <= _NINE_IN_TEN * time_map.error_ref_s(moments)).mean())
    assert np.mean(shares) >= 0.7


def test_the_map_reaches_to_an_anchor_beyond_its_ends_and_no_further() -> None:
    matching = _matching(_waves, (20.0, 60.0), duration_new_s=100.0)
    anchors = [(t, float(_waves(np.array(t)))) for t in (5.0, 80.0)]
    time_map = _map(matching, *anchors)
    assert time_map.support == ((5.0, 80.0),)
    _assert_passes(time_map, *anchors)
    assert time_map.error_ref_s(70.0) > 5 * time_map.error_ref_s(50.0)
    assert np.isnan(time_map.to_ref([4.9, 80.1])).all()


def test_what_no_pace_explains_is_not_bridged() -> None:
    """The reference rides a loop that the new run leaves out."""
    matching = _matching(lambda t: t + np.where(t < 45, 5.0, 105.0), (0.0, 40.0), (46.0, 90.0))
    time_map = _map(matching, (43.0, 48.0))
    assert time_map.supports(np.array([41.0, 43.0, 46.1])).all()
    assert not time_map.supports(np.array([44.0, 45.9])).any()
    assert np.isnan(time_map.to_new(np.arange(50.0, 150.0, 5.0))).all()
    _assert_passes(time_map, (43.0, 48.0))


# --- few sightings --------------------------------------------------------------------------------------


def test_two_anchors_alone_make_a_map_with_honest_errors() -> None:
    anchors = [(10.0, 12.0), (50.0, 57.0)]
    alignment = fit(replace(_nothing_seen(), anchors=_at(*anchors)), _CURVE)
    time_map = alignment.time_map
    assert time_map.support == ((10.0, 50.0),)
    _assert_passes(time_map, *anchors)
    assert time_map.error_ref_s([10.0, 50.0]).max() < 2 * ANCHOR_SE_S
    assert time_map.error_ref_s(30.0) > 1
    assert alignment.residual_s.size == 0


def test_a_few_sightings_count_beside_anchors() -> None:
    matching = _matching(_waves, (20.0, 20.9), duration_new_s=100.0)
    assert len(matching.pairs) < 4
    time_map = _map(matching, (10.0, float(_waves(np.array(10.0)))), (30.0, float(_waves(np.array(30.0)))))
    assert time_map.to_ref(20.3) == pytest.approx(_waves(np.array(20.3)), abs=0.15)


def test_one_anchor_alone_is_too_little_and_says_what_would_help() -> None:
    with pytest.raises(AlignmentError, match="mark another one well away"):
        _map(_nothing_seen(), (10.0, 12.0))


# --- the straight line --------------------------------------------------------------------------------


def test_a_line_passes_one_anchor() -> None:
    matching = _matching(lambda t: t + 5)
    time_map = _map(matching, (30.0, 35.1), params=_AFFINE)
    assert time_map.to_ref(30.0) == pytest.approx(35.1, abs=0.02)


def test_two_anchors_determine_a_line() -> None:
    anchors = [(10.0, 15.2), (50.0, 55.4)]
    time_map = _map(_matching(lambda t: t + 5), *anchors, params=_AFFINE)
    assert time_map.to_ref([10.0, 50.0]) == pytest.approx([15.2, 55.4], abs=0.02)
    # That the sightings lie elsewhere must show.
    assert time_map.error_ref_s(30.0) > 0.15


def test_a_line_through_anchors_alone() -> None:
    time_map = fit(replace(_nothing_seen(), anchors=_at((10.0, 12.0), (50.0, 54.0))), _AFFINE).time_map
    assert time_map.to_ref(30.0) == pytest.approx(33.0, abs=1e-6)
    assert time_map.support == ((10.0, 50.0),)


# --- the verdict ---------------------------------------------------------------------------------------


def _judged(matching: Matching, *anchors: tuple[float, float]) -> tuple[Decision, str]:
    verdict = fit_and_judge(replace(matching, anchors=_at(*anchors)), _CURVE, Gates()).verdict
    return verdict.decision, " ".join(verdict.reasons)


def test_an_anchor_answers_which_of_several_places_it_is() -> None:
    matching = replace(_matching(), elsewhere=(OtherPlace(0.0, 90.0, 0.97),))
    assert _judged(matching)[0] is Decision.REVIEW
    decision, reasons = _judged(matching, (30.0, float(_waves(np.array(30.0)))))
    assert decision is Decision.ACCEPT
    assert "marked as the same" in reasons


def test_what_chance_explains_is_reviewed_rather_than_rejected_once_a_person_has_spoken() -> None:
    matching = replace(_matching(), margin=0.1)
    assert _judged(matching)[0] is Decision.REJECT
    decision, reasons = _judged(matching, (30.0, float(_waves(np.array(30.0)))))
    assert decision is Decision.REVIEW
    assert "Chance" in reasons


def test_two_anchors_alone_are_reviewed() -> None:
    decision, reasons = _judged(_nothing_seen(), (10.0, 12.0), (80.0, 90.0))
    assert decision is Decision.REVIEW
    assert "may be off by" in reasons


def test_a_persons_share_is_told_only_where_there_is_one() -> None:
    matching = _matching()
    assert Witness.PERSON not in matching.shares
    with_anchor = replace(matching, anchors=_at((30.0, 35.0))).shares
    assert 0 < with_anchor[Witness.PERSON] < 0.1
    assert sum(with_anchor.values()) == pytest.approx(1)
