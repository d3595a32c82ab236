"""What every executor promises, whether it runs tasks in processes here or on a cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from mtbsync_daemon.jobs.children import ChildProcesses
from mtbsync_daemon.jobs.cluster import DaskCluster
from mtbsync_daemon.jobs.executor import Executor, Outcome, Progress, Task
from mtbsync_engine import errors
from support.daemons import PATIENCE_S
from support.dask_cluster import ending, free_address, start_scheduler, start_worker, wait_for_workers

N_SLOTS = 2
Open = Callable[[], AbstractAsyncContextManager[Executor]]


@asynccontextmanager
async def _closing(executor: Executor) -> AsyncIterator[Executor]:
    try:
        yield executor
    finally:
        await executor.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of as many slots."""
    pytest.importorskip("distributed", reason="a cluster needs mtbsync[dask]")
    folder, address = tmp_path_factory.mktemp("cluster"), free_address()
    workers = [start_worker(address, folder) for _ in range(N_SLOTS)]
    with ending(start_scheduler(address, folder), *workers):
        wait_for_workers(address, N_SLOTS)
        yield address


@pytest.fixture(params=["children", "cluster"])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Open:
    """What opens an executor for a block."""
    if request.param == "cluster":
        address = request.getfixturevalue("address")

        @asynccontextmanager
        async def opened() -> AsyncIterator[Executor]:
            async with _closing(await DaskCluster.connect(address)) as executor:
                yield executor

        return opened
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    return lambda: _closing(ChildProcesses(N_SLOTS, 1))


def _task(folder: Path, function: str, **params: Any) -> Task:
    return Task("j1", f"support.tasks:{function}", params, folder / "logs" / "j1.log")


async def _run(executor: Executor, task: Task) -> Outcome:
    return await asyncio.wait_for(executor.run(task, lambda progress: None), PATIENCE_S)


def _outcome(opened: Open, task: Task) -> Outcome:
    """What becomes of `task`; the executor then still runs others."""

    async def outcomes() -> tuple[Outcome, Outcome]:
        async with opened() as executor:
            return await _run(executor, task), await _run(executor, _task(task.log.parent, "echo", well=True))

    first, second = asyncio.run(outcomes())
    assert second.result == {"well": True}
    return first


