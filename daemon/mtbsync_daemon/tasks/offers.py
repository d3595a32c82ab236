"""What each format would carry of a run's markers, before anything is written."""

from __future__ import annotations

from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.tasks.deliver import timeline_of
from mtbsync_engine.errors import ExportError
from mtbsync_integrations.formats import describe, export, format_names, get_format
from mtbsync_integrations.timeline import Timeline


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """What `tasks.deliver.timeline_of` takes. Gives for every format what it is, how its files' names end,
    and `losses`, as writing it would tell them, or `problem`, why it cannot be written."""
    timeline = timeline_of(params)
    with work.stage("Looking at what each format carries"):
        return {"offers": [_offer(name, timeline) for name in format_names()]}


def _offer(name: str, timeline: Timeline) -> dict[str, Any]:
    about = {"format": name, "description": describe(name)}
    try:
        made = export(name, timeline)
    except ExportError as error:
        return {**about, "suffixes": [get_format(name).SUFFIX], "losses": [], "problem": str(error)}
    suffixes = [suffix for suffix, _ in made.files]
    return {**about, "suffixes": suffixes, "losses": list(made.losses), "problem": ""}
