"""One new run against one reference: every stage, and the files each leaves for the next command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mtbsync_daemon.perf import Perf
from mtbsync_daemon.results import (
    ALL,
    LIKENESS,
    MARKERS,
    MATCHING,
    NEW_INDEX,
    PAIRS,
    PAIRS_RAW,
    PERF,
    REF_INDEX,
    TIMEWARP,
    WARP,
)
from mtbsync_engine.align.fit import FitParams
from mtbsync_engine.align.flow import FlowParams, refine_by_flow
from mtbsync_engine.align.gps import Method
from mtbsync_engine.align.match import STAGE_VERSION as ALIGN_VERSION
from mtbsync_engine.align.match import match
from mtbsync_engine.align.refine import RefineParams
from mtbsync_engine.artifacts import (
    FORMAT_VERSION,
    TimeWarp,
    save_likeness,
    save_matching,
    save_pairs,
    save_pairs_raw,
    save_timewarp_json,
    save_warp,
    timewarp_document,
)
from mtbsync_engine.errors import ArtifactError, InputError
from mtbsync_engine.files import check_output, replacing_all, write_text
from mtbsync_engine.index.build import build_index
from mtbsync_engine.index.describe import limit_threads
from mtbsync_engine.index.store import STAGE_VERSION as INDEX_VERSION
from mtbsync_engine.index.store import load_index, save_index
from mtbsync_engine.judge import Gates, Judged
from mtbsync_engine.markers import REVIEW_THRESHOLD, counts, transfer
from mtbsync_engine.media import probe
from mtbsync_engine.model import (
    Decision,
    Index,
    IndexParams,
    Marker,
    Matching,
    Recording,
    Telemetry,
    TransferredMarker,
    Weights,
)
from mtbsync_engine.pipeline import fit_and_judge, kept_index
from mtbsync_engine.telemetry.read import STAGE_VERSION as TELEMETRY_VERSION
from mtbsync_engine.telemetry.read import read_telemetry, read_track
from mtbsync_integrations.build import Footage
from mtbsync_integrations.formats import marker_csv

# Where a track came from that came with the video.
CAMERA = "camera"
# Shows how much of a total is done, under a label, while the block runs; of None it only shows that it runs.
Progress = Callable[[str, float | None], AbstractContextManager[Callable[[float], None]]]


@dataclass(frozen=True)
class SyncRequest:
    """What to line up, how, and where to.

    `index` is the reference's index where one was made before, and `new_index` the new run's; else they are
    made and kept in `out`.
    `ref_gpx` and `new_gpx` are GPX or FIT files that stand for the cameras' own tracks. `marker_file` is
    where `markers` came from. `weights` is where the networks of a matcher that needs them lie; which they
    are, `index_params` tell. `flow` has sightings timed once more by dense flow. `fit` None stops once the
    pairs are found.
    """

    reference: Path
    new: Path
    out: Path
    pairs_name: str = PAIRS
    index: Path | None = None
    new_index: Path | None = None
    ref_gpx: Path | None = None
    new_gpx: Path | None = None
    ref_gpx_offset_s: float = 0.0
    new_gpx_offset_s: float = 0.0
    gps_method: Method = "local"
    markers: tuple[Marker, ...] = ()
    marker_file: Path | None = None
    index_params: IndexParams = field(default_factory=IndexParams)
    refine: RefineParams | None = field(default_factory=RefineParams)
    weights: Weights | None = None
    flow: FlowParams | None = None
    fit: FitParams | None = field(default_factory=FitParams)
    gates: Gates = field(default_factory=Gates)
    review_threshold: float = REVIEW_THRESHOLD
    use_proxy: bool = True
    n_threads: int | None = None

    @property
    def file_names(self) -> list[str]:
        """What may be written to `out`, in order."""
        made_before = {name for name, path in ((REF_INDEX, self.index), (NEW_INDEX, self.new_index)) if path}
        return [self.pairs_name if name == PAIRS else name for name in ALL if name not in made_before]


@dataclass(frozen=True, eq=False)
class SyncResult:
    """What came of it. `judged` is None when no map was asked for."""

    matching: Matching
    judged: Judged | None
    markers: tuple[TransferredMarker, ...]
    document: dict[str, Any]
    perf: dict[str, Any]


def sync(request: SyncRequest, progress: Progress) -> SyncResult:
    """Run every stage. Results are written together, at the end or not at all.

    Raises:
        MtbsyncError: of any kind, with a sentence for a person.
    """
    perf = Perf()
    _check_outputs(request)
    if request.n_threads is not None:
        limit_threads(request.n_threads)
    new_recording = probe(request.new, use_proxy=request.use_proxy)
    ref_recording = probe(request.reference, use_proxy=request.use_proxy)
    with perf.stage("telemetry"):
        new_noted = telemetry_of(new_recording, request.new_gpx, request.new_gpx_offset_s)
        ref_noted = telemetry_of(ref_recording, request.ref_gpx, request.ref_gpx_offset_s)
    if request.index is not None:
        ref = _made_before(request.index, ref_recording, request.index_params)
    else:
        ref = _index("index_reference", ref_recording, request.out / REF_INDEX, request, perf, progress)
    if request.new_index is not None:
        new = _made_before(request.new_index, new_recording, request.index_params)
    else:
        new = _index("index_new", new_recording, request.out / NEW_INDEX, request, perf, progress)
    perf.n_pictures = {"index_reference": ref.t_s.size, "index_new": new.t_s.size}
    with perf.stage("match"), progress("Lining the two runs up", new.duration_s) as done:
        matching, likeness = match(
            new,
            ref,
            request.refine,
            noted_new=new_noted,
            noted_ref=ref_noted,
            gps_method=request.gps_method,
            weights=request.weights,
            n_threads=request.n_threads,
            on_picture=done,
        )
    if request.flow is not None:
        with perf.stage("flow"), progress("Timing moments by flow", new.duration_s) as done:
            pairs = refine_by_flow(
                matching.pairs,
                new_recording,
                ref_recording,
                request.flow,
                n_threads=request.n_threads,
                on_moment=done,
            )
        matching = replace(matching, pairs=pairs)
    judged: Judged | None = None
    markers: tuple[TransferredMarker, ...] = ()
    if request.fit is not None:
        with perf.stage("warp"):
            judged = fit_and_judge(matching, request.fit, request.gates)
        with perf.stage("markers"):
            time_map, decision = judged.alignment.time_map, judged.verdict.decision
            threshold = request.review_threshold
            markers = transfer(request.markers, time_map, decision, review_threshold=threshold)
    about = {
        "key": request_key(request, new_recording, ref_recording),
        "markers": counts(markers),
        "new": _with_track(new_recording, new_noted, request.new_gpx),
        "reference": _with_track(ref_recording, ref_noted, request.ref_gpx),
        "fit": request.fit and asdict(request.fit),
        "gates": asdict(request.gates),
    }
    with replacing_all(request.out, request.file_names) as folder:
        with perf.stage("write"):
            if request.index is None:
                save_index(ref, folder / REF_INDEX)
            if request.new_index is None:
                save_index(new, folder / NEW_INDEX)
            _save_matching(matching, folder, request.pairs_name)
            save_likeness(likeness, folder / LIKENESS)
            if judged is not None:
                if markers and judged.verdict.decision is not Decision.REJECT:
                    write_text(folder / MARKERS, marker_csv.write_transferred(markers))
                save_warp(TimeWarp.of(judged), folder / WARP)
                save_timewarp_json(judged, about, folder / TIMEWARP)
        write_text(folder / PERF, json.dumps(perf.document(), indent=2) + "\n")
    document = about if judged is None else timewarp_document(judged, about)
    return SyncResult(matching, judged, markers, document, perf.document())


def request_key(request: SyncRequest, new: Recording, reference: Recording) -> str:
    """A hash of everything the result follows from: contents and parameters, never names or places."""
    tracks = [path.read_bytes().hex() if path else None for path in (request.new_gpx, request.ref_gpx)]
    everything = {
        "stage_version": (INDEX_VERSION, TELEMETRY_VERSION, ALIGN_VERSION, FORMAT_VERSION),
        "contents": (new.fingerprint, reference.fingerprint, tracks),
        "gps_method": request.gps_method,
        "offsets": (request.new_gpx_offset_s, request.ref_gpx_offset_s),
        "markers": [asdict(marker) for marker in request.markers],
        "index": asdict(request.index_params),
        "refine": request.refine and asdict(request.refine),
        "flow": request.flow and asdict(request.flow),
        "fit": request.fit and asdict(request.fit),
        "gates": asdict(request.gates),
        "review_threshold": request.review_threshold,
        "proxies": (new.uses_proxy, reference.uses_proxy),
    }
    return hashlib.blake2b(json.dumps(everything).encode(), digest_size=16).hexdigest()


def run_document(recording: Recording) -> dict[str, Any]:
    """What is noted of a recording, as plain values: see `noted.NotedRun`."""
    timecode = recording.start_timecode
    return {
        "files": [str(chapter.path.absolute()) for chapter in recording.chapters],
        "starts_s": [chapter.offset_s for chapter in recording.chapters],
        "fingerprint": recording.fingerprint,
        "rate": str(recording.rate.fps),
        "duration_s": recording.duration_s,
        "start_timecode": timecode and str(timecode),
        "width": recording.width,
        "height": recording.height,
        "has_audio": recording.has_audio,
        "uses_proxy": recording.uses_proxy,
    }


def footage_of(recording: Recording) -> Footage:
    """The recording as an editor sees it."""
    return Footage.of_files(
        [(chapter.path, chapter.offset_s) for chapter in recording.chapters],
        recording.duration_s,
        recording.rate,
        recording.start_timecode,
        width=recording.width,
        height=recording.height,
        has_audio=recording.has_audio,
    )


def telemetry_of(recording: Recording, track_file: Path | None, offset_s: float = 0.0) -> Telemetry:
    """What the camera noted, with the track of `track_file` for its own where one was given."""
    noted = read_telemetry(recording)
    if track_file is None:
        return noted
    return replace(noted, track=read_track(track_file, recording.created_utc, offset_s))


def _check_outputs(request: SyncRequest) -> None:
    if request.pairs_name in ALL and request.pairs_name != PAIRS:
        raise InputError(
            f"{request.pairs_name} is what another result is called; choose another name for the pairs."
        )
    inputs = (
        request.reference,
        request.new,
        request.index,
        request.new_index,
        request.ref_gpx,
        request.new_gpx,
        request.marker_file,
    )
    for name in request.file_names:
        check_output(request.out / name, inputs)


def _made_before(path: Path, recording: Recording, wanted: IndexParams) -> Index:
    index = load_index(path)
    if index.fingerprint != recording.fingerprint:
        raise ArtifactError(f"{path} is the index of another video than {recording.path}; make it again.")
    # How often pictures were taken may differ from run to run; how they were described may not.
    if replace(index.params, fps=wanted.fps, fast=wanted.fast) != wanted:
        raise ArtifactError(
            f"{path} was made with another --n-features or --no-clahe than this sync is to use, "
            "or another --matcher or --weights; give both commands the same."
        )
    return index


def _save_matching(matching: Matching, folder: Path, pairs_name: str) -> None:
    save_pairs_raw(matching.pairs, folder / PAIRS_RAW)
    save_pairs(matching, folder / pairs_name)
    save_matching(matching, folder / MATCHING)


def _index(
    stage: str, recording: Recording, path: Path, request: SyncRequest, perf: Perf, progress: Progress
) -> Index:
    kept = kept_index(path, recording, request.index_params)
    if kept is not None:
        return kept
    with perf.stage(stage), progress(f"Looking at {recording.path.name}", recording.duration_s) as done:
        return build_index(
            recording,
            request.index_params,
            weights=request.weights,
            n_threads=request.n_threads,
            on_picture=done,
        )


def _with_track(recording: Recording, noted: Telemetry, track_file: Path | None) -> dict[str, Any]:
    track = noted.track
    return run_document(recording) | {
        "track_from": None if track is None else str(track_file.absolute()) if track_file else CAMERA,
        "track_starts_s": None if track is None else float(track.t_s[0]),
    }
