"""Key points by ORB (Rublee et al. 2011), whole pictures by gradients: needs nothing but OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.index.appearance import describe_appearance, make_appearance_descriptor
from mtbsync_engine.index.description import Description

_ORB_BYTES = 32
# Dim forest needs a lower corner threshold than OpenCV's 20 to reach its share of key points.
_FAST_THRESHOLD = 10
_CLAHE_CLIP = 3.0
_CLAHE_TILES = (8, 8)


class Orb:
    """Finds and describes key points, with local contrast equalised first where asked for."""

    def __init__(self, n_features: int, *, clahe: bool) -> None:
        self._orb = cv2.ORB.create(nfeatures=n_features, fastThreshold=_FAST_THRESHOLD)
        self._clahe = cv2.createCLAHE(_CLAHE_CLIP, _CLAHE_TILES) if clahe else None
        self._hog = make_appearance_descriptor()

    def describe(self, gray: NDArray[np.uint8]) -> Description:
        """Describe a grey picture (H, W); descriptors are 256 bits each."""
        look = describe_appearance(self._hog, gray)
        picture = gray if self._clahe is None else self._clahe.apply(gray)
        keypoints, bits = self._orb.detectAndCompute(picture, None)
        if bits is None:
            return Description(look, np.zeros((0, 2), np.float32), np.zeros((0, _ORB_BYTES), np.uint8))
        strongest_first = np.argsort([-k.response for k in keypoints], kind="stable")
        points = np.array([k.pt for k in keypoints], np.float32) / max(gray.shape)
        return Description(look, points[strongest_first], np.asarray(bits, np.uint8)[strongest_first])
