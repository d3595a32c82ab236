"""GPX files (topografix.com/GPX/1/1): the fixes in them, and how they lie on a recording's clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import gpxpy
import numpy as np
from gpxpy.gpx import GPXException
from scipy.interpolate import PchipInterpolator

from mtbsync_engine.errors import TelemetryError
from mtbsync_engine.model import FloatArray, Track

TRACK_HZ = 10.0
# A civil receiver under open sky, and what one unit of horizontal dilution of precision stands for.
_DEFAULT_ACCURACY_M = 3.0
_ACCURACY_PER_HDOP_M = 3.0
_LONGEST_GAP_S = 10.0
# How fast a rider may leave the line drawn across a longer gap.
_GAP_GROWTH_MPS = 2.0
# Parsed, a file takes sixteen times its size: a day at 1 Hz fits, with heart rate and cadence in every point.
_MAX_BYTES = 32 * 1024 * 1024
_MAX_SPAN_S = 48 * 3600.0
# Entities can expand without end. A namespace that is never assigned makes gpxpy search the rest of the
# file for it, each time anew.
_HOSTILE = re.compile(r"<!ENTITY|\sxmlns[^=]{1000}")
# WGS 84.
_EQUATOR_RADIUS_M = 6_378_137.0
_ECCENTRICITY_SQUARED = 6.694_379_990_14e-3


@dataclass(frozen=True, eq=False)
class Fixes:
    """Positions as a receiver recorded them, in order of time.

    Arrays of length N >= 2: `utc_s` strictly increasing POSIX seconds, `lat_deg`, `lon_deg`, `ele_m`
    (nan where unknown), `accuracy_m` one standard error of the position.
    """

    utc_s: FloatArray
    lat_deg: FloatArray
    lon_deg: FloatArray
    ele_m: FloatArray
    accuracy_m: FloatArray

    def covers(self, utc: datetime) -> bool:
        """Whether the receiver was recording at `utc` (taken as UTC when it names no zone)."""
        return bool(self.utc_s[0] <= _posix_s(utc) <= self.utc_s[-1])


def read_gpx(path: Path, *, video_start_utc: datetime | None = None, offset_s: float = 0.0) -> Track:
    """Read all of a GPX file's tracks as one, on the clock of the recording they go with.

    The first picture was taken at `video_start_utc` where that lies within the file's times; else the
    file's first fix is taken to be the first picture (`read_fixes(path).covers(video_start_utc)` tells
    which). `offset_s` is then added to every time.

    Raises:
        TelemetryError: see `read_fixes`.
    """
    fixes = read_fixes(path)
    video_start_s = float(fixes.utc_s[0])
    if video_start_utc is not None and fixes.covers(video_start_utc):
        video_start_s = _posix_s(video_start_utc)
    return track_from_fixes(fixes, video_start_s - offset_s)


def read_fixes(path: Path) -> Fixes:
    """Read every timed track point of a GPX file, sorted; of points with the same time the first counts.

    Raises:
        TelemetryError: no such file, too large, not GPX, fewer than two points with times of their own,
            times more than two days apart, or a position that is not on Earth.
    """
    segments = [segment for track in _parsed(path).tracks for segment in track.segments]
    points = [point for segment in segments for point in segment.points]
    if not points:
        raise TelemetryError(
            f"'{path.name}' has no track points; export the ride as a GPX track, not as a route or waypoints."
        )
    try:
        timed = [(_posix_s(point.time), point) for point in points if point.time is not None]
    except ValueError:
        raise TelemetryError(
            f"'{path.name}' holds a time in a zone that does not exist; export the ride again."
        ) from None
    if not timed:
        raise TelemetryError(
            f"The points of '{path.name}' have no times; export the recorded ride, not the planned route."
        )
    utc_s, first_of_its_time = np.unique([posix_s for posix_s, _ in timed], return_index=True)
    if utc_s.size < 2:
        raise TelemetryError(
            f"All points of '{path.name}' have the same time; export the recorded ride again."
        )
    if utc_s[-1] - utc_s[0] > _MAX_SPAN_S:
        raise TelemetryError(f"'{path.name}' goes on for more than two days; export the one ride by itself.")
    kept = [timed[k][1] for k in first_of_its_time]
    lat_deg = np.array([point.latitude for point in kept])
    lon_deg = np.array([point.longitude for point in kept])
    # A nan fails both comparisons.
    if not ((np.abs(lat_deg) <= 90) & (np.abs(lon_deg) <= 180)).all():
        raise TelemetryError(f"'{path.name}' holds a position that is not on Earth; export the ride again.")
    return Fixes(
        utc_s,
        lat_deg,
        lon_deg,
        ele_m=_finite_or(np.nan, [point.elevation for point in kept]),
        accuracy_m=_accuracy_m([point.horizontal_dilution for point in kept]),
    )


def track_from_fixes(fixes: Fixes, video_start_s: float) -> Track:
    """Lay fixes on a plane around the first of them, at 10 Hz, with t_s = 0 at POSIX second `video_start_s`.

    Monotone cubics (PCHIP) join the fixes, so speed runs on smoothly and a rider who stands still does
    not sway. Across gaps of more than ten seconds nobody knows where the rider went: there the accuracy
    loses 2 m for every second to the nearest fix.
    """
    origin = float(fixes.lat_deg[0]), float(fixes.lon_deg[0])
    east_m, north_m = to_plane(fixes.lat_deg, fixes.lon_deg, *origin)
    span_s = fixes.utc_s[-1] - fixes.utc_s[0]
    utc_s = np.linspace(fixes.utc_s[0], fixes.utc_s[-1], max(2, round(span_s * TRACK_HZ) + 1))
    before = np.clip(np.searchsorted(fixes.utc_s, utc_s, side="right") - 1, 0, fixes.utc_s.size - 2)
    since_s, until_s = utc_s - fixes.utc_s[before], fixes.utc_s[before + 1] - utc_s
    unknown_s = np.where(since_s + until_s > _LONGEST_GAP_S, np.minimum(since_s, until_s), 0.0)
    return Track(
        t_s=utc_s - video_start_s,
        east_m=PchipInterpolator(fixes.utc_s, east_m)(utc_s),
        north_m=PchipInterpolator(fixes.utc_s, north_m)(utc_s),
        ele_m=np.interp(utc_s, fixes.utc_s, fixes.ele_m),
        accuracy_m=np.hypot(np.interp(utc_s, fixes.utc_s, fixes.accuracy_m), _GAP_GROWTH_MPS * unknown_s),
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
    # Across the date line the short way round.
    lon_off_deg = (lon_deg - origin_lon_deg + 180.0) % 360.0 - 180.0
    return lon_off_deg * east_per_deg, (lat_deg - origin_lat_deg) * north_per_deg


def from_plane(
    east_m: FloatArray, north_m: FloatArray, origin_lat_deg: float, origin_lon_deg: float
) -> tuple[FloatArray, FloatArray]:
    """The inverse of `to_plane`: latitude and longitude in degrees."""
    north_per_deg, east_per_deg = _metres_per_degree(origin_lat_deg)
    return origin_lat_deg + north_m / north_per_deg, origin_lon_deg + east_m / east_per_deg


def _metres_per_degree(lat_deg: float) -> tuple[float, float]:
    """North and east, from the ellipsoid's radii of curvature along the meridian and across it."""
    lat = np.radians(lat_deg)
    squeeze = 1 - _ECCENTRICITY_SQUARED * np.sin(lat) ** 2
    across_m = _EQUATOR_RADIUS_M / np.sqrt(squeeze)
    along_m = across_m * (1 - _ECCENTRICITY_SQUARED) / squeeze
    return float(np.radians(along_m)), float(np.radians(across_m * np.cos(lat)))


def _parsed(path: Path) -> gpxpy.gpx.GPX:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise TelemetryError(
                f"'{path.name}' is larger than {_MAX_BYTES >> 20} MB; export the one ride by itself."
            )
        # Numbers and times are ASCII; a name in another encoding does not matter.
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except FileNotFoundError:
        raise TelemetryError(f"There is no GPX file '{path}'; check the path.") from None
    except OSError as error:
        raise TelemetryError(f"'{path}' cannot be read as a GPX file ({error.strerror}).") from None
    if _HOSTILE.search(text):
        raise TelemetryError(
            f"'{path.name}' defines XML entities or namespaces as no GPX file does; it is refused."
        )
    try:
        return gpxpy.parse(text)
    except GPXException as error:
        raise TelemetryError(
            f"'{path.name}' is not a GPX file that can be read ({error}); export it again."
        ) from None


def _posix_s(time: datetime) -> float:
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _finite_or(otherwise: float, values: list[float | None]) -> FloatArray:
    numbers = np.array(values, dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, otherwise)


def _accuracy_m(hdop: list[float | None]) -> FloatArray:
    known = _finite_or(0.0, hdop)
    return np.where(known > 0, known * _ACCURACY_PER_HDOP_M, _DEFAULT_ACCURACY_M)
