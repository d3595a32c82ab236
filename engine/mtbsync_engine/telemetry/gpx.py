"""GPX files (topografix.com/GPX/1/1): the fixes in them, and fixes written as one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import gpxpy
import numpy as np
from gpxpy.gpx import GPX, GPXException, GPXTrack, GPXTrackPoint, GPXTrackSegment

from mtbsync_engine.errors import TelemetryError
from mtbsync_engine.model import FloatArray
from mtbsync_engine.telemetry.track import Fixes, accuracy_from_dop, posix_s

# Parsed, a file takes sixteen times its size: a day at 1 Hz fits, with heart rate and cadence in every point.
_MAX_BYTES = 32 * 1024 * 1024
_MAX_SPAN_S = 48 * 3600.0
# Entities can expand without end. A namespace that is never assigned makes gpxpy search the rest of the
# file for it, each time anew.
_HOSTILE = re.compile(r"<!ENTITY|\sxmlns[^=]{1000}")


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
        timed = [(posix_s(point.time), point) for point in points if point.time is not None]
    except ValueError:
        raise TelemetryError(
            f"'{path.name}' holds a time in a zone that does not exist; export the ride again."
        ) from None
    if not timed:
        raise TelemetryError(
            f"The points of '{path.name}' have no times; export the recorded ride, not the planned route."
        )
    utc_s, first_of_its_time = np.unique([at_s for at_s, _ in timed], return_index=True)
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
        ele_m=_finite([point.elevation for point in kept]),
        accuracy_m=accuracy_from_dop(_finite([point.horizontal_dilution for point in kept])),
        speed_mps=np.full(utc_s.size, np.nan),
    )


def gpx_text(fixes: Fixes, name: str) -> str:
    """Fixes whose times are POSIX seconds as the text of a GPX 1.1 file with one track called `name`."""
    segment = GPXTrackSegment()
    for t_s, lat_deg, lon_deg, ele_m in zip(
        fixes.t_s, fixes.lat_deg, fixes.lon_deg, fixes.ele_m, strict=True
    ):
        point = GPXTrackPoint(round(float(lat_deg), 8), round(float(lon_deg), 8))
        point.elevation = round(float(ele_m), 2) if np.isfinite(ele_m) else None
        point.time = datetime.fromtimestamp(round(float(t_s), 3), UTC)
        segment.points.append(point)
    document = GPX()
    document.creator = "mtbsync"
    document.tracks.append(GPXTrack(name=name))
    document.tracks[0].segments.append(segment)
    return document.to_xml("1.1")


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


def _finite(values: list[float | None]) -> FloatArray:
    numbers = np.array(values, dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)
