"""Premiere's XML: Final Cut Pro 7's interchange format (xmeml, version 4), as Premiere writes and reads it.

Sequence markers lie on the sequence, clip markers on their clip, counted in the medium's own frames from
its first. A cut is told in frames of its medium too, and to the tick in Premiere's own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from lxml import etree

from mtbsync_engine.errors import ExportError
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats import Export, premiere_read, xml
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.losses import listed, to_check
from mtbsync_integrations.formats.media_frames import on_medium
from mtbsync_integrations.formats.premiere_read import COLOURS, DEFAULT_COLOUR, TICKS_PER_SECOND, packed
from mtbsync_integrations.timeline import Clip, Medium, Reading, Timeline, TimelineMarker

NAME = "premiere"
SUFFIX = ".xml"
CARRIES = Carries(
    palette=COLOURS,
    default_colour=DEFAULT_COLOUR,
    name=xml.one_line,
    comment=xml.plain,
    lengths=True,
    clip_markers=True,
    media_frames=True,
    default_size=(1920, 1080),
    n_tracks=None,
    clip_name=xml.one_line,
    medium=frozenset({"name", "url", "start", "rate", "n_frames", "size", "has_audio", "reel"}),
)


def encode(timeline: Timeline) -> Export:
    """The timeline as a sequence; each medium's sound lies, linked, on two tracks below its picture's.

    Raises:
        ExportError: the format has no way to write the timeline's frame rate.
    """
    if not _can_write(timeline.rate):
        raise ExportError(
            f"Premiere's XML counts whole or NTSC frame rates, not {timeline.rate}; export at another rate."
        )
    return Export(((SUFFIX, _Writer(timeline).text()),), _doubts(timeline))


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """The first sequence of a file that Premiere, Final Cut Pro 7, Resolve or another wrote.

    Raises:
        MarkerError: the file is no xmeml, holds no sequence, or contradicts itself.
    """
    return premiere_read.reading(path, rate)


def _doubts(timeline: Timeline) -> tuple[str, ...]:
    media = [clip.medium for track in timeline.tracks for _, clip in track.clips() if clip.medium]
    said = []
    if timeline.rate.fps > 60:
        said.append(
            f"Premiere's XML was made for up to 60 frames a second, not {timeline.rate}; check "
            f"{to_check(timeline)} in Premiere."
        )
    odd = dict.fromkeys(
        f"'{m.name}' ({m.start.rate}, as {_written_rate(m.start.rate)})"
        for m in media
        if not _can_write(m.start.rate)
    )
    if odd:
        said.append(f"Frame rates of media made fit for the format: {listed(list(odd))}.")
    lost = dict.fromkeys(f"'{m.name}'" for m in media if not m.url)
    if lost:
        said.append(f"Premiere will ask where these files are: {listed(list(lost))}.")
    return tuple(said)


def _can_write(rate: Rate) -> bool:
    return rate.fps in (rate.nominal, Fraction(rate.nominal * 1000, 1001))


def _written_rate(rate: Rate) -> Rate:
    return rate if _can_write(rate) else Rate(Fraction(max(1, round(rate.fps))))


@dataclass(frozen=True)
class _Item:
    """A clip on its track from the timeline's frame `first` on, and the ids that link picture and sound."""

    first: int
    clip: Clip
    medium: Medium
    picture_id: str
    sound_ids: tuple[str, ...]


