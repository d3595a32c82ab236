"""Tasks on a Dask cluster of real processes, of which some are killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from mtbsync_daemon import app
from mtbsync_daemon.config import Config, ExecutorChoice
from mtbsync_daemon.jobs import cluster as cluster_module
from mtbsync_daemon.jobs.children import ChildProcesses
from mtbsync_daemon.jobs.cluster import DaskCluster
from mtbsync_daemon.jobs.executor import Executor, Outcome, Progress, Task
from support.daemons import PATIENCE_S
from support.dask_cluster import ending, free_address, start_scheduler, start_worker, wait_for_workers

pytest.importorskip("distributed", reason="a cluster needs mtbsync[dask]")
pytestmark = pytest.mark.long

N_RUNS = 4
# A daemon: run with the scheduler's address and a task as JSON.
PARENT = """
import asyncio, json, sys
from pathlib import Path
from mtbsync_daemon.jobs.cluster import DaskCluster
from mtbsync_daemon.jobs.executor import Task

async def main():
    fields = json.loads(sys.argv[2])
    task = Task(**fields | {"log": Path(fields["log"])})
    print(await (await DaskCluster.connect(sys.argv[1])).run(task, print))

asyncio.run(main())
"""


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[DaskCluster]:
    cluster = await DaskCluster.connect(address)
    try:
        yield cluster
    finally:
        await cluster.close()


def _task(folder: Path, function: str, task_id: str = "j1", **params: Any) -> Task:
    return Task(task_id, f"support.tasks:{function}", params, folder / "logs" / f"{task_id}.log")


def _batch(folder: Path) -> list[Task]:
    folder.mkdir()
    return [
        _task(
            folder,
            "sum_up",
            f"j{n}",
            numbers=list(range(n, n + 20)),
            step_s=0.01,
            out=str(folder / f"sum{n}"),
        )
        for n in range(N_RUNS)
    ]


async def _run_all(
    executor: Executor, tasks: Sequence[Task], on_progress: Callable[[Progress], None]
) -> list[Outcome]:
    runs = (executor.run(task, on_progress) for task in tasks)
    return list(await asyncio.wait_for(asyncio.gather(*runs), PATIENCE_S))


async def _run(executor: Executor, task: Task) -> Outcome:
    return await asyncio.wait_for(executor.run(task, lambda progress: None), PATIENCE_S)


async def _until(condition: Callable[[], object]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE_S
        await asyncio.sleep(0.02)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def _until_it_grows_no_more(path: Path) -> None:
    began, before = time.monotonic(), -1
    while (size := _size(path)) != before:
        assert time.monotonic() - began < PATIENCE_S
        before = size
        await asyncio.sleep(0.2)


def _works(worker: subprocess.Popen[bytes]) -> bool:
    return bool(psutil.Process(worker.pid).children())


def test_p3_a_batch_survives_the_death_of_a_worker_and_gives_what_this_computer_alone_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    here, there = _batch(tmp_path / "here"), _batch(tmp_path / "there")

    async def alone() -> list[Outcome]:
        children = ChildProcesses(2, 1)
        try:
            return await _run_all(children, here, lambda progress: None)
        finally:
            await children.close()

    async def shared(address: str, doomed: subprocess.Popen[bytes]) -> list[Outcome]:
        def kill(progress: Progress) -> None:
            if progress.stage == "add" and doomed.poll() is None and _works(doomed):
                doomed.kill()
                doomed.wait()

        async with _connected(address) as cluster:
            return await _run_all(cluster, there, kill)

    address = free_address()
    doomed, other = (start_worker(address, tmp_path) for _ in range(2))
    with ending(start_scheduler(address, tmp_path), doomed, other):
        expected = asyncio.run(alone())
        wait_for_workers(address, 2)
        outcomes = asyncio.run(shared(address, doomed))
        assert doomed.poll() is not None
        assert other.poll() is None
    assert [outcome.result for outcome in outcomes] == [outcome.result for outcome in expected]
    assert all(outcome.result for outcome in expected)
    for mine, theirs in zip(here, there, strict=True):
        assert Path(mine.params["out"]).read_bytes() == Path(theirs.params["out"]).read_bytes()
    # One at least was begun twice.
    assert sum(task.log.read_text(encoding="utf-8").count("sum_up") for task in there) > N_RUNS


def test_p3_a_task_of_a_worker_that_is_told_to_end_goes_to_another(tmp_path: Path) -> None:
    address, beats = free_address(), tmp_path / "beats"
    log = tmp_path / "logs" / "j1.log"

    async def run(worker: subprocess.Popen[bytes]) -> Outcome:
        async with _connected(address) as cluster:
            task = _task(tmp_path, "beat_once_only", file=str(beats))
            running = asyncio.ensure_future(_run(cluster, task))
            await _until(lambda: _size(beats))
            worker.terminate()
            with ending(start_worker(address, tmp_path)):
                return await running

    worker = start_worker(address, tmp_path)
    with ending(start_scheduler(address, tmp_path), worker):
        wait_for_workers(address, 1)
        outcome = asyncio.run(run(worker))
    assert outcome.result == {"again": True}
    assert log.read_text(encoding="utf-8").count("beat_once_only") == 2


def test_a_task_whose_workers_all_died_may_pass(tmp_path: Path) -> None:
    address, beats = free_address(), tmp_path / "beats"

    async def run(worker: subprocess.Popen[bytes]) -> Outcome:
        async with _connected(address) as cluster:
            running = asyncio.ensure_future(_run(cluster, _task(tmp_path, "beat", file=str(beats))))
            await _until(lambda: _size(beats))
            worker.kill()
            outcome = await running
            await _until_it_grows_no_more(beats)
            return outcome

    worker = start_worker(address, tmp_path)
    with ending(start_scheduler(address, tmp_path, allowed_failures=0), worker):
        wait_for_workers(address, 1)
        outcome = asyncio.run(run(worker))
    assert (outcome.result, outcome.may_pass) == (None, True)
    assert "went away before its end" in outcome.error


def test_p3_no_task_outlives_a_daemon_that_was_killed(tmp_path: Path) -> None:
    address, beats = free_address(), tmp_path / "beats"
    task = {"task_id": "j1", "function": "support.tasks:beat", "params": {"file": str(beats)}}
    command = [sys.executable, "-c", PARENT, address, json.dumps(task | {"log": str(tmp_path / "log")})]
    with ending(start_scheduler(address, tmp_path), start_worker(address, tmp_path)):
        wait_for_workers(address, 1)
        with ending(subprocess.Popen(command, stdout=subprocess.DEVNULL)):
            asyncio.run(_until(lambda: _size(beats)))
        asyncio.run(_until_it_grows_no_more(beats))


def test_a_cluster_that_goes_away_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_WITHIN_S", 3)
    address, beats = free_address(), tmp_path / "beats"

    async def run(
        scheduler: subprocess.Popen[bytes], worker: subprocess.Popen[bytes]
    ) -> tuple[list[Outcome], Outcome]:
        async with _connected(address) as cluster:
            # On a busy computer it may take longer to connect.
            while cluster.problem:
                await _run(cluster, _task(tmp_path, "echo"))
            assert cluster.n_slots == 1
            running = asyncio.ensure_future(_run(cluster, _task(tmp_path, "beat", file=str(beats))))
            await _until(lambda: _size(beats))
            scheduler.kill()
            away = [await running]
            # While the connection is tried again, and as that is given up.
            away.append(await _run(cluster, _task(tmp_path, "echo")))
            away.append(await _run(cluster, _task(tmp_path, "echo")))
            await _until_it_grows_no_more(beats)
            worker.kill()
            assert (cluster.n_slots, address in cluster.problem) == (1, True)
            with ending(start_scheduler(address, tmp_path), start_worker(address, tmp_path)):
                while True:
                    back = await _run(cluster, _task(tmp_path, "echo", well=True))
                    if back.result is not None:
                        return away, back

    scheduler, worker = start_scheduler(address, tmp_path), start_worker(address, tmp_path)
    with ending(scheduler, worker):
        wait_for_workers(address, 1)
        away, back = asyncio.run(asyncio.wait_for(run(scheduler, worker), PATIENCE_S))
    for outcome in away:
        assert (outcome.result, outcome.may_pass) == (None, True)
        assert address in outcome.error
    assert back.result == {"well": True}


def test_where_no_scheduler_answers_a_sentence_says_so_and_tasks_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_WITHIN_S", 0.2)
    for address in (free_address(), "nowhere", "mail://there:1"):
        problem, outcome = asyncio.run(_refused(address, tmp_path))
        assert problem.startswith(f"No Dask scheduler answers at {address};")
        assert outcome == Outcome(None, problem, may_pass=True, counts=False)


async def _refused(address: str, folder: Path) -> tuple[str, Outcome]:
    """What keeps a cluster that is not there from working, and what becomes of a task."""
    async with _connected(address) as cluster:
        assert cluster.n_slots == 1
        return cluster.problem, await _run(cluster, _task(folder, "echo"))


def test_p3_a_scheduler_that_comes_later_does_what_has_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_WITHIN_S", 1)
    address = free_address()

    async def run() -> Outcome:
        async with _connected(address) as cluster:
            assert cluster.problem
            with ending(start_scheduler(address, tmp_path), start_worker(address, tmp_path)):
                while True:
                    outcome = await _run(cluster, _task(tmp_path, "echo", well=True))
                    if outcome.result is not None:
                        assert cluster.problem == ""
                        return outcome

    assert asyncio.run(asyncio.wait_for(run(), PATIENCE_S)).result == {"well": True}


def test_p3_a_task_that_finds_no_worker_waits_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_WITHIN_S", 60)
    address = free_address()

    async def run() -> Outcome:
        async with _connected(address) as cluster:
            assert (cluster.n_slots, cluster.problem) == (1, "")
            running = asyncio.ensure_future(_run(cluster, _task(tmp_path, "echo", well=True)))
            with ending(start_worker(address, tmp_path)):
                return await running

    with ending(start_scheduler(address, tmp_path)):
        assert asyncio.run(run()).result == {"well": True}


def test_p3_a_daemon_starts_while_its_cluster_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_WITHIN_S", 0.2)
    config = Config(executor=ExecutorChoice(dask=free_address()))

    async def problem() -> str:
        executor, _ = await app._executors(config)
        await executor.close()
        return executor.problem

    assert "No Dask scheduler answers" in asyncio.run(problem())


def test_without_dask_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    problem, outcome = asyncio.run(_refused("tcp://127.0.0.1:8786", tmp_path))
    assert "install mtbsync[dask]" in problem
    assert (outcome.error, outcome.counts) == (problem, False)


def test_dask_loads_only_when_a_cluster_is_used() -> None:
    code = "import mtbsync_daemon.jobs.cluster, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert not {"distributed", "dask", "tornado", "numpy"} & set(done.stdout.split())
