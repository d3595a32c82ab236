"""GPMF, the format of GoPro's telemetry: bytes in, named streams of numbers out.

After GoPro's own description of it (github.com/gopro/gpmf-parser): keys of four letters, each with a type,
the bytes of one sample, a number of samples, and samples padded to four bytes; an item of type 0 holds items.
Everything is big-endian. What a stream holds apart from samples (its scale, the types of a compound sample)
stands before them at the same level.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.errors import TelemetryError
from mtbsync_engine.model import FloatArray

# Cameras nest three deep: device, stream, and what a face detector adds.
_DEEPEST = 8
_HEAD = struct.Struct(">4scBH")
_PADDING = b"\0\0\0\0"
_NESTED = b"\0"
_COMPOUND = b"?"
_NUMBERS = {
    b"b": "i1",
    b"B": "u1",
    b"s": ">i2",
    b"S": ">u2",
    b"l": ">i4",
    b"L": ">u4",
    b"j": ">i8",
    b"J": ">u8",
    b"f": ">f4",
    b"d": ">f8",
    # Numbers with 16 and 32 binary places.
    b"q": ">i4",
    b"Q": ">i8",
    # Four letters, as the number that their bytes are.
    b"F": ">u4",
}
_PLACES = {b"q": 16, b"Q": 32}
_FIELD = re.compile(rb"(.)(?:\[(\d{1,3})\])?", re.DOTALL)


@dataclass(frozen=True)
class Item:
    """One key with its samples: `repeat` of them, `size` bytes each, in `data` (padding taken off)."""

    key: str
    kind: bytes
    size: int
    repeat: int
    data: bytes


@dataclass(frozen=True)
class Stream:
    """Samples of one sensor in one payload, and what was said about them before they came.

    `values` (N, C) are in the units that the format promises: divided by their scale, nan where the scale
    is 0. `said` holds the items before them at their level by key, the last of each.
    """

    key: str
    values: FloatArray
    said: dict[str, Item] = field(default_factory=dict)

    def number(self, key: str) -> float | None:
        """The first number of the item called `key`, if there is one."""
        item = self.said.get(key)
        if item is None or item.kind not in _NUMBERS or item.repeat == 0:
            return None
        return float(_samples(item, b"")[0, 0])

    def text(self, key: str) -> str | None:
        """The item called `key` as text, if there is one."""
        item = self.said.get(key)
        return None if item is None else item.data.rstrip(b"\0").decode("latin-1")

    def utc(self, key: str) -> datetime | None:
        """The item called `key` as a time, if there is one and it exists."""
        item = self.said.get(key)
        if item is None or item.kind != b"U":
            return None
        try:
            return datetime.strptime(item.data.decode("ascii"), "%y%m%d%H%M%S.%f").replace(tzinfo=UTC)
        except ValueError:
            return None


def read_streams(payload: bytes, wanted: frozenset[str]) -> list[Stream]:
    """The streams of a payload whose keys are `wanted`, in order.

    Raises:
        TelemetryError: the bytes are not GPMF, or break off.
    """
    return list(_streams(payload, wanted, depth=0))


def fourcc(letters: str) -> float:
    """The number as which four letters come in a stream's values."""
    return float(int.from_bytes(letters.encode("ascii"), "big"))


def _streams(data: bytes, wanted: frozenset[str], depth: int) -> Iterator[Stream]:
    if depth > _DEEPEST:
        raise TelemetryError("The camera's telemetry is nested deeper than any camera's; it is damaged.")
    said: dict[str, Item] = {}
    for item in _items(data):
        if item.kind == _NESTED:
            yield from _streams(item.data, wanted, depth + 1)
        elif item.key in wanted:
            yield Stream(item.key, _scaled(item, said), dict(said))
        else:
            said[item.key] = item


def _items(data: bytes) -> Iterator[Item]:
    place = 0
    while place < len(data):
        if data[place : place + 4] == _PADDING[: len(data) - place]:
            return
        if len(data) - place < _HEAD.size:
            raise TelemetryError("The camera's telemetry breaks off in the middle of an item.")
        key, kind, size, repeat = _HEAD.unpack_from(data, place)
        if not (key.isascii() and key.decode("ascii").isprintable()):
            raise TelemetryError("The camera's telemetry holds a key that is no text; it is damaged.")
        place += _HEAD.size
        n_bytes = size * repeat
        if n_bytes > len(data) - place:
            raise TelemetryError("The camera's telemetry says that it is longer than it is; it is damaged.")
        yield Item(key.decode("ascii"), kind, size, repeat, data[place : place + n_bytes])
        place += (n_bytes + 3) // 4 * 4


def _scaled(item: Item, said: dict[str, Item]) -> FloatArray:
    types = said["TYPE"].data.rstrip(b"\0") if "TYPE" in said else b""
    values = _samples(item, types)
    if "SCAL" not in said:
        return values
    scale = _samples(said["SCAL"], b"").reshape(-1)
    if scale.size not in (1, values.shape[1]):
        raise TelemetryError(
            f"The camera's telemetry scales {item.key} by another number of values than it has."
        )
    return values / np.where(scale == 0, np.nan, scale)


def _samples(item: Item, types: bytes) -> FloatArray:
    """The samples as numbers, (repeat, channels); a sample without bytes has no channel."""
    columns = _compound(item, types) if item.kind == _COMPOUND else _uniform(item)
    if not columns or item.repeat == 0:
        return np.zeros((item.repeat, len(columns)))
    layout = np.dtype([(str(k), _NUMBERS[kind]) for k, kind in enumerate(columns)])
    rows: NDArray[np.void] = np.frombuffer(item.data, layout, count=item.repeat)
    return np.stack(
        [rows[str(k)].astype(np.float64) / 2.0 ** _PLACES.get(kind, 0) for k, kind in enumerate(columns)],
        axis=1,
    )


def _uniform(item: Item) -> list[bytes]:
    if item.kind not in _NUMBERS:
        raise TelemetryError(f"The camera's telemetry holds {item.key} of a type that holds no numbers.")
    n, rest = divmod(item.size, np.dtype(_NUMBERS[item.kind]).itemsize)
    if rest:
        raise TelemetryError(
            f"The camera's telemetry holds {item.key} of a size that does not go with its type."
        )
    return [item.kind] * n


def _compound(item: Item, types: bytes) -> list[bytes]:
    """The type of each field: TYPE names one letter a field, `f[8]` standing for eight of them."""
    columns: list[bytes] = []
    for letter, count in _FIELD.findall(types):
        if letter not in _NUMBERS:
            raise TelemetryError(f"The camera's telemetry holds {item.key} of a type that is not known.")
        columns += [letter] * int(count or 1)
    if sum(np.dtype(_NUMBERS[letter]).itemsize for letter in columns) != item.size:
        raise TelemetryError(
            f"The camera's telemetry holds {item.key} of a size that does not go with its type."
        )
    return columns
