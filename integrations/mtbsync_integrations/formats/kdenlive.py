"""Kdenlive's documents of version 1.1, which it writes since 23.04, and lists of its markers.

After dev-docs/fileformat.md of Kdenlive: a track is a tractor of two playlists, its sound a track of its
own; a sequence is a tractor of tracks with a UUID; the bin holds all media, the sequence and the document's
properties; and a last tractor plays the sequence.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path

from lxml import etree

from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, edl, mlt_xml, one_text
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.colours import KDENLIVE
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.mlt_reading import guides, read_mlt
from mtbsync_integrations.formats.sources import read_text, timeline_start
from mtbsync_integrations.formats.xml import plain, written
from mtbsync_integrations.timeline import Reading, Timeline, TimelineMarker, Track

NAME = "kdenlive"
SUFFIX = ".kdenlive"
CARRIES = Carries(
    palette=KDENLIVE,
    default_colour="Purple",
    name=lambda text: one_text.fit_name(plain(text)),
    comment=lambda text: edl.one_line(plain(text)),
    lengths=True,
    one_a_frame=True,
    start=False,
    default_size=mlt_xml.DEFAULT_SIZE,
    n_tracks=None,
    track_names=True,
    clip_name=plain,
    speeds=True,
    medium=mlt_xml.MEDIUM,
)

_FOLDER_ID, _SEQUENCE_ID, _FIRST_MEDIUM_ID = 2, 3, 4
# What Kdenlive marks the transitions and filters with that it made itself.
_INTERNAL = 237


def encode(timeline: Timeline) -> Export:
    """The document, with one sequence."""
    root = mlt_xml.document(timeline, producer="main_bin")
    sources = mlt_xml.Sources.of(timeline)
    media = sources.media()
    bin_ids = {source.medium: number for number, source in enumerate(media, start=_FIRST_MEDIUM_ID)}
    for source in media:
        shown = {"kdenlive:id": bin_ids[source.medium], "kdenlive:clipname": source.medium.name}
        in_bin = {"kdenlive:folderid": -1, "kdenlive:clip_type": 0 if source.medium.has_audio else 2}
        sources.add_producer(root, source, f"bin{sources.numbers[source]}", shown | in_bin)
    entries = {source: {"kdenlive:id": bin_ids[source.medium]} for source in sources.numbers}
    with_sound = [source for source in sources.numbers if source.medium.has_audio and source.speed]
    pictures = {source: f"video{number}" for source, number in sources.numbers.items()}
    sounds = {source: f"audio{sources.numbers[source]}" for source in with_sound}
    for source, producer_id in pictures.items():
        only = {"set.test_audio": 1, "set.test_image": 0}
        sources.add_producer(root, source, producer_id, entries[source] | only)
    for source, producer_id in sounds.items():
        only = {"set.test_audio": 0, "set.test_image": 1}
        sources.add_producer(root, source, producer_id, entries[source] | only)
    mlt_xml.add_black(root, "black_track")
    n_tracks = len(timeline.tracks)
    # The sound of the lowest track lies next to its picture, the others' below it.
    for number, track in enumerate(reversed(timeline.tracks)):
        playlist = _add_track(root, number, {"kdenlive:audio_track": 1}, hide="video")
        sources.add_items(playlist, track, sounds, entries)
    for number, track in enumerate(timeline.tracks, start=n_tracks):
        playlist = _add_track(root, number, {"kdenlive:track_name": track.name}, hide="audio")
        sources.add_items(playlist, track, pictures, entries)
    sequence_id = _add_sequence(root, timeline)
    main_bin = mlt_xml.add(root, "playlist", id="main_bin")
    mlt_xml.add_properties(main_bin, _document_properties(sequence_id))
    mlt_xml.add(main_bin, "entry", producer=sequence_id, **{"in": 0, "out": 0})
    for source in media:
        mlt_xml.add(main_bin, "entry", producer=f"bin{sources.numbers[source]}")
    last = max(timeline.n_frames, 1) - 1
    player = mlt_xml.add(root, "tractor", id="player", **{"in": 0, "out": last})
    mlt_xml.add_properties(player, {"kdenlive:projectTractor": 1})
    mlt_xml.add(player, "track", producer=sequence_id, **{"in": 0, "out": last})
    losses = mlt_xml.name_losses(timeline, "Kdenlive")
    if any(marker.comment for marker in timeline.markers):
        losses += (f"Kdenlive has one text for a guide: '{one_text.joined('name', 'comment')}'.",)
    return Export(((SUFFIX, written(root)),), losses)


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """The timeline of any dialect of MLT; Kdenlive's begins at 00:00:00:00. A file called .json is a list
    of guides or markers that Kdenlive exported, counted from `start`.

    Raises:
        MarkerError: the file cannot be understood, or a list comes without a rate.
    """
    if path.suffix.lower() != ".json":
        return read_mlt(path)
    text = read_text(path)
    start = timeline_start(path, rate, start, "00:00:00:00")
    markers = tuple(sorted(guides(text, str(path), dict(enumerate(KDENLIVE))), key=lambda m: m.frame))
    return Reading(with_stable_ids(Timeline(path.stem, start, markers=markers)))


def _add_track(root: etree._Element, number: int, properties: dict[str, object], hide: str) -> etree._Element:
    """The first of a new track's two playlists; the other one is for dissolves."""
    playlists = [mlt_xml.add(root, "playlist", id=f"playlist{number}{letter}") for letter in "ab"]
    tractor = mlt_xml.add(root, "tractor", id=f"track{number}")
    mlt_xml.add_properties(tractor, {**properties, "kdenlive:timeline_active": 1})
    for playlist in playlists:
        if "kdenlive:audio_track" in properties:
            mlt_xml.add_properties(playlist, {"kdenlive:audio_track": 1})
        mlt_xml.add(tractor, "track", producer=playlist.attrib["id"], hide=hide)
    return playlists[0]


