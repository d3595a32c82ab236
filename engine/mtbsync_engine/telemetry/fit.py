"""FIT files, as sports watches and bicycle computers write them: the fixes in them.

The format is Garmin's (Flexible and Interoperable Data Transfer protocol); the package fitdecode reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from fitdecode import CrcCheck, ErrorHandling, FitDataMessage, FitError, FitReader

from mtbsync_engine.errors import TelemetryError
from mtbsync_engine.telemetry.track import DEFAULT_ACCURACY_M, Fixes, posix_s

# Positions are in 2^31 parts of half a circle.
_DEG_PER_SEMICIRCLE = 180.0 / 2**31
# A day at 1 Hz takes 5 MB; thirty times that would be minutes of reading.
_MAX_BYTES = 32 * 1024 * 1024
_MAX_SPAN_S = 48 * 3600.0
# The package checks the file's sum at its end only; until then what is broken can look like anything.
_DAMAGE = (
    FitError,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def read_fit(path: Path) -> Fixes:
    """Read every record of a FIT file with a time and a position, sorted; of equal times the first counts.

    `accuracy_m` is the file's own `gps_accuracy` where it has one, else 3 m.

    Raises:
        TelemetryError: no such file, too large, not FIT, damaged, fewer than two records with positions at
            times of their own, or times more than two days apart.
    """
    data = _bytes(path)
    try:
        rows = sorted(_rows(data), key=lambda row: row[0])
    except _DAMAGE:
        raise TelemetryError(
            f"'{path.name}' is not a FIT file that can be read, or breaks off; export it again."
        ) from None
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    _, first_of_its_time = np.unique(table[:, 0], return_index=True)
    table = table[first_of_its_time]
    if len(table) < 2:
        raise TelemetryError(
            f"'{path.name}' holds no positions; give the ride as a device with GPS recorded it."
        )
    if table[-1, 0] - table[0, 0] > _MAX_SPAN_S:
        raise TelemetryError(f"'{path.name}' goes on for more than two days; export the one ride by itself.")
    return Fixes(*table.T)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise TelemetryError(
                f"'{path.name}' is larger than {_MAX_BYTES >> 20} MB; export the one ride by itself."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise TelemetryError(f"There is no FIT file '{path}'; check the path.") from None
    except OSError as error:
        raise TelemetryError(f"'{path}' cannot be read as a FIT file ({error.strerror}).") from None


def _rows(data: bytes) -> Iterator[tuple[float, ...]]:
    """POSIX seconds, latitude, longitude, elevation, accuracy and speed of each record with a position."""
    with FitReader(data, check_crc=CrcCheck.RAISE, error_handling=ErrorHandling.IGNORE) as frames:
        for frame in frames:
            if not (isinstance(frame, FitDataMessage) and frame.name == "record"):
                continue
            time = frame.get_value("timestamp", fallback=None)
            lat, lon = (frame.get_value(f"position_{name}", fallback=None) for name in ("lat", "long"))
            if time is None or lat is None or lon is None:
                continue
            yield (
                posix_s(time),
                lat * _DEG_PER_SEMICIRCLE,
                lon * _DEG_PER_SEMICIRCLE,
                _number(frame, np.nan, "enhanced_altitude", "altitude"),
                _number(frame, 0.0, "gps_accuracy") or DEFAULT_ACCURACY_M,
                _number(frame, np.nan, "enhanced_speed", "speed"),
            )


def _number(frame: FitDataMessage, otherwise: float, *names: str) -> float:
    """The first of the fields that the record has."""
    values = (frame.get_value(name, fallback=None) for name in names)
    return next((float(value) for value in values if value is not None), otherwise)
