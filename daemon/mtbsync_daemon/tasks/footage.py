"""Recordings as tasks get them, and what several tasks make of them and share.

A recording's parameters are `fingerprint`, `copies`, the first chapter of each copy that is known, and
`tracks`, GPX or FIT files that were recorded with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.store.ids import key_of
from mtbsync_daemon.sync import telemetry_of
from mtbsync_daemon.tasks.away import AwayError
from mtbsync_engine.errors import ArtifactError, InputError, TelemetryError
from mtbsync_engine.identify.looks import Looks, load_looks, looks_of, save_looks
from mtbsync_engine.identify.where import cells_of
from mtbsync_engine.index.build import build_index
from mtbsync_engine.index.store import STAGE_VERSION, load_index, save_index
from mtbsync_engine.media import probe
from mtbsync_engine.model import IndexParams, Recording
from mtbsync_engine.pipeline import kept_index
from mtbsync_engine.telemetry.read import read_track

# How the daemon looks at every recording, so that any two of them can be compared.
PARAMS = IndexParams()


class ChangedError(InputError):
    """The files are not those that were taken."""


def located(params: Mapping[str, Any]) -> Recording:
    """The recording, from the first of its copies that is there and unchanged.

    Raises:
        AwayError: none of its copies is there.
        ChangedError: what is there is something else.
        MediaError: it cannot be read.
    """
    copies = [Path(path) for path in params["copies"]]
    there = [path for path in copies if path.is_file()]
    if not there:
        raise AwayError(
            f"{copies[0]} is not there; plug in the drive that it lies on, and mtbsync goes on."
            if copies
            else "No file of this recording is known any more; put it into a watched folder again."
        )
    for path in there:
        recording = probe(path)
        if recording.fingerprint == params["fingerprint"]:
            return recording
    raise ChangedError(f"{there[0]} is not the recording that it was; it will be looked at as a new one.")


def track_file(recording: Recording, params: Mapping[str, Any], work: Work) -> Path | None:
    """The GPX or FIT file that was recorded with it, if there is one that can be read."""
    for path in map(Path, params["tracks"]):
        try:
            read_track(path, recording.created_utc)
        except TelemetryError as error:
            work.log(f"Left aside: {error}")
        else:
            return path
    return None


def indexed(recording: Recording, artifacts: Path, work: Work) -> Path:
    """The recording's index, made if it is not kept already.

    Raises:
        MediaError, MatcherError, OutputError: it cannot be made or written.
    """
    path = _path_of("indexes", recording.fingerprint, artifacts)
    if kept_index(path, recording, PARAMS) is None:
        with work.stage(f"Looking at {recording.path.name}", recording.duration_s) as done:
            made = build_index(recording, PARAMS, n_threads=work.n_threads, on_picture=done)
        save_index(made, path)
    return path


def looks_of_trail(params: Mapping[str, Any], artifacts: Path, work: Work) -> Looks:
    """The looks of a trail's reference, made if they are not kept already.

    Raises:
        MtbsyncError: they have to be made, and the reference cannot be looked at.
    """
    path = _path_of("looks", params["fingerprint"], artifacts)
    try:
        return load_looks(path)
    except ArtifactError:
        looks = looks_of(load_index(indexed(located(params), artifacts, work)))
        save_looks(looks, path)
        return looks


def cells_of_run(recording: Recording, params: Mapping[str, Any], work: Work) -> frozenset[str]:
    """Where it was ridden, in cells; none where nothing tells.

    Raises:
        MediaError: the video's own notes cannot be read.
    """
    track = telemetry_of(recording, track_file(recording, params, work)).track
    return frozenset() if track is None else cells_of(track)


def _path_of(what: str, fingerprint: str, artifacts: Path) -> Path:
    """Where something of that content is kept, made the way it is made now."""
    key = key_of("index", [STAGE_VERSION, asdict(PARAMS)])
    return artifacts / what / f"{fingerprint}-{key[:8]}.npz"
