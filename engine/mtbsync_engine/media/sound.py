"""The sound of recordings: every sample at its own moment on the recording's clock."""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Discard
from numpy.typing import NDArray
from scipy.io import wavfile

from mtbsync_engine.errors import ArtifactError, MediaError
from mtbsync_engine.files import replacing
from mtbsync_engine.media.container import OpenVideo, cannot_be_read_on, first_picture, open_video
from mtbsync_engine.model import Recording
from mtbsync_engine.session import Sound

# (n, C) samples of 16 bits in C channels.
Block = NDArray[np.int16]
Layout = Literal["mono", "stereo"]

SAMPLES_A_SECOND = 48_000
_SAMPLE_BYTES = 2
_N_CHANNELS = {"mono": 1, "stereo": 2}
# Where timestamps say something else than the count of samples, they are right (FFmpeg's aresample): from
# 4 ms on, more than any container rounds by, sound is stretched by at most 100 samples a second; from 10 ms
# on, less than a packet that is missing, silence is put in or sound left out.
_BY_TIMESTAMPS = {"async": "100", "min_comp": "0.004", "min_hard_comp": "0.01", "first_pts": "0"}
# A longer silence need not lie in the memory of a filter.
_LONG_GAP_S = 1.0
# Sound may end a little after the last picture; what is further away has a wrong time.
_MOST_BEYOND_S = 1.0


class NoSoundError(MediaError):
    """A recording has no sound, or none that can be decoded."""


# --- writing and reading --------------------------------------------------------------------------


def write_wav(recording: Recording, out: Path, on_sound: Callable[[float], None] = lambda t_s: None) -> None:
    """Write the sound of all chapters as a WAV file: 48 kHz, 16 bits, one channel or two.

    Its first sample is at the recording's first picture and each one at its own time by the file's
    timestamps: where there is no sound, there is silence. More channels are mixed down to two. Above 4 GB
    the file is an RF64 (EBU Tech 3306). `on_sound` is told the second that is reached. Memory does not grow
    with length.

    Raises:
        NoSoundError: there is no sound, or none that can be decoded.
        MediaError: a file cannot be read.
        OutputError: the WAV cannot be written.
    """
    layout = layout_of(chapter.path for chapter in recording.chapters)
    if layout is None:
        raise NoSoundError(f"{recording.path} has no sound that can be decoded; choose another camera's.")
    with (
        replacing(out) as temporary,
        av.open(temporary, "w", format="wav", options={"rf64": "auto"}) as file,
    ):
        stream = file.add_stream("pcm_s16le", rate=SAMPLES_A_SECOND)
        assert isinstance(stream, AudioStream)
        stream.codec_context.layout = layout
        for packet in encoded_sound(heard(recording, layout), stream):
            file.mux(packet)
            assert packet.pts is not None  # as the encoder made it
            on_sound(float((packet.pts + (packet.duration or 0)) * packet.time_base))


def encoded_sound(blocks: Iterable[Block], stream: AudioStream) -> Iterator[Packet[AudioStream]]:
    """The packets of the `blocks`, which follow each other from second 0 on, for a stream of their layout."""
    n = 0
    for block in blocks:
        frame = AudioFrame.from_ndarray(
            block.reshape(1, -1), format="s16", layout=stream.codec_context.layout.name
        )
        frame.sample_rate, frame.time_base, frame.pts = SAMPLES_A_SECOND, Fraction(1, SAMPLES_A_SECOND), n
        n += len(block)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def read_wav(path: Path) -> Sound:
    """What `write_wav` wrote; samples are read when they are looked at, so that hours of it take no memory.

    Raises:
        ArtifactError: the file is missing or damaged, or holds anything but 16 bits a sample.
    """
    try:
        with warnings.catch_warnings():
            # Its way of telling of a file that breaks off.
            warnings.simplefilter("error", wavfile.WavFileWarning)
            rate_hz, samples = wavfile.read(path, mmap=True)
        if not isinstance(samples, np.memmap) or samples.dtype != np.int16:
            raise ValueError(samples.dtype)
    # What is cut off in its header fails in many ways.
    except (OSError, ValueError, EOFError, ArithmeticError, struct.error, wavfile.WavFileWarning) as error:
        raise ArtifactError(f"{path} is missing or damaged; have the sound taken out again.") from error
    return Sound(_OnDisk(path, samples.offset, samples.reshape(len(samples), -1).shape), rate_hz)


@dataclass(frozen=True)
class _OnDisk:
    """The samples, of that `shape`, that stand in a file from byte `offset` on."""

    path: Path
    offset: int
    shape: tuple[int, int]

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice, /) -> NDArray[np.int16]:
        first, end, _ = part.indices(len(self))
        n_channels = self.shape[1]
        at = self.offset + first * n_channels * _SAMPLE_BYTES
        read = np.fromfile(self.path, "<i2", max(0, end - first) * n_channels, offset=at)
        return read.reshape(-1, n_channels)


# --- hearing --------------------------------------------------------------------------------------


def layout_of(paths: Iterable[Path]) -> Layout | None:
    """How many channels `heard` gives of these files: as many as the first sound that decodes has, at most
    two. None where there is no sound, or none that decodes.

    Raises:
        MediaError: a file cannot be read.
    """
    for path in paths:
        with open_video(path) as video:
            for _, frame in _frames(video):
                layout: Layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
                # Sound from all around, which some cameras record, cannot be mixed down.
                with suppress(av.FFmpegError):
                    _resampler(layout).resample(frame)
                    return layout
    return None


