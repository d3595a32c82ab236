"""HiLights in the tables of an MP4 file, and what is no MP4 or lies about itself."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbsync_engine.errors import MediaError
from mtbsync_engine.telemetry.highlights import read_highlights
from support.gpmf import klv, nest, number, stream, text


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def hmmt(*times_ms: int, n: int | None = None, room_for: int = 100) -> bytes:
    """As cameras write it: a number, the marks, and zeros for those that may still come."""
    marks = struct.pack(f">I{len(times_ms)}I", len(times_ms) if n is None else n, *times_ms)
    return box(b"HMMT", marks.ljust(4 * (room_for + 1), b"\0"))


def hlmt(*marks: tuple[int, bytes]) -> bytes:
    """As later cameras write it: time, in, out, latitude, longitude, elevation, kind, two shares."""
    rows = b"".join(struct.pack(">IIIiif4sff", t, t, t, 45, 7, 300.0, kind, 1.0, 0.0) for t, kind in marks)
    samples = stream(text("TYPE", "LLLllfFff"), klv("HLMT", "?", 36, len(marks), rows))
    settings = nest("DEVC", number("DVID", "L", 1), text("MINF", "Camera"))
    return box(b"GPMF", settings + nest("DEVC", text("DVID", "HLMT"), samples) + b"\0" * 500)


def movie(*user_data: bytes) -> bytes:
    udta = box(b"udta", box(b"FIRM", b"HD1.0") + b"".join(user_data))
    moov = box(b"moov", box(b"mvhd", b"\0" * 100) + udta + box(b"trak", b"\0" * 50))
    return box(b"ftyp", b"mp41") + box(b"mdat", b"\1" * 1000) + moov


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "GX010034.MP4"


def read(file: Path, content: bytes) -> tuple[float, ...]:
    file.write_bytes(content)
    return read_highlights(file)


def test_marks_are_read_in_seconds_and_in_order(file: Path) -> None:
    assert read(file, movie(hmmt(12_345, 600_001, 3_000))) == (3.0, 12.345, 600.001)


def test_marks_of_later_cameras_are_those_that_a_person_set(file: Path) -> None:
    marks = hlmt((12_345, b"MANL"), (20_000, b"VOIC"), (3_000, b"MANL"))
    assert read(file, movie(marks)) == (3.0, 12.345)
    assert read(file, movie(hmmt(1, 2), marks)) == (3.0, 12.345)
    assert read(file, movie(hmmt(1000), hlmt())) == (1.0,)


def test_a_video_without_marks_has_none(file: Path) -> None:
    for content in (
        movie(),
        movie(hmmt()),
        movie(box(b"HMMT", b"")),
        box(b"ftyp", b"mp41"),
        b"",
        b"RIFF" * 9,
    ):
        assert read(file, content) == ()


def test_a_number_that_lies_adds_no_marks(file: Path) -> None:
    assert read(file, movie(hmmt(5_000, n=2**32 - 1, room_for=1))) == (5.0,)


def test_long_sizes_and_a_last_box_to_the_end_are_understood(file: Path) -> None:
    moov = movie(hmmt(7_000))[-(len(movie(hmmt(7_000))) - 12 - 1008) :]
    assert moov[4:8] == b"moov"
    long_mdat = struct.pack(">I4sQ", 1, b"mdat", 16 + 1000) + b"\1" * 1000
    assert read(file, long_mdat + moov) == (7.0,)
    assert read(file, long_mdat + b"\0\0\0\0" + moov[4:]) == (7.0,)


def test_damaged_gpmf_leaves_the_other_list(file: Path) -> None:
    assert read(file, movie(hmmt(4_000), box(b"GPMF", b"\xff" * 50))) == (4.0,)


def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot be read"):
        read_highlights(tmp_path / "gone.mp4")


WHOLE = movie(hmmt(1_000, 2_000), hlmt((3_000, b"MANL")))


@settings(max_examples=200, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(1000, len(WHOLE) - 1), st.integers(0, 255)), max_size=8),
    end=st.integers(0, len(WHOLE)),
)
def test_any_damage_leaves_marks_in_order_or_none(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], end: int
) -> None:
    damaged = bytearray(WHOLE)
    for place, byte in changes:
        damaged[place] = byte
    file = tmp_path_factory.getbasetemp() / "damaged.mp4"
    marks = read(file, bytes(damaged[:end]))
    assert list(marks) == sorted(marks)
