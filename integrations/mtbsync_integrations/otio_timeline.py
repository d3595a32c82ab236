"""Our timeline as an OpenTimelineIO timeline, and back.

OpenTimelineIO counts in floats and has no field for drop-frame, ids or what mtbsync knows of a marker, so
exact values lie beside its own in `metadata["mtbsync"]`. Whoever edits the timeline edits OpenTimelineIO's
fields: an exact value holds only as long as it still agrees with them.

Conventions: a clip's `source_range` begins at the medium's timecode, at the medium's rate, and lasts as many
frames as the clip has on the timeline, at the timeline's. Markers of a clip count like its source. The
sound of a track's clips is a track of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

import opentimelineio as otio

from mtbsync_engine.errors import MarkerError, TimecodeError
from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode, nearest_frame
from mtbsync_integrations.formats.colours import OTIO, to_palette
from mtbsync_integrations.formats.losses import listed
from mtbsync_integrations.media_urls import file_name, normal_url
from mtbsync_integrations.timeline import (
    Clip,
    Gap,
    MarkerKind,
    Medium,
    Reading,
    Timeline,
    TimelineMarker,
    Track,
)

T = TypeVar("T")

KEY = "mtbsync"
RESOLVE_KEY = "Resolve_OTIO"

# Floats of times up to a day at thousandths of a frame are this exact at least.
_CLOSE_S = Fraction(1, 1_000_000)
_MAX_DENOMINATOR = 1_000_000


def to_otio(timeline: Timeline, *, exact: bool = True) -> otio.schema.Timeline:
    """The timeline in OpenTimelineIO's schema; without `exact` nothing lies in `metadata`."""
    rate = timeline.rate
    made = otio.schema.Timeline(timeline.name, global_start_time=_time(timeline.start.frame, rate))
    if exact:
        made.metadata[KEY] = {
            "start": _pack_timecode(timeline.start),
            "unplaced": [_pack_transferred(m) for m in timeline.unplaced],
            "width": timeline.width,
            "height": timeline.height,
        }
    for track in timeline.tracks:
        made.tracks.append(_otio_track(track, otio.schema.TrackKind.Video, track.name, rate, exact=exact))
    sounding = [track for track in timeline.tracks if any(_sounds(clip) for _, clip in track.clips())]
    for number, track in enumerate(sounding, start=1):
        sound = _otio_track(_sound(track), otio.schema.TrackKind.Audio, f"Audio {number}", rate, exact=exact)
        made.tracks.append(sound)
    made.tracks.markers.extend(
        _otio_marker(m, _time(m.frame, rate), rate, exact=exact) for m in timeline.markers
    )
    return made


def from_otio(found: Any, fallback: Timecode | None = None) -> Reading:
    """What an OpenTimelineIO object says, whoever made it. `fallback` gives rate and start where it tells
    none.

    Raises:
        MarkerError: it holds no timeline, or times that no timeline can have.
    """
    timelines = [found] if isinstance(found, otio.schema.Timeline) else list(_timelines(found))
    if not timelines:
        raise MarkerError("There is no timeline in it; export a timeline as OTIO.")
    losses = _Losses()
    losses.said += [f"Only the first timeline is read, of {len(timelines)}."] if len(timelines) > 1 else []
    try:
        timeline = _Reader(timelines[0], fallback, losses).timeline()
    except RecursionError as error:
        raise MarkerError("It is nested too deep to be read; export a simpler timeline.") from error
    except (
        TimecodeError,
        OverflowError,
        ValueError,
        # Asked how long something is that has no length.
        NotImplementedError,
        otio.exceptions.OTIOError,
    ) as error:
        raise MarkerError(f"Its times cannot be understood ({error}); export it again.") from error
    return Reading(timeline, losses.sentences())


