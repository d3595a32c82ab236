"""Line a run up with a trail, or find the trail that it belongs to."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.sync import SyncRequest, sync
from mtbsync_daemon.tasks.away import AwayError
from mtbsync_daemon.tasks.footage import PARAMS, cells_of_run, indexed, located, looks_of_trail, track_file
from mtbsync_engine.errors import AlignmentError
from mtbsync_engine.identify.decide import Identified, Tried, decide
from mtbsync_engine.identify.gallery import current_gallery
from mtbsync_engine.identify.looks import looks_of
from mtbsync_engine.identify.shortlist import shortlist
from mtbsync_engine.index.store import load_index
from mtbsync_engine.model import Decision, Recording

Trail = Mapping[str, Any]


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`recording` as in `tasks.footage`; `trails` each with `trail_id`, `name`, `cells` and their reference
    as `recording`; `is_found` tells that the trail is to be found among them. Results go to `folder` below
    `artifacts`.

    Raises:
        AwayError: the run is not there, or a reference that it may belong to.
        MtbsyncError: a recording cannot be read, indexed or written.
    """
    recording = located(params["recording"])
    index = indexed(recording, Path(params["artifacts"]), work)
    trails: Sequence[Trail] = params["trails"]
    if params["is_found"]:
        trails = _likely(trails, recording, index, params, work)
    tried, away = [], None
    for trail in trails:
        try:
            tried.append(_tried(trail, recording, index, params, work))
        except AwayError as error:
            away = error
    if away is not None and not (params["is_found"] and decide(tried).trail_id):
        # It may be this one: that is not known before its reference is there.
        raise away
    found = decide(tried) if params["is_found"] else _as_told(tried[0])
    best = next((one for one in found.tried if one.trail_id == found.trail_id), None)
    return {
        "trail": found.trail_id,
        "verdict": Decision.REJECT.value if best is None else best.decision.value,
        # Why this trail and no other, `candidates` tell; how it lies on it, its own verdict does.
        "reasons": list(found.reasons if best is None else best.reasons),
        "candidates": [_document(one) for one in found.tried],
        "artifact": None if best is None else f"syncs/{params['folder']}/{best.trail_id}",
    }


def _likely(
    trails: Sequence[Trail], recording: Recording, index: Path, params: Mapping[str, Any], work: Work
) -> list[Trail]:
    """The few trails that are worth lining the run up with."""
    by_id = {trail["trail_id"]: trail for trail in trails}
    artifacts = Path(params["artifacts"])
    with work.stage("Looking through the trails"):
        gallery = current_gallery(
            artifacts / "gallery.npz",
            {trail_id: trail["recording"]["fingerprint"] for trail_id, trail in by_id.items()},
            PARAMS,
            lambda trail_id: looks_of_trail(by_id[trail_id]["recording"], artifacts, work),
        )
        by_looks = gallery.rank(looks_of(load_index(index)))
        cells_by_trail = {
            trail_id: frozenset(trail["cells"]) for trail_id, trail in by_id.items() if trail["cells"]
        }
        chosen = shortlist(by_looks, cells_of_run(recording, params["recording"], work), cells_by_trail)
    return [by_id[candidate.trail_id] for candidate in chosen]


def _tried(trail: Trail, recording: Recording, index: Path, params: Mapping[str, Any], work: Work) -> Tried:
    artifacts = Path(params["artifacts"])
    out = artifacts / "syncs" / params["folder"] / trail["trail_id"]
    reference = located(trail["recording"])
    request = SyncRequest(
        reference=reference.path,
        new=recording.path,
        out=out,
        index=indexed(reference, artifacts, work),
        new_index=index,
        ref_gpx=track_file(reference, trail["recording"], work),
        new_gpx=track_file(recording, params["recording"], work),
        index_params=PARAMS,
        n_threads=work.n_threads,
    )
    try:
        judged = sync(request, work.stage).judged
    except AlignmentError as error:
        return Tried.failed(trail["trail_id"], trail["name"], error)
    assert judged is not None  # a time map was asked for
    return Tried.of(trail["trail_id"], trail["name"], judged)


def _as_told(one: Tried) -> Identified:
    """The trail that a person or a folder's settings named, if the run fits it at all."""
    fits = one.decision is not Decision.REJECT
    return Identified(one.trail_id if fits else None, one.reasons, (one,))


def _document(one: Tried) -> dict[str, Any]:
    """As values that JSON can hold."""
    plain = dataclasses.asdict(one)
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in plain.items()
    }
