"""The sounds that tests are made of: each is what its maker says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from mtbsync_engine.model import FloatArray
from support.sounds import (
    LEVEL,
    clicks,
    clipped,
    drifted,
    event_sound,
    hum,
    looped_music,
    mixed,
    piece,
    reverbed,
    silence,
    sound_of,
    steady_noise,
    sweeping_bar,
    wind,
    write_video_with_sound,
)

RATE_HZ = 16_000
_MADE: dict[str, Callable[[], FloatArray]] = {
    "event": lambda: event_sound(1, 3.0, RATE_HZ),
    "noise": lambda: steady_noise(1, 3.0, RATE_HZ),
    "wind": lambda: wind(1, 3.0, RATE_HZ),
    "hum": lambda: hum(3.0, RATE_HZ),
    "clicks": lambda: clicks(3.0, RATE_HZ),
    "music": lambda: looped_music(1, 3.0, RATE_HZ),
}


def _tone(hz: float, t_s: FloatArray) -> FloatArray:
    return np.sin(2 * np.pi * hz * t_s)


def _level_db(heard: FloatArray) -> float:
    return float(10 * np.log10(np.mean(heard**2)))


@pytest.mark.parametrize("name", _MADE)
def test_every_made_sound_has_its_length_and_level_and_comes_out_the_same_again(name: str) -> None:
    heard = _MADE[name]()
    assert heard.shape == (3 * RATE_HZ,)
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(LEVEL)
    assert np.array_equal(heard, _MADE[name]())


def test_other_seeds_make_other_events() -> None:
    one, other = event_sound(1, 10.0, RATE_HZ), event_sound(2, 10.0, RATE_HZ)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


def test_wind_is_low() -> None:
    power = np.abs(np.fft.rfft(wind(1, 10.0, RATE_HZ))) ** 2
    assert power[: 10 * 300].sum() > 0.9 * power.sum()


@pytest.mark.parametrize("drift_ppm", [150.0, -150.0])
def test_a_moment_on_a_drifting_camera_is_where_the_convention_says(drift_ppm: float) -> None:
    t_master_s = np.arange(20 * RATE_HZ) / RATE_HZ
    camera = drifted(_tone(440.0, t_master_s), drift_ppm)
    t_cam_s = np.arange(len(camera)) / RATE_HZ
    told = _tone(440.0, (1.0 + drift_ppm * 1e-6) * t_cam_s)
    assert np.abs(camera - told)[50:-50].max() < 1e-4
    # After 20 s the clocks are 3 ms apart: the other sign would show.
    other_way = _tone(440.0, (1.0 - drift_ppm * 1e-6) * t_cam_s)
    assert np.abs(camera - other_way).max() > 1.0


def test_a_slow_clock_takes_fewer_samples() -> None:
    heard = steady_noise(1, 10.0, RATE_HZ)
    assert len(drifted(heard, 100.0)) == len(heard) - 16
    assert len(drifted(heard, -100.0)) == len(heard) + 16


@pytest.mark.parametrize("begin_s", [0.0, 1.25, 1.2500101, 0.00001])
def test_a_piece_begins_where_it_was_asked_to(begin_s: float) -> None:
    world = _tone(440.0, np.arange(4 * RATE_HZ) / RATE_HZ)
    heard = piece(world, begin_s, 2.0, RATE_HZ)
    told = _tone(440.0, begin_s + np.arange(2 * RATE_HZ) / RATE_HZ)
    assert heard.shape == told.shape
    assert np.abs(heard - told)[50:-50].max() < 1e-4


def test_there_is_no_piece_outside_the_world() -> None:
    with pytest.raises(AssertionError):
        piece(silence(2.0, RATE_HZ), 1.5, 1.0, RATE_HZ)


@pytest.mark.parametrize("snr_db", [10.0, 0.0, -5.0])
def test_noise_is_as_strong_as_asked(snr_db: float) -> None:
    heard, noise = event_sound(1, 5.0, RATE_HZ), wind(2, 6.0, RATE_HZ)
    both = mixed(heard, noise, snr_db)
    parts, *_ = np.linalg.lstsq(np.stack([heard, noise[: len(heard)]], axis=1), both, rcond=None)
    assert _level_db(parts[0] * heard) - _level_db(parts[1] * noise[: len(heard)]) == pytest.approx(
        snr_db, abs=0.01
    )


def test_the_share_asked_for_is_clipped() -> None:
    heard = clipped(event_sound(1, 5.0, RATE_HZ), 0.05)
    assert np.mean(np.abs(heard) == 1.0) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("echoes_db", [0.0, 12.0])
def test_what_comes_straight_stays_where_it_was_in_a_hall(echoes_db: float) -> None:
    click = silence(1.0, RATE_HZ)
    click[1000] = 1.0
    heard = reverbed(click, RATE_HZ, seed=1, decay_s=0.5, echoes_db=echoes_db)
    assert np.argmax(np.abs(heard)) == 1000
    assert np.abs(heard[:1000]).max() < 1e-9
    assert np.sum(heard[1001:] ** 2) == pytest.approx(heard[1000] ** 2 * 10 ** (echoes_db / 10), rel=0.02)


def test_a_sound_has_a_column_for_each_channel_and_stops_at_full_scale() -> None:
    sound = sound_of(np.array([[0.0, 0.5], [2.0, -2.0]]), 48_000)
    assert sound.samples.tolist() == [[0, 16384], [32767, -32767]]
    assert sound_of(silence(2.0, 8000), 8000).duration_s == 2.0


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz", "n_channels"),
    [
        ("a.mp4", "aac", 48_000, 2),
        ("b.mp4", "aac", 16_000, 1),
        ("c.mov", "pcm_s16le", 44_100, 2),
    ],
)
def test_a_clap_is_heard_in_the_file_when_it_is_seen(
    tmp_path: Path, name: str, codec: str, rate_hz: int, n_channels: int
) -> None:
    heard, images = silence(2.0, rate_hz), [*sweeping_bar(50)]
    heard[rate_hz : rate_hz + 50] = 0.8
    images[25] = np.full_like(images[25], 255)
    path = write_video_with_sound(
        tmp_path / name, heard, rate_hz, images=images, audio_codec=codec, n_channels=n_channels
    )
    assert _brightest_s(path) == 1.0
    assert _loudest_s(path, n_channels) == pytest.approx(1.0 + 25 / rate_hz, abs=0.001)


def test_pictures_stand_where_they_were_put(tmp_path: Path) -> None:
    times_s = [0.0, 0.03, 0.1, 0.5, 0.9]
    path = write_video_with_sound(tmp_path / "a.mp4", silence(1.0, 8000), 8000, times_s=times_s)
    with av.open(str(path)) as container:
        shown_s = [frame.time for frame in container.decode(video=0)]
    assert shown_s == pytest.approx(times_s, abs=0.0001)


def test_the_file_says_when_it_was_made(tmp_path: Path) -> None:
    metadata = {"timecode": "01:00:00:00", "creation_time": "2024-05-01T10:00:00Z"}
    path = write_video_with_sound(tmp_path / "a.mp4", silence(1.0, 8000), 8000, metadata=metadata)
    with av.open(str(path)) as container:
        assert container.metadata["creation_time"].startswith("2024-05-01T10:00:00")
        assert container.streams.video[0].metadata["timecode"] == "01:00:00:00"


def _brightest_s(path: Path) -> float:
    with av.open(str(path)) as container:
        bright = [(frame.to_ndarray(format="gray").mean(), frame.time) for frame in container.decode(video=0)]
    return max(bright)[1]


def _loudest_s(path: Path, n_channels: int) -> float:
    """The middle of what is loud in the first channel."""
    with av.open(str(path)) as container:
        frames = [*container.decode(audio=0)]
    begin_s = frames[0].time
    if frames[0].format.is_planar:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    else:
        samples = np.concatenate([frame.to_ndarray()[0, ::n_channels] for frame in frames])
    power = samples.astype(np.float64) ** 2
    return float(begin_s + np.average(np.arange(len(power)), weights=power) / frames[0].sample_rate)
