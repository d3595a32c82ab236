"""What is removed from the storage by itself, and what never is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from mtbsync_daemon import sessions as rules
from mtbsync_daemon.config import Config, Keep, load_config
from mtbsync_daemon.config import Storage as Settings
from mtbsync_daemon.housekeeping import keep_house
from mtbsync_daemon.library import Library
from mtbsync_daemon.own import MARK
from mtbsync_daemon.places import Places
from mtbsync_daemon.prune import prune
from mtbsync_daemon.prune_media import media_to_go, prune_media
from mtbsync_daemon.storage import open_storage
from mtbsync_daemon.storage.keys import key_of, manifest_of
from mtbsync_daemon.storage.lifecycle import outlived
from mtbsync_daemon.store import jobs, recordings, sessions
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.ids import now
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.store.sessions import CameraRow, Derivative, DerivedRow, SessionRow
from support.program import mtbsync, state

DAY_S = 86400.0
AT = 1_000_000_000.0
KEEP = Settings(wav_days=30, mezzanine_days=90)


# --- the rules -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "days"),
    [(Derivative.WAV, 30), (Derivative.WAVEFORM, 30), (Derivative.MEZZANINE, 90)],
)
def test_what_is_large_and_can_be_made_again_has_its_time(kind: Derivative, days: float) -> None:
    young, old = (DerivedRow("s", "A", kind, "k", 1, "", AT - d * DAY_S) for d in (days - 1, days + 1))
    assert outlived([young, old], KEEP, AT) == [old]
    assert outlived([young, old], Settings(wav_days=days + 2, mezzanine_days=days + 2), AT) == []


@pytest.mark.parametrize("kind", [Derivative.PROXY, Derivative.THUMBNAIL])
def test_what_a_session_is_looked_at_with_stays_for_good(kind: Derivative) -> None:
    assert outlived([DerivedRow("s", "A", kind, "k", 1, "", 0.0)], KEEP, AT) == []


def test_what_seems_to_be_from_the_future_stays_and_the_oldest_come_first() -> None:
    days = [40, -400, 50]
    rows = [DerivedRow("s", "A", Derivative.WAV, f"k{d}", 1, "", AT - d * DAY_S) for d in days]
    assert [row.key for row in outlived(rows, KEEP, AT)] == ["k50", "k40"]


# --- with a library and a storage --------------------------------------------------------------------


class House:
    """A data folder with sessions and what was made of them."""

    def __init__(self, data: Path) -> None:
        self.places, self.config = Places(data), Config()
        self.store = Store(self.places.database, self.places.backups)
        self.storage = open_storage(Library(self.places, lambda: self.config).storage())

    def session(self, title: str = "Race") -> SessionRow:
        return self.store.write(rules.create, title, project="Alps", date="2026-07-04")

    def camera(self, session: SessionRow, name: str) -> CameraRow:
        """A camera whose ingest has been done."""
        path, row = Path(f"{name}.MP4").absolute(), recordings.row_of(f"f-{name}", f"{name}.MP4", 8.0, {})
        self.store.write(recordings.add, row, path)
        label = self.store.write(rules.add_camera, session, path).label
        self.store.write(rules.take_in, row.recording_id, path, None)
        camera = self.store.read(sessions.camera, session.session_id, label)
        assert camera is not None
        assert camera.job_id is not None
        self.store.write(jobs.end, camera.job_id, State.DONE)
        return camera

    def made(self, camera: CameraRow, kind: Derivative, days: float = 0) -> str:
        """The key of something that was made of it that long ago."""
        session = self.store.read(sessions.get, camera.session_id)
        assert session is not None
        key = key_of(session.prefix, kind, camera.angle, camera.take)
        self.kept(key)
        made_at = now() - days * DAY_S
        row = DerivedRow(camera.session_id, camera.label, kind, key, 1000, "aa", made_at)
        self.store.write(sessions.note_derived, row)
        return key

    def kept(self, key: str) -> None:
        """Something is in the storage."""
        source = self.places.data / "made.bin"
        source.write_bytes(b"x" * 1000)
        self.storage.put(key, source, "aa")
        source.unlink()

    def prune(self) -> list[str]:
        """The keys that went."""
        done = prune_media(self.places, self.store, self.config)
        assert (done.stuck, done.problem) == ((), "")
        assert not [item for item in done.gone if self.storage.stat(item.path.as_posix())]
        return [item.path.as_posix() for item in done.gone]

    def known(self) -> list[str]:
        return [row.key for row in self.store.read(sessions.all_derived)]

    def is_there(self, *keys: str) -> list[bool]:
        return [self.storage.stat(key) is not None for key in keys]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "data")
    yield house
    house.store.close()


@pytest.fixture
def drive(house: House, tmp_path: Path) -> Path:
    """The folder of a drive, which the house keeps its files on."""
    made = tmp_path / "drive"
    made.mkdir()
    house.config = Config(storage=Settings(folder=made))
    house.storage = open_storage(Library(house.places, lambda: house.config).storage())
    return made


def test_what_outlived_its_time_goes_from_the_storage_and_from_the_library(house: House) -> None:
    camera = house.camera(house.session(), "a")
    old = house.made(camera, Derivative.WAV, days=31)
    stay = [house.made(camera, Derivative.MEZZANINE, 31), house.made(camera, Derivative.PROXY, 3000)]
    assert house.prune() == [old]
    assert house.is_there(old, *stay) == [False, True, True]
    assert sorted(house.known()) == sorted(stay)
    assert house.prune() == []


def test_what_was_made_anew_is_young(house: House) -> None:
    camera = house.camera(house.session(), "a")
    house.made(camera, Derivative.WAV, days=31)
    house.prune()
    again = house.made(camera, Derivative.WAV)
    assert house.prune() == []
    assert house.is_there(again) == [True]


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
@pytest.mark.parametrize("kind", [Kind.INGEST, Kind.TRANSCODE, Kind.LINE_UP])
def test_nothing_of_a_session_goes_that_something_is_done_for(house: House, kind: Kind, state: State) -> None:
    session, other = house.session(), house.session("Other")
    # As it was before keys held a piece of the session's id.
    house.store.write(lambda db: db.execute("UPDATE sessions SET prefix = 'projects/alps/20260704'"))
    session, other = (replace(each, prefix="projects/alps/20260704") for each in (session, other))
    old = house.made(house.camera(session, "a"), Derivative.WAV, days=31)
    theirs = house.made(house.camera(other, "b"), Derivative.WAV, days=31)
    job_id, _ = house.store.write(jobs.enqueue, kind, {"session": session.session_id}, ["asked"])
    house.store.write(lambda db: db.execute("UPDATE jobs SET state = ? WHERE id = ?", (state, job_id)))
    before = media_to_go(house.places, house.store, house.config)
    assert [item.path.as_posix() for item in before.gone] == [theirs]
    # What the other one lost lies where this one's may be being made.
    assert house.prune() == []
    assert house.known() == [old]
    house.store.write(jobs.end, job_id, State.DONE)
    assert sorted(house.prune()) == sorted([old, theirs])


def test_what_was_made_of_a_removed_session_goes_and_others_stay(house: House) -> None:
    session, other = house.session(), house.session("Other")
    gone = [house.made(house.camera(session, name), Derivative.PROXY) for name in ("a", "b")]
    stays = house.made(house.camera(other, "c"), Derivative.PROXY)
    house.store.write(rules.remove, session.session_id)
    assert sorted(house.prune()) == sorted(gone)
    assert house.is_there(*gone, stays) == [False, False, True]


def test_what_was_made_of_a_removed_camera_goes_and_its_number_is_never_another_s(house: House) -> None:
    session = house.session()
    first, second = house.camera(session, "a"), house.camera(session, "b")
    gone = house.made(second, Derivative.PROXY)
    house.store.write(rules.remove_camera, first)
    house.store.write(rules.remove_camera, second)
    third = house.camera(session, "c")
    kept = house.made(third, Derivative.PROXY)
    assert third.angle == 3
    assert house.prune() == [gone]
    assert house.is_there(kept) == [True]


def test_what_was_noted_of_a_removed_session_s_things_goes_with_them(house: House) -> None:
    camera = house.camera(house.session(), "a")
    keys = [house.made(camera, kind) for kind in (Derivative.PROXY, Derivative.WAV)]
    for key in keys:
        house.kept(manifest_of(key))
    house.store.write(rules.remove, camera.session_id)
    assert sorted(house.prune()) == sorted(keys)
    left = [path.name for path in house.places.media.rglob("*") if path.is_file()]
    assert left == [MARK]


def test_what_another_take_replaced_goes(house: House) -> None:
    camera = house.camera(house.session(), "a")
    before = house.made(camera, Derivative.PROXY)
    house.store.write(sessions.change_camera, camera, {"take": 2})
    (again,) = house.store.read(sessions.cameras, camera.session_id)
    after = house.made(again, Derivative.PROXY)
    assert house.prune() == [before]
    assert house.is_there(after) == [True]


def test_what_a_job_made_of_a_camera_that_was_removed_meanwhile_goes(house: House) -> None:
    session = house.session()
    camera = house.camera(session, "a")
    assert camera.job_id is not None
    job = house.store.read(jobs.get, camera.job_id)
    assert job is not None
    key = key_of(session.prefix, Derivative.WAV, camera.angle, camera.take)
    house.store.write(rules.remove_camera, camera)
    house.kept(key)
    made = {"kind": "audio-wav", "key": key, "n_bytes": 1000, "sha256": "aa", "made_at": now()}
    house.store.write(rules.made, job, {"derived": [made], "has_variable_rate": False})
    assert house.prune() == [key]


def test_what_a_job_begins_to_make_anew_while_this_runs_stays(house: House) -> None:
    session = house.session()
    key = house.made(house.camera(session, "a"), Derivative.WAV, days=31)
    house.store.write(sessions.forget_derived, house.store.read(sessions.all_derived)[0])

    class Late:
        """The library; a job begins right after it was asked what is nobody's."""

        write = house.store.write

        def read(self, query: Any, /, *args: Any) -> Any:
            found = house.store.read(query, *args)
            if query is sessions.disowned:
                house.store.write(jobs.enqueue, Kind.INGEST, {"session": session.session_id}, ["asked"])
            return found

    assert prune_media(house.places, cast(Store, Late()), house.config).gone == ()
    assert house.is_there(key) == [True]


