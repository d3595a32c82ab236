"""The benchmark of sound: errors of answers, and pairs whose truth is where their sounds agree."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import signal
from scripts.bench.answers import by_condition, errors_ms, is_right, marked, of_pairs, stated, trusts
from scripts.bench.heard import Hearing, is_there, short_hearings
from scripts.bench.listeners import write_wav

from mtbsync_engine.confidence import Trust
from mtbsync_engine.media.sound import read_wav
from mtbsync_engine.session import Sound
from support.sounds import sound_of, steady_noise

needs_shared = pytest.mark.skipif(not is_there(), reason="the shared test data is not here")
RATE_HZ = 16_000
TRUTH: dict[str, Any] = {"offset_s": 5.0, "drift_ppm": 100.0, "both_hear_s": (0.0, 20.0)}


def _answer(**other: Any) -> dict[str, Any]:
    return {"offset_s": 5.0, "drift_ppm": 0.0, "score": 12.0, "error_ms": 2.0, **other}


def test_an_offset_without_the_drift_is_off_by_half_of_it_in_the_middle_and_by_all_at_an_end() -> None:
    found = marked(_answer(), TRUTH)
    assert found["off_ms"] == pytest.approx(1.0)
    assert found["worst_ms"] == pytest.approx(2.0)
    assert marked(_answer(drift_ppm=100.0), TRUTH)["worst_ms"] == pytest.approx(0.0, abs=1e-9)


def test_of_strangers_and_of_failures_there_is_no_error() -> None:
    assert "off_ms" not in marked(_answer(), {**TRUTH, "offset_s": None})
    assert marked({"failed": "no"}, TRUTH) == {"failed": "no"}


def test_answers_are_counted_by_what_they_claim_and_what_is_so() -> None:
    answers = [
        _answer(off_ms=1.0, worst_ms=2.5),
        _answer(off_ms=39.0, worst_ms=1.0, score=6.0),
        _answer(off_ms=41.0, worst_ms=9.0, score=None, error_ms=None),
    ]
    assert [is_right(answer) for answer in answers] == [True, True, False]
    assert trusts(answers, Trust.LOOKS_GOOD) == answers[:1]
    assert trusts(answers, Trust.REVIEW) == answers[1:2]
    assert stated(answers) == 0.5
    assert math.isnan(stated(answers[2:]))
    assert errors_ms(answers) == "39.00 / 40.80"


def test_who_was_not_asked_or_failed_gave_no_answer() -> None:
    rows = [{"answers": {"a": {"failed": "no"}, "b": _answer()}}, {"answers": {}}]
    assert of_pairs(rows, "a") == []
    assert of_pairs(rows, "b") == [_answer()]
    assert errors_ms([]) == "-"


def test_conditions_stand_in_the_order_in_which_they_come() -> None:
    rows = [{"condition": name} for name in ("wind", "hum", "wind")]
    assert [(name, len(group)) for name, group in by_condition(rows)] == [("wind", 2), ("hum", 1)]


def test_others_read_what_we_read(tmp_path: Path) -> None:
    sound = sound_of(steady_noise(1, 0.5, RATE_HZ), RATE_HZ)
    read = read_wav(write_wav(tmp_path / "a.wav", sound))
    assert read.rate_hz == RATE_HZ
    assert np.array_equal(read.samples[:], sound.samples[:])


def test_what_both_hear_ends_where_the_first_of_them_does() -> None:
    minute, half = (Sound(np.zeros((seconds * 100, 1), np.int16), 100) for seconds in (60, 30))
    assert Hearing("", minute, half, -10.0).both_hear_s == (10.0, 30.0)
    assert Hearing("", minute, half, 45.0).both_hear_s == (0.0, 15.0)


@pytest.fixture(scope="module")
def pairs() -> dict[str, Hearing]:
    return {hearing.condition: hearing for hearing in short_hearings((1,))}


@needs_shared
@pytest.mark.parametrize(
    "condition", ["one recording in two files", "as it is", "overlap 25%", "overlap 75%"]
)
def test_the_truth_of_a_pair_is_where_its_sounds_agree(pairs: dict[str, Hearing], condition: str) -> None:
    pair = pairs[condition]
    assert pair.offset_s is not None
    assert _offset_s(pair.master, pair.other) == pytest.approx(pair.offset_s, abs=0.001)


@needs_shared
@pytest.mark.parametrize("drift_ppm", [-150.0, 150.0])
def test_a_pair_drifts_as_its_truth_says(pairs: dict[str, Hearing], drift_ppm: float) -> None:
    pair = pairs[f"drift {drift_ppm:+.0f} ppm"]
    assert pair.offset_s is not None
    last = Sound(pair.other.samples[25 * RATE_HZ :], RATE_HZ)
    middle_s = 25.0 + last.duration_s / 2
    drifted_s = _offset_s(pair.master, last) - 25.0 - pair.offset_s
    assert drifted_s == pytest.approx(drift_ppm * 1e-6 * middle_s, abs=0.001)


def _offset_s(master: Sound, other: Sound) -> float:
    """By plain correlation."""
    heard = [sound.samples[:, 0].astype(np.float64) for sound in (master, other)]
    fits = signal.correlate(*heard, method="fft")
    return (int(fits.argmax()) - (len(heard[1]) - 1)) / master.rate_hz
