"""What two cameras hear of one event, or of two, with known truth, made of real recordings of speech.

A world is one long sound: pieces of the recordings cut anew, each at a speed of its own, a voice over a
quieter one. So it lasts as long as is wanted, yet is never twice the same; two worlds of different
recordings have nothing in common but the speaker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import av
import numpy as np
from scipy import signal
from scripts.bench import ROOT

from mtbsync_engine.model import FloatArray
from mtbsync_engine.session import PPM, Sound
from support.sounds import (
    clipped,
    drifted,
    hum,
    looped_music,
    mixed,
    piece,
    reverbed,
    sound_of,
    steady_noise,
    wind,
)

RATE_HZ = 16_000
# Of three cameras, each begins so much later than the one before, and its clock is so much slower.
LATE_S, DRIFT_STEP_PPM = 7.3, 15.0
# What the sound of recordings is kept at.
_KEPT_HZ = 48_000
_FOLDER = ROOT.parent / "shared" / "data" / "audio"
# Of which recordings, from when to when: two parts of one speaker's, and another's.
_SPEECHES = (("timbl_1.mp3", 0.0, 24.0), ("timbl_1.mp3", 24.0, 47.9), ("jfk.wav", 0.0, 11.0))
# One recording in two files: the second is the first from here on.
_WHOLE, _REST, _REST_S = "timbl_1.mp3", "timbl_2.mp3", 12.254
_MASTER_S, _OTHER_S = 60.0, 30.0
# A world begins before the master does, and ends after it.
_BEFORE_S, _WORLD_S = 30.0, 120.0
_LONG_S = 20 * 60.0

Befall = Callable[[FloatArray, int], FloatArray]


@dataclass(frozen=True, eq=False)
class Hearing:
    """Two cameras' sounds; `offset_s` and `drift_ppm` are where the other's clock truly lies on the master's,
    or None where they heard different events."""

    condition: str
    master: Sound
    other: Sound
    offset_s: float | None
    drift_ppm: float = 0.0

    @property
    def both_hear_s(self) -> tuple[float, float]:
        """Begin and end, on the other's clock, of what both heard of one event."""
        assert self.offset_s is not None
        rate = 1.0 + self.drift_ppm * PPM
        last_s = (self.master.duration_s - self.offset_s) / rate
        return max(0.0, -self.offset_s / rate), min(self.other.duration_s, last_s)


def _as_it_is(heard: FloatArray, _seed: int) -> FloatArray:
    return heard


def _in_a_hall(heard: FloatArray, seed: int) -> FloatArray:
    return reverbed(heard, RATE_HZ, seed)


def _far_off(heard: FloatArray, seed: int) -> FloatArray:
    return reverbed(heard, RATE_HZ, seed, echoes_db=12.0)


def _white(snr_db: float) -> Befall:
    return lambda heard, seed: mixed(heard, steady_noise(seed, len(heard) / RATE_HZ, RATE_HZ), snr_db)


def _windy(snr_db: float) -> Befall:
    return lambda heard, seed: mixed(heard, wind(seed, len(heard) / RATE_HZ, RATE_HZ), snr_db)


def _looping(heard: FloatArray, seed: int) -> FloatArray:
    """The same loop whatever the seed, begun elsewhere."""
    loop = looped_music(1, len(heard) / RATE_HZ + 4.0, RATE_HZ)
    return mixed(heard, loop[seed * 997 % (4 * RATE_HZ) :], 0.0)


