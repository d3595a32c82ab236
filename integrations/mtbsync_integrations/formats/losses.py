"""Sentences on what a format could not carry for the timeline at hand."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

from opentimelineio.schema import Timeline

from mtbsync_engine.model import TransferredMarker
from mtbsync_integrations.timeline import placed_markers, unplaced_markers

_SHOWN = 5


def title(transferred: TransferredMarker) -> str:
    """A marker's name in quotes, short enough for a sentence; its id where it has no name."""
    name = shorten(transferred.marker.name, 40, placeholder="…") or transferred.marker.marker_id
    return f"'{name}'"


def review_hint(transferred: TransferredMarker) -> str:
    """What a marker that needs review says of it, in front of its text; empty where it needs none."""
    if not transferred.needs_review:
        return ""
    error_s = transferred.expected_error_s
    return "CHECK: " if error_s is None else f"CHECK, may be {error_s:.1f} s off: "


def listed(things: Sequence[str]) -> str:
    """The first few of `things`, and how many more there are."""
    more = len(things) - _SHOWN
    shown = ", ".join(things[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


def not_carried(timeline: Timeline, *, comment: bool, length: bool) -> tuple[str, ...]:
    """What goes missing on the way into an editor's format, one sentence a kind; nothing in it is empty.

    `comment` and `length` say whether the format carries those. None of the editors has a field for a
    marker's id, its confidence or the columns of its source.
    """
    unplaced = unplaced_markers(timeline)
    placed = placed_markers(timeline)
    carried = [p.transferred for p in placed]
    columns = dict.fromkeys(column for m in carried for column, _ in m.marker.extra)
    kinds = {
        "Not placed": [f"{title(m)} ({m.reason})" if m.reason else title(m) for m in unplaced],
        "Comments left out": [title(m) for m in carried if m.marker.comment and not comment],
        "Lengths left out": [title(p.transferred) for p in placed if p.n_frames > 1 and not length],
        "Left out for every marker": ["id", "confidence", "expected error"] if carried else [],
        "Columns left out": [f"'{column}'" for column in columns],
    }
    return tuple(f"{kind}: {listed(things)}." for kind, things in kinds.items() if things)
