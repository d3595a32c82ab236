"""A still is a small, upright JPEG of about the wanted moment."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mtbsync_engine.errors import MediaError
from mtbsync_engine.media.probe import probe
from mtbsync_engine.media.still import still
from support.videos import write_video

Image = NDArray[np.uint8]


def _numbered(n: int, size: tuple[int, int] = (640, 360)) -> list[Image]:
    """Pictures that tell their own number by how bright they are."""
    return [np.full((size[1], size[0]), 10 + 4 * number, dtype=np.uint8) for number in range(n)]


def _seen(jpeg: bytes) -> Image:
    assert jpeg[:3] == b"\xff\xd8\xff"
    with av.open(io.BytesIO(jpeg)) as container:
        (frame,) = container.decode(container.streams.video[0])
    return frame.to_ndarray(format="gray")


def _number(jpeg: bytes) -> int:
    return round((float(_seen(jpeg).mean()) - 10) / 4)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_it_is_the_key_frame_before_the_moment(tmp_path: Path, codec: str) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(45), 10, gop=10, codec=codec)
    numbers = [_number(still(probe(path), t_s)) for t_s in (0.0, 1.0, 1.9, 2.05, 4.4)]
    assert numbers == [0, 10, 10, 20, 40]


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
@pytest.mark.parametrize("t_s", [-1.0, 0.0, 2.0, 99.0])
def test_there_is_one_for_any_moment_of_any_container(tmp_path: Path, suffix: str, t_s: float) -> None:
    times_s = [0.7 + k / 10 for k in range(45)]
    path = write_video(tmp_path / f"ride{suffix}", _numbered(45), 10, times_s=times_s, gop=10, b_frames=2)
    assert _number(still(probe(path), t_s)) in range(0, 45, 10)


def test_it_is_small_and_keeps_its_shape(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(4, (1280, 720)), 10)
    assert _seen(still(probe(path), 0.0)).shape == (180, 320)
    assert _seen(still(probe(path), 0.0, max_width_px=100)).shape == (56, 100)


def test_a_small_video_is_not_blown_up(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(4, (64, 48)), 10)
    assert _seen(still(probe(path), 0.0)).shape == (48, 64)


@pytest.mark.parametrize(("rotation", "corner"), [(90, (0, -1)), (-90, (-1, 0)), (180, (-1, -1))])
def test_it_stands_upright(tmp_path: Path, rotation: int, corner: tuple[int, int]) -> None:
    image = np.zeros((360, 640), dtype=np.uint8)
    image[:180, :320] = 200
    path = write_video(tmp_path / "ride.mp4", [image] * 4, 10, rotation=rotation)
    seen = _seen(still(probe(path), 0.0))
    expected = np.rot90(image, rotation // 90)
    bright = {c: bool(expected[c] > 100) for c in ((0, 0), (0, -1), (-1, 0), (-1, -1))}
    # A pixel within each corner, as JPEG blurs edges.
    found = {
        (y, x): bool(seen[y * 5 + 2 if y == 0 else -3, x * 5 + 2 if x == 0 else -3] > 100) for y, x in bright
    }
    assert found == bright


def test_the_chapter_is_found(tmp_path: Path) -> None:
    for chapter in (1, 2):
        pictures = [np.full((48, 64), 100 * chapter, dtype=np.uint8)] * 20
        write_video(tmp_path / f"GX0{chapter}0001.MP4", pictures, 10, gop=5)
    recording = probe(tmp_path / "GX010001.MP4")
    assert _seen(still(recording, 1.0)).mean() == pytest.approx(100, abs=3)
    assert _seen(still(recording, 3.0)).mean() == pytest.approx(200, abs=3)


def test_a_file_that_is_gone_or_broken_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", _numbered(20), 10, options={"movflags": "+faststart"})
    recording = probe(path)
    content = bytearray(path.read_bytes())
    begin = content.find(b"mdat") + 4
    content[begin:] = bytes(len(content) - begin)
    path.write_bytes(content)
    with pytest.raises(MediaError, match="copy it again"):
        still(recording, 1.0)
    path.unlink()
    with pytest.raises(MediaError, match="does not exist"):
        still(recording, 1.0)