def _add_sequence(root: etree._Element, timeline: Timeline) -> str:
    n_tracks = len(timeline.tracks)
    sequence_id = f"{{{uuid.uuid5(uuid.NAMESPACE_URL, f'mtbsync:{timeline.name}')}}}"
    n_frames = max(timeline.n_frames, 1)
    sequence = mlt_xml.add(root, "tractor", id=sequence_id, **{"in": 0, "out": n_frames - 1})
    mlt_xml.add_properties(
        sequence,
        {
            "kdenlive:uuid": sequence_id,
            "kdenlive:clipname": timeline.name,
            "kdenlive:duration": n_frames,
            "kdenlive:maxduration": n_frames,
            "kdenlive:producer_type": 17,
            "kdenlive:id": _SEQUENCE_ID,
            "kdenlive:clip_type": 0,
            "kdenlive:folderid": _FOLDER_ID,
            "kdenlive:sequenceproperties.documentuuid": sequence_id,
            "kdenlive:sequenceproperties.hasAudio": 1,
            "kdenlive:sequenceproperties.hasVideo": 1,
            "kdenlive:sequenceproperties.activeTrack": n_tracks,
            "kdenlive:sequenceproperties.tracks": 2 * n_tracks,
            "kdenlive:sequenceproperties.tracksCount": 2 * n_tracks,
            "kdenlive:sequenceproperties.groups": json.dumps(_groups(timeline.tracks)),
            "kdenlive:sequenceproperties.guides": json.dumps([_guide(m) for m in timeline.markers]),
        },
    )
    mlt_xml.add(sequence, "track", producer="black_track")
    for number in range(2 * n_tracks):
        mlt_xml.add(sequence, "track", producer=f"track{number}")
    for number in range(1, 2 * n_tracks + 1):
        own = {"internal_added": _INTERNAL}
        if number <= n_tracks:
            mix = {"kdenlive_id": "mix", "accepts_blanks": 1, "sum": 1}
            mlt_xml.add_transition(sequence, "mix", number, own | mix)
        else:
            blend = {"kdenlive_id": "qtblend", "compositing": 0, "distort": 0, "rotate_center": 0}
            mlt_xml.add_transition(sequence, "qtblend", number, own | blend)
    return sequence_id


def _groups(tracks: Sequence[Track]) -> list[dict[str, object]]:
    """A group for each clip that has a sound, so that both move together."""
    groups: list[dict[str, object]] = []
    for number, track in enumerate(tracks):
        for frame, clip in track.clips():
            if clip.medium and clip.medium.has_audio and clip.speed:
                places = (len(tracks) + number, len(tracks) - 1 - number)
                leaves = [{"data": f"{p}:{frame}", "leaf": "clip", "type": "Leaf"} for p in places]
                groups.append({"children": leaves, "type": "AVSplit"})
    return groups


def _guide(marker: TimelineMarker) -> dict[str, object]:
    return {
        "comment": one_text.joined(marker.name, marker.comment),
        "duration": marker.n_frames if marker.n_frames > 1 else 0,
        "pos": marker.frame,
        "type": list(KDENLIVE).index(marker.colour),
    }


def _document_properties(sequence_id: str) -> dict[str, object]:
    categories = [
        {"color": "#{:02x}{:02x}{:02x}".format(*rgb), "comment": name, "index": index}
        for index, (name, rgb) in enumerate(KDENLIVE.items())
    ]
    return {
        f"kdenlive:folder.-1.{_FOLDER_ID}": "Sequences",
        "kdenlive:sequenceFolder": _FOLDER_ID,
        "kdenlive:docproperties.audioChannels": 2,
        # Kdenlive names the document's folder for temporary files after it.
        "kdenlive:docproperties.documentid": uuid.UUID(sequence_id).int % 10**13,
        "kdenlive:docproperties.guidesCategories": json.dumps(categories),
        "kdenlive:docproperties.kdenliveversion": "23.08.4",
        "kdenlive:docproperties.uuid": sequence_id,
        "kdenlive:docproperties.version": 1.1,
        "kdenlive:docproperties.opensequences": sequence_id,
        "kdenlive:docproperties.activetimeline": sequence_id,
        "xml_retain": 1,
    }
