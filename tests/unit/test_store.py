"""The library on disk: upgrades, refusals, transactions.

P3: no job is lost; P8: an upgrade keeps all data.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from mtbsync_daemon import sessions as rules
from mtbsync_daemon.store import database, events, jobs, markers, sessions
from mtbsync_daemon.store.database import LibraryError, Store, check_integrity, newest_version
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.store.markers import MarkerRow
from mtbsync_daemon.store.sessions import CameraState
from mtbsync_engine.errors import OutputError


def opened(tmp_path: Path) -> Store:
    return Store(tmp_path / "library.sqlite", tmp_path / "backups")


def test_a_new_library_is_ours_and_whole(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.close()
    with closing(sqlite3.connect(tmp_path / "library.sqlite")) as db:
        assert db.execute("PRAGMA application_id").fetchone()[0] == 0x6D746273
        assert db.execute("PRAGMA user_version").fetchone()[0] == newest_version() >= 1
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert check_integrity(tmp_path / "library.sqlite") == "ok"
    assert not (tmp_path / "backups").exists()


def test_p8_an_upgrade_keeps_all_data_and_a_copy_from_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    job_id, _ = store.write(jobs.enqueue, Kind.PROBE, {"first": "a.mp4"}, ["a"])
    store.close()
    before = newest_version()
    known = database._migrations()
    monkeypatch.setattr(database, "_migrations", lambda: [*known, "ALTER TABLE jobs ADD COLUMN extra TEXT;"])
    store = opened(tmp_path)
    kept = store.read(jobs.get, job_id)
    store.close()
    assert kept is not None
    assert kept.params == {"first": "a.mp4"}
    (copy,) = (tmp_path / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == before
        assert db.execute("SELECT id FROM jobs").fetchone()[0] == job_id


def test_p8_markers_of_a_library_without_a_desk_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = database._migrations()
    monkeypatch.setattr(database, "_migrations", lambda: known[:1])
    opened(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "library.sqlite")) as db, db:
        db.execute("INSERT INTO recordings VALUES ('r', 'a.mp4', 9.0, '{}', 1.0)")
        db.execute(
            "INSERT INTO jobs (id, kind, key, params, state, priority, created_at) "
            "VALUES ('j', 'sync', 'k', '{}', 'done', 0, 1.0)"
        )
        db.execute(
            "INSERT INTO syncs (id, job_id, recording_id, turn, created_at) VALUES ('j', 'j', 'r', 1, 1.0)"
        )
        db.execute(
            "INSERT INTO markers VALUES ('r', 'm', 'j', 'Drop', 'Red', 'Look', 2.0, 3.0, 0.5, 0.9, 0.1, 1, "
            "'Why', '[[\"note\", \"Mind the root\"]]', 'corrected', 4)"
        )
    monkeypatch.setattr(database, "_migrations", lambda: known)
    store = opened(tmp_path)
    (kept,) = store.read(markers.of_recording, "r")
    store.close()
    extra = (("note", "Mind the root"),)
    assert kept == MarkerRow(
        "r", "m", "j", "Drop", "Red", "Look", 2.0, 3.0, 0.5, 0.9, 0.1, True, "Why", extra,
        markers.MarkerState.CORRECTED, 4,
    )  # fmt: skip


def test_p8_an_upgrade_that_fails_leaves_the_library_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(tmp_path).close()
    known, before = database._migrations(), newest_version()
    broken = "ALTER TABLE jobs ADD COLUMN extra TEXT; INSERT INTO nowhere VALUES (1);"
    monkeypatch.setattr(database, "_migrations", lambda: [*known, broken])
    with pytest.raises(OutputError):
        opened(tmp_path)
    with closing(sqlite3.connect(tmp_path / "library.sqlite")) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == before
        assert "extra" not in [row[1] for row in db.execute("PRAGMA table_info(jobs)")]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit for the size of files")
def test_p8_a_copy_that_could_not_be_made_whole_is_not_there(tmp_path: Path) -> None:
    opened(tmp_path).close()
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from mtbsync_daemon.store import database\n"
        "known = database._migrations()\n"
        "database._migrations = lambda: [*known, 'ALTER TABLE jobs ADD COLUMN extra TEXT;']\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "database.Store(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    assert (tmp_path / "library.sqlite").stat().st_size > 50_000
    command = [sys.executable, "-c", code, str(tmp_path / "library.sqlite"), str(tmp_path / "backups")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert "OutputError" in done.stderr
    assert list(tmp_path.glob("backups/*")) == []


def test_p8_a_newer_library_is_refused_by_version_and_left(tmp_path: Path) -> None:
    opened(tmp_path).close()
    path = tmp_path / "library.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {newest_version() + 1}")
    content = path.read_bytes()
    with pytest.raises(LibraryError, match=f"newer mtbsync \\(version {newest_version() + 1} "):
        opened(tmp_path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(LibraryError, match="another program"):
        opened(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("bookmarks",)]


def test_a_damaged_library_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite").write_bytes(b"no database at all" * 500)
    beside = r"damaged.*library\.sqlite, library\.sqlite-wal and library\.sqlite-shm"
    with pytest.raises(LibraryError, match=beside):
        opened(tmp_path)
    with pytest.raises(LibraryError):
        check_integrity(tmp_path / "library.sqlite")


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(OutputError):
        Store(tmp_path / "data" / "library.sqlite", tmp_path / "backups")


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)

    def half(db: sqlite3.Connection) -> None:
        jobs.enqueue(db, Kind.PROBE, {}, ["half"])
        raise KeyError("half way")

    with pytest.raises(KeyError):
        store.write(half)
    assert store.read(jobs.page, 10) == []
    assert store.read(events.after, 0) == []
    store.close()


def test_reading_changes_nothing_even_by_mistake(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.read(jobs.enqueue, Kind.PROBE, {}, ["x"])
    store.close()


def test_p2_the_same_work_asked_for_from_many_threads_is_one_job(tmp_path: Path) -> None:
    store = opened(tmp_path)
    made: list[tuple[str, bool]] = []
    threads = [
        threading.Thread(
            target=lambda: made.append(store.write(jobs.enqueue, Kind.PROBE, {}, ["same", {"b": 1, "a": 2}]))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job_id for job_id, _ in made}) == 1
    assert sum(is_new for _, is_new in made) == 1
    store.close()


def test_listeners_hear_of_changes_and_of_nothing_else(tmp_path: Path) -> None:
    store = opened(tmp_path)
    heard: list[int] = []
    store.on_change(lambda: heard.append(1))
    store.write(jobs.enqueue, Kind.PROBE, {}, ["a"])
    assert len(heard) == 1
    store.write(jobs.enqueue, Kind.PROBE, {}, ["a"])
    store.read(jobs.page, 10)
    store.write(jobs.get, "none")
    assert len(heard) == 1
    store.close()


def test_jobs_come_in_order_of_what_is_waited_for(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for kind in (Kind.SYNC, Kind.INDEX, Kind.PROBE, Kind.TRANSFER, Kind.DELIVER):
        store.write(jobs.enqueue, kind, {}, [kind])
    store.write(jobs.enqueue, Kind.PROBE, {}, ["a person's"], is_asked_for=True)
    claimed = []
    while job := store.write(jobs.claim, "boot", tuple(Kind)):
        claimed.append(job.kind)
        store.write(jobs.end, job.job_id, State.DONE)
    assert claimed == [Kind.DELIVER, Kind.TRANSFER, Kind.PROBE, Kind.PROBE, Kind.INDEX, Kind.SYNC]
    store.close()


def test_a_sync_waits_until_every_trail_is_indexed(tmp_path: Path) -> None:
    store = opened(tmp_path)
    sync_id, _ = store.write(jobs.enqueue, Kind.SYNC, {}, ["s"])
    index_id, _ = store.write(jobs.enqueue, Kind.INDEX, {}, ["i"])
    first = store.write(jobs.claim, "boot", tuple(Kind))
    assert first is not None
    assert first.job_id == index_id
    assert store.write(jobs.claim, "boot", tuple(Kind)) is None
    store.write(jobs.end, index_id, State.FAILED, error="no")
    then = store.write(jobs.claim, "boot", tuple(Kind))
    assert then is not None
    assert then.job_id == sync_id
    store.close()


def test_a_trail_whose_reference_is_away_holds_up_no_sync(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.write(jobs.enqueue, Kind.INDEX, {}, ["i"])
    index = store.write(jobs.claim, "boot", tuple(Kind))
    assert index is not None
    store.write(jobs.postpone, index, "ref.mp4 is not there.")
    sync_id, _ = store.write(jobs.enqueue, Kind.SYNC, {}, ["s"])
    then = store.write(jobs.claim, "boot", tuple(Kind))
    assert then is not None
    assert then.job_id == sync_id
    store.close()


def test_what_can_pass_is_tried_three_times_later_each_time(tmp_path: Path) -> None:
    store = opened(tmp_path)
    job_id, _ = store.write(jobs.enqueue, Kind.PROBE, {}, ["x"])
    waits = []
    for attempt in range(1, 4):
        with_time = store.read(jobs.next_due_s)
        if with_time is not None:
            waits.append(with_time)
            store.write(lambda db: db.execute("UPDATE jobs SET not_before = 1"))
        job = store.write(jobs.claim, "boot", tuple(Kind))
        assert job is not None
        assert job.attempts == attempt
        again = store.write(jobs.try_again_later, job, "The disk is full.")
        assert again == (attempt < 3)
    assert len(waits) == 2
    assert waits[0] < waits[1]
    assert store.read(jobs.get, job_id) is not None
    store.close()


def test_why_something_waits_or_failed_may_name_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    store = opened(tmp_path)
    film = tmp_path / "caf\udce9.mp4"
    session = store.write(rules.create, "Race")
    store.write(rules.add_camera, session, film)
    store.write(rules.follow_refusal, film, f"{film.name} is damaged.")
    (camera,) = store.read(sessions.cameras, session.session_id)
    assert (camera.state, camera.problem) == (CameraState.FAILED, "caf?.mp4 is damaged.")
    store.write(jobs.enqueue, Kind.INGEST, {}, ["x"])
    job = store.write(jobs.claim, "boot", tuple(Kind))
    assert job is not None
    store.write(jobs.postpone, job, f"{film.name} is not there.")
    (waiting,) = store.read(jobs.postponed, 9)
    assert waiting.error == "caf?.mp4 is not there."
    store.close()


def test_a_clock_that_jumps_back_does_not_hold_a_job_for_years(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    store.write(jobs.enqueue, Kind.PROBE, {}, ["x"])
    job = store.write(jobs.claim, "boot", tuple(Kind))
    assert job is not None
    monkeypatch.setattr(jobs, "now", lambda: 4e9)
    assert store.write(jobs.try_again_later, job, "busy")
    monkeypatch.setattr(jobs, "now", lambda: 1.7e9)
    assert (store.read(jobs.next_due_s) or 0) <= 3600
    assert store.write(jobs.claim, "boot", tuple(Kind)) is not None
    store.close()


def test_events_count_up_and_old_ones_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path)
    monkeypatch.setattr(events, "KEPT", 10)
    for k in range(25):
        store.write(events.add, "job", str(k))
    store.write(events.prune)
    oldest, newest = store.read(events.span)
    assert newest - oldest + 1 == 10
    assert [e.subject for e in store.read(events.after, newest - 2)] == ["23", "24"]
    store.close()
    store = opened(tmp_path)
    store.write(events.add, "job", "later")
    assert store.read(events.after, newest)[0].event_id == newest + 1
    store.close()
