"""Writing GPMF, GoPro's telemetry, so that tests read real bytes; and videos that carry it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

_FORMATS = {
    "b": "b",
    "B": "B",
    "s": "h",
    "S": "H",
    "l": "i",
    "L": "I",
    "j": "q",
    "J": "Q",
    "f": "f",
    "d": "d",
}
_TICKS_A_SECOND = 1000


def klv(key: str, kind: str, size: int, repeat: int, data: bytes) -> bytes:
    """One item, padded; nothing is checked, so it can lie."""
    head = struct.pack(">4sBBH", key.encode("latin-1"), ord(kind), size, repeat)
    return head + data + b"\0" * (-len(data) % 4)


def nest(key: str, *items: bytes) -> bytes:
    """An item that holds items."""
    return klv(key, "\0", 1, len(data := b"".join(items)), data)


def text(key: str, value: str) -> bytes:
    """A string."""
    return klv(key, "c", len(value), 1, value.encode("latin-1"))


def numbers(key: str, kind: str, rows: Sequence[Sequence[float]]) -> bytes:
    """Samples of one type: a row each."""
    packed = b"".join(struct.pack(f">{len(row)}{_FORMATS[kind]}", *row) for row in rows)
    return klv(key, kind, len(packed) // len(rows) if rows else 0, len(rows), packed)


def number(key: str, kind: str, value: float) -> bytes:
    """A single number."""
    return numbers(key, kind, [[value]])


def stream(*items: bytes) -> bytes:
    """One sensor's stream."""
    return nest("STRM", *items)


def payload(*streams: bytes) -> bytes:
    """What a camera writes about once a second."""
    return nest("DEVC", number("DVID", "L", 1), text("DVNM", "Camera"), *streams)


def gps5(
    rows: Sequence[tuple[float, float, float, float]],
    *,
    lock: int = 3,
    dop: float = 1.5,
    utc: str = "260608190000.000",
    before: Iterable[bytes] = (),
) -> bytes:
    """A stream of latitude, longitude, elevation and speed, as cameras up to HERO11 write it."""
    scaled = [
        (round(lat * 1e7), round(lon * 1e7), round(ele * 1e3), round(mps * 1e3), round(mps * 1e2))
        for lat, lon, ele, mps in rows
    ]
    return stream(
        *before,
        number("GPSF", "L", lock),
        klv("GPSU", "U", 16, 1, utc.encode("ascii")),
        number("GPSP", "S", round(dop * 100)),
        numbers("SCAL", "l", [[10**7], [10**7], [1000], [1000], [100]]),
        numbers("GPS5", "l", scaled),
    )


def gps9(rows: Sequence[tuple[float, float, float, float, float, float, int]]) -> bytes:
    """A stream of latitude, longitude, elevation, speed, POSIX second, dilution and lock, from HERO11 on."""
    packed = b"".join(
        struct.pack(
            ">7i2H",
            *(round(lat * 1e7), round(lon * 1e7), round(ele * 1e3), round(mps * 1e3), round(mps * 1e2)),
            *divmod(round((utc_s - 946_684_800) * 1000), 86_400_000),
            round(dop * 100),
            lock,
        )
        for lat, lon, ele, mps, utc_s, dop, lock in rows
    )
    return stream(
        text("TYPE", "lllllllSS"),
        numbers("SCAL", "l", [[10**7], [10**7], [1000], [1000], [100], [1], [1000], [100], [1]]),
        klv("GPS9", "?", 32, len(rows), packed),
    )


def sensor(
    key: str, rows: NDArray[np.float64], scale: int, *, axes: str = "", before: Iterable[bytes] = ()
) -> bytes:
    """A stream of ACCL, GYRO or GRAV, along the `axes` that ORIN is to name."""
    return stream(
        *before,
        *([text("ORIN", axes)] if axes else []),
        number("SCAL", "s", scale),
        numbers(key, "s", np.rint(rows * scale).astype(int).tolist()),
    )


def with_telemetry(video: Path, out: Path, payloads: Sequence[bytes | None]) -> Path:
    """Copy a video and give it a track of telemetry, one payload a second; None leaves a second without."""
    with av.open(str(video)) as source, av.open(str(out), "w", format="mp4") as container:
        pictures = container.add_stream_from_template(source.streams.video[0])
        container.metadata.update(source.metadata)
        track = container.add_data_stream("bin_data")
        track.time_base = Fraction(1, _TICKS_A_SECOND)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = pictures
                container.mux(packet)
        for second, data in enumerate(payloads):
            if data is None:
                continue
            packet = av.Packet(data)
            packet.stream, packet.time_base = track, track.time_base
            packet.pts = packet.dts = second * _TICKS_A_SECOND
            packet.duration = _TICKS_A_SECOND
            container.mux(packet)
    return out
