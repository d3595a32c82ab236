"""Copies of whole recordings: a mezzanine shows every picture where it belongs, a proxy is light."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mtbsync_engine.errors import MediaError
from mtbsync_engine.media.light import write_proxy
from mtbsync_engine.media.mezzanine import write_mezzanine
from mtbsync_engine.media.probe import probe
from mtbsync_engine.media.sound import read_wav, write_wav
from mtbsync_engine.model import Recording
from mtbsync_engine.timing import Timecode, nearest_frame
from support.sounds import clicks, write_video_with_sound
from support.videos import write_video

Image = NDArray[np.uint8]

NTSC_30 = Fraction(30000, 1001)
SAME_S = 1e-5
RATE_HZ = 48_000


def _numbered(numbers: Sequence[int], size: tuple[int, int] = (64, 48)) -> list[Image]:
    """Pictures that tell their own number by how bright they are."""
    return [np.full((size[1], size[0]), 10 + 4 * number, dtype=np.uint8) for number in numbers]


def _pictures(path: Path) -> tuple[list[float], list[int], list[bool]]:
    """When each picture of a file is presented, which it is, and whether it is a key frame."""
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.video[0]))
    brightness = [frame.to_ndarray(format="gray").mean() for frame in frames]
    return (
        [float(frame.time or 0.0) for frame in frames],
        [round((float(level) - 10) / 4) for level in brightness],
        [frame.key_frame for frame in frames],
    )


def _mezzanine(recording: Recording, out: Path) -> tuple[list[float], list[int], list[bool]]:
    write_mezzanine(recording, out, n_threads=1)
    return _pictures(out)


def _phone(path: Path, n: int = 50) -> tuple[Recording, list[float]]:
    """A recording of a variable rate, and the times of its pictures, of which none is on a frame's edge."""
    times_s = np.cumsum(np.random.default_rng(4).uniform(0.01, 0.07, n))
    times_s = np.round(times_s - times_s[0], 3)
    write_video(path, _numbered(range(n)), 30, times_s=times_s.tolist(), b_frames=2)
    return probe(path), times_s.tolist()


# --- mezzanines: pictures -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_each_frame_shows_the_picture_on_display_then(tmp_path: Path, suffix: str) -> None:
    recording, filmed_s = _phone(tmp_path / f"phone{suffix}")
    times_s, numbers, _ = _mezzanine(recording, tmp_path / "out.mp4")
    fps = recording.rate.fps
    assert len(times_s) == nearest_frame(recording.duration_s, recording.rate)
    assert times_s == pytest.approx([float(n / fps) for n in range(len(times_s))], abs=SAME_S)
    expected = np.searchsorted(filmed_s, np.array(times_s) + 0.001, side="right") - 1
    assert numbers == expected.tolist()
    # Some are shown twice, and some never.
    assert len(set(numbers)) < len(numbers)
    assert set(numbers) < set(range(50))


@pytest.mark.parametrize(
    ("suffix", "rate"),
    [
        (".mp4", NTSC_30),
        (".mkv", NTSC_30),
        (".mkv", Fraction(60)),
        (".ts", Fraction(25)),
        (".mov", Fraction(24)),
    ],
)
def test_a_steady_rate_keeps_every_picture_once(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    path = write_video(tmp_path / f"ride{suffix}", _numbered(range(50)), rate, b_frames=2)
    recording = probe(path)
    times_s, numbers, _ = _mezzanine(recording, tmp_path / "out.mp4")
    assert numbers[:50] == list(range(50))
    assert len(numbers) == nearest_frame(recording.duration_s, recording.rate)
    assert probe(tmp_path / "out.mp4").rate.fps == rate
    assert times_s == pytest.approx([float(n / rate) for n in range(len(times_s))], abs=SAME_S)


def test_dropped_pictures_are_filled_in_with_those_before_them(tmp_path: Path) -> None:
    kept = [k for k in range(50) if k not in (20, 21)]
    path = tmp_path / "ride.mp4"
    write_video(path, _numbered(kept), 25, times_s=[k / 25 for k in kept])
    _, numbers, _ = _mezzanine(probe(path), tmp_path / "out.mp4")
    assert numbers == [19 if k in (20, 21) else k for k in range(50)]


def test_an_editor_finds_key_frames_often_and_nothing_out_of_order(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(range(30)), 30, gop=30, b_frames=2)
    assert _mezzanine(probe(path), tmp_path / "out.mp4")[2] == [n % 6 == 0 for n in range(30)]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert all(packet.pts == packet.dts for packet in container.demux(video=0) if packet.size)
    content = (tmp_path / "out.mp4").read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")


def test_it_is_full_size_and_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(range(4), (1280, 720)), 30, rotation=90)
    write_mezzanine(probe(path), tmp_path / "out.mp4")
    recording = probe(tmp_path / "out.mp4")
    assert (recording.width, recording.height) == (720, 1280)


def test_it_hardly_loses_anything(tmp_path: Path) -> None:
    rough = np.random.default_rng(1).integers(0, 255, (10, 12, 16), dtype=np.uint8)
    pictures = [np.kron(picture, np.ones((8, 8), np.uint8)) for picture in rough]
    path = write_video(tmp_path / "ride.mp4", pictures, 30)
    recording = probe(path)
    write_mezzanine(recording, tmp_path / "out.mp4")
    write_proxy(recording, tmp_path / "proxy.mp4")
    original, mezzanine, proxy = (_levels(tmp_path / f"{name}.mp4") for name in ("ride", "out", "proxy"))
    lost, lost_by_proxy = (np.sqrt(np.mean((original - copy) ** 2)) for copy in (mezzanine, proxy))
    assert lost < 4.0 < lost_by_proxy


