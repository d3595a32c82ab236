"""Cameras that heard the same are laid on each other to a millisecond; others are never said to be sure."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mtbsync_engine.align.sound import match_indexed, match_sounds
from mtbsync_engine.confidence import GOOD_SCORE, Method, Trust
from mtbsync_engine.index.sound import SoundIndex, index_sound
from mtbsync_engine.model import FloatArray
from mtbsync_engine.session import PPM, Placement, Sound
from support import sounds

RATE_HZ = 16_000
WORLD_S = 130.0


@pytest.fixture(scope="module")
def world() -> FloatArray:
    return sounds.event_sound(1, WORLD_S, RATE_HZ)


def heard(world: FloatArray, begin_s: float, duration_s: float, *, drift_ppm: float = 0.0) -> FloatArray:
    return sounds.drifted(sounds.piece(world, begin_s, duration_s, RATE_HZ), drift_ppm)


def noisy(sound: FloatArray, seed: int, snr_db: float) -> Sound:
    noise = sounds.steady_noise(seed, len(sound) / RATE_HZ + 1, RATE_HZ)
    return sounds.sound_of(sounds.mixed(sound, noise, snr_db), RATE_HZ)


def placed(master: Sound, other: Sound) -> Placement:
    found = match_sounds(master, other)
    assert found is not None
    return found.placement


def worst_error_s(
    placement: Placement, begin_s: float, drift_ppm: float, t_cam_s: tuple[float, float]
) -> float:
    """How far `placement` is off at the ends of the overlap, from begin_s and drift_ppm."""
    truth = (begin_s + (1 + drift_ppm * PPM) * t_s for t_s in t_cam_s)
    return max(abs(placement.to_master(t_s) - true_s) for t_s, true_s in zip(t_cam_s, truth, strict=True))


@pytest.mark.parametrize(("snr_db", "drift_ppm"), [(10, 0), (0, 20), (0, -150), (-5, 150)])
def test_noise_as_loud_as_the_event_leaves_the_offset_within_a_millisecond(
    world: FloatArray, snr_db: float, drift_ppm: float
) -> None:
    master = noisy(heard(world, 0, 90), 2, snr_db)
    other = noisy(heard(world, 37.2345, 60, drift_ppm=drift_ppm), 3, snr_db)
    placement = placed(master, other)
    error_s = worst_error_s(placement, 37.2345, drift_ppm, (0.0, 52.0))
    assert (placement.trust, placement.method) == (Trust.LOOKS_GOOD, Method.HYBRID)
    assert placement.error_s is not None
    assert error_s < min(0.001, placement.error_s)
    assert placement.drift_ppm == pytest.approx(drift_ppm, abs=4)


@pytest.mark.parametrize(("start_s", "duration_s"), [(0, 44), (20, 40), (50, 20), (96, 30)])
def test_an_overlap_in_part_is_found_at_either_end(
    world: FloatArray, start_s: float, duration_s: float
) -> None:
    """A master that began after 40 s and lasted a minute, so that 4 s or more are heard by both."""
    master = noisy(sounds.piece(world, 40, 60, RATE_HZ), 4, 10)
    placement = placed(master, noisy(sounds.piece(world, start_s, duration_s, RATE_HZ), 5, 10))
    assert placement.trust is Trust.LOOKS_GOOD
    assert placement.offset_s == pytest.approx(start_s - 40, abs=0.001)


def test_a_longer_recording_is_laid_on_a_shorter_one(world: FloatArray) -> None:
    placement = placed(noisy(heard(world, 40, 20), 6, 5), noisy(heard(world, 0, 120, drift_ppm=100), 7, 5))
    assert placement.trust is Trust.LOOKS_GOOD
    assert placement.drift_ppm == pytest.approx(100, abs=8)
    assert placement.to_master(45 / (1 + 100 * PPM)) == pytest.approx(5.0, abs=0.001)


def test_rooms_wind_clipping_and_a_turned_channel_are_heard_through(world: FloatArray) -> None:
    piece = sounds.piece(world, 20.5, 50, RATE_HZ)
    master = noisy(sounds.reverbed(sounds.piece(world, 0, 80, RATE_HZ), RATE_HZ, 8), 9, 10)
    windy = sounds.mixed(piece, sounds.wind(10, 51, RATE_HZ), -5)
    turned = np.stack([piece, -piece], axis=1)
    for other in (windy, sounds.clipped(piece, 0.05), sounds.reverbed(piece, RATE_HZ, 11), turned):
        placement = placed(master, sounds.sound_of(other, RATE_HZ))
        assert placement.trust is Trust.LOOKS_GOOD
        assert placement.offset_s == pytest.approx(20.5, abs=0.001)


@pytest.mark.parametrize("seed", [1, 5])
def test_an_echo_that_is_louder_than_what_comes_straight_never_looks_good(
    world: FloatArray, seed: int
) -> None:
    """Windows agree on the loudest of many echoes, wherever it lies."""
    pieces = (sounds.piece(world, 0, 60, RATE_HZ), sounds.piece(world, 12.5, 30, RATE_HZ))
    master, other = (
        sounds.sound_of(sounds.reverbed(piece, RATE_HZ, seed + k, echoes_db=12.0), RATE_HZ)
        for k, piece in enumerate(pieces)
    )
    placement = placed(master, other)
    assert (placement.trust, placement.method) == (Trust.REVIEW, Method.XCORR)
    assert placement.error_s is not None
    assert abs(placement.offset_s - 12.5) < placement.error_s


def test_where_a_moment_is_missing_it_is_said(world: FloatArray) -> None:
    """As between two chapters of a camera that lost a frame."""
    chapters = [sounds.piece(world, 10, 45, RATE_HZ), sounds.piece(world, 55.04, 45, RATE_HZ)]
    placement = placed(noisy(world, 4, 20), noisy(np.concatenate(chapters), 5, 20))
    assert (placement.trust, placement.method) == (Trust.REVIEW, Method.XCORR)
    assert "40 ms apart" in placement.reason
    assert placement.error_s == pytest.approx(0.04, abs=0.001)


def test_a_clock_whose_drift_changes_looks_good_with_an_error_that_says_so(world: FloatArray) -> None:
    """By 1.5 ms in the middle, as one that warms up."""
    t_s = np.arange(100 * RATE_HZ) / RATE_HZ
    bent = np.interp(t_s + 0.0015 * np.sin(np.pi * t_s / 100), np.arange(len(world)) / RATE_HZ, world)
    placement = placed(noisy(world, 4, 20), noisy(bent, 5, 20))
    assert placement.trust is Trust.LOOKS_GOOD
    assert placement.error_s is not None
    errors_s = [abs(placement.to_master(t) - t - 0.0015 * np.sin(np.pi * t / 100)) for t in range(0, 100, 5)]
    assert np.percentile(errors_s, 90) < placement.error_s < 0.005


def test_sounds_of_different_rates_are_compared() -> None:
    world = sounds.event_sound(12, 50, 44_100)
    master = sounds.sound_of(world[::2], 22_050)
    other = sounds.sound_of(sounds.piece(world, 11.75, 30, 44_100), 44_100)
    placement = placed(master, other)
    assert placement.trust is Trust.LOOKS_GOOD
    assert placement.offset_s == pytest.approx(11.75, abs=0.001)


def _unlike() -> dict[str, list[SoundIndex]]:
    """Recordings of which no two overlap, though all of a kind sound alike."""
    event = sounds.event_sound(13, 200, RATE_HZ)
    loop = sounds.looped_music(14, 200, RATE_HZ)
    makers = {
        "one event": [sounds.piece(event, 50 * k, 45, RATE_HZ) for k in range(4)],
        "one loop": [sounds.piece(loop, 50 * k + 1.1 * k, 40, RATE_HZ) for k in range(4)],
        "noise": [sounds.steady_noise(20 + k, 20 + 10 * k, RATE_HZ) for k in range(4)],
        "wind": [sounds.wind(30 + k, 20 + 10 * k, RATE_HZ) for k in range(4)],
        "hum": [sounds.hum(20 + 10.003 * k, RATE_HZ) for k in range(4)],
        "clicks": [sounds.clicks(20 + 10 * k, RATE_HZ) for k in range(4)],
    }
    return {
        kind: [index_sound(noisy(sound, 40 + k, 15)) for k, sound in enumerate(made)]
        for kind, made in makers.items()
    }


def test_what_does_not_overlap_never_looks_good() -> None:
    found = {
        kind: [match_indexed(a, b) for a, b in combinations(made, 2)] for kind, made in _unlike().items()
    }
    scores = {kind: max(m.placement.score for m in told if m is not None) for kind, told in found.items()}
    assert max(scores.values()) < GOOD_SCORE / 2, scores


def test_nothing_is_told_of_silence_and_of_a_moment(world: FloatArray) -> None:
    speaks = sounds.sound_of(sounds.piece(world, 0, 20, RATE_HZ), RATE_HZ)
    silent = sounds.sound_of(sounds.silence(20, RATE_HZ), RATE_HZ)
    moment = sounds.sound_of(sounds.piece(world, 5, 1, RATE_HZ), RATE_HZ)
    empty = Sound(np.zeros((0, 2), np.int16), RATE_HZ)
    for nothing in (silent, moment, empty):
        assert match_sounds(speaks, nothing) is None
        assert match_sounds(nothing, speaks) is None


def test_what_it_was_told_from_keeps_the_peak_and_stays_small(world: FloatArray) -> None:
    found = match_sounds(noisy(heard(world, 0, 90), 15, 5), noisy(heard(world, 30, 60), 16, 5))
    assert found is not None
    told = found.correlation
    assert told.offset_s.shape == told.z.shape
    assert told.z.size <= 2000
    assert (np.diff(told.offset_s) > 0).all()
    assert told.offset_s[told.z.argmax()] == pytest.approx(30, abs=0.05)
    assert told.window_t_cam_s.shape == told.window_offset_s.shape == told.is_used.shape
    assert told.is_used.size <= 300
    assert told.window_offset_s[told.is_used] == pytest.approx(30, abs=0.001)


def test_the_same_sounds_are_always_laid_the_same_way(world: FloatArray) -> None:
    master, other = noisy(heard(world, 0, 40), 17, 0), noisy(heard(world, 10, 30), 18, 0)
    assert placed(master, other) == placed(master, other)
