"""A waveform has the lowest and the highest value of every hundredth of a second, in a format others read."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.media.waveform import read_waveform, waveform_of, write_waveform
from mtbsync_engine.session import Sound
from support.sounds import event_sound, sound_of


def test_each_pixel_has_the_lowest_and_the_highest_value_of_the_mixed_channels() -> None:
    random = np.random.default_rng(1)
    samples = random.integers(-32768, 32768, (48_000 * 70 + 123, 2)).astype(np.int16)
    made = waveform_of(Sound(samples, 48_000))
    assert (made.samples_a_pixel, made.rate_hz) == (480, 48_000)
    assert len(made.lowest) == len(made.highest) == 7001
    mixed = samples.astype(np.int64).sum(axis=1) // 2
    # Pixels at the start, around where one block ends, and the last, which is not full.
    for k in (0, 1, 5999, 6000, 6999, 7000):
        part = mixed[480 * k : 480 * (k + 1)]
        assert (made.lowest[k], made.highest[k]) == (part.min() // 256, part.max() // 256)


def test_a_click_stands_at_its_own_time() -> None:
    samples = np.zeros((48_000 * 3, 1), np.int16)
    samples[round(1.234 * 48_000)] = 20_000
    made = waveform_of(Sound(samples, 48_000))
    assert np.flatnonzero(made.highest).tolist() == [123]
    assert made.highest[123] == 20_000 // 256


def test_what_is_written_is_what_audiowaveform_writes(tmp_path: Path) -> None:
    write_waveform(
        waveform_of(Sound(np.array([[-32768], [32767], [256]], np.int16), 200)), tmp_path / "w.dat"
    )
    content = (tmp_path / "w.dat").read_bytes()
    # Version 2, 8 bits, 200 samples a second, 2 of them a pixel, 2 pixels, one channel.
    assert content == struct.pack("<iIiiIi", 2, 1, 200, 2, 2, 1) + struct.pack("bbbb", -128, 127, 1, 1)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    made = waveform_of(sound_of(event_sound(3, 5, 16_000), 16_000))
    write_waveform(made, tmp_path / "w.dat")
    read = read_waveform(tmp_path / "w.dat")
    assert np.array_equal(read.lowest, made.lowest)
    assert np.array_equal(read.highest, made.highest)
    assert (read.samples_a_pixel, read.rate_hz) == (160, 16_000)
    assert made.lowest.min() < -10 < 10 < made.highest.max()


@pytest.mark.parametrize("n_samples", [0, 1])
def test_hardly_any_sound_makes_a_waveform_too(tmp_path: Path, n_samples: int) -> None:
    write_waveform(waveform_of(Sound(np.zeros((n_samples, 2), np.int16), 48_000)), tmp_path / "w.dat")
    assert len(read_waveform(tmp_path / "w.dat").lowest) == n_samples


@pytest.mark.parametrize("spoilt", ["missing", "empty", "short", "long", "other"])
def test_a_damaged_waveform_is_refused(tmp_path: Path, spoilt: str) -> None:
    path = tmp_path / "w.dat"
    write_waveform(waveform_of(Sound(np.zeros((4800, 1), np.int16), 48_000)), path)
    content = path.read_bytes()
    match spoilt:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "short":
            path.write_bytes(content[:-1])
        case "long":
            path.write_bytes(content + b"\0\0")
        case "other":
            path.write_bytes(b"\1" + content[1:])
    with pytest.raises(ArtifactError, match="drawn again"):
        read_waveform(path)
