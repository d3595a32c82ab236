"""Make copies of a session's footage: light ones for the page, and ones of a constant rate for editors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.store.sessions import Derivative
from mtbsync_daemon.tasks.derive import shelf_of
from mtbsync_daemon.tasks.footage import located
from mtbsync_engine.media.light import write_proxy
from mtbsync_engine.media.mezzanine import write_mezzanine
from mtbsync_engine.model import Recording


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """As `tasks.derive`, and `kinds`: those of "proxy" and "mezzanine" that are wanted. What is in the
    storage already, made of this recording and whole, stays. Gives `derived`, as `tasks.ingest`.

    Raises:
        MtbsyncError: the recording is away or cannot be read, or the storage cannot be reached or written.
    """
    recording = located(params["recording"])
    with shelf_of(params, recording, work) as shelf:
        for kind in params["kinds"]:
            words, make = _MAKING[Derivative(kind)]
            shelf.have(kind, words, recording.duration_s, partial(make, recording, work.n_threads))
        return {"derived": shelf.derived}


def _make_proxy(recording: Recording, n_threads: int, out: Path, done: Callable[[float], None]) -> None:
    write_proxy(recording, out, on_picture=done, n_threads=n_threads)


def _make_mezzanine(recording: Recording, n_threads: int, out: Path, done: Callable[[float], None]) -> None:
    write_mezzanine(recording, out, on_picture=done, n_threads=n_threads)


_MAKING = {
    Derivative.PROXY: ("Making a light copy", _make_proxy),
    Derivative.MEZZANINE: ("Making a copy for editors", _make_mezzanine),
}
