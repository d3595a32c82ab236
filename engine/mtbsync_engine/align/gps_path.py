"""Which stretches of two lines belong together.

The lines are compared place by place and direction by direction, so it does not matter how fast either was
ridden: a local alignment (Smith and Waterman 1981) over points at equal distances finds the stretches that
pass the same places the same way in the same order.

Where the reference goes round in laps and the new run has fewer of them, more than one path fits as well.
Which moments that concerns is told by the best path through each pair of places, forward and backward.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from fastdtw import fastdtw
from numpy.typing import NDArray
from scipy.ndimage import binary_opening

from mtbsync_engine.align.gps_line import BoolArray, Line, Plane, squared
from mtbsync_engine.model import FloatArray

IntArray = NDArray[np.int64]
Single = NDArray[np.float32]
Method = Literal["local", "fastdtw"]

# Two receivers that err by 15 m each, as between houses, may still be at one place.
GATE_M = 40.0
# What riding the other way weighs against being elsewhere.
HEADING_M = 10.0
LEAST_LENGTH_M = 30.0

_NODE_SPACING_M = 5.0
# Of the alignment's table: 100 MB.
_MAX_CELLS = 20_000_000
# Where a match begins to be worth markedly less than a perfect one, which earns 1 a node.
_NEAR_M = 5.0
# Cost of each node that one line has and the other lacks, and of going elsewhere on the reference.
_SKIP_COST = 0.5
_JUMP_COST_M = 50.0
# How much better the tracks must fit when one is ridden backwards, for that to be what happened: along the
# bends of a hillside single legs fit their neighbours.
_WRONG_WAY = 1.5
# Places of the reference this far apart along it, at which the new run may equally be for as long, belong to
# two laps.
_LEAST_LAP_M = 60.0
# Two days' receivers make the wrong lap fit better than the right one by up to so much of what it is worth.
_LAP_DOUBT = 1 / 3
_START, _STAY, _ADVANCE, _JUMP = range(4)


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Points of a line at equal distances, (n,)."""

    place_m: Plane
    heading: Plane
    spacing_m: float

    def __len__(self) -> int:
        return len(self.place_m)

    def backwards(self) -> _Nodes:
        """The same line ridden the other way."""
        return _Nodes(self.place_m[::-1], -self.heading[::-1], self.spacing_m)


@dataclass(frozen=True, eq=False)
class _Path:
    """Nodes `i_new` and `j_ref` that belong together, in riding order, how well they fit in all, and which of
    them are `certain`, as no other lap of the reference fits as well; (p,)."""

    i_new: IntArray
    j_ref: IntArray
    score: float
    certain: BoolArray


@dataclass(frozen=True, eq=False)
class Stretch:
    """Distances along both lines that belong together, and whether it is certain which lap is meant; (p,)."""

    new_m: FloatArray
    ref_m: FloatArray
    certain: BoolArray

    @property
    def length_m(self) -> float:
        """How far it goes on the line on which it is shorter."""
        return float(min(np.ptp(self.new_m), np.ptp(self.ref_m)))


def stretches_in_common(line_new: Line, line_ref: Line, method: Method) -> list[Stretch]:
    """What the lines have in common, stretch by stretch, in riding order.

    Doubt about laps is known to the method "local" only.
    """
    spacing_m = max(_NODE_SPACING_M, math.sqrt(line_new.length_m * line_ref.length_m / _MAX_CELLS))
    new_m, ref_m = (np.arange(0.0, line.length_m, spacing_m) for line in (line_new, line_ref))
    new, ref = _nodes(line_new, new_m, spacing_m), _nodes(line_ref, ref_m, spacing_m)
    find_path = _fastdtw_path if method == "fastdtw" else _local_path
    path = find_path(new, ref)
    # A path scores at most one a node, so that one which fits well needs no comparison.
    if _WRONG_WAY * path.score < len(new) and (
        find_path(new.backwards(), ref).score > _WRONG_WAY * path.score
    ):
        return []
    breaks = 1 + np.flatnonzero((np.diff(path.i_new) > 1) | (np.diff(path.j_ref) * spacing_m > _JUMP_COST_M))
    parts = (np.split(a, breaks) for a in (new_m[path.i_new], ref_m[path.j_ref], path.certain))
    stretches = (Stretch(*part) for part in zip(*parts, strict=True))
    return [stretch for stretch in stretches if stretch.new_m.size and stretch.length_m >= LEAST_LENGTH_M]


def _nodes(line: Line, s_m: FloatArray, spacing_m: float) -> _Nodes:
    return _Nodes(line.place(s_m), line.heading(s_m, spacing_m), spacing_m)


def _match(new: _Nodes, i: int | IntArray, ref: _Nodes, j: slice | IntArray) -> FloatArray:
    """How well nodes fit: 1 at one place with one heading, 0 at the gate or at right angles, less beyond."""
    apart_m2 = squared(new.place_m[i] - ref.place_m[j])
    nearness = 1 - np.log1p(apart_m2 / _NEAR_M**2) / math.log1p((GATE_M / _NEAR_M) ** 2)
    cos_turn = (new.heading[i] * ref.heading[j].conj()).real
    fit: FloatArray = nearness - (1 - cos_turn)
    return fit


