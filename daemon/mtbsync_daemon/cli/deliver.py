"""Commands that hand markers and timelines to an editor: export, timeline, convert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.command import UsageError, ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_daemon.noted import noted_run

if TYPE_CHECKING:
    from mtbsync_engine.timing import Rate, Timecode
    from mtbsync_integrations.formats import Export

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
To = Annotated[str | None, typer.Option("--to", help="Format to write.", show_default="as OUT is called")]

# Seconds keep every digit in CSV, whatever the rate; where none is known, this will do.
_CSV_FPS = "1000"


def exporter(preset: str) -> Callable[..., None]:
    """The command that writes the format called `preset`."""

    @ends_well
    def command(
        markers: NewMarkers,
        out: OptionalOut = None,
        fps: TimelineFps = None,
        start_tc: o.StartTc = "01:00:00:00",
        drop_frame: o.DropFrame = None,
        reel: o.Reel = "001",
        format_version: o.FormatVersion = None,
        as_json: o.AsJson = False,
        quiet: o.Quiet = False,
    ) -> int:
        console = Console(as_json=as_json, quiet=quiet)
        return _export(console, markers, preset, out, fps, start_tc, drop_frame, reel, format_version)

    return command


@ends_well
def export_markers(
    markers: Annotated[Path, typer.Argument(metavar="NEW_MARKERS.csv", help="As `sync` wrote them.")],
    preset: Annotated[str, typer.Option("--preset", help="Format: see `mtbsync export --help`.")],
    out: OptionalOut = None,
    fps: TimelineFps = None,
    start_tc: o.StartTc = "01:00:00:00",
    drop_frame: o.DropFrame = None,
    reel: o.Reel = "001",
    format_version: o.FormatVersion = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Write the markers for an editor."""
    console = Console(as_json=as_json, quiet=quiet)
    return _export(console, markers, preset, out, fps, start_tc, drop_frame, reel, format_version)


@ends_well
def timeline(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that `sync` wrote to.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write.", show_default="in the folder")
    ] = None,
    to: To = None,
    beside_reference: Annotated[
        bool, typer.Option("--side-by-side", help="The reference above the new run, retimed to follow it.")
    ] = False,
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", min=0.001, max=10.0, help="Seconds the two may be apart."),
    ] = 0.02,
    fps: TimelineFps = None,
    start_tc: o.StartTc = "01:00:00:00",
    drop_frame: o.DropFrame = None,
    format_version: o.FormatVersion = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Write a timeline of the new run and its markers."""
    from mtbsync_daemon.results import MARKERS, TIMEWARP
    from mtbsync_engine.artifacts import load_timewarp_json
    from mtbsync_engine.timing import Rate, Timecode
    from mtbsync_integrations import formats
    from mtbsync_integrations.build import run_timeline
    from mtbsync_integrations.formats.guess import format_to
    from mtbsync_integrations.formats.marker_csv import read_transferred
    from mtbsync_integrations.side_by_side import side_by_side

    console = Console(as_json=as_json, quiet=quiet)
    if to is None and out is None:
        raise UsageError("Say which format to write with --to, or name a file with --out.")
    preset = to or format_to(Path(out or ""))
    timewarp_json = folder / TIMEWARP
    timewarp = load_timewarp_json(timewarp_json)
    reference, new = (noted_run(timewarp_json, which) for which in ("reference", "new"))
    if reference is None or new is None:
        raise UsageError(f"{timewarp_json} does not tell its videos; run `mtbsync sync` again.")
    markers = read_transferred(folder / MARKERS) if (folder / MARKERS).exists() else ()
    lead = reference if beside_reference else new
    start = Timecode.parse(start_tc, lead.rate if fps is None else Rate.parse(fps), drop_frame)
    if beside_reference:
        made = side_by_side(reference.footage(), new.footage(), timewarp.time_map, markers, start, tolerance)
    else:
        made = run_timeline(new.footage(), markers, start)
    stem = f"{new.path.stem}_beside_reference" if beside_reference else new.path.stem
    first = out or folder / f"{stem}{formats.get_format(preset).SUFFIX}"
    return deliver(console, formats.export(preset, made, format_version), first, (timewarp_json,))


@ends_well
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Timeline or list of markers.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write.")],
    from_format: Annotated[
        str | None, typer.Option("--from", help="Format of IN.", show_default="as IN looks")
    ] = None,
    to: To = None,
    fps: o.ListFps = None,
    start_tc: o.ListStartTc = None,
    drop_frame: o.DropFrame = None,
    format_version: o.FormatVersion = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Turn a timeline or markers into another format."""
    from mtbsync_integrations import formats
    from mtbsync_integrations.formats.guess import format_to
    from mtbsync_integrations.reading import read_timeline

    console = Console(as_json=as_json, quiet=quiet)
    preset = to or format_to(out)
    reading = read_timeline(source, from_format, *counting(fps, start_tc, drop_frame))
    for loss in reading.losses:
        console.warn(loss)
    made = reading.timeline
    n_clips = sum(len(track.clips()) for track in made.tracks)
    console.say(
        f"Read: {len(made.markers)} markers on the timeline, {n_clips} clips on {len(made.tracks)} tracks, "
        f"{made.rate} frames a second from {made.start}."
    )
    written = formats.export(preset, made, format_version)
    return deliver(console, written, out, (source,), reading.losses)


