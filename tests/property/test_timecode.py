"""Timecode and frames at every rate that cameras and editors use."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbsync_engine.timing import Rate, Timecode, frame_start_s, nearest_frame
from support.rates import RATES

WAYS = [(rate, drop_frame) for rate in RATES for drop_frame in ([False, True] if rate.can_drop else [False])]
ways = st.sampled_from(WAYS)


@st.composite
def timecodes(draw: st.DrawFn) -> Timecode:
    rate, drop_frame = draw(ways)
    day = Timecode(0, rate, drop_frame).frames_per_day
    return Timecode(draw(st.integers(0, day - 1)), rate, drop_frame)


def numbers(timecode: Timecode) -> list[int]:
    return [int(part) for part in str(timecode).replace(";", ":").split(":")]


def counted_out(rate: Rate, drop_frame: bool) -> Iterator[list[int]]:
    """Hours, minutes, seconds and frames in order, without the numbers that drop-frame leaves out."""
    skipped = {30: 2, 60: 4, 120: 8}.get(rate.nominal, 0) if drop_frame else 0
    for minute in range(24 * 60):
        for second in range(60):
            first = skipped if second == 0 and minute % 10 else 0
            for frame in range(first, rate.nominal):
                yield [minute // 60, minute % 60, second, frame]


@given(timecodes())
def test_timecode_comes_back_from_its_text(timecode: Timecode) -> None:
    assert Timecode.parse(str(timecode), timecode.rate) == timecode
    assert Timecode.parse(str(timecode), timecode.rate, timecode.drop_frame) == timecode


@given(timecodes(), st.integers(1, 10**6))
def test_later_frames_have_later_numbers(timecode: Timecode, frames: int) -> None:
    later = timecode + frames
    if later.frame > timecode.frame:
        assert numbers(later) > numbers(timecode)
    else:
        assert later.frame == timecode.frame + frames - timecode.frames_per_day


@given(timecodes())
def test_numbers_that_drop_frame_skips_are_never_printed(timecode: Timecode) -> None:
    _, minute, second, frame = numbers(timecode)
    if timecode.drop_frame and minute % 10 and second == 0:
        assert frame >= timecode.rate.nominal // 15


@pytest.mark.parametrize(("rate", "drop_frame"), WAYS)
def test_every_frame_has_the_number_one_gets_by_counting(rate: Rate, drop_frame: bool) -> None:
    twelve_minutes = islice(counted_out(rate, drop_frame), 12 * 60 * rate.nominal)
    for frame, expected in enumerate(twelve_minutes):
        assert numbers(Timecode(frame, rate, drop_frame)) == expected


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate.can_drop], ids=str)
def test_every_minute_of_a_drop_frame_day_begins_where_counting_says(rate: Rate) -> None:
    skipped = {30: 2, 60: 4, 120: 8}[rate.nominal]
    frame = 0
    for minute in range(24 * 60):
        first = skipped if minute % 10 else 0
        timecode = Timecode(frame, rate, drop_frame=True)
        assert numbers(timecode) == [minute // 60, minute % 60, 0, first]
        assert Timecode.parse(str(timecode), rate).frame == frame
        frame += 60 * rate.nominal - first
    assert frame == timecode.frames_per_day


@given(ways, st.floats(0, 86400))
def test_the_nearest_frame_is_at_most_half_a_frame_away(way: tuple[Rate, bool], t_s: float) -> None:
    rate, _ = way
    away = abs(nearest_frame(t_s, rate) / rate.fps - Fraction(t_s))
    assert away <= 1 / (2 * rate.fps)


@given(ways, st.floats(0, 86400), st.floats(0, 86400))
def test_a_later_time_never_has_an_earlier_frame(way: tuple[Rate, bool], a_s: float, b_s: float) -> None:
    rate, _ = way
    assert nearest_frame(min(a_s, b_s), rate) <= nearest_frame(max(a_s, b_s), rate)


@given(timecodes())
def test_the_start_of_any_frame_of_the_day_is_nearest_to_that_frame(timecode: Timecode) -> None:
    assert nearest_frame(frame_start_s(timecode.frame, timecode.rate), timecode.rate) == timecode.frame


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_frame_starts_from_midnight_to_midnight_are_nearest_to_their_frames(rate: Rate) -> None:
    # A prime stride meets every remainder; the last stretch has the coarsest floating-point seconds.
    last = Timecode(0, rate).frames_per_day
    for frame in (*range(0, last, 1009), *range(last - 5000, last + 1)):
        assert nearest_frame(frame_start_s(frame, rate), rate) == frame
