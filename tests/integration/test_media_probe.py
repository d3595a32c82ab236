"""What `probe` says about real files, good and bad."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mtbsync_engine.errors import MediaError
from mtbsync_engine.media.probe import probe
from mtbsync_engine.timing import Rate, Timecode
from support.videos import write_video

NTSC_30 = Fraction(30000, 1001)
TELEMETRY = Path(__file__).parents[3] / "shared" / "data" / "telemetry"


def _pictures(count: int, size: tuple[int, int] = (64, 48), seed: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Noise, so that a file holds enough bytes to be cut."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield rng.integers(0, 256, (size[1], size[0]), dtype=np.uint8)


# --- good files ----------------------------------------------------------------------------------


def test_rate_size_and_length_are_exact(tmp_path: Path) -> None:
    recording = probe(write_video(tmp_path / "ride.mp4", _pictures(60), NTSC_30))
    assert (recording.rate, recording.codec) == (Rate(NTSC_30), "h264")
    assert (recording.width, recording.height) == (64, 48)
    assert recording.duration_s == pytest.approx(60 * 1001 / 30000, abs=1e-9)
    assert recording.chapters[0].n_bytes == (tmp_path / "ride.mp4").stat().st_size
    assert not recording.uses_proxy


@pytest.mark.parametrize("name", ["ride.mov", "ride.mkv", "ride.ts", "ride.avi"])
def test_any_container_gives_the_same_rate_and_length(tmp_path: Path, name: str) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    recording = probe(write_video(tmp_path / name, _pictures(50), 25, codec=codec))
    assert recording.rate == Rate(Fraction(25))
    assert recording.duration_s == pytest.approx(2.0, abs=0.001)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_length_counts_from_the_first_picture_when_the_clock_does_not_begin_at_zero(
    tmp_path: Path, b_frames: int
) -> None:
    times_s = [0.7 + k / 25 for k in range(50)]
    recording = probe(
        write_video(tmp_path / "late.mp4", _pictures(50), 25, times_s=times_s, b_frames=b_frames)
    )
    assert recording.duration_s == pytest.approx(2.0, abs=0.001)


def test_a_variable_frame_rate_gives_its_average(tmp_path: Path) -> None:
    gaps_s = np.random.default_rng(3).uniform(0.02, 0.08, 99)
    times_s = [0.0, *np.cumsum(gaps_s)]
    recording = probe(write_video(tmp_path / "phone.mp4", _pictures(100), 30, times_s=times_s))
    assert float(recording.rate.fps) == pytest.approx(99 / times_s[-1], rel=0.01)
    assert recording.duration_s == pytest.approx(times_s[-1] + 1 / 30, abs=0.02)


def test_a_camera_that_dropped_pictures_keeps_its_rate(tmp_path: Path) -> None:
    kept = [k for k in range(120) if k not in (40, 41, 77)]
    times_s = [k * 1001 / 30000 for k in kept]
    recording = probe(write_video(tmp_path / "ride.mp4", _pictures(len(kept)), NTSC_30, times_s=times_s))
    assert recording.rate == Rate(NTSC_30)


@pytest.mark.parametrize(
    ("rotation", "size"), [(0, (64, 48)), (90, (48, 64)), (180, (64, 48)), (270, (48, 64))]
)
def test_size_is_that_of_the_upright_picture(tmp_path: Path, rotation: int, size: tuple[int, int]) -> None:
    recording = probe(write_video(tmp_path / "phone.mp4", _pictures(5), 25, rotation=rotation))
    assert (recording.width, recording.height) == size


@pytest.mark.parametrize("name", ["ride.mp4", "ride.mov"])
@pytest.mark.parametrize("text", ["01:00:00:02", "09:59:59;28"])
def test_start_timecode_comes_from_the_timecode_track(tmp_path: Path, name: str, text: str) -> None:
    recording = probe(write_video(tmp_path / name, _pictures(5), NTSC_30, metadata={"timecode": text}))
    assert recording.start_timecode == Timecode.parse(text, Rate(NTSC_30))
    assert str(recording.start_timecode) == text


def test_start_timecode_comes_from_a_tag_where_there_is_no_track(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mkv", _pictures(5), 25, metadata={"timecode": "10:00:00:05"})
    assert str(probe(path).start_timecode) == "10:00:00:05"


@pytest.mark.parametrize("text", ["01:00:00:70", "midnight"])
def test_a_timecode_that_does_not_exist_counts_as_none(tmp_path: Path, text: str) -> None:
    path = write_video(tmp_path / "ride.mkv", _pictures(5), 25, metadata={"timecode": text})
    assert probe(path).start_timecode is None


def test_a_file_without_timecode_or_date_says_so(tmp_path: Path) -> None:
    recording = probe(write_video(tmp_path / "ride.mp4", _pictures(5), 25))
    assert recording.start_timecode is None
    assert recording.created_utc is None


def test_creation_time_is_read_in_utc(tmp_path: Path) -> None:
    metadata = {"creation_time": "2024-05-01T10:00:00.000000Z"}
    recording = probe(write_video(tmp_path / "ride.mp4", _pictures(5), 25, metadata=metadata))
    assert recording.created_utc == datetime(2024, 5, 1, 10, tzinfo=UTC)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file names")
@pytest.mark.parametrize("name", ["http:ride.mp4", "50 % done #1.mp4", "Abfahrt über Höhe.mp4"])
def test_a_file_name_is_never_taken_for_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_video(tmp_path / "plain.mp4", _pictures(5), 25).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name)).path == Path(name)


def test_sound_that_outlasts_the_pictures_does_not_lengthen_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "ride.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=48000)
        for image in _pictures(25):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="gray")))
        for number in range(150):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), "fltp", "mono")
            sound.sample_rate = 48000
            sound.pts = number * 1024
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    assert probe(path).duration_s == pytest.approx(1.0, abs=0.1)


# --- chapters and proxies --------------------------------------------------------------------------


def _gopro(folder: Path, lengths: tuple[int, ...] = (30, 20, 10)) -> list[Path]:
    return [
        write_video(folder / f"GX{number:02}0034.MP4", _pictures(length, seed=number), NTSC_30)
        for number, length in enumerate(lengths, start=1)
    ]


def test_any_chapter_gives_the_whole_recording_with_each_chapter_s_offset(tmp_path: Path) -> None:
    paths = _gopro(tmp_path)
    recordings = [probe(path) for path in paths]
    assert recordings[0] == recordings[1] == recordings[2]
    chapters = recordings[0].chapters
    assert [c.path for c in chapters] == paths
    assert [c.offset_s for c in chapters] == pytest.approx([0, 30 / NTSC_30, 50 / NTSC_30], abs=1e-9)
    assert recordings[0].duration_s == pytest.approx(60 / NTSC_30, abs=1e-9)


def test_a_chapter_of_another_size_or_rate_is_another_recording(tmp_path: Path) -> None:
    first, second, third = _gopro(tmp_path)
    write_video(second, _pictures(20, size=(80, 48)), NTSC_30)
    assert [c.path for c in probe(first).chapters] == [first]
    assert [c.path for c in probe(second).chapters] == [second]
    write_video(second, _pictures(20), 25)
    assert [c.path for c in probe(third).chapters] == [third]


def test_a_broken_chapter_is_named_rather_than_left_out(tmp_path: Path) -> None:
    first, second, _ = _gopro(tmp_path)
    second.write_bytes(second.read_bytes()[:2000])
    with pytest.raises(MediaError, match="GX020034"):
        probe(first)


def test_a_proxy_as_long_as_the_original_gives_the_pictures_and_nothing_else(tmp_path: Path) -> None:
    original = write_video(tmp_path / "GX010034.MP4", _pictures(60), Fraction(60000, 1001))
    proxy = write_video(tmp_path / "GL010034.LRV", _pictures(30, size=(32, 24)), NTSC_30)
    recording = probe(original)
    assert recording.uses_proxy
    assert recording.chapters[0].picture_path == proxy
    assert recording.chapters[0].path == original
    assert (recording.width, recording.height) == (64, 48)
    assert recording.rate == Rate(Fraction(60000, 1001))
    assert not probe(original, use_proxy=False).uses_proxy
    assert probe(original, use_proxy=False).fingerprint == recording.fingerprint


@pytest.mark.parametrize(("length", "used"), [(28, True), (32, True), (26, False), (34, False)])
def test_a_proxy_of_another_length_is_left_aside(tmp_path: Path, length: int, used: bool) -> None:
    original = write_video(tmp_path / "GX010034.MP4", _pictures(30), NTSC_30)
    write_video(tmp_path / "GL010034.LRV", _pictures(length, size=(32, 24)), NTSC_30)
    assert probe(original).uses_proxy is used


def test_a_broken_proxy_is_left_aside(tmp_path: Path) -> None:
    original = write_video(tmp_path / "GX010034.MP4", _pictures(30), NTSC_30)
    (tmp_path / "GL010034.LRV").write_bytes(b"not a video at all")
    assert not probe(original).uses_proxy


# --- bad files -------------------------------------------------------------------------------------


def _assert_refused(path: Path, *words: str) -> None:
    with pytest.raises(MediaError) as caught:
        probe(path)
    message = str(caught.value)
    for word in (path.name, *words):
        assert word in message, message
    assert message.endswith(".")
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    _assert_refused(tmp_path / "gone.mp4", "does not exist")


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    _assert_refused(tmp_path / "file" / "ride.mp4")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    _assert_refused(tmp_path / "folder.mp4", "is a folder")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    _assert_refused(tmp_path / "empty.mp4", "0 bytes", "copy it again")


def test_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("drop in at the big root\n" * 200, encoding="utf-8")
    _assert_refused(tmp_path / "notes.mp4", "not a video")


def test_noise_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(100_000))
    _assert_refused(tmp_path / "noise.mp4")


def test_an_mp4_without_its_table_of_contents_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.mp4", _pictures(30), 25)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"moov") - 4])
    _assert_refused(path, "breaks off", "copy it again")


def test_a_recording_of_sound_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        for number in range(20):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), "fltp", "mono")
            sound.sample_rate = 48000
            sound.pts = number * 1024
            container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    _assert_refused(path, "no video")


def test_a_single_picture_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "one.mp4", _pictures(1), 25)
    _assert_refused(path, "fewer than two pictures")


def test_a_video_whose_pictures_are_all_broken_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "zeros.mp4", _pictures(30), 25, options={"movflags": "faststart"})
    content = path.read_bytes()
    data = content.index(b"mdat") + 4
    path.write_bytes(content[:data] + bytes(len(content) - data))
    _assert_refused(path, "fewer than two pictures")


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "locked.mp4", _pictures(5), 25)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    _assert_refused(path, "may not be read", "permissions")


def test_originals_are_left_as_they_were_P1(tmp_path: Path) -> None:
    path = write_video(tmp_path / "GX010034.MP4", _pictures(30), 25)
    before, stat = path.read_bytes(), path.stat()
    path.chmod(0o444)
    probe(path)
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == stat.st_mtime_ns
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


# --- real cameras ----------------------------------------------------------------------------------


@pytest.mark.skipif(not TELEMETRY.is_dir(), reason="the shared test data is not here")
@pytest.mark.parametrize(
    ("name", "n_pictures", "timecode", "created"),
    [
        ("karma.mp4", 362, "19:26:48:04", datetime(2017, 4, 17, 19, 27, 57, tzinfo=UTC)),
        ("max-heromode.mp4", 315, "15:44:35:10", datetime(2019, 11, 18, 15, 45, 32, tzinfo=UTC)),
    ],
)
def test_a_real_gopro_file_is_read_exactly(
    name: str, n_pictures: int, timecode: str, created: datetime
) -> None:
    recording = probe(TELEMETRY / name)
    assert recording.rate == Rate(NTSC_30)
    assert recording.duration_s == pytest.approx(n_pictures / NTSC_30, abs=1e-4)
    assert str(recording.start_timecode) == timecode
    assert recording.created_utc == created
