"""Where moments stand on a timeline, and the same arithmetic as the engine's though not its code."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resolve_scripts.mtbsync_resolve.place import (
    Clip,
    File,
    Recording,
    Sheet,
    frame_of,
    moment_at,
    nearest_frame,
    parse_rate,
    timecode,
)

from mtbsync_engine.timing import Rate, Timecode
from mtbsync_engine.timing import nearest_frame as engine_nearest_frame

NTSC = Fraction(30000, 1001)
RATES = [Fraction(24000, 1001), Fraction(24), Fraction(25), NTSC, Fraction(50), 2 * NTSC, Fraction(120)]
rates = st.sampled_from(RATES)


@pytest.mark.parametrize("name", ["23.976", "24", "25", "29.97", "47.952", "50", "59.94", "119.88", "12.5"])
def test_rates_mean_what_they_mean_to_the_engine(name: str) -> None:
    assert parse_rate(name) == Rate.parse(name).fps
    assert parse_rate(f"{name} DF") == parse_rate(float(name)) == Rate.parse(name).fps


@pytest.mark.parametrize("shown", ["", "fast", "-25", "0", None])
def test_what_is_no_rate_is_refused(shown: str | None) -> None:
    with pytest.raises(ValueError, match=r"rate|Fraction"):
        parse_rate(shown)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), rates)
def test_seconds_become_the_engine_s_frames(t_s: float, rate: Fraction) -> None:
    assert nearest_frame(t_s, rate) == engine_nearest_frame(t_s, Rate(rate))


@settings(deadline=None)
@given(st.integers(0, 5_000_000), rates, st.booleans())
def test_timecode_is_the_engine_s(frame: int, rate: Fraction, drops: bool) -> None:
    drops = drops and Rate(rate).can_drop
    assert timecode(frame, rate, drops) == str(Timecode(frame, Rate(rate), drops))


RUN = Recording("r", "GX01.MP4", False, (File("/a/GX01.MP4", 0.0, 100.0), File("/a/GX02.MP4", 100.0, 50.0)))


def sheet(*clips: Clip, rate: Fraction = Fraction(25)) -> Sheet:
    return Sheet(rate, False, 90000, 10_000, clips)


def test_a_moment_stands_where_its_clip_shows_it() -> None:
    cut = sheet(
        Clip("/a/GX02.MP4", 100, 250, Fraction(10), 1), Clip("/a/GX01.MP4", 500, 250, Fraction(20), 1)
    )
    assert frame_of(112.0, RUN, cut) == 150
    assert frame_of(20.0, RUN, cut) == 500
    assert frame_of(19.9, RUN, cut) is None
    assert frame_of(30.1, RUN, cut) is None


def test_the_first_clip_that_shows_a_moment_has_it() -> None:
    twice = sheet(
        Clip("/a/GX01.MP4", 700, 250, Fraction(0), 1), Clip("/a/GX01.MP4", 300, 250, Fraction(0), 2)
    )
    assert frame_of(1.0, RUN, twice) == 325


def test_the_end_of_the_last_frame_is_still_that_frame() -> None:
    cut = sheet(Clip("/a/GX01.MP4", 0, 250, Fraction(0), 1))
    assert frame_of(9.99, RUN, cut) == 249
    assert frame_of(10.03, RUN, cut) is None


def test_the_topmost_clip_is_what_a_frame_shows() -> None:
    other = Recording("o", "B.MP4", False, (File("/b/B.MP4", 0.0, 60.0),))
    stacked = sheet(Clip("/a/GX01.MP4", 0, 500, Fraction(0), 1), Clip("/b/B.MP4", 100, 100, Fraction(3), 2))
    assert moment_at(150, [RUN, other], stacked) == (other, 5.0)
    assert moment_at(150, [RUN], stacked) == (RUN, 6.0)
    assert moment_at(600, [RUN, other], stacked) is None


@settings(deadline=None)
@given(rates, st.integers(0, 999), st.integers(0, 2000), st.integers(0, 3))
def test_frame_to_moment_and_back(rate: Fraction, frame: int, at: int, source_in: int) -> None:
    clip = Clip("/a/GX01.MP4", at, min(1000, math.floor(90 * rate)), source_in / rate, 1)
    frame %= clip.n_frames
    seen = moment_at(at + frame, [RUN], sheet(clip, rate=rate))
    assert seen is not None
    assert frame_of(seen[1], RUN, sheet(clip, rate=rate)) == at + frame
