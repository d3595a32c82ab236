"""One module a format, and the names by which people ask for them.

A format module has `NAME`, `SUFFIX` and `write(timeline) -> Export`; one that can also be read has
`read(path, start) -> tuple[Marker, ...]`, with times counted from the timeline's start. Importing this
package loads none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from mtbsync_engine.errors import ExportError

if TYPE_CHECKING:
    from opentimelineio.schema import Timeline

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
    losses: tuple[str, ...]


class Format(Protocol):
    """What every format module offers."""

    NAME: str
    SUFFIX: str

    def write(self, timeline: Timeline) -> Export:
        """The timeline in this format. Raises ExportError when it cannot be expressed at all."""


def format_names() -> tuple[str, ...]:
    """The names that `get_format` knows, in alphabetical order."""
    return tuple(sorted(_MODULES))


def get_format(name: str) -> Format:
    """The format module called `name`.

    Raises:
        ExportError: there is none of that name.
    """
    if name not in _MODULES:
        raise ExportError(f"There is no format called '{name}'; mtbsync writes {', '.join(format_names())}.")
    return cast(Format, import_module(f"{__name__}.{_MODULES[name]}"))
