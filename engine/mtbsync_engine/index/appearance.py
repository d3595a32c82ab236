"""The look of a whole picture, column by column.

Histograms of oriented gradients (Dalal and Triggs 2005) on a coarse grid, with the square root that
makes Euclidean distance a Hellinger distance (Arandjelovic and Zisserman 2012). Gradients normalised in
blocks forgive the light, coarse cells a rider's other line; and as columns stand side by side, two
pictures can be compared with one of them turned a little to the left or right.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SIZE_PX = (128, 64)
_CELL_PX = 16
_BLOCK_PX = (2 * _CELL_PX, 2 * _CELL_PX)
_STRIDE_PX = (_CELL_PX // 2, _CELL_PX)
_ORIENTATIONS = 9
N_COLUMNS = (_SIZE_PX[0] - _BLOCK_PX[0]) // _STRIDE_PX[0] + 1


def make_appearance_descriptor() -> cv2.HOGDescriptor:
    """The descriptor's engine; making one costs more than describing a picture with it."""
    return cv2.HOGDescriptor(_SIZE_PX, _BLOCK_PX, _STRIDE_PX, (_CELL_PX, _CELL_PX), _ORIENTATIONS)


def describe_appearance(hog: cv2.HOGDescriptor, gray: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Describe a grey picture (H, W) as a whole. Returns shape (13, 108): columns from left to right."""
    small = cv2.resize(gray, _SIZE_PX, interpolation=cv2.INTER_AREA)
    # OpenCV lays blocks out column by column.
    return np.sqrt(hog.compute(small)).astype(np.float16).reshape(N_COLUMNS, -1)
