"""The daemon, put together: settings, library, watcher, queue, page."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from filelock import FileLock, Timeout

from mtbsync_daemon import http, on_files
from mtbsync_daemon.config import Config
from mtbsync_daemon.housekeeping import keep_house
from mtbsync_daemon.jobs.children import ChildProcesses
from mtbsync_daemon.jobs.executor import Executor
from mtbsync_daemon.jobs.queue import Queue
from mtbsync_daemon.library import Library
from mtbsync_daemon.on_files import Saving, Wanted
from mtbsync_daemon.own import mark
from mtbsync_daemon.places import Places
from mtbsync_daemon.services import Changes, Services
from mtbsync_daemon.settings import Settings
from mtbsync_daemon.store import recordings
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.recordings import StoredFile
from mtbsync_daemon.watch.folder import FolderState, Found, Watched
from mtbsync_daemon.watch.settle import Stamp
from mtbsync_daemon.watch.watcher import Watcher
from mtbsync_engine.errors import InputError, OutputError
from mtbsync_engine.files import remove_all_unfinished

_SETTINGS_S = 1.0
_HOUSEKEEPING_S = 3600.0
# What a person at the page waits for has children of its own, which stay for as long as somebody clicks: some
# for jobs, and others, given up soon, for questions, which may read from a share that does not answer.
_QUICK_IDLE_S = 120.0
_N_ASKED, _ASKED_SILENCE_S = 2, 60.0
# No edit is older than this, and the time that it takes, before it is on disk.
_SAVING_S = 1.0
_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")
_log = logging.getLogger(__name__)
T = TypeVar("T")


class RunningError(InputError):
    """Another daemon uses the same data folder."""


def serve(
    config_path: Path,
    data: Path,
    port: int | None = None,
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run the daemon until it is told to stop (Ctrl-C, SIGTERM); `on_ready` gets its address. `port` None is
    the one in the settings.

    Raises:
        RunningError: another daemon uses that folder.
        ConfigError, LibraryError, OutputError: the settings or the library cannot be used.
    """
    places = Places(data)
    settings = Settings(config_path)
    with _alone(places):
        # What is to be stored elsewhere is made in the data folder all the same.
        for folder in (places.artifacts, places.backups, places.footage, places.media):
            remove_all_unfinished(folder)
        store = Store(places.database, places.backups)
        try:
            asyncio.run(_serve(places, settings, store, port, on_ready))
        finally:
            store.close()


async def _serve(
    places: Places, settings: Settings, store: Store, port: int | None, on_ready: Callable[[str], None]
) -> None:
    stopped = _stop_event()
    library = Library(places, lambda: settings.current)
    executor, copies = await _executors(settings.current)
    quick, asked = _quick()
    queue = Queue(store, library, executor, copies, quick, places)
    watching = _Watching(store, library, settings.current.sweep_s)
    services = Services(
        places=places,
        settings=settings,
        store=store,
        library=library,
        queue=queue,
        executor=executor,
        asked=asked,
        token=secrets.token_urlsafe(32),
        folders=watching.states,
        look_now=watching.watcher.look_now,
    )
    loop = asyncio.get_running_loop()
    store.on_change(lambda: _soon(loop, queue.wake))
    await queue.recover()
    site = await http.start(services, settings.current.server.port if port is None else port)
    watching.follow(settings.current)
    settings.on_change(watching.follow)
    try:
        watching.watcher.start()
        with _told(places, site.url, services.token):
            on_ready(site.url)
            await _until(
                stopped,
                queue.run(),
                _every(_SETTINGS_S, settings.look),
                _every(
                    _HOUSEKEEPING_S,
                    lambda: asyncio.to_thread(keep_house, places, store, settings.current),
                ),
            )
    finally:
        await asyncio.to_thread(watching.watcher.stop)
        await site.close()
        await asyncio.gather(*(each.close() for each in {executor, copies, quick, asked}))


@dataclass(frozen=True)
class Looking:
    """What is looked at without a library. `url` is the page's; `login_url` makes a link that lets a browser
    in, once, to a place of the page, for as long as this runs."""

    url: str
    found: on_files.Found
    login_url: Callable[[str], str]


def look_at(wanted: Wanted, port: int, on_ready: Callable[[Looking], None]) -> None:
    """Show what lies on disk until told to stop; port 0 takes a free one. With `wanted.is_saved` a person's
    edits of markers are saved to their files, else nothing can be changed.

    Raises:
        InputError: nothing can be shown.
        OutputError: there is no room for what is worked on, or the last edits cannot be saved.
    """
    with TemporaryDirectory(prefix="mtbsync-", ignore_cleanup_errors=True) as data:
        places = Places(Path(data))
        store = Store(places.database, places.backups)
        try:
            asyncio.run(_look_at(wanted, places, store, port, on_ready))
        finally:
            store.close()