def marker_colour(marker: otio.schema.Marker) -> str:
    """The colour that a marker was given, as a name or hex; empty when it has none.

    That is the exact name in the metadata while it agrees with OpenTimelineIO's own field, which is a
    string up to schema Marker.2 and an object or None from Marker.3 on.
    """
    colour = marker.color
    shown = (
        (colour or "") if colour is None or isinstance(colour, str) else str(colour.name or colour.to_hex())
    )
    exact = _own(marker).get("colour")
    return str(exact) if exact is not None and _otio_colour(str(exact)) == shown else shown


# --- out ----------------------------------------------------------------------------------------


def _otio_track(track: Track, kind: str, name: str, rate: Rate, *, exact: bool) -> otio.schema.Track:
    made = otio.schema.Track(name, kind=kind)
    for item in track.items:
        made.append(
            _otio_clip(item, rate, exact=exact)
            if isinstance(item, Clip)
            else otio.schema.Gap(duration=_time(item.n_frames, rate))
        )
    return made


def _sounds(clip: Clip) -> bool:
    return clip.medium is not None and clip.medium.has_audio


def _sound(track: Track) -> Track:
    items = (
        Clip(item.name, item.n_frames, item.medium, item.source_in_s, item.speed)
        if isinstance(item, Clip) and _sounds(item)
        else Gap(item.n_frames)
        for item in track.items
    )
    return Track(track.name, tuple(items))


def _otio_clip(clip: Clip, rate: Rate, *, exact: bool) -> otio.schema.Clip:
    source_in = _source_time(clip, clip.source_in_s, rate)
    made = otio.schema.Clip(
        clip.name, _otio_medium(clip.medium), otio.opentime.TimeRange(source_in, _time(clip.n_frames, rate))
    )
    if clip.speed == 0:
        made.effects.append(otio.schema.FreezeFrame())
    elif clip.speed != 1:
        made.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(clip.speed)))
    for marker in clip.markers:
        at = _source_time(clip, clip.source_in_s + marker.frame / rate.fps * clip.speed, rate)
        made.markers.append(_otio_marker(marker, at, rate, exact=exact))
    if exact:
        made.metadata[KEY] = {"source_in_s": str(clip.source_in_s), "speed": str(clip.speed)}
        if clip.medium:
            made.metadata[KEY]["medium"] = _pack_medium(clip.medium)
    return made


def _source_time(clip: Clip, source_s: Fraction, rate: Rate) -> otio.opentime.RationalTime:
    start = clip.medium.start if clip.medium else Timecode(0, rate)
    return otio.opentime.RationalTime(float(start.frame + source_s * start.rate.fps), float(start.rate.fps))


def _otio_medium(medium: Medium | None) -> otio.core.MediaReference:
    if medium is None:
        return otio.schema.GeneratorReference(generator_kind="unknown")
    rate = medium.start.rate
    extent = otio.opentime.TimeRange(_time(medium.start.frame, rate), _time(medium.n_frames, rate))
    made = (
        otio.schema.ExternalReference(medium.url, extent)
        if medium.url
        else otio.schema.MissingReference(available_range=extent)
    )
    made.name = medium.name
    return made


def _otio_marker(
    marker: TimelineMarker, at: otio.opentime.RationalTime, rate: Rate, *, exact: bool
) -> otio.schema.Marker:
    made = otio.schema.Marker(
        name=marker.name,
        marked_range=otio.opentime.TimeRange(at, _time(marker.n_frames, rate)),
        color=_otio_colour(marker.colour),
        comment=marker.comment,
    )
    if exact:
        known = marker.transferred
        made.metadata[KEY] = {
            "id": marker.marker_id,
            "colour": marker.colour,
            "kind": str(marker.kind),
            "frame": marker.frame,
            "transferred": _pack_transferred(known) if known else None,
        }
    return made


def _otio_colour(colour: str) -> str:
    colours, _ = to_palette([colour], OTIO, default="RED")
    return colours[colour]


def _time(frame: int, rate: Rate) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(frame, float(rate.fps))


# --- in -----------------------------------------------------------------------------------------


