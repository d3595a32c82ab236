"""Reading what editors wrote, in whatever format it is."""

from __future__ import annotations

from pathlib import Path

from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import get_format
from mtbsync_integrations.formats.guess import format_of
from mtbsync_integrations.timeline import Reading


def read_timeline(
    path: Path, name: str | None = None, rate: Rate | None = None, start: Timecode | None = None
) -> Reading:
    """The timeline in a file of the format called `name`, or of the one that it looks like. `rate` and
    `start` serve for formats that do not tell them.

    Raises:
        MarkerError: it cannot be read, or not understood.
        ExportError: there is no format called `name`.
    """
    return get_format(name or format_of(path)).read(path, rate, start)
