from __future__ import annotations

from fractions import Fraction

import pytest

from mtbsync_engine.errors import TimecodeError
from mtbsync_engine.timing import Rate, Timecode, frame_start_s, nearest_frame

NTSC_24 = Rate(Fraction(24000, 1001))
NTSC_30 = Rate(Fraction(30000, 1001))
NTSC_60 = Rate(Fraction(60000, 1001))
NTSC_120 = Rate(Fraction(120000, 1001))
PAL = Rate(Fraction(25))


@pytest.mark.parametrize(
    ("text", "fps"),
    [
        ("25", Fraction(25)),
        (" 60 ", Fraction(60)),
        ("240", Fraction(240)),
        ("24.0", Fraction(24)),
        ("12.5", Fraction(25, 2)),
        ("30000/1001", Fraction(30000, 1001)),
        ("23.97", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("23.976024", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("29.970", Fraction(30000, 1001)),
        ("47.952", Fraction(48000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("59.94006", Fraction(60000, 1001)),
        ("119.88", Fraction(120000, 1001)),
        ("239.76", Fraction(240000, 1001)),
        # A fraction is exact already, however near it lies to an NTSC rate.
        ("2997/100", Fraction(2997, 100)),
    ],
)
def test_a_rate_is_read_as_the_exact_fraction_that_its_name_means(text: str, fps: Fraction) -> None:
    assert Rate.parse(text).fps == fps


@pytest.mark.parametrize(
    "text", ["", "fast", "nan", "inf", "-25", "1/0", "1e9999999999", "25 fps", "0", "1001"]
)
def test_what_is_no_rate_is_refused_at_once(text: str) -> None:
    with pytest.raises(TimecodeError):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("rate", "name"),
    [
        (PAL, "25"),
        (Rate(Fraction(240)), "240"),
        (NTSC_24, "23.976"),
        (NTSC_30, "29.97"),
        (NTSC_60, "59.94"),
        (NTSC_120, "119.88"),
        (Rate(Fraction(25, 2)), "12.5"),
        (Rate(Fraction(2997, 100)), "2997/100"),
        (Rate(Fraction(1, 3000)), "1/3000"),
    ],
)
def test_a_rate_is_named_as_editors_name_it_and_read_back_from_that_name(rate: Rate, name: str) -> None:
    assert str(rate) == name
    assert Rate.parse(name) == rate


def test_drop_frame_exists_at_2997_and_its_multiples_only() -> None:
    assert [r.can_drop for r in (NTSC_30, NTSC_60, NTSC_120)] == [True, True, True]
    near_ntsc = Rate(Fraction(30001, 1001))
    whole = [Rate(Fraction(fps)) for fps in (24, 25, 30, 60, 120)]
    assert not any(r.can_drop for r in (NTSC_24, PAL, near_ntsc, *whole))
    with pytest.raises(TimecodeError, match=r"not at 25\."):
        Timecode(0, PAL, drop_frame=True)


@pytest.mark.parametrize(
    ("text", "rate", "frame"),
    [
        ("01:00:00:00", NTSC_30, 108000),
        ("01:00:00;00", NTSC_30, 107892),
        ("01:00:00:00", NTSC_24, 86400),
        ("01:00:00:00", PAL, 90000),
        ("00:00:59;29", NTSC_30, 1799),
        ("00:01:00;02", NTSC_30, 1800),
        ("00:10:00;00", NTSC_30, 17982),
        ("23:59:59;29", NTSC_30, 2589407),
        ("00:01:00;04", NTSC_60, 3600),
        ("01:00:00;00", NTSC_60, 215784),
        ("00:01:00;008", NTSC_120, 7200),
        ("01:00:00;000", NTSC_120, 431568),
        ("00:00:01:99", Rate(Fraction(100)), 199),
        ("00:00:00:239", Rate(Fraction(240)), 239),
        ("23:59:59:239", Rate(Fraction(240)), 20735999),
    ],
)
def test_known_timecodes_stand_for_known_frames(text: str, rate: Rate, frame: int) -> None:
    timecode = Timecode.parse(text, rate)
    assert timecode.frame == frame
    assert str(timecode) == text


def test_two_digits_are_enough_where_there_are_three_to_read() -> None:
    assert Timecode.parse("00:00:01:05", NTSC_120).frame == 125
    assert str(Timecode.parse("00:00:01:005", Rate(Fraction(100)))) == "00:00:01:05"


def test_after_24_hours_timecode_begins_again() -> None:
    last = Timecode.parse("23:59:59;29", NTSC_30)
    assert str(last + 1) == "00:00:00;00"
    assert last.frames_per_day == 2589408
    assert Timecode(2589408 + 7, NTSC_30, drop_frame=True) == Timecode(7, NTSC_30, drop_frame=True)
    assert str(Timecode.parse("23:59:59:23", NTSC_24) + 1) == "00:00:00:00"


def test_timecode_does_not_go_below_zero() -> None:
    with pytest.raises(TimecodeError, match="below zero"):
        Timecode(3, PAL) + -4


@pytest.mark.parametrize("text", ["00:01:00;00", "00:01:00;01", "00:59:00;01", "23:58:00;00"])
def test_numbers_that_drop_frame_skips_are_refused(text: str) -> None:
    with pytest.raises(TimecodeError, match="skips"):
        Timecode.parse(text, NTSC_30)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1:00:00:00",
        "01:00:00",
        "01:00:00:0",
        "01:00:00:0000",
        "-01:00:00:00",
        "01:00:00:00 x",
        "\u0660\u0661:\u0660\u0660:\u0660\u0660:\u0660\u0660",
        # clock time, as subtitles have it
        "00:01:02.20",
        "00:01:02,200",
    ],
)
def test_what_is_not_timecode_is_refused(text: str) -> None:
    with pytest.raises(TimecodeError, match="not a timecode"):
        Timecode.parse(text, PAL)


@pytest.mark.parametrize("text", ["24:00:00:00", "00:60:00:00", "00:00:60:00", "00:00:00:25", "00:00:00:100"])
def test_timecode_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(TimecodeError, match="does not exist at 25 frames"):
        Timecode.parse(text, PAL)


def test_who_asks_for_drop_frame_may_write_a_colon_but_not_the_reverse() -> None:
    assert Timecode.parse("01:00:00:00", NTSC_30, drop_frame=True).frame == 107892
    assert Timecode.parse("01:00:00:00", NTSC_30, drop_frame=False).frame == 108000
    with pytest.raises(TimecodeError, match="non-drop timecode is wanted"):
        Timecode.parse("01:00:00;00", NTSC_30, drop_frame=False)


def test_halfway_between_two_frames_the_later_one_is_nearest() -> None:
    assert nearest_frame(Fraction(1, 50), PAL) == 1
    assert nearest_frame(Fraction(1, 50) - Fraction(1, 10**9), PAL) == 0
    assert nearest_frame(-0.0199, PAL) == 0


@pytest.mark.parametrize("t_s", [float("nan"), float("inf"), float("-inf")])
def test_a_time_that_is_not_finite_has_no_frame(t_s: float) -> None:
    with pytest.raises(TimecodeError, match="finite"):
        nearest_frame(t_s, PAL)


def test_a_frame_begins_at_its_number_over_the_rate() -> None:
    assert frame_start_s(30000, NTSC_30) == 1001.0
    assert frame_start_s(0, NTSC_30) == 0.0
