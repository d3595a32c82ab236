"""OpenTimelineIO's own file, which holds everything."""

from __future__ import annotations

from pathlib import Path

import opentimelineio as otio

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.sources import read_text
from mtbsync_integrations.otio_timeline import from_otio, to_otio
from mtbsync_integrations.timeline import MarkerKind, Reading, Timeline

NAME = "otio"
SUFFIX = ".otio"
CARRIES = Carries(
    lengths=True,
    kinds=frozenset(MarkerKind),
    ids=True,
    sync=True,
    clip_markers=True,
    default_size=(0, 0),
    n_tracks=None,
    track_names=True,
    generators=True,
    speeds=True,
    any_cut=True,
    medium=frozenset({"name", "url", "start", "rate", "n_frames", "size", "has_audio", "reel"}),
)


def encode(timeline: Timeline) -> Export:
    """The timeline as JSON."""
    return Export(((SUFFIX, otio.adapters.write_to_string(to_otio(timeline), "otio_json")),))


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """A timeline by whomever; `rate` and `start` serve where it tells none.

    Raises:
        MarkerError: the file is no OTIO, or holds no timeline that can be understood.
    """
    text = read_text(path)
    try:
        found = otio.adapters.read_from_string(text, "otio_json")
    except (IndexError, KeyError, TypeError, ValueError, otio.exceptions.OTIOError) as error:
        raise MarkerError(f"{path} is not readable as OTIO ({error}); export it again.") from error
    try:
        reading = from_otio(found, start or (Timecode(0, rate) if rate else None))
    except MarkerError as error:
        raise MarkerError(f"{path}: {error}") from error
    return Reading(with_stable_ids(reading.timeline), reading.losses)
