"""Light copies, for browsers: any of them plays one, and finds every picture of it at once."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from mtbsync_engine.errors import MediaError
from mtbsync_engine.files import replacing_all
from mtbsync_engine.media.container import OpenVideo, cannot_be_read_on, decoded, open_video, quarter_turns

# Each is what some build of FFmpeg has; in PyAV's own the first is always there.
_ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf")
# Half of the pictures stand by themselves, and the others need one more: any is found at once.
_PICTURES_A_KEY = 2
_X264 = {"preset": "superfast", "crf": "25"}
# The other encoders know no constant quality. Good pictures take about as many bits for each pixel.
_BITS_A_PIXEL = 0.25
_USUAL_FPS = 30
_SAMPLES_A_SECOND = 48_000


def write_light_copy(
    path: Path,
    out: Path,
    *,
    max_height_px: int = 540,
    on_picture: Callable[[float], None] = lambda t_s: None,
    n_threads: int | None = None,
) -> None:
    """Write the video file `path` anew as the MP4 file `out`, at most `max_height_px` high.

    The copy is H.264 with a key frame every other frame and its table of contents in front; sound is AAC.
    Its pictures are those of the original at the original's times, counted from the first one: that stands
    at 0 in the copy. A variable frame rate stays as it is, and the pictures stand upright as in the
    original. `on_picture` is told the second of each. Readers of `out` see a whole file or none. Memory
    does not grow with length. `n_threads` None leaves their number to the decoder and the encoder.

    Raises:
        MediaError: the file cannot be read, or no picture of it can be decoded.
        OutputError: the copy cannot be written.
    """
    zero_s, first = _first_picture(path)
    with (
        replacing_all(out.parent, [out.name]) as folder,
        open_video(path, n_threads=n_threads) as seen,
        open_video(path) as heard,
        av.open(folder / out.name, "w", format="mp4", options={"movflags": "+faststart"}) as copy,
    ):
        pictures = _pictures(
            seen, zero_s, _picture_stream(copy, seen, first, max_height_px, n_threads), on_picture
        )
        sound = _sound(heard, zero_s, copy)
        for packet in heapq.merge(pictures, sound, key=_stored_s):
            copy.mux(packet)


def _first_picture(path: Path) -> tuple[float, VideoFrame]:
    with open_video(path, n_threads=1) as video:
        found = next(decoded(video), None)
    if found is None:
        raise MediaError(f"No picture of {path} can be decoded; copy it again from the card.")
    return found


def _stored_s(packet: Packet[Any]) -> float:
    assert packet.dts is not None
    return float(packet.dts * packet.time_base)


# --- pictures -------------------------------------------------------------------------------------


def _picture_stream(
    copy: OutputContainer, video: OpenVideo, first: VideoFrame, max_height_px: int, n_threads: int | None
) -> VideoStream:
    """The copy's stream of pictures, with the original's clock."""
    name = _encoder()
    assert video.stream.time_base is not None  # as in OpenVideo.seconds
    rate = video.stream.average_rate or _USUAL_FPS
    stream = copy.add_stream(name, rate=rate)
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.width, context.height = _size(first, max_height_px)
    context.pix_fmt = "yuv420p"
    # Ticks of the original's clock are the copy's, so that no time is rounded.
    context.time_base = video.stream.time_base
    context.gop_size, context.max_b_frames = _PICTURES_A_KEY, 0
    context.thread_count = n_threads or 0
    context.color_range = ColorRange.MPEG
    context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
    context.colorspace = first.colorspace
    if name == "libx264":
        context.options = _X264
    else:
        context.bit_rate = round(_BITS_A_PIXEL * context.width * context.height * rate)
    if first.rotation:
        stream.set_display_rotation(first.rotation)
    return stream


def _encoder() -> str:
    for name in _ENCODERS:
        with suppress(UnknownCodecError):
            av.codec.Codec(name, "w")
            return name
    raise MediaError("The PyAV that is installed here cannot write H.264; install it with pip.")


def _size(first: VideoFrame, max_height_px: int) -> tuple[int, int]:
    """Width and height, both even, of the picture as it is stored."""
    height_px = first.width if quarter_turns(first) % 2 else first.height
    scale = min(1.0, max_height_px / height_px)
    return max(2, 2 * round(first.width * scale / 2)), max(2, 2 * round(first.height * scale / 2))


def _pictures(
    video: OpenVideo, zero_s: float, stream: VideoStream, on_picture: Callable[[float], None]
) -> Iterator[Packet[Any]]:
    context, reformatter = stream.codec_context, VideoReformatter()
    zero = round(zero_s / video.seconds(1))
    last = -1
    for file_s, frame in decoded(video):
        assert frame.pts is not None
        # A damaged file may go back in time, which no copy can.
        if frame.pts - zero <= last:
            continue
        small = reformatter.reformat(
            frame,
            width=context.width,
            height=context.height,
            format=context.pix_fmt,
            interpolation=Interpolation.AREA,
            dst_color_range=ColorRange.MPEG,
        )
        small.pts = last = frame.pts - zero
        # What it was in the original is not what it is to be here.
        small.pict_type = PictureType.NONE
        yield from stream.encode(small)
        on_picture(file_s - zero_s)
    yield from stream.encode(None)


# --- sound ----------------------------------------------------------------------------------------


def _sound(video: OpenVideo, zero_s: float, copy: OutputContainer) -> Iterator[Packet[Any]]:
    """The copy's packets of sound; none where the file has no sound, or none that can be decoded."""
    streams = [s for s in video.container.streams.audio if s.codec_context is not None]
    if not streams:
        return iter(())
    source = streams[0]
    source.discard = Discard.default
    video.stream.discard = Discard.all
    if source.codec_context.name == "aac":
        return _copied(video, source, zero_s, copy.add_stream_from_template(source))
    stream = copy.add_stream("aac", rate=_SAMPLES_A_SECOND)
    assert isinstance(stream, AudioStream)
    stream.codec_context.layout = "mono" if source.codec_context.channels == 1 else "stereo"
    return _encoded(video, source, zero_s, stream)


def _copied(
    video: OpenVideo, source: AudioStream, zero_s: float, stream: AudioStream
) -> Iterator[Packet[Any]]:
    zero = _ticks(zero_s, source)
    for packet in _packets(video, source):
        if packet.pts is not None and packet.dts is not None:
            packet.pts, packet.dts = packet.pts - zero, packet.dts - zero
            packet.stream = stream
            yield packet


def _encoded(
    video: OpenVideo, source: AudioStream, zero_s: float, stream: AudioStream
) -> Iterator[Packet[Any]]:
    zero = _ticks(zero_s, source)
    for packet in _packets(video, source):
        # What is broken is passed over.
        with suppress(av.FFmpegError):
            for frame in packet.decode():
                if frame.pts is not None:
                    frame.pts -= zero
                    yield from stream.encode(frame)
    yield from stream.encode(None)


def _packets(video: OpenVideo, source: AudioStream) -> Iterator[Packet[AudioStream]]:
    try:
        yield from video.container.demux(source)
    except av.FFmpegError as error:
        raise cannot_be_read_on(video.path, error) from error


def _ticks(t_s: float, stream: AudioStream) -> int:
    assert stream.time_base is not None
    return round(t_s / stream.time_base)
