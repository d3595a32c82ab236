"""Final Cut Pro's XML (FCPXML), written after Apple's document type definitions 1.8 to 1.13.

The first track is the primary storyline; the others are clips connected to it, in lanes. Markers hang on
the item of the primary storyline that lies under them, or on a gap. All times are exact seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lxml import etree

from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats import Export, fcpxml_read, xml
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.fcpxml_read import CONFORM_NAMES, REEL_KEY, UNKNOWN_PLACE
from mtbsync_integrations.formats.losses import listed
from mtbsync_integrations.timeline import Clip, MarkerKind, Medium, Reading, Timeline, TimelineMarker

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
    medium=frozenset({"name", "url", "start", "rate", "n_frames", "size", "has_audio", "reel"}),
)

# Frame rates of Final Cut's own timelines and formats, as it names them.
_RATES = {
    Fraction(24000, 1001): "2398",
    Fraction(24): "24",
    Fraction(25): "25",
    Fraction(30000, 1001): "2997",
    Fraction(30): "30",
    Fraction(50): "50",
    Fraction(60000, 1001): "5994",
    Fraction(60): "60",
}
_SIZES = {(1280, 720): "720p", (1920, 1080): "1080p", (3840, 2160): "3840x2160p"}
# Where Final Cut lets the local time of a gap begin, to the nearest frame.
_GAP_START_S = Fraction(3600)


def encode(timeline: Timeline, version: str = VERSION) -> Export:
    """The timeline as a project in an event of its own, in FCPXML `version` 1.8 to 1.13."""
    resources = _Resources(version)
    start, rate = timeline.start, timeline.rate
    start_s = start.frame / rate.fps
    ends = [timeline.n_frames, *(m.frame + 1 for m in timeline.markers)]
    document = etree.Element("fcpxml", version=version)
    document.append(resources.element)
    event = etree.SubElement(etree.SubElement(document, "library"), "event", name=xml.one_line(timeline.name))
    project = etree.SubElement(event, "project", name=xml.one_line(timeline.name))
    sequence = etree.SubElement(
        project,
        "sequence",
        format=resources.format(rate, timeline.width, timeline.height),
        duration=_time(max(ends) / rate.fps, rate),
        tcStart=_time(start_s, rate),
        tcFormat=_tc_format(start),
        audioLayout="stereo",
        audioRate="48k",
    )
    storyline = _Storyline(etree.SubElement(sequence, "spine"), timeline, resources, max(ends))
    for lane, track in enumerate(timeline.tracks[1:], start=1):
        for first, clip in track.clips():
            storyline.connect(lane, first, clip)
    for marker in timeline.markers:
        storyline.mark(marker)
    text = xml.written(document, doctype="<!DOCTYPE fcpxml>")
    return Export(((SUFFIX, text),), _doubts(timeline, storyline.too_fine))


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """The first project of a file or bundle that Final Cut, Resolve or another wrote; see `fcpxml_read`.

    Raises:
        MarkerError: the file is no FCPXML, holds no project, or contradicts itself.
    """
    return fcpxml_read.reading(path)


def _doubts(timeline: Timeline, too_fine: Sequence[str]) -> tuple[str, ...]:
    clips = [clip for track in timeline.tracks for _, clip in track.clips()]
    said = []
    if timeline.rate.fps not in _RATES:
        said.append(
            f"Final Cut's own timelines run at 23.98 to 60 frames a second, not at {timeline.rate}; the file "
            "says it exactly, but choose one of those should Final Cut refuse it."
        )
    speeds = [f"'{clip.name}'" for clip in clips if clip.speed != 1]
    if speeds:
        said.append(f"Nobody has yet seen Final Cut read changed speeds; check {listed(speeds)}.")
    if too_fine:
        said.append(
            f"Speeds finer than Final Cut's times can tell; set them there again: {listed(too_fine)}."
        )
    lost = dict.fromkeys(f"'{clip.medium.name}'" for clip in clips if clip.medium and not clip.medium.url)
    if lost:
        said.append(f"Final Cut will ask where these files are: {listed(list(lost))}.")
    return tuple(said)


@dataclass(frozen=True)
class _Item:
    """An item of the primary storyline: its first frame, and the local time at which it starts."""

    first: int
    local_s: Fraction
    element: etree._Element


class _Storyline:
    """The primary storyline, gaps included, and what hangs on it; it lasts `n_frames`."""

    def __init__(
        self, spine: etree._Element, timeline: Timeline, resources: _Resources, n_frames: int
    ) -> None:
        self.too_fine: list[str] = []
        self._resources = resources
        self._rate = timeline.rate
        self._items: list[_Item] = []
        start_s = timeline.start.frame / timeline.rate.fps
        items = timeline.tracks[0].items if timeline.tracks else ()
        frame = 0
        for item in items:
            offset_s = start_s + frame / self._rate.fps
            if isinstance(item, Clip):
                element, local_s = self._clip(spine, item, offset_s)
                self._items.append(_Item(frame, local_s, element))
            else:
                self._gap(spine, frame, item.n_frames, offset_s)
            frame += item.n_frames
        if frame < n_frames:
            self._gap(spine, frame, n_frames - frame, start_s + frame / self._rate.fps)

    def connect(self, lane: int, first: int, clip: Clip) -> None:
        """Hang a clip of another track on the item under its first frame."""
        host = self._under(first)
        self._clip(host.element, clip, self._local_s(host, first), lane)

    def mark(self, marker: TimelineMarker) -> None:
        """Hang a marker on the item under it."""
        host = self._under(marker.frame)
        chapter = marker.kind is MarkerKind.CHAPTER
        element = etree.SubElement(
            host.element,
            "chapter-marker" if chapter else "marker",
            start=_time(self._local_s(host, marker.frame), self._rate),
            duration=_time(1 / self._rate.fps, self._rate),
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

    def _gap(self, spine: etree._Element, first: int, n_frames: int, offset_s: Fraction) -> None:
        local_s = nearest_frame(_GAP_START_S, self._rate) / self._rate.fps
        element = etree.SubElement(
            spine,
            "gap",
            name="Gap",
            offset=_time(offset_s, self._rate),
            start=_time(local_s, self._rate),
            duration=_time(n_frames / self._rate.fps, self._rate),
        )
        self._items.append(_Item(first, local_s, element))

    def _clip(
        self, parent: etree._Element, clip: Clip, offset_s: Fraction, lane: int = 0
    ) -> tuple[etree._Element, Fraction]:
        medium, rate = clip.medium, self._rate
        if medium is None:
            raise ValueError("a clip without a medium should have become a gap")
        local_s, time_map = _time_map(clip, medium, rate)
        element = etree.SubElement(parent, "asset-clip", ref=self._resources.asset(medium))
        if lane:
            element.set("lane", str(lane))
        element.set("offset", _time(offset_s, rate))
        element.set("name", clip.name)
        element.set("start", _time(local_s, rate))
        element.set("duration", _time(clip.n_frames / rate.fps, rate))
        element.set("format", self._resources.format(medium.start.rate, medium.width, medium.height))
        element.set("tcFormat", _tc_format(medium.start))
        if medium.has_audio:
            element.set("audioRole", "dialogue")
        if time_map:
            if not all(_can_tell(time_s) for point in time_map for time_s in point):
                self.too_fine.append(f"'{clip.name}'")
            points = etree.SubElement(element, "timeMap")
            for time_s, value_s in time_map:
                etree.SubElement(
                    points, "timept", time=_time(time_s, rate), value=_time(value_s, rate), interp="linear"
                )
        elif medium.start.rate != rate:
            # Without this word Final Cut plays 23.98 at 24, and so on.
            conform = etree.SubElement(element, "conform-rate", scaleEnabled="0")
            name = self._resources.conform_name(medium.start.rate)
            if name:
                conform.set("srcFrameRate", name)
        return element, local_s


class _Resources:
    """Formats and assets, each written once."""

    def __init__(self, version: str) -> None:
        self.element = etree.Element("resources")
        self._minor = int(version.split(".")[1])
        self._formats: dict[tuple[Rate, int, int], str] = {}
        self._assets: dict[Medium, str] = {}

    def format(self, rate: Rate, width: int, height: int) -> str:
        """The id of the format, with the name that Final Cut has for it, where it has one."""
        key = (rate, width, height)
        if key not in self._formats:
            self._formats[key] = self._next_id()
            element = etree.SubElement(self.element, "format", id=self._formats[key])
            if (width, height) in _SIZES and rate.fps in _RATES:
                element.set("name", f"FFVideoFormat{_SIZES[width, height]}{_RATES[rate.fps]}")
            element.set("frameDuration", _time(1 / rate.fps, rate))
            if width and height:
                element.set("width", str(width))
                element.set("height", str(height))
        return self._formats[key]

    def asset(self, medium: Medium) -> str:
        """The id of the medium's asset."""
        if medium not in self._assets:
            self._assets[medium] = self._write_asset(medium)
        return self._assets[medium]

    def conform_name(self, rate: Rate) -> str:
        """Final Cut's name for the rate of footage that is not its timeline's; empty where it has none."""
        name = CONFORM_NAMES.get(rate.fps, "")
        # Footage above 60 frames a second came with 1.13.
        return name if rate.fps <= 60 or self._minor >= 13 else ""

    def _write_asset(self, medium: Medium) -> str:
        rate = medium.start.rate
        format_id = self.format(rate, medium.width, medium.height)
        asset_id = self._next_id()
        element = etree.SubElement(self.element, "asset", id=asset_id, name=xml.one_line(medium.name))
        source = xml.one_line(medium.url) or UNKNOWN_PLACE
        if self._minor <= 8:
            element.set("src", source)
        element.set("start", _time(medium.start.frame / rate.fps, rate))
        if medium.n_frames:
            element.set("duration", _time(medium.n_frames / rate.fps, rate))
        element.set("hasVideo", "1")
        element.set("format", format_id)
        if medium.has_audio:
            for name, value in (("hasAudio", "1"), ("audioSources", "1"), ("audioChannels", "2")):
                element.set(name, value)
        if self._minor > 8:
            etree.SubElement(element, "media-rep", kind="original-media", src=source)
        if medium.reel:
            metadata = etree.SubElement(element, "metadata")
            etree.SubElement(metadata, "md", key=REEL_KEY, value=xml.one_line(medium.reel))
        return asset_id

    def _next_id(self) -> str:
        return f"r{len(self._formats) + len(self._assets) + 1}"


