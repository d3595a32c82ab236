"""What `sync` noted of the two runs in timewarp.json, for commands that see its files only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mtbsync_engine.errors import ArtifactError, TimecodeError
from mtbsync_engine.timing import Rate, Timecode, nearest_frame

if TYPE_CHECKING:
    from mtbsync_engine.model import TransferredMarker
    from mtbsync_integrations.build import Footage


@dataclass(frozen=True)
class NotedRun:
    """One of the two: the first of its files, its rate, its length and its own timecode at its start."""

    path: Path
    rate: Rate
    duration_s: float
    start_timecode: Timecode | None


def noted_run(timewarp_json: Path, which: str) -> NotedRun | None:
    """The run called `which`, "new" or "reference"; None where there is no file, or it tells nothing of it.

    Raises:
        ArtifactError: the file is damaged.
    """
    try:
        run = json.loads(timewarp_json.read_text(encoding="utf-8")).get(which)
        if run is None:
            return None
        rate, start = Rate.parse(run["rate"]), run["start_timecode"]
        return NotedRun(
            path=Path(run["files"][0]),
            rate=rate,
            duration_s=float(run["duration_s"]),
            start_timecode=None if start is None else Timecode.parse(start, rate),
        )
    except FileNotFoundError:
        return None
    except (OSError, AttributeError, IndexError, KeyError, TypeError, ValueError, TimecodeError) as error:
        raise ArtifactError(
            f"{timewarp_json} is damaged; run `mtbsync sync` again, or move the markers elsewhere."
        ) from error


def footage_of(
    run: NotedRun | None, name: str, markers: Sequence[TransferredMarker], rate: Rate, reel: str
) -> Footage:
    """The new run as an editor sees it; what its markers tell, where `run` was not noted."""
    from mtbsync_integrations.build import Footage
    from mtbsync_integrations.media_urls import url_of
    from mtbsync_integrations.timeline import Medium

    if run is None:
        return Footage.of_markers(name, markers, rate, reel)
    medium = Medium(
        name=run.path.name,
        url=url_of(run.path.absolute()),
        start=run.start_timecode or Timecode(0, run.rate),
        n_frames=nearest_frame(run.duration_s, run.rate),
        reel=reel,
    )
    return Footage(medium.name, ((medium, 0.0),), run.duration_s)


def run_names(timewarp_json: Path) -> tuple[str, str]:
    """What to call the reference and the new run: their files' names where those are known.

    Raises:
        ArtifactError: the file is damaged.
    """
    runs = [noted_run(timewarp_json, which) for which in ("reference", "new")]
    reference, new = (run.path.name if run else None for run in runs)
    return reference or "reference", new or "new run"
