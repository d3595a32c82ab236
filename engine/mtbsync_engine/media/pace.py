"""Whether a recording's pictures follow each other evenly."""

from __future__ import annotations

import numpy as np

from mtbsync_engine.media.container import picture_times
from mtbsync_engine.model import FloatArray, Recording

# Of the pictures; as many as `probe` takes for a few that a camera dropped.
_FEW = 0.05
# Further from where it belongs than this part of a picture's time; rounding stays below.
_OFF_GRID = 0.25
# A gap as long as this many others counts as pictures that were dropped.
_USUAL = 1.5


def has_variable_rate(recording: Recording) -> bool:
    """Whether the frame rate of any chapter varies, told from the file's index without decoding.

    Pictures are numbered along the grid that their usual distance gives, so that dropped ones leave out
    numbers, and a line is laid through times over numbers. The rate is constant where at most one number in
    twenty has no picture, and at most one picture in twenty lies further from the line than a quarter of a
    picture's time. So neither a camera that drops a few pictures nor times that a container rounds count as
    variable; a phone's, that follow the light, do, and so does a rate that changes on the way. FFmpeg's
    `vfrdet` and MediaInfo compare neighbouring durations instead, to which any rounding looks variable.

    Raises:
        MediaError: a file cannot be read.
    """
    return any(_varies(picture_times(c.path, c.duration_s)[0]) for c in recording.chapters)


def _varies(times_s: FloatArray) -> bool:
    """`times_s` (N,) are about when pictures come, in any order."""
    gaps_s = np.diff(np.unique(times_s))
    if gaps_s.size < 2:
        return False
    usual_s = gaps_s[gaps_s <= _USUAL * np.median(gaps_s)].mean()
    numbers = np.concatenate([[0], np.cumsum(np.maximum(1, np.round(gaps_s / usual_s)))])
    is_thin = (numbers[-1] + 1) * (1 - _FEW) > numbers.size
    from_first_s = np.concatenate([[0.0], np.cumsum(gaps_s)])
    step_s, begin_s = np.polyfit(numbers, from_first_s, 1)
    off_s = np.abs(from_first_s - (begin_s + step_s * numbers))
    return bool(is_thin or np.mean(off_s > _OFF_GRID * step_s) > _FEW)
