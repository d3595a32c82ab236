"""A truer trail than `scene`'s: it bends and rolls through undergrowth and trees of a few kinds.

Everything follows from a seed. Plants face the camera, as sprites do; a tree is several of them at different
depths. Few textures are used over and over, so that single details are found in many places, as in a wood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from support.scene import draw_texture, make_mipmaps

Image = NDArray[np.uint8]
FloatArray = NDArray[np.float64]

_FOG_LENGTH_M = 16.0
_NEAR_M, _FAR_M = 0.7, 26.0
_CAMERA_HEIGHT_M = 1.2
_STEP_M = 0.25
# What lies ahead of the last place that can be ridden.
_BEYOND_M = 40
# Bends and slopes change over this distance; their spread is that of a winding forest trail.
_TERRAIN_M = 8
_BEND_RADPM, _SLOPE = 0.05, 0.08
# The camera looks where the rider will be.
_LOOK_AHEAD_M = 2.0
_TEXTURE_PX = 96
_N_LEAVES, _N_TRUNKS, _N_GRASSES = 5, 2, 2
_LEAF, _TRUNK, _GRASS, _ROCK = 0, _N_LEAVES, _N_LEAVES + _N_TRUNKS, _N_LEAVES + _N_TRUNKS + _N_GRASSES
_PLANTS_A_METRE = 5
_GROUND_HALF_M, _GROUND_PX_A_M = 8, 24
# Least and most light on a plant or a patch of ground.
_SHADE = (0.6, 1.15)


@dataclass(frozen=True)
class Copy:
    """`length_m` metres from `at_m` on look as those from `source_m` on: a look-alike, or another lap."""

    at_m: int
    source_m: int
    length_m: int


@dataclass(frozen=True)
class Season:
    """How plants and ground look: colours as factors of RGB, shares from 0 to 1."""

    leaf: tuple[float, float, float] = (1.0, 1.0, 1.0)
    missing: float = 0.0
    snow: float = 0.0


SUMMER = Season()
LATE_AUTUMN = Season(leaf=(2.0, 1.05, 0.6), missing=0.3)
FIRST_SNOW = Season(leaf=(1.5, 1.0, 0.9), missing=0.35, snow=0.6)


@dataclass(frozen=True)
class Trail:
    """A trail that can be ridden from metre 0 to `length_m`. What is copied is the trail without copies."""

    seed: int
    length_m: int
    copies: tuple[Copy, ...] = ()


def picture(
    trail: Trail,
    position_m: float,
    size: tuple[int, int],
    focal_px: float,
    *,
    lateral_m: float = 0.0,
    season: Season = SUMMER,
    day: int = 0,
) -> Image:
    """What a pinhole camera sees: RGB (H, W, 3) of `size` (width, height).

    The rider is `lateral_m` to the right of the path's middle, and the camera looks where the path leads.
    Another `day` has other light and shade.
    """
    ground, plants = _terrain(trail), _plants(trail)
    fog_rgb = np.array([196.0, 204.0, 208.0]) if season.snow else np.array([176.0, 190.0, 192.0])
    camera = _Camera(ground, position_m, lateral_m, focal_px, size)
    canvas = np.empty((size[1], size[0], 3), dtype=np.uint8)
    canvas[:] = fog_rgb
    _draw_ground(canvas, trail, camera, season, day, fog_rgb)
    window = np.flatnonzero(
        (plants.along_m > position_m)
        & (plants.along_m < position_m + _FAR_M)
        & (plants.rank >= season.missing)
    )
    right_m, ahead_m = camera.relative(plants.east_m[window], plants.north_m[window])
    textures, tones = _textures(trail.seed, season), _tones(trail, day)
    for k in np.argsort(-ahead_m):
        if not _NEAR_M < ahead_m[k] < _FAR_M:
            continue
        plant = window[k]
        px_a_m = focal_px / ahead_m[k]
        x = camera.centre_x + px_a_m * right_m[k]
        foot = camera.row(ahead_m[k], plants.height_m[plant])
        half = px_a_m * plants.width_m[plant] / 2
        if half < 0.5 or x + half < 0 or x - half > size[0]:
            continue
        top = foot - px_a_m * plants.top_m[plant]
        bottom = foot - px_a_m * plants.foot_m[plant]
        draw_texture(
            canvas,
            textures[plants.texture[plant]],
            (x - half, top, x + half, bottom),
            fog_rgb=fog_rgb,
            clear=math.exp(-ahead_m[k] / _FOG_LENGTH_M),
            tone=tones[plant],
        )
    return canvas


@dataclass(frozen=True, eq=False)
class _Terrain:
    """The path's middle, every `_STEP_M`: where it lies, which way it leads, and how high."""

    along_m: FloatArray
    east_m: FloatArray
    north_m: FloatArray
    heading_rad: FloatArray
    height_m: FloatArray

    def at(self, along_m: FloatArray | float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """East, north, heading (clockwise from north) and height at `along_m`."""
        values = (self.east_m, self.north_m, self.heading_rad, self.height_m)
        east, north, heading, height = (np.interp(along_m, self.along_m, v) for v in values)
        return east, north, heading, height


class _Camera:
    """Where the camera is, which way it looks, and where on its picture things come to lie."""

    def __init__(
        self,
        terrain: _Terrain,
        position_m: float,
        lateral_m: float,
        focal_px: float,
        size: tuple[int, int],
    ) -> None:
        self.terrain, self.position_m, self.focal_px = terrain, position_m, focal_px
        east, north, heading, height = terrain.at(position_m)
        _, _, ahead, _ = terrain.at(position_m + _LOOK_AHEAD_M)
        self.heading_rad = float(ahead)
        self.east_m = float(east) + lateral_m * math.cos(heading)
        self.north_m = float(north) - lateral_m * math.sin(heading)
        self.height_m = float(height) + _CAMERA_HEIGHT_M
        _, _, _, height_ahead = terrain.at(position_m + 3 * _LOOK_AHEAD_M)
        slope = (float(height_ahead) - float(height)) / (3 * _LOOK_AHEAD_M)
        self.centre_x = size[0] / 2
        # The camera pitches with the slope.
        self.level_y = 0.42 * size[1] + focal_px * slope

    def relative(self, east_m: FloatArray, north_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Metres to the right and ahead of the camera."""
        east_m, north_m = east_m - self.east_m, north_m - self.north_m
        sin, cos = math.sin(self.heading_rad), math.cos(self.heading_rad)
        return east_m * cos - north_m * sin, east_m * sin + north_m * cos

    def row(self, ahead_m: FloatArray, height_m: FloatArray) -> FloatArray:
        """The row on which something `ahead_m` away and `height_m` high lies."""
        return self.level_y + self.focal_px * (self.height_m - height_m) / ahead_m


@dataclass(frozen=True, eq=False)
class _Plants:
    """All sprites along a trail. `foot_m` and `top_m` are above the ground, which is `height_m` high."""

    along_m: FloatArray
    east_m: FloatArray
    north_m: FloatArray
    height_m: FloatArray
    width_m: FloatArray
    foot_m: FloatArray
    top_m: FloatArray
    texture: NDArray[np.int64]
    rank: FloatArray


def _key(trail: Trail, cell: int) -> int:
    """The metre of the trail without copies that `cell` looks like."""
    for copy in trail.copies:
        if copy.at_m <= cell < copy.at_m + copy.length_m:
            return cell - copy.at_m + copy.source_m
    return cell


@lru_cache(maxsize=8)
def _terrain(trail: Trail) -> _Terrain:
    along_m = np.arange(0, trail.length_m + _BEYOND_M, _STEP_M)
    key_m = np.array([_key(trail, math.floor(s)) + s % 1 for s in along_m])
    nodes = np.arange(math.floor(key_m.max() / _TERRAIN_M) + 2)
    bends = [
        np.random.default_rng((trail.seed, int(node), 10)).normal(0, (_BEND_RADPM, _SLOPE)) for node in nodes
    ]
    bend, slope = np.array(bends).T
    heading = np.cumsum(np.interp(key_m / _TERRAIN_M, nodes, bend)) * _STEP_M
    height = np.cumsum(np.interp(key_m / _TERRAIN_M, nodes, slope)) * _STEP_M
    return _Terrain(
        along_m, np.cumsum(np.sin(heading)) * _STEP_M, np.cumsum(np.cos(heading)) * _STEP_M, heading, height
    )


@lru_cache(maxsize=8)
def _plants(trail: Trail) -> _Plants:
    rows = [
        (cell + along, *rest)
        for cell in range(trail.length_m + _BEYOND_M)
        for along, *rest in _plants_of_cell(trail.seed, _key(trail, cell))
    ]
    along, lateral, width, foot, top, texture, rank = np.array(rows).T
    east, north, heading, height = _terrain(trail).at(along)
    return _Plants(
        along_m=along,
        east_m=east + lateral * np.cos(heading),
        north_m=north - lateral * np.sin(heading),
        height_m=height,
        width_m=width,
        foot_m=foot,
        top_m=top,
        texture=texture.astype(np.int64),
        rank=rank,
    )


def _plants_of_cell(seed: int, key: int) -> list[tuple[float, ...]]:
    """Sprites of one metre: along, lateral, width, foot, top in metres, texture, rank from 0 to 1."""
    rng = np.random.default_rng((seed, key, 11))
    sprites: list[tuple[float, ...]] = []
    for _ in range(_PLANTS_A_METRE):
        along, side, rank = rng.random(), rng.choice((-1, 1)), rng.random()
        what = rng.random()
        if what < 0.4:
            size = rng.uniform(0.25, 0.6)
            lateral = side * rng.uniform(0.55, 2.5)
            sprites.append((along, lateral, 1.3 * size, -0.05, size, _GRASS + rng.integers(_N_GRASSES), rank))
        elif what < 0.7:
            size = rng.uniform(0.6, 1.7)
            lateral = side * min(1.3 + rng.exponential(1.6), 7.0)
            sprites.append((along, lateral, size, -0.1, size, _LEAF + rng.integers(_N_LEAVES), rank))
        elif what < 0.78:
            size = rng.uniform(0.2, 0.6)
            sprites.append((along, side * rng.uniform(0.7, 3.0), 1.4 * size, -0.05, size, _ROCK, 1.0))
        else:
            sprites += _tree(rng, along, side * min(1.5 + rng.exponential(2.0), 8.0), rank)
    return sprites


def _tree(rng: np.random.Generator, along: float, lateral: float, rank: float) -> list[tuple[float, ...]]:
    """A trunk, which every season leaves standing, and parts of its crown before and behind it."""
    thick, tall = rng.uniform(0.15, 0.45), rng.uniform(4.5, 9.0)
    leaf = _LEAF + rng.integers(_N_LEAVES)
    crown = [
        (
            along + rng.uniform(-0.7, 0.7),
            lateral + rng.uniform(-0.6, 0.6),
            size := rng.uniform(1.0, 2.0),
            bottom := rng.uniform(1.0, 3.0),
            bottom + size,
            leaf,
            rank,
        )
        for _ in range(rng.integers(1, 4))
    ]
    return [(along, lateral, thick, -0.1, tall, _TRUNK + rng.integers(_N_TRUNKS), 1.0), *crown]


@lru_cache(maxsize=8)
def _tones(trail: Trail, day: int) -> list[float]:
    """How much light falls on each plant that day."""
    n_plants = len(_plants(trail).along_m)
    tones: list[float] = np.random.default_rng((trail.seed, day, 15)).uniform(*_SHADE, n_plants).tolist()
    return tones


@lru_cache(maxsize=8)
def _textures(seed: int, season: Season) -> tuple[tuple[Image, ...], ...]:
    """What a trail's plants look like, in the order of `_LEAF`, `_TRUNK`, `_GRASS` and `_ROCK`."""
    rng = np.random.default_rng((seed, 12))
    leaves = [_leaf_texture(rng, season) for _ in range(_N_LEAVES)]
    trunks = [_trunk_texture(rng) for _ in range(_N_TRUNKS)]
    grasses = [_grass_texture(rng, season) for _ in range(_N_GRASSES)]
    return tuple(make_mipmaps(t) for t in (*leaves, *trunks, *grasses, _rock_texture(rng, season)))


def _leaf_texture(rng: np.random.Generator, season: Season) -> Image:
    """Clumps of leaves, darker within and towards the ground."""
    texture = _blank()
    green = rng.uniform((40, 70, 20), (90, 120, 55))
    for k in range(90):
        radius = 46 * math.sqrt(rng.random())
        angle = rng.uniform(0, 2 * math.pi)
        x, y = 48 + radius * math.cos(angle), 48 + radius * math.sin(angle)
        shade = 0.35 + 0.5 * k / 90 + 0.3 * (1 - y / 96) + rng.normal(0, 0.12)
        white = rng.random() < season.snow * (1 - y / 96)
        rgb = np.array([225, 230, 235]) if white else shade * green * season.leaf
        axes = rng.integers(3, 9, 2)
        _ellipse(texture, (x, y), axes, rng.uniform(0, 180), rgb)
    return texture


def _trunk_texture(rng: np.random.Generator) -> Image:
    texture = _blank()
    brown = rng.uniform((60, 48, 36), (120, 105, 90))
    bark = cv2.resize(rng.normal(1, 0.22, (48, 12)), (_TEXTURE_PX, _TEXTURE_PX))
    round_ = 1.1 - 0.5 * np.abs(np.linspace(-1, 1, _TEXTURE_PX))
    texture[:, :, :3] = np.clip(brown * (bark * round_)[:, :, None], 0, 255)
    texture[:, :, 3] = 255
    return texture


def _grass_texture(rng: np.random.Generator, season: Season) -> Image:
    texture = _blank()
    green = rng.uniform((70, 90, 30), (120, 135, 70))
    for _ in range(60):
        foot, lean = rng.uniform(25, 71), rng.normal(0, 18)
        tip = (round(foot + lean), round(rng.uniform(2, 60)))
        shade = rng.uniform(0.5, 1.3)
        white = rng.random() < season.snow
        rgb = np.array([220, 226, 232]) if white else shade * green * season.leaf
        colour = (*np.clip(rgb, 0, 255).tolist(), 255)
        cv2.line(texture, (round(foot), _TEXTURE_PX - 1), tip, colour, int(rng.integers(1, 4)), cv2.LINE_AA)
    return texture


def _rock_texture(rng: np.random.Generator, season: Season) -> Image:
    texture = _blank()
    _ellipse(texture, (48, 60), (46, 40), 0, np.array([110, 108, 104]))
    for _ in range(40):
        x, y = rng.uniform(12, 84), rng.uniform(28, 94)
        rgb = np.array([110, 108, 104]) * rng.uniform(0.5, 1.3) + 90 * season.snow * (y < 50)
        _ellipse(texture, (x, y), rng.integers(3, 12, 2), rng.uniform(0, 180), rgb)
    return texture


def _blank() -> Image:
    return np.zeros((_TEXTURE_PX, _TEXTURE_PX, 4), dtype=np.uint8)


def _ellipse(
    texture: Image, centre: tuple[float, float], axes: tuple[int, int], turn_deg: float, rgb: FloatArray
) -> None:
    colour = (*np.clip(rgb, 0, 255).tolist(), 255)
    cv2.ellipse(
        texture,
        (round(centre[0]), round(centre[1])),
        (int(axes[0]), int(axes[1])),
        turn_deg,
        0,
        360,
        colour,
        -1,
    )


@lru_cache(maxsize=512)
def _ground_cell(seed: int, key: int, season: Season, day: int) -> Image:
    """One metre of ground from above: rows go forward, columns to the right. RGB."""
    rng = np.random.default_rng((seed, key, 13))
    rows, columns = _GROUND_PX_A_M, 2 * _GROUND_HALF_M * _GROUND_PX_A_M
    blotches = cv2.resize(rng.normal(0, 16, (3, 2 * _GROUND_HALF_M * 2)), (columns, rows))
    pebbles = cv2.resize(rng.normal(0, 20, (rows // 3, columns // 3)), (columns, rows))
    lateral_m = np.abs(np.linspace(-_GROUND_HALF_M, _GROUND_HALF_M, columns))
    path = np.clip(1.6 - 2.2 * lateral_m, 0, 1)[None, :, None]
    litter = np.array([74, 82, 48]) * np.array(season.leaf)
    rgb = path * np.array([140, 118, 92]) + (1 - path) * litter + (blotches + pebbles)[:, :, None]
    has_root = rng.random() < 0.25
    if has_root:
        y = int(rng.integers(2, rows - 2))
        rgb[y - 2 : y + 2, columns // 2 - 20 : columns // 2 + 20] *= 0.55
    drift = cv2.resize(rng.normal(0, 1, (4, columns // 12)), (columns, rows))
    lying = np.clip(2 * drift + 4 * season.snow - 1.4 - path[:, :, 0], 0, 1) if season.snow else 0 * drift
    rgb += (np.array([226, 230, 236]) - rgb) * (0.9 * lying)[:, :, None]
    shade = np.random.default_rng((seed, key, day, 14)).uniform(*_SHADE, (2, 2 * _GROUND_HALF_M))
    rgb *= cv2.resize(shade, (columns, rows))[:, :, None]
    return np.clip(rgb, 0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def _ground_strip(trail: Trail, first: int, season: Season, day: int) -> Image:
    cells = range(first, first + math.ceil(_FAR_M) + 2)
    return np.concatenate([_ground_cell(trail.seed, _key(trail, cell), season, day) for cell in cells])


def _draw_ground(
    canvas: Image, trail: Trail, camera: _Camera, season: Season, day: int, fog_rgb: FloatArray
) -> None:
    """Row by row: how far ahead the ground lies that is seen there, and where on the strip that is."""
    height, width = canvas.shape[:2]
    first = math.floor(camera.position_m)
    along_m = camera.position_m + np.geomspace(0.5, _FAR_M, 160)
    east_m, north_m, heading_rad, height_m = camera.terrain.at(along_m)
    middle_m, ahead_m = camera.relative(east_m, north_m)
    rows = camera.row(ahead_m, height_m)
    # A crest hides what lies lower behind it; a bend may lead out of view and back.
    seen = (rows < np.minimum.accumulate(np.r_[np.inf, rows[:-1]])) & (ahead_m > 0.3)
    top = max(0, math.ceil(rows[seen].min()))
    v = np.arange(top, height) + 0.5

    def at_rows(values: FloatArray) -> FloatArray:
        return np.interp(v, rows[seen][::-1], values[seen][::-1])

    depth_m = at_rows(ahead_m)
    right_m = (np.arange(width) + 0.5 - camera.centre_x)[None, :] * (depth_m / camera.focal_px)[:, None]
    across = np.cos(at_rows(heading_rad) - camera.heading_rad)[:, None]
    lateral_m = (right_m - at_rows(middle_m)[:, None]) * across
    map_x = ((lateral_m + _GROUND_HALF_M) * _GROUND_PX_A_M).astype(np.float32)
    map_y = np.repeat(((at_rows(along_m) - first) * _GROUND_PX_A_M)[:, None], width, axis=1).astype(
        np.float32
    )
    strip = _ground_strip(trail, first, season, day)
    seen_ground = cv2.remap(strip, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    clear = np.exp(-depth_m / _FOG_LENGTH_M)[:, None, None].astype(np.float32)
    canvas[top:] = seen_ground * clear + fog_rgb.astype(np.float32) * (1 - clear)
