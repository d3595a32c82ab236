"""Commands that show how good a result is: plot, viewer, evaluate, version."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.command import ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.noted import noted_run, run_names
from mtbsync_engine.errors import InputError

if TYPE_CHECKING:
    from mtbsync_engine.evaluate import ErrorSummary
    from mtbsync_engine.model import FloatArray, TransferredMarker


@ends_well
def plot(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `sync` wrote to.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="PNG to write.", show_default="DIR/sync.png")
    ] = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Draw how well two runs line up.

    What is alike and the map through it, sightings off the map, pace, and markers with their errors.
    """
    from mtbsync_daemon import results as names
    from mtbsync_daemon.picture import write_picture
    from mtbsync_engine.artifacts import load_likeness, load_pairs_raw, load_timewarp_json
    from mtbsync_engine.files import check_output
    from mtbsync_integrations.formats.marker_csv import read_transferred

    console = Console(as_json=as_json, quiet=quiet)
    markers = folder / names.MARKERS
    if not (folder / names.TIMEWARP).exists():
        raise InputError(
            f"There is no {names.TIMEWARP} in {folder}; name the folder that `mtbsync sync` wrote to."
        )
    path = out or folder / names.PICTURE
    check_output(path, (folder / name for name in names.ALL if name != names.PICTURE))
    write_picture(
        load_timewarp_json(folder / names.TIMEWARP),
        read_transferred(markers) if markers.exists() else (),
        path,
        names=run_names(folder / names.TIMEWARP),
        likeness=load_likeness(folder / names.LIKENESS),
        pairs=load_pairs_raw(folder / names.PAIRS_RAW),
    )
    console.say(f"Written: {path}")
    console.result({"ok": True, "picture": str(path)})
    return 0


@ends_well
def viewer(
    timewarp_json: Annotated[Path, typer.Option("--timewarp-json", help="Time map: timewarp.json.")],
    out_png: Annotated[Path, typer.Option("--out-png", help="PNG to write.")],
    ref_markers: Annotated[
        Path | None, typer.Option("--ref-markers", help="CSV of reference markers.")
    ] = None,
    new_markers: Annotated[
        Path | None, typer.Option("--new-markers", help="CSV of transferred markers.")
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="Accepted for old scripts; no window opens.")
    ] = True,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Draw a time map and markers, named one by one."""
    from mtbsync_daemon.picture import write_picture
    from mtbsync_engine.artifacts import load_timewarp_json
    from mtbsync_engine.files import check_output
    from mtbsync_engine.markers import transfer
    from mtbsync_integrations.formats.marker_csv import read_markers, read_transferred

    console = Console(as_json=as_json, quiet=quiet)
    check_output(out_png, (timewarp_json, ref_markers, new_markers))
    timewarp = load_timewarp_json(timewarp_json)
    markers: tuple[TransferredMarker, ...] = ()
    if new_markers is not None:
        markers = read_transferred(new_markers)
    elif ref_markers is not None:
        reference = noted_run(timewarp_json, "reference")
        marked = read_markers(ref_markers, rate=reference.rate if reference else None)
        markers = transfer(marked, timewarp.time_map, timewarp.verdict.decision)
    write_picture(timewarp, markers, out_png, names=run_names(timewarp_json))
    console.say(f"Written: {out_png}")
    console.result({"ok": True, "picture": str(out_png)})
    return 0


@ends_well
def evaluate(
    timewarp_json: Annotated[Path, typer.Option("--timewarp-json", help="Time map: timewarp.json.")],
    truth: Annotated[Path, typer.Option("--truth", help="CSV of what is true: t_new,t_ref.")],
    markers: Annotated[
        Path | None, typer.Option("--markers", "-m", help="Transferred markers to look at one by one.")
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option("--fps", help="Frame rate for errors in frames.", show_default="the new run's, or 30"),
    ] = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Compare a time map with a known truth."""
    from mtbsync_engine.artifacts import load_timewarp_json
    from mtbsync_engine.evaluate import evaluate as compare
    from mtbsync_engine.evaluate import read_truth
    from mtbsync_engine.timing import Rate
    from mtbsync_integrations.formats.marker_csv import read_transferred

    console = Console(as_json=as_json, quiet=quiet)
    timewarp = load_timewarp_json(timewarp_json)
    t_new, t_ref = read_truth(truth)
    new_run = noted_run(timewarp_json, "new")
    rate = new_run.rate if fps is None and new_run is not None else Rate.parse(fps or "30")
    result = compare(
        timewarp.time_map, t_new, t_ref, frame_s=float(1 / rate.fps), decision=timewarp.verdict.decision
    )
    rows = [] if markers is None else _marker_rows(read_transferred(markers), t_new, t_ref)
    console.table(
        f"{result.n} moments, {result.covered:.0%} of the truth",
        ("error of", "median", "P90", "max", "in 1 frame", "in 0.1 s", "in 0.3 s"),
        [_summary("markers", result.marker), _summary("places", result.place)],
    )
    console.say(
        f"Stated errors hold for {result.calibration:.0%} of the moments; 90% is meant. "
        f"Half a second off without a flag: {result.n_unflagged}."
    )
    if rows:
        console.table(
            "Markers against the truth",
            ("marker", "t_ref", "t_new", "true t_new", "error", "stated", "review"),
            [_cells(row) for row in rows],
        )
    console.result({"ok": True, "verdict": timewarp.verdict.decision, **asdict(result), "markers": rows})
    return 0


@ends_well
def version(as_json: o.AsJson = False, quiet: o.Quiet = False) -> int:
    """Print the version."""
    from importlib.metadata import version as installed

    console = Console(as_json=as_json, quiet=quiet)
    number = installed("mtbsync")
    console.say(f"mtbsync {number}")
    console.result({"ok": True, "version": number})
    return 0


def _summary(what: str, errors: ErrorSummary) -> tuple[str, ...]:
    seconds = (errors.median_s, errors.p90_s, errors.max_s)
    shares = (errors.within_frame, errors.within_100_ms, errors.within_300_ms)
    return (what, *(f"{s:.3f} s" for s in seconds), *(f"{share:.0%}" for share in shares))


def _marker_rows(
    markers: tuple[TransferredMarker, ...], t_new: FloatArray, t_ref: FloatArray
) -> list[dict[str, Any]]:
    """Each marker beside the truth, times in seconds; None where one of the two does not place it."""
    import numpy as np

    if (np.diff(t_ref) <= 0).any():
        raise InputError("Markers can be compared only where the truth's t_ref rises from row to row.")
    rows = []
    for m in markers:
        shown = t_ref[0] <= m.marker.t_s <= t_ref[-1]
        true = float(np.interp(m.marker.t_s, t_ref, t_new)) if shown else None
        rows.append(
            {
                "marker": m.marker.name,
                "t_ref": m.marker.t_s,
                "t_new": m.t_new,
                "true_t_new": true,
                "error_s": None if m.t_new is None or true is None else abs(m.t_new - true),
                "expected_error_s": m.expected_error_s,
                "needs_review": m.needs_review,
            }
        )
    return rows


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    times = ("t_ref", "t_new", "true_t_new", "error_s", "expected_error_s")
    review = "yes" if row["needs_review"] and row["t_new"] is not None else ""
    return (row["marker"], *("-" if row[t] is None else f"{row[t]:.3f}" for t in times), review)
