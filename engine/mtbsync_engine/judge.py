"""Whether an alignment may be used unasked, and why not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mtbsync_engine.align.fit import HARDLY_ANY_VERIFIED, drift_ppm
from mtbsync_engine.align.gps import SAME_PLACE_M
from mtbsync_engine.align.match import CHANCE_MARGIN, WELL_VERIFIED
from mtbsync_engine.model import Alignment, Decision, GpsUse, Matching, Model, TimeMap, Verdict

_REVIEW_MARGIN = 0.5
# A place that earns this share of what the best one does cannot be told from it.
_EQUALLY_WELL = 0.9
_MIN_SUPPORT_S = 2.0
_REVIEW_COVERAGE = 0.25
_REVIEW_ERROR_S = 0.5
_N_PLACES = 500
# How far a normal error strays in nine cases of ten, in standard errors.
NINE_IN_TEN = 1.645


@dataclass(frozen=True)
class Gates:
    """What an alignment must reach to be used at all.

    `min_inlier_frac`: share of sightings within `Alignment.inlier_thresh_s` of the map. `max_p90_s`:
    residual that nine in ten sightings stay below. `max_ppm`: drift of an affine map; None lets any pass, as
    two rides hardly ever keep one pace, and a curve has no single drift.
    """

    min_inlier_frac: float = 0.25
    max_p90_s: float | None = None
    max_ppm: float | None = None


STRICT_GATES = Gates(min_inlier_frac=0.50, max_p90_s=1.0, max_ppm=500.0)


@dataclass(frozen=True)
class Quality:
    """An alignment in numbers. Residuals are those of the sightings against the map, in seconds of t_ref;
    `typical_inliers` key points agree in half of the verified ones or more (0 where none is verified)."""

    inlier_frac: float
    verified_frac: float
    typical_inliers: float
    mae_s: float
    p50_s: float
    p90_s: float
    p95_s: float
    ppm: float
    coverage: float
    margin: float
    median_error_s: float


@dataclass(frozen=True, eq=False)
class Judged:
    """An alignment with its numbers and what was decided of it."""

    alignment: Alignment
    quality: Quality
    verdict: Verdict


def measure(alignment: Alignment) -> Quality:
    """The numbers that `judge` goes by."""
    anchors = np.array([(a.t_new_s, a.t_ref_s) for a in alignment.matching.anchors]).reshape(-1, 2)
    time_map = alignment.time_map
    anchors_off = anchors[:, 1] - np.interp(anchors[:, 0], time_map.t_new, time_map.t_ref)
    # What a person has seen is seen as well as what key points verify.
    off = np.abs(np.concatenate([alignment.residual_s, anchors_off]))
    p50, p90, p95 = np.percentile(off, [50, 90, 95])
    n_inliers = alignment.matching.pairs.n_inliers
    verified = n_inliers > 0
    return Quality(
        inlier_frac=float((off <= alignment.inlier_thresh_s).mean()),
        verified_frac=float((verified.sum() + len(anchors)) / off.size),
        typical_inliers=float(np.median(n_inliers[verified])) if verified.any() else 0.0,
        mae_s=float(off.mean()),
        p50_s=float(p50),
        p90_s=float(p90),
        p95_s=float(p95),
        ppm=drift_ppm(time_map),
        coverage=alignment.coverage,
        margin=alignment.matching.margin,
        median_error_s=_median_error_s(time_map),
    )


def _median_error_s(time_map: TimeMap) -> float:
    """What half of all markers, spread evenly over the supported trail, stay below in nine cases of ten."""
    edges = [time_map.to_ref(interval) for interval in time_map.support]
    t_ref = np.concatenate([np.linspace(start, end, _N_PLACES) for start, end in edges])
    return float(np.nanmedian(time_map.error_new_s(t_ref, n_se=NINE_IN_TEN)))


def judge(alignment: Alignment, quality: Quality, gates: Gates) -> Verdict:
    """Accept, show to a person first, or reject; with every reason for that.

    Who marks a place as the same has said that it is the same trail, and which of its laps: then weak
    pictures are to be reviewed at worst, and other places are out of the question.
    """
    reject = _reasons_to_reject(alignment, quality, gates)
    review = _reasons_to_review(alignment, quality)
    if reject:
        return Verdict(Decision.REJECT, tuple(reject))
    if review:
        return Verdict(Decision.REVIEW, tuple(review))
    return Verdict(Decision.ACCEPT, (_praise(alignment, quality),))


def _reasons_to_reject(alignment: Alignment, quality: Quality, gates: Gates) -> list[str]:
    reasons = [] if alignment.matching.anchors else _reasons_against_the_trail(alignment.matching)
    supported_s = sum(end - start for start, end in alignment.time_map.support)
    if supported_s < _MIN_SUPPORT_S:
        reasons.append(f"The two runs have only {supported_s:.1f} s in common.")
    if quality.inlier_frac < gates.min_inlier_frac:
        reasons.append(
            f"{_share(quality.inlier_frac)} of the matching moments agree with the map, "
            f"and {gates.min_inlier_frac:.0%} are asked for{_hint(alignment)}."
        )
    if gates.max_p90_s is not None and quality.p90_s > gates.max_p90_s:
        reasons.append(
            f"One in ten matching moments is {quality.p90_s:.2f} s or more off the map, "
            f"and {gates.max_p90_s:g} s is the limit."
        )
    if gates.max_ppm is not None and alignment.model is Model.AFFINE and abs(quality.ppm) > gates.max_ppm:
        reasons.append(
            f"The clocks drift by {quality.ppm:+.0f} ppm, and {gates.max_ppm:g} is the limit; "
            "two rides of a trail need the curve (leave out --model affine)."
        )
    return reasons


def _reasons_against_the_trail(matching: Matching) -> list[str]:
    if matching.margin < CHANCE_MARGIN and matching.gps is not GpsUse.ALONE:
        return [
            "What the new run shows lines up with the reference no better than chance "
            f"(margin {matching.margin:.2f}, {CHANCE_MARGIN} is needed); is it the same trail?"
        ]
    if matching.margin < _REVIEW_MARGIN and matching.gps is GpsUse.CONTRADICTS:
        return ["The pictures match only weakly, and GPS says the two runs did not share a trail."]
    return []


def _reasons_to_review(alignment: Alignment, quality: Quality) -> list[str]:
    reasons = []
    margin, gps = alignment.matching.margin, alignment.matching.gps
    if math.isnan(margin):
        reasons.append(
            "These pairs do not say how close any other way to line the runs up comes; `mtbsync sync` does."
        )
    elif gps is GpsUse.ALONE:
        reasons.append("The pictures match no better than chance, so the markers go by GPS alone.")
    else:
        if alignment.matching.elsewhere and not alignment.matching.anchors:
            reasons.append(_fits_elsewhere(alignment.matching))
        if margin < _REVIEW_MARGIN:
            reasons.append(f"Chance lines the runs up nearly as well (margin {margin:.2f}).")
        if quality.verified_frac < HARDLY_ANY_VERIFIED:
            reasons.append(
                f"{_share(quality.verified_frac)} of the pictures could be verified by their details; the "
                "others match as a whole, and markers may be off by more than stated."
            )
        elif quality.typical_inliers < WELL_VERIFIED:
            reasons.append(
                f"Only {quality.typical_inliers:.0f} key points agree in a typical picture, hardly more than "
                "by chance; markers may be off by more than stated."
            )
    if gps is GpsUse.CONTRADICTS:
        apart_m = alignment.matching.gps_separation_m
        what = (
            "did not go the same way along the trail"
            if apart_m <= SAME_PLACE_M
            else f"were in different places ({apart_m:.0f} m apart)"
        )
        reasons.append(f"GPS says the two runs {what}; does each track belong to its video?")
    if alignment.coverage < _REVIEW_COVERAGE:
        reasons.append(f"Only {alignment.coverage:.0%} of the new run shows the reference's trail.")
    if quality.median_error_s > _REVIEW_ERROR_S:
        reasons.append(f"A typical marker may be off by {quality.median_error_s:.1f} s{_hint(alignment)}.")
    return reasons


def _hint(alignment: Alignment) -> str:
    """What may help where the map does not fit."""
    return "; leave out --model affine to follow a changing pace" if alignment.model is Model.AFFINE else ""


def _fits_elsewhere(matching: Matching) -> str:
    """Names the places that may be meant, the one that markers were put by first."""
    others, pairs = matching.elsewhere, matching.pairs
    at_ref_s = [float(pairs.t_ref[0]), *(other.t_ref_s for other in others)]
    at_new_s = [float(pairs.t_new[0]), *(other.t_new_s for other in others)]
    if np.ptp(at_ref_s) >= np.ptp(at_new_s):
        one, many, at_s = "new run", "reference", at_ref_s
    else:
        one, many, at_s = "reference", "new run", at_new_s
    how = "equally" if min(other.share for other in others) >= _EQUALLY_WELL else "almost equally"
    times = ", ".join(f"{t_s:.0f} s" for t_s in at_s)
    return (
        f"The {one} fits {len(at_s)} places of the {many} {how} well: at {times}. "
        "Markers go by the first; is that the right one?"
    )


def _share(share: float) -> str:
    return f"Only {share:.0%}" if share > 0 else "None"


def _praise(alignment: Alignment, quality: Quality) -> str:
    why = (
        "it passes the places that were marked as the same"
        if alignment.matching.anchors
        else f"nothing else comes close (margin {quality.margin:.2f})"
    )
    return (
        f"{quality.coverage:.0%} of the new run lines up with the reference, {why}, and a typical marker is "
        f"expected within {quality.median_error_s:.2f} s."
    )