# What befalls the other camera's sound.
_BEFALLS: dict[str, Befall] = {
    "as it is": _as_it_is,
    "noise, 10 dB": _white(10.0),
    "noise, 0 dB": _white(0.0),
    "noise, -5 dB": _white(-5.0),
    "wind, 0 dB": _windy(0.0),
    "wind, -10 dB": _windy(-10.0),
    "in a hall": _in_a_hall,
    "clipped, 20 %": lambda heard, _seed: clipped(heard, 0.2),
}
# What befalls both, each in its own way.
_BEFALLS_BOTH: dict[str, Befall] = {"each in a hall": _in_a_hall, "each far off in a hall": _far_off}
_RATES_HZ = ((48_000, 44_100), (16_000, 8_000))
_DRIFTS_PPM = (-150.0, -20.0, 20.0, 150.0)
_OVERLAPS = (0.1, 0.25, 0.5, 0.75)
# What befalls both of two that have nothing in common, and the speech that the other hears.
_STRANGERS: dict[str, tuple[int, Befall]] = {
    "one speaker": (1, _as_it_is),
    "two speakers": (2, _as_it_is),
    "one speaker, wind": (1, _windy(0.0)),
    "one speaker, noise": (1, _white(0.0)),
    "one speaker, the mains in both": (
        1,
        lambda heard, _seed: mixed(heard, hum(len(heard) / RATE_HZ, RATE_HZ), 0.0),
    ),
    "one speaker, one loop of music in both": (1, _looping),
}


def is_there() -> bool:
    """Whether the recordings lie beside this checkout."""
    return _FOLDER.is_dir()


def short_hearings(seeds: Sequence[int]) -> Iterator[Hearing]:
    """One recording in two files, then half a minute on a minute of one event in every condition."""
    whole, rest = (sound_of(_recorded(name), RATE_HZ) for name in (_WHOLE, _REST))
    yield Hearing("one recording in two files", whole, rest, _REST_S)
    for seed in seeds:
        for condition, befall in _BEFALLS.items():
            yield _hearing(condition, seed, befall=befall)
        for condition, befall in _BEFALLS_BOTH.items():
            yield _hearing(condition, seed, befall=befall, befalls_master=befall)
        for rates_hz in _RATES_HZ:
            names = " on ".join(f"{rate_hz / 1000:g} kHz" for rate_hz in reversed(rates_hz))
            yield _hearing(names, seed, rates_hz=rates_hz)
        for drift_ppm in _DRIFTS_PPM:
            yield _hearing(f"drift {drift_ppm:+.0f} ppm", seed, drift_ppm=drift_ppm)
        for overlap in _OVERLAPS:
            yield _hearing(f"overlap {overlap:.0%}", seed, overlap=overlap)


def long_hearings(seed: int) -> Iterator[Hearing]:
    """Twenty minutes on twenty minutes, the other's clock off."""
    world = _world(seed, range(len(_SPEECHES)), _LONG_S + 2 * LATE_S)
    master = piece(world, 0.0, _LONG_S, RATE_HZ)
    for drift_ppm in _DRIFTS_PPM:
        other = drifted(piece(world, LATE_S, _LONG_S, RATE_HZ), drift_ppm)
        yield Hearing(
            f"drift {drift_ppm:+.0f} ppm",
            _camera(master, seed, RATE_HZ),
            _camera(other, seed + 1, RATE_HZ),
            LATE_S,
            drift_ppm,
        )


def stranger_hearings(seeds: Sequence[int]) -> Iterator[Hearing]:
    """Half a minute of one event on a minute of another, and two recordings as they are."""
    for seed in seeds:
        for condition, (speech, befall) in _STRANGERS.items():
            master = befall(_world(seed, (0,), _MASTER_S), 4 * seed)
            other = befall(_world(seed, (speech,), _OTHER_S), 4 * seed + 1)
            yield Hearing(
                condition,
                _camera(master, 4 * seed + 2, RATE_HZ),
                _camera(other, 4 * seed + 3, RATE_HZ),
                None,
            )
    one, other_speech = (sound_of(_speech(k), RATE_HZ) for k in (0, 2))
    yield Hearing("two recordings as they are", one, other_speech, None)


