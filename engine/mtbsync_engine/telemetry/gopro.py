"""What the streams of GoPro's telemetry mean: where the camera was and how it turned.

After GoPro's own list of streams (github.com/gopro/gpmf-parser). The payloads lie on the clock of the video.
Times of day do not: cameras keep local time, and their GPS may count leap seconds or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mtbsync_engine.errors import TelemetryError
from mtbsync_engine.media.data import DataPacket
from mtbsync_engine.model import FloatArray, Motion
from mtbsync_engine.telemetry.gpmf import Stream, read_streams
from mtbsync_engine.telemetry.motion import turning, up_from_acceleration
from mtbsync_engine.telemetry.track import Fixes, accuracy_from_dop, increasing

PAYLOAD_BEGINS = b"DEVC"
_PER_PICTURE = "SHUT"
_WANTED = frozenset({"GPS5", "GPS9", "ACCL", "GYRO", "GRAV", _PER_PICTURE})
_COLUMNS = {"GPS5": 5, "GPS9": 9, "ACCL": 3, "GYRO": 3, "GRAV": 3}
# A stamp further from its payload than this counts something else than the video's time, as in a time lapse.
_STAMP_OFF_S = 1.0
# A payload that lasts longer than so many times what it says is followed by one that got lost.
_STRETCH = 1.5
# GPS9 counts days from 2000-01-01.
_GPS_EPOCH_POSIX_S = 946_684_800.0
_DAY_S = 86_400.0
# No camera that wrote this was there before, and none will be after.
_FIRST_POSIX_S, _LAST_POSIX_S = _GPS_EPOCH_POSIX_S, _GPS_EPOCH_POSIX_S + 100 * 365.25 * _DAY_S
_LOCK_2D = 2
# GPS5 gives the dilution of precision in hundredths.
_DOP_UNIT = 100.0
# The gravity vector of a MAX and a HERO11 comes along X, Z and Y of the axes that ORIN names.
_GRAVITY_AXES = "XZY"
# The cosine of half a right angle.
_ALIKE = 0.7


@dataclass(frozen=True, eq=False)
class ChapterNotes:
    """What one file tells, in seconds from its first picture.

    `fixes` are all that the receiver gave, good or bad; `utc_at_zero_s` (K,) are estimates of the first
    picture's POSIX second; `n_damaged` is how many payloads could not be read.
    """

    fixes: Fixes
    motion: Motion | None
    utc_at_zero_s: FloatArray
    n_damaged: int


@dataclass(frozen=True)
class _Payload:
    t_s: float
    duration_s: float
    streams: tuple[Stream, ...]


def read_chapter(packets: Iterable[DataPacket]) -> ChapterNotes | None:
    """What the telemetry packets of one file tell; None when there are none. A damaged one is passed over."""
    payloads: list[_Payload] = []
    n_damaged = 0
    for packet in packets:
        try:
            streams = tuple(s for s in read_streams(packet.data, _WANTED) if _is_whole(s))
        except TelemetryError:
            n_damaged += 1
            continue
        payloads.append(_Payload(packet.t_s, packet.duration_s, streams))
    if not payloads and n_damaged == 0:
        return None
    fixes, utc_at_zero_s = _fixes(payloads)
    return ChapterNotes(fixes, _motion(payloads), utc_at_zero_s, n_damaged)


def _is_whole(stream: Stream) -> bool:
    n, n_columns = stream.values.shape
    return bool(n > 0 and n_columns >= _COLUMNS.get(stream.key, 0))


def _fixes(payloads: list[_Payload]) -> tuple[Fixes, FloatArray]:
    """From GPS9 where the camera has it, else GPS5, which knows lock, precision and date once a payload."""
    t_s, streams = _timed(payloads, "GPS9")
    if streams:
        values = np.concatenate([stream.values[:, :9] for stream in streams])
        dop, lock = values[:, 7], values[:, 8]
        utc_s = _GPS_EPOCH_POSIX_S + values[:, 5] * _DAY_S + values[:, 6]
    else:
        t_s, streams = _timed(payloads, "GPS5")
        values = np.concatenate([np.zeros((0, 5)), *(stream.values[:, :5] for stream in streams)])
        n = [stream.values.shape[0] for stream in streams]
        dop = np.repeat([_or_nan(stream.number("GPSP")) / _DOP_UNIT for stream in streams], n)
        lock = np.repeat([_or_nan(stream.number("GPSF")) for stream in streams], n)
        utc_s = np.repeat([_utc_s(stream) for stream in streams], n)
        # The date is the first sample's.
        utc_s[np.diff(np.repeat(np.arange(len(n)), n), prepend=-1) == 0] = np.nan
    # Cameras that say nothing of their lock are believed.
    has_lock = ~(lock < _LOCK_2D)
    accuracy_m = np.where(has_lock, accuracy_from_dop(dop), np.inf)
    # A nan is neither too early nor too late: the date of most of GPS5's fixes is not known.
    is_dated = ~((utc_s < _FIRST_POSIX_S) | (utc_s > _LAST_POSIX_S))
    later = increasing(t_s) & is_dated
    fixes = Fixes(t_s, values[:, 0], values[:, 1], values[:, 2], accuracy_m, values[:, 3]).at(later)
    utc_at_zero_s = (utc_s - t_s)[has_lock & later]
    return fixes, utc_at_zero_s[np.isfinite(utc_at_zero_s)]


def _motion(payloads: list[_Payload]) -> Motion | None:
    t_s, gyro = _sampled(payloads, "GYRO")
    t_up_s, acceleration = _sampled(payloads, "ACCL")
    if t_s.size == 0 or t_up_s.size == 0:
        return None
    up = up_from_acceleration(t_up_s, acceleration)
    t_gravity_s, gravity = _gravity(payloads)
    if _point_alike(gravity, up):
        return turning(t_s, gyro, t_gravity_s, gravity)
    return turning(t_s, gyro, t_up_s, up)


def _gravity(payloads: list[_Payload]) -> tuple[FloatArray, FloatArray]:
    """The camera's own estimate of which way is up, which brakes and bends do not sway, along the gyroscope's
    axes; empty where it has none or does not name its axes."""
    axes = next((s.text("ORIN") for p in payloads for s in p.streams if s.key == "GYRO"), None) or ""
    if sorted(axes.upper()) != sorted(_GRAVITY_AXES):
        return np.zeros(0), np.zeros((0, 3))
    t_s, gravity = _sampled(payloads, "GRAV")
    signs = np.array([1.0 if axis.isupper() else -1.0 for axis in axes])
    return t_s, gravity[:, [_GRAVITY_AXES.index(axis) for axis in axes.upper()]] * signs


def _point_alike(gravity: FloatArray, up: FloatArray) -> bool:
    """Whether the two agree on the whole. No specification gives the order of gravity's axes, and it may
    differ in other cameras."""
    if len(gravity) == 0:
        return False
    a, b = gravity.mean(axis=0), up.mean(axis=0)
    return bool(a @ b > _ALIKE * np.linalg.norm(a) * np.linalg.norm(b))


def _sampled(payloads: list[_Payload], key: str) -> tuple[FloatArray, FloatArray]:
    """Times (N,) in order and values (N, 3) of a sensor with three axes, those that are numbers."""
    t_s, streams = _timed(payloads, key)
    values = np.concatenate([np.zeros((0, 3)), *(stream.values[:, :3] for stream in streams)])
    good = increasing(t_s) & np.isfinite(values).all(axis=1)
    return t_s[good], values[good]


def _timed(payloads: list[_Payload], key: str) -> tuple[FloatArray, list[Stream]]:
    """Every stream called `key`, and when its samples were taken: spread evenly from payload to payload."""
    found = [(payload, stream) for payload in payloads for stream in payload.streams if stream.key == key]
    if not found:
        return np.zeros(0), []
    start_s = _starts(payloads, found)
    n = np.array([stream.values.shape[0] for _, stream in found])
    said_s = np.array([payload.duration_s for payload, _ in found])
    span_s = np.append(np.diff(start_s), np.inf)
    span_s = np.where((span_s > 0) & (span_s <= _STRETCH * said_s), span_s, said_s)
    t_s = [
        begin + span * np.arange(count) / count for begin, span, count in zip(start_s, span_s, n, strict=True)
    ]
    return np.concatenate(t_s), [stream for _, stream in found]


def _starts(payloads: list[_Payload], found: list[tuple[_Payload, Stream]]) -> FloatArray:
    """When the first sample of each stream was taken.

    A payload's own time is when it was written down, to some tens of milliseconds. Later cameras stamp the
    first sample of every stream (STMP) by a clock of their own; on the video's clock that puts it when the
    first exposure, which has a stamp as well, is taken to be the first picture.
    """
    late_s: FloatArray = np.array([stream.number("TIMO") or 0.0 for _, stream in found])
    payload_s: FloatArray = np.array([payload.t_s for payload, _ in found])
    zero_us = next((s.number("STMP") for s in payloads[0].streams if s.key == _PER_PICTURE), None)
    if zero_us is not None:
        stamp_us = np.array([_or_nan(stream.number("STMP")) for _, stream in found])
        stamped_s: FloatArray = payloads[0].t_s + (stamp_us - zero_us) / 1e6
        if (np.abs(stamped_s - payload_s) < _STAMP_OFF_S).all():
            return stamped_s - late_s
    return payload_s - late_s


def _or_nan(number: float | None) -> float:
    return np.nan if number is None else number


def _utc_s(stream: Stream) -> float:
    utc = stream.utc("GPSU")
    return np.nan if utc is None else utc.timestamp()
