"""Light copies, for browsers: any of them plays one, and finds every picture of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from mtbsync_engine.media.container import OpenVideo, decoded, first_picture, open_video, presented
from mtbsync_engine.media.encode import (
    Quality,
    encoded_pictures,
    mux,
    picture_stream,
    sound_stream,
    write_copy,
    writing,
)
from mtbsync_engine.media.sound import encoded_sound, heard_in, layout_of, sound_packets, sound_stream_of
from mtbsync_engine.model import Recording

# Half of the pictures stand by themselves, and the others need one more: any is found at once.
_LIGHT = Quality(pictures_a_key=2, crf=25, bits_a_pixel=0.25, sound_bits_a_second=128_000)
_USUAL_FPS = 30


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
    zero_s, first = first_picture(path)
    with open_video(path, n_threads=n_threads) as seen, open_video(path) as listened, writing(out) as copy:
        assert seen.stream.time_base is not None  # as in OpenVideo.seconds
        stream = picture_stream(
            copy,
            first,
            _LIGHT,
            rate=seen.stream.average_rate or Fraction(_USUAL_FPS),
            # Ticks of the original's clock are the copy's, so that no time is rounded.
            time_base=seen.stream.time_base,
            max_height_px=max_height_px,
            n_threads=n_threads,
        )
        pictures = ((file_s - zero_s, frame) for file_s, frame in decoded(seen))
        mux(copy, encoded_pictures(pictures, stream, on_picture), _sound(listened, zero_s, copy))


def write_proxy(
    recording: Recording,
    out: Path,
    *,
    max_height_px: int = 720,
    on_picture: Callable[[float], None] = lambda t_s: None,
    n_threads: int | None = None,
) -> None:
    """Write all chapters of `recording` as one MP4 file `out`, a light copy at most `max_height_px` high.

    As `write_light_copy`, but all stands on the recording's own clock, and sound is what `sound.heard` gives.

    Raises:
        MediaError: a file cannot be read, or no picture of the first chapter can be decoded.
        OutputError: the copy cannot be written.
    """
    _, first = first_picture(recording.path)
    assert first.time_base is not None  # every picture that was decoded has one
    write_copy(
        recording,
        out,
        presented(recording, n_threads=n_threads),
        _LIGHT,
        time_base=first.time_base,
        max_height_px=max_height_px,
        on_picture=on_picture,
        n_threads=n_threads,
    )


def _sound(video: OpenVideo, zero_s: float, copy: OutputContainer) -> Iterator[Packet[Any]]:
    """The copy's packets of sound; none where the file has no sound, or none that can be decoded."""
    source = sound_stream_of(video)
    if source is None:
        return iter(())
    if source.codec_context.name == "aac":
        return _copied(video, source, zero_s, copy.add_stream_from_template(source))
    layout = layout_of([video.path])
    if layout is None:
        return iter(())
    return encoded_sound(heard_in(video.path, layout), sound_stream(copy, layout, _LIGHT))


def _copied(
    video: OpenVideo, source: AudioStream, zero_s: float, stream: AudioStream
) -> Iterator[Packet[Any]]:
    assert source.time_base is not None  # every stream that a demuxer found has one
    zero = round(zero_s / source.time_base)
    for packet in sound_packets(video, source):
        if packet.pts is not None and packet.dts is not None:
            packet.pts, packet.dts = packet.pts - zero, packet.dts - zero
            packet.stream = stream
            yield packet
