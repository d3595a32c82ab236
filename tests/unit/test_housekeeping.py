"""What a daemon throws away once a day, and that it does so once a day."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtbsync_daemon import sessions as session_rules
from mtbsync_daemon.app import _every
from mtbsync_daemon.config import Config, Keep
from mtbsync_daemon.housekeeping import keep_house
from mtbsync_daemon.places import Places
from mtbsync_daemon.store import events, jobs, markers, pushes, recordings, sessions, syncs, trails
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.housekeeping import forget_old
from mtbsync_daemon.store.ids import now
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.store.sessions import LineUpRow

DAY_S = 86400.0
CONFIG = Config(keep=Keep(days=90))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "data")


@pytest.fixture
def store(places: Places) -> Iterator[Store]:
    store = Store(places.database, places.backups)
    yield store
    store.close()


def _job(store: Store, kind: Kind, state: State, days: float, **params: str) -> str:
    """A job that came to `state` that long ago."""
    job_id, _ = store.write(jobs.enqueue, kind, params, [kind, state, days, params])
    if state.is_active:
        store.write(lambda db: db.execute("UPDATE jobs SET state = ? WHERE id = ?", (state, job_id)))
    else:
        store.write(jobs.end, job_id, state)
    at = now() - days * DAY_S
    store.write(lambda db: db.execute("UPDATE jobs SET ended_at = ? WHERE id = ?", (at, job_id)))
    return job_id


def _recording(store: Store, recording_id: str) -> str:
    row = recordings.row_of(recording_id, f"{recording_id}.MP4", 8.0, {})
    store.write(recordings.add, row, Path(row.name).absolute())
    return recording_id


def _forget(store: Store) -> None:
    store.write(forget_old, now() - 90 * DAY_S)


def _are_there(store: Store, *job_ids: str) -> list[bool]:
    return [store.read(jobs.get, job_id) is not None for job_id in job_ids]


# --- what is forgotten -------------------------------------------------------------------------------


def test_old_jobs_are_forgotten_and_young_and_waiting_ones_stay(store: Store) -> None:
    old = [_job(store, Kind.DELIVER, state, 91) for state in (State.DONE, State.FAILED, State.CANCELLED)]
    young = _job(store, Kind.DELIVER, State.DONE, 89)
    active = [_job(store, Kind.DELIVER, state, 91) for state in (State.QUEUED, State.RUNNING)]
    _forget(store)
    assert _are_there(store, *old) == [False] * 3
    assert _are_there(store, young, *active) == [True] * 3


def test_p2_jobs_that_syncs_and_trails_are_made_of_stay_however_old(store: Store) -> None:
    sync = _job(store, Kind.SYNC, State.NEEDS_REVIEW, 900)
    store.write(syncs.add, sync, _recording(store, "run"), None)
    trail = store.write(trails.add, "Home", _recording(store, "ref"))
    index = _job(store, Kind.INDEX, State.FAILED, 900, trail=trail.trail_id)
    removed = _job(store, Kind.INDEX, State.DONE, 900, trail="removed")
    _forget(store)
    assert _are_there(store, sync, index, removed) == [True, True, False]


def test_p2_jobs_that_sessions_are_made_of_stay_however_old(store: Store) -> None:
    session = store.write(session_rules.create, "Race")
    camera = store.write(session_rules.add_camera, session, Path("a.mp4").absolute())
    ingest = _job(store, Kind.INGEST, State.DONE, 900, session=session.session_id)
    store.write(sessions.change_camera, camera, {"job_id": ingest})
    line_up = _job(store, Kind.LINE_UP, State.DONE, 900, session=session.session_id)
    store.write(sessions.note_line_up, LineUpRow(session.session_id, line_up, "A", {}, 1.0))
    other = _job(store, Kind.TRANSCODE, State.DONE, 900, session=session.session_id)
    _forget(store)
    assert _are_there(store, ingest, line_up, other) == [True, True, False]


def test_a_forgotten_job_can_be_asked_for_again(store: Store) -> None:
    first, _ = store.write(jobs.enqueue, Kind.PROBE, {}, ["a.mp4"])
    store.write(jobs.end, first, State.DONE)
    store.write(forget_old, now() + 1)
    again, is_new = store.write(jobs.enqueue, Kind.PROBE, {}, ["a.mp4"])
    assert (is_new, again != first) == (True, True)


def test_old_pushes_go_once_they_were_taken_back_and_those_that_can_be_stay(store: Store) -> None:
    undone, done, young = (store.write(pushes.begin, "t", name, []) for name in ("undone", "done", "young"))
    for push in (undone, young):
        store.write(pushes.undone, push)
    store.write(pushes.done, done, [])

    def make_old(db: sqlite3.Connection) -> None:
        db.execute("UPDATE pushes SET created_at = ? WHERE name != 'young'", (now() - 91 * DAY_S,))

    store.write(make_old)
    _forget(store)
    left = [store.read(pushes.get, push.push_id) is not None for push in (undone, done, young)]
    assert left == [False, True, True]


def test_what_timelines_told_long_ago_goes(store: Store) -> None:
    for timeline in ("old", "young"):
        store.write(markers.tell, _recording(store, timeline), timeline, [])
    store.write(
        lambda db: db.execute("UPDATE told SET told_at = ? WHERE timeline = 'old'", (now() - 91 * DAY_S,))
    )
    _forget(store)
    left = store.read(lambda db: [row["timeline"] for row in db.execute("SELECT timeline FROM told")])
    assert left == ["young"]


def test_only_the_newest_events_stay(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 3)
    for k in range(9):
        store.write(events.add, "job", str(k))
    _forget(store)
    oldest, newest = store.read(events.span)
    assert newest - oldest + 1 == 3


# --- when ----------------------------------------------------------------------------------------------


def _is_kept(places: Places, store: Store) -> bool:
    """Whether it is done now."""
    job = _job(store, Kind.PROBE, State.DONE, 91)
    keep_house(places, store, CONFIG)
    is_there = store.read(jobs.get, job) is not None
    store.write(forget_old, now())
    return not is_there


@pytest.mark.parametrize(("days_ago", "is_due"), [(0.9, False), (1.1, True), (-0.1, True), (-900, True)])
def test_it_is_done_once_a_day_however_short_the_daemon_runs_and_wherever_the_clock_was(
    places: Places, store: Store, days_ago: float, is_due: bool
) -> None:
    assert _is_kept(places, store)
    assert not _is_kept(places, store)
    at = now() - days_ago * DAY_S
    os.utime(places.housekeeping, (at, at))
    assert _is_kept(places, store) == is_due


def test_files_go_too(places: Places, store: Store) -> None:
    log = places.log_of("0123456789abcdef")
    log.parent.mkdir()
    log.write_text("", encoding="utf-8")
    os.utime(log, (1, 1))
    keep_house(places, store, CONFIG)
    assert not log.exists()


def test_what_fails_in_the_background_is_noted_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []

    async def fail() -> None:
        tries.append(1)
        raise KeyError("a defect")

    async def go() -> None:
        running = asyncio.create_task(_every(0.01, fail))
        async with asyncio.timeout(20):
            while len(tries) < 2:
                await asyncio.sleep(0.01)
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(go())
    assert "a defect" in caplog.text
