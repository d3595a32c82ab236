"""A call or a program in a process of its own, and what it cost: nothing else is counted with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
from scripts.bench.foreign import environment_with

if sys.platform != "win32":
    import resource

T = TypeVar("T")

_POLL_S = 0.5


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of the processor (all threads, and all programs started), and the most memory
    in use at a time, in MB; nan where the system does not say."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def call_alone(function: Callable[..., T], *args: object) -> tuple[T, Cost]:
    """Call a module's function in a fresh process. Time is the call's, memory that of the whole process."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as pool:
        return pool.submit(_timed, function, args).result()


def _timed(function: Callable[..., T], args: tuple[object, ...]) -> tuple[T, Cost]:
    wall, cpu = time.perf_counter(), time.process_time()
    value = function(*args)
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    return value, Cost(wall_s, cpu_s, _peak_mb())


def _peak_mb() -> float:
    """The most physical memory that this process has held."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 2**20
    if sys.platform == "linux":
        # Unlike getrusage, this forgets what the parent had before this program was loaded.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@dataclass(frozen=True)
class Run:
    """How a program ended. `status` is None where it was stopped at its limit."""

    status: int | None
    output: str
    cost: Cost


def run_alone(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    cpu_limit_s: float,
    path: Path | None = None,
) -> Run:
    """Run a program, with the folder `path` first in its search path, and stop it at `cpu_limit_s` seconds of
    the processor."""
    environment = environment_with(path)
    log = cwd / "output.txt"
    began, before_s = time.perf_counter(), _finished_children_s()
    polled_s, peak_mb, stopped = 0.0, 0.0, False
    with log.open("wb") as output:
        process = psutil.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        while process.poll() is None:
            polled_s, held_mb = _tree_cost(process, polled_s)
            peak_mb = max(peak_mb, held_mb)
            if polled_s > cpu_limit_s:
                stopped = True
                _end(process)
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(_POLL_S)
    cpu_s = max(_finished_children_s() - before_s, polled_s)
    text = log.read_text(encoding="utf-8", errors="replace")
    status = None if stopped else int(process.returncode)
    return Run(status, text, Cost(time.perf_counter() - began, cpu_s, peak_mb))


def _finished_children_s() -> float:
    """Processor seconds of all programs that this one started and that have ended, with theirs."""
    if sys.platform == "win32":
        return 0.0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tree_cost(process: psutil.Process, before_s: float) -> tuple[float, float]:
    """Processor seconds until now and memory now of a program and all that it started; `before_s` if it is
    just ending."""
    cpu_s, held_mb = 0.0, 0.0
    try:
        for one in (process, *process.children(recursive=True)):
            cpu_s += sum(one.cpu_times()[:4])
            held_mb += one.memory_info().rss / 2**20
    except psutil.Error:
        return before_s, held_mb
    return max(cpu_s, before_s), held_mb


def _end(process: psutil.Process) -> None:
    """End a program and all that it started."""
    for one in (*process.children(recursive=True), process):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
