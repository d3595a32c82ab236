"""The commands that carry markers, or a whole edit, over to the new run: transfer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.command import EXIT_REJECTED, UsageError, ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.cli.deliver import counting, deliver
from mtbsync_daemon.noted import noted_run, run_names

if TYPE_CHECKING:
    from mtbsync_engine.artifacts import TimeWarp
    from mtbsync_engine.model import Marker, TransferredMarker
    from mtbsync_engine.timing import Rate
    from mtbsync_integrations.build import Footage
    from mtbsync_integrations.timeline import Timeline


@ends_well
def transfer(
    ref_markers: Annotated[
        Path | None,
        typer.Option("--ref-markers", "--reference-markers", help="Reference markers, in any format."),
    ] = None,
    timeline: Annotated[
        Path | None, typer.Option("--timeline", help="An edit of the reference, to be made of the new run.")
    ] = None,
    warp: Annotated[
        Path | None,
        typer.Option("--warp", "--timewarp-json", help="Time map: warp.npz or timewarp.json."),
    ] = None,
    new: Annotated[
        Path | None, typer.Option("--new", "-n", help="The new run's video, to be synced first (--timeline).")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference", "-r", help="The reference's video.", show_default="the one in the timeline"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Format to write.", show_default="as OUT is called")
    ] = None,
    markers_fps: o.MarkersFps = None,
    markers_start_tc: o.MarkersStartTc = None,
    review_threshold: o.ReviewThreshold = 0.6,
    plot_overlay: Annotated[
        bool, typer.Option("--plot-overlay", help="Draw them, as OUT with .png.")
    ] = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Carry markers, or a whole edit, over to the new run."""
    console = Console(as_json=as_json, quiet=quiet)
    if out is None:
        raise UsageError("Say with --out which file to write.")
    if (ref_markers is None) == (timeline is None):
        raise UsageError("Give either --ref-markers or --timeline.")
    if timeline is not None:
        if (warp is None) == (new is None):
            raise UsageError("Give either --warp, or --new to have the new run synced first.")
        if warp is not None and reference is not None:
            raise UsageError("--reference goes with --new; with --warp the reference is known.")
        if plot_overlay:
            raise UsageError("--plot-overlay goes with --ref-markers.")
        return _transfer_edit(
            console, timeline, warp, new, reference, out, to, markers_fps, markers_start_tc, review_threshold
        )
    if ref_markers is None or warp is None:
        raise UsageError("--ref-markers needs --warp; `mtbsync sync` does both at once.")
    if new is not None or reference is not None or to is not None:
        raise UsageError("--new, --reference and --to go with --timeline.")
    return _transfer_markers(
        console, ref_markers, warp, out, markers_fps, markers_start_tc, review_threshold, plot_overlay
    )


def _transfer_markers(
    console: Console,
    ref_markers: Path,
    warp: Path,
    out: Path,
    markers_fps: str | None,
    markers_start_tc: str | None,
    review_threshold: float,
    plot_overlay: bool,
) -> int:
    from mtbsync_engine import markers as engine
    from mtbsync_engine.files import check_output, write_text
    from mtbsync_engine.timing import Rate
    from mtbsync_integrations.formats.marker_csv import write_transferred

    inputs, picture = (ref_markers, warp), out.with_suffix(".png")
    check_output(out, inputs)
    timewarp = _load_timewarp(warp)
    noted = _noted(warp)
    run = noted_run(noted, "reference")
    rate = run.rate if run else None
    if markers_fps is not None:
        rate = Rate.parse(markers_fps)
    if markers_start_tc is not None and rate is None:
        raise UsageError("--markers-start-tc needs --markers-fps: a timecode means nothing without its rate.")
    wanted = reference_markers(console, ref_markers, rate, markers_start_tc, run.footage() if run else None)
    decision = timewarp.verdict.decision
    placed = engine.transfer(wanted, timewarp.time_map, decision, review_threshold=review_threshold)
    if decision == "reject":
        out.unlink(missing_ok=True)
        return _rejected(console, timewarp, "No marker is carried over")
    if plot_overlay:
        from mtbsync_daemon.picture import write_picture

        check_output(picture, inputs)
        write_picture(timewarp, placed, picture, names=run_names(noted))
    write_text(out, write_transferred(placed))
    report_markers(console, placed)
    console.say(f"Written: {out}" + (f" and {picture}" if plot_overlay else ""))
    console.result({"ok": True, "verdict": decision, "markers": engine.counts(placed), "out": str(out)})
    return 0


def _transfer_edit(
    console: Console,
    edit: Path,
    warp: Path | None,
    new: Path | None,
    reference: Path | None,
    out: Path,
    to: str | None,
    fps: str | None,
    start_tc: str | None,
    review_threshold: float,
) -> int:
    from mtbsync_engine import markers as engine
    from mtbsync_engine.files import check_output
    from mtbsync_integrations import formats
    from mtbsync_integrations.formats.guess import format_of, format_to
    from mtbsync_integrations.same_edit import same_edit

    check_output(out, (edit,))
    source_format = format_of(edit)
    preset = to or (source_format if out.suffix.lower() == edit.suffix.lower() else format_to(out))
    reading = formats.get_format(source_format).read(edit, *counting(fps, start_tc, None, "--markers-"))
    for loss in reading.losses:
        console.warn(loss)
    if new is not None:
        warp = _synced(console, reading.timeline, edit, reference, new)
    assert warp is not None
    timewarp = _load_timewarp(warp)
    if timewarp.verdict.decision == "reject":
        return _rejected(console, timewarp, "The edit is not carried over")
    runs = [noted_run(_noted(warp), which) for which in ("reference", "new")]
    ref_run, new_run = runs
    if ref_run is None or new_run is None:
        raise UsageError(f"{_noted(warp)} does not tell its videos; run `mtbsync sync` again.")

    def carry(markers: Sequence[Marker]) -> Sequence[TransferredMarker]:
        time_map, decision = timewarp.time_map, timewarp.verdict.decision
        return engine.transfer(markers, time_map, decision, review_threshold=review_threshold)

    made = same_edit(reading.timeline, ref_run.footage(), new_run.footage(), timewarp.time_map, carry)
    for loss in made.losses:
        console.warn(loss)
    if made.markers:
        report_markers(console, made.markers)
    written = formats.export(preset, made.timeline)
    return deliver(console, written, out, (edit, warp), (*reading.losses, *made.losses))