def _levels(path: Path) -> NDArray[np.float64]:
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="gray") for f in container.decode(video=0)]).astype(float)


def test_the_start_timecode_stays(tmp_path: Path) -> None:
    path = tmp_path / "ride.mp4"
    write_video(path, _numbered(range(9)), NTSC_30, metadata={"timecode": "10:20:30;12"})
    recording = probe(path)
    write_mezzanine(recording, tmp_path / "out.mp4")
    assert recording.start_timecode == Timecode.parse("10:20:30;12", recording.rate)
    assert probe(tmp_path / "out.mp4").start_timecode == recording.start_timecode


# --- chapters and sound -------------------------------------------------------------------------------


def _click_places(recording: Recording, folder: Path) -> list[float]:
    """When clicks begin, in seconds of the recording's clock."""
    write_wav(recording, folder / "heard.wav")
    level = np.abs(read_wav(folder / "heard.wav").samples[:][:, 0].astype(np.int32))
    loud = np.flatnonzero(level > 0.3 * level.max())
    return (loud[np.diff(loud, prepend=-RATE_HZ) > RATE_HZ // 8] / RATE_HZ).tolist()


def _two_chapters(folder: Path) -> Recording:
    for chapter in (1, 2):
        images = _numbered(range(25 * (chapter - 1), 25 * chapter))
        path = folder / f"GX0{chapter}0001.MP4"
        write_video_with_sound(path, clicks(1.0, RATE_HZ, 0.25), RATE_HZ, images=images, n_channels=2)
    return probe(folder / "GX010001.MP4")


@pytest.mark.parametrize("write", [write_mezzanine, write_proxy])
def test_chapters_become_one_file_with_sound_in_sync(tmp_path: Path, write: object) -> None:
    recording = _two_chapters(tmp_path)
    assert len(recording.chapters) == 2
    told: list[float] = []
    assert callable(write)
    write(recording, tmp_path / "out.mp4", on_picture=told.append)
    times_s, numbers, _ = _pictures(tmp_path / "out.mp4")
    assert numbers == list(range(50))
    assert times_s == pytest.approx([k / 25 for k in range(50)], abs=SAME_S)
    assert told == pytest.approx(times_s, abs=SAME_S)
    expected = _click_places(recording, tmp_path)
    assert expected == pytest.approx(np.arange(8) / 4, abs=0.003)
    assert _click_places(probe(tmp_path / "out.mp4"), tmp_path) == pytest.approx(expected, abs=0.002)


def test_a_phones_sound_stays_in_sync_with_its_pictures(tmp_path: Path) -> None:
    times_s = np.cumsum(np.random.default_rng(4).uniform(0.01, 0.07, 50))
    times_s -= times_s[0]
    path = tmp_path / "phone.mp4"
    heard = clicks(float(times_s[-1]), 44_100, 0.25)
    write_video_with_sound(path, heard, 44_100, images=_numbered(range(50)), times_s=times_s.tolist())
    write_mezzanine(probe(path), tmp_path / "out.mp4")
    expected = np.arange(0, times_s[-1] - 0.05, 0.25)
    found = _click_places(probe(tmp_path / "out.mp4"), tmp_path)
    assert found[: len(expected)] == pytest.approx(expected.tolist(), abs=0.003)


@pytest.mark.parametrize("write", [write_mezzanine, write_proxy])
def test_without_sound_there_is_none(tmp_path: Path, write: object) -> None:
    assert callable(write)
    write(probe(write_video(tmp_path / "ride.mp4", _numbered(range(4)), 30)), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


# --- proxies ------------------------------------------------------------------------------------------


def test_a_proxy_is_720_high_and_any_picture_of_it_is_found_at_once(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(range(6), (1920, 1080)), 30, gop=30, b_frames=2)
    write_proxy(probe(path), tmp_path / "proxy.mp4")
    recording = probe(tmp_path / "proxy.mp4")
    assert (recording.width, recording.height) == (1280, 720)
    assert _pictures(tmp_path / "proxy.mp4")[2] == [n % 2 == 0 for n in range(6)]
    content = (tmp_path / "proxy.mp4").read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")


def test_a_proxy_keeps_a_variable_rate(tmp_path: Path) -> None:
    recording, filmed_s = _phone(tmp_path / "phone.mp4")
    write_proxy(recording, tmp_path / "proxy.mp4")
    times_s, numbers, _ = _pictures(tmp_path / "proxy.mp4")
    assert numbers == list(range(50))
    assert times_s == pytest.approx(filmed_s, abs=0.0005)


# --- what goes wrong ----------------------------------------------------------------------------------


def test_a_file_that_breaks_off_is_as_long_as_it_says(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (60, 48, 64), dtype=np.uint8)
    path = write_video(tmp_path / "ride.mp4", noise, 30, options={"movflags": "+faststart"})
    recording = probe(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert len(_mezzanine(recording, tmp_path / "out.mp4")[0]) == 60


@pytest.mark.parametrize("write", [write_mezzanine, write_proxy])
def test_p4_a_copy_that_was_broken_off_is_not_there(tmp_path: Path, write: object) -> None:
    recording = probe(write_video(tmp_path / "ride.mp4", _numbered(range(20)), 30))

    def stop(t_s: float) -> None:
        raise KeyboardInterrupt

    assert callable(write)
    with pytest.raises(KeyboardInterrupt):
        write(recording, tmp_path / "out" / "0.mp4", on_picture=stop)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("write", [write_mezzanine, write_proxy])
def test_a_file_that_is_gone_is_told(tmp_path: Path, write: object) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(range(4)), 30)
    recording = probe(path)
    path.unlink()
    assert callable(write)
    with pytest.raises(MediaError, match="does not exist"):
        write(recording, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()
