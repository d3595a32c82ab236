"""HiLights: the moments at which a rider pressed the mark button of a GoPro.

They lie in the MP4 file's own tables (moov/udta, ISO/IEC 14496-12): a box HMMT with a number of marks and
then each in milliseconds from the file's beginning. Later cameras note them in a box GPMF beside it, as a
stream HLMT whose samples begin with those milliseconds and name what set them: MANL, a person. GoPro
documents neither; other programs read them so.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mtbsync_engine.errors import MediaError, TelemetryError
from mtbsync_engine.telemetry.gpmf import fourcc, read_streams

_LIST, _GPMF = b"HMMT", b"GPMF"
# GoPro's hold 0.4 and 25 kB.
_MOST_BYTES = 1 << 20
# A file that holds more boxes side by side than this is no camera's.
_MOST_BOXES = 10_000


def read_highlights(path: Path) -> tuple[float, ...]:
    """When marks were set, in seconds from the beginning of the file, in order; none in another kind of file.

    Raises:
        MediaError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            notes = _user_data(file)
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}); check the drive it lies on.") from error
    times_ms = _from_gpmf(notes.get(_GPMF, b"")) or _from_list(notes.get(_LIST, b""))
    return tuple(time_ms / 1000 for time_ms in sorted(times_ms))


def _from_list(data: bytes) -> set[float]:
    n = min(int.from_bytes(data[:4], "big"), max(0, len(data) // 4 - 1))
    return {float(time_ms) for time_ms in struct.unpack_from(f">{n}I", data, 4)} if n else set()


def _from_gpmf(data: bytes) -> set[float]:
    try:
        streams = read_streams(data, frozenset({"HLMT"}))
    except TelemetryError:
        return set()
    rows = [row for stream in streams for row in stream.values if fourcc("MANL") in row]
    return {float(row[0]) for row in rows}


def _user_data(file: BinaryIO) -> dict[bytes, bytes]:
    """The contents of HMMT and GPMF in moov/udta, where they are."""
    end = file.seek(0, os.SEEK_END)
    found: dict[bytes, bytes] = {}
    for moov_start, moov_end in (s for name, s in _boxes(file, 0, end) if name == b"moov"):
        for udta_start, udta_end in (s for name, s in _boxes(file, moov_start, moov_end) if name == b"udta"):
            for name, (start, stop) in _boxes(file, udta_start, udta_end):
                if name in (_LIST, _GPMF) and stop - start <= _MOST_BYTES:
                    file.seek(start)
                    found[name] = file.read(stop - start)
    return found


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Names of the boxes between two places of the file, and where their contents begin and end."""
    for _ in range(_MOST_BOXES):
        if end - start < 8:
            return
        file.seek(start)
        size, name = struct.unpack(">I4s", file.read(8))
        content = start + 8
        if size == 1:
            if end - content < 8:
                return
            (size,) = struct.unpack(">Q", file.read(8))
            content += 8
        stop = end if size == 0 else start + size
        if stop < content or stop > end:
            return
        yield name, (content, stop)
        start = stop
