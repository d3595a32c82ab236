"""How alike moments of one run are to moments of the other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.model import FloatArray, Index, LikenessImage

Half = NDArray[np.float16]
Single = NDArray[np.float32]

# Pictures taken a second apart on the move have a cosine of about 0.1 here, those of a rider at rest 0.65.
_SAME_PLACE_COSINE = 0.4
_REST_S = 1.0
# An eighth of the picture's width: some 15 degrees of an action camera's view.
_MAX_TURN = 1 / 8
_IMAGE_SIDE = 500
# As the stride grows with the root of the length, the whole matrix grows with the length, not its square: at
# three pictures a second the stride is one up to a minute and a quarter, and a second at ten minutes.
_PICTURES_TO_STRIDE = 225
# Pictures that a mean and a spread are taken over.
_SAMPLE = 200
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Band:
    """Part of a likeness matrix: of row j the columns from `first[j]` on, `z` (N, W) in standard deviations
    above chance. `first` (N,) never falls, and every row lies within the matrix's `n_columns`."""

    z: Single
    first: NDArray[np.int64]
    n_columns: int

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Single:
        """Values at `rows` and `columns` of the whole matrix, which must lie in the band."""
        values: Single = self.z[rows, columns - self.first[rows]]
        return values

    def columns(self) -> NDArray[np.int64]:
        """The column of every value, in the shape of `z`."""
        return self.first[:, None] + np.arange(self.z.shape[1])