def counting(
    fps: str | None, start_tc: str | None, drop_frame: bool | None, prefix: str = "--"
) -> tuple[Rate | None, Timecode | None]:
    """How a timeline counts whose format does not tell it, as far as options say so, which begin with
    `prefix`."""
    from mtbsync_engine.timing import Rate, Timecode

    if fps is None:
        if start_tc is not None:
            raise UsageError(
                f"{prefix}start-tc needs {prefix}fps: a timecode means nothing without its rate."
            )
        return None, None
    rate = Rate.parse(fps)
    if start_tc is None:
        return rate, Timecode.parse("01:00:00:00", rate, True) if drop_frame else None
    return rate, Timecode.parse(start_tc, rate, drop_frame)


def deliver(
    console: Console,
    export: Export,
    first: Path,
    inputs: tuple[Path, ...],
    losses_before: tuple[str, ...] = (),
) -> int:
    """Write the files of an export, the first to the very path given, and say what was lost."""
    from mtbsync_engine.files import check_output, write_text

    paths = [
        first if k == 0 else first.with_name(first.stem + suffix)
        for k, (suffix, _) in enumerate(export.files)
    ]
    for path in paths:
        check_output(path, inputs)
    for path, (_, text) in zip(paths, export.files, strict=True):
        write_text(path, text)
        console.say(f"Written: {path}")
    further = first.with_name(f"{first.stem}_{len(paths) + 1}{first.suffix}")
    if len(paths) > 1 and further.exists():
        console.warn(f"{further} is of an earlier export, and does not belong to this one.")
    for loss in export.losses:
        console.warn(loss)
    console.result({"ok": True, "files": [str(p) for p in paths], "losses": [*losses_before, *export.losses]})
    return 0


def _export(
    console: Console,
    markers: Path,
    preset: str,
    out: Path | None,
    fps: str | None,
    start_tc: str,
    drop_frame: bool | None,
    reel: str,
    format_version: str | None,
) -> int:
    from mtbsync_daemon.results import TIMEWARP
    from mtbsync_engine.timing import Rate, Timecode
    from mtbsync_integrations import formats
    from mtbsync_integrations.build import Footage, run_timeline
    from mtbsync_integrations.formats.marker_csv import read_transferred

    target = formats.get_format(preset)
    new_run = noted_run(markers.with_name(TIMEWARP), "new")
    if fps is None and new_run is None and target.NAME != "csv":
        raise UsageError(f"Say the timeline's frame rate with --fps; nothing beside {markers} tells it.")
    rate = new_run.rate if fps is None and new_run else Rate.parse(fps or _CSV_FPS)
    placed = read_transferred(markers)
    footage = new_run.footage(reel) if new_run else Footage.of_markers(markers.stem, placed, rate, reel)
    made = run_timeline(footage, placed, Timecode.parse(start_tc, rate, drop_frame))
    first = out or markers.with_name(f"{markers.stem}_{preset}{target.SUFFIX}")
    return deliver(console, formats.export(preset, made, format_version), first, (markers,))
