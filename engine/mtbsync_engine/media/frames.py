"""Pictures of a recording at the moments one asks for, decoded as cheaply as the file allows."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from mtbsync_engine.errors import MediaError
from mtbsync_engine.media.container import (
    ROUNDING_S,
    OpenVideo,
    Skip,
    decoded,
    open_video,
    picture_times,
    quarter_turns,
    seek,
)
from mtbsync_engine.model import FloatArray, Recording

Image = NDArray[np.uint8]

# Nine in ten key frames no further apart than this many sampling intervals do for samples.
_DENSE_ENOUGH = 1.5
# When speed counts: a key frame a second, as GoPros have, which at 29.97 is 1.001 s.
_FAST_GAP_S = 1.05
_MAY_BE_MISSING_S = 1.0
# Far more than pictures are stored out of order in any stream.
_MOST_REORDERED = 32


@dataclass(frozen=True, eq=False)
class Picture:
    """One sample: when it was presented on the recording's clock, and its grey levels, shape (H, W)."""

    t_s: float
    gray: Image


@dataclass(frozen=True)
class SamplingPlan:
    """How a recording will be sampled.

    `fps` is the wanted number of samples a second. `n_pictures` is how many to expect, near enough
    for showing progress. `longest_gap_s` is the longest stretch that no decoded picture falls in.
    """

    fps: float
    key_frames_only: bool
    n_pictures: int
    longest_gap_s: float


def plan_sampling(recording: Recording, *, fps: float, fast: bool = False) -> SamplingPlan:
    """Whether `recording`'s key frames alone give `fps` samples a second.

    They do when nine in ten follow each other within 1.5 / `fps` seconds; with `fast`, within a second
    at any rate. Key frames are found in the file's index without decoding; a container that has none is
    read through once.

    Raises:
        MediaError: a file cannot be opened.
    """
    keys: list[FloatArray] = []
    pictures: list[FloatArray] = []
    for chapter in recording.chapters:
        times, is_key = picture_times(chapter.picture_path, chapter.duration_s)
        pictures.append(times + chapter.offset_s)
        keys.append(times[is_key] + chapter.offset_s)
    gaps_s = np.diff(np.unique(np.concatenate([[0.0], *keys, [recording.duration_s]])))
    limit_s = max(_DENSE_ENOUGH / fps, _FAST_GAP_S if fast else 0.0)
    key_frames_only = bool(np.percentile(gaps_s, 90) <= limit_s)
    decoded_s = np.concatenate(keys if key_frames_only else pictures)
    return SamplingPlan(
        fps=fps,
        key_frames_only=key_frames_only,
        n_pictures=len({_cell(float(t_s), fps) for t_s in decoded_s}),
        longest_gap_s=float(gaps_s.max()) if key_frames_only else 0.0,
    )


def sample_frames(
    recording: Recording, plan: SamplingPlan, *, max_side: int, n_threads: int | None = None
) -> Iterator[Picture]:
    """Grey pictures of `recording` about `plan.fps` times a second, in order, each at most once.

    Time is cut into cells [k / fps, (k + 1) / fps), and each cell gives the first decoded picture
    presented in it; a cell without one gives none. So a picture carries its own time, never a grid's,
    and any frame rate, constant or not, is treated alike.

    Pictures are turned upright as the file says, and shrunk so that the longer side is at most
    `max_side` pixels; black is 0 and white 255 whatever range the file uses. `n_threads` None lets the
    decoder choose. Memory does not grow with length.

    Raises:
        MediaError: a file cannot be opened, or breaks off more than a second before the end it declares;
            in that case, after the last of its pictures that could be had.
    """
    to_gray = _Converter("gray", max_side)
    last_cell = -1
    for chapter in recording.chapters:
        end_s = 0.0
        with open_video(chapter.picture_path, n_threads=n_threads) as video:
            for t_s, frame in _on_clock(video, plan, chapter.offset_s):
                end_s = t_s - chapter.offset_s + video.seconds(frame.duration)
                cell = _cell(t_s, plan.fps)
                if cell > last_cell:
                    last_cell = cell
                    yield Picture(t_s, to_gray(frame))
        if chapter.duration_s - end_s > _MAY_BE_MISSING_S + plan.longest_gap_s:
            raise MediaError(
                f"{chapter.picture_path} breaks off at {end_s:.1f} s of {chapter.duration_s:.1f} s; "
                "copy it again from the card."
            )


def read_picture(recording: Recording, t_s: float, *, max_side: int) -> Image:
    """The picture on display at `t_s` seconds of `recording`, in colour: RGB, shape (H, W, 3).

    Raises:
        MediaError: `t_s` lies outside the recording, or the file does not decode there.
    """
    if not 0 <= t_s < recording.duration_s:
        raise MediaError(
            f"{recording.path} has no picture at {t_s:.2f} s; it runs from 0 to {recording.duration_s:.2f} s."
        )
    chapter = [c for c in recording.chapters if c.offset_s <= t_s][-1]
    with open_video(chapter.picture_path) as video:
        shown = _on_display(video, t_s - chapter.offset_s + ROUNDING_S)
    if shown is None:
        raise MediaError(
            f"{chapter.picture_path} cannot be decoded at {t_s - chapter.offset_s:.2f} s; "
            "copy it again from the card."
        )
    return _Converter("rgb24", max_side)(shown)


