"""What the dialects of MLT share in writing: a profile, producers, and playlists of a timeline's tracks.

After the documentation of MLT XML (mltframework.org/docs/mltxml). Everything is counted in whole frames of
the profile. Properties that begin with `mtbsync:` say what MLT has no word for; MLT and its editors pass
over them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from lxml import etree

from mtbsync_engine.timing import Rate, nearest_frame
from mtbsync_integrations.formats.xml import one_line, plain
from mtbsync_integrations.media_urls import file_name, path_of
from mtbsync_integrations.timeline import Clip, Gap, Medium, Timeline, Track

DEFAULT_SIZE = (1920, 1080)
MEDIUM = frozenset({"name", "url", "n_frames", "size", "has_audio"})

# What MLT itself takes for an endless colour.
ENDLESS = 2_147_483_647


def document(timeline: Timeline, **attributes: str) -> etree._Element:
    """The root with the profile: the exact rate, and square pixels."""
    root = etree.Element("mlt", LC_NUMERIC="C", version="7.12.0", **attributes)
    fps, width, height = timeline.rate.fps, timeline.width, timeline.height
    aspect = Fraction(width, height)
    profile = {
        "description": f"{width}x{height} {timeline.rate} fps",
        "width": width,
        "height": height,
        "progressive": 1,
        "sample_aspect_num": 1,
        "sample_aspect_den": 1,
        "display_aspect_num": aspect.numerator,
        "display_aspect_den": aspect.denominator,
        "frame_rate_num": fps.numerator,
        "frame_rate_den": fps.denominator,
        "colorspace": 709,
    }
    add(root, "profile", **profile)
    return root


def add(parent: etree._Element, tag: str, **attributes: object) -> etree._Element:
    """A new child of `parent`."""
    return etree.SubElement(parent, tag, {name: one_line(str(value)) for name, value in attributes.items()})


def add_properties(element: etree._Element, properties: Mapping[str, object]) -> None:
    """A property for each of the mapping's items."""
    for name, value in properties.items():
        add(element, "property", name=name).text = plain(str(value))


@dataclass(frozen=True)
class Source:
    """What a clip plays: a medium at a speed, 0 for a held frame, which has no sound."""

    medium: Medium
    speed: Fraction

    @property
    def pace(self) -> Fraction:
        """Frames of the medium for each frame of the source, whichever way it runs."""
        return abs(self.speed) or Fraction(1)

    @property
    def n_frames(self) -> int:
        """The source's length, 0 where the medium's is unknown."""
        return math.ceil(self.medium.n_frames / self.pace)

    def frame_of(self, clip: Clip, rate: Rate) -> int:
        """The source's frame at which the clip begins, counted from the medium's first one."""
        return nearest_frame(clip.source_in_s / self.pace, rate)


