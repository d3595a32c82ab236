"""Indexes of runs whose pictures' looks are given, and looks drawn at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.model import Index, IndexParams

SPACING_S = 1 / 3


def random_looks(n: int, seed: int = 1) -> NDArray[np.float64]:
    """Looks of `n` places (n, 8, 16) that have nothing in common."""
    return np.random.default_rng(seed).standard_normal((n, 8, 16))


def index_of_looks(looks: NDArray[np.float64]) -> Index:
    """The index of a run whose pictures look like that (N, C, D), three a second, without key points."""
    n = len(looks)
    return Index(
        params=IndexParams(),
        fingerprint="",
        duration_s=n * SPACING_S,
        t_s=np.arange(n) * SPACING_S,
        appearance=looks.astype(np.float16),
        points=np.zeros((0, 2), np.float32),
        descriptors=np.zeros((0, 1), np.uint8),
        first_point=np.zeros(n + 1, np.int64),
    )
