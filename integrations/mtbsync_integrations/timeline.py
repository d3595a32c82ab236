"""The one model that every format is read into and written from.

Everything is counted in whole frames of the timeline at its exact rate; media are cut at exact fractions
of a second. So nothing here can drift, and two timelines are the same when they compare equal.
`otio_timeline` turns it into an OpenTimelineIO timeline and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from mtbsync_engine.timing import Rate, Timecode

if TYPE_CHECKING:
    from mtbsync_engine.model import TransferredMarker


class MarkerKind(StrEnum):
    """What an editor keeps a marker for."""

    STANDARD = "standard"
    CHAPTER = "chapter"
    TO_DO = "to-do"
    DONE = "done"


@dataclass(frozen=True)
class TimelineMarker:
    """A marker that covers `n_frames` frames from `frame` on; one frame is a point.

    `frame` counts from the first frame of what the marker stands on: the timeline, or a clip as it is cut.
    `transferred` is what mtbsync knows of a marker that it carried over, the exact time included.
    """

    frame: int
    n_frames: int = 1
    name: str = ""
    colour: str = ""
    comment: str = ""
    marker_id: str = ""
    kind: MarkerKind = MarkerKind.STANDARD
    transferred: TransferredMarker | None = None


@dataclass(frozen=True)
class Medium:
    """A media file as editors know it.

    `url` is a file URL (see `media_urls`), empty where nobody knows it. `start` is the timecode of the first
    frame at the medium's own rate, `n_frames` its length at that rate, `width` and `height` are 0 where
    unknown. `reel` is the tape name that edit lists know it by.
    """

    name: str
    url: str
    start: Timecode
    n_frames: int
    width: int = 0
    height: int = 0
    has_audio: bool = False
    reel: str = ""


@dataclass(frozen=True)
class Clip:
    """A piece of a medium, `n_frames` of the timeline long.

    Its first frame shows the medium `source_in_s` seconds after the medium's own first frame. `speed` is
    seconds of the medium for each second of the timeline: 2 is twice as fast, 0 holds one frame, and below
    0 it runs backwards. Without a medium it is something that only its editor can make: a title, a colour.
    """

    name: str
    n_frames: int
    medium: Medium | None
    source_in_s: Fraction = Fraction(0)
    speed: Fraction = Fraction(1)
    markers: tuple[TimelineMarker, ...] = ()


@dataclass(frozen=True)
class Gap:
    """Nothing, `n_frames` long."""

    n_frames: int


@dataclass(frozen=True)
class Track:
    """Clips and gaps that follow each other from the timeline's first frame on. A clip brings its sound."""

    name: str
    items: tuple[Clip | Gap, ...]

    @property
    def n_frames(self) -> int:
        """Frames from the timeline's start to the end of the last item."""
        return sum(item.n_frames for item in self.items)

    def clips(self) -> tuple[tuple[int, Clip], ...]:
        """The clips, each with the timeline's frame at which it starts."""
        found, frame = [], 0
        for item in self.items:
            if isinstance(item, Clip):
                found.append((frame, item))
            frame += item.n_frames
        return tuple(found)


@dataclass(frozen=True)
class Timeline:
    """An edit: tracks from the bottom up, and markers in order of their frames.

    `start` is the timecode of its first frame, and with it the rate and whether it counts drop-frame.
    `unplaced` are markers that have no place on it; their `reason` says why. `width` and `height` are 0
    where unknown.
    """

    name: str
    start: Timecode
    tracks: tuple[Track, ...] = ()
    markers: tuple[TimelineMarker, ...] = ()
    unplaced: tuple[TransferredMarker, ...] = ()
    width: int = 0
    height: int = 0

    @property
    def rate(self) -> Rate:
        """The timeline's frames a second."""
        return self.start.rate

    @property
    def n_frames(self) -> int:
        """Frames up to the end of the longest track; without a clip, up to the last marker's end."""
        ends = [track.n_frames for track in self.tracks]
        return max(ends) if any(ends) else max((m.frame + m.n_frames for m in self.markers), default=0)


@dataclass(frozen=True)
class Reading:
    """What a file says, and sentences on what in it could not be kept."""

    timeline: Timeline
    losses: tuple[str, ...] = ()
