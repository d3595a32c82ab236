"""Folders that the page adds and takes off: the settings file keeps all else, and mistakes are refused."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbsync_daemon.config import Config, ConfigError, add_folder, load_config, remove_folder, understood
from support.daemons import PATIENCE_S
from support.served import Reply, Served, served

WHERE = Path("mtbsync.toml")
BASE = Path(Path.cwd().anchor)
# Written by hand, in every order that TOML allows.
WRITTEN = """\
# my settings
sweep_s = 120   # two minutes

[[folder]]   # the card
path = {one}
formats = [
    "csv",   # for me
    "fcpxml",
]

# where it listens
[server]
port = 0

[[folder]]
# the archive
trail = "find"
path = {two}
# that is all
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "daemon") as found:
        yield found


def _settings(daemon: Served) -> str:
    return daemon.services.settings.path.read_bytes().decode()


def _add(daemon: Served, path: object, trail: str = "find") -> Reply:
    return daemon.ask("POST", "/api/v1/folders", {"path": str(path), "trail": trail})


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def _written() -> str:
    one, two = (json.dumps(str(BASE / name)) for name in ("one", "two"))
    return WRITTEN.format(one=one, two=two)


# --- the file -------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda name: name not in (".", "..") and not name.endswith(("/.", "/.."))
)


@given(
    name=names,
    trail=names.filter(str.strip),
    before=st.sampled_from(["", "sweep_s = 5", "# a\r\n[server]\r\n"]),
)
def test_any_path_that_is_text_is_read_back_as_it_was(name: str, trail: str, before: str) -> None:
    folder = BASE / "rides" / name.lstrip("/\\")
    text = add_folder(before, WHERE, folder, trail)
    assert text.startswith(before)
    (found,) = understood(text, WHERE).folder
    assert (found.path, found.trail) == (folder, trail)
    assert understood(remove_folder(text, WHERE, folder), WHERE) == understood(before, WHERE)


def test_what_stood_there_before_stays_to_the_letter() -> None:
    before = _written()
    after = add_folder(before, WHERE, BASE / "three", "Home trail")
    assert after.startswith(before)
    assert [folder.path.name for folder in understood(after, WHERE).folder] == ["one", "two", "three"]
    assert remove_folder(after, WHERE, BASE / "three") == before


@pytest.mark.parametrize("before", ["sweep_s = 5\n", "sweep_s = 5\r\n", "sweep_s = 5\n\n\n", "# none\n"])
def test_adding_and_forgetting_again_and_again_leaves_the_file_as_it_was(before: str) -> None:
    text = before
    for _ in range(3):
        text = add_folder(add_folder(text, WHERE, BASE / "one", "find"), WHERE, BASE / "two", "find")
        for name in ("one", "two"):
            text = remove_folder(text, WHERE, BASE / name)
    assert text == before


def test_what_follows_a_folder_stays_set_off() -> None:
    text = f"sweep_s = 5\n\n[[folder]]\npath = {json.dumps(str(BASE / 'one'))}\n# where\n[server]\nport = 0\n"
    assert remove_folder(text, WHERE, BASE / "one") == "sweep_s = 5\n\n# where\n[server]\nport = 0\n"


def test_a_folder_is_taken_out_with_its_lines_and_no_others() -> None:
    without = remove_folder(_written(), WHERE, BASE / "one")
    assert [folder.path.name for folder in understood(without, WHERE).folder] == ["two"]
    for line in ("# my settings", "sweep_s = 120   # two minutes", "# where it listens", "# the archive"):
        assert line in without
    assert "fcpxml" not in without
    without = remove_folder(_written(), WHERE, BASE / "two")
    assert [folder.path.name for folder in understood(without, WHERE).folder] == ["one"]
    assert "# where it listens\n[server]\nport = 0\n" in without


def test_folders_that_are_written_in_another_way_are_left_to_their_owner() -> None:
    one, two = (f"{{path = {json.dumps(str(BASE / name))}}}" for name in ("one", "two"))
    with pytest.raises(ConfigError, match="by hand"):
        add_folder(f"folder = [{one}]\n", WHERE, BASE / "two", "find")
    with pytest.raises(ConfigError, match="by hand"):
        remove_folder(f"folder = [{one}, {two}]\n", WHERE, BASE / "two")


def test_settings_that_are_wrong_are_not_written_over() -> None:
    with pytest.raises(ConfigError, match="line 1"):
        add_folder("sweep = 3\n", WHERE, BASE / "one", "find")


# --- the interface --------------------------------------------------------------------------------


def test_a_folder_counts_as_soon_as_it_was_added(daemon: Served, tmp_path: Path) -> None:
    rides = _made(tmp_path / "My \"rides\" 'n' more" if sys.platform != "win32" else tmp_path / "My 'rides'")
    before = _settings(daemon)
    reply = _add(daemon, rides)
    assert reply.status == 200, reply.body
    assert reply.json["folders"] == [{"path": str(rides), "trail": "find", "problem": ""}]
    assert daemon.get("/folders") == reply.json
    assert [folder.path for folder in daemon.services.settings.current.folder] == [rides]
    assert _settings(daemon).startswith(before)
    assert load_config(daemon.services.settings.path) == daemon.services.settings.current
    # What lies in it may be read from now on.
    (rides / "RIDE.MP4").write_bytes(b"film")
    assert daemon.post("/recordings", {"paths": [str(rides / "RIDE.MP4")]})["recordings"]


