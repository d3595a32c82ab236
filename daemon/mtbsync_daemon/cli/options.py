"""Options that several commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.")]

Fps = Annotated[float, typer.Option("--fps", min=0.1, max=60, help="Pictures looked at a second.")]
NFeatures = Annotated[
    int, typer.Option("--n-features", min=50, max=20_000, help="Key points kept in a picture.")
]
MatcherName = Annotated[
    Literal["xfeat", "orb", "aliked", "disk", "super"] | None,
    typer.Option(
        "--matcher", help="What describes pictures.", show_default="xfeat, or orb where that cannot run"
    ),
]
WeightsFolder = Annotated[
    Path | None, typer.Option("--weights", help="Folder of networks (--matcher aliked, disk or super).")
]
NoClahe = Annotated[bool, typer.Option("--no-clahe", help="Do not equalise contrast locally (ORB).")]
Fast = Annotated[bool, typer.Option("--fast", help="Key frames up to a second apart will do.")]
NoProxy = Annotated[bool, typer.Option("--no-proxy", help="Leave the camera's low-resolution file aside.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, max=256, help="Threads at most.", show_default="all cores")
]
NoGpu = Annotated[bool, typer.Option("--no-gpu", help="Leave the graphics card aside (see --weights).")]

StartTc = Annotated[str, typer.Option("--start-tc", help="Timecode at which the timeline starts.")]
DropFrame = Annotated[
    bool | None,
    typer.Option(
        "--drop-frame/--non-drop-frame",
        help="Drop-frame timecode or not.",
        show_default="as --start-tc is written",
    ),
]
Reel = Annotated[str, typer.Option("--reel", help="Reel name, at most 8 characters.")]
ReviewThreshold = Annotated[
    float,
    typer.Option("--review-threshold", min=0.0, max=1.0, help="Markers with less confidence need review."),
]
MarkersFps = Annotated[
    str | None,
    typer.Option(
        "--markers-fps",
        help="Frame rate of timecodes in the marker file.",
        show_default="the reference's",
    ),
]
MarkersStartTc = Annotated[
    str | None,
    typer.Option(
        "--markers-start-tc",
        help="Timecode of the reference's first picture in the marker file.",
        show_default="00:00:00:00",
    ),
]
ListFps = Annotated[
    str | None,
    typer.Option("--fps", help="Frame rate of IN, where its format does not tell it: 25, 29.97 …"),
]
ListStartTc = Annotated[
    str | None,
    typer.Option(
        "--start-tc",
        help="Timecode at which the timeline of IN starts, where its format does not tell it.",
        show_default="as its editor usually does",
    ),
]
FormatVersion = Annotated[
    str | None,
    typer.Option("--format-version", help="Version of the format: FCPXML 1.8 to 1.13.", show_default="1.10"),
]
OutFile = Annotated[Path, typer.Option("--out", "-o", help="File to write.")]

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file.", show_default="this system's place for settings"),
]
DataFolder = Annotated[
    Path | None,
    typer.Option("--data", help="The daemon's folder.", show_default="this system's place for data"),
]


def config_file(chosen: Path | None) -> Path:
    """The settings file that `--config` names, or the usual one, as a whole path."""
    from mtbsync_daemon.places import default_config

    return default_config() if chosen is None else chosen.expanduser().absolute()


def data_folder(chosen: Path | None) -> Path:
    """The data folder that `--data` names, or the usual one, as a whole path."""
    from mtbsync_daemon.places import default_data

    return default_data() if chosen is None else chosen.expanduser().absolute()
