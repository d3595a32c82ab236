"""FCPXML as Final Cut, Resolve and others write it, flattened to tracks and markers.

Each item has a local time, which begins at its `start`. Its anchored items and its markers stand in that
time, its contained items in that time before any change of speed. So every item is visited with the clock
of the storyline that it lies in and the window through which compound clips around it let it be seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from lxml import etree

from mtbsync_engine.errors import MarkerError, TimecodeError
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats import xml
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.losses import listed, quoted
from mtbsync_integrations.formats.tracks import Piece, laid_out
from mtbsync_integrations.media_urls import normal_url
from mtbsync_integrations.timeline import Clip, MarkerKind, Medium, Reading, Timeline, TimelineMarker

# What stands for a place that nobody knows, as a medium must have one.
UNKNOWN_PLACE = "file:///"
REEL_KEY = "com.apple.proapps.studio.reel"
# The rates of footage, as `conform-rate` names them.
CONFORM_NAMES = {
    Fraction(24000, 1001): "23.98",
    Fraction(24): "24",
    Fraction(25): "25",
    Fraction(30000, 1001): "29.97",
    Fraction(30): "30",
    Fraction(48000, 1001): "47.95",
    Fraction(48): "48",
    Fraction(50): "50",
    Fraction(60000, 1001): "59.94",
    Fraction(60): "60",
    Fraction(90): "90",
    Fraction(100): "100",
    Fraction(120000, 1001): "119.88",
    Fraction(120): "120",
}
_CONFORM_RATES = {name: Rate(fps) for fps, name in CONFORM_NAMES.items()}

_STORY = ("asset-clip", "clip", "sync-clip", "ref-clip", "mc-clip", "video", "audio", "title", "caption")
_ITEMS = (*_STORY, "gap", "live-drawing", "audition", "spine")
_CONTAINERS = ("clip", "sync-clip")
_COMPOUNDS = ("ref-clip", "mc-clip")
_MARKERS = ("marker", "chapter-marker")
# The digits are bounded: FCPXML's own are 64 bits over 32.
_TIME = re.compile(r"(-?[0-9]{1,20}(?:\.[0-9]{1,12})?)(?:/([0-9]{1,12}))?s?")
_FOREVER_S = Fraction(10**9)
# Where the local time of a transition begins.
_TRANSITION_START_S = Fraction(3600)
_UNKNOWN = "Left out, as the file does not describe their media"
_MAX_DEPTH = 60
_MAX_ITEMS = 50_000


@dataclass(frozen=True)
class _Clock:
    """A storyline's own time: `zero_s` on it is `at_s` on the timeline, and each of its seconds takes
    `scale` of the timeline's. `rate` is that of the sequence it belongs to."""

    at_s: Fraction
    zero_s: Fraction
    scale: Fraction
    rate: Rate

    def timeline_s(self, t_s: Fraction) -> Fraction:
        return self.at_s + (t_s - self.zero_s) * self.scale


@dataclass(frozen=True)
class _Window:
    """The part of the timeline in which something lies; `end_s` is exclusive. What is disabled has its
    markers there, but shows no picture."""

    begin_s: Fraction
    end_s: Fraction
    is_disabled: bool = False

    def within(self, begin_s: Fraction, end_s: Fraction) -> _Window:
        return replace(self, begin_s=max(self.begin_s, begin_s), end_s=min(self.end_s, end_s))

    @property
    def has_picture(self) -> bool:
        return self.begin_s < self.end_s and not self.is_disabled

    def shows(self, t_s: Fraction) -> bool:
        return self.begin_s <= t_s < self.end_s


