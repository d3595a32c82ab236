"""One module a format, and the names by which people ask for them.

A format module has

- `NAME`, `SUFFIX`, and `CARRIES`, what it has a place for (see `carries`),
- `encode(timeline) -> Export`, which gets a timeline that was made fit for it,
- `read(path, rate=None, start=None) -> Reading`. `start` is the timecode at which the timeline begins, and
  with it the rate; with only a rate a reader assumes what its editor begins with. Formats that say both
  themselves pay no heed to either, and the others refuse to go without.

Importing this package loads none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from mtbsync_engine.errors import ExportError

if TYPE_CHECKING:
    from mtbsync_engine.timing import Rate, Timecode
    from mtbsync_integrations.formats.carries import Carries
    from mtbsync_integrations.timeline import Reading, Timeline

# The module that speaks it, and what people call it.
_FORMATS = {
    "avid": ("avid", "Avid markers, as text"),
    "csv": ("marker_csv", "markers as CSV, with all that mtbsync knows of them"),
    "edl": ("cmx3600", "CMX3600 edit list, markers as locators"),
    "fcpxml": ("fcpxml", "Final Cut Pro"),
    "kdenlive": ("kdenlive", "Kdenlive project, markers as guides"),
    "mlt": ("mlt", "plain MLT, for melt"),
    "otio": ("otio_json", "OpenTimelineIO, which loses nothing"),
    "premiere": ("premiere", "Premiere Pro and others, Final Cut Pro 7 XML"),
    "premiere-csv": ("premiere_csv", "table of Premiere's Markers panel"),
    "resolve-csv": ("resolve_csv", "table of DaVinci Resolve's Edit Index"),
    "resolve-edl": ("resolve_edl", "DaVinci Resolve's timeline markers, as EDL"),
    "resolve-otio": ("resolve_otio", "OpenTimelineIO in the shape that Resolve accepts"),
    "shotcut": ("shotcut", "Shotcut project"),
    "youtube": ("youtube", "chapters for a YouTube description"),
}


@dataclass(frozen=True)
class Export:
    """A timeline in an editor's own words.

    `files` are pairs of what follows the output's stem in its file name, and the text, to be written as
    UTF-8 with its line ends left as they are. `losses` are sentences on what the editor will not see as
    it was, and on what nobody has yet seen that editor read.
    """

    files: tuple[tuple[str, str], ...]
    losses: tuple[str, ...] = ()


class Format(Protocol):
    """What every format module offers."""

    NAME: str
    SUFFIX: str
    CARRIES: Carries

    def encode(self, timeline: Timeline) -> Export:
        """A timeline made fit by `CARRIES`, in this format; its losses are those of this encoding only."""

    def read(self, path: Path, rate: Rate | None = None, start: Timecode | None = None) -> Reading:
        """What the file says. Raises MarkerError when it cannot be understood."""


class VersionedFormat(Protocol):
    """A format that changed over time: the versions that can be written, the usual one used where none is
    asked for."""

    VERSIONS: tuple[str, ...]

    def encode(self, timeline: Timeline, version: str) -> Export:
        """As a format's, in one of its versions."""


def format_names() -> tuple[str, ...]:
    """The names that `get_format` knows, in alphabetical order."""
    return tuple(sorted(_FORMATS))


def describe(name: str) -> str:
    """What a person calls the format that `format_names` calls `name`."""
    return _FORMATS[name][1]


def get_format(name: str) -> Format:
    """The format module called `name`.

    Raises:
        ExportError: there is none of that name.
    """
    if name not in _FORMATS:
        raise ExportError(f"There is no format called '{name}'; mtbsync knows {', '.join(format_names())}.")
    return cast(Format, import_module(f"{__name__}.{_FORMATS[name][0]}"))


def export(name: str, timeline: Timeline, version: str | None = None) -> Export:
    """The timeline in the format called `name`, with everything that is lost on the way. `version` is one of
    those that the format's `VERSIONS` lists, where it has any.

    Raises:
        ExportError: there is no such format or version, or the timeline cannot be expressed in it.
    """
    from mtbsync_integrations.formats.fitting import fitted  # noqa: PLC0415 - loads when used

    target = get_format(name)
    fit, losses = fitted(timeline, target.CARRIES)
    if version is None:
        written = target.encode(fit)
    else:
        versions: tuple[str, ...] = getattr(target, "VERSIONS", ())
        if version not in versions:
            known = f"these versions: {', '.join(versions)}" if versions else "one version only"
            raise ExportError(f"mtbsync writes {known} of {name}, not '{version}'.")
        written = cast(VersionedFormat, target).encode(fit, version)
    return replace(written, losses=losses + written.losses)
