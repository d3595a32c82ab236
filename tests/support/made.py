"""Pairs of rides with known truth, each of a kind that makes lining up hard.

A kind and a seed give a pair: another seed is another trail with the same difficulty. What was rendered is
kept, and rendered again when the recipe or the code that draws changes.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from support.forest import FIRST_SNOW, LATE_AUTUMN, SUMMER, Copy, Season, Trail
from support.lens import Camera, Exposure, filmed
from support.videos import write_video

FloatArray = NDArray[np.float64]

RATE = 30
SIZE = (480, 270)
_LENGTH_M = 180
_MPS = 4.5
_STEP_S = 0.001
_TRUTH_STEP_S = 0.1
_DRAWN_BY = ("scene.py", "forest.py", "lens.py", "videos.py")


@dataclass(frozen=True)
class MadePair:
    """Two rides on disk: `ref.mp4`, `new.mp4`, and `truth_map.csv` with columns t_new, t_ref in seconds.

    The truth leaves out what the reference does not show, or shows twice with equal right.
    """

    kind: str
    seed: int
    folder: Path

    @property
    def ref(self) -> Path:
        """The reference run."""
        return self.folder / "ref.mp4"

    @property
    def new(self) -> Path:
        """The new run."""
        return self.folder / "new.mp4"

    @property
    def truth(self) -> Path:
        """The true times."""
        return self.folder / "truth_map.csv"


@dataclass(frozen=True)
class Pace:
    """How fast a rider goes: about `mps`, faster and slower by the share `swing`, at rest in `stops_s`."""

    mps: float = _MPS
    swing: float = 0.12
    stops_s: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Ride:
    """One ride along `trail` from `start_m` to `end_m`, `line_m` metres off the path's middle at most."""

    trail: Trail
    start_m: float
    end_m: float
    camera: Camera
    pace: Pace = Pace()
    line_m: float = 0.15
    season: Season = SUMMER
    day: int = 0

    def positions_m(self) -> FloatArray:
        """Where the rider is, every `_STEP_S`, until the end."""
        a, b = np.random.default_rng((self.camera.seed, 5)).uniform(0, 2 * math.pi, 2)
        t_s = np.arange(0, 4 * (self.end_m - self.start_m) / self.pace.mps, _STEP_S)
        wave = 0.6 * np.sin(0.45 * t_s + a) + 0.4 * np.sin(1.3 * t_s + b)
        mps = self.pace.mps * (1 + self.pace.swing * wave)
        for start_s, end_s in self.pace.stops_s:
            # Braking and setting off take half a second.
            mps *= np.clip(np.maximum(start_s - t_s, t_s - end_s) / 0.5, 0, 1)
        positions = self.start_m + np.cumsum(mps) * _STEP_S
        return positions[: np.searchsorted(positions, self.end_m)]

    def lateral_m(self, position_m: FloatArray) -> FloatArray:
        """How far to the right of the path's middle the rider is at each place."""
        phase = np.random.default_rng((self.camera.seed, 6)).uniform(0, 2 * math.pi)
        return self.line_m * (0.5 + 0.5 * np.sin(0.11 * position_m + phase))


@dataclass(frozen=True)
class Recipe:
    """A reference ride and a new one; `place_m` is where on the reference's trail a place of the new one is,
    nan where that is nowhere or in several places."""

    ref: Ride
    new: Ride
    place_m: Callable[[FloatArray], FloatArray] = lambda position_m: position_m


