"""By how much one sound lags another, window by window, and the straight line through that.

In each window near the expected offset the phases of both spectra are compared (generalised cross-correlation
with phase transform; Knapp and Carter 1976), which tells to a fraction of a sample. A window is made of
blocks that are equally long on both clocks and each lie on the expected line, so that sounds of different
rates and clocks that drift are compared without resampling. Of the lines through two windows, the one that
most others agree with is kept (RANSAC without chance; Fischler and Bolles 1981), and fitted to those by
weighted least squares. In all of them together no other offset may come near: where echoes are louder than
what comes straight, windows agree on an echo. Nor may the other windows agree on another line: then something
is missing in one of the sounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.stats import binom

from mtbsync_engine.align.sound_coarse import MOST_DRIFT_PPM
from mtbsync_engine.index.sound import SoundIndex
from mtbsync_engine.model import FloatArray
from mtbsync_engine.session import PPM

BoolArray = NDArray[np.bool_]
Likeness = NDArray[np.float32]

# Voices and claps; wind and engines lie below, what air and rooms swallow above.
_BAND_HZ = (200.0, 6000.0)
_SHARE_OF_NYQUIST = 0.9
# How much of the spectra's sizes is taken out: all of it would give bands with nothing but noise a say.
_WHITENED = 0.8
# The offset is looked for so far from where it is expected.
_REACH_S = 0.06
_STEP_HZ = 24_000
_REACH = round(_REACH_S * _STEP_HZ)
# First windows are short, as the drift is not known and smears them; then longer, which hear more.
_FIRST_S, _FIRST_MOST, _FIRST_WITHIN_S = 2.0, 120, 0.001
_SECOND_S, _SECOND_MOST, _SECOND_WITHIN_S = 4.0, 300, 0.0005
_LEAST_WINDOWS = 10
# Windows are made of blocks so short that no drift smears them, added up along the line.
_BLOCK_S = 0.5
# A line that so few of the windows agree on, or that chance draws once in ten thousand times, is none.
_LEAST_SHARE, _LEAST_AGREEING = 0.15, 5
_BY_CHANCE = 1e-4
_MOST_PAIRS = 4000
# No clock's drift changes by more within a recording.
_MOST_APART_S = 0.005
# Another offset is as good as this share of the best, and what lies this close to that is no other.
_MOST_RIVALRY = 2 / 3
_NOT_ANOTHER_S = 0.001
# A window in which one offset stands out more than this is as good as it gets.
_MOST_SHARPNESS = 20.0
# What nine in ten errors stay within, in standard errors, and what averaging does not take away.
_NINE_IN_TEN = 1.645
_ERRORS_ALIKE = 1.5
_SYSTEMATIC_S = 0.0001


@dataclass(frozen=True)
class Line:
    """t_master_s = offset_s + (1 + drift_ppm / 1e6) * t_cam_s"""

    offset_s: float
    drift_ppm: float

    def at(self, t_cam_s: FloatArray) -> FloatArray:
        """t_master_s"""
        return self.offset_s + (1.0 + self.drift_ppm * PPM) * t_cam_s


@dataclass(frozen=True, eq=False)
class Fine:
    """The windows' middles `t_cam_s` (K,) and offsets t_master_s - t_cam_s (K,), which of them agree, and the
    `line` through those with its `error_s`; both None where they do not agree. By `apart_s` at most others
    agree on another line."""

    t_cam_s: FloatArray
    offset_s: FloatArray
    agrees: BoolArray
    line: Line | None
    error_s: float | None
    apart_s: float = 0.0


def overlap(line: Line, master: SoundIndex, other: SoundIndex) -> tuple[float, float]:
    """From when to when both hear, in t_cam_s."""
    pace = 1.0 + line.drift_ppm * PPM
    end_s = (master.sound.duration_s - line.offset_s) / pace
    return max(0.0, -line.offset_s / pace), min(other.sound.duration_s, end_s)


def follow(master: SoundIndex, other: SoundIndex, expected: Line) -> Fine:
    """The windows' offsets around the `expected` line, and the line through them."""
    windows = _heard(master, other, expected, _FIRST_S, _FIRST_MOST)
    first = _agreed(windows, _FIRST_WITHIN_S)
    if first is None:
        return _undecided(windows)
    windows = _heard(master, other, first.line, _SECOND_S, _SECOND_MOST)
    second = _agreed(windows, _SECOND_WITHIN_S)
    if second is None:
        return _undecided(windows)
    apart_s = _apart_s(windows, second)
    if apart_s > _MOST_APART_S or _has_rival(windows.likeness[second.agrees]):
        return _undecided(windows, apart_s)
    error_s = max(second.error_s, apart_s)
    return Fine(windows.t_cam_s, windows.offset_s, second.agrees, second.line, error_s, apart_s)


