"""What a recording sounds like, in bands of its spectrum over time, and how good its sound is.

Each band tells by how much it rises above its own noise floor, less what it does over a second around. So
what is steady (wind, hum, an amplifier's hiss) drops out, and a syllable counts as much as a bang. The sound
is gone through once, in pieces: beyond what is mapped from its file it takes some 15 MB an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.ndimage import uniform_filter1d
from scipy.signal import oaconvolve, welch

from mtbsync_engine.session import Samples, Sound, SoundQuality

# How often a second the bands are looked at.
FRAME_HZ = 50
# Below this no sound tells anything.
LEAST_S = 3.0

Bands = NDArray[np.float32]

_WINDOW_S = 0.04
_FRAMES_AT_ONCE = 250
# Corners of triangular bands, a third of an octave each: 100 Hz to 20 kHz.
_CORNERS_HZ = 100.0 * 2.0 ** (np.arange(24) / 3)
# Wind and engines rumble below these bands; above them little is heard from afar.
_TELLING = slice(2, 18)
# The noise floor is what a band falls to in three frames of ten, over so many.
_FLOOR_FRAMES = 10 * FRAME_HZ
_FLOOR_PERCENTILE = 30
_ABOVE_FLOOR = 2.0
_STEADY_FRAMES = FRAME_HZ
# Bands that hardly change are not blown up to the others' size, and no bang outweighs everything.
_LEAST_SPREAD = 0.3
_MOST = 3.0
# Beats and loops are told apart from the rest over so long.
_BEAT_FRAMES = 32 * FRAME_HZ
_USUAL = 0.3

_FULL_SCALE = 32768.0
# What a converter at its end gives, or a codec makes of that.
_CLIPPED_FROM = 32700
_QUANTISING = 1 / 12
# Rounding and dither alone reach some -95 dB; whatever is recorded on purpose lies well above this.
_SILENT_DBFS = -80.0
_QUALITY_FRAMES = 10
_IS_SOMETHING = 4.0

_N_PROBES = 60
_PROBE_S = 0.5
# Channels that cancel each other leave less than this of the louder one; one that is dead leaves 0.25.
_CANCELLED = 0.15


@dataclass(frozen=True, eq=False)
class SoundIndex:
    """A sound made ready for being laid on others.

    `bands` (N, B) say every 1 / `FRAME_HZ` s how far each band stands out of what it usually is, about 0 and
    limited; `mix` (C,) is how its channels are made one.
    """

    sound: Sound
    bands: Bands
    mix: NDArray[np.float32]
    quality: SoundQuality

    @property
    def tells(self) -> bool:
        """Whether there is anything to lay on another sound."""
        return self.quality.score > 0 and self.sound.duration_s >= LEAST_S

    def mono(self, first: int, n: int) -> NDArray[np.float32]:
        """The samples `first` to `first + n` as one channel (n,), all of which exist."""
        return self.sound.samples[first : first + n].astype(np.float32) @ self.mix


def index_sound(sound: Sound) -> SoundIndex:
    """Listen to the whole sound. A second of it takes a millisecond or less."""
    mix = _mix(sound)
    n_clipped = 0
    energies: list[Bands] = []
    powers: list[Bands] = []
    looks = _Looks(sound.rate_hz)
    for piece in looks.pieces(sound.samples):
        n_clipped += int(np.count_nonzero(piece.new >= _CLIPPED_FROM))
        n_clipped += int(np.count_nonzero(piece.new <= -_CLIPPED_FROM))
        energy, power = looks.at(piece.samples.astype(np.float32) @ mix, piece.starts)
        energies.append(energy)
        powers.append(power)
    energy = np.concatenate([looks.nothing, *energies])
    power = np.concatenate([np.zeros(0, np.float32), *powers])
    clipped = n_clipped / max(sound.samples.size, 1)
    quality = _quality(energy, power, clipped, looks.quantising)
    return SoundIndex(sound, _standing_out(energy[:, _TELLING], looks.quantising[_TELLING]), mix, quality)


def sound_quality(sound: Sound) -> SoundQuality:
    """How good the sound is to line others up with.

    `level_dbfs` is the median over frames of 40 ms, `clipped` is over all channels; `snr_db` compares what a
    band reaches in one frame of twenty with what it falls to in one of ten, on average over the bands.
    """
    return index_sound(sound).quality


def best_first(qualities: Mapping[str, SoundQuality]) -> list[str]:
    """The labels of the cameras, those that sound best first; those that sound alike as their labels go."""
    return sorted(qualities, key=lambda label: (-qualities[label].score, label))


@dataclass(frozen=True, eq=False)
class _Piece:
    """`samples` (n, C) that windows begin in at `starts` (k,), and those among them that are `new` (m, C)."""

    samples: NDArray[np.int16]
    starts: NDArray[np.int64]
    new: NDArray[np.int16]


class _Looks:
    """Spectra of a sound of `rate_hz`, in bands."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._n = max(round(_WINDOW_S * rate_hz), 1)
        self._window = np.hanning(self._n).astype(np.float32)
        hz = np.fft.rfftfreq(self._n, 1 / rate_hz)
        corners = zip(_CORNERS_HZ[:-2], _CORNERS_HZ[1:-1], _CORNERS_HZ[2:], strict=True)
        shares = [np.interp(hz, three, (0.0, 1.0, 0.0)) for three in corners]
        self._shares = np.stack(shares, axis=1).astype(np.float32)
        self._window_energy = float((self._window**2).sum())
        # What rounding to 16 bits alone puts in each band.
        self.quantising = (_QUANTISING * self._window_energy * self._shares.sum(axis=0)).astype(np.float32)
        self.nothing = np.zeros((0, len(shares)), np.float32)

    def pieces(self, samples: Samples) -> Iterator[_Piece]:
        """The whole of `samples` (N, C), some seconds at a time."""
        n_frames = max(int((len(samples) - self._n) * FRAME_HZ / self._rate_hz) + 1, 0)
        counted = 0
        for begin in range(0, n_frames, _FRAMES_AT_ONCE):
            frames = np.arange(begin, min(begin + _FRAMES_AT_ONCE, n_frames))
            starts = np.round(frames * (self._rate_hz / FRAME_HZ)).astype(np.int64)
            first, end = int(starts[0]), min(int(starts[-1]) + self._n, len(samples))
            starts = np.minimum(starts, len(samples) - self._n) - first
            yield _Piece(samples[first:end], starts, samples[counted:end])
            counted = end

    def at(self, mono: NDArray[np.float32], starts: NDArray[np.int64]) -> tuple[Bands, Bands]:
        """The energy in each band (k, B) and the power in all (k,), of windows that begin at `starts`."""
        windows = sliding_window_view(mono, self._n)[starts] * self._window
        spectra = rfft(windows, axis=1)
        energy = spectra.real**2 + spectra.imag**2
        # A constant in the signal is no sound.
        return energy @ self._shares, 2 * energy[:, 1:].sum(axis=1) / (self._n * self._window_energy)


