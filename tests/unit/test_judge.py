"""What becomes of an alignment, and whether the reasons say so."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mtbsync_engine.judge import STRICT_GATES, Gates, judge, measure
from mtbsync_engine.model import (
    Alignment,
    Decision,
    GpsUse,
    MatchedPairs,
    Matching,
    Model,
    OtherPlace,
    TimeMap,
    Verdict,
)


def _alignment(
    *,
    model: Model = Model.CURVE,
    slope: float = 1.0,
    residual_s: tuple[float, ...] = (0.05, -0.05, 0.02, 0.0),
    se_s: float = 0.05,
    support: tuple[tuple[float, float], ...] = ((0.0, 40.0),),
    margin: float = 0.9,
    gps: GpsUse = GpsUse.NONE,
    gps_separation_m: float = 7.0,
    n_inliers: tuple[int, ...] = (30, 30, 0, 30),
    elsewhere: tuple[OtherPlace, ...] = (),
) -> Alignment:
    """Forty seconds of a new run on the reference, seen four times; all is well unless it is said."""
    t_new = np.array([0.0, 13.0, 27.0, 40.0])
    pairs = MatchedPairs(t_new, 5 + slope * t_new, np.full(4, 0.05), np.full(4, 4.0), np.array(n_inliers))
    matching = Matching(pairs, ((0.0, 40.0),), 0.0, 40.0, margin, gps, gps_separation_m, elsewhere=elsewhere)
    time_map = TimeMap(t_new, 5 + slope * t_new, np.full(4, se_s), support)
    return Alignment(model, time_map, matching, np.array(residual_s), inlier_thresh_s=0.2)


def _verdict(alignment: Alignment, gates: Gates = Gates()) -> Verdict:  # noqa: B008 (immutable)
    return judge(alignment, measure(alignment), gates)


def test_a_good_alignment_is_accepted_with_its_numbers() -> None:
    verdict = _verdict(_alignment())
    assert verdict.decision is Decision.ACCEPT
    (praise,) = verdict.reasons
    assert "100%" in praise
    assert "margin 0.90" in praise
    assert "0.08 s" in praise


def test_quality_is_counted_from_the_residuals() -> None:
    quality = measure(_alignment(residual_s=(0.1, -0.3, 0.2, 0.4), slope=1.0005))
    assert quality.inlier_frac == 0.5
    assert quality.verified_frac == 0.75
    assert quality.mae_s == pytest.approx(0.25)
    assert quality.p50_s == pytest.approx(0.25)
    assert quality.p90_s == pytest.approx(0.37)
    assert quality.p95_s == pytest.approx(0.385)
    assert quality.ppm == pytest.approx(500)
    assert quality.coverage == 1.0
    assert quality.margin == 0.9
    assert quality.median_error_s == pytest.approx(1.645 * 0.05 / 1.0005)


@pytest.mark.parametrize(
    ("alignment", "gates", "words"),
    [
        (_alignment(margin=0.29), Gates(), "no better than chance"),
        (_alignment(margin=0.0), Gates(), "is it the same trail?"),
        (_alignment(margin=0.45, gps=GpsUse.CONTRADICTS), Gates(), "did not share a trail"),
        (_alignment(support=((3.0, 4.9),)), Gates(), "only 1.9 s in common"),
        (_alignment(support=((3.0, 3.9), (10.0, 10.9))), Gates(), "only 1.8 s in common"),
        (_alignment(residual_s=(0.3, 0.3, -0.3, 0.3)), Gates(), "None of the matching moments"),
        (_alignment(residual_s=(0.3, 0.1, -0.3, 0.3)), STRICT_GATES, "Only 25% of the matching moments"),
        (_alignment(residual_s=(0.1, 0.1, 0.1, 4.0)), STRICT_GATES, "One in ten matching moments"),
        (_alignment(model=Model.AFFINE, slope=1.0006), STRICT_GATES, "drift by +600 ppm"),
        (_alignment(model=Model.AFFINE, slope=0.9994), STRICT_GATES, "drift by -600 ppm"),
    ],
    ids=[
        "margin below chance",
        "no margin",
        "weak and contradicted",
        "a glimpse",
        "two glimpses",
        "no sighting agrees",
        "half must agree",
        "a tail of errors",
        "drift up",
        "drift down",
    ],
)
def test_what_cannot_be_trusted_is_rejected_and_told_why(
    alignment: Alignment, gates: Gates, words: str
) -> None:
    verdict = _verdict(alignment, gates)
    assert verdict.decision is Decision.REJECT
    assert words in verdict.reasons[0]


@pytest.mark.parametrize(
    ("alignment", "words"),
    [
        (_alignment(margin=0.31), "Chance lines the runs up nearly as well (margin 0.31)"),
        (_alignment(margin=0.49), "Chance lines the runs up nearly as well (margin 0.49)"),
        (_alignment(elsewhere=(OtherPlace(0.0, 99.0, 0.9),)), "fits 2 places of the reference equally well"),
        (_alignment(margin=math.nan), "do not say how close"),
        (_alignment(margin=0.05, gps=GpsUse.ALONE), "the markers go by GPS alone"),
        (_alignment(gps=GpsUse.CONTRADICTS), "did not go the same way along the trail"),
        (_alignment(gps=GpsUse.CONTRADICTS, gps_separation_m=140.0), "140 m apart"),
        (_alignment(support=((0.0, 9.9),)), "Only 25% of the new run"),
        (_alignment(se_s=0.31), "may be off by 0.5 s"),
        (_alignment(n_inliers=(0, 0, 0, 0)), "None of the pictures could be verified"),
    ],
    ids=[
        "chance is close",
        "just too close",
        "another lap",
        "margin unknown",
        "gps alone",
        "the other way round",
        "another place",
        "little covered",
        "uncertain",
        "nothing verified",
    ],
)
def test_what_is_doubtful_waits_for_a_person(alignment: Alignment, words: str) -> None:
    verdict = _verdict(alignment)
    assert verdict.decision is Decision.REVIEW
    assert words in verdict.reasons[0]


@pytest.mark.parametrize(
    "alignment",
    [
        _alignment(margin=0.5),
        _alignment(support=((0.0, 10.0),)),
        _alignment(se_s=0.3),
        _alignment(model=Model.AFFINE, slope=1.2),
        _alignment(slope=1.4),
        _alignment(residual_s=(0.2, 3.0, 3.0, 3.0)),
        _alignment(gps=GpsUse.BOTH),
        _alignment(gps=GpsUse.ONE),
    ],
    ids=[
        "margin just enough",
        "a quarter covered",
        "error just small enough",
        "an affine map of another pace",
        "a curve has no drift",
        "a quarter agrees",
        "two tracks",
        "one track",
    ],
)
def test_the_limits_themselves_are_good_enough(alignment: Alignment) -> None:
    assert _verdict(alignment).decision is Decision.ACCEPT


def test_a_curve_has_no_drift_even_for_strict_gates() -> None:
    assert _verdict(_alignment(slope=1.4), STRICT_GATES).decision is Decision.ACCEPT


def test_pictures_that_match_by_chance_do_not_matter_where_gps_alone_leads() -> None:
    verdict = _verdict(_alignment(margin=0.0, gps=GpsUse.ALONE, n_inliers=(0, 0, 0, 0)))
    assert verdict.decision is Decision.REVIEW
    assert len(verdict.reasons) == 1


def test_an_affine_map_that_does_not_fit_is_told_of_the_curve() -> None:
    off = _alignment(model=Model.AFFINE, residual_s=(2.0, 2.0, 2.0, 2.0))
    assert "leave out --model affine" in _verdict(off).reasons[0]
    assert "--model affine" not in _verdict(replace(off, model=Model.CURVE)).reasons[0]


def test_a_rejection_gives_every_reason_for_it_and_none_for_a_mere_review() -> None:
    verdict = _verdict(_alignment(margin=0.1, residual_s=(2.0, 2.0, 2.0, 2.0), se_s=0.5))
    assert verdict.decision is Decision.REJECT
    assert len(verdict.reasons) == 2
    assert "chance" in verdict.reasons[0]
    assert "agree with the map" in verdict.reasons[1]


def test_every_place_that_fits_is_named_and_how_well() -> None:
    laps = (OtherPlace(0.0, 65.2, 0.97), OtherPlace(0.3, 125.0, 0.94))
    (reason,) = _verdict(_alignment(elsewhere=laps)).reasons
    assert reason.startswith("The new run fits 3 places of the reference equally well: at 5 s, 65 s, 125 s.")
    (reason,) = _verdict(_alignment(elsewhere=(*laps, OtherPlace(0.0, 185.0, 0.6)))).reasons
    assert "fits 4 places of the reference almost equally well: at 5 s, 65 s, 125 s, 185 s." in reason


def test_a_reference_that_fits_several_laps_of_the_new_run_is_told_by_those() -> None:
    laps = (OtherPlace(61.0, 5.0, 0.97), OtherPlace(121.0, 5.3, 0.94))
    (reason,) = _verdict(_alignment(elsewhere=laps)).reasons
    assert reason.startswith("The reference fits 3 places of the new run equally well: at 0 s, 61 s, 121 s.")


def test_what_chance_explains_is_rejected_however_many_places_it_fits() -> None:
    verdict = _verdict(_alignment(margin=0.2, elsewhere=(OtherPlace(0.0, 99.0, 1.0),)))
    assert verdict.decision is Decision.REJECT


@pytest.mark.parametrize("margin", [0.0, 0.4, 0.9])
def test_reasons_are_sentences(margin: float) -> None:
    for gps in GpsUse:
        for reason in _verdict(_alignment(margin=margin, gps=gps, se_s=0.5)).reasons:
            assert reason[0].isupper()
            assert reason[-1] in ".?;"
