"""Exact rates, timecode, and the one rule by which seconds become frames.

Rates are fractions and timecode is integer arithmetic (SMPTE ST 12-1 for drop-frame). Nothing here
knows about a video: a `Timecode` is only a frame count and the way to write it down.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from mtbsync_engine.errors import TimecodeError

# Bounded digits: a fraction of unbounded ones could take minutes to compute.
_RATE = re.compile(r"[0-9]{1,9}(?:/[0-9]{1,9}|\.[0-9]{1,9})?")
# Only `:` and `;` stand before frames: 00:01:02.50 and 00:01:02,500 are clock times elsewhere.
_TIMECODE = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})([:;])([0-9]{2,3})")
_MAX_FPS = 1000
# 23.97 is the coarsest name in use; the whole number is 0.024 off.
_NTSC_NAME_ERROR = Fraction(1, 100)


def _ntsc(fps: Fraction) -> Fraction:
    """The NTSC rate whose timecode counts like that of `fps`: 30000/1001 for anything above 29 up to 30."""
    return Fraction(math.ceil(fps) * 1000, 1001)


def _meant_by(decimal: Fraction) -> Fraction:
    """The exact rate behind a decimal name: 29.97 means 30000/1001, and 12.5 means itself."""
    exact = _ntsc(decimal)
    has_ntsc = math.ceil(decimal) % 24 == 0 or math.ceil(decimal) % 30 == 0
    return exact if has_ntsc and abs(decimal - exact) < _NTSC_NAME_ERROR else decimal


@dataclass(frozen=True)
class Rate:
    """Frames a second, as an exact fraction."""

    fps: Fraction

    def __post_init__(self) -> None:
        if not 0 < self.fps <= _MAX_FPS:
            raise TimecodeError(
                f"A frame rate lies above 0 and up to {_MAX_FPS} frames a second, not {self.fps}."
            )

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read `25`, `30000/1001`, or a decimal name such as `29.97`, which means its exact NTSC rate.

        Raises:
            TimecodeError: `text` is no rate.
        """
        name = text.strip()
        try:
            if _RATE.fullmatch(name) is None:
                raise ValueError
            fps = Fraction(name)
        except (ValueError, ZeroDivisionError):
            raise TimecodeError(f"'{text}' is not a frame rate; write 25, 29.97 or 30000/1001.") from None
        return cls(_meant_by(fps) if "." in name else fps)

    @property
    def nominal(self) -> int:
        """Frames that timecode counts in one of its seconds: 30 at 29.97."""
        return math.ceil(self.fps)

    @property
    def can_drop(self) -> bool:
        """Whether drop-frame timecode exists: at 29.97 and its multiples only."""
        return self.fps == _ntsc(self.fps) and self.nominal % 30 == 0

    def __str__(self) -> str:
        """The name that editors use: `29.97`, `25`, or the fraction where there is none."""
        decimal = f"{float(self.fps):.3f}".rstrip("0").rstrip(".")
        return decimal if _meant_by(Fraction(decimal)) == self.fps else str(self.fps)


def nearest_frame(t_s: float | Fraction, rate: Rate) -> int:
    """The number of the frame whose start lies nearest to `t_s` seconds; halfway goes to the later one.

    This is the only place where seconds become frames.

    Raises:
        TimecodeError: `t_s` is not a finite number.
    """
    if not math.isfinite(t_s):
        raise TimecodeError(f"A time must be a finite number of seconds, not {t_s}.")
    return math.floor(Fraction(t_s) * rate.fps + Fraction(1, 2))


def frame_start_s(frame: int, rate: Rate) -> float:
    """Seconds at which `frame` begins, counted from frame 0."""
    return float(frame / rate.fps)


@dataclass(frozen=True)
class Timecode:
    """A frame count at a rate, written drop-frame or not. It wraps after 24 hours of timecode."""

    frame: int
    rate: Rate
    drop_frame: bool = False

    def __post_init__(self) -> None:
        if self.drop_frame and not self.rate.can_drop:
            raise TimecodeError(f"Drop-frame timecode exists at 29.97 and its multiples, not at {self.rate}.")
        if self.frame < 0:
            raise TimecodeError(f"Timecode does not go below zero (frame {self.frame}).")
        object.__setattr__(self, "frame", self.frame % self.frames_per_day)

    @classmethod
    def parse(cls, text: str, rate: Rate, drop_frame: bool | None = None) -> Timecode:
        """Read `HH:MM:SS:FF`; a `;` before the frames means drop-frame.

        `drop_frame` None takes the separator's word; True or False overrides a colon, but a `;`
        contradicting False is refused.

        Raises:
            TimecodeError: not a timecode, out of range, or a number that drop-frame skips.
        """
        match = _TIMECODE.fullmatch(text.strip())
        if match is None:
            raise TimecodeError(f"'{text}' is not a timecode; write HH:MM:SS:FF, for example 01:00:00:00.")
        hours, minutes, seconds, frames = (int(match[k]) for k in (1, 2, 3, 5))
        says_drop = match[4] == ";"
        if says_drop and drop_frame is False:
            raise TimecodeError(f"'{text}' is written as drop-frame, but non-drop timecode is wanted here.")
        drops = says_drop or bool(drop_frame)
        if hours > 23 or minutes > 59 or seconds > 59 or frames >= rate.nominal:
            raise TimecodeError(f"'{text}' does not exist at {rate} frames a second.")
        counted = ((hours * 60 + minutes) * 60 + seconds) * rate.nominal + frames
        if not drops:
            return cls(counted, rate)
        zero = cls(0, rate, drop_frame=True)
        if minutes % 10 and seconds == 0 and frames < zero._dropped_a_minute:
            raise TimecodeError(f"'{text}' is one of the numbers that drop-frame timecode skips.")
        total_minutes = hours * 60 + minutes
        skipped = zero._dropped_a_minute * (total_minutes - total_minutes // 10)
        return cls(counted - skipped, rate, drop_frame=True)

    def __add__(self, frames: int) -> Timecode:
        return Timecode(self.frame + frames, self.rate, self.drop_frame)

    def __str__(self) -> str:
        nominal = self.rate.nominal
        rest, frames = divmod(self.frame + self._skipped_before(), nominal)
        rest, seconds = divmod(rest, 60)
        hours, minutes = divmod(rest, 60)
        width = max(2, len(str(nominal - 1)))
        separator = ";" if self.drop_frame else ":"
        return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{frames:0{width}}"

    @property
    def frames_per_day(self) -> int:
        """After how many frames the numbers begin again."""
        return 144 * self._frames_per_ten_minutes

    @property
    def _dropped_a_minute(self) -> int:
        return self.rate.nominal // 15 if self.drop_frame else 0

    @property
    def _frames_per_ten_minutes(self) -> int:
        return 600 * self.rate.nominal - 9 * self._dropped_a_minute

    def _skipped_before(self) -> int:
        """Numbers that drop-frame left out before this frame: none in every tenth minute."""
        dropped = self._dropped_a_minute
        if not dropped:
            return 0
        tens, rest = divmod(self.frame, self._frames_per_ten_minutes)
        frames_a_minute = 60 * self.rate.nominal - dropped
        later_minutes = max(0, rest - dropped) // frames_a_minute
        return 9 * dropped * tens + dropped * later_minutes
