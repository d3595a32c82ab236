"""From what a sync left on disk to the picture of it."""

from __future__ import annotations

import json
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
    timewarp_json: Path | None = None,
    likeness: LikenessImage | None = None,
    pairs: MatchedPairs | None = None,
) -> None:
    """Draw a time map with what else is known; `timewarp_json` names the two runs.

    Raises:
        OutputError: the picture could not be written.
    """
    reference_name, new_name = _names(timewarp_json)
    comparison = Comparison(
        reference_name, new_name, timewarp.time_map, timewarp.verdict, likeness, pairs, markers
    )
    with replacing(path) as temporary:
        temporary.write_bytes(draw(comparison))


def _names(timewarp_json: Path | None) -> tuple[str, str]:
    """File names of the reference and the new run, where they are known."""
    document = {} if timewarp_json is None else json.loads(timewarp_json.read_text(encoding="utf-8"))
    reference, new = (document.get(run, {}).get("files", [""])[0] for run in ("reference", "new"))
    return Path(reference).name or "reference", Path(new).name or "new run"
