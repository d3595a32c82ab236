"""Which session is meant, and where its cameras' clips go on a timeline of Resolve's: pure arithmetic."""

import math
from fractions import Fraction
from typing import Any, Dict, List, NamedTuple, Sequence


class Laid(NamedTuple):
    """A clip as Resolve takes it: its file from `source_frame` up to `source_end`, at the file's own rate,
    from `frame` of the timeline on, counted from its start. It should last `n_frames` there."""

    path: str
    frame: int
    n_frames: int
    source_frame: int
    source_end: int


def lined_up(sessions: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The sessions that can be built, those first that nobody has to look at any more."""
    found = [session for session in sessions if session["lined_up_at"] is not None]
    return sorted(found, key=lambda session: bool(session["status"] != "ready"))


def laid(clip: Dict[str, Any], rate: Fraction, own_rate: Fraction) -> Laid:
    """A clip that the daemon tells of, on a timeline of `rate`, its file at `own_rate`."""
    first, n_frames = int(clip["source_frame"]), int(clip["n_frames"])
    # Where rates differ it may end a part of a frame early, but never reaches into the next one.
    span = max(1, math.floor(n_frames * own_rate / rate))
    return Laid(clip["path"], int(clip["frame"]), n_frames, first, first + span)


def rate_name(rate: Fraction) -> str:
    """A rate as Resolve's settings name it: 25, 29.97, 23.976."""
    return f"{float(rate):.3f}".rstrip("0").rstrip(".")