def _local_path(new: _Nodes, ref: _Nodes) -> _Path:
    """The monotone path of greatest score through all pairs of nodes, free to begin and end anywhere.

    Time and table are len(new) * len(ref).
    """
    score = np.empty((len(new), len(ref)), dtype=np.float32)
    move = np.empty((len(new), len(ref)), dtype=np.uint8)
    for i, (row, moves) in enumerate(_rows(new, ref)):
        score[i], move[i] = row, moves
    i_new, j_ref = _traced(score, move)
    return _Path(i_new, j_ref, float(score.max()), _certain(i_new, j_ref, score, new, ref))


def _rows(new: _Nodes, ref: _Nodes) -> Iterator[tuple[Single, NDArray[np.uint8]]]:
    """For one of the new run's nodes after the other, the greatest scores of paths that end there with each
    node of the reference, and the moves that lead to them; (len(ref),) each.

    Each of the new run's nodes takes the same place on the reference as the one before, or one further
    on at a cost for every node skipped; or, for a fixed cost, the path leaves both lines and takes them up
    again later. Whatever comes before a negative score is dropped.
    """
    n_ref = len(ref)
    jump_cost = _JUMP_COST_M / ref.spacing_m
    ramp = _skips(n_ref)
    options = np.zeros((4, n_ref), dtype=np.float32)
    row, best_before = np.zeros(n_ref, dtype=np.float32), np.zeros(n_ref, dtype=np.float32)
    for i in range(len(new)):
        options[_STAY] = row - _SKIP_COST
        options[_ADVANCE, 1:] = np.maximum.accumulate(row + ramp)[:-1] - ramp[:-1]
        options[_JUMP, 1:] = np.maximum.accumulate(best_before)[:-1] - jump_cost
        row = (options.max(axis=0) + _match(new, i, ref, slice(None))).astype(np.float32)
        best_before = np.maximum(best_before, row)
        yield row, options.argmax(axis=0).astype(np.uint8)


def _skips(n_ref: int) -> Single:
    """What it costs to skip from the reference's first node to each of its nodes."""
    return (_SKIP_COST * np.arange(n_ref)).astype(np.float32)


def _traced(score: Single, move: NDArray[np.uint8]) -> tuple[IntArray, IntArray]:
    """Follow the moves back from the greatest score."""
    ramp = _skips(score.shape[1])
    i, j = divmod(int(score.argmax()), score.shape[1])
    path = [(i, j)]
    while i > 0 and move[i, j] != _START:
        if move[i, j] == _JUMP:
            i, j = divmod(int(score[:i, :j].argmax()), j)
        elif move[i, j] == _ADVANCE:
            i, j = i - 1, int((score[i - 1, :j] + ramp[:j]).argmax())
        else:
            i -= 1
        path.append((i, j))
    i_new, j_ref = np.array(path[::-1]).T
    return i_new, j_ref


def _certain(i_new: IntArray, j_ref: IntArray, score: Single, new: _Nodes, ref: _Nodes) -> BoolArray:
    """Whether no path that has the new run's node in another lap of the reference scores as well. (p,)

    `score` holds the best paths that end at each pair of nodes; those that begin there are found by going
    through both lines from their ends.
    """
    at_ref = dict(zip(i_new.tolist(), j_ref.tolist(), strict=True))
    best, nodes = float(score.max()), np.arange(len(ref))
    doubtful = np.zeros(len(new), np.bool_)
    for back, (row, _) in enumerate(_rows(new.backwards(), ref.backwards())):
        i = len(new) - 1 - back
        if i not in at_ref:
            continue
        match = _match(new, i, ref, slice(None))
        through = score[i] + row[::-1] - match
        apart = np.abs(nodes - at_ref[i])
        another_lap = (match > 0) & (apart * ref.spacing_m >= _LEAST_LAP_M)
        doubtful[i] = (another_lap & (best - through < _LAP_DOUBT * apart)).any()
    at_least = np.ones(max(1, round(_LEAST_LAP_M / new.spacing_m)), np.bool_)
    # At its ends a path may try a neighbouring leg of switchbacks for a few nodes.
    certain: BoolArray = ~binary_opening(doubtful[i_new], at_least)
    return certain


def _fastdtw_path(new: _Nodes, ref: _Nodes) -> _Path:
    """What fastdtw pairs, less the pairs that do not fit; each new node keeps the one that fits best."""
    features = [
        np.column_stack([z.real, z.imag, HEADING_M * h.real, HEADING_M * h.imag])
        for z, h in ((new.place_m, new.heading), (ref.place_m, ref.heading))
    ]
    _, pairs = fastdtw(*features, dist=2)
    i, j = np.array(pairs).T
    match = _match(new, i, ref, j)
    best_first = np.lexsort((-match, i))
    best_first = best_first[match[best_first] > 0]
    i_new, first = np.unique(i[best_first], return_index=True)
    kept = best_first[first]
    return _Path(i_new, j[kept], float(match[kept].sum()), np.ones(kept.size, np.bool_))