@dataclass
class _Losses:
    """What could not be kept, gathered by kind."""

    said: list[str] = field(default_factory=list)
    kinds: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        self.kinds.setdefault(kind, []).append(f"'{name}'")

    def sentences(self) -> tuple[str, ...]:
        return (*self.said, *(f"{kind}: {listed(names)}." for kind, names in self.kinds.items()))


class _Reader:
    """Reads one timeline, whose rate and start everything in it depends on."""

    def __init__(self, found: otio.schema.Timeline, fallback: Timecode | None, losses: _Losses) -> None:
        self.found = found
        self.losses = losses
        self.start = _start(found, fallback)
        self.rate = self.start.rate
        self._sounding = {
            _place(clip.media_reference)
            for track in found.tracks
            if isinstance(track, otio.schema.Track) and track.kind == otio.schema.TrackKind.Audio
            for clip in track.find_clips()
        }

    def timeline(self) -> Timeline:
        own = _own(self.found)
        tracks = []
        for track in self.found.tracks:
            if not isinstance(track, otio.schema.Track):
                self.losses.add("Left out, as it lies beside the tracks", track.name)
                self._say_markers("Left out with what lies beside the tracks", _markers_in(track))
                continue
            self._say_if_off(track)
            self._say_markers("Markers of tracks left out", track.markers)
            if track.kind != otio.schema.TrackKind.Audio:
                tracks.append(Track(track.name, tuple(self._items(track))))
                continue
            if not self._is_sound_of_pictures(track):
                self.losses.add("Sound left out", track.name)
            inner = (marker for child in track for marker in _markers_in(child))
            self._say_markers("Markers of sound left out", inner)
        markers = [
            self._marker(m, self._frame(_seconds(m.marked_range.start_time)))
            for m in self.found.tracks.markers
        ]
        width, height = _noted(_unpack_size, own) or (0, 0)
        return Timeline(
            name=self.found.name,
            start=self.start,
            tracks=tuple(tracks),
            markers=tuple(sorted((m for m in markers if m), key=lambda m: m.frame)),
            unplaced=_noted(_unpack_unplaced, own) or (),
            width=width,
            height=height,
        )

    def _is_sound_of_pictures(self, sound: otio.schema.Track) -> bool:
        pictures = {
            _place(clip.media_reference)
            for track in self.found.tracks
            if isinstance(track, otio.schema.Track) and track.kind != otio.schema.TrackKind.Audio
            for clip in track.find_clips()
        }
        return all(_place(clip.media_reference) in pictures for clip in sound.find_clips())

    def _frame(self, t_s: Fraction) -> int:
        return nearest_frame(t_s, self.rate)

    def _items(self, track: otio.schema.Track) -> Iterable[Clip | Gap]:
        """Clips and gaps with their edges on the nearest frames, so that they abut as they did."""
        end_s, first = Fraction(0), 0
        for child in track:
            if isinstance(child, otio.schema.Transition):
                self.losses.add("Transitions left out", child.name or child.transition_type)
                continue
            end_s += _seconds(child.duration())
            n_frames = self._frame(end_s) - first
            first += n_frames
            if n_frames <= 0:
                self.losses.add("Left out, as it is shorter than a frame", child.name)
            elif isinstance(child, otio.schema.Gap):
                self._say_markers("Markers in gaps left out", child.markers)
                yield Gap(n_frames)
            elif isinstance(child, otio.schema.Clip):
                yield self._clip(child, n_frames)
            else:
                yield self._nested(child, n_frames)

    def _nested(self, nested: otio.core.Composition, n_frames: int) -> Clip:
        """One clip in place of an edit within the edit."""
        self.losses.add("Kept as one clip without its medium", nested.name)
        self._say_if_off(nested)
        inner = (marker for child in nested for marker in _markers_in(child))
        self._say_markers("Markers inside nested edits left out", inner)
        begins = nested.trimmed_range().start_time
        markers = self._markers_of(nested, begins, n_frames, Fraction(1))
        return Clip(nested.name, n_frames, None, markers=markers)

    def _clip(self, clip: otio.schema.Clip, n_frames: int) -> Clip:
        self._say_if_off(clip)
        noted = _noted(_unpack_clip, _own(clip)) or _NotedClip()
        medium = self._medium(clip, noted)
        speed = self._speed(clip, noted)
        span = _span(clip)
        begins = span.start_time if span else otio.opentime.RationalTime(0, float(self.rate.fps))
        rate = medium.start.rate if medium else self.rate
        first_s = medium.start.frame / rate.fps if medium else Fraction(0)
        return Clip(
            name=clip.name,
            n_frames=n_frames,
            medium=medium,
            source_in_s=self._exact(_seconds(begins) - first_s, noted.source_in_s, rate, speed),
            speed=speed,
            markers=self._markers_of(clip, begins, n_frames, speed),
        )

    def _markers_of(
        self, item: otio.core.Item, begins: otio.opentime.RationalTime, n_frames: int, speed: Fraction
    ) -> tuple[TimelineMarker, ...]:
        """An item's own markers, which count as its source does, from `begins` on."""
        markers = []
        for marker in item.markers:
            offset_s = _seconds(marker.marked_range.start_time) - _seconds(begins)
            frame = self._frame(offset_s / speed) if speed else 0
            kept = _own(marker).get("frame")
            if isinstance(kept, int) and abs(offset_s - kept / self.rate.fps * speed) < _CLOSE_S:
                frame = kept
            if 0 <= frame < n_frames:
                markers.append(self._marker(marker, frame))
            else:
                self._say_markers("Left out, as their clip is cut before or after them", [marker])
        return tuple(m for m in markers if m)

    def _say_if_off(self, item: otio.core.Item) -> None:
        if not item.enabled:
            self.losses.add("Switched off in the edit, and kept", item.name)

    def _say_markers(self, kind: str, markers: Iterable[otio.schema.Marker]) -> None:
        for marker in markers:
            self.losses.add(kind, marker.name)

    def _medium(self, clip: otio.schema.Clip, noted: _NotedClip) -> Medium | None:
        reference = clip.media_reference
        if isinstance(reference, otio.schema.GeneratorReference):
            return None
        extent = reference.available_range if reference else None
        span = extent or clip.source_range
        rate = _exact_rate(span.start_time.rate) if span else self.rate
        url = normal_url(getattr(reference, "target_url", "") or "")
        first = nearest_frame(_seconds(extent.start_time), rate) if extent else 0
        # One that mtbsync gave no name has none.
        usual_name = "" if noted.is_ours else file_name(url) or clip.name
        return Medium(
            name=(reference.name if reference else "") or usual_name,
            url=url,
            start=Timecode(max(0, first), rate, noted.drop_frame and rate.can_drop),
            n_frames=nearest_frame(_seconds(extent.duration), rate) if extent else 0,
            width=noted.width,
            height=noted.height,
            has_audio=_place(reference) in self._sounding,
            reel=noted.reel,
        )

    def _speed(self, clip: otio.schema.Clip, noted: _NotedClip) -> Fraction:
        speed = Fraction(1)
        for effect in clip.effects:
            if isinstance(effect, otio.schema.LinearTimeWarp):
                speed *= Fraction(effect.time_scalar).limit_denominator(_MAX_DENOMINATOR)
            else:
                self.losses.add("Effects left out", effect.name or effect.effect_name)
        return noted.speed if abs(noted.speed - speed) < _CLOSE_S else speed

    def _exact(self, t_s: Fraction, noted: Fraction | None, rate: Rate, speed: Fraction) -> Fraction:
        """The exact time that a float stands for: as it was noted, else on a grid that it lies on."""
        steps = [1 / rate.fps, (abs(speed) or 1) / self.rate.fps]
        candidates = [] if noted is None else [noted]
        candidates += [round(t_s / step) * step for step in steps]
        return next((c for c in candidates if abs(c - t_s) < _CLOSE_S), t_s)

    def _marker(self, marker: otio.schema.Marker, frame: int) -> TimelineMarker | None:
        own = _own(marker)
        if frame < 0:
            self._say_markers("Left out, as they lie before the timeline's start", [marker])
            return None
        length_s = _seconds(marker.marked_range.duration)
        note = _metadata(marker, RESOLVE_KEY).get("Note", "")
        return TimelineMarker(
            frame=frame,
            n_frames=max(1, self._frame(length_s)),
            name=marker.name,
            colour=marker_colour(marker),
            comment=marker.comment or str(note),
            marker_id=str(own.get("id", "")),
            kind=_noted(MarkerKind, own.get("kind")) or MarkerKind.STANDARD,
            transferred=_noted(_unpack_transferred, own.get("transferred")),
        )