def _undecided(windows: _Windows, apart_s: float = 0.0) -> Fine:
    nothing = np.zeros(len(windows.t_cam_s), np.bool_)
    return Fine(windows.t_cam_s, windows.offset_s, nothing, None, None, apart_s)


@dataclass(frozen=True, eq=False)
class _Windows:
    """How alike the sounds are in windows around `t_cam_s` (K,), at each of the offsets within reach of the
    line that was `expected`: `likeness` (K, L). At `ends_s` the overlap begins and ends."""

    t_cam_s: FloatArray
    likeness: Likeness
    expected: Line
    ends_s: tuple[float, float]

    @cached_property
    def sharpness(self) -> FloatArray:
        """How far (K,) the best offset stands out of the others within reach."""
        near: FloatArray = np.abs(self.likeness).astype(np.float64)
        sharpness: FloatArray = near[:, 1:-1].max(axis=1) / np.sqrt((near**2).mean(axis=1))
        return sharpness

    @cached_property
    def off_s(self) -> FloatArray:
        """By how much (K,) the best offset is off the expected line."""
        # Of one microphone what is louder may be lower in the file.
        near: FloatArray = np.abs(self.likeness).astype(np.float64)
        peak = near[:, 1:-1].argmax(axis=1) + 1
        before, here, after = (near[np.arange(len(near)), peak + k] for k in (-1, 0, 1))
        bend = 2 * here - before - after
        beside = np.divide(0.5 * (after - before), bend, out=np.zeros(len(near)), where=bend > 0)
        off_s: FloatArray = (peak - _REACH + beside) / _STEP_HZ
        return off_s

    def only(self, which: BoolArray) -> _Windows:
        """Some (K,) of them."""
        return _Windows(self.t_cam_s[which], self.likeness[which], self.expected, self.ends_s)

    @property
    def offset_s(self) -> FloatArray:
        """t_master_s - t_cam_s (K,)"""
        return self.expected.at(self.t_cam_s) - self.t_cam_s + self.off_s


@dataclass(frozen=True, eq=False)
class _Agreed:
    line: Line
    agrees: BoolArray
    error_s: float


def _heard(master: SoundIndex, other: SoundIndex, line: Line, long_s: float, most: int) -> _Windows:
    """What is heard in up to `most` windows of `long_s`, spread over the overlap; shorter ones where that is
    short. What is silent, and where one of the two does not reach, is none."""
    begin_s, end_s = overlap(line, master, other)
    n_blocks = int(np.clip((end_s - begin_s) / _LEAST_WINDOWS, _BLOCK_S, long_s) / _BLOCK_S)
    n = min(int((end_s - begin_s) / (n_blocks * _BLOCK_S)), most)
    middles_s = begin_s + (np.arange(n) + 0.5) * (end_s - begin_s) / max(n, 1)
    found = [_likeness(master, other, line, float(middle_s), n_blocks) for middle_s in middles_s]
    t_cam_s = [middle_s for middle_s, one in zip(middles_s, found, strict=True) if one is not None]
    likeness = np.array([one for one in found if one is not None], np.float32).reshape(-1, 2 * _REACH + 1)
    return _Windows(np.array(t_cam_s, np.float64), likeness, line, (begin_s, end_s))


