"""A timeline made fit for a format.

A writer gets a timeline that holds nothing its format cannot say; all that had to go on the way is told in
sentences. So reading back what was written gives exactly the fitted timeline.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.collisions import one_a_frame
from mtbsync_integrations.formats.colours import to_palette
from mtbsync_integrations.formats.ids import on_all_markers, with_stable_ids
from mtbsync_integrations.formats.losses import listed, quoted, review_hint
from mtbsync_integrations.formats.media_frames import snapped
from mtbsync_integrations.timeline import Clip, Gap, MarkerKind, Medium, Timeline, TimelineMarker, Track

# What a clip's medium may lose, and the word for it.
_MEDIUM_WORDS = {
    "name": "names",
    "url": "paths",
    "start": "timecodes",
    "rate": "frame rates",
    "n_frames": "lengths",
    "size": "picture sizes",
    "has_audio": "sound",
    "reel": "reels",
}
# Less is told as 0.000 s.
_WORTH_A_WORD_S = Fraction(1, 2000)


def fitted(timeline: Timeline, carries: Carries) -> tuple[Timeline, tuple[str, ...]]:
    """The timeline as the format can hold it, and a sentence for each kind of thing that is lost."""
    losses: list[str] = []
    n_frames = timeline.n_frames
    if carries.sync_of_all and any(m.transferred is None for m in timeline.markers):
        carries = replace(carries, sync=False)
    if not carries.sync:
        unplaced = [
            quoted(m.marker.name, m.marker.marker_id) + (f" ({m.reason})" if m.reason else "")
            for m in timeline.unplaced
        ]
        _say(losses, "Not placed", unplaced)
        timeline = replace(timeline, unplaced=())
    timeline = _with_clip_markers_on_timeline(timeline, carries)
    timeline = _fit_tracks(timeline, carries, losses)
    timeline = _fit_markers(timeline, carries, losses)
    if carries.opening and not any(m.frame == 0 for m in timeline.markers):
        losses.append(f"Added, as the format needs a marker on the first frame: '{carries.opening}'.")
        timeline = replace(timeline, markers=(TimelineMarker(0, name=carries.opening), *timeline.markers))
    if carries.one_a_frame:
        timeline = _one_a_frame(timeline, n_frames, losses)
    timeline = with_stable_ids(timeline, anew=not carries.ids)
    if not carries.start:
        if timeline.start.frame:
            losses.append(f"The start timecode {timeline.start} is left out; the format counts from zero.")
        timeline = replace(timeline, start=Timecode(0, timeline.rate))
    if not carries.drop_frame and timeline.start.drop_frame:
        losses.append("That the timeline counts drop-frame is left out; set it in the editor.")
        timeline = replace(timeline, start=Timecode(timeline.start.frame, timeline.rate))
    width, height = (timeline.width, timeline.height) if carries.default_size else (0, 0)
    if not (width and height):
        width, height = carries.default_size or (0, 0)
    return replace(timeline, width=width, height=height), tuple(dict.fromkeys(losses))


def _say(losses: list[str], kind: str, things: Sequence[str]) -> None:
    if things:
        losses.append(f"{kind}: {listed(things)}.")


# --- markers ------------------------------------------------------------------------------------


def _fit_markers(timeline: Timeline, carries: Carries, losses: list[str]) -> Timeline:
    """Everything about markers but collisions and ids, which depend on the rest."""
    clips = [clip for track in timeline.tracks for _, clip in track.clips()]
    before = [*timeline.markers, *(m for clip in clips for m in clip.markers)]
    colours = {m.colour: m.colour if carries.palette is None else "" for m in before}
    if carries.palette:
        colours, changed = to_palette(colours, carries.palette, carries.default_colour)
        losses += changed
    elif carries.palette is not None:
        _say(losses, "Colours left out", [_title(m) for m in before if m.colour])

    def fit(markers: Sequence[TimelineMarker]) -> tuple[TimelineMarker, ...]:
        return tuple(_fit_marker(m, carries, colours, timeline.rate) for m in markers)

    comment = carries.comment or (lambda _: "")
    kinds = {
        "Names made fit for the format": [m for m in before if carries.name(m.name) != m.name],
        "Comments made fit for the format" if carries.comment else "Comments left out": [
            m for m in before if comment(m.comment) != m.comment
        ],
        "Lengths left out": [m for m in before if m.n_frames > 1 and not carries.lengths],
        "No longer marked as chapter or to-do": [m for m in before if m.kind not in carries.kinds],
        "Moved back to a whole second": [
            m for m in before if carries.whole_seconds and _whole_second(m.frame, timeline.rate) != m.frame
        ],
    }
    for kind, markers in kinds.items():
        _say(losses, kind, [_title(m) for m in markers])
    if not carries.ids and any(m.marker_id for m in before):
        losses.append("Left out for every marker: its id.")
    known = [m.transferred for m in before if m.transferred]
    if known and not carries.sync:
        losses.append("Left out for every marker: confidence, expected error, time between frames.")
        columns = dict.fromkeys(column for t in known for column, _ in t.marker.extra)
        _say(losses, "Columns left out", [f"'{column}'" for column in columns])
    return on_all_markers(timeline, fit)


def _fit_marker(
    marker: TimelineMarker, carries: Carries, colours: Mapping[str, str], rate: Rate
) -> TimelineMarker:
    transferred, kind = marker.transferred, marker.kind
    name, comment = marker.name, marker.comment
    if transferred and transferred.needs_review and not carries.sync:
        if MarkerKind.TO_DO in carries.kinds:
            kind = MarkerKind.TO_DO
        hint = review_hint(transferred)
        name, comment = (hint + name, comment) if carries.comment is None else (name, hint + comment)
    return replace(
        marker,
        frame=_whole_second(marker.frame, rate) if carries.whole_seconds else marker.frame,
        n_frames=marker.n_frames if carries.lengths else 1,
        name=carries.name(name),
        colour=colours[marker.colour],
        comment=carries.comment(comment) if carries.comment else "",
        kind=kind if kind in carries.kinds else MarkerKind.STANDARD,
        transferred=transferred if carries.sync else None,
    )


def _one_a_frame(timeline: Timeline, n_frames: int, losses: list[str]) -> Timeline:
    """No two markers on one frame of the timeline, nor of any clip."""

    def spread(markers: Sequence[TimelineMarker], within: int) -> tuple[TimelineMarker, ...]:
        placed, moves = one_a_frame(markers, within, timeline.rate)
        losses.extend(moves)
        return placed

    tracks = tuple(
        replace(
            track,
            items=tuple(
                replace(item, markers=spread(item.markers, item.n_frames)) if isinstance(item, Clip) else item
                for item in track.items
            ),
        )
        for track in timeline.tracks
    )
    return replace(timeline, tracks=tracks, markers=spread(timeline.markers, n_frames))


def _whole_second(frame: int, rate: Rate) -> int:
    # The last second whose own frame does not come after `frame`: that frame stands still.
    second = math.ceil((frame + Fraction(1, 2)) / rate.fps) - 1
    return nearest_frame(second, rate)


def _title(marker: TimelineMarker) -> str:
    return quoted(marker.name, marker.marker_id)


def _with_clip_markers_on_timeline(timeline: Timeline, carries: Carries) -> Timeline:
    """Markers of clips that keep none, or that go themselves, moved to the timeline.

    All markers of a held picture stand on one frame of its medium; only a format that keeps what mtbsync
    knows of each can tell them apart.
    """

    def keeps(clip: Clip) -> bool:
        stays = carries.generators or clip.medium is not None
        return carries.clip_markers and stays and (clip.speed != 0 or carries.sync)

    def bare(item: Clip | Gap) -> Clip | Gap:
        return replace(item, markers=()) if isinstance(item, Clip) and not keeps(item) else item

    found = [
        replace(m, frame=first + m.frame)
        for track in timeline.tracks
        for first, clip in track.clips()
        for m in clip.markers
        if not keeps(clip)
    ]
    tracks = tuple(replace(t, items=tuple(bare(i) for i in t.items)) for t in timeline.tracks)
    markers = tuple(sorted((*timeline.markers, *found), key=lambda m: m.frame))
    return replace(timeline, tracks=tracks, markers=markers)


# --- tracks -------------------------------------------------------------------------------------


def _fit_tracks(timeline: Timeline, carries: Carries, losses: list[str]) -> Timeline:
    tracks = _tracks_that_stay(timeline.tracks, carries, losses)
    clips = [clip for track in tracks for _, clip in track.clips()]
    _say_what_clips_lose(clips, timeline, carries, losses)
    fit = tuple(
        Track(
            track.name if carries.track_names else f"Video {number}",
            tuple(_fit_clip(i, timeline, carries) if isinstance(i, Clip) else i for i in track.items),
        )
        for number, track in enumerate(tracks, start=1)
    )
    pairs = list(zip(clips, (clip for track in fit for _, clip in track.clips()), strict=True))
    marked = [pair for was, now in pairs for pair in zip(was.markers, now.markers, strict=True)]
    _say(losses, "Moved to a frame of their footage", [_title(was) for was, now in marked if now != was])
    _say_what_begins_elsewhere(pairs, carries, losses)
    renamed = [f"'{was.name}'" for was, now in zip(tracks, fit, strict=True) if was.name != now.name]
    _say(losses, "Names of tracks left out", renamed)
    return replace(timeline, tracks=fit)


def _tracks_that_stay(tracks: Sequence[Track], carries: Carries, losses: list[str]) -> tuple[Track, ...]:
    """The tracks that the format has room for; what only its editor can make is a gap on them, gaps beside
    each other are one, and none is at the end."""
    clips = [(first, clip) for track in tracks for first, clip in track.clips()]
    if carries.n_tracks == 0:
        if len(clips) > 1 or any(_is_cut(first, clip) for first, clip in clips):
            n_clips = "1 clip" if len(clips) == 1 else f"{len(clips)} clips"
            losses.append(f"{n_clips} left out: the format holds markers only.")
        return ()
    if not carries.generators:
        made = [f"'{clip.name}'" for _, clip in clips if not clip.medium]
        _say(losses, "Left empty, as only its editor can make it", made)
    bare = [Track(track.name, _without_generators(track.items, carries)) for track in tracks]
    filled = [track for track in bare if track.items]
    if carries.n_tracks is not None:
        _say(losses, "Tracks left out", [f"'{track.name}'" for track in filled[carries.n_tracks :]])
        filled = filled[: carries.n_tracks]
    return tuple(filled)


def _is_cut(first: int, clip: Clip) -> bool:
    """Whether a clip is anything else than footage from its first picture on, at the timeline's start."""
    return first != 0 or clip.source_in_s != 0 or clip.speed != 1


