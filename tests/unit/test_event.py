"""Cameras of one event find each other by sound, through other cameras, and else by what their clocks say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mtbsync_engine.align.event import Evidence, line_up
from mtbsync_engine.confidence import Method, Trust
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.model import FloatArray, Index
from mtbsync_engine.session import Sound
from mtbsync_engine.timing import Rate, Timecode
from support import sounds

RATE_HZ = 16_000
FPS = Rate.parse("25")
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> FloatArray:
    return sounds.event_sound(1, 110, RATE_HZ)


def camera(
    sound: Sound | None = None,
    *,
    timecode: str | None = None,
    created: datetime | None = None,
    duration_s: float = 60.0,
    index: Callable[[], Index] | None = None,
) -> Evidence:
    start = None if timecode is None else Timecode.parse(timecode, FPS)
    return Evidence(sound, FPS, start, created, duration_s, index)


def hears(world: FloatArray, begin_s: float, duration_s: float, seed: int, snr_db: float = 10) -> Sound:
    noise = sounds.steady_noise(seed, duration_s, RATE_HZ)
    return sounds.sound_of(
        sounds.mixed(sounds.piece(world, begin_s, duration_s, RATE_HZ), noise, snr_db), RATE_HZ
    )


def test_cameras_lie_on_the_one_that_sounds_best(world: FloatArray) -> None:
    cameras = {
        "A": camera(hears(world, 10, 40, 2, -5)),
        "B": camera(hears(world, 0, 60, 3, 20)),
        "C": camera(hears(world, 25, 50, 4, 0)),
    }
    steps: list[float] = []
    found = line_up(cameras, on_step=steps.append)
    assert found.master == "B"
    assert {label: p.trust for label, p in found.placements.items()} == dict.fromkeys("AC", Trust.LOOKS_GOOD)
    assert found.placements["A"].offset_s == pytest.approx(10, abs=0.001)
    assert found.placements["C"].offset_s == pytest.approx(25, abs=0.001)
    assert sorted(found.correlations) == ["A", "C"]
    assert not found.missing
    assert steps == sorted(steps)
    assert steps[-1] == 3


def test_a_camera_that_recorded_elsewhere_is_no_master_however_well_it_sounds(world: FloatArray) -> None:
    elsewhere = sounds.event_sound(77, 40, RATE_HZ)
    cameras = {
        "A": camera(hears(elsewhere, 0, 40, 2, 40)),
        "B": camera(hears(world, 0, 50, 3, 0)),
        "C": camera(hears(world, 20, 40, 4, 5)),
    }
    found = line_up(cameras)
    assert found.qualities["A"].score > found.qualities["C"].score > found.qualities["B"].score
    assert found.master == "C"
    assert found.placements["B"].offset_s == pytest.approx(-20, abs=0.001)
    assert "A" in found.missing
    # Of those of which none fits another it is the one that sounds best.
    del cameras["B"]
    assert line_up({**cameras, "D": camera(hears(world, 80, 20, 5, -5))}).master == "A"


def test_the_master_that_is_wanted_is_taken(world: FloatArray) -> None:
    cameras = {"A": camera(hears(world, 10, 40, 2, 0)), "B": camera(hears(world, 0, 60, 3, 20))}
    found = line_up(cameras, "A")
    assert found.master == "A"
    assert found.placements["B"].offset_s == pytest.approx(-10, abs=0.001)
    with pytest.raises(AlignmentError, match="no camera called D"):
        line_up(cameras, "D")


def test_a_camera_that_shares_nothing_with_the_master_is_laid_on_through_another(world: FloatArray) -> None:
    """A hears 0 to 40 s, B 25 to 85 s, C 70 to 110 s."""
    cameras = {
        "C": camera(hears(world, 70, 40, 4)),
        "A": camera(hears(world, 0, 40, 2)),
        "B": camera(hears(world, 25, 60, 3)),
    }
    found = line_up(cameras, "A")
    assert found.placements["B"].through is None
    assert found.placements["C"].through == "B"
    assert found.placements["C"].offset_s == pytest.approx(70, abs=0.001)
    assert found.placements["C"].trust is Trust.LOOKS_GOOD
    again = line_up(dict(reversed(cameras.items())), "A")
    assert again.placements == found.placements


def test_without_sound_timecodes_tell_but_never_look_good() -> None:
    cameras = {
        "A": camera(timecode="23:59:50:00", duration_s=60),
        "B": camera(timecode="00:00:05:10", duration_s=30, created=NOON),
    }
    found = line_up(cameras)
    assert found.master == "A"
    placement = found.placements["B"]
    assert (placement.method, placement.trust) == (Method.TIMECODE, Trust.REVIEW)
    assert placement.offset_s == pytest.approx(15.4)
    assert "timecode" in placement.reason


def test_a_timecode_that_counts_from_the_hour_tells_nothing() -> None:
    cameras = {
        "A": camera(timecode="01:00:00:00", created=NOON),
        "B": camera(timecode="01:00:00:00", created=NOON + timedelta(seconds=7)),
    }
    placement = line_up(cameras).placements["B"]
    assert (placement.method, placement.trust) == (Method.CREATED, Trust.NUDGE)
    assert placement.offset_s == 7
    assert placement.error_s is not None


def test_a_silent_camera_falls_back_while_the_others_are_heard(world: FloatArray) -> None:
    cameras = {
        "A": camera(hears(world, 0, 60, 2), created=NOON),
        "B": camera(hears(world, 20, 40, 3), created=NOON),
        "C": camera(
            sounds.sound_of(sounds.silence(30, RATE_HZ), RATE_HZ), created=NOON + timedelta(seconds=9)
        ),
    }
    found = line_up(cameras, "A")
    assert found.placements["B"].method is Method.HYBRID
    assert found.placements["C"].method is Method.CREATED
    assert found.qualities["C"].score == 0


def test_where_nothing_tells_a_sentence_says_why(world: FloatArray) -> None:
    def unknown() -> Index:
        raise AlignmentError("Nothing to see.")

    cameras = {
        "A": camera(hears(world, 0, 60, 2), created=NOON, index=unknown),
        "B": camera(hears(world, 70, 40, 3), created=NOON + timedelta(days=3), index=unknown),
        "C": camera(sounds.sound_of(np.zeros(9 * RATE_HZ), RATE_HZ)),
        "D": camera(),
    }
    found = line_up(cameras, "A")
    unsure = {label: p for label, p in found.placements.items() if p.trust is not Trust.NUDGE}
    assert not unsure
    assert set(found.missing) >= {"C", "D"}
    assert all(sentence.endswith(".") for sentence in found.missing.values())
    with pytest.raises(AlignmentError):
        line_up({})
