"""The camera that sounds best becomes the master, whatever it is called."""

from __future__ import annotations

import numpy as np
import pytest

from mtbsync_engine.index.sound import best_first, index_sound, sound_quality
from mtbsync_engine.model import FloatArray
from mtbsync_engine.session import Sound, SoundQuality
from support import sounds

RATE_HZ = 32_000


@pytest.fixture(scope="module")
def event() -> FloatArray:
    return sounds.event_sound(1, 20, RATE_HZ)


def quality(heard: FloatArray) -> SoundQuality:
    return sound_quality(sounds.sound_of(heard, RATE_HZ))


def test_noise_clipping_and_a_dull_microphone_each_cost(event: FloatArray) -> None:
    clean = quality(event)
    noisy = quality(sounds.mixed(event, sounds.steady_noise(2, 20, RATE_HZ), 0))
    clipped = quality(sounds.clipped(event, 0.05))
    low = sounds.sound_of(event[::4], RATE_HZ // 4)
    assert noisy.snr_db < clean.snr_db - 6
    assert clipped.clipped == pytest.approx(0.05, abs=0.01)
    assert clean.clipped < 0.001
    assert sound_quality(low).bandwidth_hz < 5_500 < clean.bandwidth_hz
    assert clean.score > max(noisy.score, clipped.score, sound_quality(low).score)


def test_the_level_is_what_it_is(event: FloatArray) -> None:
    noise = sounds.steady_noise(3, 10, RATE_HZ)
    assert quality(noise).level_dbfs == pytest.approx(-20, abs=0.5)
    assert quality(0.1 * noise).level_dbfs == pytest.approx(-40, abs=0.5)


def test_silence_scores_nothing_with_dither_too() -> None:
    assert quality(sounds.silence(5, RATE_HZ)).score == 0
    dither = np.random.default_rng(4).integers(-1, 2, (5 * RATE_HZ, 1)).astype(np.int16)
    assert sound_quality(Sound(dither, RATE_HZ)).score == 0
    assert sound_quality(Sound(np.zeros((0, 2), np.int16), RATE_HZ)).score == 0


def test_steady_noise_and_wind_are_worse_than_an_event(event: FloatArray) -> None:
    steady, wind = (make(5, 20, RATE_HZ) for make in (sounds.steady_noise, sounds.wind))
    assert quality(event).score > 2 * max(quality(steady).score, quality(wind).score)


def test_channels_that_cancel_each_other_are_not_mixed(event: FloatArray) -> None:
    turned = index_sound(sounds.sound_of(np.stack([event, -0.9 * event], axis=1), RATE_HZ))
    assert turned.mix.tolist() == [1, 0]
    alike = index_sound(sounds.sound_of(np.stack([event, event], axis=1), RATE_HZ))
    assert alike.mix.tolist() == [0.5, 0.5]
    one_dead = index_sound(sounds.sound_of(np.stack([event, 0 * event], axis=1), RATE_HZ))
    assert one_dead.quality.snr_db == pytest.approx(alike.quality.snr_db, abs=1)


def test_the_best_is_chosen_and_names_decide_between_equals_only() -> None:
    good, bad = SoundQuality(-20, 0, 20, 16_000, 12.0), SoundQuality(-40, 0.1, 3, 4_000, 2.0)
    assert best_first({"A": bad, "B": good, "C": bad}) == ["B", "A", "C"]
    assert best_first({"C": good, "B": good, "A": bad}) == ["B", "C", "A"]