def _place(reference: otio.core.MediaReference | None) -> tuple[str, str]:
    """What tells one medium from another: where it lies, and its name."""
    return (getattr(reference, "target_url", "") or "", reference.name) if reference else ("", "")


def _markers_in(thing: otio.core.Composable) -> Iterable[otio.schema.Marker]:
    """The markers of a thing and of everything inside it."""
    if isinstance(thing, otio.core.Item):
        yield from thing.markers
    if isinstance(thing, otio.core.Composition):
        for child in thing:
            yield from _markers_in(child)


def _timelines(found: Any) -> Iterable[otio.schema.Timeline]:
    if isinstance(found, otio.schema.SerializableCollection):
        for child in found:
            yield from [child] if isinstance(child, otio.schema.Timeline) else _timelines(child)
    elif isinstance(found, otio.schema.Stack | otio.schema.Track | otio.schema.Clip):
        made = otio.schema.Timeline(found.name)
        if isinstance(found, otio.schema.Stack):
            made.tracks = found.clone()
        elif isinstance(found, otio.schema.Track):
            made.tracks.append(found.clone())
        else:
            made.tracks.append(otio.schema.Track("Video 1", [found.clone()]))
        yield made


def _start(found: otio.schema.Timeline, fallback: Timecode | None) -> Timecode:
    start = found.global_start_time
    exact = _noted(_unpack_timecode, _own(found).get("start"))
    if exact and (start is None or abs(_seconds(start) - exact.frame / exact.rate.fps) < _CLOSE_S):
        return exact
    times = [start] if start else []
    times += [span.duration for clip in found.find_clips() if (span := _span(clip))]
    times += [marker.marked_range.start_time for marker in found.tracks.markers]
    rates = [time.rate for time in times if time.rate > 0]
    # A rate of 1 is what OpenTimelineIO gives to a time of zero that has none.
    named = next((rate for rate in rates if rate != 1), None)
    if named is None:
        if fallback is None:
            raise MarkerError("It does not tell its timeline's frame rate; give it with --fps.")
        return fallback
    rate = _exact_rate(named)
    return Timecode(max(0, nearest_frame(_seconds(start), rate)) if start else 0, rate)


