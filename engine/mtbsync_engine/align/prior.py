"""What a witness other than the camera's pictures says of where the new run lies on the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from mtbsync_engine.model import FloatArray

# Two witnesses further apart than so many of their combined errors contradict each other.
_AGREE_SE = 3.0


@dataclass(frozen=True, eq=False)
class Prior:
    """Where the new run lies on the reference, as far as one witness knows.

    Arrays of length K: `t_new_s` strictly increasing; `t_ref_s` never decreasing, and `se_s` one standard
    error of it, both nan where not `valid`.
    """

    t_new_s: FloatArray
    t_ref_s: FloatArray
    se_s: FloatArray
    valid: NDArray[np.bool_]

    def at(self, t_new_s: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """t_ref_s and its standard error at any times of the new run; nan where nothing is said."""
        t = np.asarray(t_new_s, dtype=np.float64)
        return (
            np.interp(t, self.t_new_s, self.t_ref_s, left=np.nan, right=np.nan),
            np.interp(t, self.t_new_s, self.se_s, left=np.nan, right=np.nan),
        )


def fuse(priors: Sequence[Prior]) -> Prior:
    """What several witnesses say together, at all times that any of them speaks of.

    Where they agree, within three of their combined errors, they are weighted by inverse variance. Where
    they contradict each other, the surer one's word stands, with an error widened by how far apart they
    are. Where one is silent, the others speak alone. Where that would run back, as it passes from one
    witness to the other, the nearest course that does not is taken (isotonic regression), and what it is off
    is part of the error.

    Raises:
        ValueError: there are none.
    """
    if not priors:
        raise ValueError("There are no priors to fuse.")
    return reduce(_fused, priors)


def _fused(one: Prior, other: Prior) -> Prior:
    t_new_s = np.union1d(one.t_new_s, other.t_new_s)
    (t_one_s, se_one_s), (t_other_s, se_other_s) = one.at(t_new_s), other.at(t_new_s)
    surer_is_one = np.isnan(se_other_s) | (se_one_s <= se_other_s)
    t_ref_s = np.where(surer_is_one, t_one_s, t_other_s)
    se_s = np.where(surer_is_one, se_one_s, se_other_s)
    both = np.isfinite(t_one_s) & np.isfinite(t_other_s)
    apart_s = np.abs(t_one_s - t_other_s)
    agree = both & (apart_s <= _AGREE_SE * np.hypot(se_one_s, se_other_s))
    share_of_one = se_other_s[agree] ** 2 / (se_one_s[agree] ** 2 + se_other_s[agree] ** 2)
    t_ref_s[agree] = share_of_one * t_one_s[agree] + (1 - share_of_one) * t_other_s[agree]
    se_s[agree] = se_one_s[agree] * np.sqrt(share_of_one)
    contradict = both & ~agree
    se_s[contradict] = np.hypot(se_s, apart_s)[contradict]
    valid = np.isfinite(t_ref_s)
    rising_s = t_ref_s[valid]
    if valid.any():
        rising_s = isotonic_regression(rising_s, weights=1 / se_s[valid] ** 2).x
    se_s[valid] = np.hypot(se_s[valid], rising_s - t_ref_s[valid])
    t_ref_s[valid] = rising_s
    return Prior(t_new_s, t_ref_s, se_s, valid)
