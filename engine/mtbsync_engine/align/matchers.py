"""Which key points of two pictures show the same thing."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.index.description import DESCRIPTOR_LENGTH
from mtbsync_engine.model import Descriptors, KeyPoints, Matcher, Weights

Matches = NDArray[np.intp]
# Rows of the first picture's key points beside those of the second's, (m, 2). Threads may share it.
Match = Callable[[KeyPoints, KeyPoints], Matches]

# The cosine below which two of XFeat's descriptors show different things.
_LEAST_COSINE = 0.8
_NO_MATCHES = np.zeros((0, 2), np.intp)


def matching(matcher: Matcher, lowe: float, weights: Weights | None = None) -> Match:
    """What matches `matcher`'s key points; `lowe` is the ratio in which one of bits must beat its runner-up.

    `weights` is where the networks of a matcher that needs them lie.

    Raises:
        MatcherError: such a network cannot be used.
    """
    match matcher:
        case Matcher.XFEAT:
            return lambda first, second: _nearest_of_each_other(first[1], second[1])
        case Matcher.ORB:
            return lambda first, second: _clearly_nearest(first[1], second[1], lowe)
        case _:
            from mtbsync_engine.align.lightglue import LightGlue

            return LightGlue(matcher, weights)


def _nearest_of_each_other(first: Descriptors, second: Descriptors) -> Matches:
    """Pairs that are each other's most alike, and alike enough, of XFeat's descriptors (n, 64)."""
    if not (first.size and second.size):
        return _NO_MATCHES
    likeness = first.astype(np.float32) @ second.astype(np.float32).T
    nearest = likeness.argmax(axis=1)
    rows = np.arange(nearest.size)
    alike_enough = likeness[rows, nearest] > _LEAST_COSINE * DESCRIPTOR_LENGTH**2
    # Looking for the value is three times faster than for its place.
    mutual = likeness.max(axis=0)[nearest] == likeness[rows, nearest]
    both = np.flatnonzero(alike_enough & mutual)
    return np.column_stack([both, nearest[both]])


def _clearly_nearest(first: Descriptors, second: Descriptors, lowe: float) -> Matches:
    """Nearest by Hamming distance where the next nearest is clearly farther (Lowe 2004)."""
    if len(second) < 2:
        return _NO_MATCHES
    pairs = [
        (nearest.queryIdx, nearest.trainIdx)
        for nearest, next_nearest in cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(first, second, k=2)
        if nearest.distance < lowe * next_nearest.distance
    ]
    return np.array(pairs, np.intp).reshape(-1, 2)