async def _look_at(
    wanted: Wanted, places: Places, store: Store, port: int, on_ready: Callable[[Looking], None]
) -> None:
    stopped = _stop_event()
    settings = Settings(places.data / "none.toml")
    library = Library(places, lambda: settings.current)
    executor = ChildProcesses.for_this_computer()
    quick, asked = _quick()
    try:
        found = await _unless(stopped, on_files.read(wanted, asked, places))
        if found is None:
            return
        # What is written for editors is asked for here, one by one, and belongs where the results are.
        output = wanted.root or next((path.parent for path, _ in found.marker_files.values()), None)
        settings.current = Config(roots=found.folders, output=output, formats=())
        store.write(on_files.fill, library, found)
        files = found.marker_files if wanted.is_saved else {}
        saving = Saving(store, asked, places.logs / "saving.log", files)
        # There are no sessions, whose footage could be copied.
        queue = Queue(store, library, executor, executor, quick, places)
        services = Services(
            places=places,
            settings=settings,
            store=store,
            library=library,
            queue=queue,
            executor=executor,
            asked=asked,
            token=secrets.token_urlsafe(32),
            folders=lambda: {**found.away, **saving.problems},
            look_now=lambda: None,
            changes=Changes.OF_RUNS if wanted.is_saved else Changes.NONE,
        )
        loop = asyncio.get_running_loop()
        store.on_change(lambda: _soon(loop, queue.wake))
        site = await http.start(services, port)
        try:
            with _told(places, site.url, services.token):
                on_ready(Looking(site.url, found, lambda to: site.login_url(to, math.inf)))
                await _until(stopped, queue.run(), _every(_SAVING_S, saving.save))
        finally:
            await site.close()
        await saving.save_at_last()
    finally:
        await asyncio.gather(executor.close(), quick.close(), asked.close())


async def _unless(stopped: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """What `work` gives; None where it was stopped before its end."""
    doing, stop = asyncio.create_task(work), asyncio.create_task(stopped.wait())
    await asyncio.wait([doing, stop], return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not doing.done():
        doing.cancel()
        await asyncio.wait([doing])
        return None
    return doing.result()


async def _every(wait_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` now and then. Where it fails, the rest of the daemon goes on, and it is tried again."""
    while True:
        try:
            await work()
        except Exception:
            _log.exception("What is done every %g s failed", wait_s)
        await asyncio.sleep(wait_s)


async def _until(stopped: asyncio.Event, *work: Coroutine[None, None, None]) -> None:
    """Do all of `work` until `stopped`, or until one of it fails, which is a defect."""
    tasks = [asyncio.create_task(w) for w in work]
    stop = asyncio.create_task(stopped.wait())
    await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, stop):
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


async def _executors(config: Config) -> tuple[Executor, Executor]:
    """What does jobs, and what makes copies of sessions' footage."""
    if config.executor.dask is not None:
        from mtbsync_daemon.jobs.cluster import DaskCluster

        cluster = await DaskCluster.connect(config.executor.dask)
        return cluster, cluster
    here = ChildProcesses.for_this_computer()
    n_slots, n_threads = config.jobs.slots or here.n_slots, config.jobs.threads or here.n_threads
    return ChildProcesses(n_slots, n_threads), ChildProcesses(n_slots, n_threads)


def _quick() -> tuple[ChildProcesses, ChildProcesses]:
    """What does quick jobs, and what answers questions."""
    return (
        ChildProcesses(1, 1, idle_s=_QUICK_IDLE_S),
        ChildProcesses(_N_ASKED, 1, idle_s=_QUICK_IDLE_S, silence_s=_ASKED_SILENCE_S),
    )


class _Watching:
    """Between the watcher, in its own thread, and the library."""

    def __init__(self, store: Store, library: Library, sweep_s: float) -> None:
        self._store, self._library = store, library
        self._states: dict[Path, str] = {}
        self.watcher = Watcher(self._handed_over, self._hand_over, self._report, sweep_s=sweep_s)

    def states(self) -> Mapping[Path, str]:
        """What is wrong with each folder, empty where nothing is."""
        return dict(self._states)

    def follow(self, config: Config) -> None:
        """Watch what these settings say."""
        self._store.write(self._library.follow_rules)
        folders = [Watched(f.path, f.settle_s, f.late_s, f.polling) for f in config.folder]
        self._states = {f.path: self._states.get(f.path, "") for f in folders}
        self.watcher.set_folders(folders)

    def _handed_over(self, folder: Path) -> Mapping[str, Stamp]:
        taken = self._store.read(recordings.stamps, folder)
        return {path: Stamp(*stamp) for path, stamp in taken.items()}

    def _hand_over(self, folder: Path, found: Found) -> None:
        first = found.chapters[0][0]
        files = [
            StoredFile(path, first, is_chapter, stamp.n_bytes, stamp.mtime_ns)
            for members, is_chapter in ((found.chapters, True), (found.sidecars, False))
            for path, stamp in members
        ]
        self._store.write(self._library.take, folder, files)

    def _report(self, folder: Path, state: FolderState) -> None:
        if folder not in self._states:
            return
        self._states[folder] = " ".join((state.why, *state.skipped)).strip()


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    # A write may end after the loop has.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call)


@contextmanager
def _alone(places: Places) -> Iterator[None]:
    """Hold the data folder, so that no other daemon uses it; however this one ends, it is let go."""
    try:
        places.data.mkdir(parents=True, exist_ok=True)
        mark(places.data)
        lock = FileLock(places.lock)
        lock.acquire(blocking=False)
    except Timeout:
        raise RunningError(
            f"mtbsync is running already with {places.data}; `mtbsync status` tells where. "
            "A second one needs another folder: --data."
        ) from None
    except OSError as error:
        raise OutputError(f"{places.data} cannot be used for mtbsync's data: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _told(places: Places, url: str, token: str) -> Iterator[None]:
    """Tell programs of this user, and nobody else, where the daemon is, while the block runs."""
    about = {"url": url, "token": token, "pid": os.getpid(), "version": version("mtbsync")}
    beside = places.info.with_suffix(".new")
    try:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(about, file)
        beside.replace(places.info)
    except OSError as error:
        raise OutputError(f"{places.info} cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        with suppress(OSError):
            places.info.unlink(missing_ok=True)


def _stop_event() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in _STOP_SIGNALS:
        number = getattr(signal, name, None)
        if number is None:
            continue
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
        else:
            loop.add_signal_handler(number, stopped.set)
    return stopped