class _Writer:
    """One sequence, and the numbers that its items and files have so far."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._files: dict[Medium, int] = {}
        self._n_items = 0

    def text(self) -> str:
        """The document."""
        timeline, rate = self._timeline, self._timeline.rate
        document = etree.Element("xmeml", version="4")
        sequence = _add(document, "sequence", id="sequence-1")
        # The same timeline is the same sequence whenever it is exported.
        _add(sequence, "uuid", uuid5(NAMESPACE_OID, repr(timeline)))
        _add(sequence, "duration", timeline.n_frames)
        _rate(sequence, rate)
        _add(sequence, "name", xml.one_line(timeline.name))
        media = _add(sequence, "media")
        video = _add(media, "video")
        characteristics = _add(_add(video, "format"), "samplecharacteristics")
        _rate(characteristics, rate)
        _picture(characteristics, timeline.width, timeline.height)
        audio = _add(media, "audio")
        _sound(_add(_add(audio, "format"), "samplecharacteristics"))
        for track in timeline.tracks:
            self._tracks(video, audio, [self._item(first, clip) for first, clip in track.clips()])
        _timecode(sequence, timeline.start)
        for marker in timeline.markers:
            _marker(sequence, marker, marker.frame, marker.n_frames if marker.n_frames > 1 else 0)
        return xml.written(document, doctype="<!DOCTYPE xmeml>")

    def _item(self, first: int, clip: Clip) -> _Item:
        if clip.medium is None:
            raise ValueError("a clip without a medium should have become a gap")
        picture_id, *sound_ids = (self._next_id() for _ in range(3 if clip.medium.has_audio else 1))
        return _Item(first, clip, clip.medium, picture_id, tuple(sound_ids))

    def _tracks(self, video: etree._Element, audio: etree._Element, items: Sequence[_Item]) -> None:
        """A track of pictures, and the two of their sound, each linked to the others."""
        sounding = [item for item in items if item.sound_ids]
        n_video, n_audio = len(video.findall("track")), len(audio.findall("track"))
        audio_index = {item.picture_id: index for index, item in enumerate(sounding, start=1)}
        links = {
            item.picture_id: _links(item, (n_video + 1, index), (n_audio + 1, audio_index[item.picture_id]))
            for index, item in enumerate(items, start=1)
            if item.sound_ids
        }
        track = _add(video, "track")
        for item in items:
            element = self._clip_item(track, item, item.picture_id)
            element.extend(copy(link) for link in links.get(item.picture_id, ()))
            rate = _written_rate(item.medium.start.rate)
            for marker in item.clip.markers:
                _marker(element, marker, *on_medium(marker, item.clip, self._timeline.rate, rate))
        _add(track, "enabled", "TRUE")
        _add(track, "locked", "FALSE")
        for channel in range(1, 3) if sounding else ():
            track = _add(
                audio,
                "track",
                currentExplodedTrackIndex=str(channel - 1),
                totalExplodedTrackCount="2",
                premiereTrackType="Stereo",
            )
            for item in sounding:
                element = self._clip_item(track, item, item.sound_ids[channel - 1])
                element.set("premiereChannelType", "stereo")
                source = _add(element, "sourcetrack")
                _add(source, "mediatype", "audio")
                _add(source, "trackindex", channel)
                element.extend(copy(link) for link in links[item.picture_id])
            _add(track, "enabled", "TRUE")
            _add(track, "locked", "FALSE")
            _add(track, "outputchannelindex", channel)

    def _clip_item(self, track: etree._Element, item: _Item, item_id: str) -> etree._Element:
        clip, medium = item.clip, item.medium
        rate = _written_rate(medium.start.rate)
        is_new = medium not in self._files
        number = self._files.setdefault(medium, len(self._files) + 1)
        cut_s = clip.source_in_s
        end_s = cut_s + clip.n_frames / self._timeline.rate.fps
        element = _add(track, "clipitem", id=item_id)
        _add(element, "masterclipid", f"masterclip-{number}")
        _add(element, "name", clip.name)
        _add(element, "enabled", "TRUE")
        _add(element, "duration", _n_frames(medium, rate))
        _rate(element, rate)
        _add(element, "start", item.first)
        _add(element, "end", item.first + clip.n_frames)
        _add(element, "in", nearest_frame(cut_s, rate))
        _add(element, "out", nearest_frame(end_s, rate))
        _add(element, "pproTicksIn", round(cut_s * TICKS_PER_SECOND))
        _add(element, "pproTicksOut", round(end_s * TICKS_PER_SECOND))
        file = _add(element, "file", id=f"file-{number}")
        # Where a medium is used again, its id alone will do.
        if is_new:
            _describe(file, medium, rate)
        return element

    def _next_id(self) -> str:
        self._n_items += 1
        return f"clipitem-{self._n_items}"


def _describe(file: etree._Element, medium: Medium, rate: Rate) -> None:
    _add(file, "name", xml.one_line(medium.name))
    if medium.url:
        _add(file, "pathurl", _path_url(medium.url))
    _rate(file, rate)
    _add(file, "duration", _n_frames(medium, rate))
    start = medium.start
    if start.rate != rate:
        start = Timecode(nearest_frame(start.frame / start.rate.fps, rate), rate)
    timecode = _timecode(file, start)
    _add(_add(timecode, "reel"), "name", xml.one_line(medium.reel))
    media = _add(file, "media")
    characteristics = _add(_add(media, "video"), "samplecharacteristics")
    _rate(characteristics, rate)
    if medium.width and medium.height:
        _picture(characteristics, medium.width, medium.height)
    if medium.has_audio:
        audio = _add(media, "audio")
        _sound(_add(audio, "samplecharacteristics"))
        _add(audio, "channelcount", 2)


def _links(item: _Item, video: tuple[int, int], audio: tuple[int, int]) -> list[etree._Element]:
    """What ties a picture and its sound together: each one's id, its kind, its track and its place there."""
    ends = [(item.picture_id, "video", *video)]
    ends += [(sound_id, "audio", audio[0] + k, audio[1]) for k, sound_id in enumerate(item.sound_ids)]
    links = []
    for item_id, kind, track_index, clip_index in ends:
        link = etree.Element("link")
        _add(link, "linkclipref", item_id)
        _add(link, "mediatype", kind)
        _add(link, "trackindex", track_index)
        _add(link, "clipindex", clip_index)
        links.append(link)
    return links


