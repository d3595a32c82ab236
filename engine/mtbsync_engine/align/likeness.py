"""How alike every moment of one run is to every moment of the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.model import Index, LikenessImage

# Pictures taken a second apart on the move have a cosine of about 0.1 here, those of a rider at rest 0.65.
_SAME_PLACE_COSINE = 0.4
_REST_S = 1.0
# Two columns are an eighth of the picture's width: some 15 degrees of an action camera's view.
_MAX_TURN_COLUMNS = 2
_IMAGE_SIDE = 500


def likeness(new: Index, ref: Index) -> NDArray[np.float32]:
    """Likeness of each new picture to each reference picture, in standard deviations above chance.

    What all pictures of a run share (the handlebar, the lens, the evening light) says nothing about the
    place, so each run's mean is taken off before the cosine. The cosine is the best over small turns of
    the camera to either side. Every value is then standardised along its row and along its column and the
    two are averaged: a picture that resembles everything, in either run, resembles nothing in particular.
    Shape (N_new, N_ref).
    """
    looks_new, looks_ref = _without_the_common(new), _without_the_common(ref)
    cosine = _cosines(looks_new, looks_ref)
    for turn in range(1, _MAX_TURN_COLUMNS + 1):
        for left, right in (
            (looks_new[:, turn:], looks_ref[:, :-turn]),
            (looks_new[:, :-turn], looks_ref[:, turn:]),
        ):
            np.maximum(cosine, _cosines(left, right), out=cosine)
    combined: NDArray[np.float32] = 0.5 * (_standardised(cosine, axis=1) + _standardised(cosine, axis=0))
    return combined


def resting(index: Index) -> NDArray[np.bool_]:
    """Whether the rider stood still over each step from one picture to the next (N - 1,): for a second or
    more, as on the move a picture is soon unlike the one before."""
    looks = _directions(_without_the_common(index))
    later = np.searchsorted(index.t_s, index.t_s + _REST_S)
    earlier = np.flatnonzero(later < index.t_s.size)
    cosine = (looks[earlier] * looks[later[earlier]]).sum(axis=1)
    rests = np.zeros(index.t_s.size - 1, dtype=np.bool_)
    for k in earlier[cosine >= _SAME_PLACE_COSINE]:
        rests[k : later[k]] = True
    return rests


def likeness_image(z: NDArray[np.float32], new: Index, ref: Index) -> LikenessImage:
    """The matrix made small for drawing; each block keeps its highest value, or the path would fade."""
    rows = np.arange(0, z.shape[0], -(-z.shape[0] // _IMAGE_SIDE))
    columns = np.arange(0, z.shape[1], -(-z.shape[1] // _IMAGE_SIDE))
    small = np.maximum.reduceat(np.maximum.reduceat(z, rows, axis=0), columns, axis=1)
    return LikenessImage(small.astype(np.float16), new.t_s[rows], ref.t_s[columns])


def _without_the_common(index: Index) -> NDArray[np.float32]:
    looks = index.appearance.astype(np.float32)
    looks -= looks.mean(axis=0)
    return looks


def _cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of each of `a` (N, C, D) with each of `b` (M, C, D), 0 where one of them is blank."""
    product: NDArray[np.float32] = _directions(a) @ _directions(b).T
    return product


def _directions(looks: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = looks.reshape(len(looks), -1)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    directions: NDArray[np.float32] = np.divide(flat, lengths, out=np.zeros_like(flat), where=lengths > 0)
    return directions


def _standardised(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    centred = values - values.mean(axis=axis, keepdims=True)
    spread = centred.std(axis=axis, keepdims=True)
    standardised: NDArray[np.float32] = np.divide(
        centred, spread, out=np.zeros_like(centred), where=spread > 0
    )
    return standardised
