"""The formats that cameras of one event go out in, in sync, and what each loses of that.

Formats that hold a clock's drift make up for it by its clips' speed; the others get pieces that play at their
own. Lists of one track become one file a camera.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain, count
from typing import Protocol

from mtbsync_engine.errors import ExportError
from mtbsync_integrations import formats
from mtbsync_integrations.formats import Export, fcpxml_multicam
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.fitting import fitted
from mtbsync_integrations.formats.losses import listed
from mtbsync_integrations.synced import Cameras, Off, how_far_off, synced_timeline
from mtbsync_integrations.timeline import Clip, Timeline, Track

MULTICAM = "fcpxml-multicam"
_NAMES = (
    "resolve-otio",
    "otio",
    MULTICAM,
    "fcpxml",
    "premiere",
    "kdenlive",
    "shotcut",
    "mlt",
    "edl",
)
# Where a session's file is something else than a run's.
_DESCRIPTIONS = {
    "edl": "CMX3600 edit lists, one a camera",
    "fcpxml": "Final Cut Pro, the cameras above each other",
    MULTICAM: "Final Cut Pro, as a multicam clip",
    "kdenlive": "Kdenlive project",
    "otio": "OpenTimelineIO, for whatever speaks it",
    "resolve-otio": "DaVinci Resolve, as OpenTimelineIO",
}
# A drift that is told as 0.0 ppm is not told.
_WORTH_A_WORD_PPM = 0.05
_NOT_A_NAME = re.compile(r"[^\w-]+")


class Writer(Protocol):
    """What writes a timeline, as the modules of formats do."""

    SUFFIX: str
    CARRIES: Carries

    def encode(self, timeline: Timeline) -> Export:
        """A timeline made fit by `CARRIES`."""


def session_format_names() -> tuple[str, ...]:
    """The names that `export_session` knows, the one that most ask for first."""
    return _NAMES


def describe(name: str) -> str:
    """What a person calls the format that `session_format_names` calls `name`."""
    return _DESCRIPTIONS.get(name) or formats.describe(name)


def suffix_of(name: str) -> str:
    """How the files of a format end.

    Raises:
        ExportError: sessions go out in no format of that name.
    """
    return _writer(name).SUFFIX


def export_session(name: str, cameras: Cameras) -> Export:
    """The cameras in the format called `name`, with everything that is lost on the way.

    Raises:
        ExportError: sessions go out in no format of that name, or it cannot hold these.
    """
    writer = _writer(name)
    carries = writer.CARRIES
    timeline = synced_timeline(cameras, in_pieces=not carries.drifts, exact=carries.any_cut)
    # A list of one track loses the same of every camera, which is said once; how far clips are off, and why,
    # is told by cameras.
    _, losses = fitted(timeline, replace(carries, n_tracks=None, track_names=True, any_cut=True))
    files: list[tuple[str, str]] = []
    said: list[str] = []
    shown: list[Track] = []
    for stem, part in _parts(timeline, carries):
        fit, _ = fitted(part, carries)
        made = fcpxml_multicam.encode(fit, seen=cameras.master) if name == MULTICAM else writer.encode(fit)
        files += [(stem + suffix, text) for suffix, text in made.files]
        said += made.losses
        shown += _as_cut(part.tracks, fit.tracks, carries)
    in_sync = sync_losses(cameras, replace(timeline, tracks=tuple(shown)))
    return Export(tuple(files), tuple(dict.fromkeys([*in_sync, *losses, *said])))


def sync_losses(cameras: Cameras, timeline: Timeline) -> tuple[str, ...]:
    """Sentences on how the cameras are kept in sync on `timeline`, which shows their own media, and by how
    much each is off at worst, and why."""
    kinds: dict[str, list[str]] = {
        "Play faster or slower, as their clocks drift": [],
        "Cut into pieces that stay within half a frame, as their clocks drift": [],
        "Drift left out, as it stays within half a frame": [],
    }
    faster, cut, left = kinds.values()
    off = how_far_off(cameras, timeline)
    for angle, track, error in zip(cameras.angles, timeline.tracks, off, strict=True):
        clips = [clip for _, clip in track.clips()]
        drift = f"{angle.label} ({angle.drift_ppm:+.1f} ppm)"
        if len(clips) > len(angle.footage.chapters):
            cut.append(f"{angle.label} ({len(clips)} pieces)")
        elif abs(angle.drift_ppm) >= _WORTH_A_WORD_PPM:
            if any(clip.speed != 1 for clip in clips):
                faster.append(drift)
            elif error.by_drift:
                left.append(drift)
        if why := _why_off(error):
            late = kinds.setdefault(f"Off at worst, as {why}", [])
            late.append(f"{angle.label} by {1000 * error.at_worst_s:.0f} ms")
    return tuple(f"{kind}: {listed(things)}." for kind, things in kinds.items() if things)


def _why_off(error: Off) -> str:
    """What has a part in that a camera is off; empty where it is not."""
    reasons = {
        "clips begin on whole frames": error.by_whole_frames,
        "chapters begin between two frames": error.by_chapters,
        "drift is left out": error.by_drift,
    }
    return " and ".join(reason for reason, counts in reasons.items() if counts)


def _writer(name: str) -> Writer:
    if name not in _NAMES:
        raise ExportError(f"Sessions go out as {', '.join(_NAMES)}, not as '{name}'.")
    return fcpxml_multicam if name == MULTICAM else formats.get_format(name)


def _parts(timeline: Timeline, carries: Carries) -> Iterator[tuple[str, Timeline]]:
    """What goes into a file of its own, and what follows the output's stem in that file's name."""
    if carries.n_tracks is None:
        yield "", timeline
        return
    taken: set[str] = set()
    for track in timeline.tracks:
        own = _NOT_A_NAME.sub("_", track.name).strip("_") or "camera"
        names = chain([own], (f"{own}-{n}" for n in count(2)))
        # Some file systems take A for a.
        label = next(name for name in names if name.casefold() not in taken)
        taken.add(label.casefold())
        only = replace(track, name="Video 1")
        yield f"_{label}", replace(timeline, name=f"{timeline.name} {track.name}", tracks=(only,))


def _as_cut(was: Sequence[Track], now: Sequence[Track], carries: Carries) -> Iterator[Track]:
    """The tracks with their own media, but cut as they were made fit."""
    for old, new in zip(was, now, strict=True):
        cuts = iter(clip for _, clip in new.clips())
        items = tuple(
            _cut_as(item, next(cuts), carries) if isinstance(item, Clip) else item for item in old.items
        )
        yield replace(old, items=items)


def _cut_as(was: Clip, now: Clip, carries: Carries) -> Clip:
    assert was.medium is not None
    start = was.medium.start
    # A tape's clips are told by its timecode.
    begins_s = start.frame / start.rate.fps if carries.timecode_only else Fraction(0)
    return replace(was, source_in_s=now.source_in_s - begins_s, speed=now.speed)
