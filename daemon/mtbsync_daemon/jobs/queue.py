"""The queue: takes jobs in their order, has them done, and notes how each ended."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Concatenate, ParamSpec

from mtbsync_daemon.jobs.executor import Executor, Outcome, Progress, Task
from mtbsync_daemon.library import Library
from mtbsync_daemon.places import Places
from mtbsync_daemon.store import events, jobs
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.jobs import COPIES, MAX_ATTEMPTS, QUICK, SLOW, JobRow, Kind
from mtbsync_engine.errors import MtbsyncError, OutputError

# How long to wait until a full disk may have room again.
_PAUSE_S = 5.0
_FAILED = "mtbsync itself failed; `mtbsync bundle {}` packs what is needed to report it."
_INTERRUPTED = (
    "It was interrupted {} times in a row; `mtbsync bundle {}` packs what is needed to find out why."
)

P = ParamSpec("P")
_log = logging.getLogger(__name__)


@dataclass
class _Lane:
    """Some kinds of jobs, what does them, and which of them it is doing."""

    executor: Executor
    kinds: tuple[Kind, ...]
    running: set[str] = field(default_factory=set)


class Queue:
    """Has `executor` do the library's jobs, as many at a time as it can, and `quick` those that take no time
    worth speaking of, so that none of them waits behind an hour of others. `copies` copies footage, in slots
    that nothing else takes; where copies take all of them, one other job is done beside."""

    def __init__(
        self,
        store: Store,
        library: Library,
        executor: Executor,
        copies: Executor,
        quick: Executor,
        places: Places,
    ) -> None:
        self._store, self._library, self._places = store, library, places
        self._slow, self._copies, self._quick = (
            _Lane(executor, SLOW),
            _Lane(copies, COPIES),
            _Lane(quick, QUICK),
        )
        self._boot_id = secrets.token_hex(8)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._progress: dict[str, Progress] = {}
        self._cancelled: set[str] = set()
        self._awake = asyncio.Event()
        self._on_progress: list[Callable[[str, Progress], None]] = []

    def progress_of(self, job_id: str) -> Progress | None:
        """Where a running job stands."""
        return self._progress.get(job_id)

    def on_progress(self, listener: Callable[[str, Progress], None]) -> None:
        """Have `listener` called with a job's id whenever it gets on."""
        self._on_progress.append(listener)

    def wake(self) -> None:
        """There may be something new to do."""
        self._awake.set()

    async def recover(self) -> None:
        """Take up what a daemon was at that was killed; what was interrupted too often has failed."""
        await asyncio.to_thread(self._store.write, _recover, self._library, self._boot_id)

    async def run(self) -> None:
        """Do jobs until cancelled. Then what still runs is stopped, and goes on at the next start."""
        try:
            while True:
                self._awake.clear()
                await self._fill()
                wait_s = await asyncio.to_thread(self._store.read, jobs.next_due_s)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._awake.wait()
        finally:
            await self._stop()

    async def cancel(self, job_id: str) -> bool:
        """Stop a job, or take it from the queue; False where it has ended already."""
        running = self._running.get(job_id)
        if running is not None:
            self._cancelled.add(job_id)
            running.cancel()
            await asyncio.wait([running])
        return await asyncio.to_thread(self._store.write, _cancel, self._library, job_id)

    async def _fill(self) -> None:
        for lane in (self._slow, self._copies, self._quick):
            while self._is_free(lane):
                try:
                    job = await asyncio.to_thread(self._store.write, jobs.claim, self._boot_id, lane.kinds)
                except OutputError:
                    await asyncio.sleep(_PAUSE_S)
                    continue
                if job is None:
                    break
                running = asyncio.create_task(self._do(job, lane.executor))
                self._running[job.job_id] = running
                lane.running.add(job.job_id)
                running.add_done_callback(partial(self._done, job.job_id, lane))

    def _is_free(self, lane: _Lane) -> bool:
        """Whether another of a lane's jobs can be begun."""
        n_slots, n_running = lane.executor.n_slots, len(lane.running)
        if lane is self._copies:
            return n_running + len(self._slow.running) < n_slots
        if lane is self._slow:
            return n_running < min(n_slots, max(1, n_slots - len(self._copies.running)))
        return n_running < n_slots

    def _done(self, job_id: str, lane: _Lane, running: asyncio.Task[None]) -> None:
        del self._running[job_id]
        lane.running.discard(job_id)
        self._progress.pop(job_id, None)
        self._cancelled.discard(job_id)
        self.wake()

    async def _do(self, job: JobRow, executor: Executor) -> None:
        try:
            await self._perform(job, executor)
        except Exception:
            # A defect of the daemon itself: it costs this job, and not those behind it.
            _log.exception("Job %s failed", job.job_id)
            await self._write(self._library.failed, job, _FAILED.format(job.job_id))

    async def _perform(self, job: JobRow, executor: Executor) -> None:
        try:
            params = await asyncio.to_thread(self._store.read, self._library.task_params, job)
        except MtbsyncError as error:
            outcome = Outcome(None, str(error))
        else:
            task = Task(
                job.job_id,
                f"mtbsync_daemon.tasks.{job.kind}:run",
                params,
                self._places.log_of(job.job_id),
                executor.n_threads,
            )
            outcome = await executor.run(task, partial(self._progressed, job.job_id))
        last = self._progress.get(job.job_id)
        await self._write(self._library.ended, job, outcome, last.stage if last else "")

    async def _write(
        self, change: Callable[Concatenate[sqlite3.Connection, P], None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Note what a job came to; that is not thrown away because the disk is full just now."""
        while True:
            try:
                return await asyncio.to_thread(self._store.write, change, *args, **kwargs)
            except OutputError:
                await asyncio.sleep(_PAUSE_S)

    def _progressed(self, job_id: str, progress: Progress) -> None:
        self._progress[job_id] = progress
        for listener in self._on_progress:
            listener(job_id, progress)

    async def _stop(self) -> None:
        running = dict(self._running)
        for task in running.values():
            task.cancel()
        if running:
            await asyncio.wait(running.values())
        for job_id in running.keys() - self._cancelled:
            with suppress(OutputError):
                await asyncio.to_thread(self._store.write, jobs.put_back, job_id)


def _recover(db: sqlite3.Connection, library: Library, boot_id: str) -> None:
    for job in jobs.interrupted(db, boot_id):
        if job.attempts >= MAX_ATTEMPTS:
            library.failed(db, job, _INTERRUPTED.format(job.attempts, job.job_id))
        else:
            jobs.requeue(db, job.job_id)
    # Whoever starts the daemon anew has most likely mended something.
    jobs.forget_waits(db)
    events.prune(db)


def _cancel(db: sqlite3.Connection, library: Library, job_id: str) -> bool:
    job = jobs.get(db, job_id)
    if job is None or not job.state.is_active:
        return False
    library.cancelled(db, job)
    return True