def _without_generators(items: Sequence[Clip | Gap], carries: Carries) -> tuple[Clip | Gap, ...]:
    stay: list[Clip | Gap] = []
    for item in items:
        if isinstance(item, Clip) and (item.medium or carries.generators):
            stay.append(item)
        elif stay and isinstance(stay[-1], Gap):
            stay[-1] = Gap(stay[-1].n_frames + item.n_frames)
        elif item.n_frames:
            stay.append(Gap(item.n_frames))
    return tuple(stay[:-1] if stay and isinstance(stay[-1], Gap) else stay)


def _say_what_clips_lose(
    clips: Sequence[Clip], timeline: Timeline, carries: Carries, losses: list[str]
) -> None:
    media = [clip.medium for clip in clips if clip.medium]
    lost = [what for what in _MEDIUM_WORDS if what not in carries.medium]
    said = [_MEDIUM_WORDS[what] for what in lost if any(_says(m, what, timeline) for m in media)]
    _say(losses, "Left out of media", said)
    named = [f"'{clip.name}'" for clip in clips if carries.clip_name(clip.name) != clip.name]
    _say(losses, "Names of clips made fit for the format", named)
    if not carries.speeds:
        retimed = [f"'{c.name}' ({float(c.speed):.0%})" for c in clips if c.medium and c.speed != 1]
        _say(losses, "Changed speed left out", retimed)