def heard(recording: Recording, layout: Layout) -> Iterator[Block]:
    """The sound of all chapters at 48 kHz, from the recording's first picture to the end of the sound, in
    blocks of at most a second that follow each other; silence where there is none.

    Raises:
        MediaError: a file cannot be read, or no picture of it can be decoded.
    """
    for chapter, following in pairwise([*recording.chapters, None]):
        assert chapter is not None  # only what follows the last is
        blocks = heard_in(chapter.path, layout, until_s=chapter.duration_s + _MOST_BEYOND_S)
        if following is None:
            yield from blocks
        else:
            begin, end = (round(c.offset_s * SAMPLES_A_SECOND) for c in (chapter, following))
            yield from _of_length(blocks, end - begin, layout)


def heard_in(path: Path, layout: Layout, *, until_s: float = math.inf) -> Iterator[Block]:
    """As `heard`, of one file; what it says to begin after `until_s` is left out.

    Raises:
        MediaError: the file cannot be read, or no picture of it can be decoded.
    """
    n = 0
    for at, block in _placed(path, layout, until_s):
        # Of what overlaps, the first stays.
        fresh = block[max(0, n - at) :]
        if len(fresh):
            yield from _silence(at - n, block.shape[1])
            yield fresh
            n = at + len(block)


def sound_stream_of(video: OpenVideo) -> AudioStream | None:
    """The file's first sound that can be decoded, made the only thing that is read of it."""
    streams = [s for s in video.container.streams.audio if s.codec_context is not None]
    if not streams:
        return None
    streams[0].discard, video.stream.discard = Discard.default, Discard.all
    return streams[0]


def sound_packets(video: OpenVideo, source: AudioStream) -> Iterator[Packet[AudioStream]]:
    """The packets of a file's sound.

    Raises:
        MediaError: the file can no longer be read.
    """
    try:
        yield from video.container.demux(source)
    except av.FFmpegError as error:
        raise cannot_be_read_on(video.path, error) from error


# --- placing --------------------------------------------------------------------------------------


class _Run:
    """Sound without a long gap, which becomes 48 kHz; its `first` frame is at second `file_s` of the file and
    `at` samples of 48 kHz behind the first picture."""

    def __init__(self, layout: Layout, first: AudioFrame, file_s: float, at: int) -> None:
        self._form = _form(first)
        self._resampler = _resampler(layout)
        self._n_channels = _N_CHANNELS[layout]
        self._begin = first.pts
        self._until_s = file_s
        self._at = at

    def is_continued_by(self, frame: AudioFrame, file_s: float) -> bool:
        return _form(frame) == self._form and file_s - self._until_s <= _LONG_GAP_S

    def add(self, frame: AudioFrame, file_s: float) -> Iterator[tuple[int, Block]]:
        """What follows, so far; it may be nothing."""
        assert frame.pts is not None  # or it had no time
        assert self._begin is not None
        frame.pts -= self._begin
        self._until_s = file_s + frame.samples / frame.sample_rate
        return self._resampled(frame)

    def end(self) -> Iterator[tuple[int, Block]]:
        """What is left."""
        return self._resampled(None)

    def _resampled(self, frame: AudioFrame | None) -> Iterator[tuple[int, Block]]:
        for resampled in self._resampler.resample(frame):
            block = resampled.to_ndarray().reshape(-1, self._n_channels).astype(np.int16, copy=False)
            yield self._at, block
            self._at += len(block)


def _form(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _resampler(layout: Layout) -> AudioResampler:
    """To 48 kHz and 16 bits, in blocks of a second."""
    return AudioResampler(
        "s16", layout, SAMPLES_A_SECOND, frame_size=SAMPLES_A_SECOND, options=_BY_TIMESTAMPS
    )


def _placed(path: Path, layout: Layout, until_s: float) -> Iterator[tuple[int, Block]]:
    """The file's sound as it decodes, in blocks at their places: samples of 48 kHz from its first picture on,
    which may lie before that, leave gaps and overlap."""
    zero_s, _ = first_picture(path)
    run: _Run | None = None
    with open_video(path) as video:
        for file_s, frame in _frames(video):
            if file_s - zero_s > until_s:
                continue
            if run is None or not run.is_continued_by(frame, file_s):
                if run is not None:
                    yield from run.end()
                run = _Run(layout, frame, file_s, round((file_s - zero_s) * SAMPLES_A_SECOND))
            yield from run.add(frame, file_s)
    if run is not None:
        yield from run.end()


def _frames(video: OpenVideo) -> Iterator[tuple[float, AudioFrame]]:
    """What decodes of a file's sound, with its second by the file's own clock; the rest is passed over."""
    source = sound_stream_of(video)
    if source is None:
        return
    for packet in sound_packets(video, source):
        for frame in _decoded(packet):
            if frame.time is not None:
                yield frame.time, frame


def _decoded(packet: Packet[AudioStream]) -> list[AudioFrame]:
    try:
        return packet.decode()
    except av.FFmpegError:
        return []


def _of_length(blocks: Iterable[Block], length: int, layout: Layout) -> Iterator[Block]:
    """Cut, or filled up with silence, to `length` samples."""
    n = 0
    for block in blocks:
        kept = block[: length - n]
        yield kept
        n += len(kept)
        if n == length:
            return
    yield from _silence(length - n, _N_CHANNELS[layout])


def _silence(n: int, n_channels: int) -> Iterator[Block]:
    for begin in range(0, n, SAMPLES_A_SECOND):
        yield np.zeros((min(SAMPLES_A_SECOND, n - begin), n_channels), np.int16)