def test_p4_what_a_killed_prune_had_not_removed_yet_is_removed_by_the_next(house: House) -> None:
    old = house.made(house.camera(house.session(), "a"), Derivative.WAV, days=31)
    # It had come as far as that.
    house.store.write(sessions.forget_derived, house.store.read(sessions.all_derived)[0])
    assert house.is_there(old) == [True]
    assert house.prune() == [old]


def test_a_storage_that_cannot_be_reached_is_told_and_tried_again(house: House, tmp_path: Path) -> None:
    old = house.made(house.camera(house.session(), "a"), Derivative.WAV, days=31)
    away = Config(storage=Settings(folder=tmp_path / "drive"))
    done = prune_media(house.places, house.store, away)
    assert [item.path.as_posix() for item in done.stuck] == [old]
    assert "plug its drive in" in done.problem
    assert house.prune() == [old]


def test_while_a_drive_is_away_nothing_is_forgotten_though_its_empty_folder_is_there(
    house: House, drive: Path, tmp_path: Path
) -> None:
    session = house.session()
    old = house.made(house.camera(session, "a"), Derivative.WAV, days=31)
    removed = house.made(house.camera(session, "b"), Derivative.PROXY)
    house.store.write(lambda db: rules.remove_camera(db, sessions.cameras(db, session.session_id)[1]))
    drive.rename(tmp_path / "unplugged")
    drive.mkdir()
    would = media_to_go(house.places, house.store, house.config)
    done = prune_media(house.places, house.store, house.config)
    assert would.gone == done.gone == ()
    assert "plug its drive in" in done.problem
    assert would.problem == done.problem
    assert house.known() == [old]
    assert [row.key for row in house.store.read(sessions.disowned)] == [removed]
    drive.rmdir()
    (tmp_path / "unplugged").rename(drive)
    assert sorted(house.prune()) == sorted([old, removed])


