"""What the daemon's parts share while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mtbsync_daemon.jobs.executor import Executor
from mtbsync_daemon.jobs.queue import Queue
from mtbsync_daemon.library import Library
from mtbsync_daemon.places import Places
from mtbsync_daemon.settings import Settings
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.ids import now


@dataclass(frozen=True)
class Services:
    """One daemon's parts. `folders` gives how it stands with each watched folder, as a sentence, empty where
    all is well; `look_now` has them looked at; `token` is what programs of this user show."""

    places: Places
    settings: Settings
    store: Store
    library: Library
    queue: Queue
    executor: Executor
    token: str
    folders: Callable[[], Mapping[Path, str]]
    look_now: Callable[[], None]
    started_at: float = field(default_factory=now)
