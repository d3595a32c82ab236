"""How good the syncs of a folder are and what they cost, as numbers or as a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.quality import Collected, RunQuality, collect, document
from mtbsync_daemon.quality_page import quality_page
from mtbsync_daemon.store.ids import now
from mtbsync_engine.judge import STRICT_GATES

# What a sync calls it where it looks at the new run itself.
_LOOKING = "index_new"


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`root` holds results; `looking_s` tells by recording how long it took to look at it, which jobs do
    before they line it up. Gives what `quality.document` does, or with `is_report` the `report` as HTML.
    """
    root = Path(params["root"])
    with work.stage("Reading results"):
        # Nothing is there before the first sync.
        found = collect(root) if root.is_dir() else Collected((), ())
        runs = tuple(_with_looking(one, params["looking_s"].get(one.recording)) for one in found.runs)
        found = replace(found, runs=runs)
    if params["is_report"]:
        return {"report": quality_page(found, STRICT_GATES, "The daemon's runs", now())}
    return document(found, STRICT_GATES)


def _with_looking(run: RunQuality, looking_s: float | None) -> RunQuality:
    if looking_s is None or _LOOKING in run.stage_s or run.total_s is None:
        return run
    fps = run.n_pictures / looking_s if run.n_pictures and looking_s else run.fps
    stage_s = {_LOOKING: looking_s, **run.stage_s}
    return replace(run, stage_s=stage_s, total_s=looking_s + run.total_s, fps=fps)
