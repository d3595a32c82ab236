"""Commands that look at videos and line them up: index, sync, warp, batch."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from subprocess import list2cmdline
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.carry import markers_of_reference, report_markers
from mtbsync_daemon.cli.command import EXIT_FAILED, EXIT_REJECTED, UsageError, ends_well
from mtbsync_daemon.cli.console import Console

if TYPE_CHECKING:
    from mtbsync_daemon.sync import SyncRequest, SyncResult
    from mtbsync_engine.align.fit import FitParams
    from mtbsync_engine.align.refine import RefineParams
    from mtbsync_engine.judge import Gates
    from mtbsync_engine.model import IndexParams, Verdict, Weights

Reference = Annotated[Path, typer.Option("--reference", "-r", help="The reference run's video.")]
Markers = Annotated[
    Path | None,
    typer.Option("--markers", "-m", help="CSV of reference markers: name,t_ref[,colour,comment …]."),
]
RefGpx = Annotated[Path | None, typer.Option("--ref-gpx", help="GPX or FIT track of the reference run.")]
RefGpxOffset = Annotated[
    float, typer.Option("--ref-gpx-offset", help="Seconds to add to the times of the reference's track.")
]
ModelName = Annotated[
    str, typer.Option("--model", help="`curve` follows a changing pace; `affine` is for one constant pace.")
]
GpsMethod = Annotated[
    Literal["local", "fastdtw"],
    typer.Option("--gps-method", help="How two tracks are laid on each other."),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Narrow gates: inlier share 0.50, P90 1.0 s, 500 ppm (affine).")
]
Lowe = Annotated[float, typer.Option("--lowe", min=0.1, max=1.0, help="Ratio a key point's match must beat.")]
RansacReproj = Annotated[
    float, typer.Option("--ransac-reproj", min=0.1, help="Key points' reprojection error, in pixels of 640.")
]
MinInliers = Annotated[int, typer.Option("--min-inliers", min=4, help="Key points that must agree.")]
NoRefine = Annotated[bool, typer.Option("--no-refine", help="Compare pictures as a whole only.")]
Refine = Annotated[
    Literal["points", "flow"],
    typer.Option("--refine", help="Time moments by key points, or once more by dense flow: slower."),
]
Window = Annotated[
    float,
    typer.Option("--warp-window-sec", min=0.0, max=60.0, help="How far from the path pictures are compared."),
]
InlierThresh = Annotated[
    float | None,
    typer.Option(
        "--warp-inlier-thresh",
        min=0.001,
        help="Seconds a sighting may lie off the map. [default: 0.6 of the time between pictures]",
    ),
]
RansacIters = Annotated[
    int, typer.Option("--warp-ransac-iters", min=1, max=100_000, help="Lines tried (affine).")
]
RngSeed = Annotated[
    int, typer.Option("--warp-rng-seed", min=0, max=2**31 - 1, help="Seed of the random sampling.")
]
MinInlierFrac = Annotated[
    float | None,
    typer.Option(
        "--warp-min-inlier-frac",
        min=0.0,
        max=1.0,
        help="Gate: share of sightings on the map.",
        show_default="0.25, 0.50 with --strict",
    ),
]
MaxPpm = Annotated[
    float | None,
    typer.Option(
        "--warp-max-ppm",
        min=0.0,
        help="Gate: clock drift (affine).",
        show_default="none, 500 with --strict",
    ),
]

# Pixel thresholds of earlier tools were set for pictures of this many pixels along their longer side.
_REPROJECTION_SIDE_PX = 640


@ends_well
def index(
    reference: Annotated[Path, typer.Option("--reference", "-r", "--video", help="The video to index.")],
    out: o.OutFile,
    fps: o.Fps = 3.0,
    matcher: o.MatcherName = None,
    weights: o.WeightsFolder = None,
    n_features: o.NFeatures = 400,
    no_clahe: o.NoClahe = False,
    fast: o.Fast = False,
    no_proxy: o.NoProxy = False,
    threads: o.Threads = None,
    no_gpu: o.NoGpu = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Look at a video once, for many syncs to come."""
    from mtbsync_engine.files import check_output
    from mtbsync_engine.index.build import build_index
    from mtbsync_engine.index.describe import limit_threads
    from mtbsync_engine.index.store import save_index
    from mtbsync_engine.media import plan_sampling, probe

    console = Console(as_json=as_json, quiet=quiet)
    check_output(out, (reference,))
    networks = _networks(console, matcher, weights, no_gpu)
    params = _index_params(fps, matcher, networks, n_features, no_clahe, fast)
    if threads is not None:
        limit_threads(threads)
    recording = probe(reference, use_proxy=not no_proxy)
    plan = plan_sampling(recording, fps=fps, fast=fast)
    with console.progress(f"Looking at {reference.name}", recording.duration_s) as done:
        made = build_index(recording, params, weights=networks, n_threads=threads, on_picture=done)
    save_index(made, out)
    from_what = "key frames" if plan.key_frames_only else "all frames"
    source = "the camera's proxy" if recording.uses_proxy else "the original"
    console.say(
        f"Written: {out} ({made.t_s.size} pictures of {recording.duration_s:.1f} s, "
        f"from {from_what} of {source})"
    )
    console.result(
        {
            "ok": True,
            "index": str(out),
            "pictures": int(made.t_s.size),
            "duration_s": recording.duration_s,
            "key_frames_only": plan.key_frames_only,
            "uses_proxy": recording.uses_proxy,
        }
    )
    return 0