def _marker(parent: etree._Element, marker: TimelineMarker, frame: int, n_frames: int) -> None:
    element = _add(parent, "marker")
    _add(element, "comment", marker.comment)
    _add(element, "name", marker.name)
    _add(element, "in", frame)
    # A point has no end.
    _add(element, "out", frame + n_frames if n_frames else -1)
    _add(element, "pproColor", packed(COLOURS[marker.colour]))


def _timecode(parent: etree._Element, start: Timecode) -> etree._Element:
    element = _add(parent, "timecode")
    _rate(element, start.rate)
    _add(element, "string", start)
    _add(element, "frame", start.frame)
    _add(element, "displayformat", "DF" if start.drop_frame else "NDF")
    return element


def _rate(parent: etree._Element, rate: Rate) -> None:
    element = _add(parent, "rate")
    _add(element, "timebase", rate.nominal)
    _add(element, "ntsc", "TRUE" if rate.fps != rate.nominal else "FALSE")


def _picture(parent: etree._Element, width: int, height: int) -> None:
    _add(parent, "width", width)
    _add(parent, "height", height)
    _add(parent, "anamorphic", "FALSE")
    _add(parent, "pixelaspectratio", "square")
    _add(parent, "fielddominance", "none")


def _sound(parent: etree._Element) -> None:
    _add(parent, "depth", 16)
    _add(parent, "samplerate", 48000)


def _n_frames(medium: Medium, rate: Rate) -> int:
    return nearest_frame(medium.n_frames / medium.start.rate.fps, rate)


def _path_url(url: str) -> str:
    """A file URL as Premiere writes it: on the host called localhost, and a drive's colon quoted."""
    if not url.startswith("file:///"):
        return xml.one_line(url)
    drive, colon, rest = url[8:].partition(":/")
    path = f"{drive}%3a/{rest}" if colon and len(drive) == 1 else url[8:]
    return f"file://localhost/{xml.one_line(path)}"


def _add(parent: etree._Element, tag: str, text: object = "", **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, tag, attributes)
    if text != "":
        element.text = str(text)
    return element
