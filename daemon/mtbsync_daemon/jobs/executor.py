"""What runs work: one interface, whether a child process here does it or another machine.

A task is a plain function, named by where it is imported from, with plain values in and out, so that it can
be carried to wherever it runs. Its results are files under the data folder; what it returns tells of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Task:
    """`function` is "module:name" of a `TaskFunction`; `params` are what JSON can hold; `log` is the file
    that everything it says is appended to; `n_threads` is how many it may use."""

    task_id: str
    function: str
    params: dict[str, Any]
    log: Path
    n_threads: int = 1


@dataclass(frozen=True)
class Progress:
    """Where a task stands: the stage it is in, and how much of that is done, 0 to 1 (None: not known)."""

    stage: str
    done: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How a task ended: its `result`, or else `error`, a sentence for a person.

    `may_pass` says that the same task may well succeed later (a full disk, a crashed child), so that it is
    worth trying again; where it does not count (`counts`), as nobody was there to do it, it is tried for as
    long as it takes. `error_kind` is the name of the error's class where it was one of
    `mtbsync_engine.errors`; `stages_s` are the seconds that each stage took.
    """

    result: dict[str, Any] | None
    error: str = ""
    error_kind: str = ""
    may_pass: bool = False
    counts: bool = True
    stages_s: dict[str, float] = field(default_factory=dict)


# What becomes of a task when its executor closes.
STOPPED = Outcome(None, "This was stopped before its end; it can be done again.", may_pass=True)


class Work(Protocol):
    """What a task is given beside its parameters."""

    n_threads: int

    def stage(self, name: str, total: float | None = None) -> AbstractContextManager[Callable[[float], None]]:
        """A stage for the length of the block: the yielded function is told how much of `total` is done."""

    def log(self, text: str) -> None:
        """A line for the task's log."""

    def clears(self, folder: Path) -> None:
        """The task removes `folder`, which it has made, before it ends; where it is stopped or dies, whoever
        runs it does so."""


# Raises MtbsyncError of any kind where it cannot go on.
TaskFunction = Callable[[dict[str, Any], Work], dict[str, Any]]


class Executor(Protocol):
    """Runs tasks, as many at a time as `n_slots`; further ones wait."""

    @property
    def n_slots(self) -> int:
        """How many tasks run at a time. It changes where machines come and go."""

    @property
    def n_threads(self) -> int:
        """How many threads each of them should be given."""

    @property
    def problem(self) -> str:
        """Why no task can be run at present, as a sentence; empty where they can."""

    async def run(self, task: Task, on_progress: Callable[[Progress], None]) -> Outcome:
        """Run `task` to its end, however that comes. To cancel this coroutine is to stop the task at once."""

    async def close(self) -> None:
        """Stop whatever still runs, and leave no process behind."""