class Resemblance:
    """Two runs, ready to be compared.

    What all pictures of a run share (the handlebar, the lens, the evening light) says nothing about the
    place, so each run's mean is taken off before the cosine. The cosine is the best over small turns of
    the camera to either side. Every value is then standardised along its row and along its column and the
    two are averaged: a picture that resembles everything, in either run, resembles nothing in particular.
    """

    def __init__(self, new: Index, ref: Index) -> None:
        self._new, self._ref = without_the_common(new), without_the_common(ref)

    @property
    def stride(self) -> int:
        """Every how many pictures the whole matrix has one."""
        return math.ceil(math.sqrt(math.sqrt(len(self._new) * len(self._ref)) / _PICTURES_TO_STRIDE))

    def whole(self) -> Band:
        """Every `stride`-th picture of the new run against the reference's, of which each `stride` in turn
        share a column: the most alike of them."""
        stride = self.stride
        rows = self._new[::stride]
        starts = range(0, len(self._ref), _BLOCK * stride)
        blocks = (self._cosines(rows, self._ref[start : start + _BLOCK * stride]) for start in starts)
        cosine = np.concatenate(
            [np.maximum.reduceat(block, np.arange(0, block.shape[1], stride), axis=1) for block in blocks],
            axis=1,
        )
        z = 0.5 * (_standardised(cosine, *_moments(cosine, 1)) + _standardised(cosine, *_moments(cosine, 0)))
        return Band(z, np.zeros(len(z), np.int64), z.shape[1])

    def near(self, centre: FloatArray, reach: int) -> Band:
        """Every picture of the new run against those of the reference at most `reach` from `centre` (N,)."""
        n_new, n_ref = len(self._new), len(self._ref)
        width = min(2 * reach + 1, n_ref)
        first = np.clip(np.rint(np.maximum.accumulate(centre)).astype(np.int64) - reach, 0, n_ref - width)
        row_moments, column_moments = self._sampled_moments()
        z = np.empty((n_new, width), np.float32)
        for start in range(0, n_new, _BLOCK):
            rows = slice(start, min(start + _BLOCK, n_new))
            block = slice(int(first[rows][0]), int(first[rows][-1]) + width)
            cosine = self._cosines(self._new[rows], self._ref[block])
            along = _standardised(cosine, *(m[rows] for m in row_moments))
            across = _standardised(cosine, *(m[:, block] for m in column_moments))
            columns = (first[rows] - first[rows][0])[:, None] + np.arange(width)
            z[rows] = np.take_along_axis(0.5 * (along + across), columns, axis=1)
        return Band(z, first, n_ref)

    def _sampled_moments(self) -> tuple[tuple[Single, Single], tuple[Single, Single]]:
        some_new = self._new[:: -(-len(self._new) // _SAMPLE)]
        some_ref = self._ref[:: -(-len(self._ref) // _SAMPLE)]
        along = [_moments(self._cosines(block, some_ref), 1) for block in _blocks(self._new)]
        across = [_moments(self._cosines(some_new, block), 0) for block in _blocks(self._ref)]
        return (
            (np.concatenate([mean for mean, _ in along]), np.concatenate([spread for _, spread in along])),
            (
                np.concatenate([mean for mean, _ in across], axis=1),
                np.concatenate([spread for _, spread in across], axis=1),
            ),
        )

    def _cosines(self, new: Half, ref: Half) -> Single:
        """The best cosine over small turns of each of `new` (N, C, D) with each of `ref` (M, C, D)."""
        best = np.full((len(new), len(ref)), -1.0, np.float32)
        for columns_new, columns_ref in small_turns(new.shape[1]):
            seen_new, seen_ref = _directions(new[:, columns_new]), _directions(ref[:, columns_ref])
            np.maximum(best, seen_new @ seen_ref.T, out=best)
        return best


def small_turns(n_columns: int) -> list[tuple[slice, slice]]:
    """For each small turn of the camera from one side to the other, which of a picture's columns in the new
    run show what which columns in the reference do."""
    n_turns = max(1, round(n_columns * _MAX_TURN))
    return [
        (slice(max(0, turn), n_columns + min(0, turn)), slice(max(0, -turn), n_columns - max(0, turn)))
        for turn in range(-n_turns, n_turns + 1)
    ]


def resting(index: Index) -> NDArray[np.bool_]:
    """Whether the rider stood still over each step from one picture to the next (N - 1,): for a second or
    more, as on the move a picture is soon unlike the one before."""
    looks = without_the_common(index)
    later = np.searchsorted(index.t_s, index.t_s + _REST_S)
    earlier = np.flatnonzero(later < index.t_s.size)
    blocks = np.array_split(earlier, max(1, earlier.size // _BLOCK))
    cosine = np.concatenate(
        [np.einsum("kd,kd->k", _directions(looks[k]), _directions(looks[later[k]])) for k in blocks]
    )
    rests = np.zeros(index.t_s.size - 1, dtype=np.bool_)
    for k in earlier[cosine >= _SAME_PLACE_COSINE]:
        rests[k : later[k]] = True
    return rests


def likeness_image(whole: Band, t_new_s: FloatArray, t_ref_s: FloatArray) -> LikenessImage:
    """The matrix made small for drawing; each block keeps its highest value, or the path would fade.

    `t_new_s` and `t_ref_s` are the times of its rows and columns.
    """
    rows = np.arange(0, t_new_s.size, -(-t_new_s.size // _IMAGE_SIDE))
    columns = np.arange(0, t_ref_s.size, -(-t_ref_s.size // _IMAGE_SIDE))
    small = np.maximum.reduceat(np.maximum.reduceat(whole.z, rows, axis=0), columns, axis=1)
    return LikenessImage(small.astype(np.float16), t_new_s[rows], t_ref_s[columns])


def without_the_common(index: Index) -> Half:
    """The looks of its pictures (N, C, D) less what all of them share."""
    mean = index.appearance.mean(axis=0, dtype=np.float32)
    looks: Half = index.appearance - mean.astype(np.float16)
    return looks


def _blocks(looks: Half) -> list[Half]:
    """`looks` in parts whose directions take no room to speak of."""
    return np.array_split(looks, -(-len(looks) // _BLOCK))


def _directions(looks: Half) -> Single:
    """Each of `looks` (N, C, D) in one row (N, C * D) of length 1; 0 where it is blank."""
    flat = looks.reshape(len(looks), -1).astype(np.float32)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    directions: Single = np.divide(flat, lengths, out=np.zeros_like(flat), where=lengths > 0)
    return directions


def _moments(values: Single, axis: int) -> tuple[Single, Single]:
    return values.mean(axis=axis, keepdims=True), values.std(axis=axis, keepdims=True)


def _standardised(values: Single, mean: Single, spread: Single) -> Single:
    standardised: Single = np.divide(values - mean, spread, out=np.zeros_like(values), where=spread > 0)
    return standardised
