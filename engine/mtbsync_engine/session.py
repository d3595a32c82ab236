"""The types of an event that several cameras recorded at once. All are immutable.

Each camera has a clock of its own: float seconds from its recording's first presented frame. `t_master_s` is
on the clock of the camera that the others are laid on, `t_cam_s` on another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.confidence import Method, Trust, trust_of
from mtbsync_engine.model import FloatArray

PPM = 1e-6


class Samples(Protocol):
    """Samples (N, C) of 16 bits in C channels: an array, or what reads pieces of one when asked."""

    @property
    def shape(self) -> tuple[int, ...]:
        """N and C."""

    @property
    def size(self) -> int:
        """N * C"""

    def __len__(self) -> int:
        """N"""

    def __getitem__(self, part: slice, /) -> NDArray[np.int16]:
        """The samples of a stretch (n, C), all of which stand one after the other."""


@dataclass(frozen=True, eq=False)
class Sound:
    """What a recording sounds like: `samples`, `rate_hz` a second, the first at the recording's first
    picture."""

    samples: Samples
    rate_hz: int

    @property
    def duration_s(self) -> float:
        """Seconds from the first sample to the end of the last."""
        return len(self.samples) / self.rate_hz


@dataclass(frozen=True)
class SoundQuality:
    """How good a camera's sound is to line others up with.

    `level_dbfs` is its usual level below full scale, `clipped` the share of its samples at full scale,
    `snr_db` how far what is heard stands above the noise floor, `bandwidth_hz` up to where there is anything,
    `score` all of it in one number, the higher the better; 0 for silence.
    """

    level_dbfs: float
    clipped: float
    snr_db: float
    bandwidth_hz: float
    score: float


@dataclass(frozen=True)
class Placement:
    """How a camera's clock lies on the master's: t_master_s = offset_s + (1 + drift_ppm / 1e6) * t_cam_s.

    So `offset_s` is when, on the master's clock, the camera took its first picture: above 0 it began later.
    `score` is how many standard deviations the match stands out of all others; `error_s` bounds the error
    of t_master_s in nine cases of ten, where anything tells. `through` is the camera that this one was laid
    on where that is not the master. `reason` says in a sentence for a person what it rests on, or is missing.
    """

    offset_s: float
    drift_ppm: float
    score: float
    error_s: float | None
    method: Method
    reason: str
    through: str | None = None

    @property
    def trust(self) -> Trust:
        """What a person should do about it."""
        return trust_of(self.score)

    def to_master(self, t_cam_s: float) -> float:
        """The moment on the master's clock."""
        return self.offset_s + (1.0 + self.drift_ppm * PPM) * t_cam_s

    def to_camera(self, t_master_s: float) -> float:
        """The moment on the camera's clock."""
        return (t_master_s - self.offset_s) / (1.0 + self.drift_ppm * PPM)


@dataclass(frozen=True, eq=False)
class Correlation:
    """How well a camera's sound fits the one it was laid on, at each offset: `z` (N,) in standard scores at
    `offset_s` (N,), thinned to what a picture can show, every peak kept; and what was measured piece by
    piece: t_master_s - t_cam_s is `window_offset_s` (K,) at `window_t_cam_s` (K,); the line is made of
    `is_used` (K,)."""

    offset_s: FloatArray
    z: FloatArray
    window_t_cam_s: FloatArray
    window_offset_s: FloatArray
    is_used: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SoundMatch:
    """One camera's sound laid on another's; `correlation` is what it was told from."""

    placement: Placement
    correlation: Correlation


@dataclass(frozen=True)
class LineUp:
    """All cameras of a session by label: the `master`, and where each of the others lies; what nothing tells
    of is not among the `placements`, and `missing` says why. The master's own placement is not listed."""

    master: str
    qualities: dict[str, SoundQuality]
    placements: dict[str, Placement]
    correlations: dict[str, Correlation]
    missing: dict[str, str]
