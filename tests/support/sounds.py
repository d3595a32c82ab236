"""Made sounds and what befalls them: an event, noises, and cameras with clocks of their own that hear them.

A sound is (N,) of floats, 1 being full scale. What is made here has the level `LEVEL` and follows from its
seed alone. So a camera's sound is made of what happened, then where it was, then what it did itself:

    world = event_sound(1, 60, 16_000)
    heard = drifted(piece(world, 12.5, 30, 16_000), 20)
    camera = sound_of(mixed(heard, wind(2, 30, 16_000), snr_db=0), 16_000)

which, laid on the sound of a camera that heard the whole world, has the offset 12.5 s and the drift 20 ppm.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from mtbsync_engine.model import FloatArray
from mtbsync_engine.session import PPM, Sound
from support.videos import Image, write_video

# Root mean square of every made sound: -20 dB below full scale.
LEVEL = 0.1
_FULL_SCALE = 32767
# The bands of a voice, in Hz.
_FORMANTS_HZ = ((250, 800), (900, 1800), (2000, 3400))
# A spline of this order is within 0.3 % of a tone of a quarter of the rate.
_SPLINE: Final = 5
_CHUNK = 2**20


def event_sound(seed: int, duration_s: float, rate_hz: int) -> FloatArray:
    """What happens at an event, never twice the same: phrases of syllables, pauses, and a clap now and then.
    `rate_hz` is 8000 or more."""
    random = np.random.default_rng(seed)
    n = _length(duration_s, rate_hz)
    gaps_s = random.uniform(0.08, 0.4, math.ceil(duration_s / 0.2) + 8)
    gaps_s[random.random(len(gaps_s)) < 0.08] += 1.0
    onsets = _before(np.cumsum(gaps_s) * rate_hz, n)
    heard = np.zeros(n)
    for band_hz in _FORMANTS_HZ:
        bumps = np.zeros(n)
        bumps[onsets] = random.lognormal(0.0, 0.8, len(onsets))
        heard += _decaying(bumps, 0.08, rate_hz) * _band(random.standard_normal(n), band_hz, rate_hz)
    claps = np.zeros(n)
    claps[_before(np.cumsum(random.exponential(7.0, math.ceil(duration_s))) * rate_hz, n)] = 4.0
    heard += _decaying(claps, 0.02, rate_hz) * random.standard_normal(n)
    return _levelled(heard)


def steady_noise(seed: int, duration_s: float, rate_hz: int) -> FloatArray:
    """White noise: a fan, a stream, the camera's own amplifier."""
    return _levelled(np.random.default_rng(seed).standard_normal(_length(duration_s, rate_hz)))


def wind(seed: int, duration_s: float, rate_hz: int) -> FloatArray:
    """Wind in a microphone: below 150 Hz, in gusts of a few seconds."""
    random = np.random.default_rng(seed)
    n = _length(duration_s, rate_hz)
    sections = signal.butter(2, 150, "lowpass", fs=rate_hz, output="sos")
    rumble = np.asarray(signal.sosfilt(sections, random.standard_normal(n)), dtype=np.float64)
    knots_s = np.arange(0.0, duration_s + 2.0)
    gusts = np.interp(np.arange(n) / rate_hz, knots_s, random.random(len(knots_s)) ** 3)
    return _levelled(rumble * (0.05 + gusts))


def hum(duration_s: float, rate_hz: int, mains_hz: float = 50.0) -> FloatArray:
    """The mains in a cable: a tone and its overtones, without end."""
    t_s = np.arange(_length(duration_s, rate_hz)) / rate_hz
    tones = [np.sin(2 * np.pi * mains_hz * k * t_s + k) / k for k in range(1, 9)]
    return _levelled(np.sum(tones, axis=0))


def clicks(duration_s: float, rate_hz: int, every_s: float = 0.5) -> FloatArray:
    """A metronome: the same click every `every_s` seconds, so that many offsets fit alike."""
    n = _length(duration_s, rate_hz)
    bumps = np.zeros(n)
    bumps[_before(np.arange(0.0, duration_s, every_s) * rate_hz, n)] = 1.0
    tone = np.sin(2 * np.pi * 1500.0 * (np.arange(n) / rate_hz % every_s))
    return _levelled(_decaying(bumps, 0.005, rate_hz) * tone)


