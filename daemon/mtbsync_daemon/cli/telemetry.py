"""The command that shows what a camera noted besides pictures: telemetry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtbsync_daemon.cli import options as o
from mtbsync_daemon.cli.command import ends_well
from mtbsync_daemon.cli.console import Console
from mtbsync_engine.errors import TelemetryError

if TYPE_CHECKING:
    from mtbsync_engine.model import FloatArray, Marker, Recording
    from mtbsync_engine.telemetry.read import CameraNotes


@ends_well
def telemetry(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="Any chapter of a recording.")],
    gpx: Annotated[Path | None, typer.Option("--gpx", help="GPX to write the track to, a new file.")] = None,
    markers: Annotated[
        Path | None, typer.Option("--markers", "-m", help="CSV of markers to write the HiLights to.")
    ] = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> int:
    """Show what the camera noted besides pictures.

    That is its GPS, how it turned, and the moments at which its mark button was pressed.
    """
    from mtbsync_engine.files import check_new_track, check_output, write_new_track, write_text
    from mtbsync_engine.media import probe
    from mtbsync_engine.telemetry.read import read_camera
    from mtbsync_integrations.formats.marker_csv import write_markers

    console = Console(as_json=as_json, quiet=quiet)
    if gpx is not None:
        check_new_track(gpx)
    if markers is not None:
        check_output(markers, (video,))
    recording = probe(video)
    notes = read_camera(recording)
    _say(console, notes)
    track_text = _gpx(recording, notes) if gpx is not None else ""
    marker_text = write_markers(_highlights(recording, notes)) if markers is not None else ""
    if gpx is not None:
        write_new_track(gpx, track_text)
    if markers is not None:
        write_text(markers, marker_text)
    written = [str(path) for path in (gpx, markers) if path is not None]
    for path in written:
        console.say(f"Written: {path}")
    console.result({"ok": True, "video": str(video)} | _document(notes) | {"written": written})
    return 0


def _say(console: Console, notes: CameraNotes) -> None:
    document = _document(notes)
    track, motion, highlights_s = document["track"], document["motion"], document["highlights_s"]
    if notes.camera is None and not highlights_s:
        console.say("The camera noted nothing besides pictures that mtbsync can read.")
        return
    console.say(f"Camera: {notes.camera or 'not known'}")
    if track is None:
        console.say("Track: none.")
    else:
        console.say(
            f"Track: {track['length_m']:.0f} m from {track['starts_s']:.2f} to {track['ends_s']:.2f} s, "
            f"{document['fixes']['kept']} fixes good to {track['accuracy_m']:.1f} m."
        )
    dropped = ", ".join(f"{n} {reason}" for reason, n in document["fixes"]["dropped"].items() if n)
    if dropped:
        console.say(f"Fixes left aside: {dropped.replace('_', ' ')}.")
    if motion is not None:
        console.say(
            f"Motion: from {motion['starts_s']:.2f} to {motion['ends_s']:.2f} s, "
            f"{motion['rate_hz']:.0f} values a second."
        )
    if highlights_s:
        console.say(f"HiLights: {', '.join(f'{t_s:.3f}' for t_s in highlights_s)} s")
    if notes.n_damaged:
        console.warn(f"{notes.n_damaged} pieces of the camera's telemetry are damaged and were passed over.")


def _document(notes: CameraNotes) -> dict[str, Any]:
    from dataclasses import asdict
    from datetime import UTC, datetime

    import numpy as np

    track, motion = notes.telemetry.track, notes.telemetry.motion
    start = None if notes.start_utc_s is None else datetime.fromtimestamp(notes.start_utc_s, UTC)
    return {
        "camera": notes.camera,
        "start_utc": start and start.isoformat(timespec="milliseconds"),
        "fixes": {"kept": 0 if notes.fixes is None else len(notes.fixes), "dropped": asdict(notes.dropped)},
        "track": track
        and {
            **_span(track.t_s),
            "length_m": float(np.hypot(np.diff(track.east_m), np.diff(track.north_m)).sum()),
            "accuracy_m": float(np.median(track.accuracy_m)),
        },
        "motion": motion and _span(motion.t_s),
        "highlights_s": list(notes.telemetry.highlights_s),
        "damaged": notes.n_damaged,
    }


def _span(t_s: FloatArray) -> dict[str, float]:
    starts_s, ends_s = float(t_s[0]), float(t_s[-1])
    rate_hz = (t_s.size - 1) / (ends_s - starts_s) if ends_s > starts_s else 0.0
    return {"starts_s": starts_s, "ends_s": ends_s, "rate_hz": rate_hz}


def _gpx(recording: Recording, notes: CameraNotes) -> str:
    """The fixes that count, dated by GPS, else by the video, else from the year in which POSIX begins."""
    from mtbsync_engine.telemetry.gpx import gpx_text
    from mtbsync_engine.telemetry.track import thinned

    if notes.fixes is None or notes.telemetry.track is None:
        raise TelemetryError(f"{recording.path} holds no track that could be written.")
    start_s = notes.start_utc_s
    if start_s is None:
        start_s = recording.created_utc.timestamp() if recording.created_utc else 0.0
    return gpx_text(thinned(notes.fixes).later(start_s), recording.path.stem)


def _highlights(recording: Recording, notes: CameraNotes) -> list[Marker]:
    from mtbsync_engine.model import Marker

    if not notes.telemetry.highlights_s:
        raise TelemetryError(f"{recording.path} holds no HiLights that could be written.")
    return [
        Marker(marker_id=f"hilight-{n}", name=f"HiLight {n}", t_s=t_s)
        for n, t_s in enumerate(notes.telemetry.highlights_s, start=1)
    ]
