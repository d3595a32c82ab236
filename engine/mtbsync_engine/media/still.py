"""Stills: a small picture of one moment, to tell recordings apart by."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation

from mtbsync_engine.errors import MediaError
from mtbsync_engine.media.container import OpenVideo, decoded, open_video, quarter_turns, seek
from mtbsync_engine.model import Recording

# FFmpeg's own scale for JPEG, from 2 (best) to 31: small files in which nothing is seen of that.
_QUALITY = 4


def still(recording: Recording, t_s: float, *, max_width_px: int = 320) -> bytes:
    """A JPEG, at most `max_width_px` wide, of the key frame before `t_s` seconds of `recording`, or near it.

    It stands upright as the file says. Only one picture is decoded.

    Raises:
        MediaError: the file cannot be opened, or no key frame of it decodes.
    """
    chapter = [c for c in recording.chapters if c.offset_s <= max(0.0, t_s)][-1]
    with open_video(chapter.picture_path, n_threads=1) as video:
        frame = _key_frame(video, t_s - chapter.offset_s)
    if frame is None:
        raise MediaError(f"No picture of {chapter.picture_path} can be decoded; copy it again from the card.")
    return _jpeg(frame, max_width_px)


def _key_frame(video: OpenVideo, wanted_s: float) -> VideoFrame | None:
    begin_s = video.seconds(video.stream.start_time or 0)
    # Behind the last key frame of a file without an index there is nothing more to be had.
    for start_s in (max(0.0, wanted_s), 0.0):
        seek(video, begin_s + start_s)
        for _, frame in decoded(video, lambda file_s: "NONKEY"):
            return frame
    return None


def _jpeg(frame: VideoFrame, max_width_px: int) -> bytes:
    turns = quarter_turns(frame)
    width_px = frame.height if turns % 2 else frame.width
    scale = min(1.0, max_width_px / width_px)
    small = frame.reformat(
        width=max(1, round(frame.width * scale)),
        height=max(1, round(frame.height * scale)),
        format="rgb24",
        interpolation=Interpolation.AREA,
    )
    upright = VideoFrame.from_ndarray(
        np.ascontiguousarray(np.rot90(small.to_ndarray(), turns), dtype=np.uint8), format="rgb24"
    )
    encoder = CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height = upright.width, upright.height
    encoder.pix_fmt, encoder.color_range = "yuvj420p", ColorRange.JPEG
    encoder.time_base = Fraction(1)
    encoder.qmin = encoder.qmax = _QUALITY
    picture = upright.reformat(format="yuvj420p", dst_color_range=ColorRange.JPEG)
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
