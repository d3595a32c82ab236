"""What the system says of changes in a folder: no more than that it is time to look."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Event

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

# Not what is only read, which jobs do all the time. Nor every piece that is written, where the system tells
# when a writer has done: to hear of each takes a sixth of a core while a fast card is copied.
_TELLING: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileClosedEvent if sys.platform == "linux" else FileModifiedEvent,
]


class FolderEvents:
    """Sets an event flag whenever something happens in a folder or below it."""

    def __init__(self, woken: Event) -> None:
        self._handler = _Waker(woken)
        self._observer: BaseObserver | None = None
        self._followed: tuple[int, int] | None = None

    def come_from(self, status: os.stat_result) -> bool:
        """Whether events come, and from the folder of which `status` was told.

        The system follows a folder, not a path, and another may have taken its place, as when a disk is
        mounted there. Events end when the folder is deleted, or the system's own part fails.
        """
        return (
            self._observer is not None
            and self._observer.is_alive()
            and all(emitter.is_alive() for emitter in self._observer.emitters)
            and self._followed == (status.st_dev, status.st_ino)
        )

    def follow(self, root: Path, status: os.stat_result) -> None:
        """Follow the folder `root`, of which `status` was told just now, unless that is done already.

        Raises:
            OSError: the system does not allow it, for instance because it follows too many folders already.
        """
        if self.come_from(status):
            return
        self.stop()
        self._observer = Observer()
        self._observer.start()
        try:
            # A path that is a link would have the link followed instead of the folder.
            self._observer.schedule(self._handler, root.resolve(), recursive=True, event_filter=_TELLING)
        except OSError:
            self.stop()
            raise
        self._followed = (status.st_dev, status.st_ino)

    def stop(self) -> None:
        """Follow nothing any more."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
        self._observer = self._followed = None


class _Waker(FileSystemEventHandler):
    def __init__(self, woken: Event) -> None:
        self._woken = woken

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._woken.set()
