"""The same edit of another run: markers, and the ins and outs of clips, carried over by a time map."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from mtbsync_engine.errors import MarkerError
from mtbsync_engine.model import Marker, TimeMap, TransferredMarker
from mtbsync_engine.timing import Rate, nearest_frame
from mtbsync_integrations.build import Footage, cuts
from mtbsync_integrations.formats.losses import listed
from mtbsync_integrations.on_recording import Shown, ambiguity, marker_at
from mtbsync_integrations.timeline import Clip, Gap, Timeline, TimelineMarker, Track

Transfer = Callable[[Sequence[Marker]], Sequence[TransferredMarker]]


@dataclass(frozen=True)
class NewEdit:
    """The edit of the new run, its markers as they were carried over, and sentences on what had to go."""

    timeline: Timeline
    markers: tuple[TransferredMarker, ...]
    losses: tuple[str, ...]


@dataclass(frozen=True)
class _Piece:
    """An item of the old edit at its first frame there, and what stands for it from frame `first` on."""

    old_first: int
    old: Clip | Gap
    first: int
    new: tuple[Clip, ...] | Gap

    @property
    def n_frames(self) -> int:
        return self.new.n_frames if isinstance(self.new, Gap) else sum(clip.n_frames for clip in self.new)

    def moved(self, old_frame: int) -> int:
        """Where a frame of the old item is now: as far into it, as a share of its length."""
        share = Fraction(old_frame - self.old_first, self.old.n_frames)
        return self.first + int(share * self.n_frames)


def same_edit(
    timeline: Timeline, reference: Footage, new: Footage, time_map: TimeMap, transfer: Transfer
) -> NewEdit:
    """The edit that shows of the new run what `timeline` shows of the reference.

    Each clip of the reference is cut anew from where the new run is at the same place as the old in, to
    where it is at the old out, at the clip's own speed; so it gets longer or shorter. On the track that
    shows most of the reference everything that follows moves along; what lies on other tracks stays above
    or below the same moment. Of a clip that the new run shows in part, that part is kept; one that it does
    not show leaves a gap of its length. All else stays as it is. `transfer` carries markers over.

    Raises:
        MarkerError: no clip of the timeline shows the reference.
    """
    shown = Shown.on(timeline, reference)
    main = max(timeline.tracks, key=lambda track: _n_frames_of(track, shown), default=None)
    if main is None or not _n_frames_of(main, shown):
        raise MarkerError(
            f"No clip of this timeline shows {reference.name}; give the timeline that was cut from it."
        )
    cutter = _Cutter(timeline.rate, shown, new, time_map)
    lead = cutter.rippled(main)
    tracks = [lead if track is main else cutter.kept_in_place(track, lead) for track in timeline.tracks]
    markers, transferred = _carried(timeline, tracks, lead, cutter, transfer)
    made = replace(
        timeline,
        name=f"{timeline.name} - {Path(new.name).stem}",
        tracks=tuple(
            Track(track.name, tuple(_items(pieces)))
            for track, pieces in zip(timeline.tracks, tracks, strict=True)
        ),
        markers=tuple(sorted(markers, key=lambda m: m.frame)),
        unplaced=tuple(m for m in transferred if m.t_new is None),
    )
    return NewEdit(made, transferred, (*ambiguity(timeline, shown), *cutter.sentences()))


def _n_frames_of(track: Track, shown: Shown) -> int:
    return sum(clip.n_frames for _, clip in track.clips() if shown.chapter(clip))


class _Cutter:
    """Cuts the new run where the reference was cut, and remembers what it could not do."""

    def __init__(self, rate: Rate, reference: Shown, new: Footage, time_map: TimeMap) -> None:
        self.rate = rate
        self.reference = reference
        self.new = Shown(new, by_place=True)
        self.time_map = time_map
        self._said: dict[str, list[str]] = {}

    def sentences(self) -> tuple[str, ...]:
        return tuple(f"{kind}: {listed(names)}." for kind, names in self._said.items())

    def rippled(self, track: Track) -> tuple[_Piece, ...]:
        """The track with each item right behind the one before."""
        pieces: list[_Piece] = []
        old_first = first = 0
        for item in track.items:
            pieces.append(_Piece(old_first, item, first, self._cut(item)))
            old_first += item.n_frames
            first += pieces[-1].n_frames
        return tuple(pieces)

    def kept_in_place(self, track: Track, lead: Sequence[_Piece]) -> tuple[_Piece, ...]:
        """The track with each clip at the moment of the leading track that it was at before."""
        pieces: list[_Piece] = []
        for old_first, clip in track.clips():
            made, first = self._cut(clip), _moved(lead, old_first)
            if pieces and first < pieces[-1].first + pieces[-1].n_frames:
                pieces[-1] = self._shortened(pieces[-1], first)
            pieces.append(_Piece(old_first, clip, first, made))
        return tuple(piece for piece in pieces if piece.n_frames)

    def _shortened(self, piece: _Piece, end: int) -> _Piece:
        """The piece without what comes at or after the frame `end`, where the next one begins."""
        self._say("Cut short, as the next clip on the track now begins earlier", piece.old)
        kept, first = [], piece.first
        for clip in (piece.new,) if isinstance(piece.new, Gap) else piece.new:
            n_frames = min(clip.n_frames, end - first)
            if n_frames > 0:
                kept.append(replace(clip, n_frames=n_frames))
            first += clip.n_frames
        return replace(piece, new=tuple(clip for clip in kept if isinstance(clip, Clip)))

    def _cut(self, item: Clip | Gap) -> tuple[Clip, ...] | Gap:
        if isinstance(item, Gap):
            return item
        if self.reference.chapter(item) is None:
            return (replace(item, markers=()),)
        begins_s, ends_s = (self.reference.moment_s(item, f, self.rate) for f in (0, item.n_frames))
        parts = list(self._shown_of_new(min(begins_s, ends_s), max(begins_s, ends_s)))
        if not parts:
            self._say("Not shown by the new run, and left as gaps", item)
            return Gap(item.n_frames)
        if parts[0][0] > min(begins_s, ends_s) or parts[-1][1] < max(begins_s, ends_s) or len(parts) > 1:
            self._say("Shown by the new run in part only", item)
        made: list[Clip] = []
        for low_s, high_s in parts if item.speed >= 0 else reversed(parts):
            low, high = (float(t) for t in self.time_map.to_new(np.array([low_s, high_s])))
            n_frames = item.n_frames
            if item.speed:
                n_frames = max(1, nearest_frame((high - low) / abs(float(item.speed)), self.rate))
            made += cuts(self.new.footage, low if item.speed >= 0 else high, n_frames, item.speed, self.rate)
        return tuple(replace(clip, name=item.name) if item.medium is None else clip for clip in made)

    def _shown_of_new(self, low_s: float, high_s: float) -> Iterator[tuple[float, float]]:
        """The parts of the reference between two moments of it that the new run shows as well."""
        for t_new in self.time_map.support:
            first_s, last_s = (float(t) for t in self.time_map.to_ref(np.array(t_new)))
            if max(first_s, low_s) < min(last_s, high_s) or first_s <= low_s == high_s <= last_s:
                yield max(first_s, low_s), min(last_s, high_s)

    def _say(self, kind: str, item: Clip | Gap) -> None:
        self._said.setdefault(kind, []).append(f"'{item.name}'" if isinstance(item, Clip) else "a gap")


def _moved(lead: Sequence[_Piece], old_frame: int) -> int:
    for piece in lead:
        if old_frame < piece.old_first + piece.old.n_frames:
            return piece.moved(old_frame)
    last = lead[-1]
    return last.first + last.n_frames + old_frame - (last.old_first + last.old.n_frames)


def _items(pieces: Sequence[_Piece]) -> Iterator[Clip | Gap]:
    frame = 0
    for piece in pieces:
        if piece.first > frame:
            yield Gap(piece.first - frame)
        yield from (piece.new,) if isinstance(piece.new, Gap) else piece.new
        frame = piece.first + piece.n_frames


# --- markers ------------------------------------------------------------------------------------


def _carried(
    timeline: Timeline,
    tracks: Sequence[Sequence[_Piece]],
    lead: Sequence[_Piece],
    cutter: _Cutter,
    transfer: Transfer,
) -> tuple[list[TimelineMarker], tuple[TransferredMarker, ...]]:
    """All markers on the new timeline; those of the reference where the new run is at the same place."""
    topmost = [piece for pieces in reversed(tracks) for piece in pieces]
    found: list[tuple[TimelineMarker, _Piece]] = []
    moved: list[TimelineMarker] = []
    for marker in timeline.markers:
        piece = next((p for p in topmost if _is_under(p, marker.frame, cutter.reference)), None)
        if piece is None:
            moved.append(replace(marker, frame=_moved(lead, marker.frame)))
        else:
            found.append((marker, piece))
    for piece in topmost:
        for marker in piece.old.markers if isinstance(piece.old, Clip) else ():
            on_timeline = replace(marker, frame=piece.old_first + marker.frame)
            if _is_under(piece, on_timeline.frame, cutter.reference):
                found.append((on_timeline, piece))
            else:
                moved.append(replace(on_timeline, frame=piece.moved(on_timeline.frame)))
    of_reference = [_on_reference(marker, piece, cutter) for marker, piece in found]
    transferred = tuple(transfer(of_reference))
    for (marker, piece), known in zip(found, transferred, strict=True):
        if known.t_new is not None:
            moved.append(_placed(marker, known, known.t_new, piece, cutter))
    return moved, transferred


def _is_under(piece: _Piece, old_frame: int, reference: Shown) -> bool:
    old = piece.old
    is_there = piece.old_first <= old_frame < piece.old_first + old.n_frames
    return is_there and isinstance(old, Clip) and reference.chapter(old) is not None


def _on_reference(marker: TimelineMarker, piece: _Piece, cutter: _Cutter) -> Marker:
    assert isinstance(piece.old, Clip)
    t_s = cutter.reference.moment_s(piece.old, marker.frame - piece.old_first, cutter.rate)
    return marker_at(marker, t_s, cutter.rate, piece.old.speed)


def _placed(
    marker: TimelineMarker, known: TransferredMarker, t_new: float, piece: _Piece, cutter: _Cutter
) -> TimelineMarker:
    """The marker on the clip that shows its moment of the new run; at the nearer end where a cut took it."""
    clips = () if isinstance(piece.new, Gap) else piece.new
    first, best = piece.first, piece.moved(marker.frame)
    nearest_s = float("inf")
    for clip in clips:
        if clip.speed:
            offset_s = (t_new - cutter.new.moment_s(clip, 0, cutter.rate)) / float(clip.speed)
            frame = min(max(nearest_frame(offset_s, cutter.rate), 0), clip.n_frames - 1)
            off_s = abs(offset_s - frame / float(cutter.rate.fps))
            if off_s < nearest_s:
                best, nearest_s = first + frame, off_s
        first += clip.n_frames
    speed = abs(float(piece.old.speed)) if isinstance(piece.old, Clip) and piece.old.speed else 1.0
    n_frames = nearest_frame(known.duration_s / speed, cutter.rate)
    return replace(marker, frame=best, n_frames=max(1, n_frames), transferred=known)