@ends_well
def sync(
    reference: Reference,
    new: Annotated[Path, typer.Option("--new", "-n", help="The new run's video.")],
    index: Annotated[
        Path | None, typer.Option("--index", help="The reference's index, if made before.")
    ] = None,
    markers: Markers = None,
    markers_fps: o.MarkersFps = None,
    markers_start_tc: o.MarkersStartTc = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder for results, or the .csv in it that the pairs go to.",
            show_default="NEW_sync",
        ),
    ] = None,
    ref_gpx: RefGpx = None,
    new_gpx: Annotated[
        Path | None, typer.Option("--new-gpx", help="GPX or FIT track of the new run.")
    ] = None,
    ref_gpx_offset: RefGpxOffset = 0.0,
    new_gpx_offset: Annotated[
        float, typer.Option("--new-gpx-offset", help="Seconds to add to the times of the new run's track.")
    ] = 0.0,
    gps_method: GpsMethod = "local",
    model: ModelName = "curve",
    review_threshold: o.ReviewThreshold = 0.6,
    strict: Strict = False,
    fast: o.Fast = False,
    fps: o.Fps = 3.0,
    matcher: o.MatcherName = None,
    weights: o.WeightsFolder = None,
    n_features: o.NFeatures = 400,
    no_clahe: o.NoClahe = False,
    no_proxy: o.NoProxy = False,
    threads: o.Threads = None,
    refine: Refine = "points",
    no_refine: NoRefine = False,
    lowe: Lowe = 0.8,
    ransac_reproj: RansacReproj = 4.0,
    min_inliers: MinInliers = 12,
    no_warp: Annotated[bool, typer.Option("--no-warp", help="Stop once the pairs are found.")] = False,
    warp_window_sec: Window = 1.0,
    warp_inlier_thresh: InlierThresh = None,
    warp_min_inlier_frac: MinInlierFrac = None,
    warp_ransac_iters: RansacIters = 500,
    warp_max_ppm: MaxPpm = None,
    warp_rng_seed: RngSeed = 0,
    no_gpu: o.NoGpu = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Line two runs up and carry the markers over."""
    from mtbsync_daemon.results import PAIRS
    from mtbsync_daemon.sync import SyncRequest
    from mtbsync_daemon.sync import sync as run
    from mtbsync_engine.align.flow import FlowParams

    console = Console(as_json=as_json, quiet=quiet)
    folder = out or Path(f"{new.stem}_sync")
    pairs_name = PAIRS
    if folder.suffix.lower() == ".csv":
        folder, pairs_name = folder.parent, folder.name
    networks = _networks(console, matcher, weights, no_gpu)
    request = SyncRequest(
        reference=reference,
        new=new,
        out=folder,
        pairs_name=pairs_name,
        index=index,
        ref_gpx=ref_gpx,
        new_gpx=new_gpx,
        ref_gpx_offset_s=ref_gpx_offset,
        new_gpx_offset_s=new_gpx_offset,
        gps_method=gps_method,
        markers=markers_of_reference(console, markers, markers_fps, markers_start_tc, reference),
        marker_file=markers,
        index_params=_index_params(fps, matcher, networks, n_features, no_clahe, fast),
        weights=networks,
        flow=FlowParams() if refine == "flow" and not no_refine else None,
        refine=None if no_refine else _refine_params(lowe, ransac_reproj, min_inliers, warp_window_sec),
        fit=None if no_warp else _fit_params(model, warp_inlier_thresh, warp_ransac_iters, warp_rng_seed),
        gates=_gates(strict, warp_min_inlier_frac, warp_max_ppm),
        review_threshold=review_threshold,
        use_proxy=not no_proxy,
        n_threads=threads,
    )
    return _report_sync(console, request, run(request, console.progress))


@ends_well
def warp(
    pairs: Annotated[Path, typer.Option("--pairs", help="CSV of pairs: t_new,t_ref,confidence.")],
    out: o.OutFile,
    model: ModelName = "curve",
    strict: Strict = False,
    warp_inlier_thresh: InlierThresh = None,
    warp_min_inlier_frac: MinInlierFrac = None,
    warp_ransac_iters: RansacIters = 500,
    warp_max_ppm: MaxPpm = None,
    warp_rng_seed: RngSeed = 0,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Fit a time map through pairs.

    The pairs are what `sync` found, or you edited. A --out that ends in .json becomes a file like
    timewarp.json, any other one like warp.npz.
    """
    from mtbsync_engine.artifacts import (
        TimeWarp,
        load_pairs,
        save_timewarp_json,
        save_warp,
        timewarp_document,
    )
    from mtbsync_engine.files import check_output
    from mtbsync_engine.pipeline import fit_and_judge

    console = Console(as_json=as_json, quiet=quiet)
    check_output(out, (pairs,))
    params = _fit_params(model, warp_inlier_thresh, warp_ransac_iters, warp_rng_seed)
    judged = fit_and_judge(load_pairs(pairs), params, _gates(strict, warp_min_inlier_frac, warp_max_ppm))
    about = {"pairs": str(pairs)}
    if out.suffix.lower() == ".json":
        save_timewarp_json(judged, about, out)
    else:
        save_warp(TimeWarp.of(judged), out)
    status = _report_verdict(console, judged.verdict)
    console.say(f"Written: {out}")
    console.result(timewarp_document(judged, about))
    return status


