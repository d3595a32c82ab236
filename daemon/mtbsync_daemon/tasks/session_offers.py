"""What each format would carry of a session's cameras, before anything is written."""

from __future__ import annotations

from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.tasks.session_timeline import cameras_of, notes
from mtbsync_engine.errors import ExportError
from mtbsync_integrations.session_formats import describe, export_session, session_format_names, suffix_of
from mtbsync_integrations.synced import Cameras


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """What `tasks.session_timeline.cameras_of` takes. Gives `notes`, which hold for every format, and for
    each what it is, how its files' names end, and `losses`, as writing it would tell them, or `problem`, why
    it cannot be written.

    Raises:
        ExportError: no camera lies anywhere.
    """
    cameras = cameras_of(params)
    with work.stage("Looking at what each format carries"):
        offers = [_offer(name, cameras) for name in session_format_names()]
    return {"notes": list(notes(params)), "offers": offers}


def _offer(name: str, cameras: Cameras) -> dict[str, Any]:
    about = {"format": name, "description": describe(name)}
    try:
        made = export_session(name, cameras)
    except ExportError as error:
        return {**about, "suffixes": [suffix_of(name)], "losses": [], "problem": str(error)}
    suffixes = [suffix for suffix, _ in made.files]
    return {**about, "suffixes": suffixes, "losses": list(made.losses), "problem": ""}
