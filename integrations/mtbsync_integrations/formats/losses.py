"""Words that sentences on losses share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mtbsync_integrations.timeline import Timeline

_SHOWN = 5
_HINT = re.compile(r"CHECK(?:, may be \d+\.\d s off)?: ?")


class Placed(Protocol):
    """What is known of how well a marker was placed, as in a `TransferredMarker` of the engine."""

    @property
    def needs_review(self) -> bool:
        """Whether a person has to look at it."""

    @property
    def expected_error_s(self) -> float | None:
        """What bounds its error in nine cases of ten."""


def quoted(name: str, marker_id: str) -> str:
    """A marker's name in quotes, short enough for a sentence; its id where it has no name."""
    return f"'{shorten(name, 40, placeholder='…') or marker_id}'"


def review_hint(placed: Placed) -> str:
    """What a marker that needs review says of it, in front of its text; empty where it needs none."""
    if not placed.needs_review:
        return ""
    error_s = placed.expected_error_s
    return "CHECK: " if error_s is None else f"CHECK, may be {error_s:.1f} s off: "


def without_review_hint(text: str) -> str:
    """The text of a marker without what `review_hint` put in front of it."""
    hint = _HINT.match(text)
    return text if hint is None else text[hint.end() :]


def to_check(timeline: Timeline) -> str:
    """What a person looks at in a file that nobody has yet seen its editor read."""
    clips = [clip for track in timeline.tracks for _, clip in track.clips()]
    is_marked = timeline.markers or any(clip.markers for clip in clips)
    return "the first and the last marker" if is_marked or not clips else "where the clips begin and end"


def listed(things: Sequence[str]) -> str:
    """The first few of `things`, each once with how often it is there, and how many others there are."""
    named = [f"{thing} ({n} times)" if n > 1 else thing for thing, n in Counter(things).items()]
    more = len(named) - _SHOWN
    shown = ", ".join(named[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
