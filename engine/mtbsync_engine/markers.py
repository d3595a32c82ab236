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
    return tuple(_transfer_one(marker, time_map, decision, review_threshold) for marker in markers)


def confidence_of(expected_error_s: float) -> float:
    """The probability that a marker is within a quarter of a second of the truth, for a normal error that
    stays below `expected_error_s` in nine cases of ten."""
    if expected_error_s == 0:
        return 1.0
    return math.erf(_GOOD_ENOUGH_S / (expected_error_s / NINE_IN_TEN) / math.sqrt(2))


def _transfer_one(
    marker: Marker, time_map: TimeMap, decision: Decision, review_threshold: float
) -> TransferredMarker:
    if decision is Decision.REJECT:
        return _not_placed(marker, "the two runs do not line up")
    t_new = float(time_map.to_new(marker.t_s))
    if math.isnan(t_new):
        return _not_placed(marker, "the new run does not show this place")
    error_s = float(time_map.error_new_s(marker.t_s, n_se=NINE_IN_TEN))
    confidence = confidence_of(error_s)
    reasons = []
    if confidence < review_threshold:
        reasons.append(f"it may be off by {error_s:.2f} s")
    if decision is Decision.REVIEW:
        reasons.append("the alignment as a whole waits for review")
    return TransferredMarker(
        marker=marker,
        t_new=round(t_new, _DECIMALS),
        duration_s=_duration_s(marker, time_map, t_new),
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


def _duration_s(marker: Marker, time_map: TimeMap, t_new: float) -> float:
    """How long a ranged marker lasts in the new run; up to where the map ends if it ends first."""
    if marker.duration_s == 0:
        return 0.0
    end = float(time_map.to_new(marker.t_s + marker.duration_s))
    if math.isnan(end):
        ends = np.array([b for _, b in time_map.support])
        end = float(ends[ends >= t_new][0])
    return round(end - t_new, _DECIMALS)
