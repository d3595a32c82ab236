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

_MODULES = {
    "csv": "marker_csv",
    "edl": "cmx3600",
    "resolve-edl": "resolve_edl",
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


def format_names() -> tuple[str, ...]:
    """The names that `get_format` knows, in alphabetical order."""
    return tuple(sorted(_MODULES))


def get_format(name: str) -> Format:
    """The format module called `name`.

    Raises:
        ExportError: there is none of that name.
    """
    if name not in _MODULES:
        raise ExportError(f"There is no format called '{name}'; mtbsync knows {', '.join(format_names())}.")
    return cast(Format, import_module(f"{__name__}.{_MODULES[name]}"))


def export(name: str, timeline: Timeline) -> Export:
    """The timeline in the format called `name`, with everything that is lost on the way.

    Raises:
        ExportError: there is no such format.
    """
    from mtbsync_integrations.formats.carries import fitted  # noqa: PLC0415 - loads when used

    target = get_format(name)
    fit, losses = fitted(timeline, target.CARRIES)
    written = target.encode(fit)
    return replace(written, losses=losses + written.losses)
