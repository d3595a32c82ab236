"""The looks of all trails, and which of these trails a new run's looks are most like.

Nearest neighbours come from a graph (hierarchical navigable small worlds, Malkov and Yashunin 2018), so a
query hardly takes longer among thousands of trails than among ten. What a neighbour is worth is how much
nearer it is than the last of those asked for, which is as near as chance brings anything (local naive Bayes
nearest neighbour, McCann and Lowe 2012). A trail then earns the most that leads forwards in both runs, less
the most that leads backwards in one: look-alikes come in any order.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from usearch.compiled import MetricKind, ScalarKind
from usearch.index import BatchMatches
from usearch.index import Index as Graph

from mtbsync_engine.align.likeness import Single
from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.files import replacing
from mtbsync_engine.identify.looks import N_BITS, Looks
from mtbsync_engine.identify.looks import STAGE_VERSION as LOOKS_VERSION
from mtbsync_engine.index.store import read_arrays, stored_params
from mtbsync_engine.model import IndexParams

# Raised whenever the same looks would be kept otherwise; older files are then made anew.
STAGE_VERSION = f"{LOOKS_VERSION}.1"
# Of the graph: neighbours kept of each look, and how many are held in view while one is added or sought.
# Among 1,800 trails one in eighty of a trail's own looks was missed so, and one in twenty with half as many.
_CONNECTIVITY = 32
_VIEW = 128
# Neighbours asked for of each picture: more than there are rides of one trail, as the last stands for chance.
_N_NEAREST = 32
# Trails whose neighbours are put in order: those with the nearest ones.
_N_FOLLOWED = 32
# Of the number of bits that two codes share by chance.
_SPREAD_BITS = N_BITS**0.5 / 2


@dataclass(frozen=True)
class Candidate:
    """A trail that a new run may belong to.

    `score` says how far its looks stand above chance: the right trail reaches 5 and more, others hardly 1.5
    among many trails and 5 among few (0: nothing to be said). `share` is how much of the way they share by
    GPS, from 0 to 1; None where it is not known.
    """

    trail_id: str
    score: float = 0.0
    share: float | None = None


@dataclass(frozen=True)
class _Entry:
    """A trail in the gallery: the key of its looks, and how many there are."""

    trail_id: str
    key: str
    n_looks: int


class Gallery:
    """The looks of trails whose indexes can be compared with those made by `params`.

    The same trails added in the same order give the same answers.
    """

    def __init__(self, params: IndexParams) -> None:
        self.params = params
        self._entries: list[_Entry] = []
        self._graph = Graph(
            ndim=N_BITS,
            metric=MetricKind.Hamming,
            dtype=ScalarKind.B1,
            connectivity=_CONNECTIVITY,
            expansion_add=_VIEW,
            expansion_search=_VIEW,
        )

    @property
    def keys(self) -> dict[str, str]:
        """The key of every trail's looks, as it was added."""
        return {entry.trail_id: entry.key for entry in self._entries}

    def add(self, trail_id: str, key: str, looks: Looks) -> None:
        """Take a trail in. One whose index cannot be compared is known from now on, and never found."""
        codes = looks.straight if not looks.params.differing(self.params) else looks.straight[:0]
        first = len(self._graph)
        if len(codes):
            # More threads would join the graph in another order each time.
            self._graph.add(np.arange(first, first + len(codes), dtype=np.uint64), codes, threads=1)
        self._entries.append(_Entry(trail_id, key, len(codes)))

    def rank(self, looks: Looks) -> list[Candidate]:
        """The trails that a run's looks are more like than chance, the most likely first.

        There are 32 at most, and none where the run's index cannot be compared.
        """
        n_new = looks.t_s.size
        if looks.params.differing(self.params) or n_new == 0 or len(self._graph) == 0:
            return []
        found, gain = self._neighbours(looks)
        picture = np.broadcast_to(np.arange(n_new)[:, None], found.shape)[gain > 0]
        found, gain = found[gain > 0], gain[gain > 0]
        first = np.cumsum([0, *(entry.n_looks for entry in self._entries)])
        trail = np.searchsorted(first, found, side="right") - 1
        candidates = []
        for number in _most_alike(picture, trail, gain):
            of_it = trail == number
            gains = np.zeros((n_new, self._entries[number].n_looks), np.float32)
            np.maximum.at(gains, (picture[of_it], found[of_it] - first[number]), gain[of_it])
            score = (_most_forwards(gains) - _most_forwards(gains[:, ::-1])) / n_new**0.5
            if score > 0:
                candidates.append(Candidate(self._entries[number].trail_id, score))
        return sorted(candidates, key=lambda candidate: (-candidate.score, candidate.trail_id))

    def _neighbours(self, looks: Looks) -> tuple[NDArray[np.int64], Single]:
        """Numbers of the nearest looks to each picture in any turn (N, K), and what each is worth, in
        standard deviations of chance."""
        n_turns, n_new, n_bytes = looks.codes.shape
        n = min(_N_NEAREST, len(self._graph))
        nearest = cast(BatchMatches, self._graph.search(looks.codes.reshape(-1, n_bytes), n, threads=1))
        is_found = np.arange(n) < nearest.counts[:, None]
        off_bits = np.where(is_found, nearest.distances, np.inf).reshape(n_turns, n_new, n)
        chance_bits = off_bits[:, :, -1].min(axis=0)[:, None]
        chance_bits = np.where(np.isfinite(chance_bits), chance_bits, N_BITS / 2)
        found = np.where(is_found, nearest.keys, 0).astype(np.int64).reshape(n_turns, n_new, n)
        gain = np.maximum(chance_bits - off_bits, 0.0) / _SPREAD_BITS
        joined = (n_new, n_turns * n)
        return (
            found.transpose(1, 0, 2).reshape(joined),
            gain.transpose(1, 0, 2).reshape(joined).astype(np.float32),
        )


