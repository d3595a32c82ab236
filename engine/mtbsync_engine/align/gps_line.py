"""What a track drew on the ground, and where its rider stood still.

Places are complex numbers here and in the modules that build on this one, metres east + 1j * metres north,
and headings complex numbers of length 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtbsync_engine.model import FloatArray, Track
from mtbsync_engine.telemetry.track import from_plane, to_plane

BoolArray = NDArray[np.bool_]
Plane = NDArray[np.complex128]

KNOT_SPACING_S = 0.5
# A position as uncertain as this says nothing about where the rider is.
WORST_ACCURACY_M = 20.0

_STANDING_MPS = 0.7
_STANDING_S = 3.0
_STANDING_WINDOWS_S = np.linspace(-_STANDING_S, 0.0, 7)


@dataclass(frozen=True, eq=False)
class Line:
    """What a track drew on the ground, without its stops and what is uncertain: places at distances `s_m`
    along it, and the times `t_s` it was there; all (n,)."""

    s_m: FloatArray
    t_s: FloatArray
    place_m: Plane

    @property
    def length_m(self) -> float:
        """The distance from its first place to its last, along it."""
        return float(self.s_m[-1]) if self.s_m.size else 0.0

    def place(self, s_m: FloatArray) -> Plane:
        """The place at each distance; beyond the ends, the ends."""
        return np.interp(s_m, self.s_m, self.place_m)

    def heading(self, s_m: FloatArray, reach_m: float) -> Plane:
        """The heading from `reach_m` before each distance to `reach_m` after it."""
        step = self.place(s_m + reach_m) - self.place(s_m - reach_m)
        # A line may turn back on itself, and then has none.
        return step / np.maximum(np.abs(step), 1e-6)

    def time(self, s_m: FloatArray) -> FloatArray:
        """When the rider was at each distance."""
        return np.interp(s_m, self.s_m, self.t_s)


def line_of(track: Track) -> Line:
    """The line that `track` drew."""
    t_s = knots(track)
    accuracy_m = np.interp(t_s, track.t_s, track.accuracy_m)
    t_s = t_s[(accuracy_m <= WORST_ACCURACY_M) & ~standing(track, t_s)]
    place_m = place_at(track, t_s)
    return Line(np.cumsum(np.abs(np.diff(place_m, prepend=place_m[:1]))), t_s, place_m)


def knots(track: Track) -> FloatArray:
    """Times from the track's first to its last, half a second apart or a little less."""
    n_steps = math.ceil((track.t_s[-1] - track.t_s[0]) / KNOT_SPACING_S)
    return np.linspace(track.t_s[0], track.t_s[-1], n_steps + 1)


def on_plane_of(other: Track, track: Track) -> Track:
    """The same track in metres from the other's origin."""
    lat_deg, lon_deg = from_plane(track.east_m, track.north_m, track.origin_lat_deg, track.origin_lon_deg)
    origin = other.origin_lat_deg, other.origin_lon_deg
    east_m, north_m = to_plane(lat_deg, lon_deg, *origin)
    return replace(track, east_m=east_m, north_m=north_m, origin_lat_deg=origin[0], origin_lon_deg=origin[1])


def place_at(track: Track, t_s: FloatArray) -> Plane:
    """Where `track` was at each `t_s` (n,); beyond its ends, at the ends."""
    places: Plane = track.east_m + 1j * track.north_m
    return np.interp(t_s, track.t_s, places)


def points_of(line: Line) -> FloatArray:
    """Its places as metres east and north, (n, 2)."""
    return np.column_stack([line.place_m.real, line.place_m.imag])


def standing(track: Track, t_s: ArrayLike) -> BoolArray:
    """Whether each `t_s` lies in three seconds over which the rider gets on at less than 0.7 m/s.

    Where the track does not tell, before it, after it and in long gaps, nobody is said to stand.
    """
    t = np.asarray(t_s, dtype=np.float64)
    begin = t[..., None] + _STANDING_WINDOWS_S
    begin, end = (np.clip(edge, track.t_s[0], track.t_s[-1]) for edge in (begin, begin + _STANDING_S))
    # By way of the middle, else a sharp hairpin looks like a stand.
    by_way = np.stack([place_at(track, when) for when in (begin, (begin + end) / 2, end)])
    slow = np.abs(np.diff(by_way, axis=0)).sum(axis=0) < _STANDING_MPS * (end - begin)
    known = np.interp(t, track.t_s, track.accuracy_m, left=np.inf, right=np.inf) <= WORST_ACCURACY_M
    still: BoolArray = known & slow.any(axis=-1)
    return still


def squared(z: Plane) -> FloatArray:
    """The square of each distance."""
    return z.real**2 + z.imag**2
