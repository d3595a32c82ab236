"""From a receiver's fixes to a track on a recording's clock: which fixes count, and where they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from mtbsync_engine.model import FloatArray, Track

TRACK_HZ = 10.0
# A civil receiver under open sky, and what one unit of horizontal dilution of precision stands for.
DEFAULT_ACCURACY_M = 3.0
_ACCURACY_PER_DOP_M = 3.0
# A dilution of ten: what lies above is usually called fair or poor, and tells no bend from the next.
VAGUEST_M = 30.0
# 250 km/h: no rider and hardly a car goes faster, and a receiver that lost its place jumps by more.
_FASTEST_MPS = 70.0
# Faster than this a position changes in its last digit from fix to fix, or it is an old one.
_SURELY_MOVING_MPS = 1.0
# Over how many stretches between jumps a receiver that lost its place may come back to it.
_JUMPS_BRIDGED = 64
# Cameras write 10 or 18 positions a second, a hand's breadth apart. Five a second hold all that a rider
# can do, and the mean of each fifth takes most of the rounding out of the speed.
_CELL_S = 0.2
# Of a cell: what comes five times a second to the millisecond is not to be split by rounding.
_ROUNDING = 0.005
_LONGEST_GAP_S = 10.0
# How fast a rider may leave the line drawn across a longer gap.
_GAP_GROWTH_MPS = 2.0
# WGS 84.
_EQUATOR_RADIUS_M = 6_378_137.0
_ECCENTRICITY_SQUARED = 6.694_379_990_14e-3


@dataclass(frozen=True, eq=False)
class Fixes:
    """Positions as a receiver recorded them, in order of time.

    Arrays of length N: `t_s` strictly increasing seconds, POSIX where a file's own dates tell the time (GPX,
    FIT) and from the recording's first picture where they come with a video; `lat_deg`, `lon_deg`, `ele_m`
    (nan where unknown), `accuracy_m` one standard error of the position (inf where the receiver had no lock),
    `speed_mps` what the receiver itself said of its speed over ground (nan where it said nothing).
    """

    t_s: FloatArray
    lat_deg: FloatArray
    lon_deg: FloatArray
    ele_m: FloatArray
    accuracy_m: FloatArray
    speed_mps: FloatArray

    def __len__(self) -> int:
        return int(self.t_s.size)

    def covers(self, utc: datetime) -> bool:
        """Whether the receiver was recording at `utc` (taken as UTC when it names no zone), its times being
        POSIX seconds."""
        return bool(self.t_s[0] <= posix_s(utc) <= self.t_s[-1])

    def at(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Fixes:
        """Those of the fixes that `rows` picks."""
        return Fixes(*(getattr(self, field.name)[rows] for field in fields(self)))

    def later(self, by_s: float) -> Fixes:
        """The same fixes with `by_s` added to every time."""
        return Fixes(self.t_s + by_s, self.lat_deg, self.lon_deg, self.ele_m, self.accuracy_m, self.speed_mps)


@dataclass(frozen=True)
class Dropped:
    """How many fixes were left aside, and why.

    `no_lock`: the receiver had none, or gave no place on Earth. `vague`: its accuracy was worse than 30 m.
    `stale`: it repeated an old position while it moved. `jumps`: nobody gets there that fast.
    """

    no_lock: int = 0
    vague: int = 0
    stale: int = 0
    jumps: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.no_lock + self.vague + self.stale + self.jumps


def usable(fixes: Fixes) -> tuple[Fixes, Dropped]:
    """The fixes that can be believed, and how many others there were. There may be none left."""
    # The sea off Africa at 0, 0 is what receivers write before they know better.
    on_earth = (np.abs(fixes.lat_deg) <= 90) & (np.abs(fixes.lon_deg) <= 180)
    locked = on_earth & ((fixes.lat_deg != 0) | (fixes.lon_deg != 0)) & np.isfinite(fixes.accuracy_m)
    left = fixes.at(locked)
    precise = left.at(left.accuracy_m <= VAGUEST_M)
    fresh = precise.at(~_is_stale(precise))
    believed = fresh.at(_without_jumps(fresh))
    dropped = Dropped(
        no_lock=len(fixes) - len(left),
        vague=len(left) - len(precise),
        stale=len(precise) - len(fresh),
        jumps=len(fresh) - len(believed),
    )
    return believed, dropped


def thinned(fixes: Fixes) -> Fixes:
    """Five fixes a second at most: the means of those that come closer together."""
    if len(fixes) == 0:
        return fixes
    mean = cell_means(fixes.t_s, _CELL_S)
    if mean(fixes.t_s).size == len(fixes):
        return fixes
    lon_deg = fixes.lon_deg[0] + mean(_short_way(fixes.lon_deg - fixes.lon_deg[0]))
    return Fixes(
        mean(fixes.t_s),
        mean(fixes.lat_deg),
        _short_way(lon_deg),
        mean(fixes.ele_m),
        mean(fixes.accuracy_m),
        mean(fixes.speed_mps),
    )


def cell_means(t_s: FloatArray, cell_s: float) -> Callable[[FloatArray], FloatArray]:
    """A function that takes values at `t_s` (N,), which increase, to their means over cells of `cell_s`
    seconds from the first. Cells that no time falls in are left out."""
    cell = np.floor((t_s - t_s[0]) / cell_s + _ROUNDING)
    first = np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))
    n = np.diff(first, append=t_s.size)

    def mean(values: FloatArray) -> FloatArray:
        means: FloatArray = np.add.reduceat(values, first) / n
        return means

    return mean


def place_by_date(fixes: Fixes, recording_start_utc: datetime | None, offset_s: float) -> Track | None:
    """The track of a device apart from the camera, on the clock of the recording it goes with.

    The first picture was taken at `recording_start_utc` where that lies within the fixes' times; else the
    first fix that counts is taken to be the first picture. `offset_s` is then added to every time. None when
    fewer than two fixes can be believed.
    """
    believed, _ = usable(fixes)
    if len(believed) < 2:
        return None
    start_s = float(believed.t_s[0])
    if recording_start_utc is not None and believed.covers(recording_start_utc):
        start_s = posix_s(recording_start_utc)
    return track_from_fixes(thinned(believed), start_s - offset_s)


def track_from_fixes(fixes: Fixes, video_start_s: float) -> Track:
    """Lay two fixes or more on a plane around the first, at 10 Hz, with t_s = 0 at their `video_start_s`.

    Monotone cubics (PCHIP) join the fixes, so speed runs on smoothly and a rider who stands still does
    not sway. Across gaps of more than ten seconds nobody knows where the rider went: there the accuracy
    loses 2 m for every second to the nearest fix.
    """
    origin = float(fixes.lat_deg[0]), float(fixes.lon_deg[0])
    east_m, north_m = to_plane(fixes.lat_deg, fixes.lon_deg, *origin)
    span_s = fixes.t_s[-1] - fixes.t_s[0]
    t_s = np.linspace(fixes.t_s[0], fixes.t_s[-1], max(2, round(span_s * TRACK_HZ) + 1))
    before = np.clip(np.searchsorted(fixes.t_s, t_s, side="right") - 1, 0, fixes.t_s.size - 2)
    since_s, until_s = t_s - fixes.t_s[before], fixes.t_s[before + 1] - t_s
    unknown_s = np.where(since_s + until_s > _LONGEST_GAP_S, np.minimum(since_s, until_s), 0.0)
    return Track(
        t_s=t_s - video_start_s,
        east_m=PchipInterpolator(fixes.t_s, east_m)(t_s),
        north_m=PchipInterpolator(fixes.t_s, north_m)(t_s),
        ele_m=np.interp(t_s, fixes.t_s, fixes.ele_m),
        accuracy_m=np.hypot(np.interp(t_s, fixes.t_s, fixes.accuracy_m), _GAP_GROWTH_MPS * unknown_s),
        origin_lat_deg=origin[0],
        origin_lon_deg=origin[1],
    )


def to_plane(
    lat_deg: FloatArray, lon_deg: FloatArray, origin_lat_deg: float, origin_lon_deg: float
) -> tuple[FloatArray, FloatArray]:
    """Metres east and north of an origin: equirectangular, with the radii of WGS 84 at the origin.

    Exact at the origin. Distances east-west err by 0.016 % times tan(latitude) for each kilometre north
    or south of it: at 47 degrees and 30 km away by 0.5 %, the same for every track on the plane.
    """
    north_per_deg, east_per_deg = _metres_per_degree(origin_lat_deg)
    return _short_way(lon_deg - origin_lon_deg) * east_per_deg, (lat_deg - origin_lat_deg) * north_per_deg


def from_plane(
    east_m: FloatArray, north_m: FloatArray, origin_lat_deg: float, origin_lon_deg: float
) -> tuple[FloatArray, FloatArray]:
    """The inverse of `to_plane`: latitude and longitude in degrees."""
    north_per_deg, east_per_deg = _metres_per_degree(origin_lat_deg)
    return origin_lat_deg + north_m / north_per_deg, origin_lon_deg + east_m / east_per_deg


def accuracy_from_dop(dop: FloatArray) -> FloatArray:
    """One standard error in metres for a dilution of precision; 3 m where it is not known (nan or 0)."""
    known = dop > 0
    return np.where(known, np.where(known, dop, 1.0) * _ACCURACY_PER_DOP_M, DEFAULT_ACCURACY_M)


def increasing(t_s: FloatArray) -> NDArray[np.bool_]:
    """Which times are later than all before them."""
    later: NDArray[np.bool_] = np.diff(np.maximum.accumulate(t_s), prepend=-np.inf) > 0
    return later


def posix_s(time: datetime) -> float:
    """POSIX seconds of a time, taken as UTC when it names no zone."""
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _is_stale(fixes: Fixes) -> NDArray[np.bool_]:
    same = (np.diff(fixes.lat_deg) == 0) & (np.diff(fixes.lon_deg) == 0)
    stale: NDArray[np.bool_] = np.append(False, same)[: len(fixes)] & (fixes.speed_mps > _SURELY_MOVING_MPS)
    return stale


def _without_jumps(fixes: Fixes) -> NDArray[np.bool_]:
    """Of all ways to visit fixes in turn at a speed that can be, the one that visits the most.

    Where a receiver starts with last week's place, or loses its own for a while, most fixes agree with
    each other and the others do not.
    """
    if len(fixes) < 2:
        return np.ones(len(fixes), dtype=np.bool_)
    east_m, north_m = to_plane(
        fixes.lat_deg, fixes.lon_deg, float(np.median(fixes.lat_deg)), float(fixes.lon_deg[0])
    )

    def reachable(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
        distance_m = np.hypot(east_m[b] - east_m[a], north_m[b] - north_m[a])
        within_m = _FASTEST_MPS * (fixes.t_s[b] - fixes.t_s[a]) + fixes.accuracy_m[a] + fixes.accuracy_m[b]
        return np.asarray(distance_m <= within_m)

    every = np.arange(len(fixes))
    jumps = np.flatnonzero(~reachable(every[:-1], every[1:]))
    start, end = np.append(0, jumps + 1), np.append(jumps, len(fixes) - 1)
    n_best, previous = end - start + 1, np.full(start.size, -1)
    for k in range(1, start.size):
        earlier = np.arange(max(0, k - _JUMPS_BRIDGED), k)
        n = np.where(reachable(end[earlier], np.full(earlier.size, start[k])), n_best[earlier], 0)
        if n.max() > 0:
            previous[k] = earlier[n.argmax()]
            n_best[k] += n.max()
    keep = np.zeros(len(fixes), dtype=np.bool_)
    k = int(n_best.argmax())
    while k >= 0:
        keep[start[k] : end[k] + 1] = True
        k = int(previous[k])
    return keep


def _short_way(lon_deg: FloatArray) -> FloatArray:
    """A longitude or a difference of two from -180 up to 180 degrees: across the date line the short way."""
    return (lon_deg + 180.0) % 360.0 - 180.0


def _metres_per_degree(lat_deg: float) -> tuple[float, float]:
    """North and east, from the ellipsoid's radii of curvature along the meridian and across it."""
    lat = np.radians(lat_deg)
    squeeze = 1 - _ECCENTRICITY_SQUARED * np.sin(lat) ** 2
    across_m = _EQUATOR_RADIUS_M / np.sqrt(squeeze)
    along_m = across_m * (1 - _ECCENTRICITY_SQUARED) / squeeze
    return float(np.radians(along_m)), float(np.radians(across_m * np.cos(lat)))
