"""What FCPXML documents are made of: resources, clips with their time maps, gaps, and a project around them.

All times are exact seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from lxml import etree

from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats import xml
from mtbsync_integrations.formats.fcpxml_read import CONFORM_NAMES, REEL_KEY, UNKNOWN_PLACE
from mtbsync_integrations.formats.losses import listed
from mtbsync_integrations.timeline import Clip, Gap, Medium, Timeline

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


class Document:
    """A file with one project, named after `timeline`, in an event of its own; its sequence lasts `n_frames`.

    `resources` and `spine` are open to whatever is put there.
    """

    def __init__(self, timeline: Timeline, version: str, n_frames: int) -> None:
        self.resources = Resources(version)
        self._timeline = timeline
        self._rate = rate = timeline.rate
        self._too_fine: list[str] = []
        self._root = etree.Element("fcpxml", version=version)
        self._root.append(self.resources.element)
        name = xml.one_line(timeline.name)
        event = etree.SubElement(etree.SubElement(self._root, "library"), "event", name=name)
        sequence = etree.SubElement(
            etree.SubElement(event, "project", name=name),
            "sequence",
            format=self.resources.format(rate, timeline.width, timeline.height),
            duration=time_text(n_frames / rate.fps, rate),
            tcStart=time_text(timeline.start.frame / rate.fps, rate),
            tcFormat=tc_format(timeline.start),
            audioLayout="stereo",
            audioRate="48k",
        )
        self.spine = etree.SubElement(sequence, "spine")

    def add(
        self, parent: etree._Element, item: Clip | Gap, offset_s: Fraction, lane: int = 0
    ) -> tuple[etree._Element, Fraction]:
        """A clip or a gap at `offset_s` of its storyline; gives the local time at which it starts too."""
        return (
            self._clip(parent, item, offset_s, lane)
            if isinstance(item, Clip)
            else self._gap(parent, item.n_frames, offset_s)
        )

    def text(self) -> str:
        """The document."""
        return xml.written(self._root, doctype="<!DOCTYPE fcpxml>")

    def doubts(self) -> tuple[str, ...]:
        """Sentences on what of it nobody has seen Final Cut read, and what it will ask for."""
        return _doubts(self._timeline, self._too_fine)

    def _gap(
        self, parent: etree._Element, n_frames: int, offset_s: Fraction
    ) -> tuple[etree._Element, Fraction]:
        local_s = nearest_frame(_GAP_START_S, self._rate) / self._rate.fps
        element = etree.SubElement(
            parent,
            "gap",
            name="Gap",
            offset=time_text(offset_s, self._rate),
            start=time_text(local_s, self._rate),
            duration=time_text(n_frames / self._rate.fps, self._rate),
        )
        return element, local_s

    def _clip(
        self, parent: etree._Element, clip: Clip, offset_s: Fraction, lane: int
    ) -> tuple[etree._Element, Fraction]:
        medium, rate = clip.medium, self._rate
        if medium is None:
            raise ValueError("a clip without a medium should have become a gap")
        local_s, time_map = _time_map(clip, medium, rate)
        element = etree.SubElement(parent, "asset-clip", ref=self.resources.asset(medium))
        if lane:
            element.set("lane", str(lane))
        element.set("offset", time_text(offset_s, rate))
        element.set("name", clip.name)
        element.set("start", time_text(local_s, rate))
        element.set("duration", time_text(clip.n_frames / rate.fps, rate))
        element.set("format", self.resources.format(medium.start.rate, medium.width, medium.height))
        element.set("tcFormat", tc_format(medium.start))
        if medium.has_audio:
            element.set("audioRole", "dialogue")
        if time_map:
            if not all(_can_tell(time_s) for point in time_map for time_s in point):
                self._too_fine.append(f"'{clip.name}'")
            points = etree.SubElement(element, "timeMap")
            for time_s, value_s in time_map:
                etree.SubElement(
                    points,
                    "timept",
                    time=time_text(time_s, rate),
                    value=time_text(value_s, rate),
                    interp="linear",
                )
        elif medium.start.rate != rate:
            # Without this word Final Cut plays 23.98 at 24, and so on.
            conform = etree.SubElement(element, "conform-rate", scaleEnabled="0")
            name = self.resources.conform_name(medium.start.rate)
            if name:
                conform.set("srcFrameRate", name)
        return element, local_s


class Resources:
    """Formats and assets, each written once."""

    def __init__(self, version: str) -> None:
        self.element = etree.Element("resources")
        self._minor = int(version.split(".")[1])
        self._formats: dict[tuple[Rate, int, int], str] = {}
        self._assets: dict[Medium, str] = {}
        self._n_media = 0

    def format(self, rate: Rate, width: int, height: int) -> str:
        """The id of the format, with the name that Final Cut has for it, where it has one."""
        key = (rate, width, height)
        if key not in self._formats:
            self._formats[key] = self._next_id()
            element = etree.SubElement(self.element, "format", id=self._formats[key])
            if (width, height) in _SIZES and rate.fps in _RATES:
                element.set("name", f"FFVideoFormat{_SIZES[width, height]}{_RATES[rate.fps]}")
            element.set("frameDuration", time_text(1 / rate.fps, rate))
            if width and height:
                element.set("width", str(width))
                element.set("height", str(height))
        return self._formats[key]

    def asset(self, medium: Medium) -> str:
        """The id of the medium's asset."""
        if medium not in self._assets:
            self._assets[medium] = self._write_asset(medium)
        return self._assets[medium]

    def add_media(self, name: str) -> tuple[str, etree._Element]:
        """The id of a new compound or multicam clip, and the element for what is in it."""
        media_id = self._next_id()
        self._n_media += 1
        return media_id, etree.SubElement(self.element, "media", id=media_id, name=name)

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
        element.set("start", time_text(medium.start.frame / rate.fps, rate))
        if medium.n_frames:
            element.set("duration", time_text(medium.n_frames / rate.fps, rate))
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
        return f"r{len(self._formats) + len(self._assets) + self._n_media + 1}"


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


