"""Writing H.264 and AAC into MP4: what every copy of footage shares."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from mtbsync_engine.errors import MediaError
from mtbsync_engine.files import replacing_all
from mtbsync_engine.media.container import first_picture, quarter_turns
from mtbsync_engine.media.sound import SAMPLES_A_SECOND, Layout, encoded_sound, heard, layout_of
from mtbsync_engine.model import Recording

# Each is what some build of FFmpeg has; in PyAV's own the first is always there.
_ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf")


@dataclass(frozen=True)
class Quality:
    """How a copy is written: a key frame every `pictures_a_key`; `crf` is x264's scale of constant quality,
    the lower the better. Other encoders know none, so they get `bits_a_pixel`, about what that takes."""

    pictures_a_key: int
    crf: int
    bits_a_pixel: float
    sound_bits_a_second: int


@contextmanager
def writing(out: Path) -> Iterator[OutputContainer]:
    """An MP4 file with its table of contents in front, which is `out` once the block ends well.

    Raises:
        OutputError: it cannot be written.
    """
    with (
        replacing_all(out.parent, [out.name]) as folder,
        av.open(folder / out.name, "w", format="mp4", options={"movflags": "+faststart"}) as copy,
    ):
        yield copy


def mux(copy: OutputContainer, *streams: Iterable[Packet[Any]]) -> None:
    """Write the packets of all streams in the order in which a player wants them."""
    for packet in heapq.merge(*streams, key=_stored_s):
        copy.mux(packet)


def write_copy(
    recording: Recording,
    out: Path,
    pictures: Iterable[tuple[float, VideoFrame]],
    quality: Quality,
    *,
    time_base: Fraction,
    max_height_px: int | None,
    on_picture: Callable[[float], None],
    n_threads: int | None,
) -> None:
    """Write `recording` as one MP4 file `out`: these `pictures`, each with its second on the recording's
    clock, the sound of all chapters, and the start timecode.

    Raises:
        MediaError: a file cannot be read, or no picture of the first chapter can be decoded.
        OutputError: the copy cannot be written.
    """
    _, first = first_picture(recording.path)
    layout = layout_of(chapter.path for chapter in recording.chapters)
    with writing(out) as copy:
        if recording.start_timecode is not None:
            copy.metadata["timecode"] = str(recording.start_timecode)
        stream = picture_stream(
            copy,
            first,
            quality,
            rate=recording.rate.fps,
            time_base=time_base,
            max_height_px=max_height_px,
            n_threads=n_threads,
        )
        packets = [encoded_pictures(pictures, stream, on_picture)]
        if layout is not None:
            packets.append(encoded_sound(heard(recording, layout), sound_stream(copy, layout, quality)))
        mux(copy, *packets)


def _stored_s(packet: Packet[Any]) -> float:
    assert packet.dts is not None
    return float(packet.dts * packet.time_base)


# --- pictures -------------------------------------------------------------------------------------


def picture_stream(
    copy: OutputContainer,
    first: VideoFrame,
    quality: Quality,
    *,
    rate: Fraction,
    time_base: Fraction,
    max_height_px: int | None,
    n_threads: int | None,
) -> VideoStream:
    """A stream for pictures such as `first`, in 8 bits, no higher than wanted; they stand upright as it does.

    `rate` is said to be theirs, in pictures a second; their times are multiples of `time_base` seconds.

    Raises:
        MediaError: H.264 cannot be written here.
    """
    name = _encoder()
    stream = copy.add_stream(name, rate=rate)
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.width, context.height = _size(first, max_height_px)
    context.pix_fmt = "yuv420p"
    context.time_base = time_base
    context.gop_size, context.max_b_frames = quality.pictures_a_key, 0
    context.thread_count = n_threads or 0
    context.color_range = ColorRange.MPEG
    context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
    context.colorspace = first.colorspace
    if name == "libx264":
        context.options = {"preset": "superfast", "crf": str(quality.crf)}
    else:
        context.bit_rate = round(quality.bits_a_pixel * context.width * context.height * rate)
    if first.rotation:
        stream.set_display_rotation(first.rotation)
    return stream


def _encoder() -> str:
    for name in _ENCODERS:
        with suppress(UnknownCodecError):
            av.codec.Codec(name, "w")
            return name
    raise MediaError("The PyAV that is installed here cannot write H.264; install it with pip.")


def _size(first: VideoFrame, max_height_px: int | None) -> tuple[int, int]:
    """Width and height, both even, of the picture as it is stored."""
    height_px = first.width if quarter_turns(first) % 2 else first.height
    scale = min(1.0, (max_height_px or height_px) / height_px)
    return max(2, 2 * round(first.width * scale / 2)), max(2, 2 * round(first.height * scale / 2))


def encoded_pictures(
    pictures: Iterable[tuple[float, VideoFrame]], stream: VideoStream, on_picture: Callable[[float], None]
) -> Iterator[Packet[Any]]:
    """The packets of pictures that come with the second they are to be presented at, of which `on_picture` is
    told. One that is no later than the one before is left out: a damaged file may go back in time, which no
    copy can."""
    context, reformatter = stream.codec_context, VideoReformatter()
    tick_s = context.time_base
    assert tick_s is not None  # as `picture_stream` made it
    last = -1
    for t_s, frame in pictures:
        tick = round(t_s / tick_s)
        if tick <= last:
            continue
        small = reformatter.reformat(
            frame,
            width=context.width,
            height=context.height,
            format=context.pix_fmt,
            interpolation=Interpolation.AREA,
            dst_color_range=ColorRange.MPEG,
        )
        small.pts, small.time_base = tick, tick_s
        last = tick
        # What it was in the original is not what it is to be here.
        small.pict_type = PictureType.NONE
        yield from stream.encode(small)
        on_picture(t_s)
    yield from stream.encode(None)


# --- sound ----------------------------------------------------------------------------------------


def sound_stream(copy: OutputContainer, layout: Layout, quality: Quality) -> AudioStream:
    """A stream of AAC, for what `sound.encoded_sound` gives."""
    stream = copy.add_stream("aac", rate=SAMPLES_A_SECOND)
    assert isinstance(stream, AudioStream)
    stream.codec_context.layout = layout
    stream.codec_context.bit_rate = quality.sound_bits_a_second
    return stream
