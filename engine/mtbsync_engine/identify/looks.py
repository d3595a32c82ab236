"""A run in a few hundred short codes: enough to find its trail by, and small enough to keep for every trail.

Each picture's look, less what all of the run's pictures share, is projected on random directions of which
only the signs are kept: the share of signs that two looks have in common tells the angle between them
(Charikar 2002). A code takes a quarter of the room of 256 projections in half precision, and tells trails
apart at least as well.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.align.likeness import Half, Single, resting, small_turns, without_the_common
from mtbsync_engine.align.match import riding_clock
from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.files import replacing
from mtbsync_engine.index import store
from mtbsync_engine.model import FloatArray, Index, IndexParams

# Raised whenever the same index would give other codes; codes of another version's index are not read either.
STAGE_VERSION = f"{store.STAGE_VERSION}.1"
N_BITS = 1024
# With one picture a second the right trail stood a third as far above chance: a place can be told from half a
# second away, and hardly from a whole one.
_PICTURES_A_SECOND = 2.0
# Two and a half minutes' worth; longer runs are looked at less often.
_MOST_PICTURES = 300

Codes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Looks:
    """What some of a run's pictures look like, spread evenly over the time that the rider moved.

    `t_s` (N,) are their times; `codes` (T, N, B) uint8 hold `N_BITS` bits for each, with the camera turned a
    little, from one side over straight ahead to the other. `params` and `fingerprint` are those of the index
    that they were made from.
    """

    params: IndexParams
    fingerprint: str
    t_s: FloatArray
    codes: Codes

    @property
    def straight(self) -> Codes:
        """The codes as the camera was held (N, B)."""
        straight: Codes = self.codes[len(self.codes) // 2]
        return straight


def looks_of(index: Index) -> Looks:
    """The looks of a run by its index, 300 at most. There are none of a video that shows one and the same."""
    seen = without_the_common(index)
    rows = _evenly(index)
    rows = rows[seen[rows].any(axis=(1, 2))]
    codes = [_codes(_turned(seen[rows], *columns)) for columns in small_turns(seen.shape[1])]
    return Looks(index.params, index.fingerprint, index.t_s[rows], np.stack(codes))


def save_looks(looks: Looks, path: Path) -> None:
    """Write `looks`; an older file under that name is replaced whole.

    Raises:
        OutputError: it could not be written.
    """
    about = {
        "stage_version": STAGE_VERSION,
        "params": dataclasses.asdict(looks.params),
        "fingerprint": looks.fingerprint,
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, about=json.dumps(about), t_s=looks.t_s, codes=looks.codes)


def load_looks(path: Path) -> Looks:
    """Read looks that `save_looks` wrote.

    Raises:
        ArtifactError: the file is missing, holds no looks, or another version of mtbsync wrote it.
    """
    try:
        stored = store.read_arrays(path)
        about = json.loads(str(stored["about"]))
        looks = Looks(
            store.stored_params(about["params"]), about["fingerprint"], stored["t_s"], stored["codes"]
        )
        if about["stage_version"] != STAGE_VERSION or looks.straight.shape != (looks.t_s.size, N_BITS // 8):
            raise ValueError("Another version's.")
        return looks
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} holds no looks that this version of mtbsync reads; index the run again."
        ) from error


def _evenly(index: Index) -> NDArray[np.int64]:
    """Numbers of pictures spread evenly over the time that the rider moved."""
    clock_s = riding_clock(index, resting(index))
    n = min(_MOST_PICTURES, round(float(clock_s[-1]) * _PICTURES_A_SECOND) + 1)
    return np.unique(np.searchsorted(clock_s, np.linspace(0, clock_s[-1], n)))


def _turned(seen: Half, columns_new: slice, columns_ref: slice) -> Half:
    """Looks (N, C, D) as a reference has them whose camera is turned; what only one of them sees is blank."""
    turned = np.zeros_like(seen)
    turned[:, columns_ref] = seen[:, columns_new]
    return turned


def _codes(looks: Half) -> Codes:
    """Codes (N, B) of looks (N, C, D)."""
    n, n_columns, depth = looks.shape
    flat = looks.reshape(n, n_columns * depth).astype(np.float32)
    return np.packbits(flat @ _directions(n_columns * depth) > 0, axis=1)


@cache
def _directions(n: int) -> Single:
    """Random directions (n, `N_BITS`), the same on every machine and with every version of its libraries."""
    drawn = np.frombuffer(hashlib.shake_128(b"mtbsync looks").digest(n * N_BITS // 8), np.uint8)
    return np.unpackbits(drawn).reshape(n, N_BITS).astype(np.float32) * 2 - 1
