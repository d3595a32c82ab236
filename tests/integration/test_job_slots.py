"""Copies of footage take an hour each, and nothing waits behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mtbsync_daemon import sessions as rules
from mtbsync_daemon.app import _executors
from mtbsync_daemon.config import Config
from mtbsync_daemon.jobs.executor import Outcome, Progress, Task
from mtbsync_daemon.jobs.queue import Queue
from support.house import Answers, House


class Held(Answers):
    """Answers at once, but for copies, which are under way until they are let go. `most` is how many tasks
    there were at a time."""

    def __init__(self, n_slots: int) -> None:
        super().__init__()
        self.n_slots = n_slots
        self.goes_on = asyncio.Event()
        self.n_copies = self.n_now = self.most = 0

    async def run(self, task: Task, on_progress: Callable[[Progress], None]) -> Outcome:
        is_copy = task.function.endswith(".transcode:run")
        self.n_now += 1
        self.n_copies += is_copy
        self.most = max(self.most, self.n_now)
        try:
            await (self.goes_on.wait() if is_copy else asyncio.sleep(0.01))
            return await super().run(task, on_progress)
        finally:
            self.n_now -= 1
            self.n_copies -= is_copy


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, Config())
    yield made
    made.store.close()


def bring(house: House, *names: str) -> None:
    """Add cameras to the one session, and their footage."""
    session = house.store.read(rules.sessions.titled, "Race") or house.store.write(rules.create, "Race")
    for name in names:
        house.store.write(rules.add_camera, session, house.root / name)
        house.lands(house.root / name, f"what {name} saw")


async def until(queue: Queue, is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            queue.wake()
            await asyncio.sleep(0.005)


@asynccontextmanager
async def working(house: House, held: Held) -> AsyncIterator[Queue]:
    """A queue that does the house's jobs, for the block."""
    queue = Queue(house.store, house.library, held, held, held, house.places)
    doing = asyncio.create_task(queue.run())
    yield queue
    doing.cancel()
    await asyncio.wait([doing])


def test_with_one_slot_a_camera_is_taken_in_and_lined_up_beside_a_copy(house: House) -> None:
    async def go() -> None:
        held = Held(1)
        async with working(house, held) as queue:
            bring(house, "a.mp4")
            await until(queue, lambda: held.n_copies == 1)
            bring(house, "b.mp4", "c.mp4")
            await until(queue, lambda: held.count("line_up") == 1)
            # Their copies wait for the slot, and never were there three things at a time.
            assert (held.n_copies, held.count("transcode"), held.most) == (1, 0, 2)
            held.goes_on.set()
            await until(queue, lambda: held.count("transcode") == 3)

    asyncio.run(go())


def test_copies_take_all_slots_and_one_thing_is_done_beside_them(house: House) -> None:
    async def go() -> None:
        held = Held(2)
        async with working(house, held) as queue:
            bring(house, "a.mp4", "b.mp4", "c.mp4")
            await until(queue, lambda: held.n_copies == 2 and held.count("line_up") == 1)
            bring(house, "d.mp4", "e.mp4")
            await until(queue, lambda: held.count("line_up") == 2)
            assert held.most == 3

    asyncio.run(go())


def test_one_copy_of_two_slots_leaves_one_to_others(house: House) -> None:
    async def go() -> None:
        held = Held(2)
        async with working(house, held) as queue:
            bring(house, "a.mp4")
            await until(queue, lambda: held.n_copies == 1)
            held.most = 0
            for name in "bcd":
                house.lands(house.root / name, name)
            await until(queue, lambda: held.count("probe") == 4)
            assert held.most == 2

    asyncio.run(go())


def test_copies_have_slots_of_their_own() -> None:
    async def go() -> None:
        executor, copies = await _executors(Config())
        assert executor is not copies
        assert executor.n_slots == copies.n_slots
        await asyncio.gather(executor.close(), copies.close())

    asyncio.run(go())
