"""An OpenTimelineIO adapter over one of mtbsync's formats.

OpenTimelineIO loads this file once for every adapter in the manifest and calls the module after the
adapter, which is how it knows its format.

Arguments, all optional text: `rate` (29.97) and `start` (01:00:00;00) of the timeline, for files and
objects that do not tell them. What a format cannot carry is logged as a warning by the logger `mtbsync`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import opentimelineio as otio

from mtbsync_engine.errors import ExportError, TimecodeError
from mtbsync_engine.files import write_text
from mtbsync_engine.timing import Rate, Timecode
from mtbsync_integrations.formats import Export, export, get_format
from mtbsync_integrations.otio_timeline import from_otio, to_otio

PREFIX = "mtbsync_"

_NAME = __name__.rpartition(".")[2].removeprefix(PREFIX).replace("_", "-")
_log = logging.getLogger("mtbsync")


def read_from_file(filepath: str, rate: str | None = None, start: str | None = None) -> otio.schema.Timeline:
    """The file as an OpenTimelineIO timeline, exact values in its metadata."""
    known_rate, known_start = _counting(rate, start)
    reading = get_format(_NAME).read(Path(filepath), known_rate, known_start)
    _tell(reading.losses)
    return to_otio(reading.timeline)


def write_to_file(input_otio: Any, filepath: str, rate: str | None = None, start: str | None = None) -> str:
    """Writes the timeline; where a format takes several files, the others lie beside the first."""
    path = Path(filepath)
    written = _export(input_otio, rate, start)
    for number, (suffix, text) in enumerate(written.files):
        write_text(path if number == 0 else path.with_name(path.stem + suffix), text)
    return filepath


def write_to_string(input_otio: Any, rate: str | None = None, start: str | None = None) -> str:
    """The timeline as text.

    Raises:
        ExportError: it takes several files.
    """
    written = _export(input_otio, rate, start)
    if len(written.files) > 1:
        raise ExportError(f"This takes {len(written.files)} files; write it to a file.")
    return written.files[0][1]


def _export(input_otio: Any, rate: str | None, start: str | None) -> Export:
    known_rate, known_start = _counting(rate, start)
    reading = from_otio(input_otio, known_start or (Timecode(0, known_rate) if known_rate else None))
    written = export(_NAME, reading.timeline)
    _tell((*reading.losses, *written.losses))
    return written


def _counting(rate: str | None, start: str | None) -> tuple[Rate | None, Timecode | None]:
    if rate is None:
        if start is not None:
            raise TimecodeError(f"The start {start} counts frames; give their `rate` with it.")
        return None, None
    known = Rate.parse(str(rate))
    return known, None if start is None else Timecode.parse(str(start), known)


def _tell(losses: tuple[str, ...]) -> None:
    for loss in losses:
        _log.warning(loss)
