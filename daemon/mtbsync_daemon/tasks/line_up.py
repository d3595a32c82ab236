"""Line up the cameras of a session."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.storage import Storage, open_storage
from mtbsync_daemon.tasks.away import AwayError
from mtbsync_daemon.tasks.derive import sha256_of
from mtbsync_daemon.tasks.footage import indexed, located
from mtbsync_engine.align.event import Evidence, line_up
from mtbsync_engine.errors import AlignmentError, MediaError
from mtbsync_engine.index.store import load_index
from mtbsync_engine.media.sound import read_wav
from mtbsync_engine.model import Index
from mtbsync_engine.session import Correlation, LineUp, Placement, Sound
from mtbsync_engine.timing import Rate, Timecode

_CACHE = "fetched"


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`cameras` as `sessions.line_up_params` lists them; `wanted_master` is the angle of the one that the
    others are laid on, None for the one that sounds best. Gives the master's angle, how good each sound is by
    angle, and for every other camera where it lies; offsets are None where nothing tells. Where sounds are
    not in the storage any more, or others in their place, it only gives the angles of those that are `gone`.

    Raises:
        StorageError: a sound cannot be reached.
        MtbsyncError: pictures have to tell, and a recording is away or another one.
    """
    storage = open_storage(params["storage"])
    angles = {camera["label"]: camera["angle"] for camera in params["cameras"]}
    wanted = next((label for label, angle in angles.items() if angle == params["wanted_master"]), None)
    artifacts = Path(params["artifacts"])
    gone = [c["angle"] for c in params["cameras"] if c["sound"] and not _is_kept(c, storage, artifacts)]
    if gone:
        return {"gone": gone}
    evidence = {c["label"]: _evidence(c, storage, artifacts, work) for c in params["cameras"]}
    with work.stage("Listening to the cameras", len(evidence)) as done:
        found = line_up(evidence, wanted, on_step=done)
    return _document(found, angles)


def _is_kept(camera: Mapping[str, Any], storage: Storage, artifacts: Path) -> bool:
    """Whether a camera's sound is in the storage, and no other's, as where two libraries share that."""
    stored = storage.stat(camera["sound"])
    if stored is None:
        return False
    found = stored.sha256 or sha256_of(storage.fetch(camera["sound"], artifacts / _CACHE))
    return bool(found == camera["sound_sha256"])


def _evidence(camera: Mapping[str, Any], storage: Storage, artifacts: Path, work: Work) -> Evidence:
    about = camera["about"]
    rate, start, created = Rate.parse(about["rate"]), about["start_timecode"], about["created_utc"]
    return Evidence(
        sound=_sound(camera["sound"], storage, artifacts),
        rate=rate,
        start_timecode=None if start is None else Timecode.parse(start, rate),
        created_utc=None if created is None else datetime.fromisoformat(created),
        duration_s=about["duration_s"],
        index=lambda: _index(camera["recording"], artifacts, work),
    )


def _sound(key: str | None, storage: Storage, artifacts: Path) -> Sound | None:
    return None if key is None else read_wav(storage.fetch(key, artifacts / _CACHE))


def _index(recording: Mapping[str, Any], artifacts: Path, work: Work) -> Index:
    try:
        return load_index(indexed(located(recording), artifacts, work))
    except AwayError:
        raise
    except MediaError as error:
        # One lens that was covered keeps no other camera from its place.
        raise AlignmentError(str(error)) from error


def _document(found: LineUp, angles: Mapping[str, int]) -> dict[str, Any]:
    """As values that JSON can hold, cameras by their angles, which no person changes meanwhile."""
    placed = [
        _placed(angles[label], placement, found.correlations.get(label), angles)
        for label, placement in found.placements.items()
    ]
    lost: list[dict[str, Any]] = [
        {
            "angle": angles[label],
            "offset_ms": None,
            "drift_ppm": None,
            "score": 0.0,
            "error_ms": None,
            "method": None,
            "reason": reason,
            "through": None,
            "correlation": _plotted(found.correlations.get(label)),
        }
        for label, reason in found.missing.items()
    ]
    return {
        "master": angles[found.master],
        "qualities": {str(angles[label]): dataclasses.asdict(q) for label, q in found.qualities.items()},
        "placements": placed + lost,
    }


def _placed(
    angle: int, placement: Placement, told_from: Correlation | None, angles: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "angle": angle,
        "offset_ms": placement.offset_s * 1000,
        "drift_ppm": placement.drift_ppm,
        "score": placement.score,
        "error_ms": None if placement.error_s is None else placement.error_s * 1000,
        "method": placement.method.value,
        "reason": placement.reason,
        "through": None if placement.through is None else angles[placement.through],
        "correlation": _plotted(told_from),
    }


def _plotted(told_from: Correlation | None) -> dict[str, list[float] | list[bool]]:
    """With no more digits than a picture shows: a person's library is not the place for megabytes."""
    if told_from is None:
        return {}
    return {
        "offset_s": [round(float(t_s), 4) for t_s in told_from.offset_s],
        "z": [round(float(z), 2) if math.isfinite(z) else 0.0 for z in told_from.z],
        "window_t_cam_s": [round(float(t_s), 3) for t_s in told_from.window_t_cam_s],
        "window_offset_s": [round(float(t_s), 6) for t_s in told_from.window_offset_s],
        "is_used": [bool(is_used) for is_used in told_from.is_used],
    }
