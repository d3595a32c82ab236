"""From what a sync left on disk to the picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtbsync_daemon.figure import Comparison, draw
from mtbsync_engine.artifacts import TimeWarp
from mtbsync_engine.files import replacing
from mtbsync_engine.model import LikenessImage, MatchedPairs, TransferredMarker


def write_picture(
    timewarp: TimeWarp,
    markers: Sequence[TransferredMarker],
    path: Path,
    *,
    names: tuple[str, str] = ("reference", "new run"),
    likeness: LikenessImage | None = None,
    pairs: MatchedPairs | None = None,
) -> None:
    """Draw a time map with what else is known; `names` are the reference's and the new run's.

    Raises:
        OutputError: the picture could not be written.
    """
    reference_name, new_name = names
    comparison = Comparison(
        reference_name, new_name, timewarp.time_map, timewarp.verdict, likeness, pairs, markers
    )
    with replacing(path) as temporary:
        temporary.write_bytes(draw(comparison))
