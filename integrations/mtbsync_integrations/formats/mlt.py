"""MLT XML for `melt` and whatever else plays it. MLT has no markers: they are kept for mtbsync alone."""

from __future__ import annotations

import json
from pathlib import Path

from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, mlt_xml
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.mlt_reading import read_mlt
from mtbsync_integrations.formats.xml import plain, written
from mtbsync_integrations.timeline import MarkerKind, Reading, Timeline, TimelineMarker

NAME = "mlt"
SUFFIX = ".mlt"
CARRIES = Carries(
    lengths=True,
    kinds=frozenset(MarkerKind),
    ids=True,
    default_size=mlt_xml.DEFAULT_SIZE,
    n_tracks=None,
    track_names=True,
    clip_name=plain,
    speeds=True,
    medium=mlt_xml.MEDIUM,
)


def encode(timeline: Timeline) -> Export:
    """A playlist for each track, and a tractor that plays them over each other and carries the markers."""
    root = mlt_xml.document(timeline, producer="timeline")
    sources = mlt_xml.Sources.of(timeline)
    ids = {source: f"producer{number}" for source, number in sources.numbers.items()}
    for source, producer_id in ids.items():
        sources.add_producer(root, source, producer_id, {})
    for number, track in enumerate(timeline.tracks):
        playlist = mlt_xml.add(root, "playlist", id=f"playlist{number}")
        mlt_xml.add_properties(playlist, {"mtbsync:name": track.name})
        sources.add_items(playlist, track, ids, {})
    tractor = mlt_xml.add(root, "tractor", id="timeline", title=timeline.name)
    markers = json.dumps([_as_json(marker) for marker in timeline.markers])
    mlt_xml.add_properties(tractor, {"mtbsync:start": timeline.start, "mtbsync:markers": markers})
    for number in range(len(timeline.tracks)):
        mlt_xml.add(tractor, "track", producer=f"playlist{number}")
    for number in range(1, len(timeline.tracks)):
        mlt_xml.add_transition(tractor, "mix", number, {"sum": 1})
    losses = ("MLT has no markers: only mtbsync reads these.",) if timeline.markers else ()
    return Export(((SUFFIX, written(root)),), losses)


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """The timeline of any dialect of MLT.

    Raises:
        MarkerError: the file cannot be understood.
    """
    return read_mlt(path)


def _as_json(marker: TimelineMarker) -> dict[str, object]:
    return {
        "frame": marker.frame,
        "n_frames": marker.n_frames,
        "name": marker.name,
        "colour": marker.colour,
        "comment": marker.comment,
        "id": marker.marker_id,
        "kind": marker.kind.value,
    }
