"""Finds what lands in the watched folders, and hands it over once it has come to rest.

What a look finds is the truth. Events only bring the next look forward, so that one that is lost costs time
and nothing else. Files are never written, moved or locked: they are opened for reading once before they are
handed over, to see that this is allowed, and closed again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from threading import Event, Thread

from mtbsync_daemon.watch.folder import Folder, FolderState, Found, HandedOver, HandOver, Watched
from mtbsync_daemon.watch.walk import as_text

__all__ = ["FolderState", "Found", "Watched", "Watcher"]

# Looks take no more than a tenth of the time, however slow a share and however large a library.
_REST_PER_LOOK = 9.0
# A thread may hang in a share that does not answer; nobody waits longer for it to end.
_PATIENCE_S = 10.0

_log = logging.getLogger(__name__)

Report = Callable[[Path, FolderState], None]


class Watcher:
    """Watches folders, each in a thread of its own, so that a share that hangs holds up no other folder.

    The three functions are called in those threads, with the watched folder first, and no more once that
    folder was taken off or all was stopped. `handed_over` gives the stamp that each file had when it was
    handed over last, by its path as text; it is asked when a look finds something new. `hand_over` keeps what
    was found before it returns; where it raises MtbsyncError, that is reported, and it is called again at a
    later look. It is given all of a recording again when a file of it is new or has changed. `report` is
    called when a folder's state has changed, and does not raise.

    Each folder is looked at every `sweep_s` in any case; every `poll_s` where no events come, and while it is
    away. As often it is seen whether a folder is still the same one, as after a disk was changed.
    """

    def __init__(
        self,
        handed_over: HandedOver,
        hand_over: HandOver,
        report: Report,
        *,
        sweep_s: float = 300.0,
        poll_s: float = 15.0,
    ) -> None:
        self._new_watch = partial(
            _Watch,
            handed_over=handed_over,
            hand_over=hand_over,
            report=report,
            sweep_s=sweep_s,
            poll_s=poll_s,
        )
        self._wanted: tuple[Watched, ...] = ()
        self._watches: dict[Watched, _Watch] = {}
        self._is_started = False

    def set_folders(self, folders: Sequence[Watched]) -> None:
        """Watch these folders from now on and no others. What is watched already goes on undisturbed."""
        self._wanted = tuple(folders)
        if self._is_started:
            self._end([watched for watched in self._watches if watched not in self._wanted])
            self._begin()

    def start(self) -> None:
        """Begin to watch."""
        self._is_started = True
        self._begin()

    def look_now(self) -> None:
        """Look into every folder at once, and compare all that lies there with what was handed over."""
        for watch in list(self._watches.values()):
            watch.look_now()

    def stop(self) -> None:
        """Watch nothing any more."""
        self._is_started = False
        self._end(list(self._watches))

    def _begin(self) -> None:
        for watched in self._wanted:
            if watched not in self._watches:
                self._watches[watched] = self._new_watch(watched)
                self._watches[watched].start()

    def _end(self, folders: Iterable[Watched]) -> None:
        ending = [self._watches.pop(watched) for watched in folders]
        for watch in ending:
            watch.end()
        deadline_s = time.monotonic() + _PATIENCE_S
        for watch in ending:
            watch.join(max(0.0, deadline_s - time.monotonic()))


class _Watch(Thread):
    """The thread that looks into one folder."""

    def __init__(
        self,
        watched: Watched,
        *,
        handed_over: HandedOver,
        hand_over: HandOver,
        report: Report,
        sweep_s: float,
        poll_s: float,
    ) -> None:
        super().__init__(name=f"watch {as_text(watched.path)}", daemon=True)
        self._watched = watched
        self._report = report
        self._sweep_s, self._poll_s = sweep_s, poll_s
        self._woken, self._hurried, self._ended = Event(), Event(), Event()
        self._folder = Folder(watched, handed_over, hand_over, self._woken, self._ended)
        self._reported: FolderState | None = None

    def look_now(self) -> None:
        """Have the thread look at once, at everything."""
        self._hurried.set()
        self._woken.set()

    def end(self) -> None:
        """Have the thread end soon."""
        self._ended.set()
        self.look_now()

    def run(self) -> None:
        """Look, rest, and wait until something happens or it is time to look again."""
        while not self._ended.is_set():
            # Whatever happens from here on, also during the look, leads to another one.
            self._woken.clear()
            if self._hurried.is_set():
                self._hurried.clear()
                self._folder.forget()
            began_s = time.monotonic()
            again_s = self._look(began_s)
            took_s = time.monotonic() - began_s
            rest_s = max(self._watched.settle_s, _REST_PER_LOOK * took_s)
            if not self._hurried.wait(rest_s):
                self._wait(again_s - took_s - rest_s)
        self._folder.close()

    def _wait(self, wait_s: float) -> None:
        """Wait so long, or until something happens, or until the folder goes, comes or is another."""
        until_s = time.monotonic() + wait_s
        while (left_s := until_s - time.monotonic()) > 0:
            if self._woken.wait(min(left_s, self._poll_s)) or not self._folder.has_events:
                return

    def _look(self, now_s: float) -> float:
        """Look once; in so many seconds to look again, if nothing happens until then."""
        try:
            state, again_s = self._folder.look(now_s)
        except Exception:
            # Nobody else would notice that this folder is watched no longer.
            _log.exception("Watching %s failed", as_text(self._watched.path))
            why = f"Watching {as_text(self._watched.path)} failed, and is tried again; the log says how."
            state, again_s = FolderState(why=why), self._poll_s
        if state != self._reported and not self._ended.is_set():
            self._report(self._watched.path, state)
            self._reported = state
        return min(again_s, self._sweep_s if self._folder.has_events else self._poll_s)
