"""OTIO in the shape that DaVinci Resolve accepts (18.5 and later); it refuses any other without a word.

Bare paths instead of URLs, an extent for every medium, source times in the medium's timecode, tracks with
Resolve's names, and notes where Resolve keeps them. None of mtbsync's metadata, as nobody has seen whether
Resolve minds it.
"""

from __future__ import annotations

from pathlib import Path

import opentimelineio as otio

from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, otio_json
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.colours import OTIO
from mtbsync_integrations.formats.losses import to_check
from mtbsync_integrations.media_urls import path_of
from mtbsync_integrations.otio_timeline import RESOLVE_KEY, to_otio
from mtbsync_integrations.timeline import Reading, Timeline

NAME = "resolve-otio"
SUFFIX = ".otio"
CARRIES = Carries(
    palette=OTIO,
    default_colour="BLUE",
    lengths=True,
    one_a_frame=True,
    clip_markers=True,
    drop_frame=False,
    n_tracks=None,
    speeds=True,
    drifts=True,
    medium=frozenset({"name", "url", "start", "rate", "n_frames", "has_audio"}),
)


def encode(timeline: Timeline) -> Export:
    """The timeline as JSON in Resolve's shape."""
    made = to_otio(timeline, exact=False)
    for clip in made.find_clips():
        if isinstance(clip.media_reference, otio.schema.ExternalReference):
            clip.media_reference.target_url = path_of(clip.media_reference.target_url)
    for marker in [*made.tracks.markers, *(m for clip in made.find_clips() for m in clip.markers)]:
        marker.metadata[RESOLVE_KEY] = {"Keywords": [], "Note": marker.comment}
    unseen = f"Nobody has yet seen Resolve read this file; check {to_check(timeline)}."
    return Export(((SUFFIX, otio.adapters.write_to_string(made, "otio_json")),), (unseen,))


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """A timeline that Resolve exported; `rate` and `start` serve where it tells none.

    Raises:
        MarkerError: the file is no OTIO, or holds no timeline that can be understood.
    """
    return otio_json.read(path, rate, start)
