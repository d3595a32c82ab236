"""Find out what a group of files is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.sync import run_document
from mtbsync_daemon.tasks.away import AwayError
from mtbsync_engine.media import probe


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`first` is the group's first chapter. Gives the recording as `sync.run_document` describes it, its
    date and its `codec`.

    Raises:
        AwayError: it is not there any more.
        MediaError: it is no video, damaged, or not yet whole.
    """
    first = Path(params["first"])
    if not first.is_file():
        raise AwayError(f"{first} is not there any more.")
    with work.stage("Reading the file's head"):
        recording = probe(first)
    created = recording.created_utc
    more = {"created_utc": created and created.isoformat(), "codec": recording.codec}
    return run_document(recording) | more