def test_housekeeping_clears_what_killed_writers_left_a_day_ago_and_leaves_other_programs_files(
    house: House, drive: Path
) -> None:
    kept = drive / house.made(house.camera(house.session(), "a"), Derivative.PROXY)
    left, under_way = (kept.with_name(f".{kept.name}.{k * 32}.tmp") for k in "ab")
    others = [drive / "photos" / ".syncthing.ride.mp4.tmp", kept.with_name(".syncthing.ride.mp4.tmp")]
    (drive / "photos").mkdir()
    for path in (left, under_way, *others):
        path.touch()
    for path in (left, *others):
        os.utime(path, (now() - 2 * DAY_S,) * 2)
    keep_house(house.places, house.store, house.config)
    assert [path for path in (kept, left, under_way, *others) if not path.exists()] == [left]


def test_two_libraries_in_one_storage_never_clear_away_each_other_s(house: House, tmp_path: Path) -> None:
    theirs = House(tmp_path / "their data")
    theirs.storage = house.storage
    mine = house.made(house.camera(house.session(), "a"), Derivative.WAV, days=31)
    kept = theirs.made(theirs.camera(theirs.session(), "b"), Derivative.WAV)
    theirs.store.close()
    assert house.prune() == [mine]
    assert house.is_there(kept) == [True]


