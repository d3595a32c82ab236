"""Says what happens while `mtbsync serve` runs: a line for each event that a person wants to know of."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from mtbsync_daemon.cli import runs
from mtbsync_daemon.client import connect
from mtbsync_daemon.places import Places
from mtbsync_daemon.store import events, jobs
from mtbsync_daemon.store.ids import as_text
from mtbsync_daemon.store.reader import reading
from mtbsync_engine.errors import MtbsyncError

_PAUSE_S = 2.0


class Follower:
    """Looks again and again, in a thread, at what the daemon that uses `data` tells, and says what is new
    since this was made. `watched` are the folders that were named already."""

    def __init__(self, say: Callable[[str], None], data: Path, watched: Sequence[str]) -> None:
        self._say, self._data = say, data
        self._watched, self._reasons = [as_text(path) for path in watched], list[str]()
        with reading(Places(data).database) as library:
            self._event_id = library.read(events.span)[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Say no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_PAUSE_S):
            # Whatever does not answer now is asked again, and what it would have told is told then.
            for look in (self._of_folders, self._of_jobs):
                with suppress(MtbsyncError):
                    for line in look():
                        self._say(line)

    def _of_folders(self) -> list[str]:
        client = connect(self._data)
        watched = [str(folder["path"]) for folder in client.get("/folders")["folders"]]
        reasons = list(client.get("/health")["reasons"])
        lines = [f"Watched: {path}" for path in watched if path not in self._watched]
        lines += [f"No longer watched: {path}" for path in self._watched if path not in watched]
        lines += [reason for reason in reasons if reason not in self._reasons]
        if self._reasons and not reasons:
            lines.append("All is well again.")
        self._watched, self._reasons = watched, reasons
        return lines

    def _of_jobs(self) -> list[str]:
        with reading(Places(self._data).database) as library:
            self._event_id, lines = library.read(_news, self._event_id)
        return lines


def _news(db: sqlite3.Connection, event_id: int) -> tuple[int, list[str]]:
    """The newest event's id, and a line for each job behind `event_id` that there is something to say of."""
    found = events.after(db, event_id)
    changed = dict.fromkeys(event.subject for event in found if event.kind == "job")
    rows = (jobs.get(db, job_id) for job_id in changed)
    lines = [runs.say_news(db, job) for job in rows if job is not None]
    return (found[-1].event_id if found else event_id), [line for line in lines if line]