def _likeness(
    master: SoundIndex, other: SoundIndex, line: Line, middle_s: float, n_blocks: int
) -> Likeness | None:
    """How alike (L,) the sounds are around `middle_s` on the camera's clock, at each offset from the line."""
    middles_s: FloatArray = (
        middle_s + (np.arange(n_blocks, dtype=np.float64) - 0.5 * (n_blocks - 1)) * _BLOCK_S
    )
    blocks_cam, at_cam_s = _blocks(other, middles_s)
    blocks_master, at_master_s = _blocks(master, line.at(middles_s))
    if blocks_cam is None or blocks_master is None:
        return None
    top_hz = min(_BAND_HZ[1], 0.5 * _SHARE_OF_NYQUIST * min(master.sound.rate_hz, other.sound.rate_hz))
    bins = np.arange(round(_BAND_HZ[0] * _BLOCK_S), round(top_hz * _BLOCK_S))
    cross = blocks_master[:, bins] * np.conj(blocks_cam[:, bins])
    # By how much blocks of whole samples miss the line.
    missed_s = at_master_s - line.at(at_cam_s)
    turn = np.exp(-2j * np.pi / _BLOCK_S * missed_s[:, None] * bins).astype(np.complex64)
    shared = (cross * turn).sum(axis=0)
    size = np.abs(shared)
    if not size.any():
        return None
    n_out = round(_BLOCK_S * _STEP_HZ)
    padded = np.zeros(n_out // 2 + 1, np.complex64)
    padded[bins] = shared / (size + 1e-6 * size.max()) ** _WHITENED
    likeness: Likeness = irfft(padded, n_out)
    return np.concatenate([likeness[-_REACH:], likeness[: _REACH + 1]])


def _blocks(index: SoundIndex, middles_s: FloatArray) -> tuple[NDArray[np.complex64] | None, FloatArray]:
    """Spectra (k, F) of blocks around `middles_s` (k,), None where one reaches beyond the sound, and where
    their middles truly are, as they begin at whole samples."""
    rate_hz = index.sound.rate_hz
    n = round(_BLOCK_S * rate_hz)
    firsts = np.round((middles_s - 0.5 * _BLOCK_S) * rate_hz).astype(np.int64)
    at_s = (firsts + 0.5 * n) / rate_hz
    if firsts[0] < 0 or firsts[-1] + n > len(index.sound.samples):
        return None, at_s
    samples = np.stack([index.mono(int(first), n) for first in firsts])
    samples -= samples.mean(axis=1, keepdims=True)
    spectra: NDArray[np.complex64] = rfft(samples * np.hanning(n).astype(np.float32), axis=1)
    return spectra, at_s


def _agreed(windows: _Windows, within_s: float) -> _Agreed | None:
    """The line that the most windows agree on, or None where that may be chance."""
    t_s, off_s = windows.t_cam_s, windows.off_s
    n = t_s.size
    if n < _LEAST_AGREEING:
        return None
    left, right = np.triu_indices(n, 1)
    # More would find no other line.
    every = -(-left.size // _MOST_PAIRS)
    left, right = left[::every], right[::every]
    slope = (off_s[right] - off_s[left]) / (t_s[right] - t_s[left])
    # The expected drift has been searched for as widely as clocks drift.
    possible = np.abs(slope + windows.expected.drift_ppm * PPM) <= 1.5 * MOST_DRIFT_PPM * PPM
    slope, left = slope[possible], left[possible]
    if not slope.size:
        return None
    apart_s = np.abs(
        off_s[None, :] - off_s[left][:, None] - slope[:, None] * (t_s[None, :] - t_s[left][:, None])
    )
    # As many as possible, and of lines with as many the one that they lie nearest to.
    closeness = np.clip(1 - (apart_s / within_s) ** 2, 0, None).sum(axis=1)
    agrees = apart_s[closeness.argmax()] <= within_s
    if not _is_no_chance(int(agrees.sum()), n, within_s):
        return None
    middle_s = float(t_s[agrees].mean())
    weight = np.minimum(windows.sharpness[agrees], _MOST_SHARPNESS) ** 2
    design = np.stack([np.ones(int(agrees.sum())), t_s[agrees] - middle_s], axis=1)
    normal = design.T @ (weight[:, None] * design)
    level, tilt = np.linalg.solve(normal, design.T @ (weight * off_s[agrees]))
    left_s = off_s[agrees] - design @ (level, tilt)
    variance = float((weight * left_s**2).sum() / (weight.size - 2))
    covariance = variance * np.linalg.inv(normal)
    ends = np.stack([np.ones(2), np.array(windows.ends_s) - middle_s], axis=1)
    se_s = float(np.sqrt(np.einsum("ki,ij,kj->k", ends, covariance, ends).max()))
    expected = windows.expected
    line = Line(expected.offset_s + float(level - tilt * middle_s), expected.drift_ppm + float(tilt) / PPM)
    return _Agreed(line, agrees, _NINE_IN_TEN * _ERRORS_ALIKE * se_s + _SYSTEMATIC_S)


def _apart_s(windows: _Windows, agreed: _Agreed) -> float:
    """By how much windows that do not agree on the line agree on another one; 0 where they do not."""
    others = windows.only(~agreed.agrees)
    elsewhere = _agreed(others, _SECOND_WITHIN_S)
    if elsewhere is None:
        return 0.0
    t_cam_s = others.t_cam_s[elsewhere.agrees]
    return float(np.abs(elsewhere.line.at(t_cam_s) - agreed.line.at(t_cam_s)).max())


def _has_rival(likeness: Likeness) -> bool:
    """Whether in all windows (K, L) together another offset fits about as well as the best."""
    together = np.abs(likeness.sum(axis=0))
    best = int(together.argmax())
    reach = round(_NOT_ANOTHER_S * _STEP_HZ)
    elsewhere = np.concatenate([together[: max(best - reach, 0)], together[best + reach + 1 :]])
    return bool(elsewhere.max() > _MOST_RIVALRY * together[best])


def _is_no_chance(n_agreeing: int, n: int, within_s: float) -> bool:
    """Whether so many of `n` windows agree on a line as chance does not make them: two of them draw it, and
    each other one lies that near to it with the same probability."""
    if n_agreeing < max(_LEAST_AGREEING, _LEAST_SHARE * n):
        return False
    by_chance = binom.sf(n_agreeing - 3, n - 2, within_s / _REACH_S) * n * (n - 1) / 2
    return bool(by_chance < _BY_CHANCE)
