"""What a camera on a handlebar makes of the view: its turns and shake, lens, exposure, rain and grain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from support.forest import SUMMER, Season, Trail, picture

Image = NDArray[np.uint8]

# The view is drawn larger, so that turning and bending it leaves no empty corners.
_MARGIN = 1.2
_BLUR_STEPS = 7
_RAIN_STREAKS = 120
_DROP_LIFE_S, _N_DROPS = 6.0, 9


@dataclass(frozen=True)
class Exposure:
    """Brightness over time: swings by the factor `swing`, and at each of `jumps_s` leaps to `jump` times as
    bright for about `settle_s` seconds, as when a rider leaves the wood."""

    swing: float = 0.0
    jumps_s: tuple[float, ...] = ()
    jump: float = 2.4
    settle_s: float = 1.5

    def gain(self, t_s: float) -> float:
        """The factor on grey levels at `t_s`."""
        drift = (1 + self.swing) ** math.sin(0.35 * t_s)
        since_s = min((t_s - jump_s for jump_s in self.jumps_s if jump_s <= t_s), default=math.inf)
        return drift * (1 + (self.jump - 1) * math.exp(-since_s / self.settle_s))


@dataclass(frozen=True)
class Camera:
    """One camera on one ride. Everything random in it follows from `seed`.

    `focal` is the focal length in widths of the picture, `barrel` the quadratic coefficient of its
    distortion on a radius of half a width. `shake_rad` is the amplitude of irregular turns, smeared over
    `exposure_s` seconds; `roll_rad` and `pitch_rad` are how the camera is mounted. `noise` is in grey levels.
    """

    seed: int = 0
    focal: float = 0.6
    barrel: float = 0.0
    shake_rad: float = 0.004
    exposure_s: float = 0.0
    roll_rad: float = 0.0
    pitch_rad: float = 0.0
    exposure: Exposure = Exposure()
    gain: float = 1.0
    rain: bool = False
    noise: float = 2.0


def filmed(
    camera: Camera,
    trail: Trail,
    position_m: float,
    t_s: float,
    size: tuple[int, int],
    *,
    lateral_m: float = 0.0,
    season: Season = SUMMER,
    day: int = 0,
) -> Image:
    """What `camera` records at its time `t_s`, at `position_m` of the trail: RGB (H, W, 3)."""
    drawn_size = (round(_MARGIN * size[0]), round(_MARGIN * size[1]))
    focal_px = camera.focal * size[0]
    view = picture(trail, position_m, drawn_size, focal_px, lateral_m=lateral_m, season=season, day=day)
    moments = t_s + camera.exposure_s * np.arange(_BLUR_STEPS) / _BLUR_STEPS if camera.exposure_s else [t_s]
    smeared = np.mean(
        [_through_lens(view, camera, float(t), size) for t in moments], axis=0, dtype=np.float32
    )
    if camera.rain:
        smeared = _rained_on(smeared, camera.seed, t_s)
    lit = smeared * np.float32(camera.gain * camera.exposure.gain(t_s))
    rng = np.random.default_rng((camera.seed, 2, round(t_s * 1e6)))
    lit += rng.standard_normal((*lit.shape[:2], 1), dtype=np.float32) * np.float32(camera.noise)
    return np.clip(lit, 0, 255).astype(np.uint8)


def _turns(camera: Camera, t_s: float) -> tuple[float, float, float]:
    """Yaw, pitch and roll in radians away from where the path leads."""
    phases = np.random.default_rng((camera.seed, 1)).uniform(0, 2 * math.pi, 9).reshape(3, 3)
    shares, speeds = (1.0, 0.6, 0.4), (5.1, 13.7, 31.0)
    yaw, pitch, roll = (
        camera.shake_rad * sum(a * math.sin(w * t_s + p) for a, w, p in zip(shares, speeds, row, strict=True))
        for row in phases
    )
    return yaw, pitch + camera.pitch_rad, roll + camera.roll_rad


def _through_lens(view: Image, camera: Camera, t_s: float, size: tuple[int, int]) -> Image:
    """The part of `view` that the turned camera sees, bent by its lens.

    For such small turns a rotation is a shift and a turn of the picture.
    """
    yaw, pitch, roll = _turns(camera, t_s)
    focal_px = camera.focal * size[0]
    x, y = _lens_grid(size, camera.barrel)
    sin, cos = np.float32(math.sin(roll)), np.float32(math.cos(roll))
    centre_x = np.float32(view.shape[1] / 2 + focal_px * yaw)
    centre_y = np.float32(view.shape[0] / 2 + focal_px * pitch)
    return cv2.remap(
        view,
        centre_x + cos * x - sin * y,
        centre_y + sin * x + cos * y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )


@lru_cache(maxsize=4)
def _lens_grid(size: tuple[int, int], barrel: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """For each pixel, where a lens without distortion would show the same, from the picture's centre."""
    width, height = size
    x, y = np.meshgrid(np.arange(width) - width / 2 + 0.5, np.arange(height) - height / 2 + 0.5)
    stretch = 1 + barrel * (x**2 + y**2) / (width / 2) ** 2
    return (x * stretch).astype(np.float32), (y * stretch).astype(np.float32)


def _rained_on(view: NDArray[np.float32], seed: int, t_s: float) -> NDArray[np.float32]:
    """Greyer, with streaks in the air and drops on the lens."""
    height, width = view.shape[:2]
    grey = 0.75 * view + 0.2 * view.mean()
    rng = np.random.default_rng((seed, 3, round(t_s * 1e6)))
    streaks = np.zeros((height, width), dtype=np.uint8)
    for x, y, length in zip(
        *rng.uniform(0, (width, height, 0.08 * height), (_RAIN_STREAKS, 3)).T, strict=True
    ):
        tip = (round(x + 0.15 * length), round(y + 2 * length))
        cv2.line(streaks, (round(x), round(y)), tip, 70, 1, cv2.LINE_AA)
    grey += streaks[:, :, None]
    smeared = cv2.GaussianBlur(grey, (0, 0), 0.012 * width)
    upside_down = 0.5 * smeared + 0.5 * smeared[::-1]
    mask = _drops(seed, math.floor(t_s / _DROP_LIFE_S), (width, height))
    return grey + (upside_down + 12 - grey) * mask[:, :, None]


@lru_cache(maxsize=4)
def _drops(seed: int, generation: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Where drops sit on the lens until the next gust: 1 within, 0 without."""
    rng = np.random.default_rng((seed, 4, generation))
    mask = np.zeros((size[1], size[0]), dtype=np.float32)
    for x, y, radius in rng.uniform((0, 0, 0.02), (size[0], size[1], 0.07), (_N_DROPS, 3)):
        axes = (round(radius * size[0]), round(1.2 * radius * size[0]))
        cv2.ellipse(mask, (round(x), round(y)), axes, 0, 0, 360, 1.0, -1)
    return cv2.GaussianBlur(mask, (0, 0), 2.0)