def _span(clip: otio.schema.Clip) -> otio.opentime.TimeRange | None:
    """What a clip shows of its medium; None where nothing says how much that is."""
    reference = clip.media_reference
    return clip.source_range or (reference.available_range if reference else None)


def _own(thing: Any) -> dict[str, Any]:
    """What mtbsync noted on an object; empty where that is nothing."""
    return _metadata(thing, KEY)


def _metadata(thing: Any, key: str) -> dict[str, Any]:
    """What an object's metadata holds under `key`; empty where that is nothing, or no mapping."""
    found = _copied(thing.metadata.get(key))
    return found if isinstance(found, dict) else {}


def _copied(value: Any) -> Any:
    """A value as plain data: what OpenTimelineIO hands out is void once its owner is gone."""
    if isinstance(value, Mapping):
        return {str(key): _copied(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_copied(inner) for inner in value]
    return value


def _exact_rate(rate: float) -> Rate:
    """The exact rate behind a float; 29.97 and 29.97002997 both are 30000/1001."""
    if not math.isfinite(rate) or rate <= 0:
        raise MarkerError(f"It counts {rate} frames a second, which no timeline does; export it again.")
    return Rate.parse(f"{rate:.3f}")


def _seconds(time: otio.opentime.RationalTime) -> Fraction:
    return Fraction(time.value) / _exact_rate(time.rate).fps


# --- what lies in the metadata ------------------------------------------------------------------


def _pack_timecode(timecode: Timecode) -> dict[str, Any]:
    return {
        "frame": timecode.frame,
        "rate": str(timecode.rate.fps),
        "drop_frame": timecode.drop_frame,
    }


def _noted(unpack: Callable[[Any], T], packed: Any) -> T | None:
    """What mtbsync noted; None where it noted nothing, or where somebody else has been at it."""
    if packed is None:
        return None
    try:
        return unpack(packed)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, TimecodeError):
        return None


