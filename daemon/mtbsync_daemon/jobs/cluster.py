"""Tasks on a Dask cluster, whose machines see the same files under the same paths as this one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
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

    def __init__(self, address: str, client: Client) -> None:
        """For `connect`."""
        self._address = address
        self._client = client
        self._connecting = asyncio.Lock()
        self._is_closed = False
        self._topic = f"mtbsync-{uuid4()}"
        self._listeners: dict[str, Callable[[Progress], None]] = {}

    @classmethod
    async def connect(cls, address: str) -> DaskCluster:
        """The cluster whose scheduler is at `address`, such as tcp://192.168.1.2:8786.

        Raises:
            MtbsyncError: nothing answers there; or Dask is not installed.
        """
        return cls(address, await _connect(address))

    @property
    def n_slots(self) -> int:
        """The threads of all workers, as of a few seconds ago; one where the scheduler has long been away.

        That one finds out whether it is there again.
        """
        return int(self._client.scheduler_info().get("total_threads", 1))

    async def run(self, task: Task, on_progress: Callable[[Progress], None]) -> Outcome:
        """As `Executor.run`."""
        from distributed import KilledWorker
        from distributed.client import ClosedClientError

        key = f"mtbsync-{task.task_id}-{uuid4()}"
        self._listeners[key] = on_progress
        try:
            return await self._run(key, task)
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
        except MtbsyncError as error:
            return Outcome(None, str(error), may_pass=True, counts=False)
        except (CancelledError, ClosedClientError, OSError):
            if self._is_closed:
                return STOPPED
            sentence = f"The cluster at {self._address} went away; see whether it runs."
            return Outcome(None, sentence, may_pass=True, counts=False)
        finally:
            del self._listeners[key]

    async def close(self) -> None:
        """As `Executor.close`; the cluster's own processes stay."""
        async with self._connecting:
            self._is_closed = True
            await self._client.close()

    async def _run(self, key: str, task: Task) -> Outcome:
        client = await self._connected()
        # A scheduler that was started anew has forgotten who listens.
        client.subscribe_topic(self._topic, self._hear)
        future = client.submit(_run_on_worker, task, self._topic, key=key, pure=False)
        try:
            outcome: Outcome = await future
            return outcome
        finally:
            if not future.done():
                await future.cancel()

    async def _connected(self) -> Client:
        """The client, or a new one where that gave up because the cluster was away for long."""
        async with self._connecting:
            if self._client.status == "closed" and not self._is_closed:
                self._client = await _connect(self._address)
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
