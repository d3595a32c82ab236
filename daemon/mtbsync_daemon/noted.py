"""What is noted of a run for those who do not look at its video: in timewarp.json, and in the library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtbsync_engine.errors import ArtifactError, TimecodeError
from mtbsync_engine.timing import Rate, Timecode

if TYPE_CHECKING:
    from mtbsync_integrations.build import Footage


@dataclass(frozen=True)
class NotedRun:
    """One of the two: its files and the seconds at which they begin, and what they are like."""

    files: tuple[tuple[Path, float], ...]
    rate: Rate
    duration_s: float
    start_timecode: Timecode | None
    width: int
    height: int
    has_audio: bool

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> NotedRun:
        """The run that `sync.run_document` described.

        Raises:
            KeyError, TypeError, ValueError, TimecodeError: the document is damaged.
        """
        rate, start = Rate.parse(document["rate"]), document["start_timecode"]
        paths = [Path(path) for path in document["files"]]
        return cls(
            files=tuple(zip(paths, (float(t_s) for t_s in document["starts_s"]), strict=True)),
            rate=rate,
            duration_s=float(document["duration_s"]),
            start_timecode=None if start is None else Timecode.parse(start, rate),
            width=int(document["width"]),
            height=int(document["height"]),
            has_audio=bool(document["has_audio"]),
        )

    @property
    def path(self) -> Path:
        """The first of its files, by which people know it."""
        return self.files[0][0]

    def footage(self, reel: str = "") -> Footage:
        """The run as an editor sees it."""
        from mtbsync_integrations.build import Footage

        return Footage.of_files(
            self.files,
            self.duration_s,
            self.rate,
            self.start_timecode,
            width=self.width,
            height=self.height,
            has_audio=self.has_audio,
            reel=reel,
        )


def noted_run(timewarp_json: Path, which: str) -> NotedRun | None:
    """The run called `which`, "new" or "reference"; None where there is no file, or it tells nothing of it.

    Raises:
        ArtifactError: the file is damaged.
    """
    try:
        run = json.loads(timewarp_json.read_text(encoding="utf-8")).get(which)
        return None if run is None else NotedRun.of(run)
    except FileNotFoundError:
        return None
    except (OSError, AttributeError, IndexError, KeyError, TypeError, ValueError, TimecodeError) as error:
        raise ArtifactError(
            f"{timewarp_json} is damaged; run `mtbsync sync` again, or move the markers elsewhere."
        ) from error


def run_names(timewarp_json: Path) -> tuple[str, str]:
    """What to call the reference and the new run: their files' names where those are known.

    Raises:
        ArtifactError: the file is damaged.
    """
    runs = [noted_run(timewarp_json, which) for which in ("reference", "new")]
    reference, new = (run.path.name if run else None for run in runs)
    return reference or "reference", new or "new run"
