"""Where moments of a recording stand on a timeline, and back: pure arithmetic, exact in fractions."""

import math
import os.path
import unicodedata
from fractions import Fraction
from typing import NamedTuple, Optional, Sequence, Tuple, Union

# The coarsest decimal name of an NTSC rate, 23.97, is 0.006 off.
_NAME_ERROR = Fraction(1, 100)


class File(NamedTuple):
    """One file of a recording: where it begins on the recording's clock, and how long it is, in seconds."""

    path: str
    offset_s: float
    duration_s: float


class Recording(NamedTuple):
    """A recording as the daemon knows it, its files in order."""

    recording_id: str
    name: str
    is_reference: bool
    files: Tuple[File, ...]


class Clip(NamedTuple):
    """A piece of a file on the timeline, played at its own speed.

    `frame` counts from the timeline's start; the clip's first frame shows the file at `source_in_s`.
    """

    path: str
    frame: int
    n_frames: int
    source_in_s: Fraction
    track: int


class Sheet(NamedTuple):
    """A timeline as far as markers care: its clips, rate and length. `start_frame` is the absolute frame that
    its first timecode stands for."""

    rate: Fraction
    drop_frame: bool
    start_frame: int
    n_frames: int
    clips: Tuple[Clip, ...]


def comparable(path: str) -> str:
    """One spelling for each file of this machine, however Resolve and the daemon write it."""
    return unicodedata.normalize("NFC", os.path.normcase(os.path.normpath(path)))


def parse_rate(text: Union[str, float]) -> Fraction:
    """The exact rate behind what Resolve shows: 29.97, "29.97", "29.97 DF" or "24.0".

    Raises:
        ValueError: it is no rate.
    """
    shown = Fraction(str(text).split()[0] if str(text).split() else "")
    if shown <= 0:
        raise ValueError("a rate is above zero")
    nominal = math.ceil(shown)
    ntsc = Fraction(nominal * 1000, 1001)
    is_ntsc = (nominal % 24 == 0 or nominal % 30 == 0) and abs(shown - ntsc) < _NAME_ERROR
    return ntsc if is_ntsc else shown


def nearest_frame(t_s: Union[float, Fraction], rate: Fraction) -> int:
    """The frame whose start lies nearest to `t_s`; halfway goes to the later one."""
    return math.floor(Fraction(t_s) * rate + Fraction(1, 2))


def timecode(frame: int, rate: Fraction, drop_frame: bool) -> str:
    """An absolute frame as `HH:MM:SS:FF`, with `;` before the frames where numbers are dropped (ST 12-1)."""
    nominal = math.ceil(rate)
    if drop_frame:
        dropped = nominal // 15
        a_minute = nominal * 60 - dropped
        tens, rest = divmod(frame, a_minute * 10 + dropped)
        frame += 9 * dropped * tens + dropped * (max(0, rest - dropped) // a_minute)
    seconds, frames = divmod(frame, nominal)
    width = max(2, len(str(nominal - 1)))
    return "{:02}:{:02}:{:02}{}{:0{}}".format(
        seconds // 3600 % 24, seconds // 60 % 60, seconds % 60, ";" if drop_frame else ":", frames, width
    )


def frame_of(t_s: float, recording: Recording, sheet: Sheet) -> Optional[int]:
    """The first frame of the timeline that shows the recording at `t_s`; None where no clip does."""
    begun = [file for file in recording.files if file.offset_s <= t_s] or list(recording.files[:1])
    if not begun:
        return None
    in_file_s = Fraction(t_s) - Fraction(begun[-1].offset_s)
    for clip in sorted(sheet.clips, key=lambda clip: (clip.frame, clip.track)):
        if comparable(clip.path) == comparable(begun[-1].path):
            into_s = in_file_s - clip.source_in_s
            frame = nearest_frame(into_s, sheet.rate)
            if into_s <= clip.n_frames / sheet.rate:
                # In the second half of the last frame, the nearest start is one the clip no longer has.
                frame = min(frame, clip.n_frames - 1)
            if 0 <= frame < clip.n_frames:
                return clip.frame + frame
    return None


def moment_at(frame: int, recordings: Sequence[Recording], sheet: Sheet) -> Optional[Tuple[Recording, float]]:
    """The recording that the timeline shows at `frame`, and its time there in seconds; the topmost clip of
    any of `recordings` counts. None where there is none."""
    owners = {comparable(file.path): (r, file) for r in recordings for file in r.files}
    shown = [clip for clip in sheet.clips if 0 <= frame - clip.frame < clip.n_frames]
    covering = [clip for clip in shown if comparable(clip.path) in owners]
    if not covering:
        return None
    clip = max(covering, key=lambda clip: clip.track)
    recording, file = owners[comparable(clip.path)]
    t_s = Fraction(file.offset_s) + clip.source_in_s + (frame - clip.frame) / sheet.rate
    return recording, float(t_s)
