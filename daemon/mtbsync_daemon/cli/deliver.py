"""Commands that carry markers over and hand them to an editor: transfer, export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.command import EXIT_REJECTED, UsageError, ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.cli.noted import footage_of, noted_run, run_names

if TYPE_CHECKING:
    from mtbsync_engine.artifacts import TimeWarp
    from mtbsync_engine.model import TransferredMarker

NewMarkers = Annotated[
    Path, typer.Option("--markers", "-m", help="Markers of the new run, as `sync` wrote them.")
]
OptionalOut = Annotated[
    Path | None, typer.Option("--out", "-o", help="File to write.", show_default="beside the input")
]
TimelineFps = Annotated[
    str | None,
    typer.Option(
        "--fps", help="Timeline's frame rate: 25, 29.97, 30000/1001 …", show_default="the new run's"
    ),
]


@ends_well
def transfer(
    ref_markers: Annotated[
        Path, typer.Option("--ref-markers", "--reference-markers", help="CSV of reference markers.")
    ],
    warp: Annotated[
        Path, typer.Option("--warp", "--timewarp-json", help="Time map: warp.npz or timewarp.json.")
    ],
    out: o.OutFile,
    markers_fps: o.MarkersFps = None,
    markers_start_tc: o.MarkersStartTc = None,
    review_threshold: o.ReviewThreshold = 0.6,
    plot_overlay: Annotated[
        bool, typer.Option("--plot-overlay", help="Draw them, as OUT with .png.")
    ] = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Carry markers over with a time map made before."""
    from mtbsync_daemon.results import TIMEWARP
    from mtbsync_engine import markers as engine
    from mtbsync_engine.files import check_output, write_text
    from mtbsync_engine.timing import Rate, Timecode
    from mtbsync_integrations.formats.marker_csv import read_markers, write_transferred

    console = Console(as_json=as_json, quiet=quiet)
    inputs, picture = (ref_markers, warp), out.with_suffix(".png")
    check_output(out, inputs)
    timewarp = _load_timewarp(warp)
    noted = warp if warp.suffix.lower() == ".json" else warp.with_name(TIMEWARP)
    reference = noted_run(noted, "reference")
    rate = reference.rate if reference else None
    if markers_fps is not None:
        rate = Rate.parse(markers_fps)
    if markers_start_tc is not None and rate is None:
        raise UsageError("--markers-start-tc needs --markers-fps: a timecode means nothing without its rate.")
    start = None if rate is None or markers_start_tc is None else Timecode.parse(markers_start_tc, rate)
    decision = timewarp.verdict.decision
    placed = engine.transfer(
        read_markers(ref_markers, rate=rate, start=start),
        timewarp.time_map,
        decision,
        review_threshold=review_threshold,
    )
    if decision == "reject":
        out.unlink(missing_ok=True)
        console.warn(
            f"No marker is carried over, as the time map was rejected. {' '.join(timewarp.verdict.reasons)}"
        )
        console.result({"ok": False, "verdict": decision, "reasons": timewarp.verdict.reasons})
        return EXIT_REJECTED
    if plot_overlay:
        from mtbsync_daemon.picture import write_picture

        check_output(picture, inputs)
        write_picture(timewarp, placed, picture, names=run_names(noted))
    write_text(out, write_transferred(placed))
    report_markers(console, placed)
    console.say(f"Written: {out}" + (f" and {picture}" if plot_overlay else ""))
    console.result({"ok": True, "verdict": decision, "markers": counts(placed), "out": str(out)})
    return 0


