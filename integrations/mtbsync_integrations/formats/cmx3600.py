"""CMX3600 edit list: one track of cuts, its markers as the locators that Avid and others read.

* LOC: 01:00:01:14 RED     Gap jump
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from mtbsync_engine.errors import ExportError, MarkerError, TimecodeError
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats import Export, edl
from mtbsync_integrations.formats.carries import Carries
from mtbsync_integrations.formats.colours import AVID, is_colour_name
from mtbsync_integrations.formats.ids import with_stable_ids
from mtbsync_integrations.formats.losses import listed, quoted, to_check
from mtbsync_integrations.formats.sources import timeline_start
from mtbsync_integrations.media_urls import file_name, normal_url
from mtbsync_integrations.timeline import Clip, Gap, Medium, Reading, Timeline, TimelineMarker, Track

NAME = "edl"
SUFFIX = ".edl"
CARRIES = Carries(
    palette=AVID,
    default_colour="red",
    name=edl.one_line,
    comment=None,
    n_tracks=1,
    clip_name=lambda name: edl.one_line(name) or "clip",
    timecode_only=True,
    medium=frozenset({"name", "start", "reel"}),
)

_LOCATOR = re.compile(r"\*\s*LOC:\s*(?P<timecode>\S+)(?:\s+(?P<first>\S+)(?:\s+(?P<rest>.*))?)?")
_CLIP_NAME = re.compile(r"\*\s*(?P<side>FROM|TO) CLIP NAME:\s*(?P<text>.*)", re.IGNORECASE)
_SOURCE = re.compile(r"\*\s*(?:SOURCE FILE|(?P<side>FROM|TO) (?:FILE|CLIP)):\s*(?P<text>.+)", re.IGNORECASE)
_SPEED = re.compile(r"M2\s+\S.*?\s(?P<fps>-?\d{1,4}(?:\.\d{1,3})?)\s+(?P<timecode>[0-9:;]+)")
_REEL_LENGTH = 8
_NO_REEL = "AX"
_BLACK = "BL"


def encode(timeline: Timeline) -> Export:
    """The cuts and the locators, each below the cut that it lies in.

    Raises:
        ExportError: there are more cuts than a list has numbers, or it is longer than a day.
    """
    start = timeline.start
    clips = timeline.tracks[0].clips() if timeline.tracks else ((0, _black(timeline)),)
    if len(clips) > edl.MAX_EVENTS:
        raise ExportError(
            f"An edit list holds {edl.MAX_EVENTS} cuts, but there are {len(clips)}; export FCPXML or OTIO."
        )
    reels = {clip.medium.reel: _reel(clip.medium.reel) for _, clip in clips if clip.medium}
    text = edl.header(timeline.name, start)
    past_midnight: list[str] = []
    later = list(timeline.markers)
    for number, (first, clip) in enumerate(clips, start=1):
        drop_frame = clip.medium.start.drop_frame if clip.medium else start.drop_frame
        source = Timecode(nearest_frame(clip.source_in_s, timeline.rate), timeline.rate, drop_frame)
        if clip.medium and source.frame + clip.n_frames > source.frames_per_day:
            past_midnight.append(quoted(clip.name, ""))
        reel = reels[clip.medium.reel] if clip.medium else _BLACK
        record = (start + first, start + first + clip.n_frames)
        text += edl.event(number, reel, (source, source + clip.n_frames), record) + "\n"
        if clip.medium:
            text += f"* FROM CLIP NAME:  {clip.name}\n"
            if clip.medium.name != clip.name:
                text += f"* SOURCE FILE: {clip.medium.name}\n"
        end = clips[number][0] if number < len(clips) else None
        while later and (end is None or later[0].frame < end):
            text += _locator(later.pop(0), start)
    losses = tuple(
        f"Reel '{reel}' is written as {short}: eight letters or digits at most."
        for reel, short in reels.items()
        if reel and reel != short
    )
    if past_midnight:
        losses += (
            "Their own timecode begins again at midnight, so check in your editor what they show: "
            f"{listed(past_midnight)}.",
        )
    n_frames = max(timeline.n_frames, edl.marked_frames(timeline))
    losses += edl.rate_warning(start, to_check(timeline)) + edl.day_warning(start, n_frames)
    return Export(((SUFFIX, text),), losses)


def read(path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
    """The list's picture cuts and its locators. Without `start` the timeline begins with its first cut.

    Raises:
        MarkerError: the file is no edit list, its timecode does not fit `start`, or it tells no rate.
    """
    cut_list = edl.read_list(path)
    start = start or _first_record(
        cut_list, timeline_start(path, rate, None, "00:00:00:00", drop_frame=cut_list.drop_frame)
    )
    cuts: list[_Cut] = []
    markers = []
    passed_over = 0
    told: int | None = None  # which cut the comments tell of; none below an event of sound
    for line in cut_list.lines:
        if event := line.event():
            if "V" in event["channels"].upper() or event["channels"].upper() == "B":
                told = len(cuts)
                cuts.append(_cut(line, event, start))
            else:
                told = None
                passed_over += 1
        elif locator := _LOCATOR.fullmatch(line.text):
            markers.append(_marker(line, locator, start))
        elif told is None:
            continue
        elif name := _CLIP_NAME.fullmatch(line.text):
            told = _told(cuts, name["side"], told)
            cuts[told] = replace(cuts[told], name=name["text"].strip())
        elif source := _SOURCE.fullmatch(line.text):
            told = _told(cuts, source["side"], told)
            cuts[told] = replace(cuts[told], source=source["text"])
        elif speed := _SPEED.fullmatch(line.text):
            cuts[-1] = replace(cuts[-1], speed=Fraction(speed["fps"]) / start.rate.nominal)
    items = _items(sorted(cuts, key=lambda cut: cut.record_in), path)
    timeline = Timeline(
        name=cut_list.title,
        start=start,
        tracks=(Track("Video 1", items),) if any(isinstance(item, Clip) for item in items) else (),
        markers=tuple(sorted(markers, key=lambda marker: marker.frame)),
    )
    losses = []
    if passed_over:
        losses.append(f"Sound left out: {passed_over} events.")
    if blended := [quoted(cut.name, "") for cut in cuts if cut.is_blended]:
        losses.append(f"Transitions left out: {listed(blended)}.")
    return Reading(with_stable_ids(timeline), tuple(losses))


@dataclass(frozen=True)
class _Cut:
    """A picture event; `is_blended` where it comes in by a dissolve or a wipe from the one before."""

    where: str
    reel: str
    name: str
    source_in: Timecode
    record_in: int
    n_frames: int
    is_blended: bool
    speed: Fraction = Fraction(1)
    source: str = ""


def _black(timeline: Timeline) -> Clip:
    return Clip("", max(1, timeline.n_frames), None)


def _reel(reel: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", reel)[:_REEL_LENGTH] or _NO_REEL


def _locator(marker: TimelineMarker, start: Timecode) -> str:
    text = f"{marker.colour.upper():<7} {marker.name}".rstrip()
    return f"* LOC: {start + marker.frame} {text}\n"


def _told(cuts: Sequence[_Cut], side: str | None, told: int) -> int:
    """Which cut a comment tells of: FROM of the one that a dissolve leaves, which black has no name for."""
    if side is None:
        return told
    last = len(cuts) - 1
    leaves = side.upper() == "FROM" and cuts[last].is_blended and last > 0
    return last - 1 if leaves and cuts[last - 1].reel != _BLACK else last


def _first_record(cut_list: edl.EditList, zero: Timecode) -> Timecode:
    """Where the first event begins: after the longest time of the day that holds none."""
    events = sorted(
        (line.timecode(event["record_in"], zero).frame, _n_frames(line, event, zero))
        for line in cut_list.lines
        if (event := line.event())
    )
    gaps: dict[int, int] = {}
    # What the events before have reached, those of the evening counted from the next midnight.
    reached = max((first + n_frames for first, n_frames in events), default=0) - zero.frames_per_day
    for first, n_frames in events:
        gaps.setdefault(first, first - reached)
        reached = max(reached, first + n_frames)
    return zero + max(gaps, key=lambda first: gaps[first], default=0)


def _n_frames(line: edl.Line, event: re.Match[str], like: Timecode) -> int:
    """An event's length, which may lie across midnight."""
    first, end = (line.timecode(event[name], like) for name in ("record_in", "record_out"))
    n_frames = (end.frame - first.frame) % like.frames_per_day
    if end.frame < first.frame and n_frames > like.frames_per_day // 2:
        raise MarkerError(f"{line.where}: this event ends before it begins; export the list again.")
    return n_frames


