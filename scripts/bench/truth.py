"""Markers of a pair with known truth, and how far from it they were placed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scripts.bench.pairs import Pair

from mtbsync_engine.evaluate import read_truth
from mtbsync_engine.model import FloatArray

# Closer than this in the reference, two rows of the truth show one place: the new run stands still, and a
# third of a frame is not to be told.
_SAME_PLACE_S = 0.01
BADLY_OFF_S = 0.5


@dataclass(frozen=True, eq=False)
class Truth:
    """A marker for each place of the truth: at `t_ref` (N,), shown by the new run from `first_s` to `last_s`.

    A place that the new run shows for a while, as the rider stands still, is right at any of its moments.
    """

    t_ref: FloatArray
    first_s: FloatArray
    last_s: FloatArray

    def off_s(self, t_new: FloatArray) -> FloatArray:
        """How far markers placed at `t_new` (N,) are off, in seconds; nan where one was not placed."""
        return np.maximum(np.maximum(self.first_s - t_new, t_new - self.last_s), 0.0)

    def every(self, step_s: float) -> Truth:
        """Only markers at least `step_s` apart in the reference."""
        cells = np.floor(self.t_ref / step_s)
        first = np.flatnonzero(np.diff(cells, prepend=-1) > 0)
        return Truth(self.t_ref[first], self.first_s[first], self.last_s[first])


def truth_of(pair: Pair) -> Truth:
    """The markers that a pair's truth gives."""
    return from_rows(*read_truth(pair.truth))


def from_rows(t_new: FloatArray, t_ref: FloatArray) -> Truth:
    """The markers for rows (N,) of true times, in any order."""
    order = np.lexsort((t_new, t_ref))
    t_new, t_ref = t_new[order], t_ref[order]
    starts = np.flatnonzero(np.diff(t_ref, prepend=-np.inf) > _SAME_PLACE_S)
    ends = np.r_[starts[1:], t_ref.size] - 1
    return Truth(t_ref[starts], t_new[starts], t_new[ends])


def summary(off_s: NDArray[np.float64]) -> dict[str, float]:
    """Median, P90 and largest of the errors (N,) that are known."""
    known = off_s[np.isfinite(off_s)]
    if known.size == 0:
        return {"median_s": np.nan, "p90_s": np.nan, "max_s": np.nan}
    return {
        "median_s": float(np.median(known)),
        "p90_s": float(np.percentile(known, 90)),
        "max_s": float(known.max()),
    }
