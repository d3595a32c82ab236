"""Light copies have the original's pictures at the original's times, and any of them is found at once."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mtbsync_engine.errors import MediaError, OutputError
from mtbsync_engine.media.light import write_light_copy
from mtbsync_engine.media.probe import probe
from support.videos import write_video

Image = NDArray[np.uint8]

NTSC_30 = Fraction(30000, 1001)
SOUND_RATE = 48_000
CLICK_EVERY_S = 0.5
# A tick of the finest clock that the files here have.
SAME_S = 1e-5


def _numbered(n: int, size: tuple[int, int] = (64, 48)) -> list[Image]:
    """Pictures that tell their own number by how bright they are."""
    return [np.full((size[1], size[0]), 10 + 4 * number, dtype=np.uint8) for number in range(n)]


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


def _with_clicks(
    path: Path, codec: str, *, pictures_from_s: float = 0.0, sound_from_s: float = 0.0, video: str = "libx264"
) -> Path:
    """Two seconds of pictures and sound, which clicks every half second of its own from its start."""
    with av.open(str(path), "w") as container:
        seen = container.add_stream(video, rate=25, options={"x265-params": "log-level=none"})
        seen.width, seen.height, seen.pix_fmt = 64, 48, "yuv420p"
        seen.codec_context.time_base = Fraction(1, 90_000)
        heard = container.add_stream(codec, rate=SOUND_RATE)
        heard.codec_context.layout = "stereo"
        for number, image in enumerate(_numbered(50)):
            frame = av.VideoFrame.from_ndarray(image, format="gray")
            frame.time_base, frame.pts = Fraction(1, 90_000), round((pictures_from_s + number / 25) * 90_000)
            container.mux(seen.encode(frame))
            ticks = number * SOUND_RATE // 25 + np.arange(SOUND_RATE // 25)
            level = 0.8 * (ticks % round(CLICK_EVERY_S * SOUND_RATE) < 200)
            sound = av.AudioFrame.from_ndarray(
                np.tile(level, (2, 1)).astype(np.float32), format="fltp", layout="stereo"
            )
            sound.sample_rate, sound.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
            sound.pts = round(sound_from_s * SOUND_RATE) + int(ticks[0])
            container.mux(heard.encode(sound))
        container.mux(seen.encode(None))
        container.mux(heard.encode(None))
    return path


def _clicks_s(path: Path) -> list[float]:
    """When the clicks are heard, from the first picture on."""
    zero_s = _pictures(path)[0][0]
    found: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.audio[0]):
            level = np.abs(
                frame.to_ndarray().reshape(-1, 2)[:, 0] if _is_packed(frame) else frame.to_ndarray()[0]
            )
            loud = np.flatnonzero(level > 0.4 * (2**15 if level.dtype == np.int16 else 1))
            for t_s in float(frame.time or 0.0) - zero_s + loud / frame.sample_rate:
                if not found or t_s - found[-1] > CLICK_EVERY_S / 2:
                    found.append(float(t_s))
    return found


def _is_packed(frame: av.AudioFrame) -> bool:
    return bool(frame.format.is_packed)


# --- pictures and their times -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "b_frames", "rate"),
    [
        ("libx264", 2, NTSC_30),
        ("libx265", 2, Fraction(25)),
        ("mpeg4", 0, Fraction(24)),
        ("libx264", 0, Fraction(60)),
    ],
)
def test_every_picture_is_there_at_its_own_time(
    tmp_path: Path, codec: str, b_frames: int, rate: Fraction
) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(45), rate, codec=codec, b_frames=b_frames)
    write_light_copy(path, tmp_path / "light.mp4")
    times_s, numbers, _ = _pictures(tmp_path / "light.mp4")
    assert numbers == _pictures(path)[1]
    assert times_s == pytest.approx([float(k / rate) for k in range(45)], abs=SAME_S)
    assert probe(tmp_path / "light.mp4").rate == probe(path).rate


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
def test_a_variable_rate_stays_as_it_is_and_the_first_picture_stands_at_0(
    tmp_path: Path, suffix: str
) -> None:
    gaps_s = np.random.default_rng(3).uniform(0.01, 0.2, 44)
    times_s = 0.7 + np.round(np.concatenate([[0.0], np.cumsum(gaps_s)]), 3)
    path = tmp_path / f"phone{suffix}"
    write_video(path, _numbered(45), 30, times_s=times_s.tolist(), b_frames=2)
    write_light_copy(path, tmp_path / "light.mp4")
    original_s = np.array(_pictures(path)[0])
    copied_s, numbers, _ = _pictures(tmp_path / "light.mp4")
    assert numbers == list(range(45))
    assert copied_s[0] == 0.0
    assert copied_s == pytest.approx((original_s - original_s[0]).tolist(), abs=SAME_S)


def test_every_other_picture_stands_by_itself_and_the_contents_come_first(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(45), 30, gop=45, b_frames=2)
    write_light_copy(path, tmp_path / "light.mp4")
    assert _pictures(tmp_path / "light.mp4")[2] == [k % 2 == 0 for k in range(45)]
    content = (tmp_path / "light.mp4").read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")
    with av.open(str(tmp_path / "light.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.parametrize(
    ("size", "copied"), [((1280, 720), (960, 540)), ((640, 360), (640, 360)), ((1278, 718), (962, 540))]
)
def test_pictures_are_no_higher_than_wanted_and_keep_their_shape(
    tmp_path: Path, size: tuple[int, int], copied: tuple[int, int]
) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(4, size), 30)
    write_light_copy(path, tmp_path / "light.mp4")
    recording = probe(tmp_path / "light.mp4")
    assert (recording.width, recording.height) == copied


def test_pictures_that_were_filmed_upright_stand_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(4, (1280, 720)), 30, rotation=90)
    write_light_copy(path, tmp_path / "light.mp4")
    recording = probe(tmp_path / "light.mp4")
    assert (recording.width, recording.height) == (304, 540)


def test_ten_bits_become_eight(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(10), 30, codec="libx265", pix_fmt="yuv420p10le")
    write_light_copy(path, tmp_path / "light.mp4")
    assert _pictures(tmp_path / "light.mp4")[1] == list(range(10))


def test_each_picture_is_told_of(tmp_path: Path) -> None:
    told: list[float] = []
    path = write_video(tmp_path / "ride.mp4", _numbered(10), 25)
    write_light_copy(path, tmp_path / "light.mp4", on_picture=told.append)
    assert told == pytest.approx([k / 25 for k in range(10)])


# --- sound --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec", "video"),
    [
        ("a.mp4", "aac", "libx264"),
        ("b.mp4", "libmp3lame", "libx264"),
        ("c.mov", "pcm_s16le", "libx265"),
        ("d.ts", "aac", "libx264"),
    ],
)
@pytest.mark.parametrize(("pictures_from_s", "sound_from_s"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.2)])
def test_sound_stays_with_the_pictures(
    tmp_path: Path, name: str, codec: str, video: str, pictures_from_s: float, sound_from_s: float
) -> None:
    path = _with_clicks(
        tmp_path / name, codec, pictures_from_s=pictures_from_s, sound_from_s=sound_from_s, video=video
    )
    write_light_copy(path, tmp_path / "light.mp4")
    expected = [t_s for t_s in _clicks_s(path) if t_s > SAME_S]
    assert len(expected) >= 3
    # The encoder's own blur in time.
    heard = [t_s for t_s in _clicks_s(tmp_path / "light.mp4") if t_s > 0.01]
    assert heard == pytest.approx(expected, abs=0.005)
    with av.open(str(tmp_path / "light.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


def test_a_file_without_sound_has_none(tmp_path: Path) -> None:
    write_light_copy(write_video(tmp_path / "ride.mp4", _numbered(4), 30), tmp_path / "light.mp4")
    with av.open(str(tmp_path / "light.mp4")) as container:
        assert not container.streams.audio


# --- what goes wrong ----------------------------------------------------------------------------------


def _refused(path: Path, out: Path, words: Sequence[str]) -> None:
    with pytest.raises(MediaError) as refused:
        write_light_copy(path, out)
    assert all(word in str(refused.value) for word in words)
    assert not out.exists()
    assert _left_beside(out) == []


def _left_beside(out: Path) -> list[Path]:
    return [*out.parent.glob("*")] if out.parent.exists() else []


@pytest.mark.parametrize("content", [b"", b"not a video at all, but long enough to be looked at"])
def test_what_is_no_video_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ride.mp4"
    path.write_bytes(content)
    _refused(path, tmp_path / "out" / "0.mp4", ["ride.mp4", "."])


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "ride.mp4", tmp_path / "out" / "0.mp4", ["does not exist"])


def test_a_file_whose_pictures_are_all_broken_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(20), 30, options={"movflags": "+faststart"})
    content = bytearray(path.read_bytes())
    begin = content.find(b"mdat") + 4
    content[begin:] = bytes(len(content) - begin)
    path.write_bytes(content)
    _refused(path, tmp_path / "out" / "0.mp4", ["ride.mp4", "decoded"])


def test_a_file_that_breaks_off_gives_what_there_is(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (60, 48, 64), dtype=np.uint8)
    path = write_video(tmp_path / "ride.mp4", noise, 30, options={"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    write_light_copy(path, tmp_path / "light.mp4")
    assert 20 < len(_pictures(tmp_path / "light.mp4")[0]) < 60


def test_p4_a_copy_that_was_broken_off_is_not_there(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(20), 30)

    def stop(t_s: float) -> None:
        assert _left_beside(tmp_path / "out" / "0.mp4")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_light_copy(path, tmp_path / "out" / "0.mp4", on_picture=stop)
    assert not (tmp_path / "out").exists()


def test_p1_the_original_is_only_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(20), 30)
    path.chmod(0o444)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    write_light_copy(path, tmp_path / "light.mp4")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(4), 30)
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError):
        write_light_copy(path, tmp_path / "out" / "0.mp4")
