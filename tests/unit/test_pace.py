"""A rate varies where pictures leave their grid, not where a container rounds or a camera drops a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mtbsync_engine.errors import MediaError
from mtbsync_engine.media.pace import has_variable_rate
from mtbsync_engine.media.probe import probe
from mtbsync_engine.model import FloatArray
from support.videos import write_video

NTSC_30 = Fraction(30000, 1001)
_GREY = np.full((32, 32), 90, np.uint8)


def _varies(path: Path, times_s: Sequence[float] | FloatArray, b_frames: int = 0) -> bool:
    times = [float(t_s) for t_s in times_s]
    write_video(path, [_GREY] * len(times), 30, times_s=times, b_frames=b_frames)
    return has_variable_rate(probe(path))


def _from_gaps(gaps_s: FloatArray) -> FloatArray:
    return np.concatenate([[0.0], np.cumsum(gaps_s)])


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize("rate", [Fraction(24), NTSC_30, Fraction(240)])
def test_a_steady_rate_does_not_vary_however_its_times_are_rounded(
    tmp_path: Path, suffix: str, rate: Fraction
) -> None:
    path = write_video(tmp_path / f"ride{suffix}", [_GREY] * 240, rate, b_frames=2)
    assert not has_variable_rate(probe(path))


@pytest.mark.parametrize("rate", [NTSC_30, Fraction(60), Fraction(240)])
def test_times_on_a_phones_coarse_clock_do_not_vary(tmp_path: Path, rate: Fraction) -> None:
    times_s = np.round(np.arange(300) / float(rate) * 600) / 600
    assert not _varies(tmp_path / "phone.mov", times_s)


def test_a_few_dropped_pictures_do_not_vary(tmp_path: Path) -> None:
    kept = np.delete(np.arange(300), [20, 21, 22, 90, 170, 231])
    assert not _varies(tmp_path / "ride.mp4", kept / float(NTSC_30), b_frames=2)


def test_a_phones_rate_that_trembles_varies(tmp_path: Path) -> None:
    gaps_s = np.random.default_rng(1).uniform(0.02, 0.05, 300)
    assert _varies(tmp_path / "phone.mp4", _from_gaps(gaps_s))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_rate_that_falls_in_the_dark_varies(tmp_path: Path, suffix: str) -> None:
    gaps_s = np.concatenate([np.full(150, 1 / 30), np.full(60, 1 / 24), np.full(90, 1 / 30)])
    assert _varies(tmp_path / f"phone{suffix}", _from_gaps(gaps_s), b_frames=2)


def test_a_rate_that_is_halved_for_a_while_varies(tmp_path: Path) -> None:
    gaps_s = np.concatenate([np.full(200, 1 / 30), np.full(60, 1 / 15)])
    assert _varies(tmp_path / "phone.mp4", _from_gaps(gaps_s))


def test_a_rate_that_drifts_varies(tmp_path: Path) -> None:
    assert _varies(tmp_path / "phone.mp4", _from_gaps(np.linspace(1 / 30, 1 / 28, 600)))


def test_one_chapter_that_varies_is_enough(tmp_path: Path) -> None:
    steady_s = np.arange(90) / 30
    random = np.random.default_rng(1)
    moved_s = steady_s + np.concatenate([[0], random.uniform(-0.014, 0.014, 88), [0]])
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    assert not _varies(one, steady_s)
    assert _varies(two, moved_s)
    first, second = probe(one), probe(two)
    later = replace(second.chapters[0], offset_s=first.duration_s)
    assert has_variable_rate(replace(first, chapters=(*first.chapters, later)))


def test_nothing_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = probe(write_video(tmp_path / "ride.mp4", [_GREY] * 60, 30))

    def refuse(packet: object) -> None:
        raise AssertionError

    monkeypatch.setattr("mtbsync_engine.media.container._pictures", refuse)
    assert not has_variable_rate(recording)


def test_two_pictures_do_not_vary(tmp_path: Path) -> None:
    assert not has_variable_rate(probe(write_video(tmp_path / "ride.mp4", [_GREY] * 2, 30)))


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ride.mp4", [_GREY] * 9, 30)
    recording = probe(path)
    path.unlink()
    with pytest.raises(MediaError, match="does not exist"):
        has_variable_rate(recording)


def test_a_stream_without_an_index_is_read_through(tmp_path: Path) -> None:
    times_s = _from_gaps(np.random.default_rng(1).uniform(0.02, 0.06, 200))
    path = tmp_path / "phone.mkv"
    assert _varies(path, times_s)
    with av.open(str(path)) as container:
        assert len(container.streams.video[0].index_entries) < 20
