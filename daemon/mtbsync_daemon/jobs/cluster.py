"""Tasks on a Dask cluster, whose machines see the same files under the same paths as this one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mtbsync_daemon.jobs.children import ChildProcesses
from mtbsync_daemon.jobs.executor import STOPPED, Outcome, Progress, Task
from mtbsync_engine.errors import MtbsyncError

if TYPE_CHECKING:
    from distributed import Client, Worker

_CONNECT_WITHIN_S = 10
_LOOK_EVERY_S = 0.2


class DaskCluster:
    """Runs tasks on the workers of a Dask cluster, one on each of their threads: an `Executor`.

    Every task has a child process of its own on the worker's machine, which ends with the worker. What a
    worker had begun that went away is begun again on another.
    """

    n_threads = 1

    def __init__(self, address: str) -> None:
        """For `connect`."""
        self._address = address
        self._client: Client | None = None
        self._went_away = f"The cluster at {address} went away; see whether it runs."
        self._why_not = self._went_away
        self._connecting = asyncio.Lock()
        self._is_closed = False
        self._topic = f"mtbsync-{uuid4()}"
        self._listeners: dict[str, Callable[[Progress], None]] = {}

    @classmethod
    async def connect(cls, address: str) -> DaskCluster:
        """The cluster whose scheduler is at `address`, such as tcp://192.168.1.2:8786.

        Where it does not answer, that is its `problem`, and each task tries anew.
        """
        cluster = cls(address)
        with suppress(MtbsyncError):
            await cluster._connected()
        return cluster

    @property
    def n_slots(self) -> int:
        """The threads of all workers, as of a few seconds ago; one where there are none, or the scheduler is
        away.

        That one waits for them, or finds out whether it is there again.
        """
        known = {} if self._client is None else self._client.scheduler_info()
        return max(1, int(known.get("total_threads", 1)))

    @property
    def problem(self) -> str:
        """As `Executor.problem`."""
        is_there = self._client is not None and self._client.status == "running"
        return "" if is_there else self._why_not

    async def run(self, task: Task, on_progress: Callable[[Progress], None]) -> Outcome:
        """As `Executor.run`."""
        try:
            client = await self._connected()
        except MtbsyncError as error:
            return Outcome(None, str(error), may_pass=True, counts=False)
        return STOPPED if client is None else await self._run(client, task, on_progress)

    async def close(self) -> None:
        """As `Executor.close`; the cluster's own processes stay."""
        async with self._connecting:
            self._is_closed = True
            if self._client is not None:
                await self._client.close()

    async def _run(self, client: Client, task: Task, on_progress: Callable[[Progress], None]) -> Outcome:
        from distributed import KilledWorker
        from distributed.client import ClosedClientError

        key = f"mtbsync-{task.task_id}-{uuid4()}"
        self._listeners[key] = on_progress
        try:
            return await self._submit(client, key, task)
        except KilledWorker:
            sentence = (
                "Each worker of the cluster that took this went away before its end; "
                "see whether their machines have memory enough."
            )
            return Outcome(None, sentence, may_pass=True)
        except ImportError as error:
            sentence = (
                f"A machine of the cluster cannot run this ({error}); install the same mtbsync on each."
            )
            return Outcome(None, sentence)
        except (CancelledError, ClosedClientError, OSError):
            if self._is_closed:
                return STOPPED
            return Outcome(None, self._went_away, may_pass=True, counts=False)
        finally:
            del self._listeners[key]

    async def _submit(self, client: Client, key: str, task: Task) -> Outcome:
        # A scheduler that was started anew has forgotten who listens.
        client.subscribe_topic(self._topic, self._hear)
        future = client.submit(_run_on_worker, task, self._topic, key=key, pure=False)
        try:
            outcome: Outcome = await future
            return outcome
        finally:
            if not future.done():
                await future.cancel()

    async def _connected(self) -> Client | None:
        """The client, or a new one where there is none or it gave up because the cluster was away for long;
        None once this is closed.

        Raises:
            MtbsyncError: nothing answers there; or Dask is not installed.
        """
        async with self._connecting:
            if self._is_closed:
                return None
            # One that gives up takes tasks still, and never says what became of them.
            if self._client is None or self._client.status in ("closing", "closed"):
                try:
                    self._client = await _connect(self._address)
                except MtbsyncError as error:
                    self._why_not = str(error)
                    raise
                self._why_not = self._went_away
            return self._client

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        _, said = event
        # What comes after the outcome is late.
        if listener := self._listeners.get(said["key"]):
            listener(Progress(said["stage"], said["done"]))


async def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise MtbsyncError("A cluster needs Dask, which is not installed; install mtbsync[dask].") from error
    client = Client(address, asynchronous=True, set_as_default=False, timeout=_CONNECT_WITHIN_S)
    try:
        try:
            await client
        except BaseException:
            await client.close()
            raise
    except (OSError, ValueError) as error:
        raise MtbsyncError(
            f"No Dask scheduler answers at {address}; start one there, or correct the address."
        ) from error
    return client


def _run_on_worker(task: Task, topic: str) -> Outcome:
    """What a Dask worker runs, in one of its threads."""
    from distributed import get_worker

    return asyncio.run(_run_while_wanted(task, topic, get_worker()))


async def _run_while_wanted(task: Task, topic: str, worker: Worker) -> Outcome:
    from distributed import Reschedule

    key = str(worker.get_current_task())

    def tell(progress: Progress) -> None:
        worker.log_event(topic, {"key": key, "stage": progress.stage, "done": progress.done})

    children = ChildProcesses(1, task.n_threads)
    running = asyncio.ensure_future(children.run(task, tell))
    try:
        while not running.done():
            if not _is_wanted(worker, key):
                # Somewhere else, if anywhere.
                raise Reschedule
            await asyncio.wait([running], timeout=_LOOK_EVERY_S)
    finally:
        await children.close()
    return await running


def _is_wanted(worker: Worker, key: str) -> bool:
    """Whether the worker goes on, and whoever asked for the task still does."""
    from distributed.core import Status

    state = worker.state.tasks.get(key)
    is_going_on = worker.status in {Status.running, Status.paused, Status.closing_gracefully}
    return is_going_on and state is not None and state.state != "cancelled"
