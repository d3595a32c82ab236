"""Reads MLT XML of every dialect: Kdenlive's documents, Shotcut's projects, mtbsync's own, and plain MLT.

Nested timelines, and dissolves between the two playlists of a track, are flattened to what lies on top.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from lxml import etree

from mtbsync_engine.errors import MarkerError, TimecodeError
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats import one_text
from mtbsync_integrations.formats.colours import KDENLIVE, RESOLVE, RGB
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.losses import listed, quoted
from mtbsync_integrations.formats.mlt_parts import (
    Strip,
    children,
    count,
    first_of,
    frames,
    json_frames,
    json_list,
    json_text,
    properties,
    under_each_other,
)
from mtbsync_integrations.formats.xml import parse
from mtbsync_integrations.media_urls import file_name, normal_url, path_of, url_of
from mtbsync_integrations.timeline import (
    Clip,
    Gap,
    MarkerKind,
    Medium,
    Reading,
    Timeline,
    TimelineMarker,
    Track,
)

_MAX_ITEMS = 100_000
_MAX_DEPTH = 50
_GUIDES = "kdenlive:sequenceproperties.guides"
_SLOWEST = Fraction(1, 10**6)
_SPEED = re.compile(r"-?[0-9]{1,20}(?:/[0-9]{1,20}|\.[0-9]{1,20})?")
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
# Services whose resource is a file; the others make their pictures themselves.
_FILES = {"", "avformat", "avformat-novalidate", "qimage", "pixbuf", "timewarp", "xml", "xml-nogl"}
_SEVERAL = {"playlist", "tractor"}
_BLACK = {"black", "0", "#00000000", "#ff000000", "0x00000000", "0x000000ff"}


def read_mlt(path: Path) -> Reading:
    """The timeline that an MLT file plays: of Kdenlive's document the sequence that was last open.

    Raises:
        MarkerError: the file is no MLT XML, or says something that cannot be.
    """
    root = parse(path, "mlt")
    profile = root.find("profile")
    if profile is None:
        raise MarkerError(f"{path} has no profile, which tells the frame rate; save it from its editor.")
    parts = {element.get("id", ""): element for element in root.iter() if element.get("id")}
    listed_ids = [entry.get("producer", "") for entry in children(parts.get("main_bin"), "entry")]
    # Sequences stand there too, with their guides once more.
    in_bin = [properties(parts[i]) for i in listed_ids if i in parts and parts[i].tag not in _SEVERAL]
    producers = map(properties, root.iter("producer", "chain"))
    document = _Document(
        path,
        root,
        _rate(profile, path),
        parts,
        in_bin={known["kdenlive:id"]: known for known in in_bin if known.get("kdenlive:id")},
        of_file={
            known.get("resource", ""): known for known in producers if known.get("mlt_service") != "timewarp"
        },
    )
    main = document.main()
    tracks = document.tracks(main)
    start, markers = document.markers(main)
    timeline = Timeline(
        name=properties(main).get("kdenlive:clipname") or path.stem,
        start=start,
        tracks=tracks,
        markers=tuple(sorted(markers, key=lambda marker: marker.frame)),
        width=count(profile.get("width")),
        height=count(profile.get("height")),
    )
    document.look_for_losses(main)
    losses = (f"{kind}: {listed(list(things))}." for kind, things in document.losses.items())
    return Reading(with_stable_ids(timeline), tuple(losses))


def guides(text: str, where: str, colours: Mapping[int, str]) -> tuple[TimelineMarker, ...]:
    """Kdenlive's guides or markers from JSON; `colours` are those of the types that they may have.

    Raises:
        MarkerError: it is no list of guides.
    """
    found = []
    for guide in json_list(text, where):
        name, comment = one_text.parted(json_text(guide, "comment", where))
        found.append(
            TimelineMarker(
                frame=json_frames(guide, "pos", None, where),
                n_frames=max(1, json_frames(guide, "duration", 0, where)),
                name=name,
                colour=colours.get(json_frames(guide, "type", 0, where), ""),
                comment=comment,
            )
        )
    return tuple(found)


def _rate(profile: etree._Element, path: Path) -> Rate:
    numerator, denominator = (count(profile.get(f"frame_rate_{part}")) for part in ("num", "den"))
    try:
        return Rate(Fraction(numerator, denominator))
    except (ZeroDivisionError, TimecodeError):
        raise MarkerError(
            f"{path}: its profile has no frame rate that can be; save it from its editor."
        ) from None


@dataclass(frozen=True)
class _Document:
    """A file's parts by their ids, and by kind of loss what of them finds no place.

    `in_bin` are the properties of Kdenlive's bin by clip id, `of_file` those of producers that play a file
    at its own speed.
    """

    path: Path
    root: etree._Element
    rate: Rate
    parts: Mapping[str, etree._Element]
    in_bin: Mapping[str, Mapping[str, str]]
    of_file: Mapping[str, Mapping[str, str]]
    losses: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    strips: dict[etree._Element, Strip] = field(default_factory=dict)
    markers_seen: set[tuple[str, int]] = field(default_factory=set)

    # --- what there is --------------------------------------------------------------------------

    def main(self) -> etree._Element:
        """What the file plays: Kdenlive's active sequence, Shotcut's project, or the root's producer."""
        tractors = self.root.findall("tractor")
        active = properties(self.parts.get("main_bin")).get("kdenlive:docproperties.activetimeline")
        sequences = self.sequences()
        opened = [t for t in sequences if active in (t.get("id"), properties(t).get("kdenlive:uuid"))]
        projects = [t for t in tractors if properties(t).get("shotcut") == "1"]
        named = [t for t in tractors if t.get("id") == self.root.get("producer")]
        found = opened or sequences or projects or named or tractors or self.root.findall("playlist")
        if not found:
            raise MarkerError(f"{self.path} has no timeline; save the project from its editor.")
        return found[-1]

    def sequences(self) -> list[etree._Element]:
        """Kdenlive's sequences."""
        return [t for t in self.root.findall("tractor") if properties(t).get("kdenlive:uuid")]

    def target(self, element: etree._Element) -> etree._Element | None:
        """What a track or an entry plays: by its id, or within the element itself."""
        inside = [child for child in element if child.tag in (*_SEVERAL, "producer", "chain")]
        return inside[0] if inside else self.parts.get(element.get("producer", ""))

    def tracks_of(self, tractor: etree._Element) -> Iterator[tuple[etree._Element, bool]]:
        """What plays on a tractor's tracks, and whether its pictures are seen."""
        for track in (*tractor.findall("track"), *tractor.findall("multitrack/track")):
            target = self.target(track)
            if target is not None:
                yield target, track.get("hide") not in ("video", "both")

    def frames(self, text: str) -> int:
        """A time in the file as frames."""
        return frames(text, self.rate, str(self.path))

    # --- tracks ---------------------------------------------------------------------------------

    def tracks(self, main: etree._Element) -> tuple[Track, ...]:
        """The tracks with pictures that have clips. Sound is told of, unless it is that of the clips."""
        if main.tag == "tractor":
            # What plays the whole within itself finds it empty.
            self.strips[main] = Strip.of(())
        lanes = list(self.tracks_of(main)) if main.tag == "tractor" else [(main, True)]
        pictures: list[Track] = []
        sounds: list[Track] = []
        for number, (lane, seen) in enumerate(lanes):
            known = properties(lane)
            name = first_of(known, "mtbsync:name", "kdenlive:track_name", "shotcut:name")
            track = Track(name, self.strip(lane, 0).without_end())
            if not track.clips() or (number == 0 and _is_background(track)):
                continue
            sound = not seen or known.get("kdenlive:audio_track") or known.get("shotcut:audio")
            (sounds if sound else pictures).append(track)
        shown = {_place(*placed) for track in pictures for placed in track.clips()}
        for track in sounds:
            if not {_place(*placed) for placed in track.clips()} <= shown:
                self.losses["Tracks with nothing but sound left out"][f"'{track.name}'"] = None
        return tuple(
            replace(track, name=track.name or f"Video {number}")
            for number, track in enumerate(pictures, start=1)
        )

    def strip(self, part: etree._Element, depth: int) -> Strip:
        """The clips and gaps of a playlist, of a tractor as it is seen, or of a single producer."""
        if part in self.strips:
            return self.strips[part]
        if depth > _MAX_DEPTH:
            raise MarkerError(f"{self.path}: '{part.get('id')}' plays itself; save it from its editor again.")
        if part.tag == "playlist":
            strip = self.playlist(part, depth)
        elif part.tag == "tractor":
            lanes = list(self.tracks_of(part))
            seen = [lane for lane, is_seen in lanes if is_seen] or [lane for lane, _ in lanes]
            strip = under_each_other([self.strip(lane, depth + 1) for lane in seen], self.rate)
        else:
            strip = Strip.of([self.clip(part, None, self.first(part), self.length(part))])
        self.strips[part] = strip
        return strip

    def playlist(self, playlist: etree._Element, depth: int) -> Strip:
        """A playlist's blanks and entries, those of nested timelines in its place."""
        found: list[Clip | Gap] = []
        for child in playlist:
            if child.tag == "blank":
                found.append(Gap(self.frames(child.get("length", ""))))
            elif child.tag == "entry":
                found += self.entry(child, depth)
            if len(found) > _MAX_ITEMS:
                raise MarkerError(f"{self.path} holds more clips than any timeline; check what it is.")
        return Strip.of(found)

    def entry(self, entry: etree._Element, depth: int) -> list[Clip | Gap]:
        """What an entry shows: a clip, or a piece of a nested timeline."""
        source = self.target(entry)
        nested = source is not None and source.tag in _SEVERAL
        if source is not None and nested:
            first, length = 0, self.strip(source, depth + 1).n_frames
        else:
            first, length = (self.first(source), self.length(source)) if source is not None else (0, 0)
        end = first + length
        first = self.frames(entry.get("in", "")) if entry.get("in") else first
        end = self.frames(entry.get("out", "")) + 1 if entry.get("out") else end
        if end <= first:
            return []
        if source is None:
            self.losses["Left empty, as the file does not say what it is"][
                f"'{entry.get('producer', '')}'"
            ] = None
            return [Gap(end - first)]
        if nested:
            return list(self.strip(source, depth + 1).piece(first, end - first, self.rate))
        return [self.clip(source, entry, first, end - first)]

    def first(self, producer: etree._Element) -> int:
        """A producer's first frame."""
        return self.frames(producer.get("in", "")) if producer.get("in") else 0

    def length(self, producer: etree._Element) -> int:
        """A producer's length in frames from its first one, 0 where nobody knows it."""
        if producer.get("out"):
            return max(0, self.frames(producer.get("out", "")) + 1 - self.first(producer))
        return self.n_frames(properties(producer))

    def n_frames(self, known: Mapping[str, str]) -> int:
        """The length that a producer's properties tell, 0 where they tell none."""
        return self.frames(known["length"]) if known.get("length") else 0

    # --- clips ----------------------------------------------------------------------------------

    def clip(self, producer: etree._Element, entry: etree._Element | None, first: int, n_frames: int) -> Clip:
        """The clip that shows a producer from its frame `first` on."""
        known = properties(producer)
        medium, speed = self.medium(known), self.speed(known)
        if speed < 0:
            first = max(0, self.first(producer) + self.length(producer) - 1 - first)
        held = [f for f in map(properties, children(entry, "filter")) if f.get("mlt_service") == "freeze"]
        if held:
            first = self.frames(held[0].get("frame") or "0")
        source_in_s = first * abs(speed) / self.rate.fps
        made = first_of(known, "kdenlive:clipname", "shotcut:caption", "resource") or "generator"
        name = properties(entry).get("mtbsync:name", medium.name if medium else made)
        clip = Clip(name, n_frames, medium, source_in_s, Fraction(0) if held else speed)
        clip = replace(clip, markers=tuple(self.clip_markers(known, clip)))
        return clip if medium else replace(clip, source_in_s=Fraction(0), speed=Fraction(1))

    def medium(self, known: Mapping[str, str]) -> Medium | None:
        """The file that a producer with these properties plays; None for what its editor makes itself."""
        service = known.get("mlt_service", "")
        path = known.get("resource", "")
        if service == "timewarp":
            path = known.get("warp_resource") or path.partition(":")[2]
        if service not in _FILES or not path:
            return None
        # The bin knows more than a producer on a track, and one at its own speed more than a faster one.
        told = self.in_bin.get(known.get("kdenlive:id", "")) or self.of_file.get(path) or known
        url = "" if told.get("mtbsync:unknown_path") else self.url(told.get("kdenlive:originalurl") or path)
        n_frames = self.n_frames(told)
        if told is known:
            n_frames = nearest_frame(n_frames * abs(self.speed(known)) / self.rate.fps, self.rate)
        return Medium(
            name=told.get("mtbsync:name", file_name(url)),
            url=url,
            start=Timecode(0, self.rate),
            n_frames=n_frames,
            width=count(told.get("meta.media.width")),
            height=count(told.get("meta.media.height")),
            has_audio=told.get("audio_index") != "-1",
        )

    def url(self, path: str) -> str:
        """The URL of a path as MLT has it: relative to the root's folder, or to that of the file."""
        url = normal_url(path)
        if url != path or _HAS_SCHEME.match(path):
            return url
        folder = self.root.get("root") or str(self.path.absolute().parent)
        return url_of(f"{path_of(folder).rstrip('/')}/{path}")

    def speed(self, known: Mapping[str, str]) -> Fraction:
        """At what speed a producer plays its file."""
        if known.get("mlt_service") != "timewarp":
            return Fraction(1)
        text = first_of(known, "mtbsync:speed", "warp_speed") or known["resource"].partition(":")[0]
        speed = None
        if _SPEED.fullmatch(text) and not re.search(r"/0+$", text):
            speed = Fraction(text)
        if not speed or not _SLOWEST <= abs(speed) <= 1 / _SLOWEST:
            raise MarkerError(f"{self.path}: '{text[:40]}' is not a speed; save the project again.")
        return speed

    # --- markers --------------------------------------------------------------------------------

    def markers(self, main: etree._Element) -> tuple[Timecode, tuple[TimelineMarker, ...]]:
        """Where the timeline begins, and the markers on it."""
        known = properties(main)
        start = Timecode(0, self.rate)
        if known.get("mtbsync:start"):
            try:
                start = Timecode.parse(known["mtbsync:start"], self.rate)
            except TimecodeError as error:
                raise MarkerError(f"{self.path}: {error}") from error
        where = f"{self.path}, the markers"
        own = (self.own_marker(item, where) for item in json_list(known.get("mtbsync:markers", ""), where))
        of_old_documents = properties(self.parts.get("main_bin")).get("kdenlive:docproperties.guides", "")
        listed_guides = known.get(_GUIDES) or of_old_documents
        found = (*own, *guides(listed_guides, where, self.categories), *self.shotcut_markers(main))
        return start, found

    def own_marker(self, item: Mapping[str, object], where: str) -> TimelineMarker:
        """A marker as mtbsync writes it into plain MLT."""
        kind = json_text(item, "kind", where)
        return TimelineMarker(
            frame=json_frames(item, "frame", None, where),
            n_frames=max(1, json_frames(item, "n_frames", 1, where)),
            name=json_text(item, "name", where),
            colour=json_text(item, "colour", where),
            comment=json_text(item, "comment", where),
            marker_id=json_text(item, "id", where),
            kind=MarkerKind(kind) if kind in set(MarkerKind) else MarkerKind.STANDARD,
        )

    def shotcut_markers(self, main: etree._Element) -> Iterator[TimelineMarker]:
        """Shotcut's markers; both their ends are frames that they cover."""
        names = {rgb: name for name, rgb in RESOLVE.items()}
        for group in children(main, "properties"):
            if group.get("name") != "shotcut:markers":
                continue
            for known in map(properties, children(group, "properties")):
                name, comment = one_text.parted(known.get("text", ""))
                first = self.frames(known.get("start", ""))
                last = self.frames(known["end"]) if known.get("end") else first
                colour = _colour_name(known.get("color", ""), names)
                yield TimelineMarker(first, max(1, last - first + 1), name, colour, comment)

    @cached_property
    def categories(self) -> dict[int, str]:
        """Kdenlive's types of guides, and the names of their colours."""
        names = {rgb: name for name, rgb in KDENLIVE.items()}
        where = f"{self.path}, the marker categories"
        listed_types = properties(self.parts.get("main_bin")).get(
            "kdenlive:docproperties.guidesCategories", ""
        )
        usual = dict(enumerate(KDENLIVE))
        return usual | {
            json_frames(item, "index", None, where): _colour_name(json_text(item, "color", where), names)
            for item in json_list(listed_types, where)
        }

    @cached_property
    def markers_in_bin(self) -> dict[str, tuple[TimelineMarker, ...]]:
        """The markers that Kdenlive keeps on media, in their own frames."""
        where = f"{self.path}, the markers on footage"
        return {
            clip_id: guides(known.get("kdenlive:markers", ""), where, self.categories)
            for clip_id, known in self.in_bin.items()
        }

    def clip_markers(self, known: Mapping[str, str], clip: Clip) -> Iterator[TimelineMarker]:
        """The markers of the clip's medium whose frames it shows."""
        clip_id = known.get("kdenlive:id", "")
        for marker in self.markers_in_bin.get(clip_id, ()) if clip.speed else ():
            into_s = (marker.frame / self.rate.fps - clip.source_in_s) / clip.speed
            frame = nearest_frame(into_s, self.rate)
            if 0 <= frame < clip.n_frames:
                self.markers_seen.add((clip_id, marker.frame))
                yield replace(marker, frame=frame)

    # --- losses ---------------------------------------------------------------------------------

    def look_for_losses(self, main: etree._Element) -> None:
        """Finds what the file has besides clips and markers."""
        for element in self.root.iter("filter", "transition", "link"):
            known = properties(element)
            service = f"'{known.get('mlt_service', '')}'"
            if known.get("internal_added") or known.get("_loader") or known.get("disable") == "1":
                continue
            if element.tag == "transition":
                # Those of tracks hold for ever; dissolves end somewhere.
                if element.get("out") and service != "'mix'":
                    self.losses["Transitions left out"][service] = None
            elif service != "'freeze'":
                self.losses["Effects left out"][service] = None
        for sequence in self.sequences():
            known = properties(sequence)
            name = f"'{known.get('kdenlive:clipname', '')}'"
            if sequence not in self.strips:
                self.losses["Other sequences left out"][name] = None
            elif sequence is not main and known.get(_GUIDES, "").strip(" []\n"):
                self.losses["Guides left out, as they stand on nested sequences"][name] = None
        for clip_id, on_footage in self.markers_in_bin.items():
            for marker in on_footage:
                if (clip_id, marker.frame) not in self.markers_seen:
                    unseen = self.losses["Markers on footage that the timeline does not show"]
                    unseen[quoted(marker.name, "")] = None


def _place(frame: int, clip: Clip) -> tuple[object, ...]:
    return frame, clip.n_frames, clip.medium.url if clip.medium else "", clip.source_in_s


def _is_background(track: Track) -> bool:
    return all(clip.medium is None and clip.name in _BLACK for _, clip in track.clips())


def _colour_name(colour: str, names: Mapping[RGB, str]) -> str:
    """The name of `#rrggbb`, which may have an alpha before it, or the colour as it is."""
    digits = re.fullmatch(r"#(?:[0-9a-fA-F]{2})?([0-9a-fA-F]{6})", colour.strip())
    if digits is None:
        return colour.strip()
    red, green, blue = bytes.fromhex(digits[1])
    return names.get((red, green, blue), f"#{digits[1].lower()}")