def cameras(seed: int, duration_s: float) -> Iterator[Sound]:
    """Three cameras at one event, each for `duration_s`."""
    world = _world(seed, range(len(_SPEECHES)), duration_s + 3 * LATE_S)
    for k in range(3):
        heard = drifted(piece(world, k * LATE_S, duration_s, RATE_HZ), DRIFT_STEP_PPM * k)
        yield _camera(heard, seed + k, _KEPT_HZ)


def _hearing(
    condition: str,
    seed: int,
    *,
    befall: Befall = _as_it_is,
    befalls_master: Befall = _as_it_is,
    rates_hz: tuple[int, int] = (RATE_HZ, RATE_HZ),
    drift_ppm: float = 0.0,
    overlap: float = 1.0,
) -> Hearing:
    """`overlap` is the share of the other's sound that the master hears too; the rest is before or after."""
    if overlap == 1.0:
        offset_s = float(np.random.default_rng(seed).uniform(0.0, _MASTER_S - 1.01 * _OTHER_S))
    else:
        missed_s = (1.0 - overlap) * _OTHER_S
        offset_s = _MASTER_S - _OTHER_S + missed_s if seed % 2 else -missed_s
    world = _world(seed, range(len(_SPEECHES)), _WORLD_S)
    master = befalls_master(piece(world, _BEFORE_S, _MASTER_S, RATE_HZ), 4 * seed + 3)
    other = drifted(piece(world, _BEFORE_S + offset_s, _OTHER_S, RATE_HZ), drift_ppm)
    return Hearing(
        condition,
        _camera(master, 4 * seed, rates_hz[0]),
        _camera(befall(other, 4 * seed + 1), 4 * seed + 2, rates_hz[1]),
        offset_s,
        drift_ppm,
    )


def _camera(heard: FloatArray, seed: int, rate_hz: int) -> Sound:
    """`heard` at `RATE_HZ` through a microphone with a tone and a little noise of its own, at `rate_hz`."""
    tone = np.random.default_rng(seed).uniform(-0.6, 0.6)
    coloured = np.asarray(signal.lfilter([1.0, tone], [1.0], heard))
    taken = mixed(coloured, steady_noise(seed, len(heard) / RATE_HZ, RATE_HZ), 30.0)
    if rate_hz != RATE_HZ:
        common = gcd(rate_hz, RATE_HZ)
        taken = signal.resample_poly(taken, rate_hz // common, RATE_HZ // common)
    return sound_of(taken, rate_hz)


@lru_cache(maxsize=1)
def _world(seed: int, speeches: Sequence[int], duration_s: float) -> FloatArray:
    """(N,) at `RATE_HZ`, of those of the recordings."""
    random = np.random.default_rng(seed)
    layers = [_layer(random, speeches, round(duration_s * RATE_HZ)) for _ in range(2)]
    return layers[0] + 0.3 * layers[1]


def _layer(random: np.random.Generator, speeches: Sequence[int], n: int) -> FloatArray:
    pieces: list[FloatArray] = []
    n_made = 0
    while n_made < n:
        speech = _speech(int(random.choice(speeches)))
        lasts_s = random.uniform(2.0, 6.0)
        begin_s = random.uniform(0.0, len(speech) / RATE_HZ - lasts_s - 0.1)
        speed_ppm = random.uniform(-0.15, 0.15) / PPM
        said = drifted(piece(speech, begin_s, lasts_s, RATE_HZ), speed_ppm)
        pieces += [said, np.zeros(int(random.uniform(0.0, 0.5) * RATE_HZ))]
        n_made += len(pieces[-2]) + len(pieces[-1])
    return np.concatenate(pieces)[:n]


@lru_cache
def _speech(number: int) -> FloatArray:
    """One of the speeches (N,), at `RATE_HZ`."""
    name, begin_s, end_s = _SPEECHES[number]
    return piece(_recorded(name), begin_s, end_s - begin_s, RATE_HZ)


@lru_cache
def _recorded(name: str) -> FloatArray:
    """One of the recordings (N,), at `RATE_HZ`."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    with av.open(str(_FOLDER / name)) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float64)