def test_what_was_fetched_goes_once_nobody_has_wanted_it_for_long(house: House) -> None:
    fetched = house.places.artifacts / "fetched"
    fetched.mkdir(parents=True)
    for name, days in (("old.wav", 91.0), ("young.wav", 89.0)):
        (fetched / name).write_bytes(b"x")
        os.utime(fetched / name, (now() - days * DAY_S,) * 2)
    prune(house.places, house.store, Keep(days=90))
    assert [path.name for path in fetched.iterdir()] == ["young.wav"]


def test_housekeeping_does_it_too(house: House) -> None:
    old = house.made(house.camera(house.session(), "a"), Derivative.WAV, days=31)
    keep_house(house.places, house.store, house.config)
    assert house.is_there(old) == [False]


def test_the_command_says_first_and_removes_then_as_the_settings_say(house: House, tmp_path: Path) -> None:
    settings = tmp_path / "m.toml"
    settings.write_text("[storage]\nwav_days = 10\n", encoding="utf-8")
    house.config = load_config(settings)
    old = house.made(house.camera(house.session(), "a"), Derivative.WAV, days=11)
    options = ("prune", "--data", house.places.data, "--config", settings)
    footage = state(house.places.media)
    dry = mtbsync(*options, "--dry-run")
    assert dry.status == 0, dry.err
    assert f"Would remove: {Path(old)}" in dry.out
    assert state(house.places.media) == footage
    done = mtbsync(*options, "--json")
    assert done.document["removed"] == [str(Path(old))], done.err
    assert (house.is_there(old), house.known()) == ([False], [])


def test_the_command_tells_why_nothing_could_be_removed(house: House, tmp_path: Path) -> None:
    house.made(house.camera(house.session(), "a"), Derivative.WAV, days=31)
    settings = tmp_path / "m.toml"
    settings.write_text(f"[storage]\nfolder = '{tmp_path / 'drive'}'\n", encoding="utf-8")
    options = ("prune", "--data", house.places.data, "--config", settings)
    for more in ("--dry-run", "--quiet"):
        done = mtbsync(*options, "--json", more)
        assert "plug its drive in" in done.document["problem"]
        assert done.document["removed"] == []
        assert "plug its drive in" in done.err
    settings.write_text("", encoding="utf-8")
    assert mtbsync(*options, "--json").document["problem"] == ""