@ends_well
def batch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of new runs.")],
    reference: Reference,
    out: Annotated[
        Path, typer.Option("--out", "-o", "--out-dir", help="Folder for results; each run gets one in it.")
    ],
    markers: Markers = None,
    markers_fps: o.MarkersFps = None,
    markers_start_tc: o.MarkersStartTc = None,
    ref_gpx: RefGpx = None,
    ref_gpx_offset: RefGpxOffset = 0.0,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Runs worked on at a time.")] = 1,
    model: ModelName = "curve",
    review_threshold: o.ReviewThreshold = 0.6,
    strict: Strict = False,
    fast: o.Fast = False,
    fps: o.Fps = 3.0,
    matcher: o.MatcherName = None,
    weights: o.WeightsFolder = None,
    n_features: o.NFeatures = 400,
    no_clahe: o.NoClahe = False,
    no_proxy: o.NoProxy = False,
    threads: o.Threads = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    no_gpu: o.NoGpu = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Line every run in a folder up with one reference.

    A GPX or FIT file of a run's own name beside it is used. One bad file never stops the rest. What was
    done before with the same files and options is skipped.
    """
    from mtbsync_daemon import batch as work
    from mtbsync_daemon.sync import SyncRequest

    console = Console(as_json=as_json, quiet=quiet)
    runs = work.find_runs(folder, reference)
    networks = _networks(console, matcher, weights, no_gpu)
    template = SyncRequest(
        reference=reference,
        new=reference,
        out=out,
        ref_gpx=ref_gpx,
        ref_gpx_offset_s=ref_gpx_offset,
        markers=markers_of_reference(console, markers, markers_fps, markers_start_tc, reference),
        marker_file=markers,
        index_params=_index_params(fps, matcher, networks, n_features, no_clahe, fast),
        weights=networks,
        fit=_fit_params(model),
        gates=_gates(strict, None, None),
        review_threshold=review_threshold,
        use_proxy=not no_proxy,
        n_threads=threads,
    )
    if dry_run:
        for run in runs:
            console.say(str(run))
        console.result({"ok": True, "runs": [str(run) for run in runs]})
        return 0
    rows = work.run_batch(runs, template, n_jobs=jobs, progress=console.progress)
    console.table(
        f"{len(rows)} runs against {reference.name}",
        ("run", "status", "markers", "to review"),
        [(r.run, r.status + (" (done before)" if r.done_before else ""), *r.counts) for r in rows],
    )
    failed = [row for row in rows if row.status == "failed"]
    for row in rows:
        if row.status == "failed":
            console.warn(f"{row.run}: {row.note}")
        elif row.status != "accept":
            console.say(f"{row.run}: {row.note}")
    console.say(f"Written: {out / work.SUMMARY}")
    console.result(
        {"ok": not failed, "summary": str(out / work.SUMMARY), "runs": [r.document() for r in rows]}
    )
    return EXIT_FAILED if failed else 0


def _command_line(*arguments: str) -> str:
    """What to type at this system's prompt."""
    return list2cmdline(arguments) if sys.platform == "win32" else shlex.join(arguments)


