"""Real small videos for tests: any pictures, or rides along rendered trails."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from support.scene import View, seen_by

Image = NDArray[np.uint8]

_TICKS_A_SECOND = 90_000
_PROXY_SUFFIXES = (".lrv", ".lrf")


def write_video(
    path: Path,
    frames: Iterable[Image],
    rate: Fraction | int,
    *,
    times_s: Sequence[float] | None = None,
    gop: int = 12,
    b_frames: int = 0,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    metadata: dict[str, str] | None = None,
    video_metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    bit_rate: int | None = None,
) -> Path:
    """Encode RGB or grey pictures, all (H, W, 3) or all (H, W), and return `path`.

    `times_s` gives every picture its own time (variable frame rate); without it they stand at
    k / rate. `rotation` is what a player turns the stored picture by, in degrees anticlockwise.
    `metadata` goes on the file (`creation_time`, `timecode`, ...), `video_metadata` on the video stream,
    `options` to the muxer. `bit_rate` is in bits a second; without it quality is constant.
    """
    time_base = 1 / Fraction(rate) if times_s is None else Fraction(1, _TICKS_A_SECOND)
    file_format = "mp4" if path.suffix.lower() in _PROXY_SUFFIXES else None
    with av.open(str(path), "w", format=file_format, options=options or {}) as container:
        container.metadata.update(metadata or {})
        stream = None
        for number, image in enumerate(frames):
            if stream is None:
                stream = container.add_stream(
                    codec, rate=Fraction(rate), options=_encoder_options(codec, bit_rate)
                )
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = pix_fmt
                if bit_rate is not None:
                    stream.codec_context.bit_rate = bit_rate
                stream.codec_context.gop_size = gop
                stream.codec_context.max_b_frames = b_frames
                stream.codec_context.time_base = time_base
                stream.metadata.update(video_metadata or {})
                if rotation:
                    stream.set_display_rotation(rotation)
            frame = av.VideoFrame.from_ndarray(image, format="gray" if image.ndim == 2 else "rgb24")
            frame.time_base = time_base
            frame.pts = number if times_s is None else round(times_s[number] * _TICKS_A_SECOND)
            container.mux(stream.encode(frame))
        assert stream is not None, "a video needs pictures"
        container.mux(stream.encode(None))
    return path


def _encoder_options(codec: str, bit_rate: int | None) -> dict[str, str]:
    """Fast, and key frames exactly where `gop` puts them."""
    if codec == "libx264":
        quality = {"crf": "23"} if bit_rate is None else {}
        return {"preset": "ultrafast", "sc_threshold": "0", **quality}
    if codec == "libx265":
        return {"preset": "ultrafast", "x265-params": "log-level=none:scenecut=0:open-gop=0"}
    return {}


def ride(
    path: Path,
    position_of_time: Callable[[float], float],
    duration_s: float,
    seed: int,
    *,
    rate: Fraction | int = 15,
    size: tuple[int, int] = (320, 180),
    view: View = View(),  # noqa: B008 (immutable)
    gop: int = 12,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Film trail `seed` by a rider `position_of_time(t_s)` >= 0 metres along it, and return `path`.

    The file holds the pictures at k / rate for every k / rate < `duration_s`.
    """
    n_pictures = math.ceil(Fraction(duration_s).limit_denominator(10**6) * Fraction(rate))
    times_s = [float(k / Fraction(rate)) for k in range(n_pictures)]
    pictures = (seen_by(view, t_s, position_of_time(t_s), seed, size) for t_s in times_s)
    return write_video(path, pictures, rate, gop=gop, metadata=metadata)
