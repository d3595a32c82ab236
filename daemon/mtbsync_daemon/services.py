"""What the daemon's parts share while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from mtbsync_daemon.jobs.executor import Executor
from mtbsync_daemon.jobs.queue import Queue
from mtbsync_daemon.library import Library
from mtbsync_daemon.places import Places
from mtbsync_daemon.settings import Settings
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.ids import now


class Changes(Enum):
    """What may be changed over HTTP: everything, only what is known of runs, or nothing."""

    ALL = "all"
    OF_RUNS = "of runs"
    NONE = "none"


@dataclass(frozen=True)
class Services:
    """One daemon's parts. `executor` does jobs, `asked` answers what a person waits for. `folders` gives how
    it stands with each watched folder, as a sentence, empty where all is well; `look_now` has them looked at;
    `token` is what programs of this user show, `changes` what may be changed at all."""

    places: Places
    settings: Settings
    store: Store
    library: Library
    queue: Queue
    executor: Executor
    asked: Executor
    token: str
    folders: Callable[[], Mapping[Path, str]]
    look_now: Callable[[], None]
    changes: Changes = Changes.ALL
    started_at: float = field(default_factory=now)
