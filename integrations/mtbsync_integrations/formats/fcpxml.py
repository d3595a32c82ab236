"""Final Cut Pro's XML (FCPXML), written after Apple's document type definitions 1.8 to 1.13.

The first track is the primary storyline; the others are clips connected to it, in lanes. Markers hang on
the item of the primary storyline that lies under them, or on a gap. All times are exact seconds.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lxml import etree

from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, fcpxml_read, xml
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.fcpxml_parts import Document, time_text
from mtbsync_integrations.timeline import Clip, Gap, MarkerKind, Reading, Timeline, TimelineMarker

NAME = "fcpxml"
SUFFIX = ".fcpxml"
# The newest that DaVinci Resolve 18 still reads.
VERSION = "1.10"
VERSIONS = ("1.8", "1.9", "1.10", "1.11", "1.12", "1.13")
CARRIES = Carries(
    palette={},
    name=xml.one_line,
    comment=xml.one_line,
    kinds=frozenset(MarkerKind),
    # Whoever sets a second marker on a frame in Final Cut edits the first.
    one_a_frame=True,
    default_size=(1920, 1080),
    n_tracks=None,
    clip_name=xml.one_line,
    speeds=True,
    drifts=True,
    medium=frozenset({"name", "url", "start", "rate", "n_frames", "size", "has_audio", "reel"}),
)


def encode(timeline: Timeline, version: str = VERSION) -> Export:
    """The timeline as a project in an event of its own, in FCPXML `version` 1.8 to 1.13."""
    ends = [timeline.n_frames, *(m.frame + 1 for m in timeline.markers)]
    document = Document(timeline, version, max(ends))
    storyline = _Storyline(document, timeline, max(ends))
    for lane, track in enumerate(timeline.tracks[1:], start=1):
        for first, clip in track.clips():
            storyline.connect(lane, first, clip)
    for marker in timeline.markers:
        storyline.mark(marker)
    return Export(((SUFFIX, document.text()),), document.doubts())


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """The first project of a file or bundle that Final Cut, Resolve or another wrote; see `fcpxml_read`.

    Raises:
        MarkerError: the file is no FCPXML, holds no project, or contradicts itself.
    """
    return fcpxml_read.reading(path)


@dataclass(frozen=True)
class _Item:
    """An item of the primary storyline: its first frame, and the local time at which it starts."""

    first: int
    local_s: Fraction
    element: etree._Element


class _Storyline:
    """The primary storyline, gaps included, and what hangs on it; it lasts `n_frames`."""

    def __init__(self, document: Document, timeline: Timeline, n_frames: int) -> None:
        self._document = document
        self._rate = timeline.rate
        self._items: list[_Item] = []
        start_s = timeline.start.frame / timeline.rate.fps
        items = timeline.tracks[0].items if timeline.tracks else ()
        frame = 0
        for item in items:
            self._add(frame, item, start_s)
            frame += item.n_frames
        if frame < n_frames:
            self._add(frame, Gap(n_frames - frame), start_s)

    def connect(self, lane: int, first: int, clip: Clip) -> None:
        """Hang a clip of another track on the item under its first frame."""
        host = self._under(first)
        self._document.add(host.element, clip, self._local_s(host, first), lane)

    def mark(self, marker: TimelineMarker) -> None:
        """Hang a marker on the item under it."""
        host = self._under(marker.frame)
        chapter = marker.kind is MarkerKind.CHAPTER
        element = etree.SubElement(
            host.element,
            "chapter-marker" if chapter else "marker",
            start=time_text(self._local_s(host, marker.frame), self._rate),
            duration=time_text(1 / self._rate.fps, self._rate),
            value=marker.name,
        )
        if marker.kind in (MarkerKind.TO_DO, MarkerKind.DONE):
            element.set("completed", "1" if marker.kind is MarkerKind.DONE else "0")
        if marker.comment:
            element.set("note", marker.comment)

    def _under(self, frame: int) -> _Item:
        return self._items[bisect_right(self._items, frame, key=lambda item: item.first) - 1]

    def _local_s(self, host: _Item, frame: int) -> Fraction:
        return host.local_s + (frame - host.first) / self._rate.fps

    def _add(self, first: int, item: Clip | Gap, start_s: Fraction) -> None:
        offset_s = start_s + first / self._rate.fps
        element, local_s = self._document.add(self._document.spine, item, offset_s)
        self._items.append(_Item(first, local_s, element))