def pictures_between(recording: Recording, start_s: float, end_s: float, *, max_side: int) -> list[Picture]:
    """Every grey picture of `recording` from that on display at `start_s` to the last presented by `end_s`.

    They are made as `sample_frames` makes them. What lies outside the recording has no pictures.

    Raises:
        MediaError: a file cannot be opened.
    """
    to_gray = _Converter("gray", max_side)
    found: list[Picture] = []
    for chapter in recording.chapters:
        start, end = (t_s - chapter.offset_s + ROUNDING_S for t_s in (start_s, end_s))
        if start < chapter.duration_s and end > 0:
            with open_video(chapter.picture_path, n_threads=1) as video:
                for t_s, gray in _on_display_between(video, max(0.0, start), end, to_gray):
                    found.append(Picture(chapter.offset_s + t_s, gray))
    return found


def _cell(t_s: float, fps: float) -> int:
    return math.floor((t_s + ROUNDING_S) * fps)


def _on_clock(video: OpenVideo, plan: SamplingPlan, offset_s: float) -> Iterator[tuple[float, VideoFrame]]:
    """The file's pictures, and their seconds on a clock on which the first is at `offset_s`.

    The plan's key frames, or the first picture of each cell with all that pictures are decoded from: to leave
    out the rest saves a third of the work where half of the pictures are of that kind. The first picture is
    always among them: an edit list can begin between two key frames, and only what is presented first tells
    where 0 is.
    """
    zero_s: float | None = None
    stored_s: deque[float] = deque(maxlen=_MOST_REORDERED)

    def skip(file_s: float) -> Skip:
        before_s = max((s for s in stored_s if s < file_s), default=None)
        stored_s.append(file_s)
        if zero_s is None:
            return "DEFAULT"
        if plan.key_frames_only:
            return "NONKEY"
        if before_s is None:
            return "DEFAULT"
        before, here = (_cell(offset_s + (s - zero_s), plan.fps) for s in (before_s, file_s))
        return "NONREF" if before == here else "DEFAULT"

    for file_s, frame in decoded(video, skip):
        if zero_s is None:
            zero_s = file_s
        elif plan.key_frames_only and not frame.key_frame:
            continue  # the decoder's threads, however many there are, had begun it already
        yield offset_s + (file_s - zero_s), frame


def _on_display(video: OpenVideo, wanted_s: float) -> VideoFrame | None:
    """The last picture presented until `wanted_s` seconds after the file's first one."""
    first = next(decoded(video), None)
    if first is None:
        return None
    zero_s, _ = first
    # MPEG-TS has no index and lands between key frames, so an earlier start may be needed.
    for start_s in (wanted_s, wanted_s - 1, wanted_s - 4, -1.0):
        seek(video, zero_s + max(-1.0, start_s))
        shown = None
        for file_s, frame in decoded(video):
            if file_s - zero_s > wanted_s:
                break
            end_s, shown = file_s - zero_s + video.seconds(frame.duration), frame
        if shown is not None:
            return shown if wanted_s - end_s < _MAY_BE_MISSING_S else None
    return None


def _on_display_between(
    video: OpenVideo, start_s: float, end_s: float, convert: _Converter
) -> list[tuple[float, Image]]:
    """The pictures on display between two seconds after the file's first one, and when each is presented."""
    first = next(decoded(video), None)
    if first is None:
        return []
    zero_s, _ = first
    # MPEG-TS has no index and lands between key frames, so an earlier start may be needed.
    for from_s in (start_s, start_s - 1, start_s - 4, -1.0):
        seek(video, zero_s + max(-1.0, from_s))
        before, shown = None, []
        for file_s, frame in decoded(video):
            t_s = file_s - zero_s
            if t_s > end_s:
                break
            if t_s <= start_s:
                before = t_s, frame
            else:
                shown.append((t_s, convert(frame)))
        if before is not None:
            return [(before[0], convert(before[1])), *shown]
    return shown


class _Converter:
    """Turns decoded frames into upright arrays in one format, no larger than wanted."""

    def __init__(self, pixel_format: str, max_side: int) -> None:
        self._format = pixel_format
        self._max_side = max_side
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Image:
        scale = min(1.0, self._max_side / max(frame.width, frame.height))
        small = self._reformatter.reformat(
            frame,
            width=max(1, round(frame.width * scale)),
            height=max(1, round(frame.height * scale)),
            format=self._format,
            interpolation=Interpolation.AREA,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        upright = np.rot90(small.to_ndarray(), quarter_turns(frame))
        return np.ascontiguousarray(upright, dtype=np.uint8)
