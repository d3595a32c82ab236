"""Cameras other than GoPro's (DJI, Insta360, Sony and more), by the optional package telemetry-parser.

`pip install mtbsync[telemetry]` brings it. It turns every make's axes into one set, so that turning rates and
acceleration share theirs, and gives them in degrees a second and m/s²; positions come from Insta360 and few
others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtbsync_engine.model import FloatArray, Motion
from mtbsync_engine.telemetry.motion import turning, up_from_acceleration
from mtbsync_engine.telemetry.track import DEFAULT_ACCURACY_M, Fixes, increasing

_KMH = 3.6


@dataclass(frozen=True, eq=False)
class OtherNotes:
    """What one file tells: the camera's name, `fixes` at POSIX seconds, and how it turned, in seconds from
    the file's first picture."""

    camera: str
    fixes: Fixes | None
    motion: Motion | None


def read_other(path: Path) -> OtherNotes | None:
    """What telemetry-parser finds in a video; None without the package, or when it finds nothing.

    The package tells in no way but by an error that a file is of no kind it knows.
    """
    try:
        from telemetry_parser import Parser  # noqa: PLC0415 - optional
    except ImportError:
        return None
    try:
        parser = Parser(str(path))
        blocks, samples = parser.telemetry(), parser.normalized_imu()
    except (OSError, ValueError, RuntimeError):
        return None
    except BaseException as error:
        # What goes wrong inside comes as an error that no module offers by name.
        if type(error).__name__ != "PanicException":
            raise
        return None
    camera = " ".join(str(part) for part in (parser.camera, parser.model) if part)
    return OtherNotes(camera, fixes_from_blocks(blocks), motion_from_imu(samples))


def motion_from_imu(samples: list[dict[str, Any]]) -> Motion | None:
    """How a camera turned, from what `Parser.normalized_imu` returns."""
    complete = [s for s in samples if s.get("gyro") is not None and s.get("accl") is not None]
    if not complete:
        return None
    t_s = np.array([float(s["timestamp_ms"]) for s in complete]) / 1000
    gyro_radps = np.radians(np.array([s["gyro"] for s in complete], dtype=np.float64))
    acceleration = np.array([s["accl"] for s in complete], dtype=np.float64)
    good = increasing(t_s)
    good &= np.isfinite(gyro_radps).all(axis=1) & np.isfinite(acceleration).all(axis=1)
    t_s, gyro_radps, acceleration = t_s[good], gyro_radps[good], acceleration[good]
    if t_s.size == 0:
        return None
    return turning(t_s, gyro_radps, t_s, up_from_acceleration(t_s, acceleration))


def fixes_from_blocks(blocks: list[dict[str, Any]]) -> Fixes | None:
    """The positions in what `Parser.telemetry` returns, at POSIX seconds; None where they have no dates."""
    rows = sorted(_positions(blocks))
    if not rows:
        return None
    table: FloatArray = np.array(rows)
    _, first_of_its_time = np.unique(table[:, 0], return_index=True)
    return Fixes(*table[first_of_its_time].T)


def _positions(blocks: list[dict[str, Any]]) -> Iterator[tuple[float, ...]]:
    for block in blocks:
        data = block.get("GPS", {}).get("Data")
        for fix in data if isinstance(data, list) else ():
            if isinstance(fix, dict) and {"unix_timestamp", "lat", "lon"} <= fix.keys():
                yield (
                    float(fix["unix_timestamp"]),
                    float(fix["lat"]),
                    float(fix["lon"]),
                    float(fix.get("altitude", math.nan)),
                    DEFAULT_ACCURACY_M if fix.get("is_acquired", True) else math.inf,
                    float(fix.get("speed", math.nan)) / _KMH,
                )