def _time_map(
    clip: Clip, medium: Medium, rate: Rate
) -> tuple[Fraction, tuple[tuple[Fraction, Fraction], ...]]:
    """The local time at which a clip starts, on the timeline's frames as the cut itself is, and its map
    from local time to the medium's timecode; none at the usual speed.

    As Final Cut does it, a map reaches from the medium's first picture to its last; where the clip goes on
    after that, as far again.
    """
    begin_s = medium.start.frame / medium.start.rate.fps
    cut_s, speed, length_s = clip.source_in_s, clip.speed, clip.n_frames / rate.fps
    if speed == 1:
        return begin_s + cut_s, ()
    if speed == 0:
        held_s = begin_s + cut_s
        return held_s, ((held_s, held_s), (held_s + length_s, held_s))
    last_s = cut_s + speed * length_s
    medium_s = medium.n_frames / medium.start.rate.fps
    end_s = max(medium_s, cut_s, last_s)
    if speed > 0:
        if medium_s:
            # Beyond, the line goes straight on; times its length are those that Final Cut can tell.
            end_s = medium_s * math.ceil(end_s / medium_s)
        return begin_s + cut_s / speed, ((begin_s, begin_s), (begin_s + end_s / speed, begin_s + end_s))
    local_s = begin_s + math.floor((end_s - cut_s) / -speed * rate.fps) / rate.fps
    first_s = min(Fraction(0), last_s)
    return local_s, (
        (local_s + (end_s - cut_s) / speed, begin_s + end_s),
        (local_s + (first_s - cut_s) / speed, begin_s + first_s),
    )


def _can_tell(seconds: Fraction) -> bool:
    return abs(seconds.numerator) < 2**63 and seconds.denominator < 2**31


def tc_format(timecode: Timecode) -> str:
    """How a timecode counts, in Final Cut's words."""
    return "DF" if timecode.drop_frame else "NDF"


def time_text(seconds: Fraction, rate: Rate) -> str:
    """Seconds as Final Cut writes them: whole, or counted in ticks of which a frame has 100 or 1001."""
    if seconds.denominator == 1:
        return f"{seconds}s"
    ticks = rate.fps.numerator * (100 if rate.fps.denominator == 1 else 1)
    if ticks % seconds.denominator == 0:
        return f"{seconds.numerator * (ticks // seconds.denominator)}/{ticks}s"
    return f"{seconds.numerator}/{seconds.denominator}s"