@ends_well
def export_edl(
    markers: NewMarkers,
    out: OptionalOut = None,
    fps: TimelineFps = None,
    start_tc: o.StartTc = "01:00:00:00",
    drop_frame: o.DropFrame = None,
    reel: o.Reel = "001",
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Write a CMX3600 EDL, the markers as locators."""
    console = Console(as_json=as_json, quiet=quiet)
    return _export(console, markers, "edl", out, fps, start_tc, drop_frame, reel)


@ends_well
def export_csv(
    markers: NewMarkers,
    out: OptionalOut = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Write the markers as a CSV."""
    console = Console(as_json=as_json, quiet=quiet)
    return _export(console, markers, "csv", out, "1000", "00:00:00:00", None, "001")


@ends_well
def export_markers(
    markers: Annotated[Path, typer.Argument(metavar="NEW_MARKERS.csv", help="As `sync` wrote them.")],
    preset: Annotated[str, typer.Option("--preset", help="resolve-edl, edl (CMX3600) or csv.")],
    out: OptionalOut = None,
    fps: TimelineFps = None,
    start_tc: o.StartTc = "01:00:00:00",
    drop_frame: o.DropFrame = None,
    reel: o.Reel = "001",
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Write the markers for an editor."""
    console = Console(as_json=as_json, quiet=quiet)
    return _export(console, markers, preset, out, fps, start_tc, drop_frame, reel)


def _export(
    console: Console,
    markers: Path,
    preset: str,
    out: Path | None,
    fps: str | None,
    start_tc: str,
    drop_frame: bool | None,
    reel: str,
) -> int:
    from mtbsync_daemon.results import TIMEWARP
    from mtbsync_engine.files import check_output, write_text
    from mtbsync_engine.timing import Rate, Timecode
    from mtbsync_integrations import formats
    from mtbsync_integrations.build import run_timeline
    from mtbsync_integrations.formats.marker_csv import read_transferred

    target = formats.get_format(preset)
    new_run = noted_run(markers.with_name(TIMEWARP), "new")
    if fps is not None:
        rate = Rate.parse(fps)
    elif new_run is not None:
        rate = new_run.rate
    else:
        raise UsageError(f"Say the timeline's frame rate with --fps; nothing beside {markers} tells it.")
    placed = read_transferred(markers)
    footage = footage_of(new_run, markers.stem, placed, rate, reel)
    export = formats.export(preset, run_timeline(footage, placed, Timecode.parse(start_tc, rate, drop_frame)))
    first = out or markers.with_name(f"{markers.stem}_{preset}{target.SUFFIX}")
    paths = [
        first if k == 0 else first.with_name(first.stem + suffix)
        for k, (suffix, _) in enumerate(export.files)
    ]
    for path in paths:
        check_output(path, (markers,))
    for path, (_, text) in zip(paths, export.files, strict=True):
        write_text(path, text)
        console.say(f"Written: {path}")
    for loss in export.losses:
        console.warn(loss)
    console.result({"ok": True, "files": [str(p) for p in paths], "losses": list(export.losses)})
    return 0


def counts(markers: Sequence[TransferredMarker]) -> dict[str, int]:
    """How many markers there are, how many were placed, and how many of those need review."""
    placed = [m for m in markers if m.t_new is not None]
    return {"n": len(markers), "placed": len(placed), "review": sum(m.needs_review for m in placed)}


def report_markers(console: Console, markers: Sequence[TransferredMarker]) -> None:
    """Say what became of the markers, and name those that a person has to look at."""
    from mtbsync_integrations.formats.losses import listed, quoted

    def title(m: TransferredMarker) -> str:
        return quoted(m.marker.name, m.marker.marker_id)

    console.say("Markers: {placed} of {n} placed, {review} of them to review.".format(**counts(markers)))
    unplaced = [m for m in markers if m.t_new is None]
    if unplaced:
        console.say(f"Not placed: {listed([f'{title(m)} ({m.reason})' for m in unplaced])}.")
    doubtful = [m for m in markers if m.t_new is not None and m.needs_review]
    if 0 < len(doubtful) < len(markers) - len(unplaced):
        console.say(f"To review: {listed([f'{title(m)} ({m.reason})' for m in doubtful])}.")


def _load_timewarp(path: Path) -> TimeWarp:
    from mtbsync_engine.artifacts import load_timewarp_json, load_warp

    return load_timewarp_json(path) if path.suffix.lower() == ".json" else load_warp(path)
