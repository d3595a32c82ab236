"""Carrying markers from the reference run to the new one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mtbsync_engine.judge import NINE_IN_TEN
from mtbsync_engine.model import Decision, Marker, TimeMap, TransferredMarker

REVIEW_THRESHOLD = 0.6
# A marker within this of the truth does its job without a touch.
_GOOD_ENOUGH_S = 0.25
# Microseconds: far finer than any error here, and still readable in a table.
_DECIMALS = 6


def transfer(
    markers: Sequence[Marker],
    time_map: TimeMap,
    decision: Decision,
    *,
    review_threshold: float = REVIEW_THRESHOLD,
) -> tuple[TransferredMarker, ...]:
    """Place each of the reference's markers in the new run, in the order given.

    A marker needs review when its confidence is below `review_threshold`, or when the alignment as a whole
    does. A marker whose place the new run does not show, or any marker of a rejected alignment, gets no
    time at all.
    """
    if decision is Decision.REJECT:
        return tuple(_not_placed(marker, "the two runs do not line up") for marker in markers)
    t_ref_s = np.array([marker.t_s for marker in markers])
    t_new_s = time_map.to_new(t_ref_s)
    error_s = time_map.error_new_s(t_ref_s, n_se=NINE_IN_TEN)
    end_s = time_map.to_new(t_ref_s + [marker.duration_s for marker in markers])
    places = zip(markers, t_new_s.tolist(), error_s.tolist(), end_s.tolist(), strict=True)
    return tuple(
        _not_placed(marker, "the new run does not show this place")
        if math.isnan(t_new)
        else _placed(
            marker, t_new, error, _duration_s(marker, time_map, t_new, end), decision, review_threshold
        )
        for marker, t_new, error, end in places
    )


def counts(markers: Sequence[TransferredMarker]) -> dict[str, int]:
    """How many markers there are, how many were placed, and how many of those need review."""
    placed = [m for m in markers if m.t_new is not None]
    return {"n": len(markers), "placed": len(placed), "review": sum(m.needs_review for m in placed)}


def confidence_of(expected_error_s: float) -> float:
    """The probability that a marker is within a quarter of a second of the truth, for a normal error that
    stays below `expected_error_s` in nine cases of ten."""
    if expected_error_s == 0:
        return 1.0
    return math.erf(_GOOD_ENOUGH_S / (expected_error_s / NINE_IN_TEN) / math.sqrt(2))


def _placed(
    marker: Marker,
    t_new: float,
    error_s: float,
    duration_s: float,
    decision: Decision,
    review_threshold: float,
) -> TransferredMarker:
    confidence = confidence_of(error_s)
    reasons = []
    if confidence < review_threshold:
        reasons.append(f"it may be off by {error_s:.2f} s")
    if decision is Decision.REVIEW:
        reasons.append("the alignment as a whole waits for review")
    return TransferredMarker(
        marker=marker,
        t_new=round(t_new, _DECIMALS),
        duration_s=duration_s,
        confidence=confidence,
        expected_error_s=error_s,
        needs_review=bool(reasons),
        reason="; ".join(reasons),
    )


def _not_placed(marker: Marker, reason: str) -> TransferredMarker:
    return TransferredMarker(
        marker=marker,
        t_new=None,
        confidence=0.0,
        expected_error_s=None,
        needs_review=True,
        reason=reason,
        duration_s=marker.duration_s,
    )


def _duration_s(marker: Marker, time_map: TimeMap, t_new: float, end: float) -> float:
    """How long a ranged marker lasts in the new run, whose map places its end at `end`; up to where the map
    ends if it ends first (nan)."""
    if marker.duration_s == 0:
        return 0.0
    if math.isnan(end):
        ends = np.array([b for _, b in time_map.support])
        end = float(ends[ends >= t_new][0])
    return round(end - t_new, _DECIMALS)