@dataclass(frozen=True)
class Sources:
    """Every source of a timeline with its number, and the last frame that those running backwards need."""

    numbers: Mapping[Source, int]
    lasts: Mapping[Source, int]
    rate: Rate

    @classmethod
    def of(cls, timeline: Timeline) -> Sources:
        """All media at their own speed, whether a clip plays them so or not, then all others."""
        clips = [(clip, clip.medium) for track in timeline.tracks for _, clip in track.clips() if clip.medium]
        plain_ones = [Source(medium, Fraction(1)) for _, medium in clips]
        all_of_them = dict.fromkeys([*plain_ones, *(Source(medium, clip.speed) for clip, medium in clips)])
        lasts = {source: source.n_frames - 1 for source in all_of_them}
        for clip, medium in clips:
            source = Source(medium, clip.speed)
            lasts[source] = max(lasts[source], source.frame_of(clip, timeline.rate))
        return cls({source: k for k, source in enumerate(all_of_them)}, lasts, timeline.rate)

    def media(self) -> tuple[Source, ...]:
        """The media at their own speed."""
        return tuple(source for source in self.numbers if source.speed == 1)

    def add_producer(
        self, root: etree._Element, source: Source, producer_id: str, properties: Mapping[str, object]
    ) -> None:
        """The producer of a source, with `properties` beside those that MLT needs."""
        medium, speed = source.medium, source.speed
        n_frames = self.lasts[source] + 1 if speed < 0 else source.n_frames
        ends = {"in": 0, "out": n_frames - 1} if n_frames else {}
        producer = add(root, "producer", id=producer_id, **ends)
        path = path_of(medium.url) if medium.url else medium.name
        if n_frames:
            add_properties(producer, {"length": n_frames})
        if speed in (0, 1):
            add_properties(producer, {"eof": "pause", "resource": path, "mlt_service": "avformat"})
        else:
            decimal = f"{float(speed):.15f}".rstrip("0").rstrip(".")
            warp = {"warp_speed": decimal, "warp_resource": path, "warp_pitch": 0}
            service = {"eof": "pause", "resource": f"{decimal}:{path}", "mlt_service": "timewarp"}
            add_properties(producer, service | warp)
            if Fraction(decimal) != speed:
                add_properties(producer, {"mtbsync:speed": speed})
        if not medium.has_audio:
            add_properties(producer, {"audio_index": -1})
        elif speed == 0:
            add_properties(producer, {"set.test_audio": 1})
        if medium.width and medium.height:
            size = {"meta.media.width": medium.width, "meta.media.height": medium.height}
            add_properties(producer, size)
        if not medium.url:
            add_properties(producer, {"mtbsync:unknown_path": 1})
        if medium.name != file_name(medium.url):
            add_properties(producer, {"mtbsync:name": medium.name})
        add_properties(producer, properties)

    def add_items(
        self,
        playlist: etree._Element,
        track: Track,
        producer_ids: Mapping[Source, str],
        properties: Mapping[Source, Mapping[str, object]],
    ) -> None:
        """The track's gaps and clips. Clips whose source has no producer among `producer_ids` are left
        empty; `properties` go on the entries."""
        for item in track.items:
            source = Source(item.medium, item.speed) if isinstance(item, Clip) and item.medium else None
            if isinstance(item, Gap) or source is None or source not in producer_ids:
                add(playlist, "blank", length=item.n_frames)
                continue
            first = source.frame_of(item, self.rate)
            if source.speed < 0:
                first = self.lasts[source] - first
            held = item.speed == 0
            begin = 0 if held else first
            ends = {"in": begin, "out": begin + item.n_frames - 1}
            entry = add(playlist, "entry", producer=producer_ids[source], **ends)
            if item.name != source.medium.name:
                add_properties(entry, {"mtbsync:name": item.name})
            add_properties(entry, properties.get(source, {}))
            if held:
                freeze = add(entry, "filter")
                service = {"mlt_service": "freeze", "kdenlive_id": "freeze"}
                add_properties(freeze, service | {"frame": first, "freeze_before": 0, "freeze_after": 0})


def add_black(root: etree._Element, producer_id: str) -> None:
    """An endless black picture, which editors keep below all tracks."""
    black = add(root, "producer", id=producer_id, **{"in": 0, "out": ENDLESS - 1})
    add_properties(
        black,
        {
            "length": ENDLESS,
            "eof": "continue",
            "resource": "black",
            "mlt_service": "color",
            "mlt_image_format": "rgba",
            "set.test_audio": 0,
        },
    )


def add_transition(
    tractor: etree._Element, service: str, track: int, properties: Mapping[str, object]
) -> None:
    """A transition for the whole length between the lowest track and `track`."""
    transition = add(tractor, "transition")
    ends = {"a_track": 0, "b_track": track, "mlt_service": service, "always_active": 1}
    add_properties(transition, ends | dict(properties))


def name_losses(timeline: Timeline, editor: str) -> tuple[str, ...]:
    """What to say of clips that an editor shows by the names of their media."""
    differ = any(
        clip.medium and clip.name != clip.medium.name
        for track in timeline.tracks
        for _, clip in track.clips()
    )
    return (f"{editor} shows clips by the names of their media, not by their own.",) if differ else ()