def _most_alike(picture: NDArray[np.int64], trail: NDArray[np.int64], gain: Single) -> list[int]:
    """Numbers of the trails that earn the most when each picture counts once a trail, in any order."""
    trails, column = np.unique(trail, return_inverse=True)
    best = np.zeros((picture.max(initial=0) + 1, trails.size), np.float32)
    np.maximum.at(best, (picture, column), gain)
    order = np.argsort(-best.sum(axis=0), kind="stable")
    return [int(number) for number in trails[order[:_N_FOLLOWED]]]


def _most_forwards(gains: Single) -> float:
    """The most that a sequence of cells of `gains` (N, M) sums up to, each further down and right than the
    last."""
    # Of sequences that end before each column.
    before = np.zeros(gains.shape[1] + 1, np.float32)
    for row in gains:
        before[1:] = np.maximum(before[1:], np.maximum.accumulate(before[:-1] + row))
    return float(before[-1])


# --- kept -------------------------------------------------------------------------------------------


def save_gallery(gallery: Gallery, path: Path) -> None:
    """Write `gallery`; an older file under that name is replaced whole.

    Raises:
        OutputError: it could not be written.
    """
    about = {
        "stage_version": STAGE_VERSION,
        "params": dataclasses.asdict(gallery.params),
        "entries": [dataclasses.astuple(entry) for entry in gallery._entries],
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        graph = cast(bytes, gallery._graph.save())
        np.savez(file, about=json.dumps(about), graph=np.frombuffer(graph, np.uint8))


def load_gallery(path: Path) -> Gallery:
    """Read a gallery that `save_gallery` wrote.

    Raises:
        ArtifactError: the file is missing, is no gallery, or another version of mtbsync wrote it.
    """
    try:
        stored = read_arrays(path)
        about = json.loads(str(stored["about"]))
        if about["stage_version"] != STAGE_VERSION:
            raise ValueError("Another version's.")
        gallery = Gallery(stored_params(about["params"]))
        gallery._entries = [_Entry(*entry) for entry in about["entries"]]
        gallery._graph.load(stored["graph"].tobytes())
        if len(gallery._graph) != sum(entry.n_looks for entry in gallery._entries):
            raise ValueError("Its parts do not go together.")
        return gallery
    # The graph's library knows no finer error.
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ArtifactError(f"{path} is no gallery that this version of mtbsync reads; remove it.") from error


def current_gallery(
    path: Path, keys: Mapping[str, str], params: IndexParams, load: Callable[[str], Looks]
) -> Gallery:
    """The gallery of exactly these trails: the one at `path` with what it lacks, kept there again.

    Where trails were taken away or changed since, it is made anew. `keys` has for each trail's id what
    changes whenever its looks do; `load` gives the looks of a trail by its id, and is asked for those that
    are not in the gallery yet. `params` are those of the new run's index.

    Raises:
        OutputError: it could not be written.
        Whatever `load` raises.
    """
    try:
        gallery = load_gallery(path)
    except ArtifactError:
        gallery = Gallery(params)
    if gallery.params.differing(params) or not gallery.keys.items() <= keys.items():
        gallery = Gallery(params)
    missing = sorted(keys.keys() - gallery.keys.keys())
    for trail_id in missing:
        gallery.add(trail_id, keys[trail_id], load(trail_id))
    if missing:
        save_gallery(gallery, path)
    return gallery
