"""Make a light copy of a recording, for the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.tasks.footage import located
from mtbsync_engine.media.light import write_light_copy


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """`recording` as in `tasks.footage`; `folder` is where the copies go, one for each chapter, called
    NUMBER.mp4 from 0 on. Those that are there are whole, and stay.

    Raises:
        MtbsyncError: the recording is away or cannot be read, or a copy cannot be written.
    """
    recording, folder = located(params["recording"]), Path(params["folder"])
    wanted = [(folder / f"{n}.mp4", chapter) for n, chapter in enumerate(recording.chapters)]
    missing = [(out, chapter) for out, chapter in wanted if not out.exists()]
    with work.stage("Making a light copy", sum(chapter.duration_s for _, chapter in missing)) as done:
        made_s = 0.0
        for out, chapter in missing:
            write_light_copy(chapter.path, out, on_picture=_from(made_s, done), n_threads=work.n_threads)
            made_s += chapter.duration_s
    return {"n_made": len(missing)}


def _from(begin_s: float, done: Callable[[float], None]) -> Callable[[float], None]:
    return lambda t_s: done(begin_s + t_s)