def _mix(sound: Sound) -> NDArray[np.float32]:
    """All channels alike, or the loudest where they cancel each other."""
    n_channels = sound.samples.shape[1]
    n = min(round(_PROBE_S * sound.rate_hz), len(sound.samples))
    firsts = [int(first) for first in np.linspace(0, len(sound.samples) - n, _N_PROBES)]
    probes = [sound.samples[first : first + n].astype(np.float32) for first in firsts]
    mixed = sum(float((probe.mean(axis=1) ** 2).sum()) for probe in probes) if n else 0.0
    alone = np.sum([(probe**2).sum(axis=0) for probe in probes], axis=0)
    if mixed >= _CANCELLED * alone.max():
        return np.full(n_channels, 1 / n_channels, np.float32)
    loudest = np.zeros(n_channels, np.float32)
    loudest[alone.argmax()] = 1.0
    return loudest


def _standing_out(energy: Bands, quantising: Bands) -> Bands:
    """What `index_sound` keeps of the `energy` (N, B) of bands."""
    if not len(energy):
        return energy
    parts = np.array_split(energy, max(len(energy) // _FLOOR_FRAMES, 1))
    floors = np.stack([np.percentile(part, _FLOOR_PERCENTILE, axis=0) for part in parts])
    middles = (np.arange(len(parts)) + 0.5) * len(energy) / len(parts)
    out = np.empty_like(energy)
    for band, column in enumerate(energy.T):
        floor = np.interp(np.arange(len(energy)), middles, floors[:, band]) + quantising[band] + 1e-9
        loud = np.log1p(column / (_ABOVE_FLOOR * floor))
        loud -= uniform_filter1d(uniform_filter1d(loud, _STEADY_FRAMES), _STEADY_FRAMES)
        out[:, band] = np.clip(loud / (loud.std() + _LEAST_SPREAD), -_MOST, _MOST)
    return _without_beat(out)


def _without_beat(bands: Bands) -> Bands:
    """`bands` (N, B) with what comes back regularly taken down to the level of the rest, so that music is
    told by what is played rather than by its beat. The filter has no phase: nothing is shifted."""
    _, power = welch(bands, FRAME_HZ, nperseg=min(_BEAT_FRAMES, len(bands)), axis=0)
    usual = power.mean(axis=1)
    gain = 1 / np.sqrt(usual + _USUAL * usual.mean() + 1e-12)
    kernel = np.fft.fftshift(irfft(gain / gain.max())).astype(np.float32)
    filtered: Bands = oaconvolve(bands, kernel[:, None], mode="same", axes=0)
    return filtered


def _quality(energy: Bands, power: Bands, clipped: float, quantising: Bands) -> SoundQuality:
    if not len(power):
        return SoundQuality(_dbfs(0.0), clipped, 0.0, 0.0, 0.0)
    level_dbfs = _dbfs(float(np.median(power)))
    parts = [part.mean(axis=0) for part in np.array_split(energy, max(len(energy) // _QUALITY_FRAMES, 1))]
    quiet, loud = np.percentile(parts, (10, 95), axis=0)
    is_something = loud > _IS_SOMETHING * quantising
    loudest_dbfs = _dbfs(float(np.percentile(power, 95)))
    if loudest_dbfs < _SILENT_DBFS or not is_something.any():
        return SoundQuality(level_dbfs, clipped, 0.0, 0.0, 0.0)
    above_db = 10 * np.log10((loud + quantising + 1e-9) / (quiet + quantising + 1e-9))
    # A band in which there is nothing adds nothing, so that a dull sound is no better for its silence.
    snr_db = max(float(np.where(is_something, above_db, 0.0)[_TELLING].mean()), 0.0)
    bandwidth_hz = float(_CORNERS_HZ[2:][is_something].max())
    is_wide = bandwidth_hz / (bandwidth_hz + 4000.0)
    is_loud = float(np.clip((loudest_dbfs - _SILENT_DBFS) / 40.0, 0.0, 1.0))
    # One sample in a hundred at full scale costs half, as that is half of the loud moments or more.
    score = (1.0 + snr_db) * is_wide * is_loud / (1.0 + 100.0 * clipped)
    return SoundQuality(level_dbfs, clipped, snr_db, bandwidth_hz, score)


def _dbfs(power: float) -> float:
    """In dB below full scale; -120 where there is nothing."""
    return 10 * float(np.log10(power / _FULL_SCALE**2 + 1e-12))
