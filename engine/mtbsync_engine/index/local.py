"""Key points and their descriptors: ORB (Rublee et al. 2011) in OpenCV's own threads."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_ORB_BYTES = 32
# Dim forest needs a lower corner threshold than OpenCV's 20 to reach its share of key points.
_FAST_THRESHOLD = 10
_CLAHE_CLIP = 3.0
_CLAHE_TILES = (8, 8)


class LocalDescriber:
    """Finds and describes key points, with local contrast equalised first where asked for."""

    def __init__(self, n_features: int, clahe: bool) -> None:
        self._orb = cv2.ORB.create(nfeatures=n_features, fastThreshold=_FAST_THRESHOLD)
        self._clahe = cv2.createCLAHE(_CLAHE_CLIP, _CLAHE_TILES) if clahe else None

    def describe(self, gray: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Key points (n, 2) in units of the longer side, and descriptors (n, 32); n may be 0."""
        picture = gray if self._clahe is None else self._clahe.apply(gray)
        keypoints, descriptors = self._orb.detectAndCompute(picture, None)
        if descriptors is None:
            return np.zeros((0, 2), np.float32), np.zeros((0, _ORB_BYTES), np.uint8)
        points = np.array([k.pt for k in keypoints], np.float32) / max(gray.shape)
        return points, np.asarray(descriptors, np.uint8)


def limit_threads(n_threads: int) -> None:
    """Hold OpenCV to `n_threads` in this process; it has one pool for all it does."""
    cv2.setNumThreads(n_threads)