def test_it_can_be_taken_off_again_and_its_runs_stay(daemon: Served, tmp_path: Path) -> None:
    rides, more = _made(tmp_path / "rides"), _made(tmp_path / "more")
    before = _settings(daemon)
    _add(daemon, rides)
    _add(daemon, more)
    (rides / "RIDE.MP4").write_bytes(b"film")
    daemon.post("/recordings", {"paths": [str(rides / "RIDE.MP4")]})
    reply = daemon.ask("POST", "/api/v1/folders/forget", {"path": str(rides)})
    assert [folder["path"] for folder in reply.json["folders"]] == [str(more)]
    assert daemon.ask("POST", "/api/v1/folders/forget", {"path": str(rides)}).status == 404
    daemon.ask("POST", "/api/v1/folders/forget", {"path": str(more)})
    assert _settings(daemon) == before
    assert len(daemon.get("/recordings")["recordings"]) == 1


def test_what_two_take_out_at_once_is_gone_for_the_second(daemon: Served, tmp_path: Path) -> None:
    rides = str(_made(tmp_path / "rides"))
    _add(daemon, Path(rides))

    async def both() -> list[BaseException | None]:
        edit = partial(remove_folder, path=daemon.services.settings.path, folder=Path(rides))
        changes = (daemon.services.settings.change(edit) for _ in range(2))
        return list(await asyncio.wait_for(asyncio.gather(*changes, return_exceptions=True), PATIENCE_S))

    first, second = asyncio.run_coroutine_threadsafe(both(), daemon.loop).result()
    assert (first, str(second)) == (None, f"{rides} is not watched any more.")
    assert _add(daemon, Path(rides)).status == 200


def test_a_folder_is_the_same_however_its_path_is_written(daemon: Served, tmp_path: Path) -> None:
    rides, more = _made(tmp_path / "rides"), _made(tmp_path / "more")
    odd = tmp_path / "more" / ".." / "rides"
    assert _add(daemon, f"{odd}{os.sep}").json["folders"][0]["path"] == str(rides)
    assert daemon.ask("POST", "/api/v1/folders/forget", {"path": f"{odd}{os.sep}"}).json["folders"] == []
    found = daemon.get(f"/disk?path={odd}{os.sep}")
    assert (found["path"], found["parent"]) == (str(rides), str(tmp_path))
    # As somebody may have written it by hand.
    written = tmp_path / "rides" / ".." / "more"
    text = f"{_settings(daemon)}\n[[folder]]\npath = {json.dumps(str(written))}\n"
    daemon.services.settings.path.write_text(text, encoding="utf-8")
    asyncio.run_coroutine_threadsafe(daemon.services.settings.look(), daemon.loop).result()
    assert daemon.ask("POST", "/api/v1/folders/forget", {"path": str(more)}).json["folders"] == []


def test_its_runs_are_lined_up_with_the_trail_that_was_named(daemon: Served, tmp_path: Path) -> None:
    rides = _made(tmp_path / "rides")
    assert _add(daemon, rides, "Home").status == 404
    trail = daemon.refer(daemon.know("REF.MP4"), "Home")
    daemon.refer(daemon.know("OTHER.MP4"), "Away")
    assert _add(daemon, rides, "Home").status == 200
    (rides / "RIDE.MP4").write_bytes(b"film")
    (run,) = daemon.post("/recordings", {"paths": [str(rides / "RIDE.MP4")]})["recordings"]
    daemon.until_idle()
    assert daemon.get(f"/recordings/{run['id']}")["sync"]["wanted_trail"] == trail


def test_where_there_is_no_settings_file_one_is_made(daemon: Served, tmp_path: Path) -> None:
    rides, path = _made(tmp_path / "rides"), daemon.services.settings.path
    path.write_text("", encoding="utf-8")
    daemon.services.settings.current = Config()
    path.unlink()
    assert _add(daemon, rides).status == 200
    assert tomllib.loads(_settings(daemon)) == {"folder": [{"path": str(rides), "trail": "find"}]}
    assert "docs/daemon.md" in _settings(daemon)


@pytest.mark.parametrize("text", ["sweep = 3\n", "[[folder", ""])
def test_settings_that_do_not_count_are_not_added_to(daemon: Served, tmp_path: Path, text: str) -> None:
    rides, path = _made(tmp_path / "rides"), daemon.services.settings.path
    path.write_text(text, encoding="utf-8")
    reply = _add(daemon, rides)
    assert reply.status == 422
    assert str(path) in reply.json["detail"]
    assert _settings(daemon) == text


