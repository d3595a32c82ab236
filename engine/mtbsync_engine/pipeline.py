"""The stages in their order, each result kept under the key of what it was made from.

    probe -> index -> align -> judge -> transfer -> deliver

Each stage is a call: `media.probe`, `index.build.build_index`, `align.match.match`, `fit_and_judge`,
`markers.transfer`, a format's `write`. Here stand those that join two modules.
"""

from __future__ import annotations

from pathlib import Path

from mtbsync_engine.align.fit import FitParams, fit
from mtbsync_engine.errors import ArtifactError
from mtbsync_engine.index.store import load_index
from mtbsync_engine.judge import Gates, Judged, judge, measure
from mtbsync_engine.model import (
    Index,
    IndexParams,
    Matching,
    Recording,
)


def fit_and_judge(matching: Matching, params: FitParams, gates: Gates) -> Judged:
    """Fit the time map and judge it.

    Raises:
        AlignmentError: nothing could be fitted.
    """
    alignment = fit(matching, params)
    quality = measure(alignment)
    return Judged(alignment, quality, judge(alignment, quality, gates))


def kept_index(path: Path, recording: Recording, params: IndexParams) -> Index | None:
    """The index at `path` if it is of this content and made this way; None where it has to be made."""
    try:
        index = load_index(path)
    except ArtifactError:
        return None
    return index if (index.fingerprint, index.params) == (recording.fingerprint, params) else None
