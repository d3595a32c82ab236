"""How far a time map is from a known truth, and whether it knows how far."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.errors import InputError
from mtbsync_engine.judge import NINE_IN_TEN
from mtbsync_engine.markers import REVIEW_THRESHOLD, confidence_of
from mtbsync_engine.model import Decision, FloatArray, TimeMap

_BADLY_OFF_S = 0.5
# A new run that is ten times slower than the reference stands, or as good as.
_STANDING_PACE = 0.1


@dataclass(frozen=True)
class ErrorSummary:
    """Absolute errors in seconds, and which share of them stays within a bound."""

    median_s: float
    p90_s: float
    max_s: float
    within_frame: float
    within_100_ms: float
    within_300_ms: float


@dataclass(frozen=True)
class Evaluation:
    """A time map against the truth, over the truth's own moments.

    `marker` is the error of t_new for a known t_ref, which is what an editor sees, and where the new run
    stands still the distance from that stop; `place` that of t_ref for a known t_new. `n` moments were
    judged, `covered` is their share of all in the truth.
    `calibration` is the share of them within the error that was stated for nine in ten: 0.9 is honest.
    `n_unflagged` markers would be half a second off or more without anyone being asked to look.
    """

    n: int
    covered: float
    marker: ErrorSummary
    place: ErrorSummary
    calibration: float
    n_unflagged: int


def read_truth(path: Path) -> tuple[FloatArray, FloatArray]:
    """The true `t_new` and `t_ref` (N,) from a CSV with those two columns, in seconds.

    Raises:
        InputError: the file is missing or malformed.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(float(row["t_new"]), float(row["t_ref"])) for row in csv.DictReader(file)]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path} is not a truth map; it needs the columns t_new and t_ref in seconds."
        ) from error
    if len(rows) < 2 or not np.isfinite(rows).all():
        raise InputError(f"{path} needs two rows or more of finite times.")
    t_new, t_ref = np.array(rows).T
    return t_new, t_ref


def evaluate(
    time_map: TimeMap,
    t_new: FloatArray,
    t_ref: FloatArray,
    *,
    frame_s: float,
    decision: Decision = Decision.ACCEPT,
) -> Evaluation:
    """Compare the map with the true pairs `t_new`, `t_ref` (N,), neither of which ever falls; a frame of the
    new run lasts `frame_s`.

    `decision` is what was decided of the map: unless it was accepted, every marker waits for a person.

    Raises:
        InputError: the map supports none of them.
    """
    marker_error = _off_the_moments(time_map.to_new(t_ref), t_new, t_ref)
    place_error = time_map.to_ref(t_new) - t_ref
    judged = np.isfinite(marker_error) & np.isfinite(place_error)
    if not judged.any():
        raise InputError("The time map covers none of the moments in the truth; do they belong together?")
    stated = time_map.error_new_s(t_ref[judged], n_se=NINE_IN_TEN)
    off = np.abs(marker_error[judged])
    trusted = np.array([confidence_of(float(error_s)) >= REVIEW_THRESHOLD for error_s in stated])
    return Evaluation(
        n=int(judged.sum()),
        covered=float(judged.mean()),
        marker=_summarise(off, frame_s),
        place=_summarise(np.abs(place_error[judged]), frame_s),
        calibration=float((off <= stated).mean()),
        n_unflagged=int((trusted & (off >= _BADLY_OFF_S)).sum()) if decision is Decision.ACCEPT else 0,
    )


def _off_the_moments(found: FloatArray, t_new: FloatArray, t_ref: FloatArray) -> FloatArray:
    """How far `found` (N,) is from the moments that show each `t_ref`: while the new run stands still one
    place is shown for seconds, and a marker is right at any of them."""
    rides = np.diff(t_ref) > _STANDING_PACE * np.diff(t_new)
    first = np.maximum.accumulate(np.where(np.r_[True, rides], np.arange(t_new.size), 0))
    last = np.r_[np.flatnonzero(rides), t_new.size - 1][np.cumsum(np.r_[0, rides])]
    return found - np.clip(found, t_new[first], t_new[last])


def _summarise(error_s: NDArray[np.float64], frame_s: float) -> ErrorSummary:
    return ErrorSummary(
        median_s=float(np.median(error_s)),
        p90_s=float(np.percentile(error_s, 90)),
        max_s=float(error_s.max()),
        within_frame=float((error_s <= frame_s).mean()),
        within_100_ms=float((error_s <= 0.1).mean()),
        within_300_ms=float((error_s <= 0.3).mean()),
    )