def _say_where_tracks_start(console: Console, request: SyncRequest, result: SyncResult) -> None:
    """Which moment of a track is the first picture is an assumption that a rider has to be able to see."""
    from mtbsync_daemon.sync import CAMERA

    for run, whose, offset_s in (
        ("new", "new run's", request.new_gpx_offset_s),
        ("reference", "reference's", request.ref_gpx_offset_s),
    ):
        starts_s, came_from = result.document[run]["track_starts_s"], result.document[run]["track_from"]
        if starts_s is None:
            continue
        if came_from == CAMERA:
            console.say(f"The {whose} track is the camera's own.")
            continue
        if abs(starts_s - offset_s) < 1e-6:
            when = f"{offset_s:g} s after the first picture" if offset_s else "with the first picture"
            console.say(f"The {whose} track is taken to begin {when}.")
        else:
            option = "--new-gpx-offset" if run == "new" else "--ref-gpx-offset"
            console.say(
                f"By the camera's clock, the {whose} track begins {starts_s:.1f} s after the first picture; "
                f"if that clock was wrong, correct it with {option}."
            )


def _report_sync(console: Console, request: SyncRequest, result: SyncResult) -> int:
    from mtbsync_daemon.results import MARKERS

    stages = result.perf["stages_sec"]
    timings = {
        "retrieval_sec": sum(stages.get(s, 0.0) for s in ("index_reference", "index_new", "match")),
        "warp_sec": stages.get("warp", 0.0),
        "markers_sec": stages.get("markers", 0.0),
        "total_sec": result.perf["total_sec"],
    }
    written = {"out": str(request.out), "pairs": str(request.out / request.pairs_name)}
    if result.judged is None:
        console.say(f"Written: {written['pairs']} ({len(result.matching.pairs)} pairs)")
        _say_timings(console, timings)
        console.result({"ok": True, "n_pairs": len(result.matching.pairs)} | written | timings)
        return 0
    status = _report_verdict(console, result.judged.verdict)
    if result.document["new"]["fingerprint"] == result.document["reference"]["fingerprint"]:
        console.warn("The new run and the reference are one and the same recording.")
    console.say(f"GPS: {result.matching.gps.value}.")
    _say_where_tracks_start(console, request, result)
    if result.markers and status != EXIT_REJECTED:
        report_markers(console, result.markers)
        console.say(f"Written: {request.out / MARKERS}")
    _say_timings(console, timings)
    console.say(f"See how well the runs line up: {_command_line('mtbsync', 'plot', str(request.out))}")
    document = {k: v for k, v in result.document.items() if k != "knots"}
    console.result(document | written | timings)
    return status


