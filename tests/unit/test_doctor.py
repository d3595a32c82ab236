"""What `mtbsync doctor` finds wrong, and what it says to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from mtbsync_daemon import doctor
from mtbsync_daemon.config import Config, Folder, Storage
from mtbsync_daemon.doctor import Finding, Level
from mtbsync_daemon.places import Places
from mtbsync_daemon.store import recordings, trails
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.reader import reading
from mtbsync_integrations.resolve import install
from support.program import Outcome, mtbsync, state

not_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="permissions do not bind this user"
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "data")
    Store(places.database, places.backups).close()
    return places


def _config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mtbsync.toml"
    path.write_text(text, encoding="utf-8")
    return path


def level(finding: Finding) -> Level:
    """Whatever is not well comes with what to do."""
    if finding.level is not Level.OK:
        assert finding.remedy.endswith("."), finding
    assert finding.sentence.endswith("."), finding
    return finding.level


# --- settings and data -----------------------------------------------------------------------------


def test_a_wrong_setting_is_named_with_its_line(tmp_path: Path) -> None:
    found = doctor.look_at_settings(_config(tmp_path, "sweep_s = 1\nfolders = 1\n"))
    assert level(found) is Level.FAIL
    assert "line 2: there is no setting called folders" in found.sentence


def test_settings_that_are_not_there_yet_are_no_failure(tmp_path: Path) -> None:
    assert level(doctor.look_at_settings(tmp_path / "none.toml")) is Level.WARN
    assert level(doctor.look_at_settings(_config(tmp_path, ""))) is Level.OK


def test_a_data_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", encoding="utf-8")
    assert level(doctor.look_at_data(tmp_path / "data")) is Level.FAIL
    assert level(doctor.look_at_data(tmp_path / "new" / "data")) is Level.OK
    assert not (tmp_path / "new").exists()


@not_root
def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    assert level(doctor.look_at_data(tmp_path / "data")) is Level.FAIL
    assert level(doctor.look_at_output(tmp_path / "data" / "out")) is Level.FAIL


@pytest.mark.parametrize(("free_gb", "wanted"), [(50, Level.OK), (1, Level.WARN), (0.05, Level.FAIL)])
def test_a_full_disk_is_told_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, wanted: Level
) -> None:
    usage = doctor.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage._replace(free=int(free_gb * 1e9)))
    found = doctor.look_at_space(tmp_path / "not" / "there")
    assert level(found) is wanted
    assert f"{free_gb:.1f} GB" in found.sentence


def test_a_whole_library_is_well_and_none_is_too(places: Places, tmp_path: Path) -> None:
    assert level(doctor.look_at_library(places)) is Level.OK
    assert level(doctor.look_at_library(Places(tmp_path / "other"))) is Level.OK


def test_a_damaged_library_fails_and_the_copies_are_named(places: Places) -> None:
    content = bytearray(places.database.read_bytes())
    content[4096 * 2 : 4096 * 4] = b"\xff" * 4096 * 2
    places.database.write_bytes(content)
    found = doctor.look_at_library(places)
    assert level(found) is Level.FAIL
    assert str(places.backups) in found.remedy


def test_p8_restoring_as_it_says_gives_the_copy_and_nothing_of_the_damaged_library(places: Places) -> None:
    copy = places.backups / "library-v1-1.sqlite"
    places.backups.mkdir()
    shutil.copy(places.database, copy)
    used = Store(places.database, places.backups)
    _add_trail(used, "Home")
    # A daemon that was killed leaves the files that SQLite keeps beside it.
    left = {path: path.read_bytes() for path in places.data.glob("library.sqlite*")}
    used.close()
    for path, content in left.items():
        path.write_bytes(content)
    places.database.write_bytes(b"\xff" * 8192)
    found = doctor.look_at_library(places)
    assert level(found) is Level.FAIL
    named = set(re.findall(r"library\.sqlite[-a-z]*", found.remedy))
    assert named == {path.name for path in left}
    for name in named:
        (places.data / name).unlink()
    shutil.copy(copy, places.database)
    assert level(doctor.look_at_library(places)) is Level.OK
    with reading(places.database) as library:
        assert library.read(trails.all_of) == []


def test_rows_that_belong_to_nothing_are_damage(places: Places) -> None:
    with closing(sqlite3.connect(places.database)) as db:
        db.execute("INSERT INTO told VALUES ('no such recording', 'a timeline', '[]', 0)")
        db.commit()
    found = doctor.look_at_library(places)
    assert (level(found), "belong to nothing" in found.sentence) == (Level.FAIL, True)


def test_p8_a_newer_library_is_told_by_its_version(places: Places) -> None:
    with closing(sqlite3.connect(places.database)) as db:
        db.execute("PRAGMA user_version = 99")
    found = doctor.look_at_library(places)
    assert found.level is Level.FAIL
    assert "version 99" in found.sentence
    assert "Update mtbsync" in found.sentence


def test_a_storage_that_is_away_is_told(places: Places, tmp_path: Path) -> None:
    folder = tmp_path / "unplugged"
    config = Config(storage=Storage(folder=folder))
    found = doctor.look_at_storage(places, config)
    assert level(found) is Level.WARN
    assert str(folder) in found.sentence
    assert "Until then sessions wait" in found.remedy
    folder.mkdir()
    assert level(doctor.look_at_storage(places, config)) is Level.OK


@pytest.mark.skipif(sys.platform == "win32", reason="links need leave on Windows")
def test_a_storage_that_nobody_waits_for_is_a_failure(places: Places, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "projects").symlink_to(tmp_path)
    found = doctor.look_at_storage(places, Config(storage=Storage(folder=tmp_path / "media")))
    assert level(found) is Level.FAIL
    assert "wait" not in found.remedy


# --- the daemon ------------------------------------------------------------------------------------


def test_a_lock_that_nobody_holds_is_no_daemon(places: Places) -> None:
    assert not doctor.is_held(places.lock)
    with FileLock(places.lock):
        assert doctor.is_held(places.lock)
    assert not doctor.is_held(places.lock)


def test_what_a_killed_daemon_left_is_told(places: Places) -> None:
    assert level(doctor.look_at_daemon(places, is_running=False)) is Level.OK
    places.info.write_text("{}", encoding="utf-8")
    found = doctor.look_at_daemon(places, is_running=False)
    assert level(found) is Level.WARN
    assert "was killed" in found.sentence


@pytest.mark.parametrize("told", ["{}", "", '{"url": "http://192.0.2.1:1", "token": "t", "pid": 1}'])
def test_a_daemon_that_does_not_answer_fails(places: Places, told: str) -> None:
    places.info.write_text(told, encoding="utf-8")
    assert level(doctor.look_at_daemon(places, is_running=True)) is Level.FAIL


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_token_that_others_can_read_fails(tmp_path: Path) -> None:
    info = tmp_path / "daemon.json"
    info.write_text("{}", encoding="utf-8")
    info.chmod(0o600)
    assert level(doctor.look_at_secret(info)) is Level.OK
    info.chmod(0o640)
    assert level(doctor.look_at_secret(info)) is Level.FAIL


def test_a_port_that_another_program_has_fails() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert level(doctor.look_at_port(port)) is Level.FAIL
    assert level(doctor.look_at_port(port)) is Level.OK


# --- folders ----------------------------------------------------------------------------------------


def test_a_folder_that_is_away_is_no_failure(tmp_path: Path) -> None:
    assert level(doctor.look_at_folder(Folder(path=tmp_path / "card"), [])) is Level.WARN
    assert level(doctor.look_at_folder(Folder(path=tmp_path), [])) is Level.OK


def test_a_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("", encoding="utf-8")
    assert level(doctor.look_at_folder(Folder(path=tmp_path / "x"), [])) is Level.FAIL


def test_what_mtbsync_keeps_in_a_watched_folder_is_told_and_a_folder_within_it_fails(
    places: Places, tmp_path: Path
) -> None:
    kept = tmp_path / "rides" / "kept"
    (kept / "projects").mkdir(parents=True)
    assert doctor.own_near(tmp_path, places.data, kept) == [places.data, kept]
    assert doctor.own_near(tmp_path / "rides", places.data, kept) == [kept]
    assert doctor.own_near(kept / "projects", places.data, kept) == [kept]
    assert doctor.own_near(tmp_path / "others", places.data, kept) == []
    outer = doctor.look_at_own(Folder(path=tmp_path / "rides"), kept)
    assert (level(outer), "is passed over" in outer.sentence) == (Level.OK, True)
    assert level(doctor.look_at_own(Folder(path=kept / "projects"), kept)) is Level.FAIL
    config = _config(tmp_path, f"[[folder]]\npath = '{tmp_path / 'rides'}'\n[storage]\nfolder = '{kept}'\n")
    assert "is passed over" in _doctor(places, config).out


def test_a_network_share_should_be_polled(tmp_path: Path) -> None:
    mounts = [("/", "ext4"), (str(tmp_path), "nfs4"), (str(tmp_path / "other"), "ext4")]
    found = doctor.look_at_folder(Folder(path=tmp_path), mounts)
    assert level(found) is Level.WARN
    assert "polling = true" in found.remedy
    assert level(doctor.look_at_folder(Folder(path=tmp_path, polling=True), mounts)) is Level.OK


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX paths")
def test_the_deepest_mount_counts_and_its_name_counts_whole() -> None:
    mounts = [("/", "ext4"), ("/mnt/nas", "cifs"), ("/mnt/nas/local", "xfs")]
    assert doctor.kind_of_disk(Path("/mnt/nas/rides"), mounts) == "cifs"
    assert doctor.kind_of_disk(Path("/mnt/nas/local/rides"), mounts) == "xfs"
    assert doctor.kind_of_disk(Path("/mnt/nasty"), mounts) == "ext4"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afpfs", "remote"])
def test_kinds_of_network_shares(kind: str) -> None:
    assert doctor.is_network(kind)


@pytest.mark.parametrize("kind", ["ext4", "apfs", "NTFS", "btrfs", "exfat", "fuseblk", "overlay", ""])
def test_kinds_of_own_disks(kind: str) -> None:
    assert not doctor.is_network(kind)


def test_too_many_folders_for_linux_to_follow_are_told_with_the_command() -> None:
    assert level(doctor.enough_watches(100, 8192)) is Level.OK
    found = doctor.enough_watches(8000, 8192)
    assert level(found) is Level.WARN
    assert "fs.inotify.max_user_watches=524288" in found.remedy


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_folders_below_watched_ones_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "polled").mkdir()
    folders = [Folder(path=tmp_path / "a"), Folder(path=tmp_path / "polled", polling=True)]
    assert doctor.look_at_watches(folders).sentence.startswith("2 folders are followed")


def test_a_trail_that_no_run_can_ever_be_compared_with_is_told(places: Places, tmp_path: Path) -> None:
    assert (
        level(doctor.look_at_trail(Folder(path=tmp_path, trail="Home"), Places(tmp_path / "no")))
        is Level.WARN
    )
    store = Store(places.database, places.backups)
    _add_trail(store, "Home")
    store.close()
    found = doctor.look_at_trail(Folder(path=tmp_path, trail="Hmoe"), places)
    assert level(found) is Level.WARN
    assert all(word in found.subject + found.sentence for word in (str(tmp_path), "Hmoe", "Home"))
    assert level(doctor.look_at_trail(Folder(path=tmp_path, trail="home"), places)) is Level.OK


def _add_trail(store: Store, name: str) -> None:
    store.write(recordings.add, recordings.row_of("ref", "ref.MP4", 8.0, {}), Path("ref.MP4").absolute())
    store.write(trails.add, name, "ref")


def test_each_place_for_exports_is_looked_at_once(tmp_path: Path, places: Places) -> None:
    folders = (
        Folder(path=tmp_path / "a", beside_footage=True),
        Folder(path=tmp_path / "b", output=tmp_path / "out"),
        Folder(path=tmp_path / "c", output=tmp_path / "out"),
        Folder(path=tmp_path / "d"),
    )
    wanted = [places.output, tmp_path / "a", tmp_path / "out"]
    assert doctor.outputs_of(Config(folder=folders), places) == wanted


# --- what it works with ------------------------------------------------------------------------------


def test_resolve_s_scripts_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = tmp_path / "Resolve" / "Fusion" / "Scripts"
    monkeypatch.setattr(install, "script_folders", lambda *_: (scripts,))
    assert "no DaVinci Resolve" in doctor.look_at_resolve().sentence
    (tmp_path / "Resolve").mkdir()
    assert level(doctor.look_at_resolve()) is Level.WARN
    status = install.install(scripts)
    assert level(doctor.look_at_resolve()) is Level.OK
    (status.folder / status.current[-1]).write_text("# Written by mtbsync, long ago\n", encoding="utf-8")
    found = doctor.look_at_resolve()
    assert (level(found), "another version" in found.sentence) == (Level.WARN, True)


def test_a_cluster_that_cannot_be_reached_fails() -> None:
    pytest.importorskip("distributed")
    with socket.socket() as scheduler:
        scheduler.bind(("127.0.0.1", 0))
        scheduler.listen()
        port = scheduler.getsockname()[1]
        assert level(doctor.look_at_dask(f"tcp://127.0.0.1:{port}")) is Level.OK
        assert level(doctor.look_at_dask(f"127.0.0.1:{port}")) is Level.OK
    assert level(doctor.look_at_dask(f"tcp://127.0.0.1:{port}")) is Level.FAIL
    assert level(doctor.look_at_dask("tcp://127.0.0.1:none")) is Level.FAIL


def test_a_library_that_does_not_load_fails_and_is_named() -> None:
    assert level(doctor.look_at_libraries(["json"])) is Level.OK
    found = doctor.look_at_libraries(["json", "no_such_library"])
    assert level(found) is Level.FAIL
    assert "no_such_library" in found.sentence


# --- the command ------------------------------------------------------------------------------------


def _doctor(places: Places, config: Path, *options: object) -> Outcome:
    return mtbsync("doctor", "--config", config, "--data", places.data, *options)


def test_a_new_installation_fails_in_nothing_and_nothing_is_written(places: Places, tmp_path: Path) -> None:
    before = state(places.data)
    found = _doctor(places, tmp_path / "none.toml", "--json")
    assert found.status == 0, found
    assert found.document["ok"] is True
    assert {"settings", "library", "disk", "libraries"} <= {f["subject"] for f in found.document["findings"]}
    assert {k: v for k, v in state(places.data).items() if k in before} == before


def test_what_is_wrong_is_named_with_a_status_that_says_so(places: Places, tmp_path: Path) -> None:
    config = _config(tmp_path, "nonsense = 1\n")
    found = _doctor(places, config)
    assert found.status == 1
    assert "fail settings:" in found.err
    assert "line 1" in found.err
    told = _doctor(places, config, "--json")
    assert (told.status, told.document["ok"]) == (1, False)


def test_every_watched_folder_is_looked_at(places: Places, tmp_path: Path) -> None:
    card, rides = tmp_path / "card", tmp_path / "rides"
    rides.mkdir()
    text = "".join(f"[[folder]]\npath = {json.dumps(str(path))}\n" for path in (card, rides))
    text += "trail = 'Home'\n"
    found = _doctor(places, _config(tmp_path, text), "--json")
    levels = {f["subject"]: f["level"] for f in found.document["findings"]}
    assert (levels[f"folder {card}"], levels[f"folder {rides}"]) == ("warn", "ok")
    assert levels[f"trail of {rides}"] == "warn"
    assert f"trail of {card}" not in levels
