"""Carry a trail's markers over to a run that was lined up with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.results import MARKERS, WARP
from mtbsync_engine.artifacts import load_warp
from mtbsync_engine.files import write_text
from mtbsync_engine.markers import transfer
from mtbsync_engine.model import Decision, Marker
from mtbsync_integrations.formats.marker_csv import write_transferred


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`results` is the sync's folder, `markers` are the trail's, as `store.trails.TrailMarker`; `is_accepted`
    tells that a person trusts the sync, whatever its verdict was. `of` comes back as it is.

    Raises:
        ArtifactError: the sync's results are gone.
        OutputError: the list of markers beside them cannot be written.
    """
    results = Path(params["results"])
    with work.stage("Carrying the markers over"):
        timewarp = load_warp(results / WARP)
        decision = Decision.ACCEPT if params["is_accepted"] else timewarp.verdict.decision
        markers = [
            Marker(**{**m, "extra": tuple((key, value) for key, value in m["extra"])})
            for m in params["markers"]
        ]
        carried = transfer(markers, timewarp.time_map, decision)
        write_text(results / MARKERS, write_transferred(carried))
    return {
        "of": params["of"],
        "markers": [
            {
                "marker_id": t.marker.marker_id,
                "name": t.marker.name,
                "colour": t.marker.colour,
                "comment": t.marker.comment,
                "extra": t.marker.extra,
                "t_ref_s": t.marker.t_s,
                "t_s": t.t_new,
                "duration_s": t.duration_s,
                "confidence": t.confidence,
                "expected_error_s": t.expected_error_s,
                "needs_review": t.needs_review,
                "reason": t.reason,
            }
            for t in carried
        ],
    }
