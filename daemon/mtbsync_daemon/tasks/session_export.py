"""A session's cameras in an editor's format."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.tasks.session_timeline import cameras_of, notes
from mtbsync_daemon.tasks.zip import LOSSES, write_zip
from mtbsync_engine.files import write_text
from mtbsync_integrations.session_formats import export_session

# What a file's name may hold on every system.
_NOT_A_NAME = re.compile(r"[^\w.-]+")
_LONGEST = 80


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """What `tasks.session_timeline.cameras_of` takes, a `format`, and the `path` to write: its file, or a
    .zip where it takes several, in which `LOSSES` tells what they do not carry. Gives the `name` that it
    should have, and its `media_type`.

    Raises:
        ExportError, OutputError: the format cannot hold it, or it cannot be written.
    """
    with work.stage(f"Writing {params['format']}"):
        made = export_session(params["format"], cameras_of(params))
        stem, path = stem_of(params["title"]), Path(params["path"])
        named = {_file_name(stem, params["format"], suffix): text for suffix, text in made.files}
        if len(named) == 1:
            ((name, text),) = named.items()
            write_text(path, text)
            return {"name": name, "media_type": "application/octet-stream"}
        losses = "".join(f"{sentence}\n" for sentence in (*notes(params), *made.losses))
        write_zip(path, {**named, LOSSES: losses})
        return {"name": _file_name(stem, params["format"], ".zip"), "media_type": "application/zip"}


def _file_name(stem: str, format_name: str, suffix: str) -> str:
    """What a file in that format is called, without the part of the format's name that `suffix` says."""
    said = suffix.rpartition(".")[2]
    return "_".join((stem, *(part for part in format_name.split("-") if part != said))) + suffix


def stem_of(title: str) -> str:
    """A session's title as a file may be called on every system."""
    return _NOT_A_NAME.sub("_", title).strip("._")[:_LONGEST] or "session"