def make_pair(kind: str, seed: int, folder: Path) -> MadePair:
    """The pair of `kind` (one of `KINDS`) and `seed`, rendered into its own folder in `folder` unless it is
    there already."""
    pair = MadePair(kind, seed, folder / f"{kind}-{seed}")
    recipe = recipe_of(kind, seed)
    stamp, digest = pair.folder / "recipe", _digest(recipe)
    if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
        return pair
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        made = MadePair(kind, seed, Path(name) / "made")
        made.folder.mkdir()
        render(recipe.ref, made.ref)
        render(recipe.new, made.new)
        rows = "".join(f"{t_new:.3f},{t_ref:.4f}\n" for t_new, t_ref in zip(*true_times(recipe), strict=True))
        made.truth.write_text("t_new,t_ref\n" + rows, encoding="ascii", newline="\n")
        (made.folder / "recipe").write_text(digest, encoding="ascii")
        shutil.rmtree(pair.folder, ignore_errors=True)
        made.folder.replace(pair.folder)
    return pair


def _digest(recipe: Recipe) -> str:
    """Short name for all that the pictures and the truth follow from."""
    digest = hashlib.sha256(repr((RATE, SIZE, recipe.ref, recipe.new)).encode())
    for name in _DRAWN_BY:
        digest.update(Path(__file__).with_name(name).read_bytes())
    for ride in (recipe.ref, recipe.new):
        digest.update(ride.lateral_m(ride.positions_m()).tobytes())
    for times_s in true_times(recipe):
        digest.update(times_s.tobytes())
    return digest.hexdigest()


def recipe_of(kind: str, seed: int) -> Recipe:
    """What is to be rendered for a kind and a seed, without rendering it."""
    return _KINDS[kind](_plain(seed))


def true_times(recipe: Recipe) -> tuple[FloatArray, FloatArray]:
    """Moments of the new run, `_TRUTH_STEP_S` apart, and when the reference was at the same place."""
    ref_m, new_m = recipe.ref.positions_m(), recipe.new.positions_m()
    t_new = np.arange(0, new_m.size * _STEP_S, _TRUTH_STEP_S)
    place_m = recipe.place_m(new_m[np.round(t_new / _STEP_S).astype(int)])
    t_ref = np.interp(place_m, ref_m, np.arange(ref_m.size) * _STEP_S, left=np.nan, right=np.nan)
    known = np.isfinite(t_ref)
    return t_new[known], t_ref[known]


def render(ride: Ride, path: Path, rate: int = RATE) -> None:
    """Film a ride, at `rate` pictures a second."""
    positions = ride.positions_m()
    moments = np.arange(0, (positions.size - 1) * _STEP_S, 1 / rate).tolist()
    places = positions[np.round(np.array(moments) / _STEP_S).astype(int)]
    pictures = (
        filmed(
            ride.camera,
            ride.trail,
            place_m,
            t_s,
            SIZE,
            lateral_m=lateral_m,
            season=ride.season,
            day=ride.day,
        )
        for t_s, place_m, lateral_m in zip(
            moments, places.tolist(), ride.lateral_m(places).tolist(), strict=True
        )
    )
    write_video(path, pictures, rate, gop=rate)


def _plain(seed: int) -> Recipe:
    """Two rides on two days; the new one sets off a few metres on. Each kind is this and one thing more."""
    trail = Trail(1000 + seed, _LENGTH_M)
    ref = Ride(trail, 0.0, _LENGTH_M - 10, Camera(seed=2 * seed))
    new = Ride(trail, 6.0, _LENGTH_M - 14, Camera(seed=2 * seed + 1, gain=0.9), Pace(1.1 * _MPS), day=1)
    return Recipe(ref, new)


def _variable_speed(plain: Recipe) -> Recipe:
    return replace(plain, new=replace(plain.new, pace=Pace(_MPS, swing=0.55)))


def _stop_in_new(plain: Recipe) -> Recipe:
    return replace(plain, new=replace(plain.new, pace=Pace(_MPS, stops_s=((14.0, 20.0),))))


def _stop_in_ref(plain: Recipe) -> Recipe:
    return replace(plain, ref=replace(plain.ref, pace=Pace(_MPS, stops_s=((17.0, 23.0),))))