def _say_what_begins_elsewhere(
    pairs: Sequence[tuple[Clip, Clip]], carries: Carries, losses: list[str]
) -> None:
    """Name the clips that show another moment of their medium first than they did."""
    begins_s = _timecode_s if carries.timecode_only else _source_in_s
    off = [(was.name, abs(begins_s(now) - begins_s(was))) for was, now in pairs]
    moved = [(name, off_s) for name, off_s in off if off_s >= _WORTH_A_WORD_S]
    if moved:
        most_s = float(max(off_s for _, off_s in moved))
        names = [f"'{name}'" for name, _ in moved]
        losses.append(f"Begin up to {most_s:.3f} s earlier or later in their footage: {listed(names)}.")


def _source_in_s(clip: Clip) -> Fraction:
    return clip.source_in_s


def _timecode_s(clip: Clip) -> Fraction:
    """The second of its medium's own clock that a clip begins at."""
    start = clip.medium.start if clip.medium else Timecode(0, Rate(Fraction(1)))
    return clip.source_in_s + start.frame / start.rate.fps


def _fit_clip(clip: Clip, timeline: Timeline, carries: Carries) -> Clip:
    speed = clip.speed if carries.speeds else Fraction(1)
    clip = replace(clip, name=carries.clip_name(clip.name), speed=speed)
    if clip.medium is None:
        return clip
    source_in_s = clip.source_in_s
    medium = _fit_medium(clip, clip.medium, timeline, carries)
    if carries.timecode_only:
        source_in_s += clip.medium.start.frame / clip.medium.start.rate.fps
        drop_frame = clip.medium.start.drop_frame and timeline.rate.can_drop
        name = carries.clip_name(medium.name or clip.name)
        medium = replace(medium, name=name, start=Timecode(0, timeline.rate, drop_frame), n_frames=0)
    if not carries.any_cut:
        step_s = (abs(speed) or 1) / timeline.rate.fps
        source_in_s = nearest_frame(source_in_s / step_s, Rate(Fraction(1))) * step_s
    clip = replace(clip, medium=medium, source_in_s=source_in_s)
    return snapped(clip, timeline.rate) if carries.media_frames else clip


