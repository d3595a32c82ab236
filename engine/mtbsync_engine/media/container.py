"""Opening a video file and decoding its pictures: what probing, sampling and copying share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from mtbsync_engine.errors import MediaError
from mtbsync_engine.model import FloatArray, Recording

# What the decoder may leave out, as FFmpeg calls it: nothing, what no other picture is decoded from, or all
# but key frames.
Skip = Literal["DEFAULT", "NONREF", "NONKEY"]

# Containers round times to a millisecond or finer.
ROUNDING_S = 0.001
_HEAD_BYTES = 12
_MP4_MARK = b"ftyp"
# Matroska and MPEG-TS come with a stub of an index, or none.
_COMPLETE_INDEX = 0.9


@dataclass(frozen=True, eq=False)
class OpenVideo:
    """An open file and the video stream in it that mtbsync looks at."""

    path: Path
    container: InputContainer
    stream: VideoStream

    def seconds(self, ticks: int) -> float:
        """A PTS, DTS or duration of the stream in seconds."""
        assert self.stream.time_base is not None  # every stream that a demuxer found has one
        return float(ticks * self.stream.time_base)


@contextmanager
def open_video(path: Path, *, n_threads: int | None = None) -> Iterator[OpenVideo]:
    """Open `path` for reading; `n_threads` None leaves the number of decoding threads to the decoder.

    Raises:
        MediaError: the file is missing, not readable, damaged, or holds no video.
    """
    head = _read_head(path)
    try:
        # Cameras write bytes into names that are no UTF-8. Only an absolute path is never taken for a URL.
        container = av.open(path.absolute(), metadata_errors="replace")
    except av.FFmpegError as error:
        raise MediaError(_why_not_opened(path, head, error)) from error
    with container:
        stream = _main_stream(path, container)
        for other in container.streams:
            if other is not stream:
                other.discard = Discard.all
        stream.thread_type = "AUTO"
        if n_threads is not None:
            stream.codec_context.thread_count = n_threads
        yield OpenVideo(path, container, stream)


def packets(video: OpenVideo) -> Iterator[Packet[VideoStream]]:
    """The video's packets from here to the end of the file, in the order they are stored.

    Raises:
        MediaError: the file can no longer be read.
    """
    try:
        yield from video.container.demux(video.stream)
    except av.FFmpegError as error:
        raise cannot_be_read_on(video.path, error) from error


def cannot_be_read_on(path: Path, error: av.FFmpegError) -> MediaError:
    """What to say when a file that did open stops in the middle."""
    return MediaError(
        f"{path} cannot be read to its end ({error.strerror}); check the drive or card it lies on."
    )


def decoded(
    video: OpenVideo, skip: Callable[[float], Skip] = lambda file_s: "DEFAULT"
) -> Iterator[tuple[float, VideoFrame]]:
    """Every picture from here to the end of the file that decodes, in the order of presentation.

    Each comes with the second of its presentation by the file's own clock, which need not begin at 0.
    What an edit list leaves out is not presented and does not appear. A picture that is broken is
    passed over, and those after it are tried.

    `skip` is told the second of each picture in the order in which they are stored, and says if it may be
    left out. It is read none the less: FFmpeg's MP4 reader can pass over all but key frames
    (`Discard.nonkey`), but then loses count of the offsets from decoding to presentation and gives wrong
    times.

    Raises:
        MediaError: the file can no longer be read.
    """
    for packet in packets(video):
        if packet.pts is not None:
            video.stream.codec_context.skip_frame = skip(video.seconds(packet.pts))
        for frame in _pictures(packet):
            if frame.pts is not None:
                yield video.seconds(frame.pts), frame


def first_picture(path: Path) -> tuple[float, VideoFrame]:
    """The picture of `path` that is presented first, and its second by the file's own clock.

    Raises:
        MediaError: the file cannot be read, or no picture of it can be decoded.
    """
    with open_video(path, n_threads=1) as video:
        found = next(decoded(video), None)
    if found is None:
        raise MediaError(f"No picture of {path} can be decoded; copy it again from the card.")
    return found


def presented(recording: Recording, *, n_threads: int | None = None) -> Iterator[tuple[float, VideoFrame]]:
    """Every picture of a recording's own files that decodes, as `decoded`, at its second on the recording's
    clock.

    Raises:
        MediaError: a file cannot be read.
    """
    for chapter in recording.chapters:
        zero_s: float | None = None
        with open_video(chapter.path, n_threads=n_threads) as video:
            for file_s, frame in decoded(video):
                zero_s = file_s if zero_s is None else zero_s
                yield chapter.offset_s + (file_s - zero_s), frame


def picture_times(path: Path, duration_s: float) -> tuple[FloatArray, NDArray[np.bool_]]:
    """About when each picture of a file that lasts `duration_s` comes, in seconds from its start, and which
    are keys; nothing is decoded.

    An index holds times of decoding, which run ahead of presentation by a few pictures: good enough for
    counting and for measuring gaps.

    Raises:
        MediaError: the file cannot be read.
    """
    with open_video(path) as video:
        pictures = [(e.timestamp, e.is_keyframe) for e in video.stream.index_entries if not e.is_discard]
        reach_s = video.seconds(pictures[-1][0] - pictures[0][0]) if pictures else 0.0
        if reach_s < _COMPLETE_INDEX * duration_s:
            pictures = [
                (packet.pts, packet.is_keyframe)
                for packet in packets(video)
                if packet.pts is not None and not packet.is_discard
            ]
        ticks = np.array([tick for tick, _ in pictures])
        times_s = (ticks - ticks.min()) * video.seconds(1)
    return times_s, np.array([is_key for _, is_key in pictures])


def seek(video: OpenVideo, file_s: float) -> None:
    """Go to the last key frame before `file_s` seconds of the file's own clock, or near it."""
    video.container.seek(round(file_s / video.seconds(1)), stream=video.stream)


def quarter_turns(frame: VideoFrame) -> int:
    """How many times a player turns the stored picture by 90 degrees anticlockwise to stand it upright."""
    return round(frame.rotation / 90)


def _pictures(packet: Packet[VideoStream]) -> list[VideoFrame]:
    try:
        return packet.decode()
    except av.FFmpegError:
        return []


def _read_head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise MediaError(f"{path} is a folder; name a video file in it.")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        raise MediaError(f"{path} does not exist; check the name, and that its drive is connected.") from None
    except PermissionError as error:
        raise MediaError(
            f"{path} may not be read by you; change its permissions, or copy it to a folder of yours."
        ) from error
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}); check the drive it lies on.") from error
    if not head:
        raise MediaError(f"{path} is empty (0 bytes); copy it again from the card.")
    return head


def _why_not_opened(path: Path, head: bytes, error: av.FFmpegError) -> str:
    if not isinstance(error, av.InvalidDataError):
        return f"{path} cannot be opened ({error.strerror}); see if it plays, or copy it from the card again."
    if head[4:8] == _MP4_MARK:
        return (
            f"{path} breaks off before its table of contents, as when the camera lost power or a copy was "
            "interrupted; copy it again from the card, or let the camera repair it."
        )
    return f"{path} is not a video that can be read; give the file that the camera recorded."


def _main_stream(path: Path, container: InputContainer) -> VideoStream:
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not moving:
        raise MediaError(f"{path} holds no video; give the file that the camera recorded.")
    stream = moving[0]
    if stream.codec_context is None:
        raise MediaError(f"{path} is compressed in a way that cannot be decoded here; convert it to H.264.")
    return stream