def _say_timings(console: Console, timings: dict[str, float]) -> None:
    console.say("  ".join(f"{name}={seconds:.2f}" for name, seconds in timings.items()))


def _report_verdict(console: Console, verdict: Verdict) -> int:
    """Say what was decided and why; the exit status that goes with it."""
    rejected = verdict.decision == "reject"
    tell = console.warn if rejected else console.say
    tell(f"Verdict: {verdict.decision}. {' '.join(verdict.reasons)}")
    return EXIT_REJECTED if rejected else 0


def _networks(console: Console, matcher: str | None, folder: Path | None, no_gpu: bool) -> Weights | None:
    """Where the networks lie that `matcher` needs, after they were tried; None where it needs none."""
    from mtbsync_engine.model import Matcher, Weights

    if matcher is None or not Matcher(matcher).needs_weights:
        return None
    from mtbsync_engine.align.lightglue import try_networks

    weights = None if folder is None else Weights(folder, use_gpu=not no_gpu)
    on_gpu = try_networks(Matcher(matcher), weights)
    if matcher == Matcher.SUPER:
        console.warn("SuperPoint's weights are licensed for non-commercial research only.")
    console.say(
        f"The networks of --matcher {matcher} run on the {'graphics card' if on_gpu else 'processor'}."
    )
    return weights


def _index_params(
    fps: float,
    matcher: str | None,
    networks: Weights | None,
    n_features: int,
    no_clahe: bool,
    fast: bool,
) -> IndexParams:
    from mtbsync_engine.index.describe import best_matcher
    from mtbsync_engine.model import IndexParams, Matcher

    params = IndexParams(
        fps=fps,
        matcher=best_matcher() if matcher is None else Matcher(matcher),
        n_features=n_features,
        clahe=not no_clahe,
        fast=fast,
    )
    if networks is None:
        return params
    from dataclasses import replace

    from mtbsync_engine.index.deep import weights_sha256

    return replace(params, weights_sha256=weights_sha256(params.matcher, networks))


def _refine_params(lowe: float, reproj_px: float, min_inliers: int, window_s: float) -> RefineParams:
    from mtbsync_engine.align.refine import RefineParams

    return RefineParams(
        window_s=window_s,
        lowe=lowe,
        min_inliers=min_inliers,
        max_reprojection=reproj_px / _REPROJECTION_SIDE_PX,
    )


def _fit_params(
    model: str, inlier_thresh_s: float | None = None, ransac_iters: int = 500, seed: int = 0
) -> FitParams:
    from mtbsync_engine.align.fit import FitParams
    from mtbsync_engine.model import Model

    if model not in list(Model):
        raise UsageError(f"--model is curve or affine, not '{model}'.")
    return FitParams(Model(model), inlier_thresh_s, ransac_iters, seed)


def _gates(strict: bool, min_inlier_frac: float | None, max_ppm: float | None) -> Gates:
    from dataclasses import replace

    from mtbsync_engine.judge import STRICT_GATES, Gates

    gates = STRICT_GATES if strict else Gates()
    if min_inlier_frac is not None:
        gates = replace(gates, min_inlier_frac=min_inlier_frac)
    if max_ppm is not None:
        gates = replace(gates, max_ppm=max_ppm)
    return gates