def _cut(line: edl.Line, event: re.Match[str], start: Timecode) -> _Cut:
    return _Cut(
        where=line.where,
        reel=event["reel"],
        name=event["reel"],
        source_in=_source_in(line, event, start.rate),
        record_in=line.frames_after(start, event["record_in"]),
        n_frames=_n_frames(line, event, start),
        is_blended=event["transition"][0].upper() in "DW",
    )


def _source_in(line: edl.Line, event: re.Match[str], rate: Rate) -> Timecode:
    """A tape counts as its own timecode is written; the list's mode is for those that do not show it."""
    text = event["source_in"]
    drop_frame = ";" in text or (line.drop_frame and ";" not in event["record_in"])
    try:
        return Timecode.parse(text, rate, drop_frame)
    except TimecodeError as error:
        raise MarkerError(f"{line.where}: {error}") from error


def _marker(line: edl.Line, locator: re.Match[str], start: Timecode) -> TimelineMarker:
    first, rest = locator["first"] or "", (locator["rest"] or "").strip()
    colour, name = (first.lower(), rest) if is_colour_name(first) else ("", f"{first} {rest}".strip())
    return TimelineMarker(line.frames_after(start, locator["timecode"]), name=name, colour=colour)


def _items(cuts: Sequence[_Cut], path: Path) -> tuple[Clip | Gap, ...]:
    """The cuts on one track, with gaps between them; those of no length are ends of dissolves."""
    items: list[Clip | Gap] = []
    frame = 0
    for cut in cuts:
        if cut.n_frames == 0:
            continue
        if cut.record_in < frame:
            raise MarkerError(
                f"{cut.where}: this event begins before the one above it ends; export one track."
            )
        if cut.record_in > frame:
            items.append(Gap(cut.record_in - frame))
        items.append(Gap(cut.n_frames) if cut.reel == _BLACK else _clip(cut))
        frame = cut.record_in + cut.n_frames
    return tuple(items)


def _clip(cut: _Cut) -> Clip:
    """A tape is known by its timecode alone, which counts from zero."""
    source, place = cut.source_in, normal_url(cut.source)
    medium = Medium(
        name=file_name(cut.source) if place != cut.source else cut.source or cut.name,
        url=place if place != cut.source else "",
        start=Timecode(0, source.rate, source.drop_frame),
        n_frames=0,
        reel="" if cut.reel == _NO_REEL else cut.reel,
    )
    return Clip(cut.name, cut.n_frames, medium, source.frame / source.rate.fps, cut.speed)
