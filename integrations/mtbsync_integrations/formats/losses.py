"""Words that sentences on losses share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from textwrap import shorten

from mtbsync_engine.model import TransferredMarker

_SHOWN = 5


def quoted(name: str, marker_id: str) -> str:
    """A marker's name in quotes, short enough for a sentence; its id where it has no name."""
    return f"'{shorten(name, 40, placeholder='…') or marker_id}'"


def review_hint(transferred: TransferredMarker) -> str:
    """What a marker that needs review says of it, in front of its text; empty where it needs none."""
    if not transferred.needs_review:
        return ""
    error_s = transferred.expected_error_s
    return "CHECK: " if error_s is None else f"CHECK, may be {error_s:.1f} s off: "


def listed(things: Sequence[str]) -> str:
    """The first few of `things`, each once with how often it is there, and how many others there are."""
    named = [f"{thing} ({n} times)" if n > 1 else thing for thing, n in Counter(things).items()]
    more = len(named) - _SHOWN
    shown = ", ".join(named[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