def looped_music(
    seed: int, duration_s: float, rate_hz: int, loop_s: float = 4.0, beat_s: float = 0.25
) -> FloatArray:
    """Notes on a beat, from the start again every `loop_s` seconds."""
    random = np.random.default_rng(seed)
    t_s = np.arange(_length(loop_s, rate_hz)) / rate_hz
    since_s = t_s % beat_s
    semitones = random.integers(0, 25, math.ceil(loop_s / beat_s))[(t_s / beat_s).astype(int)]
    note_hz = 220.0 * 2.0 ** (semitones / 12)
    loop = np.exp(-since_s / 0.1) * sum(np.sin(2 * np.pi * k * note_hz * since_s) / k for k in (1, 2, 3))
    return _levelled(np.resize(loop, _length(duration_s, rate_hz)))


def silence(duration_s: float, rate_hz: int) -> FloatArray:
    """Nothing at all."""
    return np.zeros(_length(duration_s, rate_hz))


def piece(world: FloatArray, begin_s: float, duration_s: float, rate_hz: int) -> FloatArray:
    """What a camera hears that begins `begin_s` seconds into `world`, to a fraction of a sample."""
    first, n = begin_s * rate_hz, _length(duration_s, rate_hz)
    assert 0 <= first <= len(world) - n, "no world there"
    start = math.floor(first)
    if start == first:
        return world[start : start + n]
    # Whatever lies a hundred samples off adds nothing to what is between two.
    margin = min(start, 100)
    around = world[start - margin : start + n + 100]
    return _between(around, margin + first - start, 1.0, n)


def drifted(heard: FloatArray, drift_ppm: float) -> FloatArray:
    """What a camera makes of `heard` whose clock is off: t_master_s = (1 + drift_ppm / 1e6) * t_cam_s.

    Above 0 its clock is slow, so that it takes fewer samples of the same sound. The first sample stays.
    """
    step = 1.0 + drift_ppm * PPM
    return _between(heard, 0.0, step, math.floor((len(heard) - 1) / step) + 1)


def mixed(heard: FloatArray, noise: FloatArray, snr_db: float) -> FloatArray:
    """`heard` with as much of `noise` (as long or longer) as gives this ratio of their powers, at `LEVEL`."""
    under = noise[: len(heard)]
    gain = _rms(heard) / _rms(under) * 10 ** (-snr_db / 20)
    return _levelled(heard + gain * under)


def clipped(heard: FloatArray, share: float) -> FloatArray:
    """Recorded too loud: `share` of the samples stand at full scale."""
    return np.clip(heard / np.quantile(np.abs(heard), 1.0 - share), -1.0, 1.0)


def reverbed(
    heard: FloatArray, rate_hz: int, seed: int, decay_s: float = 0.8, echoes_db: float = 0.0
) -> FloatArray:
    """In a hall whose echoes fall by 60 dB in `decay_s` and together are `echoes_db` louder than what comes
    straight, which comes first and stays where it was."""
    n = _length(decay_s, rate_hz)
    room = np.random.default_rng(seed).standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    room *= 10 ** (echoes_db / 20) / np.linalg.norm(room)
    room[0] = 1.0
    return _levelled(signal.oaconvolve(heard, room)[: len(heard)])


def sound_of(heard: FloatArray, rate_hz: int) -> Sound:
    """As a recording's sound: `heard` is (N,) or (N, C); beyond full scale it is clipped."""
    return Sound(_as_int16(heard), rate_hz)


