"""A recording's sound is written with every sample at its own moment, whatever the file makes of it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from mtbsync_engine.errors import ArtifactError, MediaError
from mtbsync_engine.media.probe import probe
from mtbsync_engine.media.sound import NoSoundError, read_wav, write_wav
from mtbsync_engine.model import Recording
from support.sounds import steady_noise
from support.videos import write_video

RATE_HZ = 48_000
FPS = 25
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
_TICKS_A_SECOND = 90_000

Samples = NDArray[np.int16]


def _noise(duration_s: float, n_channels: int = 1, rate_hz: int = RATE_HZ, seed: int = 1) -> Samples:
    """(N, C); no channel is like another."""
    channels = [steady_noise(seed + k, duration_s, rate_hz) for k in range(n_channels)]
    return np.round(np.clip(np.stack(channels, axis=1), -1, 1) * 32767).astype(np.int16)


def _film(
    path: Path,
    samples: Samples,
    *,
    rate_hz: int = RATE_HZ,
    codec: str = "aac",
    pictures_from_s: float = 0.0,
    sound_from_s: float = 0.0,
    duration_s: float | None = None,
    moved: Callable[[int, int], int | None] = lambda number, tick: tick,
    options: dict[str, str] | None = None,
) -> Path:
    """A film with that sound; `moved` says at which of its own samples each packet is said to begin, or None
    to leave it out."""
    n_channels = samples.shape[1]
    # MP4 begins a track where it says so on a clock of a millisecond, unless told otherwise.
    finer = {"movie_timescale": "720000"} if path.suffix in (".mp4", ".MP4", ".mov") else {}
    with av.open(str(path), "w", options={**finer, **(options or {})}) as container:
        seen = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        seen.width, seen.height, seen.pix_fmt = 32, 32, "yuv420p"
        seen.codec_context.time_base = Fraction(1, _TICKS_A_SECOND)
        listened = container.add_stream(codec, rate=rate_hz)
        assert isinstance(listened, av.AudioStream)
        listened.codec_context.layout = _LAYOUTS[n_channels]
        listened.codec_context.time_base = Fraction(1, rate_hz)
        packets = []
        for number in range(round((duration_s or len(samples) / rate_hz) * FPS)):
            picture = av.VideoFrame.from_ndarray(np.full((32, 32), number % 200, np.uint8), format="gray")
            picture.time_base = Fraction(1, _TICKS_A_SECOND)
            picture.pts = round((pictures_from_s + number / FPS) * _TICKS_A_SECOND)
            packets += seen.encode(picture)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=_LAYOUTS[n_channels])
        frame.rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        for number, packet in enumerate([*listened.encode(frame), *listened.encode(None)]):
            assert packet.pts is not None
            tick = moved(number, packet.pts)
            if tick is not None:
                packet.pts = packet.dts = tick + round(sound_from_s * rate_hz)
                packets.append(packet)
        packets += seen.encode(None)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


def _heard(path: Path) -> Samples:
    out = path.with_suffix(".wav")
    write_wav(probe(path), out)
    sound = read_wav(out)
    assert sound.rate_hz == RATE_HZ
    return sound.samples[:]


def _lag(heard: Samples, truth: Samples) -> int:
    """How many samples the first channel of what was heard comes late."""
    n = min(len(heard), len(truth))
    a, b = (x[:n, 0].astype(float) for x in (heard, truth))
    fits = signal.correlate(a, b)
    assert fits.max() > 0.5 * np.linalg.norm(a) * np.linalg.norm(b)
    return int(np.argmax(fits)) - (n - 1)


def _shifted(truth: Samples, by: int) -> Samples:
    return np.concatenate([np.zeros((by, truth.shape[1]), np.int16), truth]) if by >= 0 else truth[-by:]


# --- where sound begins -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pictures_from_s", "sound_from_s"), [(0.0, 0.0), (0.0, 0.5), (0.4, 0.0), (0.3, 0.302)]
)
@pytest.mark.parametrize(
    ("name", "codec", "rounding"),
    [
        ("ride.mp4", "aac", 1),
        ("ride.mp4", "flac", 1),
        ("ride.mov", "pcm_s16le", 1),
        ("ride.mkv", "aac", 60),
        ("ride.ts", "mp2", 1),
    ],
)
def test_the_first_sample_is_at_the_first_picture(
    tmp_path: Path, name: str, codec: str, rounding: int, pictures_from_s: float, sound_from_s: float
) -> None:
    truth = _noise(2)
    path = _film(
        tmp_path / name, truth, codec=codec, pictures_from_s=pictures_from_s, sound_from_s=sound_from_s
    )
    later = round((sound_from_s - pictures_from_s) * RATE_HZ)
    heard = _heard(path)
    # What a container rounds by, in samples, where its clock is coarse.
    assert abs(_lag(heard, _shifted(truth, later))) <= rounding
    assert not heard[: max(0, later - 2200)].any()
    assert abs(len(heard) - (len(truth) + later)) <= 2500


def test_sound_without_loss_comes_through_to_the_bit(tmp_path: Path) -> None:
    truth = _noise(3.3, 2)
    assert np.array_equal(_heard(_film(tmp_path / "ride.mp4", truth, codec="flac")), truth)


@pytest.mark.parametrize(("codec", "rate_hz"), [("aac", 44_100), ("pcm_s16le", 44_100), ("pcm_s16le", 8_000)])
def test_other_rates_become_48_khz_at_the_same_moments(tmp_path: Path, codec: str, rate_hz: int) -> None:
    truth = _noise(3, rate_hz=rate_hz)
    expected = signal.resample(truth[:, 0].astype(float), 3 * RATE_HZ)[:, np.newaxis].astype(np.int16)
    heard = _heard(_film(tmp_path / "ride.mov", truth, codec=codec, rate_hz=rate_hz, sound_from_s=0.1))
    assert abs(_lag(heard, _shifted(expected, 4800))) <= 1


# --- channels -----------------------------------------------------------------------------------------


def _alike(a: Samples, b: Samples) -> float:
    n = min(len(a), len(b))
    return float(np.corrcoef(a[:n], b[:n])[0, 1])


@pytest.mark.parametrize(("n_channels", "written"), [(1, 1), (2, 2), (6, 2)])
def test_more_than_two_channels_are_mixed_down_to_two(tmp_path: Path, n_channels: int, written: int) -> None:
    truth = _noise(2, n_channels)
    heard = _heard(_film(tmp_path / "ride.mov", truth, codec="pcm_s16le"))
    assert heard.shape[1] == written
    for k in range(written):
        assert _alike(heard[:, k], truth[:, k]) > 0.6
        assert written == 1 or abs(_alike(heard[:, k], truth[:, 1 - k])) < 0.1


# --- gaps, overlaps and clocks ------------------------------------------------------------------------


def _missing(first: int, last: int) -> Callable[[int, int], int | None]:
    return lambda number, tick: None if first <= number < last else tick


@pytest.mark.parametrize("n_missing", [1, 20, 120])
def test_where_packets_are_missing_there_is_silence_and_the_rest_stays_in_place(
    tmp_path: Path, n_missing: int
) -> None:
    truth = _noise(5)
    path = _film(tmp_path / "ride.mp4", truth, moved=_missing(50, 50 + n_missing))
    heard = _heard(path)
    n = len(truth)
    assert abs(_lag(heard[: n // 5], truth[: n // 5])) <= 1
    assert abs(_lag(heard[4 * n // 5 : n], truth[4 * n // 5 :])) <= 1
    begin = 50 * 1024
    lost = np.abs(heard[begin - 512 : begin + (n_missing + 1) * 1024, 0]) < 30
    assert np.count_nonzero(lost) > (n_missing - 0.6) * 1024


def test_of_what_overlaps_one_is_heard_and_the_rest_is_where_it_is_said_to_be(tmp_path: Path) -> None:
    truth = _noise(4)
    # For twenty packets of 1024 samples the next one begins in the middle of each.
    moved = lambda number, tick: tick - 512 * min(20, max(0, number - 60))  # noqa: E731
    heard = _heard(_film(tmp_path / "ride.mp4", truth, moved=moved))
    n = len(truth)
    assert abs(_lag(heard[: n // 4], truth[: n // 4])) <= 1
    assert abs(_lag(heard[n // 2 : n - 20 * 512], truth[n // 2 + 20 * 512 :])) <= 1


def test_times_that_tremble_by_a_few_samples_make_no_clicks(tmp_path: Path) -> None:
    truth = _noise(4)
    random = np.random.default_rng(2)
    moved = lambda number, tick: max(0, tick + int(random.integers(-5, 6)) * (number > 0))  # noqa: E731
    path = _film(tmp_path / "ride.mp4", truth, codec="flac", moved=moved)
    assert np.array_equal(_heard(path), truth)


def test_a_clock_that_goes_wrong_is_followed(tmp_path: Path) -> None:
    truth = _noise(20, rate_hz=16_000)
    slow_ppm = 2000
    moved = lambda number, tick: tick + tick * slow_ppm // 10**6  # noqa: E731
    heard = _heard(
        _film(tmp_path / "ride.mp4", truth, rate_hz=16_000, codec="flac", moved=moved, duration_s=21)
    )
    last = signal.resample(truth[-16_000:, 0].astype(float), RATE_HZ)[:, np.newaxis].astype(np.int16)
    true_begin = round(19 * (1 + slow_ppm / 10**6) * RATE_HZ)
    assert abs(_lag(heard[true_begin : true_begin + RATE_HZ], last)) < 0.011 * RATE_HZ


def test_times_far_off_are_left_out(tmp_path: Path) -> None:
    truth = _noise(3)
    moved = lambda number, tick: tick + 10**9 if number > 100 else tick  # noqa: E731
    heard = _heard(_film(tmp_path / "ride.mkv", truth, moved=moved))
    assert len(heard) < len(truth)


# --- chapters -----------------------------------------------------------------------------------------


def _chapters(folder: Path, sounds: list[Samples | None], duration_s: float) -> Recording:
    for number, samples in enumerate(sounds, start=1):
        path = folder / f"GX0{number}0001.MP4"
        if samples is None:
            pictures = [np.full((32, 32), 9, np.uint8)] * round(duration_s * FPS)
            write_video(path, pictures, FPS)
        else:
            _film(path, samples, codec="flac", duration_s=duration_s)
    return probe(folder / "GX010001.MP4")


def _written(recording: Recording, folder: Path) -> Samples:
    write_wav(recording, folder / "all.wav")
    return read_wav(folder / "all.wav").samples[:]


def test_chapters_follow_each_other_without_a_seam(tmp_path: Path) -> None:
    truth = _noise(6, 2)
    parts: list[Samples | None] = [*np.split(truth, 3)]
    recording = _chapters(tmp_path, parts, 2)
    assert [c.offset_s for c in recording.chapters] == [0, 2, 4]
    assert np.array_equal(_written(recording, tmp_path), truth)


def test_a_chapter_whose_sound_is_too_long_too_short_or_missing_moves_no_other(tmp_path: Path) -> None:
    long, short, last = _noise(2.3, seed=1), _noise(1.5, seed=2), _noise(2, seed=3)
    heard = _written(_chapters(tmp_path, [long, short, None, last], 2), tmp_path)
    assert np.array_equal(heard[: 2 * RATE_HZ], long[: 2 * RATE_HZ])
    assert np.array_equal(heard[2 * RATE_HZ :][: len(short)], short)
    assert not heard[2 * RATE_HZ + len(short) : 6 * RATE_HZ].any()
    assert np.array_equal(heard[6 * RATE_HZ :], last)


# --- what goes wrong ----------------------------------------------------------------------------------


def test_without_sound_there_is_nothing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", [np.full((32, 32), 9, np.uint8)] * 10, FPS)
    with pytest.raises(NoSoundError, match=r"ride\.mp4 has no sound"):
        write_wav(probe(path), tmp_path / "out" / "ride.wav")
    assert not (tmp_path / "out").exists()


def test_sound_that_is_all_broken_counts_as_none(tmp_path: Path) -> None:
    path = _film(tmp_path / "ride.mp4", _noise(2))
    recording = probe(path)
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size]
    content = bytearray(path.read_bytes())
    for pos, size in places:
        content[pos : pos + size] = b"\xff" * size
    path.write_bytes(content)
    with pytest.raises(NoSoundError):
        write_wav(recording, tmp_path / "ride.wav")


def test_a_file_that_breaks_off_gives_what_there_is(tmp_path: Path) -> None:
    truth = _noise(6)
    path = _film(tmp_path / "ride.mp4", truth, options={"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    heard = _heard(path)
    assert 2 * RATE_HZ < len(heard) < 5 * RATE_HZ
    assert abs(_lag(heard, truth)) <= 1


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    path = _film(tmp_path / "ride.mp4", _noise(1))
    recording = probe(path)
    path.unlink()
    with pytest.raises(MediaError, match="does not exist"):
        write_wav(recording, tmp_path / "ride.wav")


def test_silence_is_sound(tmp_path: Path) -> None:
    heard = _heard(_film(tmp_path / "ride.mp4", np.zeros((2 * RATE_HZ, 1), np.int16)))
    assert len(heard) >= 2 * RATE_HZ
    assert not heard.any()


def test_each_second_is_told_of(tmp_path: Path) -> None:
    told: list[float] = []
    write_wav(
        probe(_film(tmp_path / "ride.mp4", _noise(3), codec="flac")), tmp_path / "ride.wav", told.append
    )
    assert told == sorted(told)
    assert told[-1] == 3.0


# --- reading ------------------------------------------------------------------------------------------


def test_any_part_is_read_when_it_is_looked_at(tmp_path: Path) -> None:
    path = _film(tmp_path / "ride.mp4", _noise(1), codec="flac")
    write_wav(probe(path), tmp_path / "ride.wav")
    sound = read_wav(tmp_path / "ride.wav")
    whole = sound.samples[:]
    assert sound.duration_s == 1.0
    assert sound.samples.size == whole.size
    for part in (slice(100, 200), slice(47_900, 48_100), slice(500, 400)):
        assert np.array_equal(sound.samples[part], whole[part])


def test_a_wav_of_more_than_4_gb_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    n_bytes = 2**32 + 4 * 1000
    about = struct.pack("<HHIIHH", 1, 2, RATE_HZ, 4 * RATE_HZ, 4, 16)
    sizes = struct.pack("<QQQI", n_bytes + 72, n_bytes, n_bytes // 4, 0)
    unknown = struct.pack("<I", 2**32 - 1)
    chunks = (
        b"ds64" + struct.pack("<I", 28) + sizes + b"fmt " + struct.pack("<I", 16) + about + b"data" + unknown
    )
    with path.open("wb") as file:
        file.write(b"RF64" + unknown + b"WAVE" + chunks)
        # A hole, which takes no room.
        file.truncate(file.tell() + n_bytes)
    assert read_wav(path).samples.shape == (n_bytes // 4, 2)


@pytest.mark.parametrize("kept", [0, 3, 10, 30, 60, 5000])
def test_a_wav_that_breaks_off_is_refused(tmp_path: Path, kept: int) -> None:
    path = _film(tmp_path / "ride.mp4", _noise(1), codec="flac")
    write_wav(probe(path), tmp_path / "ride.wav")
    (tmp_path / "ride.wav").write_bytes((tmp_path / "ride.wav").read_bytes()[:kept])
    with pytest.raises(ArtifactError, match="damaged"):
        read_wav(tmp_path / "ride.wav")


def test_what_is_no_wav_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        read_wav(tmp_path / "missing.wav")
    (tmp_path / "other.wav").write_bytes(b"something else altogether" * 9)
    with pytest.raises(ArtifactError):
        read_wav(tmp_path / "other.wav")