def _exposure(plain: Recipe) -> Recipe:
    camera = replace(plain.new.camera, gain=1.1, exposure=Exposure(swing=0.6, jumps_s=(9.0, 21.0)))
    return replace(plain, new=replace(plain.new, camera=camera))


def _shake(plain: Recipe) -> Recipe:
    def shaken(ride: Ride, shake_rad: float) -> Ride:
        return replace(ride, camera=replace(ride.camera, shake_rad=shake_rad, exposure_s=1 / 40))

    return replace(plain, ref=shaken(plain.ref, 0.015), new=shaken(plain.new, 0.03))


def _rain(plain: Recipe) -> Recipe:
    camera = replace(plain.new.camera, rain=True, gain=0.75, noise=4.0)
    return replace(plain, new=replace(plain.new, camera=camera))


def _lens(plain: Recipe) -> Recipe:
    # 0.6 widths are 80 degrees across; 0.45 are 96, as when a camera is set to a wider view.
    camera = replace(plain.new.camera, focal=0.45, barrel=0.08)
    return replace(plain, new=replace(plain.new, camera=camera))


def _season(plain: Recipe) -> Recipe:
    season = FIRST_SNOW if plain.new.camera.seed % 4 == 1 else LATE_AUTUMN
    return replace(plain, new=replace(plain.new, season=season))


def _look_alikes(plain: Recipe) -> Recipe:
    trail = replace(plain.ref.trail, copies=(Copy(60, 20, 15), Copy(100, 20, 15)))
    return Recipe(replace(plain.ref, trail=trail), replace(plain.new, trail=trail))


_LOOP_AT_M, _LOOP_M = 35, 60


def _two_laps(plain: Recipe) -> Recipe:
    second = Copy(_LOOP_AT_M + _LOOP_M, _LOOP_AT_M, _LOOP_M)
    onwards = Copy(_LOOP_AT_M + 2 * _LOOP_M, _LOOP_AT_M + _LOOP_M, _LENGTH_M)
    trail = Trail(plain.ref.trail.seed, _LENGTH_M + 30, (second, onwards))
    return Recipe(
        replace(plain.ref, trail=trail, end_m=_LENGTH_M + 20),
        replace(plain.new, trail=trail, end_m=_LENGTH_M + 16),
    )


def _one_lap_of_two(plain: Recipe) -> Recipe:
    """The reference goes round twice, the new run once: either lap is right, so neither is in the truth."""
    both = _two_laps(plain)
    new = replace(plain.new, trail=Trail(plain.ref.trail.seed, _LENGTH_M), end_m=_LENGTH_M - _LOOP_M + 16)

    def place_m(position_m: FloatArray) -> FloatArray:
        in_loop = (position_m >= _LOOP_AT_M) & (position_m < _LOOP_AT_M + _LOOP_M)
        beyond = np.where(position_m >= _LOOP_AT_M + _LOOP_M, position_m + _LOOP_M, position_m)
        return np.where(in_loop, np.nan, beyond)

    return Recipe(both.ref, new, place_m)


def _slow(plain: Recipe) -> Recipe:
    return replace(plain, new=replace(plain.new, start_m=30.0, end_m=110.0, pace=Pace(_MPS / 3)))


def _other_line(plain: Recipe) -> Recipe:
    camera = replace(plain.new.camera, roll_rad=0.07, pitch_rad=0.05)
    return replace(plain, new=replace(plain.new, line_m=1.0, camera=camera))


_KINDS: dict[str, Callable[[Recipe], Recipe]] = {
    "variable_speed": _variable_speed,
    "stop_in_new": _stop_in_new,
    "stop_in_ref": _stop_in_ref,
    "exposure": _exposure,
    "shake": _shake,
    "rain": _rain,
    "lens": _lens,
    "season": _season,
    "look_alikes": _look_alikes,
    "two_laps": _two_laps,
    "one_lap_of_two": _one_lap_of_two,
    "slow": _slow,
    "other_line": _other_line,
}
KINDS = tuple(_KINDS)
