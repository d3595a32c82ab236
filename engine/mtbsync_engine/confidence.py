"""What told where a camera lies, and what a person should make of it. No library is needed for it."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """What told how a camera's clock lies on the master's."""

    HYBRID = "hybrid"  # how the sounds' spectra follow each other, then their phases
    XCORR = "xcorr"  # how the sounds' spectra follow each other, alone
    TIMECODE = "timecode"
    CREATED = "created"
    PICTURE = "picture"


class Trust(StrEnum):
    """What a person should do about a placement, by its score."""

    LOOKS_GOOD = "looks-good"
    REVIEW = "review-suggested"
    NUDGE = "needs-manual-nudge"


# Standard scores from which on a placement looks good, and from which on it is worth looking at.
GOOD_SCORE, FAIR_SCORE = 10.0, 5.0


def trust_of(score: float) -> Trust:
    """The class that a standard score falls in."""
    if score >= GOOD_SCORE:
        return Trust.LOOKS_GOOD
    return Trust.REVIEW if score >= FAIR_SCORE else Trust.NUDGE