def reading(path: Path) -> Reading:
    """The first project of a file, or of a bundle as Final Cut writes them.

    Raises:
        MarkerError: it is no FCPXML, holds no project, or contradicts itself.
    """
    inside = path / "Info.fcpxml"
    root = xml.parse(inside if inside.is_file() else path, "fcpxml")
    sequences = [s for s in root.iter("sequence") if _is_project(s)] or list(root.iter("sequence"))
    if not sequences:
        raise MarkerError(f"{path} holds no project; select the project in Final Cut, then export its XML.")
    reader = _Reader(path, root)
    try:
        timeline = reader.timeline(sequences[0])
    except TimecodeError as error:
        raise MarkerError(f"{path}: {error}") from error
    others = [quoted(_title(sequence), "") for sequence in sequences[1:] if _is_project(sequence)]
    losses = reader.losses()
    if others:
        losses = (f"Other projects in the file left out: {listed(others)}.", *losses)
    return Reading(with_stable_ids(timeline), losses)


def _is_project(sequence: etree._Element) -> bool:
    parent = sequence.getparent()
    return parent is not None and parent.tag == "project"


def _title(sequence: etree._Element) -> str:
    parent = sequence.getparent()
    return parent.get("name", "") if parent is not None else ""


class _Reader:
    """One file's resources, and what has been found while its items are visited."""

    def __init__(self, path: Path, root: etree._Element) -> None:
        self._path = path
        self._resources = {
            element.get("id", ""): element
            for resources in root.iterchildren("resources")
            for element in resources
        }
        self._media: dict[tuple[str, bool], Medium] = {}
        self._rate = Rate(Fraction(1))
        self._pieces: list[Piece] = []
        self._markers: list[TimelineMarker] = []
        self._left_out: dict[str, list[str]] = {}
        self._n_items = 0

    def timeline(self, sequence: etree._Element) -> Timeline:
        """The sequence's tracks and markers."""
        resource = self._resource(sequence.get("format", ""), "format")
        rate = self._format_rate(resource)
        if rate is None:
            raise self._wrong(sequence, "does not tell its frame rate; export the project's XML again")
        self._rate = rate
        tc_start_s = self._time(sequence, "tcStart", Fraction(0))
        drop_frame = sequence.get("tcFormat") == "DF" and rate.can_drop
        if tc_start_s < 0:
            raise self._wrong(sequence, "starts before 00:00:00:00; export the project's XML again")
        start = Timecode(nearest_frame(tc_start_s, rate), rate, drop_frame)
        clock = _Clock(Fraction(0), tc_start_s, Fraction(1), rate)
        for spine in sequence.iterchildren("spine"):
            self._storyline(spine, clock, _Window(Fraction(0), _FOREVER_S), 0, 0)
        return Timeline(
            name=_title(sequence),
            start=start,
            tracks=laid_out(self._pieces),
            markers=tuple(sorted(self._markers, key=lambda marker: marker.frame)),
            width=_size(resource, "width"),
            height=_size(resource, "height"),
        )

    def losses(self) -> tuple[str, ...]:
        """Sentences on what could not be kept."""
        return tuple(f"{kind}: {listed(things)}." for kind, things in self._left_out.items())

    # --- story elements ---------------------------------------------------------------------------

    def _storyline(
        self, storyline: etree._Element, clock: _Clock, window: _Window, lane: int, depth: int
    ) -> None:
        """Items one after the other; transitions lie over them."""
        end_s = clock.zero_s
        for item in storyline:
            begin_s = self._time(item, "offset", end_s)
            if item.tag == "transition":
                self._transition(item, clock.timeline_s(begin_s), clock, window)
            elif item.tag in _ITEMS:
                length_s = self._item(item, clock.timeline_s(begin_s), clock, window, lane, depth)
                end_s = begin_s + length_s

    def _transition(self, item: etree._Element, at_s: Fraction, clock: _Clock, window: _Window) -> None:
        self._leave_out("Transitions left out", _name(item))
        seen = window.within(at_s, at_s + self._time(item, "duration", Fraction(0)) * clock.scale)
        self._take_markers(item, _Clock(at_s, _TRANSITION_START_S, clock.scale, clock.rate), seen)

    def _item(
        self, item: etree._Element, at_s: Fraction, clock: _Clock, window: _Window, lane: int, depth: int
    ) -> Fraction:
        """Visit an item that begins at `at_s` of the timeline; its length on its storyline's clock."""
        self._n_items += 1
        if depth > _MAX_DEPTH or self._n_items > _MAX_ITEMS:
            raise self._wrong(item, "is nested deeper than any edit; export the project's XML again")
        if item.tag == "spine":
            inner = _Clock(at_s, Fraction(0), clock.scale, clock.rate)
            self._storyline(item, inner, window, lane, depth + 1)
            return Fraction(0)
        if item.tag == "audition":
            return self._audition(item, at_s, clock, window, lane, depth)
        start_s = self._time(item, "start", self._default_start_s(item))
        length_s = self._time(item, "duration", self._asset_length_s(item))
        conform = self._conform(item, clock.rate)
        local = _Clock(at_s, start_s, clock.scale * conform, clock.rate)
        seen = window.within(at_s, at_s + length_s * clock.scale)
        if item.get("enabled") == "0" and item.tag != "gap":
            self._leave_out("Disabled clips left out", _name(item))
            seen = replace(seen, is_disabled=True)
        self._take_markers(item, local, seen)
        time_map = self._time_map(item)
        speed = time_map.speed(start_s, start_s + length_s / conform)
        contained = None
        if speed > 0:
            contained = _Clock(at_s, time_map.value(start_s), local.scale / speed, clock.rate)
        elif item.tag in (*_CONTAINERS, *_COMPOUNDS):
            self._leave_out("Left out, as the clips in it play backwards or stand still", _name(item))
        self._children(item, clock, local, contained, (window, seen), lane, depth)
        self._content(item, local, time_map, contained, seen, lane, depth)
        return length_s

    def _audition(
        self, item: etree._Element, at_s: Fraction, clock: _Clock, window: _Window, lane: int, depth: int
    ) -> Fraction:
        """The first choice is the one that is used."""
        choices = list(item.iterchildren(*_ITEMS))
        if not choices:
            return Fraction(0)
        for choice in choices[1:]:
            self._leave_out("Other choices of auditions left out", _name(choice))
            self._leave_out_markers(choice)
        return self._item(choices[0], at_s, clock, window, lane, depth + 1)

    def _children(
        self,
        item: etree._Element,
        clock: _Clock,
        local: _Clock,
        contained: _Clock | None,
        windows: tuple[_Window, _Window],
        lane: int,
        depth: int,
    ) -> None:
        """Anchored items, which run on their storyline's clock, and contained ones, which have lane 0."""
        around, seen = windows
        for child in item.iterchildren(*_ITEMS):
            offset_s = self._time(child, "offset", Fraction(0))
            child_lane = self._lane(child)
            if child_lane or item.tag not in _CONTAINERS:
                self._item(child, local.timeline_s(offset_s), clock, around, lane + child_lane, depth + 1)
            elif contained:
                self._item(child, contained.timeline_s(offset_s), contained, seen, lane, depth + 1)
            else:
                self._leave_out_markers(child)

    def _content(
        self,
        item: etree._Element,
        local: _Clock,
        time_map: _TimeMap,
        contained: _Clock | None,
        seen: _Window,
        lane: int,
        depth: int,
    ) -> None:
        """What an item itself shows: its asset, or the storyline of the compound clip that it refers to."""
        if item.tag == "audio" or item.get("srcEnable") == "audio" or self._is_sound(item):
            self._leave_out("Sound without a picture left out", _name(item))
        elif item.tag == "caption":
            self._leave_out("Captions left out", _name(item))
        else:
            if seen.has_picture:
                self._leave_out_effects(item)
            if item.tag in _COMPOUNDS:
                self._compound(item, contained, seen, lane, depth)
            elif item.tag in ("asset-clip", "video", "title", "live-drawing") and seen.has_picture:
                self._show(item, local, time_map, seen, lane)

    def _is_sound(self, item: etree._Element) -> bool:
        asset = self._asset(item)
        return asset is not None and asset.get("hasVideo") != "1" and asset.get("hasAudio") == "1"

    def _compound(
        self, item: etree._Element, contained: _Clock | None, seen: _Window, lane: int, depth: int
    ) -> None:
        inner = self._referred(item)
        if inner is None:
            self._leave_out(_UNKNOWN, _name(item))
            return
        resource, storyline = inner
        if contained is None:
            self._leave_out_markers(storyline)
            return
        rate = self._format_rate(self._resource(resource.get("format", ""), "format")) or self._rate
        clock = _Clock(contained.at_s, contained.zero_s, contained.scale, rate)
        self._storyline(storyline, clock, seen, lane, depth + 1)

    def _show(
        self, item: etree._Element, local: _Clock, time_map: _TimeMap, seen: _Window, lane: int
    ) -> None:
        first, end = nearest_frame(seen.begin_s, self._rate), nearest_frame(seen.end_s, self._rate)
        if end <= first:
            return
        name, asset = _name(item), self._asset(item)
        if asset is None:
            if self._is_made_here(item):
                self._pieces.append(Piece(lane, first, Clip(name, end - first, None)))
            else:
                self._leave_out(_UNKNOWN, name)
            return
        if time_map.is_ramp:
            self._leave_out("Changing speed made even", name)
        # The item's own time at both edges of what is seen, then the medium's.
        begin_s = local.zero_s + (seen.begin_s - local.at_s) / local.scale
        end_s = local.zero_s + (seen.end_s - local.at_s) / local.scale
        cut_s = time_map.value(begin_s) - self._time(asset, "start", Fraction(0))
        if cut_s < 0:
            self._leave_out("Begin before their medium, so moved to its first picture", name)
        clip = Clip(
            name=name,
            n_frames=end - first,
            medium=self._medium(asset, item.get("tcFormat") == "DF"),
            source_in_s=max(Fraction(0), cut_s),
            speed=time_map.speed(begin_s, end_s) / local.scale,
        )
        self._pieces.append(Piece(lane, first, clip))

    def _take_markers(self, item: etree._Element, local: _Clock, seen: _Window) -> None:
        for element in item.iterchildren(*_MARKERS):
            t_s = local.timeline_s(self._time(element, "start", local.zero_s))
            name = element.get("value", "")
            if not seen.shows(t_s):
                self._leave_out("Outside the visible part of their clips, left out", name)
                continue
            kind = MarkerKind.CHAPTER if element.tag == "chapter-marker" else MarkerKind.STANDARD
            completed = element.get("completed")
            if completed is not None:
                kind = MarkerKind.DONE if completed == "1" else MarkerKind.TO_DO
            frame = nearest_frame(t_s, self._rate)
            self._markers.append(TimelineMarker(frame, name=name, comment=element.get("note", ""), kind=kind))
        for element in item.iterchildren("keyword", "rating"):
            self._leave_out("Keywords and ratings left out", element.get("value", ""), once=True)

    def _referred(self, item: etree._Element) -> tuple[etree._Element, etree._Element] | None:
        """A compound clip's sequence and its storyline, or a multicam clip and the angle that is seen."""
        media = self._resource(item.get("ref", ""), "media")
        if media is None:
            return None
        for sequence in media.iterchildren("sequence"):
            for spine in sequence.iterchildren("spine"):
                return sequence, spine
        for multicam in media.iterchildren("multicam"):
            angles = {angle.get("angleID"): angle for angle in multicam.iterchildren("mc-angle")}
            wanted = [
                source.get("angleID")
                for source in item.iterchildren("mc-source")
                if source.get("srcEnable", "all") in ("all", "video")
            ]
            for angle_id in [*wanted, *angles]:
                if angle_id in angles:
                    return multicam, angles[angle_id]
        return None

    # --- times and rates --------------------------------------------------------------------------

    def _time(self, element: etree._Element, name: str, default: Fraction) -> Fraction:
        text = element.get(name)
        return default if text is None else self._parsed(element, name, text)

    def _parsed(self, element: etree._Element, name: str, text: str) -> Fraction:
        match = _TIME.fullmatch(text.strip())
        denominator = int(match[2] or 1) if match else 0
        if match is None or denominator == 0:
            raise self._wrong(element, f"has no time in {name} but '{text[:40]}'; export the XML again")
        seconds = Fraction(match[1]) / denominator
        if abs(seconds) >= _FOREVER_S:
            raise self._wrong(element, f"has {name} {text[:40]}, beyond any timeline; export the XML again")
        return seconds

    def _lane(self, element: etree._Element) -> int:
        text = element.get("lane", "0")
        if not re.fullmatch(r"-?[0-9]{1,6}", text):
            raise self._wrong(element, f"has lane '{text[:40]}', which is no number; export the XML again")
        return int(text)

    def _default_start_s(self, item: etree._Element) -> Fraction:
        """Local time begins at zero unless said otherwise; a compound clip's at its timecode."""
        inner = self._referred(item) if item.tag in ("ref-clip", "mc-clip") else None
        return Fraction(0) if inner is None else self._time(inner[0], "tcStart", Fraction(0))

    def _asset_length_s(self, item: etree._Element) -> Fraction:
        asset = self._resource(item.get("ref", ""), "asset")
        return Fraction(0) if asset is None else self._time(asset, "duration", Fraction(0))

    def _time_map(self, item: etree._Element) -> _TimeMap:
        points = [
            (self._time(p, "time", Fraction(0)), self._time(p, "value", Fraction(0)))
            for time_map in item.iterchildren("timeMap")
            for p in time_map.iterchildren("timept")
        ]
        return _TimeMap(tuple(sorted(dict(points).items())))

    def _conform(self, item: etree._Element, rate: Rate) -> Fraction:
        """Seconds of the storyline for each of an item's own, where Final Cut fits footage to its rate."""
        for element in item.iterchildren("conform-rate"):
            source = _CONFORM_RATES.get(element.get("srcFrameRate", ""))
            if element.get("scaleEnabled", "1") != "0" and source is not None:
                return source.fps / _conformed_fps(source, rate)
        return Fraction(1)

    def _format_rate(self, resource: etree._Element | None) -> Rate | None:
        if resource is None:
            return None
        frame_s = self._time(resource, "frameDuration", Fraction(0))
        if frame_s > 0:
            return Rate(1 / frame_s)
        named = re.search(r"p(2398|24|25|2997|30|50|5994|60)$", resource.get("name", ""))
        if named is None:
            return None
        digits = named[1]
        return Rate.parse(digits if len(digits) == 2 else f"{digits[:2]}.{digits[2:]}")

    # --- resources --------------------------------------------------------------------------------

    def _resource(self, resource_id: str, tag: str) -> etree._Element | None:
        element = self._resources.get(resource_id)
        return element if element is not None and element.tag == tag else None

    def _asset(self, item: etree._Element) -> etree._Element | None:
        return self._resource(item.get("ref", ""), "asset") if item.tag in ("asset-clip", "video") else None

    def _is_made_here(self, item: etree._Element) -> bool:
        """Whether it is a title, a drawing or a generator, which only Final Cut can make."""
        is_generator = self._resource(item.get("ref", ""), "effect") is not None
        return item.tag in ("title", "live-drawing") or (item.tag == "video" and is_generator)

    def _medium(self, asset: etree._Element, drop_frame: bool) -> Medium:
        key = (asset.get("id", ""), drop_frame)
        if key not in self._media:
            resource = self._resource(asset.get("format", ""), "format")
            rate = self._format_rate(resource) or self._rate
            start_s = self._time(asset, "start", Fraction(0))
            self._media[key] = Medium(
                name=asset.get("name", ""),
                url=_place(asset),
                start=Timecode(max(0, nearest_frame(start_s, rate)), rate, drop_frame and rate.can_drop),
                n_frames=max(0, nearest_frame(self._time(asset, "duration", Fraction(0)), rate)),
                width=_size(resource, "width"),
                height=_size(resource, "height"),
                has_audio=asset.get("hasAudio") == "1",
                reel=next((m.get("value", "") for m in asset.iter("md") if m.get("key") == REEL_KEY), ""),
            )
        return self._media[key]

    # --- sentences --------------------------------------------------------------------------------

    def _leave_out_markers(self, item: etree._Element) -> None:
        for marker in item.iter(*_MARKERS):
            self._leave_out("Markers of clips that are left out", marker.get("value", ""))

    def _leave_out_effects(self, item: etree._Element) -> None:
        for element in item.iterchildren(tag=etree.Element):
            is_set = element.get("enabled") != "0" and element.get("autoOrManual") != "automatic"
            if is_set and element.tag.startswith(("filter-", "adjust-")):
                name = element.get("name") or element.tag.partition("-")[2]
                self._leave_out("Effects and adjustments left out", name, once=True)

    def _leave_out(self, kind: str, name: str, *, once: bool = False) -> None:
        things = self._left_out.setdefault(kind, [])
        if not (once and quoted(name, "") in things):
            things.append(quoted(name, ""))

    def _wrong(self, element: etree._Element, what: str) -> MarkerError:
        return MarkerError(f"{self._path}, line {element.sourceline}: this {element.tag} {what}.")


