"""Carry a trail's markers over to a run that was lined up with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.results import MARKERS, MATCHING, TIMEWARP, WARP
from mtbsync_engine.artifacts import (
    TimeWarp,
    load_fit,
    load_matching,
    load_warp,
    save_timewarp_json,
    save_warp,
    timewarp_document,
)
from mtbsync_engine.errors import AlignmentError, ArtifactError
from mtbsync_engine.files import replacing_all, write_text
from mtbsync_engine.markers import counts, transfer
from mtbsync_engine.model import Anchor, Decision, Marker, TransferredMarker
from mtbsync_engine.pipeline import fit_and_judge
from mtbsync_integrations.formats.marker_csv import write_transferred


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`results` is the sync's folder, `markers` are the trail's, as `store.trails.TrailMarker`; `is_accepted`
    tells that a person trusts the sync, whatever its verdict was. `of` comes back as it is.

    `anchors` are pairs of t_new and t_ref, in seconds, that a person saw to be the same place. Where there
    are any, the map is fitted again with them into the folder `anchored`, whole or not at all, and the
    markers go by that; `map` in the result is the folder, or None where the sync's own map counts. Where the
    fit fails, the map that there was goes on to count, and `problem` says why.

    Raises:
        ArtifactError: the sync's results are gone.
        OutputError: the results cannot be written.
    """
    results, anchored = Path(params["results"]), Path(params["anchored"])
    counts_now, problem = None, ""
    markers = [
        Marker(**{**m, "extra": tuple((key, value) for key, value in m["extra"])}) for m in params["markers"]
    ]
    if params["anchors"]:
        with work.stage("Fitting the map again"):
            anchors = [Anchor(t_new_s, t_ref_s) for t_new_s, t_ref_s in params["anchors"]]
            try:
                carried = _fitted_again(results, anchors, anchored, markers, params["is_accepted"])
                counts_now = anchored
            except (AlignmentError, ArtifactError) as error:
                problem = str(error)
                counts_now = anchored if (anchored / WARP).is_file() else None
                carried = _carried(markers, load_warp((counts_now or results) / WARP), params["is_accepted"])
    else:
        with work.stage("Carrying the markers over"):
            # Whoever looks through results finds no map that counts no more.
            rmtree(anchored, ignore_errors=True)
            carried = _carried(markers, load_warp(results / WARP), params["is_accepted"])
            write_text(results / MARKERS, write_transferred(carried))
    return {
        "of": params["of"],
        "map": None if counts_now is None else str(counts_now),
        "problem": problem,
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


def _fitted_again(
    results: Path, anchors: Sequence[Anchor], anchored: Path, markers: Sequence[Marker], is_accepted: bool
) -> tuple[TransferredMarker, ...]:
    matching = load_matching(results / MATCHING)
    fit_params, gates, document = load_fit(results / TIMEWARP)
    judged = fit_and_judge(replace(matching, anchors=tuple(anchors)), fit_params, gates)
    timewarp = TimeWarp.of(judged)
    carried = _carried(markers, timewarp, is_accepted)
    own = timewarp_document(judged, {})
    about = {name: value for name, value in document.items() if name not in own} | {
        "markers": counts(carried),
        "anchors": [[a.t_new_s, a.t_ref_s] for a in anchors],
    }
    with replacing_all(anchored, (MARKERS, WARP, TIMEWARP)) as folder:
        write_text(folder / MARKERS, write_transferred(carried))
        save_warp(timewarp, folder / WARP)
        save_timewarp_json(judged, about, folder / TIMEWARP)
    return carried


def _carried(
    markers: Sequence[Marker], timewarp: TimeWarp, is_accepted: bool
) -> tuple[TransferredMarker, ...]:
    decision = Decision.ACCEPT if is_accepted else timewarp.verdict.decision
    return transfer(markers, timewarp.time_map, decision)
