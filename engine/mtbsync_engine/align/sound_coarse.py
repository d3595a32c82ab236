"""Where one sound may lie on another: how alike their bands are at every offset.

The shorter sound is cut into segments, and each is laid on all of the longer one (by FFT; overlap-save). They
are added up for clocks that differ by so many ppm, and what that gives is divided by what chance would:
where the sounds overlap only in part there is less of both. Memory does not grow with their product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from mtbsync_engine.index.sound import FRAME_HZ, Bands
from mtbsync_engine.model import FloatArray
from mtbsync_engine.session import PPM

# Clocks of cameras differ by this much at most.
MOST_DRIFT_PPM = 200.0

# Over two minutes no such drift makes more than a frame and a half.
_SEGMENT = 120 * FRAME_HZ
# Of longer sounds so many are looked at, spread evenly.
_MOST_SEGMENTS = 60
_MOST_DRIFTS = 40
# Less than two seconds in common tell nothing.
_LEAST_OVERLAP = 2 * FRAME_HZ
# What is closer than this is one peak.
_PEAK = FRAME_HZ // 2
# By so much a drift has to fit better than none, in standard deviations.
_WORTH_A_DRIFT = 3.0
# From which share of the best on the runner-up makes it doubtful, and at which there is nothing to choose.
_RIVALRY = (1 / 3, 2 / 3)


@dataclass(frozen=True, eq=False)
class Coarse:
    """How well a sound fits another at each `offset_s` (L,), ascending, in robust standard scores `z` (L,).

    An offset is t_master_s - t_cam_s at the middle of the shorter one. The best has the number `best`: it
    holds at t_cam_s = `middle_s`, and grows by `drift_ppm` from there. There, clocks that agree fit with
    `steady_z`. The best elsewhere has `rival_z`.
    """

    offset_s: FloatArray
    z: FloatArray
    best: int
    drift_ppm: float
    middle_s: float
    steady_z: float
    rival_z: float

    @property
    def score(self) -> float:
        """The highest z, less where another offset is more than a third as good, and nothing from two thirds
        on: music that comes round again does not fit equally well everywhere."""
        best_z = float(self.z[self.best])
        return best_z * float(np.interp(self.rival_z / best_z, _RIVALRY, (1.0, 0.0))) if best_z > 0 else 0.0

    @property
    def sure_drift_ppm(self) -> float:
        """The drift, or 0 where it fits hardly better than none: of many, one always fits best."""
        return self.drift_ppm if self.z[self.best] - self.steady_z > _WORTH_A_DRIFT else 0.0

    def at_zero_s(self, drift_ppm: float) -> float:
        """The best offset at the start of the other's clock, to a fraction of a frame (by a parabola)."""
        here = self.z[max(self.best - 1, 0) : self.best + 2]
        beside = 0.0
        if here.size == 3 and 2 * here[1] > here[0] + here[2]:
            beside = 0.5 * float((here[2] - here[0]) / (2 * here[1] - here[0] - here[2]))
        return float(self.offset_s[self.best]) + beside / FRAME_HZ - drift_ppm * PPM * self.middle_s


def find_offsets(master: Bands, other: Bands) -> Coarse:
    """How well `other` (M, B) lies on `master` (N, B) at each offset."""
    if len(other) <= len(master):
        return _laid_on(master, other)
    # Where one lies on the other tells where that lies on the one.
    turned = _laid_on(other, master)
    back = len(turned.z) - 1 - turned.best
    offset_s = -turned.offset_s[::-1]
    # The master's middle, on the other's clock.
    middle_s = turned.middle_s - float(offset_s[back])
    return Coarse(
        offset_s, turned.z[::-1], back, -turned.drift_ppm, middle_s, turned.steady_z, turned.rival_z
    )


