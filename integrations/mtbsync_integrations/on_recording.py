"""Where in a recording an edit of it has its markers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.model import Marker
from mtbsync_engine.timing import Rate, frame_start_s
from mtbsync_integrations.build import Footage
from mtbsync_integrations.formats.ids import stable_ids
from mtbsync_integrations.formats.losses import listed, quoted
from mtbsync_integrations.media_urls import file_name, path_of
from mtbsync_integrations.timeline import Clip, Medium, Timeline, TimelineMarker


@dataclass(frozen=True)
class OnRecording:
    """An edit's markers on the clock of the recording that it shows, and sentences on those that are on
    something else."""

    markers: tuple[Marker, ...]
    losses: tuple[str, ...]


def recordings_in(timeline: Timeline) -> tuple[str, ...]:
    """The paths of the media that the timeline shows, the longest on it first; only those with a place."""
    shown: dict[str, int] = {}
    for track in timeline.tracks:
        for _, clip in track.clips():
            if clip.medium and clip.medium.url:
                path = path_of(clip.medium.url)
                shown[path] = shown.get(path, 0) + clip.n_frames
    return tuple(sorted(shown, key=lambda path: -shown[path]))


def markers_on(timeline: Timeline, footage: Footage) -> OnRecording:
    """Where in the recording each marker of the edit is.

    A marker on the timeline belongs to the topmost clip of the recording under it. Without any clips on the
    timeline its start is the recording's first picture, as in lists of markers.
    """
    rate = timeline.rate
    if not any(track.clips() for track in timeline.tracks):
        return OnRecording(
            tuple(marker_at(m, frame_start_s(m.frame, rate), rate) for m in timeline.markers), ()
        )
    found, elsewhere = [], []
    for clip, first, marker in _all_markers(timeline, footage):
        if clip is None:
            elsewhere.append(quoted(marker.name, marker.marker_id))
            continue
        t_s = moment_s(clip, marker.frame - first, footage, rate)
        found.append(marker_at(marker, t_s, rate, clip.speed))
    losses = (f"On something else than {footage.name}: {listed(elsewhere)}.",) if elsewhere else ()
    return OnRecording(_with_own_ids(sorted(found, key=lambda m: m.t_s)), losses)


def _with_own_ids(markers: Sequence[Marker]) -> tuple[Marker, ...]:
    """The markers, with new ids for those that share one: two clips may each have the same."""
    n_of = Counter(m.marker_id for m in markers)
    made = stable_ids((m.name, m.t_s) for m in markers)
    return tuple(
        m if n_of[m.marker_id] == 1 else replace(m, marker_id=marker_id)
        for m, marker_id in zip(markers, made, strict=True)
    )


def _all_markers(timeline: Timeline, footage: Footage) -> list[tuple[Clip | None, int, TimelineMarker]]:
    """Every marker with the clip of `footage` that it is on, that clip's first frame, and the marker counted
    from the timeline's start."""
    on_clips = [
        (clip if chapter_of(clip, footage) else None, first, replace(m, frame=first + m.frame))
        for track in timeline.tracks
        for first, clip in track.clips()
        for m in clip.markers
    ]
    return [*((*_under(timeline, footage, m.frame), m) for m in timeline.markers), *on_clips]


def _under(timeline: Timeline, footage: Footage, frame: int) -> tuple[Clip | None, int]:
    for track in reversed(timeline.tracks):
        for first, clip in track.clips():
            if first <= frame < first + clip.n_frames and chapter_of(clip, footage):
                return clip, first
    return None, 0


def chapter_of(clip: Clip, footage: Footage) -> tuple[Medium, float] | None:
    """The file of `footage` that the clip shows: of the same place, else of the same name or reel."""
    medium = clip.medium
    if medium is None:
        return None
    for chapter in footage.chapters:
        if medium.url and medium.url == chapter[0].url:
            return chapter
    names = {name.casefold() for name in (file_name(medium.url), medium.name, clip.name, medium.reel) if name}
    for chapter in footage.chapters:
        name = chapter[0].name
        if names & {name.casefold(), Path(name).stem.casefold()}:
            return chapter
    return None


def moment_s(clip: Clip, frame: int, footage: Footage, rate: Rate) -> float:
    """The moment of the recording that the clip shows at its `frame`."""
    chapter = chapter_of(clip, footage)
    if chapter is None or clip.medium is None:
        raise MarkerError(f"'{clip.name}' shows something else than {footage.name}.")
    medium, starts_s = chapter
    source_s = clip.source_in_s + frame / rate.fps * clip.speed
    if clip.medium.n_frames == 0:
        # Known by timecode alone, as on a tape.
        source_s += clip.medium.start.frame / clip.medium.start.rate.fps
        source_s -= medium.start.frame / medium.start.rate.fps
    return starts_s + float(source_s)


def marker_at(marker: TimelineMarker, t_s: float, rate: Rate, speed: Fraction = Fraction(1)) -> Marker:
    """A marker of a timeline as one of a recording, at `t_s` of it; its length is the recording's too."""
    length_s = frame_start_s(marker.n_frames, rate) * abs(float(speed)) if marker.n_frames > 1 else 0.0
    return Marker(marker.marker_id, marker.name, t_s, length_s, marker.colour, marker.comment)
