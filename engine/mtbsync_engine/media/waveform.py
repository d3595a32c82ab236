"""Waveforms: sound as small as a page draws it.

They are kept in version 2 of the binary format of BBC's audiowaveform, 8 bits, which players such as peaks.js
read (https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md): six numbers of 4 bytes, little end
first, then the lowest and the highest value of each pixel, a byte each.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.files import replacing
from mtbsync_engine.session import Sound

_PIXELS_A_SECOND = 100
_PIXELS_A_BLOCK = 6000
# Version, flags, samples a second, samples a pixel, pixels, channels.
_HEADER = struct.Struct("<iIiiIi")
_VERSION = 2
_EIGHT_BITS = 1
_ONE_CHANNEL = 1
_STEPS = 256


@dataclass(frozen=True, eq=False)
class Waveform:
    """The lowest and the highest value (N,) of `samples_a_pixel` samples each, of which there are `rate_hz` a
    second: full scale is -128 to 127, and channels are mixed."""

    lowest: NDArray[np.int8]
    highest: NDArray[np.int8]
    samples_a_pixel: int
    rate_hz: int


def waveform_of(sound: Sound) -> Waveform:
    """About 100 pixels a second; the last may stand for fewer samples. Memory hardly grows with length."""
    samples_a_pixel = max(1, round(sound.rate_hz / _PIXELS_A_SECOND))
    n_pixels = -(-len(sound.samples) // samples_a_pixel)
    lowest, highest = np.empty(n_pixels, np.int8), np.empty(n_pixels, np.int8)
    for first in range(0, n_pixels, _PIXELS_A_BLOCK):
        pixels = slice(first, first + _PIXELS_A_BLOCK)
        block = sound.samples[pixels.start * samples_a_pixel : pixels.stop * samples_a_pixel]
        mixed = sum(channel.astype(np.int32) for channel in block.T) // block.shape[1]
        starts = np.arange(0, len(mixed), samples_a_pixel)
        lowest[pixels] = np.minimum.reduceat(mixed, starts) // _STEPS
        highest[pixels] = np.maximum.reduceat(mixed, starts) // _STEPS
    return Waveform(lowest, highest, samples_a_pixel, sound.rate_hz)


def write_waveform(waveform: Waveform, out: Path) -> None:
    """Write `waveform` as a .dat file.

    Raises:
        OutputError: it cannot be written.
    """
    n_pixels = len(waveform.lowest)
    header = _HEADER.pack(
        _VERSION, _EIGHT_BITS, waveform.rate_hz, waveform.samples_a_pixel, n_pixels, _ONE_CHANNEL
    )
    with replacing(out) as temporary:
        temporary.write_bytes(header + np.stack([waveform.lowest, waveform.highest], axis=1).tobytes())


def read_waveform(path: Path) -> Waveform:
    """What `write_waveform` wrote.

    Raises:
        ArtifactError: the file is missing or damaged, or of another kind.
    """
    try:
        content = path.read_bytes()
        version, flags, rate_hz, samples_a_pixel, n_pixels, n_channels = _HEADER.unpack_from(content)
        if (version, flags, n_channels) != (_VERSION, _EIGHT_BITS, _ONE_CHANNEL):
            raise ValueError(version)
        pixels = np.frombuffer(content, np.int8, offset=_HEADER.size).reshape(n_pixels, 2)
    except (OSError, ValueError, struct.error) as error:
        raise ArtifactError(f"{path} is missing or damaged; have the waveform drawn again.") from error
    return Waveform(pixels[:, 0], pixels[:, 1], samples_a_pixel, rate_hz)
