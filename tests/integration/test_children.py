"""Child processes that run tasks: how they start, are used again and end; none outlives its parent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from mtbsync_daemon.jobs import children as children_module
from mtbsync_daemon.jobs.children import ChildProcesses, slots_for
from mtbsync_daemon.jobs.executor import Executor, Outcome, Progress, Task
from mtbsync_daemon.threads import thread_limits
from support.daemons import PATIENCE_S

TESTS = Path(__file__).parents[1]
GB = 10**9
# As `python -m` of its own; run with a task as JSON.
PARENT = """
import asyncio, json, sys
from pathlib import Path
from mtbsync_daemon.jobs.children import ChildProcesses
from mtbsync_daemon.jobs.executor import Task

async def main():
    fields = json.loads(sys.argv[1])
    task = Task(**fields | {"log": Path(fields["log"])})
    print(await ChildProcesses(1, 1).run(task, print))

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _children_find_the_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


@asynccontextmanager
async def _children(n_slots: int = 1, n_threads: int = 1, **options: Any) -> AsyncIterator[ChildProcesses]:
    children = ChildProcesses(n_slots, n_threads, **options)
    try:
        yield children
    finally:
        await children.close()


def _task(folder: Path, function: str, n_threads: int = 1, **params: Any) -> Task:
    return Task("j1", f"support.tasks:{function}", params, folder / "log" / "j1.log", n_threads)


async def _run(executor: Executor, task: Task) -> Outcome:
    return await asyncio.wait_for(executor.run(task, lambda progress: None), PATIENCE_S)


async def _result(executor: Executor, task: Task) -> dict[str, Any]:
    outcome = await _run(executor, task)
    assert outcome.result is not None, (outcome.error, task.log.read_text())
    return outcome.result


def _wait_for(condition: Callable[[], object], at_most_s: float = PATIENCE_S) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < at_most_s
        time.sleep(0.02)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_slots_follow_cores_and_memory() -> None:
    assert slots_for(1, 4 * GB) == 1
    assert slots_for(2, 64 * GB) == 1
    assert slots_for(8, 64 * GB) == 4
    assert slots_for(16, 8 * GB) == 3
    assert slots_for(16, GB // 2) == 1


def test_this_computer_s_cores_are_shared_out() -> None:
    children = ChildProcesses.for_this_computer()
    n_cores = psutil.cpu_count()
    assert children.n_slots == slots_for(n_cores, psutil.virtual_memory().total)
    assert children.n_slots * children.n_threads <= n_cores < children.n_slots * (children.n_threads + 1)


def test_a_child_is_used_again(tmp_path: Path) -> None:
    async def pids() -> set[int]:
        async with _children() as children:
            return {(await _result(children, _task(tmp_path, "about_itself")))["pid"] for _ in range(3)}

    assert len(asyncio.run(pids())) == 1


def test_a_child_has_the_threads_of_its_task_and_stands_back(tmp_path: Path) -> None:
    async def two() -> list[dict[str, Any]]:
        async with _children(n_threads=2) as children:
            return [await _result(children, _task(tmp_path, "about_itself", n)) for n in (2, 3)]

    two_threads, three_threads = asyncio.run(two())
    assert (two_threads["n_threads"], two_threads["limit"]) == (2, "2")
    assert (three_threads["n_threads"], three_threads["limit"]) == (3, "3")
    assert set(thread_limits(2)) >= {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    if sys.platform == "win32":
        assert two_threads["niceness"] is None
    else:
        assert two_threads["niceness"] >= 10


def test_a_child_loads_nothing_heavy_and_nothing_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text(
        "raise SystemExit('a file that happens to lie here')", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)

    async def about() -> dict[str, Any]:
        async with _children() as children:
            return await _result(children, _task(tmp_path, "about_itself"))

    child = asyncio.run(about())
    heavy = {"numpy", "av", "cv2", "scipy", "onnxruntime", "aiohttp", "typer", "psutil", "distributed"}
    assert not heavy & set(child["modules"])
    assert not {"", ".", str(tmp_path)} & set(child["path"])


def test_an_idle_child_ends_and_the_next_task_gets_a_new_one(tmp_path: Path) -> None:
    async def pids() -> tuple[int, int]:
        async with _children(idle_s=0.05) as children:
            first: int = (await _result(children, _task(tmp_path, "about_itself")))["pid"]
            while psutil.pid_exists(first):
                await asyncio.sleep(0.02)
            return first, (await _result(children, _task(tmp_path, "about_itself")))["pid"]

    first, second = asyncio.run(asyncio.wait_for(pids(), 60))
    assert first != second


def test_a_child_that_died_while_idle_costs_nothing(tmp_path: Path) -> None:
    async def pids() -> tuple[int, int]:
        async with _children() as children:
            first: int = (await _result(children, _task(tmp_path, "about_itself")))["pid"]
            psutil.Process(first).kill()
            while psutil.pid_exists(first):
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)
            return first, (await _result(children, _task(tmp_path, "about_itself")))["pid"]

    first, second = asyncio.run(pids())
    assert first != second


def test_a_child_is_replaced_after_so_many_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children_module, "_MAX_TASKS", 2)

    async def pids() -> list[int]:
        async with _children() as children:
            return [(await _result(children, _task(tmp_path, "about_itself")))["pid"] for _ in range(4)]

    first, second, third, fourth = asyncio.run(pids())
    assert first == second != third == fourth


def test_a_child_that_grew_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children_module, "_MAX_IDLE_BYTES", 150 * 2**20)

    async def pids() -> list[int]:
        async with _children() as children:
            return [
                (await _result(children, _task(tmp_path, "hold", n_bytes=n)))["pid"]
                for n in (2**20, 200 * 2**20, 2**20)
            ]

    first, second, third = asyncio.run(pids())
    assert first == second != third