def _unpack_timecode(packed: Any) -> Timecode:
    return Timecode(int(packed["frame"]), Rate(Fraction(packed["rate"])), bool(packed["drop_frame"]))


def _unpack_size(packed: Any) -> tuple[int, int]:
    return int(packed["width"]), int(packed["height"])


def _unpack_unplaced(packed: Any) -> tuple[TransferredMarker, ...]:
    return tuple(_unpack_transferred(one) for one in packed["unplaced"])


@dataclass(frozen=True)
class _NotedClip:
    """What mtbsync noted of a clip that OpenTimelineIO has no exact field for."""

    is_ours: bool = False
    source_in_s: Fraction | None = None
    speed: Fraction = Fraction(1)
    drop_frame: bool = False
    width: int = 0
    height: int = 0
    reel: str = ""


def _unpack_clip(packed: Any) -> _NotedClip:
    medium = packed.get("medium", {})
    return _NotedClip(
        is_ours="source_in_s" in packed,
        source_in_s=Fraction(packed["source_in_s"]),
        speed=Fraction(packed["speed"]),
        drop_frame=bool(medium.get("drop_frame")),
        width=int(medium.get("width", 0)),
        height=int(medium.get("height", 0)),
        reel=str(medium.get("reel", "")),
    )


def _pack_medium(medium: Medium) -> dict[str, Any]:
    return {
        "drop_frame": medium.start.drop_frame,
        "width": medium.width,
        "height": medium.height,
        "reel": medium.reel,
    }


def _pack_transferred(transferred: TransferredMarker) -> dict[str, Any]:
    marker, error_s = transferred.marker, transferred.expected_error_s
    return {
        "marker_id": marker.marker_id,
        "name": marker.name,
        "t_ref_s": float(marker.t_s),
        "duration_ref_s": float(marker.duration_s),
        "colour": marker.colour,
        "comment": marker.comment,
        "extra": [list(pair) for pair in marker.extra],
        "t_new_s": None if transferred.t_new is None else float(transferred.t_new),
        "duration_s": float(transferred.duration_s),
        "confidence": float(transferred.confidence),
        "expected_error_s": None if error_s is None else float(error_s),
        "needs_review": bool(transferred.needs_review),
        "reason": transferred.reason,
    }


def _unpack_transferred(packed: Any) -> TransferredMarker:
    t_new_s, error_s = packed["t_new_s"], packed["expected_error_s"]
    return TransferredMarker(
        marker=Marker(
            marker_id=str(packed["marker_id"]),
            name=str(packed["name"]),
            t_s=float(packed["t_ref_s"]),
            duration_s=float(packed["duration_ref_s"]),
            colour=str(packed["colour"]),
            comment=str(packed["comment"]),
            extra=tuple((str(column), str(cell)) for column, cell in packed["extra"]),
        ),
        t_new=None if t_new_s is None else float(t_new_s),
        duration_s=float(packed["duration_s"]),
        confidence=float(packed["confidence"]),
        expected_error_s=None if error_s is None else float(error_s),
        needs_review=bool(packed["needs_review"]),
        reason=str(packed["reason"]),
    )
