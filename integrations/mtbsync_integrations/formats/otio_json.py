"""OpenTimelineIO's own file, which holds everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    drifts=True,
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
        # OpenTimelineIO's own reader ends the whole program where JSON is too deep or names a thing twice.
        json.loads(text, object_pairs_hook=_named_once)
        found = otio.adapters.read_from_string(text, "otio_json")
    except (IndexError, KeyError, RecursionError, TypeError, ValueError, otio.exceptions.OTIOError) as error:
        raise MarkerError(f"{path} is not readable as OTIO ({error}); export it again.") from error
    try:
        reading = from_otio(found, start or (Timecode(0, rate) if rate else None))
    except MarkerError as error:
        raise MarkerError(f"{path}: {error}") from error
    return Reading(with_stable_ids(reading.timeline), reading.losses)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("an object names something twice")
    return named