def _time_map(
    clip: Clip, medium: Medium, rate: Rate
) -> tuple[Fraction, tuple[tuple[Fraction, Fraction], ...]]:
    """The local time at which a clip starts, on the timeline's frames as the cut itself is, and its map
    from local time to the medium's timecode; none at the usual speed.

    As Final Cut does it, a map reaches from the medium's first picture to its last.
    """
    begin_s = medium.start.frame / medium.start.rate.fps
    cut_s, speed, length_s = clip.source_in_s, clip.speed, clip.n_frames / rate.fps
    if speed == 1:
        return begin_s + cut_s, ()
    if speed == 0:
        held_s = begin_s + cut_s
        return held_s, ((held_s, held_s), (held_s + length_s, held_s))
    last_s = cut_s + speed * length_s
    end_s = max(medium.n_frames / medium.start.rate.fps, cut_s, last_s)
    if speed > 0:
        return begin_s + cut_s / speed, ((begin_s, begin_s), (begin_s + end_s / speed, begin_s + end_s))
    local_s = begin_s + math.floor((end_s - cut_s) / -speed * rate.fps) / rate.fps
    first_s = min(Fraction(0), last_s)
    return local_s, (
        (local_s + (end_s - cut_s) / speed, begin_s + end_s),
        (local_s + (first_s - cut_s) / speed, begin_s + first_s),
    )


def _can_tell(seconds: Fraction) -> bool:
    return abs(seconds.numerator) < 2**63 and seconds.denominator < 2**31


def _tc_format(timecode: Timecode) -> str:
    return "DF" if timecode.drop_frame else "NDF"


def _time(seconds: Fraction, rate: Rate) -> str:
    """Seconds as Final Cut writes them: whole, or counted in ticks of which a frame has 100 or 1001."""
    if seconds.denominator == 1:
        return f"{seconds}s"
    ticks = rate.fps.numerator * (100 if rate.fps.denominator == 1 else 1)
    if ticks % seconds.denominator == 0:
        return f"{seconds.numerator * (ticks // seconds.denominator)}/{ticks}s"
    return f"{seconds.numerator}/{seconds.denominator}s"