def _fit_medium(clip: Clip, medium: Medium, timeline: Timeline, carries: Carries) -> Medium:
    kept, start, n_frames = carries.medium, medium.start, medium.n_frames
    if "rate" not in kept:
        rate = timeline.rate
        drop_frame = timeline.start.drop_frame
        first = nearest_frame(start.frame / start.rate.fps, rate)
        n_frames = nearest_frame(n_frames / start.rate.fps, rate)
        start = Timecode(first, rate, drop_frame)
    if not carries.drop_frame:
        start = Timecode(start.frame, start.rate)
    return Medium(
        name=medium.name if "name" in kept else clip.name,
        url=medium.url if "url" in kept else "",
        start=start if "start" in kept else Timecode(0, start.rate),
        n_frames=n_frames if "n_frames" in kept else 0,
        width=medium.width if "size" in kept else 0,
        height=medium.height if "size" in kept else 0,
        has_audio=medium.has_audio and "has_audio" in kept,
        reel=medium.reel if "reel" in kept else "",
    )


def _says(medium: Medium, what: str, timeline: Timeline) -> bool:
    """Whether there is anything to lose of `what`."""
    said = {
        "name": False,  # the clip's own will do
        "start": medium.start.frame,
        "rate": medium.start.rate != timeline.rate,
        "size": medium.width,
    }
    return bool(said[what] if what in said else getattr(medium, what))