def _synced(console: Console, edit: Timeline, where: Path, reference: Path | None, new: Path) -> Path:
    """The time map of the new run, which is synced with the reference that the edit shows."""
    from mtbsync_daemon.results import TIMEWARP
    from mtbsync_daemon.sync import SyncRequest
    from mtbsync_daemon.sync import sync as run

    if reference is None:
        reference = _reference_in(edit, where)
        console.say(f"The reference is {reference}.")
    request = SyncRequest(reference=reference, new=new, out=Path(f"{new.stem}_sync"))
    result = run(request, console.progress)
    if result.judged is not None:
        verdict = result.judged.verdict
        console.say(f"Verdict: {verdict.decision}. {' '.join(verdict.reasons)}")
    return request.out / TIMEWARP


def _reference_in(edit: Timeline, where: Path) -> Path:
    """The medium that the edit shows most of, where it says it is, or beside the edit."""
    from mtbsync_integrations.media_urls import file_name
    from mtbsync_integrations.on_recording import recordings_in

    shown = recordings_in(edit)
    for place in shown:
        for path in (Path(place), where.with_name(file_name(place))):
            if path.is_file():
                return path
    what = f"{shown[0]} is not there" if shown else f"{where} does not say where its footage lies"
    raise UsageError(f"{what}; give the reference's video with --reference.")


def _rejected(console: Console, timewarp: TimeWarp, what: str) -> int:
    verdict = timewarp.verdict
    console.warn(f"{what}, as the time map was rejected. {' '.join(verdict.reasons)}")
    console.result({"ok": False, "verdict": verdict.decision, "reasons": verdict.reasons})
    return EXIT_REJECTED


def _noted(warp: Path) -> Path:
    from mtbsync_daemon.results import TIMEWARP

    return warp if warp.suffix.lower() == ".json" else warp.with_name(TIMEWARP)


def _load_timewarp(path: Path) -> TimeWarp:
    from mtbsync_engine.artifacts import load_timewarp_json, load_warp

    return load_timewarp_json(path) if path.suffix.lower() == ".json" else load_warp(path)


# --- what commands share that take markers -------------------------------------------------------


def markers_of_reference(
    console: Console, path: Path | None, fps: str | None, start_tc: str | None, reference: Path
) -> tuple[Marker, ...]:
    """The markers of the video `reference`, from a file of any format; `fps` and `start_tc` are how that
    counts where it does not tell it. Without a file there are none."""
    if path is None:
        return ()
    from mtbsync_daemon.sync import footage_of
    from mtbsync_engine.media import probe
    from mtbsync_engine.timing import Rate

    recording = probe(reference)
    rate = recording.rate if fps is None else Rate.parse(fps)
    return reference_markers(console, path, rate, start_tc, footage_of(recording))


def reference_markers(
    console: Console, path: Path, rate: Rate | None, start_tc: str | None, footage: Footage | None
) -> tuple[Marker, ...]:
    """The reference's markers from a file of any format, on the reference's own clock.

    In lists of markers `start_tc` is the timecode of the reference's first picture. In timelines the markers
    are found on the clips that show the reference, so `footage` has to be known.
    """
    from mtbsync_engine.timing import Timecode
    from mtbsync_integrations.formats import get_format
    from mtbsync_integrations.formats.guess import format_of
    from mtbsync_integrations.formats.marker_csv import read_markers
    from mtbsync_integrations.on_recording import markers_on

    start = None if rate is None or start_tc is None else Timecode.parse(start_tc, rate)
    preset = format_of(path)
    if preset == "csv":
        return read_markers(path, rate=rate, start=start)
    reading = get_format(preset).read(path, rate, start)
    if footage is None:
        raise UsageError(
            f"Which recording the markers of {path} belong to is not known here; give them to `mtbsync sync`."
        )
    found = markers_on(reading.timeline, footage)
    for loss in (*reading.losses, *found.losses):
        console.warn(loss)
    return found.markers


def report_markers(console: Console, markers: Sequence[TransferredMarker]) -> None:
    """Say what became of the markers, and name those that a person has to look at."""
    from mtbsync_engine.markers import counts
    from mtbsync_integrations.formats.losses import listed, quoted

    def why(m: TransferredMarker) -> str:
        return f"{quoted(m.marker.name, m.marker.marker_id)} ({m.reason})"

    console.say("Markers: {placed} of {n} placed, {review} of them to review.".format(**counts(markers)))
    unplaced = [m for m in markers if m.t_new is None]
    if unplaced:
        console.say(f"Not placed: {listed([why(m) for m in unplaced])}.")
    doubtful = [m for m in markers if m.t_new is not None and m.needs_review]
    if 0 < len(doubtful) < len(markers) - len(unplaced):
        console.say(f"To review: {listed([why(m) for m in doubtful])}.")
