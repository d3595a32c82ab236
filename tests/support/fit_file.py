"""Writing FIT files by Garmin's published protocol: a header, definitions, records and a checksum."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

# 1989-12-31T00:00:00Z.
EPOCH_POSIX_S = 631_065_600
_SEMICIRCLES_PER_DEG = 2**31 / 180
_HEAD_BYTES = 14
_FILE_ID, _RECORD, _EVENT = 0, 20, 21
_CRC_OF_NIBBLE = (
    *(0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401),
    *(0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400),
)


@dataclass(frozen=True)
class Record:
    """One record message; what is None is written as FIT's mark for a missing value."""

    posix_s: int
    lat_deg: float | None = 45.0
    lon_deg: float | None = 7.0
    ele_m: float | None = None
    accuracy_m: int | None = None
    speed_mps: float | None = None

    def fields(self) -> bytes:
        return struct.pack(
            "<IiiIBI",
            self.posix_s - EPOCH_POSIX_S,
            0x7FFFFFFF if self.lat_deg is None else round(self.lat_deg * _SEMICIRCLES_PER_DEG),
            0x7FFFFFFF if self.lon_deg is None else round(self.lon_deg * _SEMICIRCLES_PER_DEG),
            0xFFFFFFFF if self.ele_m is None else round((self.ele_m + 500) * 5),
            0xFF if self.accuracy_m is None else self.accuracy_m,
            0xFFFFFFFF if self.speed_mps is None else round(self.speed_mps * 1000),
        )


def fit_file(records: Sequence[Record]) -> bytes:
    """A FIT file with a file_id, a pause event and the records."""
    body = _definition(0, _FILE_ID, (0, 1, 0x00)) + b"\x00" + b"\x04"
    body += _definition(1, _EVENT, (253, 4, 0x86), (0, 1, 0x00), (1, 1, 0x00))
    body += b"\x01" + struct.pack("<IBB", 1_000_000_000, 0, 4)
    body += _definition(
        2,
        _RECORD,
        (253, 4, 0x86),
        (0, 4, 0x85),
        (1, 4, 0x85),
        (78, 4, 0x86),
        (31, 1, 0x02),
        (73, 4, 0x86),
    )
    body += b"".join(b"\x02" + record.fields() for record in records)
    return sealed(body)


def sealed(body: bytes) -> bytes:
    """Messages between a header and a checksum that agree with them."""
    head = struct.pack("<BBHI4s", _HEAD_BYTES, 0x20, 2132, len(body), b".FIT")
    content = head + struct.pack("<H", _crc(head)) + body
    return content + struct.pack("<H", _crc(content))


def body_of(file: bytes) -> bytes:
    """The messages of a file that `sealed` made."""
    return file[_HEAD_BYTES:-2]


def _definition(local: int, message: int, *fields: tuple[int, int, int]) -> bytes:
    return struct.pack("<BBBHB", 0x40 | local, 0, 0, message, len(fields)) + bytes(sum(fields, ()))


def _crc(data: bytes) -> int:
    crc = 0
    for byte in data:
        for nibble in (byte & 0xF, byte >> 4):
            crc = (crc >> 4) ^ _CRC_OF_NIBBLE[(crc ^ nibble) & 0xF]
    return crc
