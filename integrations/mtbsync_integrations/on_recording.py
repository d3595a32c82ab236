"""Where in a recording an edit of it has its cuts and its markers."""

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

_DAY_S = 24 * 3600


@dataclass(frozen=True)
class OnRecording:
    """An edit's markers on the clock of the recording that it shows, and sentences on those that are on
    something else."""

    markers: tuple[Marker, ...]
    losses: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """A recording as an edit shows it.

    `by_place` says that its files are known by where they lie: cameras repeat names, so what lies elsewhere
    is then something else. Without a place that fits they are known by name or reel.
    """

    footage: Footage
    by_place: bool

    @classmethod
    def on(cls, timeline: Timeline, footage: Footage) -> Shown:
        """The recording on this timeline."""
        places = {medium.url for medium, _ in footage.chapters}
        clips = (clip for track in timeline.tracks for _, clip in track.clips())
        return cls(footage, any(clip.medium and clip.medium.url in places for clip in clips))

    def chapter(self, clip: Clip) -> tuple[Medium, float] | None:
        """The file that the clip shows, and where it begins on the recording's clock; None for another's."""
        if clip.medium is None:
            return None
        if clip.medium.url and self.by_place:
            return next((c for c in self.footage.chapters if c[0].url == clip.medium.url), None)
        said = (file_name(clip.medium.url), clip.medium.name, clip.name, clip.medium.reel)
        names = {name.casefold() for name in said if name}
        for chapter in self.footage.chapters:
            name = chapter[0].name.casefold()
            if names & {name, Path(name).stem}:
                return chapter
        return None

    def moment_s(self, clip: Clip, frame: int, rate: Rate) -> float:
        """The moment of the recording that the clip shows at its `frame`, which may lie past its end.

        Raises:
            MarkerError: the clip shows something else.
        """
        chapter = self.chapter(clip)
        if chapter is None or clip.medium is None:
            raise MarkerError(f"'{clip.name}' shows something else than {self.footage.name}.")
        medium, starts_s = chapter
        offset_s = float(frame / rate.fps * clip.speed)
        return starts_s + float(self._source_in_s(clip, clip.medium, medium)) + offset_s

    def _source_in_s(self, clip: Clip, said: Medium, real: Medium) -> Fraction:
        """Seconds of the file at which the clip begins.

        A medium of unknown length, as a tape is, may be known by its timecode alone; it is where that lies
        within the file.
        """
        if said.n_frames == 0:
            starts_s, real_s = (m.start.frame / m.start.rate.fps for m in (said, real))
            by_timecode_s = (clip.source_in_s + starts_s - real_s) % _DAY_S
            if by_timecode_s < real.n_frames / real.start.rate.fps:
                return by_timecode_s
        return clip.source_in_s


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
        listed_ones = (marker_at(m, frame_start_s(m.frame, rate), rate) for m in timeline.markers)
        return OnRecording(tuple(listed_ones), ())
    shown = Shown.on(timeline, footage)
    found, elsewhere = [], []
    for clip, first, marker in _all_markers(timeline, shown):
        if clip is None:
            elsewhere.append(quoted(marker.name, marker.marker_id))
            continue
        t_s = shown.moment_s(clip, marker.frame - first, rate)
        found.append(marker_at(marker, t_s, rate, clip.speed))
    losses = ambiguity(timeline, shown)
    if elsewhere:
        losses += (f"On something else than {footage.name}: {listed(elsewhere)}.",)
    return OnRecording(_with_own_ids(sorted(found, key=lambda m: m.t_s)), losses)


def ambiguity(timeline: Timeline, shown: Shown) -> tuple[str, ...]:
    """A sentence, where files of the same name in several places are all taken for the recording."""
    clips = [clip for track in timeline.tracks for _, clip in track.clips()]
    named = [c.medium for c in clips if c.medium and c.medium.url and shown.chapter(c)]
    places: dict[str, set[str]] = {}
    for medium in named:
        places.setdefault(file_name(medium.url), set()).add(medium.url)
    several = [name for name, urls in places.items() if len(urls) > 1]
    if not several:
        return ()
    return (f"These lie in several places, and all count as {shown.footage.name}: {listed(several)}.",)


def _with_own_ids(markers: Sequence[Marker]) -> tuple[Marker, ...]:
    """The markers, with new ids for those that share one: two clips may each have the same."""
    n_of = Counter(m.marker_id for m in markers)
    made = stable_ids((m.name, m.t_s) for m in markers)
    return tuple(
        m if n_of[m.marker_id] == 1 else replace(m, marker_id=marker_id)
        for m, marker_id in zip(markers, made, strict=True)
    )


def _all_markers(timeline: Timeline, shown: Shown) -> list[tuple[Clip | None, int, TimelineMarker]]:
    """Every marker with the clip of the recording that it is on, that clip's first frame, and the marker
    counted from the timeline's start."""
    on_clips = [
        (clip if shown.chapter(clip) else None, first, replace(m, frame=first + m.frame))
        for track in timeline.tracks
        for first, clip in track.clips()
        for m in clip.markers
    ]
    return [*((*_under(timeline, shown, m.frame), m) for m in timeline.markers), *on_clips]


def _under(timeline: Timeline, shown: Shown, frame: int) -> tuple[Clip | None, int]:
    for track in reversed(timeline.tracks):
        for first, clip in track.clips():
            if first <= frame < first + clip.n_frames and shown.chapter(clip):
                return clip, first
    return None, 0


def marker_at(marker: TimelineMarker, t_s: float, rate: Rate, speed: Fraction = Fraction(1)) -> Marker:
    """A marker of a timeline as one of a recording, at `t_s` of it; its length is the recording's too."""
    length_s = frame_start_s(marker.n_frames, rate) * abs(float(speed)) if marker.n_frames > 1 else 0.0
    return Marker(marker.marker_id, marker.name, t_s, length_s, marker.colour, marker.comment)
