"""Mezzanines: footage of a variable frame rate as editors want it, every picture where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from av.video.frame import VideoFrame

from mtbsync_engine.media.container import ROUNDING_S, presented
from mtbsync_engine.media.encode import Quality, write_copy
from mtbsync_engine.model import Recording
from mtbsync_engine.timing import frame_start_s, nearest_frame

# Hardly to be told from the original, and an editor finds any picture in it fast.
_FOR_EDITORS = Quality(pictures_a_key=6, crf=17, bits_a_pixel=0.8, sound_bits_a_second=320_000)


def write_mezzanine(
    recording: Recording,
    out: Path,
    on_picture: Callable[[float], None] = lambda t_s: None,
    n_threads: int | None = None,
) -> None:
    """Write all chapters of `recording` as one MP4 file `out` of its rate, constant, in full size.

    Frame n shows the picture that is on display at n / rate seconds, so pictures are repeated and left out,
    but none is shown at a wrong time. There are as many frames as the recording is long. Pictures are H.264
    of 8 bits and hardly lose anything, every sixth a key frame and none out of order; sound is AAC, in sync
    as `sound.heard` has it; the start timecode is the recording's. `on_picture` is told the second of each
    frame. Readers of `out` see a whole file or none. Memory does not grow with length. `n_threads` None
    leaves their number to the decoder and the encoder.

    Raises:
        MediaError: a file cannot be read, or no picture of the first chapter can be decoded.
        OutputError: the copy cannot be written.
    """
    write_copy(
        recording,
        out,
        _on_display(recording, n_threads),
        _FOR_EDITORS,
        time_base=1 / recording.rate.fps,
        max_height_px=None,
        on_picture=on_picture,
        n_threads=n_threads,
    )


def _on_display(recording: Recording, n_threads: int | None) -> Iterator[tuple[float, VideoFrame]]:
    """When each frame begins, and the picture on display then."""
    rate, n_frames = recording.rate, nearest_frame(recording.duration_s, recording.rate)
    shown: VideoFrame | None = None
    n = 0
    for t_s, frame in presented(recording, n_threads=n_threads):
        while shown is not None and n < n_frames and frame_start_s(n, rate) + ROUNDING_S < t_s:
            yield frame_start_s(n, rate), shown
            n += 1
        shown = frame
    while shown is not None and n < n_frames:
        yield frame_start_s(n, rate), shown
        n += 1
