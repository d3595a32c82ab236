"""xmeml as Premiere, Final Cut Pro 7, Resolve, Hiero and others write it, flattened to tracks and markers.

Frames count at the rate of what holds them: start and end at the sequence's, in and out at the clip's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from lxml import etree

from mtbsync_engine.errors import MarkerError, TimecodeError
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats import xml
from mtbsync_integrations.formats.colours import RGB
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.losses import listed, quoted
from mtbsync_integrations.formats.media_frames import on_clip
from mtbsync_integrations.formats.tracks import Piece, laid_out
from mtbsync_integrations.media_urls import normal_url
from mtbsync_integrations.timeline import Clip, Medium, Reading, Timeline, TimelineMarker

# Premiere's eight, as its XML writes them.
COLOURS: dict[str, RGB] = {
    "Green": (113, 134, 55),
    "Red": (210, 44, 54),
    "Purple": (175, 139, 177),
    "Orange": (233, 111, 36),
    "Yellow": (208, 161, 43),
    "White": (255, 255, 255),
    "Blue": (66, 141, 252),
    "Cyan": (25, 244, 214),
}
DEFAULT_COLOUR = "Green"
TICKS_PER_SECOND = 254_016_000_000

_NAMES = {rgb: name for name, rgb in COLOURS.items()}
# Others write frames as 1055.0. The digits are bounded.
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,9})?")
_MAX_FRAME = 10**12
_MAX_DEPTH = 60
_MAX_ITEMS = 50_000


def packed(rgb: RGB) -> int:
    """A colour as `pproColor` has it: opaque, blue before green before red, as one number."""
    red, green, blue = rgb
    return 0xFF << 24 | blue << 16 | green << 8 | red


def reading(path: Path, rate: Rate | None) -> Reading:
    """The first sequence of the file that has clips or markers; `rate` where it does not tell its own.

    Raises:
        MarkerError: it is no xmeml, holds no sequence, or contradicts itself.
    """
    root = xml.parse(path, "xmeml")
    sequences = [s for s in root.iter("sequence") if _is_top(s)]
    if not sequences:
        raise MarkerError(f"{path} holds no sequence; export the sequence itself as Final Cut Pro XML.")
    chosen = next((s for s in sequences if _has_content(s)), sequences[0])
    reader = _Reader(path, root)
    try:
        timeline = reader.timeline(chosen, rate)
    except TimecodeError as error:
        raise MarkerError(f"{path}: {error}") from error
    others = [quoted(s.findtext("name") or "", "") for s in sequences if s is not chosen]
    losses = reader.losses()
    if others:
        losses = (f"Other sequences in the file left out: {listed(others)}.", *losses)
    return Reading(with_stable_ids(timeline), losses)


def _is_top(sequence: etree._Element) -> bool:
    return not any(True for _ in sequence.iterancestors("clipitem", "sequence"))


def _has_content(sequence: etree._Element) -> bool:
    return any(True for _ in sequence.iter("clipitem", "generatoritem", "marker"))


@dataclass(frozen=True)
class _View:
    """How a sequence is seen from the timeline: its second 0 is at `at_s`, from `begin_s` to `end_s`. What
    is disabled has its markers there, but shows no picture."""

    at_s: Fraction
    begin_s: Fraction
    end_s: Fraction
    lane: int
    is_disabled: bool = False


class _Reader:
    """One file's media and sequences by their ids, and what has been found while tracks are read."""

    def __init__(self, path: Path, root: etree._Element) -> None:
        self._path = path
        self._files = _described(root, "file")
        self._sequences = _described(root, "sequence")
        self._media: dict[str, Medium] = {}
        self._rate = Rate(Fraction(1))
        self._pieces: list[Piece] = []
        self._markers: list[TimelineMarker] = []
        self._left_out: dict[str, list[str]] = {}
        self._n_items = 0

    def timeline(self, sequence: etree._Element, rate: Rate | None) -> Timeline:
        """The sequence's tracks and markers."""
        own_rate = self._own_rate(sequence) or rate
        if own_rate is None:
            raise self._wrong(sequence, "does not tell its frame rate; give it with --fps")
        self._rate = own_rate
        start = self._timecode(sequence, own_rate)
        for marker in sequence.iterchildren("marker"):
            self._markers.append(self._marker(marker))
        whole = _View(Fraction(0), Fraction(0), Fraction(_MAX_FRAME), 0)
        self._sequence(sequence, own_rate, whole, 0)
        size = next(sequence.iterfind("media/video/format/samplecharacteristics"), None)
        return Timeline(
            name=sequence.findtext("name") or "",
            start=start,
            tracks=laid_out(self._pieces),
            markers=tuple(sorted(self._markers, key=lambda marker: marker.frame)),
            width=self._size(size, "width"),
            height=self._size(size, "height"),
        )

    def losses(self) -> tuple[str, ...]:
        """Sentences on what could not be kept."""
        return tuple(f"{kind}: {listed(things)}." for kind, things in self._left_out.items())

    # --- tracks and their items -------------------------------------------------------------------

    def _sequence(self, sequence: etree._Element, rate: Rate, view: _View, depth: int) -> None:
        for lane, track in enumerate(sequence.iterfind("media/video/track")):
            items = self._items(track, rate)
            is_disabled = _is_disabled(track)
            if is_disabled and items:
                self._leave_out("Disabled tracks left out", f"Video {lane + 1}")
            seen = replace(view, lane=view.lane + lane, is_disabled=view.is_disabled or is_disabled)
            for item in items:
                self._show(item, rate, seen, depth)
        pictures = {item.get("id") for item in sequence.iterfind("media/video/track/clipitem")}
        heard: list[TimelineMarker] = []
        for track in sequence.iterfind("media/audio/track"):
            for item in self._items(track, rate):
                linked = {link.findtext("linkclipref") for link in item.element.iterchildren("link")}
                if not linked & pictures:
                    self._leave_out("Sound without a picture left out", _title(item.element))
                    heard += self._placed_markers(item, rate, view)
        # Both channels of a sound carry its markers.
        self._markers += list(dict.fromkeys(heard))

    def _items(self, track: etree._Element, rate: Rate) -> list[_Item]:
        """What lies on a track, where transitions have a clip begin or end cut in their middle."""
        children = list(track.iterchildren("clipitem", "generatoritem", "transitionitem"))
        items: list[_Item] = []
        for k, child in enumerate(children):
            if child.tag == "transitionitem":
                self._leave_out("Transitions left out", _title(child))
                continue
            before = children[k - 1] if k else None
            after = children[k + 1] if k + 1 < len(children) else None
            items.append(self._item(child, before, after, rate))
        for earlier, later in pairwise(items):
            if earlier.ends_in_transition and later.starts_in_transition and earlier.end > later.first:
                cut = (earlier.end + later.first) // 2
                earlier.end = cut
                later.cut_s += (cut - later.first) / rate.fps
                later.first = cut
        return items

    def _item(
        self,
        element: etree._Element,
        before: etree._Element | None,
        after: etree._Element | None,
        rate: Rate,
    ) -> _Item:
        """Start and end are -1 where a transition lies over them; it then tells them."""
        own_rate = self._own_rate(element) or rate
        first, end = self._frame(element, "start", -1), self._frame(element, "end", -1)
        cut_in, cut_out = self._frame(element, "in", -1), self._frame(element, "out", -1)
        length = nearest_frame(max(0, cut_out - cut_in) / own_rate.fps, rate)
        item = _Item(element, own_rate, first, end, self._cut_s(element, max(0, cut_in), own_rate))
        if first < 0:
            item.starts_in_transition = True
            item.first = self._edge(before, "start", end - length if end >= 0 else 0)
        if end < 0:
            item.ends_in_transition = True
            item.end = self._edge(after, "end", item.first + length)
        return item

    def _edge(self, transition: etree._Element | None, name: str, otherwise: int) -> int:
        if transition is not None and transition.tag == "transitionitem":
            return self._frame(transition, name, otherwise)
        return otherwise

    def _cut_s(self, element: etree._Element, cut_in: int, rate: Rate) -> Fraction:
        """Seconds into the medium; Premiere also tells ticks, which are finer than its frames."""
        cut_s = Fraction(cut_in) / rate.fps
        ticks_s = Fraction(self._frame(element, "pproTicksIn", -1, limit=10**22), TICKS_PER_SECOND)
        return ticks_s if ticks_s >= 0 and abs(ticks_s - cut_s) < 1 / rate.fps else cut_s

    def _show(self, item: _Item, rate: Rate, view: _View, depth: int) -> None:
        self._n_items += 1
        if depth > _MAX_DEPTH or self._n_items > _MAX_ITEMS:
            raise self._wrong(item.element, "is nested deeper than any edit; export the sequence again")
        piece = self._piece(item, rate, view)
        if piece is None:
            return
        if _is_disabled(item.element):
            self._leave_out("Disabled clips left out", _title(item.element))
            view = replace(view, is_disabled=True)
        if not view.is_disabled:
            self._note_effects(item.element)
        nested = self._nested(item.element)
        if nested is not None:
            begin_s, end_s = (f / self._rate.fps for f in (piece.first, piece.first + piece.clip.n_frames))
            at_s = begin_s - piece.clip.source_in_s
            inner = replace(view, at_s=at_s, begin_s=begin_s, end_s=end_s)
            self._show_nested(nested, inner, depth)
            self._markers += self._placed_markers(item, rate, view)
        elif view.is_disabled:
            self._markers += self._placed_markers(item, rate, view)
        else:
            medium = self._medium(item.element)
            markers = self._clip_markers(item, piece.clip)
            cut_s = piece.clip.source_in_s if medium else Fraction(0)
            clip = replace(piece.clip, medium=medium, source_in_s=cut_s, markers=markers)
            self._pieces.append(replace(piece, clip=clip))

    def _piece(self, item: _Item, rate: Rate, view: _View) -> Piece | None:
        """The item as the timeline shows it, its medium not yet looked up; None where it does not."""
        begin_s = view.at_s + item.first / rate.fps
        seen_s = max(view.begin_s, begin_s)
        first = nearest_frame(seen_s, self._rate)
        end = nearest_frame(min(view.end_s, view.at_s + item.end / rate.fps), self._rate)
        if end <= first:
            return None
        name = item.element.findtext("name") or ""
        return Piece(view.lane, first, Clip(name, end - first, None, item.cut_s + seen_s - begin_s))

    def _placed_markers(self, item: _Item, rate: Rate, view: _View) -> list[TimelineMarker]:
        """An item's markers on the timeline, for an item that is not kept itself."""
        piece = self._piece(item, rate, view)
        if piece is None:
            return []
        return [replace(m, frame=piece.first + m.frame) for m in self._clip_markers(item, piece.clip)]

    def _show_nested(self, nested: etree._Element, view: _View, depth: int) -> None:
        rate = self._own_rate(nested) or self._rate
        for element in nested.iterchildren("marker"):
            marker = self._marker(element)
            t_s = view.at_s + marker.frame / rate.fps
            if view.begin_s <= t_s < view.end_s:
                length = max(1, nearest_frame(marker.n_frames / rate.fps, self._rate))
                self._markers.append(replace(marker, frame=nearest_frame(t_s, self._rate), n_frames=length))
            else:
                self._hide(marker)
        self._sequence(nested, rate, view, depth + 1)

    def _clip_markers(self, item: _Item, clip: Clip) -> tuple[TimelineMarker, ...]:
        """A clip's markers that its cut shows, counted from its first frame."""
        found = []
        for element in item.element.iterchildren("marker"):
            marker = self._marker(element)
            n_frames = marker.n_frames if marker.n_frames > 1 or self._has_end(element) else 0
            place = on_clip(marker.frame, n_frames, clip, self._rate, item.rate)
            if place is None:
                self._hide(marker)
            else:
                found.append(replace(marker, frame=place[0], n_frames=place[1]))
        return tuple(sorted(found, key=lambda marker: marker.frame))

    def _note_effects(self, element: etree._Element) -> None:
        for effect in element.iterfind("filter/effect"):
            name = effect.findtext("name") or "effect"
            kind = "Changed speed left out" if name == "Time Remap" else "Effects left out"
            what = (element.findtext("name") or "") if name == "Time Remap" else name
            self._leave_out(kind, what, once=True)

    # --- markers ----------------------------------------------------------------------------------

    def _marker(self, element: etree._Element) -> TimelineMarker:
        frame = self._frame(element, "in", 0)
        if frame < 0:
            raise self._wrong(element, f"stands at frame {frame}; export the sequence again")
        return TimelineMarker(
            frame=frame,
            n_frames=max(1, self._frame(element, "out", -1) - frame),
            name=element.findtext("name") or "",
            colour=self._colour(element),
            comment=element.findtext("comment") or "",
        )

    def _has_end(self, element: etree._Element) -> bool:
        return self._frame(element, "out", -1) > self._frame(element, "in", 0)

    def _colour(self, element: etree._Element) -> str:
        """Premiere leaves its default colour out; Final Cut Pro 7 writes red, green and blue."""
        channels = element.find("color")
        if channels is not None:
            rgb = tuple(self._frame(channels, name, 0) for name in ("red", "green", "blue"))
        elif element.find("pproColor") is not None:
            value = self._frame(element, "pproColor", 0)
            rgb = (value & 255, value >> 8 & 255, value >> 16 & 255)
        else:
            return DEFAULT_COLOUR
        if not all(0 <= channel <= 255 for channel in rgb):
            raise self._wrong(element, "has a colour that is none; export the sequence again")
        return next((name for known, name in _NAMES.items() if known == rgb), "#" + bytes(rgb).hex())

    # --- media ------------------------------------------------------------------------------------

    def _nested(self, element: etree._Element) -> etree._Element | None:
        reference = element.find("sequence")
        return None if reference is None else self._sequences.get(reference.get("id", ""), reference)

    def _medium(self, element: etree._Element) -> Medium | None:
        """What a clip shows; None for what only its editor can make."""
        reference = element.find("file")
        if reference is None or element.tag == "generatoritem":
            return None
        key = reference.get("id", "")
        file = self._files.get(key, reference)
        if file.find("mediaSource") is not None:
            return None
        if not key:
            return self._described_medium(file)
        if key not in self._media:
            self._media[key] = self._described_medium(file)
        return self._media[key]

    def _described_medium(self, file: etree._Element) -> Medium:
        rate = self._own_rate(file) or self._rate
        picture = next(file.iterfind("media/video/samplecharacteristics"), file)
        return Medium(
            name=file.findtext("name") or "",
            url=normal_url((file.findtext("pathurl") or "").strip()),
            start=self._timecode(file, rate),
            n_frames=max(0, self._frame(file, "duration", 0)),
            width=self._size(picture, "width"),
            height=self._size(picture, "height"),
            has_audio=file.find("media/audio") is not None,
            reel=file.findtext("timecode/reel/name") or "",
        )

    # --- numbers ----------------------------------------------------------------------------------

    def _frame(self, element: etree._Element, name: str, default: int, limit: int = _MAX_FRAME) -> int:
        text = (element.findtext(name) or "").strip()
        if not text:
            return default
        if not _NUMBER.fullmatch(text):
            raise self._wrong(element, f"has no number in {name} but '{text[:40]}'; export it again")
        number = nearest_frame(Fraction(text), Rate(Fraction(1)))
        if abs(number) > limit:
            raise self._wrong(element, f"has {name} {text[:40]}, beyond any timeline; export it again")
        return number

    def _own_rate(self, element: etree._Element) -> Rate | None:
        rate = element.find("rate")
        text = (rate.findtext("timebase") or "").strip() if rate is not None else ""
        if rate is None or not text:
            return None
        base = Rate.parse(text)
        is_ntsc = (rate.findtext("ntsc") or "").strip().upper() == "TRUE"
        return Rate(base.fps * 1000 / 1001) if is_ntsc and base.fps.denominator == 1 else base

    def _timecode(self, element: etree._Element, rate: Rate) -> Timecode:
        """The timecode of an element's first frame, at `rate`; zero where it tells none."""
        timecode = element.find("timecode")
        if timecode is None:
            return Timecode(0, rate)
        own_rate = self._own_rate(timecode) or rate
        text = (timecode.findtext("string") or "").strip()
        mode = (timecode.findtext("displayformat") or "").strip().upper()
        drop_frame = mode == "DF" or (not mode and ";" in text)
        frame = self._frame(timecode, "frame", -1)
        if frame < 0 and text:
            frame = Timecode.parse(text.replace(";", ":"), own_rate, drop_frame and own_rate.can_drop).frame
        start = max(0, frame)
        if own_rate != rate:
            start = nearest_frame(start / own_rate.fps, rate)
        return Timecode(start, rate, drop_frame and rate.can_drop)

    def _size(self, element: etree._Element | None, name: str) -> int:
        size = 0 if element is None else self._frame(element, name, 0)
        return size if 0 < size < 10**6 else 0

    # --- sentences --------------------------------------------------------------------------------

    def _hide(self, marker: TimelineMarker) -> None:
        self._leave_out("Outside the visible part of their clips, left out", marker.name)

    def _leave_out(self, kind: str, name: str, *, once: bool = False) -> None:
        things = self._left_out.setdefault(kind, [])
        if not (once and quoted(name, "") in things):
            things.append(quoted(name, ""))

    def _wrong(self, element: etree._Element, what: str) -> MarkerError:
        return MarkerError(f"{self._path}, line {element.sourceline}: this {element.tag} {what}.")


@dataclass
class _Item:
    """A clip on a track from frame `first` to before `end`, cut `cut_s` into what it shows."""

    element: etree._Element
    rate: Rate
    first: int
    end: int
    cut_s: Fraction
    starts_in_transition: bool = False
    ends_in_transition: bool = False


def _is_disabled(element: etree._Element) -> bool:
    return (element.findtext("enabled") or "").strip().upper() == "FALSE"


def _title(element: etree._Element) -> str:
    return element.findtext("name") or element.findtext("effect/name") or ""


def _described(root: etree._Element, tag: str) -> dict[str, etree._Element]:
    """The elements of that name by their ids: of each the one that says most, not a mere reference."""
    found: dict[str, etree._Element] = {}
    for element in root.iter(tag):
        key = element.get("id")
        if key and (key not in found or len(found[key]) < len(element)):
            found[key] = element
    return found