@pytest.mark.skipif(sys.platform == "win32", reason="links need leave on Windows")
def test_a_settings_file_that_is_a_link_stays_one(daemon: Served, tmp_path: Path) -> None:
    path, kept = daemon.services.settings.path, tmp_path / "dotfiles.toml"
    path.replace(kept)
    path.symlink_to(kept)
    assert _add(daemon, _made(tmp_path / "rides")).status == 200
    assert path.is_symlink()
    assert "[[folder]]" in kept.read_text(encoding="utf-8")


def test_what_nobody_would_want_to_be_walked_is_refused_with_a_sentence(
    daemon: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = _made(tmp_path / "home" / "rider")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    watched, file = _made(home / "Videos" / "Rides"), home / "film.mp4"
    file.write_bytes(b"film")
    before = _settings(daemon)
    data = daemon.services.places.data
    refused: dict[object, str] = {
        "Rides": "no whole path",
        home / "none": "There is no folder",
        file: "is no folder",
        BASE: "is a whole drive",
        home: "All that you have",
        home.parent: "All that you have",
        home.parent / "rider" / ".." / "rider": "All that you have",
        data: "its own data",
        data.parent: "its own data",
        _made(data / "footage"): "its own data",
    }
    for path, sentence in refused.items():
        reply = _add(daemon, path)
        assert reply.status == 422, path
        assert sentence in reply.json["detail"]
        assert reply.json["detail"].endswith(".")
    assert _settings(daemon) == before
    assert _add(daemon, watched).status == 200
    for path in (watched, _made(watched / "2026"), home / "Videos"):
        reply = _add(daemon, path)
        assert reply.status == 409, path
        assert "watch" in reply.json["detail"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need leave on Windows")
def test_a_link_that_leads_round_in_a_circle_is_called_that(daemon: Served, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for reply in (_add(daemon, loop), daemon.ask("GET", f"/api/v1/disk?path={loop}")):
        assert reply.status == 422
        assert "leads round in a circle" in reply.json["detail"]
    # A folder that became one after it was added stands in nobody's way.
    rides = _made(tmp_path / "rides")
    _add(daemon, rides)
    rides.rmdir()
    rides.symlink_to(rides)
    assert _add(daemon, _made(tmp_path / "more")).status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="such folders are Linux's")
@pytest.mark.parametrize("path", ["/proc", "/proc/self/fd", "/sys", "/dev"])
def test_what_the_system_only_shows_as_folders_is_refused(daemon: Served, tmp_path: Path, path: str) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    for wanted in (path, link):
        reply = _add(daemon, wanted)
        assert reply.status == 422
        assert "is a part of the system" in reply.json["detail"]


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="needs a folder that may not be read")
def test_a_folder_that_may_not_be_read_is_refused(daemon: Served, tmp_path: Path) -> None:
    locked = _made(tmp_path / "locked")
    locked.chmod(0)
    try:
        assert "cannot be read" in _add(daemon, locked).json["detail"]
        listed = daemon.get(f"/disk?path={tmp_path}")
        assert {f["name"]: f["problem"] for f in listed["folders"]}["locked"] == "You may not look into it."
    finally:
        locked.chmod(0o700)


# --- the disk -------------------------------------------------------------------------------------


def test_a_folder_is_listed_with_what_is_in_it(daemon: Served, tmp_path: Path) -> None:
    rides = _made(tmp_path / "rides")
    for name in ("b", "A", ".hidden", "$RECYCLE.BIN", "half.part"):
        _made(rides / name)
    for name in ("GX010001.MP4", "run.mov", "notes.txt", "GL010001.LRV", ".GX010002.MP4"):
        (rides / name).write_bytes(b"")
    found = daemon.get(f"/disk?path={rides}")
    assert [folder["name"] for folder in found["folders"]] == ["A", "b"]
    assert found["folders"][0] == {"name": "A", "path": str(rides / "A"), "problem": ""}
    assert (found["path"], found["parent"]) == (str(rides), str(tmp_path))
    assert (found["n_videos"], found["n_more"]) == (2, 0)
    assert daemon.get(f"/disk?path={rides / 'A'}")["folders"] == []
    assert daemon.get(f"/disk?path={BASE}")["parent"] is None


def test_it_begins_at_home(daemon: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    found = daemon.get("/disk")
    assert (found["path"], found["parent"], found["n_videos"]) == (None, None, 0)
    assert str(tmp_path) in {folder["path"] for folder in found["folders"]}


def test_p10_what_is_no_folder_gets_a_sentence(daemon: Served, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in ("rides", tmp_path / "none", tmp_path / "file", tmp_path / ("x" * 300)):
        reply = daemon.ask("GET", f"/api/v1/disk?path={path}")
        assert reply.status == 422, reply.body
        assert reply.json["detail"].endswith(".")


def test_more_folders_than_anybody_reads_are_counted(daemon: Served, tmp_path: Path) -> None:
    for k in range(1003):
        (tmp_path / "many" / f"{k:04}").mkdir(parents=True)
    found = daemon.get(f"/disk?path={tmp_path / 'many'}")
    assert (len(found["folders"]), found["n_more"]) == (1000, 3)