@dataclass(frozen=True)
class _TimeMap:
    """From an item's own time to that of its content, straight between its points and beyond them."""

    points: Sequence[tuple[Fraction, Fraction]]

    @property
    def is_ramp(self) -> bool:
        """Whether the speed changes on the way."""
        return len({speed for _, _, speed in self._pieces()}) > 1

    def value(self, t_s: Fraction) -> Fraction:
        """The content's time at `t_s`."""
        value_s = t_s
        for k, (time_s, begin_s, speed) in enumerate(self._pieces()):
            if k == 0 or t_s >= time_s:
                value_s = begin_s + (t_s - time_s) * speed
        return value_s

    def speed(self, begin_s: Fraction, end_s: Fraction) -> Fraction:
        """Seconds of content for each second of the item, on average."""
        if end_s <= begin_s:
            return Fraction(1)
        return (self.value(end_s) - self.value(begin_s)) / (end_s - begin_s)

    def _pieces(self) -> Iterator[tuple[Fraction, Fraction, Fraction]]:
        for (time_s, value_s), (end_s, last_s) in pairwise(self.points):
            yield time_s, value_s, (last_s - value_s) / (end_s - time_s)


def _conformed_fps(source: Rate, rate: Rate) -> Fraction:
    """The rate at which Final Cut plays footage of `source` in a sequence of `rate`.

    That is the sequence's own where it is within a twentieth (Apple's chart of rate conforming). Else 23.98
    becomes 24, at 59.94 too: only so do connected clips fall on whole frames in Final Cut's own exports at
    24, 30, 50, 59.94 and 60. Other rates take the sequence's side of 1000/1001.
    """
    if abs(source.fps / rate.fps - 1) < Fraction(1, 20):
        return rate.fps
    whole = Fraction(source.nominal)
    ntsc = whole * 1000 / 1001
    is_film, is_video = source.nominal % 24 == 0, source.nominal % 30 == 0
    if source.fps not in (whole, ntsc) or not (is_film or is_video):
        return source.fps
    if source.fps == ntsc and is_film:
        return whole
    return ntsc if rate.fps.denominator == 1001 else whole


def _name(item: etree._Element) -> str:
    return str(item.get("name", ""))


def _place(asset: etree._Element) -> str:
    kinds = {rep.get("kind", "original-media"): rep.get("src", "") for rep in asset.iterchildren("media-rep")}
    source = kinds.get("original-media") or next(iter(kinds.values()), asset.get("src", ""))
    return "" if source == UNKNOWN_PLACE else normal_url(source)


def _size(resource: etree._Element | None, name: str) -> int:
    text = resource.get(name, "") if resource is not None else ""
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0
