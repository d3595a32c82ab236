"""Ids for markers that come without.

They follow from name and time alone, so they survive another reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256

from mtbsync_engine.timing import frame_start_s
from mtbsync_integrations.timeline import Clip, Gap, Timeline, TimelineMarker


def stable_ids(names_and_times: Iterable[tuple[str, float]]) -> tuple[str, ...]:
    """An id for each marker that follows from its name and time (seconds) alone.

    So it survives another reading and another order of rows. Markers that share both are numbered.
    """
    seen: Counter[tuple[str, float]] = Counter()
    ids = []
    for key in names_and_times:
        name, t_s = key
        text = f"{name}\0{float(t_s)!r}\0{seen[key]}"
        seen[key] += 1
        # The letter keeps spreadsheets from reading digits and an e as a number.
        ids.append("m" + sha256(text.encode()).hexdigest()[:12])
    return tuple(ids)


def with_stable_ids(timeline: Timeline, *, anew: bool = False) -> Timeline:
    """The timeline with an id for every marker that has none, or the one of a marker before it on the same
    clip or on the timeline; with `anew` for each of them."""

    def numbered(markers: Sequence[TimelineMarker]) -> tuple[TimelineMarker, ...]:
        made = stable_ids((m.name, frame_start_s(m.frame, timeline.rate)) for m in markers)
        taken: set[str] = set()
        own = []
        for marker, stable_id in zip(markers, made, strict=True):
            keeps = marker.marker_id and not anew and marker.marker_id not in taken
            own.append(marker.marker_id if keeps else stable_id)
            taken.add(own[-1])
        return tuple(replace(m, marker_id=marker_id) for m, marker_id in zip(markers, own, strict=True))

    return on_all_markers(timeline, numbered)


def on_all_markers(
    timeline: Timeline, change: Callable[[Sequence[TimelineMarker]], tuple[TimelineMarker, ...]]
) -> Timeline:
    """The timeline with its own markers, and those of each of its clips, replaced by what `change` makes of
    them."""

    def changed(item: Clip | Gap) -> Clip | Gap:
        return replace(item, markers=change(item.markers)) if isinstance(item, Clip) else item

    tracks = tuple(replace(t, items=tuple(changed(i) for i in t.items)) for t in timeline.tracks)
    return replace(timeline, tracks=tracks, markers=change(timeline.markers))