def test_a_large_result_comes_through_and_a_too_large_one_is_a_defect(tmp_path: Path) -> None:
    async def both() -> tuple[dict[str, Any], Outcome]:
        async with _children() as children:
            return (
                await _result(children, _task(tmp_path, "large", n=6 * 2**20)),
                await _run(children, _task(tmp_path, "large", n=9 * 2**20)),
            )

    large, too_large = asyncio.run(both())
    assert large["text"] == "x" * (6 * 2**20)
    assert "mtbsync bundle" in too_large.error


@pytest.mark.parametrize("without_end", [False, True])
def test_nonsense_from_a_child_is_an_outcome_and_the_next_task_runs(
    tmp_path: Path, without_end: bool
) -> None:
    async def both() -> tuple[Outcome, dict[str, Any]]:
        async with _children() as children:
            return (
                await _run(children, _task(tmp_path, "babble", without_end=without_end)),
                await _result(children, _task(tmp_path, "echo", well=True)),
            )

    nonsense, after = asyncio.run(both())
    assert nonsense.result is None
    assert nonsense.may_pass
    assert "nonsense" in nonsense.error
    assert after == {"well": True}


def test_progress_that_nobody_could_follow_is_thinned_out(tmp_path: Path) -> None:
    async def told() -> list[Progress]:
        progress: list[Progress] = []
        async with _children() as children:
            await children.run(_task(tmp_path, "hurry"), progress.append)
        return progress

    progress = asyncio.run(told())
    assert progress[0] == Progress("hurry", 0.0)
    assert len(progress) < 200


def _others() -> set[int]:
    """Who this process has started; other tests may have left some that end with it."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_a_child_that_hangs_is_given_up_and_the_next_task_runs(tmp_path: Path) -> None:
    before = _others()

    async def go() -> None:
        async with _children(silence_s=2.0) as children:
            hung = await _run(children, _task(tmp_path, "sleep_in_c", file=str(tmp_path / "pid")))
            assert (hung.result, hung.may_pass) == (None, True)
            assert "said nothing" in hung.error
            assert _others() <= before
            # A child that takes as long to begin, as on a busy computer, is given up as well.
            for _ in range(10):
                after = await _run(children, _task(tmp_path, "echo", said="on"))
                if after.result is not None:
                    break
            assert after.result is not None

    asyncio.run(go())


def test_what_a_task_that_crashed_worked_in_goes_and_what_is_made_there_later_stays(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"

    async def go() -> None:
        async with _children() as children:
            done = await _run(children, _task(tmp_path, "work_in_scratch", scratch=str(folder), end="well"))
            assert done.result == {}
            folder.mkdir()
        assert folder.exists()
        folder.rmdir()
        async with _children() as children:
            crashed = await _run(
                children, _task(tmp_path, "work_in_scratch", scratch=str(folder), end="crash")
            )
            assert crashed.result is None
            assert not folder.exists()

    asyncio.run(go())


def test_a_child_that_cannot_start_is_an_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))

    async def run() -> Outcome:
        async with _children() as children:
            return await _run(children, _task(tmp_path, "echo"))

    outcome = asyncio.run(run())
    assert outcome.may_pass
    assert "No process could be started" in outcome.error


def test_a_log_that_cannot_be_written_may_pass(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file where the folder should be", encoding="utf-8")

    async def run() -> Outcome:
        async with _children() as children:
            return await _run(children, _task(tmp_path, "echo"))

    outcome = asyncio.run(run())
    assert (outcome.error_kind, outcome.may_pass) == ("OutputError", True)
    assert "j1.log could not be written" in outcome.error


def test_what_runs_or_waits_when_all_is_closed_ends_without_a_result(tmp_path: Path) -> None:
    before = _others()

    async def outcomes() -> list[Outcome]:
        children = ChildProcesses(1, 1)
        file = tmp_path / "beats"
        tasks = [_task(tmp_path, "beat", file=str(file)), _task(tmp_path, "echo")]
        runs = [asyncio.ensure_future(_run(children, task)) for task in tasks]
        while not file.exists():
            await asyncio.sleep(0.02)
        await children.close()
        late = _run(children, _task(tmp_path, "echo"))
        return [*await asyncio.gather(*runs), await late]

    for outcome in asyncio.run(outcomes()):
        assert outcome.result is None
        assert outcome.may_pass
        assert "stopped" in outcome.error
    assert _others() <= before


@pytest.mark.parametrize("function", ["beat", "sleep_in_c"])
def test_p3_no_child_outlives_a_parent_that_was_killed(tmp_path: Path, function: str) -> None:
    file, second = tmp_path / "beats", tmp_path / "grandchild's beats"
    params = {"file": str(file), "grandchild": str(second)}
    task = {
        "task_id": "j1",
        "function": f"support.tasks:{function}",
        "params": params,
        "log": str(tmp_path / "log"),
    }
    parent = subprocess.Popen([sys.executable, "-c", PARENT, json.dumps(task)], stdout=subprocess.DEVNULL)
    try:
        _wait_for(lambda: _size(file) and (function == "sleep_in_c" or _size(second)))
        family = psutil.Process(parent.pid).children(recursive=True)
    finally:
        parent.kill()
        parent.wait()
    assert len(family) >= (1 if function == "sleep_in_c" else 2)
    _wait_for(lambda: not any(map(_lives, family)))
    before = _size(second)
    time.sleep(0.2)
    assert _size(second) == before
