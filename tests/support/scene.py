"""Rendered trails: what a camera on a handlebar would see at a given metre of a trail that never was.

A trail is a straight corridor of textured billboards on both sides of a textured path, in fog. Everything
follows from `seed`, so two rides of one trail show the same places and two trails share none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

_FOG_RGB = np.array([188, 198, 204], dtype=np.float64)
_FOG_LENGTH_M = 12.0
_NEAR_M, _FAR_M = 0.6, 30.0
_CAMERA_HEIGHT_M = 1.2
_TEXTURE_PX = 96
_GROUND_CELL_M, _GROUND_HALF_M, _GROUND_PX_A_M = 6, 6, 16


@dataclass(frozen=True)
class View:
    """How one ride sees the trail: where on the path it rides, how it shakes, and in which light.

    `shake_px` is the amplitude of a smooth, irregular pan in pixels; `noise` the sensor's standard
    deviation in grey levels; `seed` drives both.
    """

    seed: int = 0
    lateral_m: float = 0.0
    shake_px: float = 0.0
    gain: float = 1.0
    noise: float = 0.0


def trail_frame(
    position_m: float,
    seed: int,
    size: tuple[int, int] = (320, 180),
    *,
    lateral_m: float = 0.0,
    pan_px: tuple[float, float] = (0.0, 0.0),
) -> Image:
    """The picture at `position_m` >= 0 along trail `seed`. `size` is (width, height); RGB (H, W, 3) out."""
    width, height = size
    camera = _Camera(0.6 * width, width / 2 + pan_px[0], 0.45 * height + pan_px[1], lateral_m)
    canvas = np.empty((height, width, 3), dtype=np.uint8)
    canvas[:] = _FOG_RGB
    _draw_ground(canvas, position_m, seed, camera)
    first, last = math.floor(position_m + _NEAR_M), math.floor(position_m + _FAR_M)
    for cell in range(last, first - 1, -1):
        for board in _billboards(seed, cell):
            distance_m = board.along_m - position_m
            if _NEAR_M < distance_m < _FAR_M:
                _draw_billboard(canvas, board, distance_m, camera)
    return canvas


def seen_by(view: View, t_s: float, position_m: float, seed: int, size: tuple[int, int]) -> Image:
    """`trail_frame` as the ride `view` records it at its time `t_s`."""
    phase = np.random.default_rng((view.seed, 1)).uniform(0, 2 * math.pi, 4)
    pan = (
        view.shake_px * (math.sin(7.3 * t_s + phase[0]) + 0.5 * math.sin(17.1 * t_s + phase[1])),
        view.shake_px * (math.sin(9.7 * t_s + phase[2]) + 0.5 * math.sin(21.7 * t_s + phase[3])),
    )
    image = trail_frame(position_m, seed, size, lateral_m=view.lateral_m, pan_px=pan)
    if view.gain == 1.0 and view.noise == 0.0:
        return image
    rng = np.random.default_rng((view.seed, 2, round(t_s * 1e6)))
    grain = rng.standard_normal((*image.shape[:2], 1), dtype=np.float32) * np.float32(view.noise)
    lit = image * np.float32(view.gain) + grain
    return np.clip(lit, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class _Camera:
    """A pinhole camera that looks straight along the trail. All but `lateral_m` in pixels."""

    focal_px: float
    centre_x: float
    horizon_y: float
    lateral_m: float


@dataclass(frozen=True)
class _Billboard:
    """A flat thing that faces the rider, its foot on the ground. `mipmaps` are RGBA, premultiplied."""

    along_m: float
    lateral_m: float
    width_m: float
    height_m: float
    mipmaps: tuple[Image, ...]


@lru_cache(maxsize=1024)
def _billboards(seed: int, cell: int) -> tuple[_Billboard, ...]:
    """The billboards of one metre of trail, farthest first: one on either side."""
    rng = np.random.default_rng((seed, cell, 0))
    boards = [
        _Billboard(
            along_m=cell + rng.random(),
            lateral_m=side * min(1.1 + rng.exponential(1.6), 7.0),
            width_m=rng.uniform(0.4, 1.8),
            height_m=rng.uniform(0.8, 4.5),
            mipmaps=make_mipmaps(_texture(rng)),
        )
        for side in (-1, 1)
    ]
    return tuple(sorted(boards, key=lambda board: -board.along_m))


def _texture(rng: np.random.Generator) -> Image:
    """A blotchy random surface of hard-edged patches over finer grain, with a ragged outline."""
    size = (_TEXTURE_PX, _TEXTURE_PX)
    base = rng.uniform(40, 150, 3) * np.array([0.9, 1.0, 0.7])
    rows, columns = rng.integers(5, 12, 2)
    patches = cv2.resize(rng.normal(0, 40, (rows, columns, 1)), size, interpolation=cv2.INTER_NEAREST)
    grain = cv2.resize(rng.normal(0, 22, (32, 32)), size, interpolation=cv2.INTER_LINEAR)
    rgb = np.clip(base + (patches + grain)[:, :, None], 0, 255)
    ragged = cv2.resize(rng.normal(0, 1, (10, 10)), size, interpolation=cv2.INTER_CUBIC)
    across = np.abs(np.linspace(-1, 1, _TEXTURE_PX))
    up = np.linspace(1, 0, _TEXTURE_PX)[:, None]
    alpha = np.clip(8 * (1.1 - across - 0.6 * up**3 + 0.25 * ragged), 0, 1)[:, :, None]
    return np.concatenate([rgb * alpha, 255 * alpha], axis=2).astype(np.uint8)


def make_mipmaps(texture: Image) -> tuple[Image, ...]:
    """A square texture and smaller ones of it, each half the one before."""
    levels = [texture]
    while levels[-1].shape[0] > 6:
        half = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (half, half), interpolation=cv2.INTER_AREA))
    return tuple(levels)


def _draw_billboard(canvas: Image, board: _Billboard, distance_m: float, camera: _Camera) -> None:
    px_a_m = camera.focal_px / distance_m
    left = camera.centre_x + px_a_m * (board.lateral_m - board.width_m / 2 - camera.lateral_m)
    bottom = camera.horizon_y + px_a_m * _CAMERA_HEIGHT_M
    right, top = left + px_a_m * board.width_m, bottom - px_a_m * board.height_m
    draw_texture(
        canvas, board.mipmaps, (left, top, right, bottom), fog_rgb=_FOG_RGB, clear=_clearness(distance_m)
    )


def draw_texture(
    canvas: Image,
    mipmaps: Sequence[Image],
    box: tuple[float, float, float, float],
    *,
    fog_rgb: NDArray[np.float64],
    clear: float,
    tone: float = 1.0,
) -> None:
    """Lay a texture over the box (left, top, right, bottom) of `canvas`, as much of it as lies within.

    `mipmaps` are square, premultiplied RGBA, each half the one before. `clear` is the share that fog leaves,
    `tone` the light that falls on it.
    """
    left, top, right, bottom = box
    height, width = canvas.shape[:2]
    x0, x1 = max(0, math.floor(left)), min(width, math.ceil(right))
    y0, y1 = max(0, math.floor(top)), min(height, math.ceil(bottom))
    if x0 >= x1 or y0 >= y1:
        return
    shrink = mipmaps[0].shape[1] / (right - left)
    level = min(max(0, math.floor(math.log2(shrink))), len(mipmaps) - 1)
    source = _fogged(mipmaps[level], fog_rgb, clear, tone)
    scale_x, scale_y = source.shape[1] / (right - left), source.shape[0] / (bottom - top)
    # Pixel centres lie at +0.5; with WARP_INVERSE_MAP the matrix goes from canvas to texture.
    to_texture = np.array(
        [
            [scale_x, 0, (x0 + 0.5 - left) * scale_x - 0.5],
            [0, scale_y, (y0 + 0.5 - top) * scale_y - 0.5],
        ]
    )
    drawn = cv2.warpAffine(
        source, to_texture, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    transparency = cv2.cvtColor(255 - drawn[:, :, 3], cv2.COLOR_GRAY2RGB)
    region = canvas[y0:y1, x0:x1]
    behind = cv2.multiply(region, transparency, scale=1 / 255)
    region[:] = cv2.add(behind, cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB))


def _clearness(distance_m: float) -> float:
    return math.exp(-distance_m / _FOG_LENGTH_M)


def _fogged(texture: Image, fog_rgb: NDArray[np.float64], clear: float, tone: float) -> Image:
    """A premultiplied RGBA texture, paler the less clear the air is."""
    mix = np.eye(4)
    mix[:3, :3] *= clear * tone
    mix[:3, 3] = (1 - clear) * fog_rgb / 255
    return cv2.transform(texture, mix)


@lru_cache(maxsize=256)
def _ground_cell(seed: int, cell: int) -> Image:
    """`_GROUND_CELL_M` metres of ground, seen from above: rows go forward, columns to the right."""
    rng = np.random.default_rng((seed, cell, 1))
    rows, columns = _GROUND_CELL_M * _GROUND_PX_A_M, 2 * _GROUND_HALF_M * _GROUND_PX_A_M
    blotches = cv2.resize(rng.normal(0, 22, (rows // 12, columns // 12)), (columns, rows))
    pebbles = cv2.resize(rng.normal(0, 26, (rows // 3, columns // 3)), (columns, rows))
    lateral_m = np.abs(np.linspace(-_GROUND_HALF_M, _GROUND_HALF_M, columns))
    path = np.clip(2.0 - 2.5 * lateral_m, 0, 1)[None, :, None]
    rgb = path * np.array([150, 128, 100]) + (1 - path) * np.array([70, 84, 48])
    return np.clip(rgb + (blotches + pebbles)[:, :, None], 0, 255).astype(np.uint8)


def _draw_ground(canvas: Image, position_m: float, seed: int, camera: _Camera) -> None:
    height, width = canvas.shape[:2]
    first = math.floor(position_m / _GROUND_CELL_M)
    last = math.floor((position_m + _FAR_M) / _GROUND_CELL_M)
    ground = np.concatenate([_ground_cell(seed, cell) for cell in range(first, last + 1)])
    # A ground point (X right, Z ahead) shows at u = cx + f (X - lateral) / Z, v = horizon + f h / Z.
    focal, horizon = camera.focal_px, camera.horizon_y
    texture_to_metres = np.array(
        [
            [1 / _GROUND_PX_A_M, 0, -_GROUND_HALF_M - camera.lateral_m],
            [0, 1 / _GROUND_PX_A_M, first * _GROUND_CELL_M - position_m],
            [0, 0, 1],
        ]
    )
    metres_to_image = np.array(
        [[focal, camera.centre_x, 0], [0, horizon, focal * _CAMERA_HEIGHT_M], [0, 1, 0]], dtype=np.float64
    )
    top = max(0, math.ceil(horizon + focal * _CAMERA_HEIGHT_M / _FAR_M))
    crop = np.array([[1, 0, 0], [0, 1, -top], [0, 0, 1]], dtype=np.float64)
    seen = cv2.warpPerspective(
        ground,
        crop @ metres_to_image @ texture_to_metres,
        (width, height - top),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    distance_m = focal * _CAMERA_HEIGHT_M / (np.arange(top, height) + 0.5 - horizon)
    clear = np.exp(-distance_m / _FOG_LENGTH_M)[:, None, None].astype(np.float32)
    canvas[top:] = seen * clear + _FOG_RGB.astype(np.float32) * (1 - clear)
