"""What one picture is described by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.model import Descriptors

# Numbers in a descriptor are those of one of length 1 times this: they are hardly ever above a half.
DESCRIPTOR_LENGTH = 254.0


@dataclass(frozen=True, eq=False)
class Description:
    """One picture: `look` (C, D) float16 describes it as a whole, in C columns from left to right;
    `points` (n, 2) float32 are its key points in units of the longer side, the strongest first, and
    `descriptors` (n, B), bits or numbers, say what they look like. n may be 0."""

    look: NDArray[np.float16]
    points: NDArray[np.float32]
    descriptors: Descriptors


class Describer(Protocol):
    """Describes pictures, one at a time: each thread needs one of its own."""

    def describe(self, gray: NDArray[np.uint8]) -> Description:
        """Describe a grey picture of shape (H, W)."""
