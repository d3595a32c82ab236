"""Tasks in child processes on this computer, so that a codec that crashes takes nothing else with it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from mtbsync_daemon.jobs.child import MAX_RESULT_BYTES, kill_with_descendants
from mtbsync_daemon.jobs.executor import STOPPED, Outcome, Progress, Task
from mtbsync_daemon.threads import thread_limits

# What a sync of two long runs takes, with room to spare.
_TASK_BYTES = 1.2 * 2**30
# A child that may have leaked is not used again.
_MAX_TASKS = 50
_MAX_IDLE_BYTES = 600 * 2**20
_END_WITHIN_S = 10
_SILENT = (
    "The process for this said nothing for {:.0f} minutes and was stopped; see whether the drive or the "
    "network that the video lies on answers."
)
# Ctrl-C in a terminal reaches a whole group, and is not meant for children.
_APART: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _APART = {
        "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP
        | subprocess.CREATE_NO_WINDOW
        | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    }


def slots_for(n_cores: int, memory_bytes: int) -> int:
    """How many tasks to run at a time: one for two cores, if half the memory holds them; at least one.

    The other half is for the editor's programs.
    """
    return max(1, min(n_cores // 2, int(memory_bytes / 2 / _TASK_BYTES)))


class ChildProcesses:
    """Runs tasks in child processes of this one: an `Executor`.

    One that says nothing for `silence_s` is given up, as where a share that it reads from does not answer. A
    child that has done its task waits for another for `idle_s` seconds: to start one, and to load libraries
    there, takes most of a second.
    """

    problem = ""

    def __init__(
        self, n_slots: int, n_threads: int, *, idle_s: float = 30.0, silence_s: float = 1800.0
    ) -> None:
        self.n_slots = n_slots
        self.n_threads = n_threads
        self._idle_s, self._silence_s = idle_s, silence_s
        self._slots = asyncio.Semaphore(n_slots)
        self._children: set[_Child] = set()
        # The longest idle first, each with what will end it.
        self._idle: dict[_Child, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @classmethod
    def for_this_computer(cls) -> ChildProcesses:
        """As many children, with as many threads each, as its cores and its memory allow."""
        n_cores = os.cpu_count() or 1
        n_slots = slots_for(n_cores, psutil.virtual_memory().total)
        return cls(n_slots, n_cores // n_slots)

    async def run(self, task: Task, on_progress: Callable[[Progress], None]) -> Outcome:
        """As `Executor.run`."""
        async with self._slots:
            if self._is_closed:
                return STOPPED
            try:
                child = self._idle_child(task.n_threads) or await self._new_child(task.n_threads)
            except OSError as error:
                sentence = (
                    f"No process could be started for this ({error.strerror or error}); close other programs."
                )
                return Outcome(None, sentence, may_pass=True)
            try:
                return STOPPED if self._is_closed else await child.run(task, on_progress, self._silence_s)
            finally:
                if child.can_go_on() and not self._is_closed:
                    self._idle[child] = asyncio.get_running_loop().call_later(
                        self._idle_s, self._retire, child
                    )
                else:
                    await self._end(child)

    async def close(self) -> None:
        """As `Executor.close`."""
        self._is_closed = True
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()
        await asyncio.gather(*self._ending, *map(self._end, self._children))
        # A slot comes free when its run has ended, and all runs end now.
        for _ in range(self.n_slots):
            await self._slots.acquire()
        for _ in range(self.n_slots):
            self._slots.release()

    def _idle_child(self, n_threads: int) -> _Child | None:
        """The child that was busy last."""
        for child in reversed(self._idle):
            if child.n_threads == n_threads and child.is_alive:
                self._idle.pop(child).cancel()
                return child
        return None

    async def _new_child(self, n_threads: int) -> _Child:
        child = await _Child.start(n_threads)
        self._children.add(child)
        return child

    def _retire(self, child: _Child) -> None:
        del self._idle[child]
        ending = asyncio.ensure_future(self._end(child))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self, child: _Child) -> None:
        await child.end()
        self._children.discard(child)


class _Child:
    """One child process, and the near end of its pipes."""

    def __init__(self, process: Process, n_threads: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.n_threads = n_threads
        self._process = process
        self._tasks = process.stdin
        self._answers = process.stdout
        self._n_tasks = 0
        self._is_busy = False
        self._is_ended = False
        # What the task that it is busy with would remove at its end.
        self._scratch: list[Path] = []

    @classmethod
    async def start(cls, n_threads: int) -> _Child:
        """Start a process whose libraries use `n_threads`.

        Raises:
            OSError: the computer has no room for it.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # A file in the working folder is no module.
            "-P",
            "-m",
            "mtbsync_daemon.jobs.child",
            stdin=PIPE,
            stdout=PIPE,
            limit=2 * MAX_RESULT_BYTES,
            env=os.environ | thread_limits(n_threads),
            **_APART,
        )
        return cls(process, n_threads)

    @property
    def is_alive(self) -> bool:
        """Whether it has not died."""
        return self._process.returncode is None

    def can_go_on(self) -> bool:
        """Whether it is well and free for another task."""
        if self._is_busy or self._n_tasks >= _MAX_TASKS:
            return False
        try:
            process = psutil.Process(self._process.pid)
            # Python in a virtual environment on Windows is a small process that starts the real one.
            family = [process, *process.children(recursive=True)]
            n_bytes = sum(each.memory_info().rss for each in family)
        except psutil.NoSuchProcess:
            return False
        return bool(n_bytes <= _MAX_IDLE_BYTES)

    async def run(self, task: Task, on_progress: Callable[[Progress], None], silence_s: float) -> Outcome:
        """Run `task` to its end, to that of the process, or until that has said nothing for `silence_s`."""
        line = json.dumps(asdict(task) | {"log": str(task.log)}).encode() + b"\n"
        self._is_busy = True
        self._n_tasks += 1
        # It may have died since it was last used.
        with suppress(ConnectionError):
            self._tasks.write(line)
            await self._tasks.drain()
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    said = _understood(await self._answers.readline())
            except TimeoutError:
                await self.end()
                return Outcome(None, _SILENT.format(silence_s / 60), may_pass=True)
            except ValueError:
                # No JSON, or a line without end.
                await self.end()
                return Outcome(None, f"The process for this spoke nonsense; see {task.log}.", may_pass=True)
            if isinstance(said, Outcome):
                self._is_busy = False
                self._scratch.clear()
                return said
            if isinstance(said, Path):
                self._scratch.append(said)
                continue
            if said is None:
                break
            on_progress(said)
        if self._is_ended:
            return STOPPED
        await self.end()
        return Outcome(None, _cause_of_death(self._process.returncode or 0, task), may_pass=True)

    async def end(self) -> None:
        """End the process at once, with all that it has started and was working in."""
        if not self._is_ended:
            self._is_ended = True
            self._tasks.close()
            kill_with_descendants(self._process.pid)
        # What reads from a share that is gone ends no sooner than the reading does.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _END_WITHIN_S)
        while self._scratch:
            await asyncio.to_thread(shutil.rmtree, self._scratch.pop(), ignore_errors=True)


def _understood(answer: bytes) -> Progress | Path | Outcome | None:
    """What a line says, or that there is no more; ValueError where no child says so."""
    if not answer:
        return None
    match json.loads(answer):
        case {"progress": {"stage": str(stage), "done": None | float() as done}}:
            return Progress(stage, done)
        case {"scratch": str(folder)}:
            return Path(folder)
        case {"outcome": dict(fields)}:
            return Outcome(**fields)
        case other:
            raise ValueError(other)


def _cause_of_death(status: int, task: Task) -> str:
    if sys.platform != "win32" and status == -signal.SIGKILL:
        return "The process for this was killed, most likely for want of memory; close other programs."
    how = f"exit status {status:#x}" if status > 255 else f"exit status {status}"
    with suppress(ValueError):
        how = signal.Signals(-status).name
    return (
        f"The process for this crashed ({how}), as a damaged video can make it; if others crash as well, "
        f"`mtbsync bundle {task.task_id}` packs what is needed to report it."
    )