async def _until(condition: Callable[[], object]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE_S
        await asyncio.sleep(0.02)


async def _until_it_grows_no_more(path: Path) -> None:
    began, before = time.monotonic(), -1
    while (size := _size(path)) != before:
        assert time.monotonic() - began < PATIENCE_S
        before = size
        await asyncio.sleep(0.2)


def _children() -> list[psutil.Process]:
    """The processes of tasks, wherever they run on this computer."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "mtbsync_daemon.jobs.child" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_a_result_comes_back_as_it_was(opened: Open, tmp_path: Path) -> None:
    params = {"ünï": ["日本", {"n": 1, "x": 0.1, "none": None, "flags": [True, False]}], "file": "caf\udce9"}
    outcome = _outcome(opened, _task(tmp_path, "echo", **params))
    assert outcome == Outcome(params)


def test_stages_come_in_order_and_are_timed(opened: Open, tmp_path: Path) -> None:
    async def run() -> tuple[Outcome, list[Progress]]:
        told: list[Progress] = []
        out = tmp_path / "sum"
        task = _task(tmp_path, "sum_up", numbers=list(range(15)), step_s=0.02, out=str(out))
        async with opened() as executor:
            outcome = await executor.run(task, told.append)
            assert out.read_text(encoding="utf-8") == "105\n"
            return outcome, told

    outcome, told = asyncio.run(run())
    assert outcome.result == {"total": 105}
    assert list(dict.fromkeys(progress.stage for progress in told)) == ["read", "add", "write"]
    for stage in ("read", "add", "write"):
        done = [progress.done or 0.0 for progress in told if progress.stage == stage]
        assert done == sorted(done)
        assert done[0] == 0
        assert 0 < done[-1] <= 1
        assert outcome.stages_s[stage] >= 15 * 0.02


def test_whatever_is_printed_is_in_the_log(opened: Open, tmp_path: Path) -> None:
    task = _task(tmp_path, "say", text="Bächlein \udce9")
    outcome = _outcome(opened, task)
    assert outcome.result == {"stdin": "", "grandchild_stdin": "''\n"}
    log = task.log.read_text(encoding="utf-8").splitlines()
    assert log[0].endswith("j1 support.tasks:say")
    assert sorted(log[1:]) == [
        "complained",
        "logged Bächlein \\udce9",
        "printed Bächlein \\udce9",
        "said by a grandchild",
        "written from C",
    ]


def test_a_log_is_continued(opened: Open, tmp_path: Path) -> None:
    task = _task(tmp_path, "echo")
    for _ in range(2):
        asyncio.run(_once(opened, task))
    assert task.log.read_text(encoding="utf-8").count("support.tasks:echo") == 2


async def _once(opened: Open, task: Task) -> Outcome:
    async with opened() as executor:
        return await _run(executor, task)


def test_a_known_error_is_its_sentence_and_its_kind(opened: Open, tmp_path: Path) -> None:
    kinds = [
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.MtbsyncError)
    ]
    assert {"MtbsyncError", "AlignmentError", "OutputError"} < set(kinds)

    async def outcomes() -> list[Outcome]:
        async with opened() as executor:
            return [await _run(executor, _task(tmp_path, "fail", kind=kind)) for kind in kinds]

    for kind, outcome in zip(kinds, asyncio.run(outcomes()), strict=True):
        assert outcome.result is None
        assert outcome.error == "This cannot be read; give another."
        assert outcome.error_kind == kind
        assert outcome.may_pass == (kind == "OutputError")


@pytest.mark.parametrize(
    ("cause", "may_pass"), [("ENOSPC", True), ("EIO", True), ("EBUSY", True), ("ENOENT", False)]
)
def test_an_error_may_pass_if_what_caused_it_may(
    opened: Open, tmp_path: Path, cause: str, may_pass: bool
) -> None:
    outcome = asyncio.run(_once(opened, _task(tmp_path, "fail", kind="MediaError", errno=cause)))
    assert (outcome.error_kind, outcome.may_pass) == ("InputError", may_pass)


@pytest.mark.parametrize("how", ["abort", "segfault", "exit"])
def test_a_crash_is_an_outcome_that_may_pass(opened: Open, tmp_path: Path, how: str) -> None:
    outcome = _outcome(opened, _task(tmp_path, "crash", how=how))
    assert (outcome.result, outcome.error_kind, outcome.may_pass) == (None, "", True)
    assert "crashed" in outcome.error


def test_want_of_memory_may_pass(opened: Open, tmp_path: Path) -> None:
    outcome = _outcome(opened, _task(tmp_path, "crash", how="memory"))
    assert (outcome.result, outcome.may_pass) == (None, True)
    assert "not enough memory" in outcome.error


@pytest.mark.parametrize(
    ("function", "params", "what"),
    [
        ("divide_by_zero", {}, "ZeroDivisionError"),
        ("no_json", {}, "TypeError"),
        ("crash", {"how": "leave"}, "SystemExit"),
        ("no_such_task", {}, "AttributeError"),
    ],
)
def test_a_defect_says_how_to_report_it_and_its_traceback_is_in_the_log(
    opened: Open, tmp_path: Path, function: str, params: dict[str, Any], what: str
) -> None:
    task = _task(tmp_path, function, **params)
    outcome = asyncio.run(_once(opened, task))
    assert (outcome.result, outcome.may_pass) == (None, False)
    assert "`mtbsync bundle j1`" in outcome.error
    log = task.log.read_text(encoding="utf-8")
    assert "Traceback" in log
    assert what in log


def test_to_cancel_is_to_stop_the_work_and_what_it_started(opened: Open, tmp_path: Path) -> None:
    beats, grandchild = tmp_path / "beats", tmp_path / "grandchild"

    async def cancel() -> None:
        async with opened() as executor:
            task = _task(tmp_path, "beat", file=str(beats), grandchild=str(grandchild))
            running = asyncio.ensure_future(_run(executor, task))
            await _until(lambda: _size(beats) and _size(grandchild))
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await _until_it_grows_no_more(beats)
            await _until_it_grows_no_more(grandchild)
            outcome = await _run(executor, _task(tmp_path, "echo", well=True))
            assert outcome.result == {"well": True}

    asyncio.run(cancel())


def test_what_a_task_worked_in_goes_when_it_is_stopped(opened: Open, tmp_path: Path) -> None:
    folder = tmp_path / "scratch"

    async def cancel() -> None:
        async with opened() as executor:
            told: list[Progress] = []
            task = _task(tmp_path, "work_in_scratch", scratch=str(folder), end="never")
            running = asyncio.ensure_future(executor.run(task, told.append))
            await _until(lambda: told)
            assert (folder / "large").exists()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await _until(lambda: not folder.exists())

    asyncio.run(cancel())


def test_nothing_is_left_after_closing(opened: Open, tmp_path: Path) -> None:
    async def close() -> Outcome:
        async with opened() as executor:
            beats = tmp_path / "beats"
            running = asyncio.ensure_future(_run(executor, _task(tmp_path, "beat", file=str(beats))))
            await _until(lambda: _size(beats))
            assert _children()
        await _until(lambda: not _children())
        return await running

    outcome = asyncio.run(close())
    assert (outcome.result, outcome.may_pass) == (None, True)
    assert "stopped" in outcome.error


def test_as_many_tasks_run_at_once_as_there_are_slots_and_the_rest_wait(opened: Open, tmp_path: Path) -> None:
    place = tmp_path / "meeting"
    place.mkdir()

    async def meet() -> list[Outcome]:
        async with opened() as executor:
            assert executor.n_slots == N_SLOTS
            task = _task(tmp_path, "meet", place=str(place), n=N_SLOTS, at_most_s=PATIENCE_S / 2)
            return await asyncio.gather(*(_run(executor, task) for _ in range(N_SLOTS + 1)))

    outcomes = asyncio.run(meet())
    seen = sorted(outcome.result["n"] for outcome in outcomes if outcome.result)
    assert len(seen) == N_SLOTS + 1
    # The first ones met, while the last was not there yet.
    assert seen[0] == N_SLOTS
    assert seen[-1] == N_SLOTS + 1
