"""Which pictures come out of real files, when, and how they look."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from mtbsync_engine.errors import MediaError
from mtbsync_engine.media.container import OpenVideo, Skip, decoded
from mtbsync_engine.media.frames import Picture, SamplingPlan, plan_sampling, read_picture, sample_frames
from mtbsync_engine.media.probe import probe
from support.videos import write_video

Image = NDArray[np.uint8]

NTSC_30 = Fraction(30000, 1001)
DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not here")


def _numbered(numbers: Iterable[int], size: tuple[int, int] = (64, 48)) -> list[Image]:
    """Pictures that tell their own number, below 50, by how bright they are."""
    return [np.full((size[1], size[0]), 10 + 4 * number, dtype=np.uint8) for number in numbers]


def _number(image: Image) -> int:
    return round((float(image.mean()) - 10) / 4)


def _sample(path: Path, fps: float, *, fast: bool = False, max_side: int = 640) -> list[Picture]:
    recording = probe(path)
    return list(sample_frames(recording, plan_sampling(recording, fps=fps, fast=fast), max_side=max_side))


def _sample_all(path: Path) -> list[Picture]:
    return _sample(path, 1000)


def _times(pictures: Sequence[Picture]) -> list[float]:
    return [picture.t_s for picture in pictures]


def _numbers(pictures: Sequence[Picture]) -> list[int]:
    return [_number(picture.gray) for picture in pictures]


# --- which picture, and when ------------------------------------------------------------------------


def test_each_cell_of_the_grid_gives_its_first_picture_with_its_own_time(tmp_path: Path) -> None:
    pictures = _sample(write_video(tmp_path / "ride.mp4", _numbered(range(45)), 15, gop=100), 5)
    assert _numbers(pictures) == list(range(0, 45, 3))
    assert _times(pictures) == pytest.approx([k / 5 for k in range(15)], abs=1e-9)


def test_a_grid_finer_than_the_frames_gives_every_picture_once(tmp_path: Path) -> None:
    pictures = _sample(write_video(tmp_path / "ride.mp4", _numbered(range(45)), NTSC_30), 300)
    assert _numbers(pictures) == list(range(45))
    assert _times(pictures) == pytest.approx([k * 1001 / 30000 for k in range(45)], abs=1e-9)


def test_a_grid_as_fine_as_the_frames_gives_every_picture_once(tmp_path: Path) -> None:
    pictures = _sample(write_video(tmp_path / "ride.mp4", _numbered(range(45)), NTSC_30), 30000 / 1001)
    assert _numbers(pictures) == list(range(45))


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_variable_frame_rates_keep_the_file_s_times(tmp_path: Path, suffix: str, b_frames: int) -> None:
    gaps_s = np.random.default_rng(7).uniform(0.01, 0.2, 44)
    times_s = [0.0, *np.round(np.cumsum(gaps_s), 3)]
    path = tmp_path / f"phone{suffix}"
    write_video(path, _numbered(range(45)), 30, times_s=times_s, gop=100, b_frames=b_frames)
    assert _times(_sample_all(path)) == pytest.approx(times_s, abs=0.0006)

    pictures = _sample(path, 4)
    first_of_cell = {math.floor(t_s * 4): number for number, t_s in reversed(list(enumerate(times_s)))}
    assert _numbers(pictures) == sorted(first_of_cell.values())


@pytest.mark.parametrize("b_frames", [0, 2])
def test_the_clock_begins_at_the_first_picture_presented(tmp_path: Path, b_frames: int) -> None:
    times_s = [0.7 + k / 25 for k in range(40)]
    path = write_video(tmp_path / "late.mp4", _numbered(range(40)), 25, times_s=times_s, b_frames=b_frames)
    pictures = _sample_all(path)
    assert _numbers(pictures) == list(range(40))
    assert _times(pictures) == pytest.approx([k / 25 for k in range(40)], abs=1e-4)


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
def test_reordered_pictures_come_in_the_order_of_presentation(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"ride{suffix}", _numbered(range(45)), 25, b_frames=3)
    pictures = _sample_all(path)
    assert _numbers(pictures) == list(range(45))
    assert _times(pictures) == pytest.approx([k / 25 for k in range(45)], abs=0.0006)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
@pytest.mark.parametrize("fps", [2, 4, 7])
def test_what_is_left_out_changes_nothing_of_the_rest(tmp_path: Path, fps: float, codec: str) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(range(45)), 30, gop=100, b_frames=2, codec=codec)
    everything = _sample_all(path)
    assert len(everything) == 45
    first_of_cell = {math.floor((k / 30 + 0.001) * fps): k for k in reversed(range(45))}
    all_frames = SamplingPlan(fps=fps, key_frames_only=False, n_pictures=0, longest_gap_s=0.0)
    pictures = list(sample_frames(probe(path), all_frames, max_side=640))
    for picture, k in zip(pictures, sorted(first_of_cell.values()), strict=True):
        assert picture.t_s == everything[k].t_s
        np.testing.assert_array_equal(picture.gray, everything[k].gray)


def test_pictures_that_nothing_needs_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(range(45)), 30, gop=100, b_frames=3)
    taken: list[float] = []

    def noting(video: OpenVideo, skip: Callable[[float], Skip]) -> Iterator[tuple[float, VideoFrame]]:
        for file_s, frame in decoded(video, skip):
            taken.append(file_s)
            yield file_s, frame

    monkeypatch.setattr("mtbsync_engine.media.frames.decoded", noting)
    assert _numbers(_sample(path, 3)) == [0, 10, 20, 30, 40]
    # Others are decoded from one picture in two; the decoder begins with a few more.
    assert len(taken) < 30


def _trim(path: Path, start_s: float, duration_s: float) -> None:
    """Make the file's edit list present only that stretch, as a phone's trim tool does."""
    content = bytearray(path.read_bytes())
    mvhd, mdhd, elst = (content.index(name) for name in (b"mvhd", b"mdhd", b"elst"))
    (movie_ticks,) = struct.unpack_from(">I", content, mvhd + 16)
    (media_ticks,) = struct.unpack_from(">I", content, mdhd + 16)
    length, media_start = struct.unpack_from(">Ii", content, elst + 12)
    assert length > duration_s * movie_ticks
    trimmed = (round(duration_s * movie_ticks), media_start + round(start_s * media_ticks))
    struct.pack_into(">Ii", content, elst + 12, *trimmed)
    path.write_bytes(content)


def test_what_an_edit_list_leaves_out_is_not_seen(tmp_path: Path) -> None:
    path = write_video(tmp_path / "trimmed.mp4", _numbered(range(48)), 16, b_frames=2, gop=100)
    _trim(path, 0.5, 2.0)
    assert probe(path).duration_s == pytest.approx(2.0, abs=1e-3)
    pictures = _sample_all(path)
    assert _numbers(pictures) == list(range(8, 40))
    assert _times(pictures) == pytest.approx([k / 16 for k in range(32)], abs=1e-3)


def test_key_frames_of_a_trimmed_file_keep_its_clock(tmp_path: Path) -> None:
    path = write_video(tmp_path / "trimmed.mp4", _numbered(range(48)), 16, b_frames=2, gop=4)
    full = dict(zip(_numbers(_sample_all(path)), _times(_sample_all(path)), strict=True))
    _trim(path, 0.625, 2.0)
    recording = probe(path)
    plan = plan_sampling(recording, fps=4)
    assert plan.key_frames_only
    pictures = list(sample_frames(recording, plan, max_side=64))
    assert _numbers(pictures)[0] == 10
    assert len(pictures) == 8
    for picture in pictures:
        assert picture.t_s == pytest.approx(full[_number(picture.gray)] - 0.625, abs=1e-3)


# --- key frames -------------------------------------------------------------------------------------


def _plan(path: Path, fps: float, *, fast: bool = False) -> SamplingPlan:
    return plan_sampling(probe(path), fps=fps, fast=fast)


@pytest.mark.parametrize(
    ("gop", "fps", "fast", "key_frames_only"),
    [
        (5, 2, False, True),  # 0.33 s against 0.75 s
        (11, 2, False, True),  # 0.73 s
        (12, 2, False, False),  # 0.80 s
        (15, 2, False, False),  # a second
        (15, 2, True, True),
        (15, 10, True, True),
        (30, 2, True, False),  # two seconds
        (30, 0.5, False, True),  # against three
        (5, 15, False, False),
    ],
)
def test_key_frames_serve_where_they_are_dense_enough(
    tmp_path: Path, gop: int, fps: float, fast: bool, key_frames_only: bool
) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered([k % 45 for k in range(150)]), 15, gop=gop)
    assert _plan(path, fps, fast=fast).key_frames_only is key_frames_only


def test_one_key_frame_a_second_at_29_97_counts_as_one_a_second(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered([k % 45 for k in range(120)]), NTSC_30, gop=30)
    assert _plan(path, 2, fast=True).key_frames_only


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
def test_key_frames_are_found_with_an_index_and_without(tmp_path: Path, suffix: str) -> None:
    dense = write_video(tmp_path / f"dense{suffix}", _numbered(range(45)), 15, gop=5)
    sparse = write_video(tmp_path / f"sparse{suffix}", _numbered(range(45)), 15, gop=45)
    assert _plan(dense, 2) == SamplingPlan(2, True, 6, pytest.approx(1 / 3, abs=0.002))
    assert _plan(sparse, 2) == SamplingPlan(2, False, 6, 0.0)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_key_frames_give_the_same_pictures_at_the_same_times_as_a_full_decode(
    tmp_path: Path, suffix: str, b_frames: int, codec: str
) -> None:
    path = tmp_path / f"ride{suffix}"
    write_video(path, _numbered(range(45)), 15, gop=5, b_frames=b_frames, codec=codec)
    full = {picture.t_s: picture.gray for picture in _sample_all(path)}
    pictures = _sample(path, 3)
    assert _plan(path, 3).key_frames_only
    assert _numbers(pictures) == list(range(0, 45, 5))
    for picture in pictures:
        np.testing.assert_array_equal(picture.gray, full[picture.t_s])


def test_key_frames_denser_than_wanted_are_thinned(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(range(45)), 15, gop=3)
    assert _plan(path, 1).key_frames_only
    assert _times(_sample(path, 1)) == pytest.approx([0, 1, 2], abs=1e-9)


@pytest.mark.parametrize("fps", [1, 2, 4, 15, 100])
def test_a_plan_counts_the_pictures_to_come(tmp_path: Path, fps: float) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(range(45)), 15, gop=5)
    assert _plan(path, fps).n_pictures == len(_sample(path, fps))


# --- chapters and proxies ---------------------------------------------------------------------------


def _two_chapters(folder: Path) -> Path:
    write_video(folder / "GX020034.MP4", _numbered(range(22, 45)), NTSC_30)
    return write_video(folder / "GX010034.MP4", _numbered(range(22)), NTSC_30)


def test_time_runs_on_across_chapters(tmp_path: Path) -> None:
    pictures = _sample_all(_two_chapters(tmp_path))
    assert _numbers(pictures) == list(range(45))
    assert _times(pictures) == pytest.approx([k * 1001 / 30000 for k in range(45)], abs=1e-9)


def test_the_grid_runs_on_across_chapters(tmp_path: Path) -> None:
    pictures = _sample(_two_chapters(tmp_path), 10)
    assert _numbers(pictures) == list(range(0, 45, 3))


def test_pictures_come_from_the_proxy(tmp_path: Path) -> None:
    original = write_video(tmp_path / "GX010034.MP4", _numbered([0] * 60), 30)
    write_video(tmp_path / "GL010034.LRV", _numbered([k // 2 for k in range(60)], size=(32, 24)), 30)
    pictures = _sample(original, 5)
    assert {picture.gray.shape for picture in pictures} == {(24, 32)}
    assert _numbers(pictures) == list(range(0, 30, 3))
    assert read_picture(probe(original), 1.0, max_side=640).shape == (24, 32, 3)


# --- how they look ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_side", "size"), [(640, (96, 64)), (96, (96, 64)), (48, (48, 32)), (10, (10, 7)), (1, (1, 1))]
)
def test_pictures_shrink_to_the_wanted_side_and_never_grow(
    tmp_path: Path, max_side: int, size: tuple[int, int]
) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(range(5), size=(96, 64)), 15)
    for picture in _sample(path, 15, max_side=max_side):
        assert picture.gray.shape == (size[1], size[0])
        assert picture.gray.dtype == np.uint8


def test_shrinking_averages_instead_of_skipping(tmp_path: Path) -> None:
    stripes = np.zeros((64, 96), dtype=np.uint8)
    stripes[:, ::2] = 200
    (picture, *_) = _sample(write_video(tmp_path / "ride.mp4", [stripes] * 3, 15), 15, max_side=12)
    assert np.abs(picture.gray.astype(int) - 100).max() < 12


def _corners(image: Image) -> list[int]:
    """Brightness of the corners, clockwise from the upper left, as 0, 1, 2 or 3 quarters of white."""
    shrunk = [image[4, 4], image[4, -5], image[-5, -5], image[-5, 4]]
    return [round(float(np.mean(corner)) / 80) for corner in shrunk]


@pytest.mark.parametrize(
    ("rotation", "shape", "corners"),
    [
        (0, (48, 64), [0, 1, 2, 3]),
        (90, (64, 48), [1, 2, 3, 0]),
        (180, (48, 64), [2, 3, 0, 1]),
        (270, (64, 48), [3, 0, 1, 2]),
    ],
)
def test_pictures_stand_upright(
    tmp_path: Path, rotation: int, shape: tuple[int, int], corners: list[int]
) -> None:
    stored = np.zeros((48, 64), dtype=np.uint8)
    stored[:24, 32:], stored[24:, 32:], stored[24:, :32] = 80, 160, 240
    path = write_video(tmp_path / "phone.mp4", [stored] * 4, 15, rotation=rotation)
    for picture in _sample(path, 15):
        assert picture.gray.shape == shape
        assert picture.gray.flags.c_contiguous
        assert _corners(picture.gray) == corners
    shown = read_picture(probe(path), 0.0, max_side=64)
    assert shown.shape == (*shape, 3)
    assert _corners(shown) == corners


def test_the_matrix_that_portrait_phones_write_turns_a_picture_clockwise(tmp_path: Path) -> None:
    path = write_video(tmp_path / "phone.mp4", _numbered(range(3)), 15, rotation=270)
    content = path.read_bytes()
    matrix = struct.unpack_from(">4i", content, content.index(b"tkhd") + 44)
    # x' = -y and y' = x, in 16.16 fixed point: a, b, u, c of the track header's matrix.
    assert matrix == (0, 0x10000, 0, -0x10000)


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        ("libx264", "yuv420p"),
        ("libx264", "yuvj420p"),
        ("libx264", "yuv422p"),
        ("libx265", "yuv420p"),
        ("libx265", "yuv420p10le"),
    ],
)
def test_grey_levels_do_not_depend_on_range_depth_or_codec(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    steps = np.repeat(np.array([0, 40, 128, 200, 255], dtype=np.uint8), 32)
    image = np.tile(steps, (64, 1))
    path = write_video(tmp_path / "ride.mp4", [image] * 3, 15, codec=codec, pix_fmt=pix_fmt)
    for picture in _sample(path, 15, max_side=80):
        levels = picture.gray[16, 8::16].astype(int)
        assert np.abs(levels - [0, 40, 128, 200, 255]).max() <= 3


# --- damage -----------------------------------------------------------------------------------------


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """Ten seconds whose table of contents comes first, large enough to be cut anywhere."""
    noise = np.random.default_rng(0).integers(0, 256, (150, 48, 64), dtype=np.uint8)
    return write_video(tmp_path / "ride.mp4", noise, 15, gop=5, options={"movflags": "faststart"})


def _until_error(path: Path, fps: float) -> tuple[list[Picture], str]:
    recording = probe(path)
    samples = sample_frames(recording, plan_sampling(recording, fps=fps), max_side=64)
    pictures: list[Picture] = []
    while True:
        try:
            pictures.append(next(samples))
        except MediaError as error:
            return pictures, str(error)


@pytest.mark.parametrize("fps", [2, 15])
def test_a_file_that_breaks_off_gives_what_it_has_and_then_says_so(noisy: Path, fps: float) -> None:
    content = noisy.read_bytes()
    noisy.write_bytes(content[: len(content) * 6 // 10])
    pictures, message = _until_error(noisy, fps)
    assert 5.0 < pictures[-1].t_s < 6.5
    assert "ride.mp4 breaks off at " in message
    assert " of 10.0 s; copy it again from the card." in message


@pytest.mark.parametrize("fps", [2, 15])
def test_a_file_whose_rest_was_never_copied_is_found_out(noisy: Path, fps: float) -> None:
    content = noisy.read_bytes()
    kept = len(content) * 6 // 10
    noisy.write_bytes(content[:kept] + bytes(len(content) - kept))
    pictures, message = _until_error(noisy, fps)
    assert 5.0 < pictures[-1].t_s < 6.5
    assert "breaks off" in message


@pytest.mark.parametrize("fps", [2, 15])
def test_broken_pictures_in_the_middle_are_passed_over(noisy: Path, fps: float) -> None:
    intact = _times(_sample(noisy, fps))
    content = bytearray(noisy.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 20] = bytes(len(content) // 20)
    noisy.write_bytes(content)
    pictures = _sample(noisy, fps)
    assert set(_times(pictures)) <= set(intact)
    assert len(intact) * 0.8 < len(pictures) <= len(intact)
    assert pictures[-1].t_s == intact[-1]


def test_a_whole_file_whose_last_key_frame_lies_early_is_not_called_broken(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered([k % 45 for k in range(149)]), 10, gop=30)
    recording = probe(path)
    plan = plan_sampling(recording, fps=0.5)
    assert plan.key_frames_only
    assert list(sample_frames(recording, plan, max_side=64))[-1].t_s == pytest.approx(12.0)


def test_a_file_that_vanishes_before_sampling_is_named(noisy: Path) -> None:
    recording = probe(noisy)
    plan = plan_sampling(recording, fps=2)
    noisy.unlink()
    with pytest.raises(MediaError, match=r"ride\.mp4 does not exist"):
        next(sample_frames(recording, plan, max_side=64))


# --- one picture ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_the_picture_on_display_is_found_at_any_time(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"ride{suffix}", _numbered(range(45)), 15, gop=12, b_frames=2)
    recording = probe(path)
    for number in range(0, 45, 4):
        for share in (0.0, 0.5, 0.9):
            assert _number(read_picture(recording, (number + share) / 15, max_side=64)) == number


def test_a_long_held_picture_is_on_display_until_the_next(tmp_path: Path) -> None:
    times_s = [0.0, 0.1, 3.0, 3.1]
    recording = probe(write_video(tmp_path / "held.mp4", _numbered(range(4)), 30, times_s=times_s))
    shown = [_number(read_picture(recording, t_s, max_side=64)) for t_s in (0.05, 0.1, 2.9, 3.0, 3.12)]
    assert shown == [0, 1, 1, 2, 3]


def test_pictures_are_found_in_every_chapter(tmp_path: Path) -> None:
    recording = probe(_two_chapters(tmp_path))
    for number in (0, 10, 21, 22, 30, 44):
        assert _number(read_picture(recording, number * 1001 / 30000, max_side=64)) == number


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    image = np.zeros((48, 96, 3), dtype=np.uint8)
    for channel in range(3):
        image[:, 32 * channel : 32 * (channel + 1), channel] = 230
    recording = probe(write_video(tmp_path / "ride.mp4", [image] * 3, 15))
    shown = read_picture(recording, 0.1, max_side=96)
    assert shown.dtype == np.uint8
    assert [int(shown[24, 16 + 32 * channel].argmax()) for channel in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("t_s", [-0.1, 3.0, 100.0])
def test_a_time_outside_the_recording_is_refused(tmp_path: Path, t_s: float) -> None:
    recording = probe(write_video(tmp_path / "ride.mp4", _numbered(range(45)), 15))
    with pytest.raises(MediaError, match=r"runs from 0 to 3\.00 s"):
        read_picture(recording, t_s, max_side=64)


def test_a_picture_beyond_the_break_of_a_file_is_refused(noisy: Path) -> None:
    content = noisy.read_bytes()
    noisy.write_bytes(content[: len(content) * 6 // 10])
    recording = probe(noisy)
    assert read_picture(recording, 3.0, max_side=64).shape == (48, 64, 3)
    with pytest.raises(MediaError, match=r"cannot be decoded at 9\.00 s"):
        read_picture(recording, 9.0, max_side=64)


# --- how it is done ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key_frames_only", [False, True])
def test_the_number_of_threads_does_not_change_what_is_seen(tmp_path: Path, key_frames_only: bool) -> None:
    recording = probe(write_video(tmp_path / "ride.mp4", _numbered(range(45)), 15, gop=10, b_frames=2))
    plan = SamplingPlan(15, key_frames_only, 45, 1.0)
    one, many = (list(sample_frames(recording, plan, max_side=64, n_threads=n)) for n in (1, 12))
    assert _times(one) == _times(many)
    for a, b in zip(one, many, strict=True):
        np.testing.assert_array_equal(a.gray, b.gray)


def test_originals_are_left_as_they_were_P1(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(range(45)), 15)
    before, stat = path.read_bytes(), path.stat()
    path.chmod(0o444)
    _sample_all(path)
    read_picture(probe(path), 1.0, max_side=64)
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == stat.st_mtime_ns
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


# --- real cameras -----------------------------------------------------------------------------------


@needs_data
@pytest.mark.parametrize(("name", "n_pictures"), [("karma.mp4", 362), ("max-heromode.mp4", 315)])
def test_a_real_gopro_file_gives_every_picture_at_its_time(name: str, n_pictures: int) -> None:
    pictures = _sample(DATA / "telemetry" / name, 1000, max_side=64)
    assert _times(pictures) == pytest.approx([k * 1001 / 30000 for k in range(n_pictures)], abs=2e-5)


@needs_data
@pytest.mark.parametrize("name", ["telemetry/karma.mp4", "telemetry/max-heromode.mp4", "sample/ref.mp4"])
def test_real_key_frames_are_those_of_a_full_decode(name: str) -> None:
    recording = probe(DATA / name)
    fast = plan_sampling(recording, fps=2, fast=True)
    assert fast.key_frames_only
    full = SamplingPlan(1000, False, fast.n_pictures, 0.0)
    by_time = {picture.t_s: picture.gray for picture in sample_frames(recording, full, max_side=64)}
    pictures = list(sample_frames(recording, fast, max_side=64))
    assert len(pictures) == pytest.approx(fast.n_pictures, abs=1)
    assert max(b - a for a, b in pairwise(_times(pictures))) < 1.6
    for picture in pictures:
        np.testing.assert_array_equal(picture.gray, by_time[picture.t_s])
