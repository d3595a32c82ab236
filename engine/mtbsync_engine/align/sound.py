"""One camera's sound laid on another's: roughly by the bands of their spectra, then to a fraction of a
millisecond by their phases.

The score is how far the best offset stands out of all others, in robust standard deviations, less where
another one is more than a third as good, and 0 from two thirds on: loops and clicks fit at many offsets, and
so do sounds that have nothing in common. `GOOD_SCORE` and more is given only where the phases confirm it,
window by window.
"""

from __future__ import annotations

import numpy as np

from mtbsync_engine.align.sound_coarse import Coarse, find_offsets
from mtbsync_engine.align.sound_fine import Fine, Line, follow
from mtbsync_engine.confidence import FAIR_SCORE, GOOD_SCORE, Method
from mtbsync_engine.index.sound import FRAME_HZ, SoundIndex, index_sound
from mtbsync_engine.model import FloatArray
from mtbsync_engine.session import Correlation, Placement, Sound, SoundMatch

# The highest score that a match has without its phases' word.
_UNCONFIRMED = 0.9 * GOOD_SCORE
# What nine in ten of those are within.
_COARSE_ERROR_S = 1.0 / FRAME_HZ
# As much as a picture shows.
_MOST_POINTS = 2000


def match_sounds(master: Sound, other: Sound) -> SoundMatch | None:
    """How `other` lies on `master`; None where either is silent, or shorter than three seconds."""
    return match_indexed(index_sound(master), index_sound(other))


def match_indexed(master: SoundIndex, other: SoundIndex) -> SoundMatch | None:
    """The same, of sounds that have been listened to."""
    if not (master.tells and other.tells):
        return None
    coarse = find_offsets(master.bands, other.bands)
    fine = follow(master, other, _line(coarse, coarse.drift_ppm))
    return SoundMatch(_placement(coarse, fine), _correlation(coarse, fine))


def _line(coarse: Coarse, drift_ppm: float) -> Line:
    return Line(coarse.at_zero_s(drift_ppm), drift_ppm)


def _placement(coarse: Coarse, fine: Fine) -> Placement:
    line, score, error_s, method = fine.line, coarse.score, fine.error_s, Method.HYBRID
    reason = f"The sounds agree in {int(fine.agrees.sum())} of {fine.agrees.size} places."
    if line is None:
        line = _line(coarse, coarse.sure_drift_ppm)
        score, method = min(score, _UNCONFIRMED), Method.XCORR
        error_s = max(_COARSE_ERROR_S, fine.apart_s)
        reason = "The sounds go the same way there, but they do not agree in detail."
        if fine.apart_s:
            reason = (
                f"The sounds agree on two offsets, {1000 * fine.apart_s:.0f} ms apart: something seems to be "
                "missing in one of them."
            )
    if score < FAIR_SCORE:
        # Of an offset that is as good as others nobody knows by how much it errs.
        error_s, reason = None, "The sounds fit about as well at other offsets."
    return Placement(line.offset_s, line.drift_ppm, score, error_s, method, reason)


def _correlation(coarse: Coarse, fine: Fine) -> Correlation:
    offset_s, z = _thinned(coarse.offset_s, coarse.z)
    return Correlation(offset_s, z, fine.t_cam_s, fine.offset_s, fine.agrees)


def _thinned(offset_s: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of each of at most `_MOST_POINTS` runs of neighbours the highest."""
    starts = np.linspace(0, z.size, min(_MOST_POINTS, z.size), endpoint=False).astype(np.int64)
    ends = np.append(starts[1:], z.size)
    kept = np.array([start + int(z[start:end].argmax()) for start, end in zip(starts, ends, strict=True)])
    return offset_s[kept], z[kept]