def write_video_with_sound(
    path: Path,
    heard: FloatArray,
    rate_hz: int,
    *,
    fps: Fraction | int = 25,
    times_s: Sequence[float] | None = None,
    images: Iterable[Image] | None = None,
    n_channels: int = 1,
    audio_codec: str = "aac",
    metadata: dict[str, str] | None = None,
) -> Path:
    """A small video of H.264 with the sound `heard` (N,), whose first sample is at the first picture; returns
    `path`.

    A sweeping bar is shown for as long as the sound lasts, or else `images`; `times_s`, `fps` and `metadata`
    (`creation_time`, `timecode`, ...) are as `write_video` takes them. All channels hear the same.
    `audio_codec` is "aac" or "pcm_s16le". A camera without sound is `write_video` alone; one with
    a timecode has a steady `fps`.
    """
    n_pictures = len(times_s) if times_s is not None else math.ceil(len(heard) / rate_hz * fps)
    shown = images if images is not None else sweeping_bar(n_pictures)
    with tempfile.TemporaryDirectory() as folder:
        silent = write_video(Path(folder, f"silent{path.suffix}"), shown, fps, times_s=times_s)
        with av.open(str(silent)) as source, av.open(str(path), "w") as target:
            target.metadata.update(metadata or {})
            video = target.add_stream_from_template(source.streams.video[0])
            audio = target.add_stream(audio_codec, rate=rate_hz)
            assert isinstance(audio, av.AudioStream)
            audio.layout = "mono" if n_channels == 1 else "stereo"
            packets = [*_audio_packets(audio, heard, n_channels)]
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = video
                    packets.append(packet)
            for packet in sorted(packets, key=_decoded_at):
                target.mux(packet)
    return path


def sweeping_bar(n_pictures: int, size: tuple[int, int] = (64, 36)) -> Iterator[Image]:
    """Pictures of `size` (width, height) of which no two in a row are alike."""
    width, height = size
    for k in range(n_pictures):
        image = np.full((height, width), 60, np.uint8)
        image[:, k % width] = 220
        yield image


def _audio_packets(stream: av.AudioStream, heard: FloatArray, n_channels: int) -> Iterator[av.Packet]:
    samples = np.repeat(_as_int16(heard), n_channels, axis=1)
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=stream.layout)
    frame.rate, frame.pts, frame.time_base = stream.rate, 0, Fraction(1, stream.rate)
    yield from stream.encode(frame)
    yield from stream.encode(None)


def _decoded_at(packet: av.Packet) -> Fraction:
    assert packet.dts is not None
    return packet.dts * packet.time_base


def _as_int16(heard: FloatArray) -> NDArray[np.int16]:
    """(N, C) of 16 bits."""
    columns = heard.reshape(len(heard), -1)
    return np.round(np.clip(columns, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)


def _between(heard: FloatArray, first: float, step: float, n: int) -> FloatArray:
    """`heard` (N,) at the `n` positions first + k * step, in samples."""
    spline = ndimage.spline_filter1d(heard, _SPLINE, mode="mirror")
    taken = np.empty(n)
    for begin in range(0, n, _CHUNK):
        places = first + step * np.arange(begin, min(begin + _CHUNK, n))
        taken[begin : begin + _CHUNK] = ndimage.map_coordinates(
            spline, places[np.newaxis], order=_SPLINE, mode="mirror", prefilter=False
        )
    return taken


def _decaying(bumps: FloatArray, decay_s: float, rate_hz: int) -> FloatArray:
    """Each bump falling off to 1 / e in `decay_s`."""
    return np.asarray(signal.lfilter([1.0], [1.0, -math.exp(-1 / (decay_s * rate_hz))], bumps))


def _band(noise: FloatArray, band_hz: tuple[float, float], rate_hz: int) -> FloatArray:
    return np.asarray(signal.sosfilt(signal.butter(2, band_hz, "bandpass", fs=rate_hz, output="sos"), noise))


def _before(places: FloatArray, n: int) -> NDArray[np.int64]:
    """The nearest samples, of those that there are."""
    nearest = np.round(places).astype(np.int64)
    return nearest[nearest < n]


def _length(duration_s: float, rate_hz: int) -> int:
    return round(duration_s * rate_hz)


def _rms(heard: FloatArray) -> float:
    return float(np.sqrt(np.mean(heard**2)))


def _levelled(heard: FloatArray) -> FloatArray:
    return heard * (LEVEL / _rms(heard))