def _laid_on(longer: Bands, shorter: Bands) -> Coarse:
    n, m = len(longer), len(shorter)
    search = _Search(longer, shorter)
    lags = np.arange(_LEAST_OVERLAP - m, n - _LEAST_OVERLAP + 1)
    best, steady = np.empty(lags.size), np.empty(lags.size)
    number = np.empty(lags.size, np.int64)
    for block in range(lags[0] // search.segment, lags[-1] // search.segment + 1):
        first = block * search.segment
        inside = slice(max(first - lags[0], 0), min(first + search.segment, lags[-1] + 1) - lags[0])
        sums = search.block(block)[:, inside.start + lags[0] - first :][:, : inside.stop - inside.start]
        number[inside] = sums.argmax(axis=0)
        best[inside] = sums.max(axis=0)
        steady[inside] = sums[len(search.drifts) // 2]
    by_chance = _by_chance((longer**2).sum(axis=1), search.energy, lags)
    centre, spread = _robust(steady / by_chance)
    z: FloatArray = (best / by_chance - centre) / spread
    peak = int(z.argmax())
    middle_s = 0.5 * m / FRAME_HZ
    elsewhere = np.abs(lags - lags[peak]) > _PEAK + MOST_DRIFT_PPM * PPM * 0.5 * m
    rival_z = float(z[elsewhere].max()) if elsewhere.any() else float(z[peak])
    drift_ppm = float(search.drifts[number[peak]]) / PPM
    steady_z = float((steady[peak] / by_chance[peak] - centre) / spread)
    return Coarse(lags / FRAME_HZ, z, peak, drift_ppm, middle_s, steady_z, rival_z)


class _Search:
    """Sums over the segments of the shorter sound, at all lags of a block and for all `drifts` (D,).

    `energy` (M,) is that of the frames that are looked at.
    """

    def __init__(self, longer: Bands, shorter: Bands) -> None:
        m = len(shorter)
        self._longer = longer
        self.segment = min(_SEGMENT, m)
        n_segments = -(-m // self.segment)
        self._numbers = np.unique(np.linspace(0, n_segments - 1, min(n_segments, _MOST_SEGMENTS)).round())
        self._numbers = self._numbers.astype(np.int64)
        # One step of drift is one frame at either end.
        n_drifts = min(round(MOST_DRIFT_PPM * PPM * 0.5 * m), _MOST_DRIFTS)
        reach = MOST_DRIFT_PPM * PPM
        self.drifts = np.linspace(-reach, reach, 2 * n_drifts + 1) if n_drifts else np.zeros(1)
        middles = (self._numbers + 0.5) * self.segment - 0.5 * m
        self._shifts = np.round(self.drifts[:, None] * middles).astype(np.int64)
        self._margin = int(np.abs(self._shifts).max())
        self._n_fft = next_fast_len(2 * (self.segment + self._margin), real=True)
        parts = [shorter[k * self.segment : (k + 1) * self.segment] for k in self._numbers]
        self._spectra = [np.conjugate(self._spectrum(part)) for part in parts]
        self._chunks: dict[int, NDArray[np.complex64]] = {}
        frames = np.arange(m) // self.segment
        self.energy = np.where(np.isin(frames, self._numbers), (shorter**2).sum(axis=1), 0.0)

    def block(self, number: int) -> FloatArray:
        """At the lags from `number` segments on, one segment's worth of them; (D, segment)."""
        wanted = [int(number + k) for k in self._numbers]
        # Most of what one block needs the next one needs too.
        self._chunks = {c: self._chunks[c] if c in self._chunks else self._chunk(c) for c in wanted}
        sums = np.zeros((len(self.drifts), self.segment), np.float32)
        for row, c in enumerate(wanted):
            chunk = self._chunks[c]
            if not chunk.size:
                continue
            alike = irfft((chunk * self._spectra[row]).sum(axis=0), self._n_fft)
            for drift, shift in enumerate(self._shifts[:, row] + self._margin):
                sums[drift] += alike[shift : shift + self.segment]
        return sums.astype(np.float64)

    def _chunk(self, number: int) -> NDArray[np.complex64]:
        """The spectra of the longer sound's part that a segment at lag `number` segments may lie on; empty
        where that is outside of it."""
        first = number * self.segment - self._margin
        end = first + 2 * (self.segment + self._margin)
        if end <= 0 or first >= len(self._longer):
            return np.zeros((0, 0), np.complex64)
        part = self._longer[max(first, 0) : end]
        return self._spectrum(np.pad(part, ((max(-first, 0), 0), (0, 0))))

    def _spectrum(self, part: Bands) -> NDArray[np.complex64]:
        """(B, F)"""
        return np.asarray(rfft(np.ascontiguousarray(part.T), self._n_fft, axis=1), dtype=np.complex64)


def _by_chance(energy_longer: FloatArray, energy_shorter: FloatArray, lags: NDArray[np.int64]) -> FloatArray:
    """What a sum at each lag would come to by chance, one standard deviation, given how much there is of
    both sounds in the overlap."""
    n, m = energy_longer.size, energy_shorter.size
    longer, shorter = (
        np.concatenate([[0.0], np.cumsum(e, dtype=np.float64)]) for e in (energy_longer, energy_shorter)
    )
    begin, end = np.maximum(lags, 0), np.minimum(lags + m, n)
    product = (longer[end] - longer[begin]) * (shorter[end - lags] - shorter[begin - lags])
    # Where either is silent there is nothing to be found.
    chance: FloatArray = np.sqrt(np.maximum(product / (end - begin), 1.0))
    return chance


def _robust(values: FloatArray) -> tuple[float, float]:
    """The median, and the standard deviation that the median distance from it stands for."""
    centre = float(np.median(values))
    return centre, max(1.4826 * float(np.median(np.abs(values - centre))), 1e-9)
