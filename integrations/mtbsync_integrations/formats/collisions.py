"""For editors that allow one marker a frame: whoever comes second moves to the next free frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from mtbsync_engine.timing import Rate
from mtbsync_integrations.formats.losses import listed, quoted
from mtbsync_integrations.timeline import TimelineMarker


def one_a_frame(
    markers: Sequence[TimelineMarker], n_frames: int, rate: Rate
) -> tuple[tuple[TimelineMarker, ...], tuple[str, ...]]:
    """`markers` in order of their frames, no two on one, and sentences on those that moved or are left out.

    The first marker of every frame keeps it. The others look for a free frame up to a second later, then
    up to a second earlier, among the timeline's frames 0 to `n_frames` - 1.
    """
    taken: dict[int, TimelineMarker] = {}
    crowded = []
    for marker in markers:
        if taken.setdefault(marker.frame, marker) is not marker:
            crowded.append(marker)
    moved, left_out = [], []
    for marker in crowded:
        free = _free_frame(marker.frame, taken, n_frames, rate.nominal)
        name = quoted(marker.name, marker.marker_id)
        if free is None:
            left_out.append(name)
        else:
            taken[free] = replace(marker, frame=free)
            moved.append(f"{name} {_shift(free - marker.frame)}")
    kinds = {
        "Moved, as another marker has the frame": moved,
        "Not placed, as every frame within a second has a marker": left_out,
    }
    sentences = tuple(f"{kind}: {listed(names)}." for kind, names in kinds.items() if names)
    return tuple(taken[frame] for frame in sorted(taken)), sentences


def _free_frame(frame: int, taken: dict[int, TimelineMarker], n_frames: int, reach: int) -> int | None:
    later = range(frame + 1, min(frame + reach, n_frames - 1) + 1)
    earlier = range(frame - 1, max(frame - reach, 0) - 1, -1)
    return next((f for f in chain(later, earlier) if f not in taken), None)


def _shift(frames: int) -> str:
    unit = "frame" if abs(frames) == 1 else "frames"
    return f"{abs(frames)} {unit} {'later' if frames > 0 else 'earlier'}"
