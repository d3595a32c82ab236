"""A run's markers in every format, as one .zip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.tasks.deliver import encoded, file_name, timeline_of
from mtbsync_engine.errors import ExportError
from mtbsync_engine.files import replacing
from mtbsync_integrations.formats import describe, export, format_names

LOSSES = "LOSSES.txt"
# Anybody may read what is unpacked.
_MODE = 0o644 << 16


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """What `tasks.deliver.timeline_of` takes, and `path`, the .zip to write, with files called `stem` and
    their format. It holds every format that can be written, and `LOSSES` tells what each does not carry; the
    same markers give the same bytes.

    Raises:
        OutputError: it cannot be written.
    """
    timeline = timeline_of(params)
    files: dict[str, str] = {}
    told = [f"What these files do not carry of the markers of {timeline.name}\n"]
    for name in format_names():
        with work.stage(f"Writing {name}"):
            try:
                made = export(name, timeline)
            except ExportError as error:
                told.append(_section(f"{describe(name)}: not written", (str(error),)))
                continue
            written = {file_name(params["stem"], name, suffix): text for suffix, text in made.files}
            files |= written
            losses = made.losses or ("Nothing is lost.",)
            told.append(_section(f"{', '.join(written)}: {describe(name)}", losses))
    write_zip(Path(params["path"]), {**files, LOSSES: "\n".join(told)})
    return {"n_files": len(files)}


def write_zip(path: Path, texts: Mapping[str, str]) -> None:
    """Texts by their names as one .zip; the same texts give the same bytes.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path) as temporary, ZipFile(temporary, "w") as archive:
        for name, text in texts.items():
            # Without a time of its own, an entry is of 1980.
            entry = ZipInfo(name)
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, _MODE
            archive.writestr(entry, encoded(text))


def _section(title: str, sentences: tuple[str, ...]) -> str:
    return "\n".join([title, *(f"  - {sentence}" for sentence in sentences), ""])
