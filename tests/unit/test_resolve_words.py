"""Markers in Resolve's words are the same for a whole timeline and for one marker."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mtbsync_engine.model import Marker, TransferredMarker
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats.fitting import fitted
from mtbsync_integrations.formats.losses import review_hint, without_review_hint
from mtbsync_integrations.resolve.words import CARRIES, in_words
from mtbsync_integrations.timeline import Timeline, TimelineMarker


def _carried(marker: Marker, error_s: float | None, needs_review: bool) -> TransferredMarker:
    return TransferredMarker(marker, 1.0, 0.5, error_s, needs_review)


@pytest.mark.parametrize(
    ("name", "colour", "comment", "error_s", "needs_review"),
    [
        ("gate", "Green", "note", 0.2, False),
        ("", "", "", None, True),
        ("\x01", "#00ff00", " a\rb\x07 ", 1.26, True),
        ("ünï", "teal", "CHECK: mine", 0.3, True),
    ],
)
def test_words_are_those_that_fitting_gives(
    name: str, colour: str, comment: str, error_s: float | None, needs_review: bool
) -> None:
    carried = _carried(Marker("m", name, 1.0, colour=colour, comment=comment), error_s, needs_review)
    placed = TimelineMarker(25, name=name, colour=colour, comment=comment, marker_id="m", transferred=carried)
    (fit,) = fitted(Timeline("t", Timecode(0, Rate(Fraction(25))), markers=(placed,)), CARRIES)[0].markers
    words = in_words(name, colour, comment, carried)
    assert (words.name, words.colour, words.note) == (fit.name, fit.colour, fit.comment)


@pytest.mark.parametrize("error_s", [None, 0.04, 0.3, 12.34])
@pytest.mark.parametrize("comment", ["", "look", "CHECK: mine", "CHECK"])
def test_what_is_put_in_front_for_review_comes_off_again(comment: str, error_s: float | None) -> None:
    carried = _carried(Marker("m", "n", 1.0), error_s, True)
    assert without_review_hint(review_hint(carried) + comment) == comment
    assert without_review_hint(in_words("n", "", comment, carried).note) == comment


@pytest.mark.parametrize("text", ["", "look", "CHECK", "CHECKED: it", "check: it"])
def test_what_a_person_wrote_stays(text: str) -> None:
    assert without_review_hint(text) == text
