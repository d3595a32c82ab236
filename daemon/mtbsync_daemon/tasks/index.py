"""Learn a trail's reference: what it looks like, and where it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.tasks.footage import cells_of_run, indexed, located, looks_of_trail


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`recording` as in `tasks.footage`; `artifacts` is the folder for what can be made again.

    Raises:
        MtbsyncError: it cannot be read, indexed or written.
    """
    recording, artifacts = located(params["recording"]), Path(params["artifacts"])
    indexed(recording, artifacts, work)
    looks_of_trail(params["recording"], artifacts, work)
    return {"cells": sorted(cells_of_run(recording, params["recording"], work))}
