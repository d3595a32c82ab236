"""mtbsync in Resolve's menu: put there, looked at and taken out, with nobody else's file touched."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mtbsync_engine.errors import OutputError
from mtbsync_integrations.resolve.install import (
    find_scripts,
    install,
    installed,
    menu_folder,
    script_folders,
    uninstall,
)

TITLES = {
    "Set clip as reference.py",
    "Sync selected clips to reference.py",
    "Push markers to timeline.py",
    "Pull markers from timeline.py",
    "Undo last push.py",
    "Build synced timeline.py",
    "Review flagged markers.py",
    "Stay connected to mtbsync.py",
}


@pytest.mark.parametrize(
    ("platform", "own", "everyone"),
    [
        (
            "darwin",
            "H/Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion/Scripts",
            "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion/Scripts",
        ),
        (
            "win32",
            "A/Blackmagic Design/DaVinci Resolve/Support/Fusion/Scripts",
            "P/Blackmagic Design/DaVinci Resolve/Fusion/Scripts",
        ),
        ("linux", "H/.local/share/DaVinciResolve/Fusion/Scripts", "/opt/resolve/Fusion/Scripts"),
    ],
)
def test_resolve_s_folders_on_each_system(platform: str, own: str, everyone: str) -> None:
    found = script_folders(platform, {"APPDATA": "A", "PROGRAMDATA": "P"}, Path("H"))
    assert found == (Path(own), Path(everyone))


def test_windows_folders_without_the_usual_variables() -> None:
    own, everyone = script_folders("win32", {}, Path("H"))
    assert own.as_posix().startswith("H/AppData/Roaming/Blackmagic Design")
    assert everyone.as_posix().startswith("C:/ProgramData/Blackmagic Design")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's folder, on whatever system this is, with a Resolve that has never shown its menu."""
    for name in ("HOME", "USERPROFILE", "APPDATA", "PROGRAMDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    own, _ = script_folders(sys.platform, os.environ, tmp_path)
    own.parents[1].mkdir(parents=True)
    return own


def test_the_user_s_own_resolve_is_found(home: Path) -> None:
    assert find_scripts() == home


def test_without_resolve_a_sentence_says_where_was_looked(home: Path) -> None:
    home.parents[1].rmdir()
    if any(folder.parents[1].is_dir() for folder in script_folders(sys.platform, os.environ, home)):
        pytest.skip("this machine has Resolve for everybody")
    with pytest.raises(OutputError, match=r"has no folder for scripts here .*--folder"):
        find_scripts()


def test_everything_is_installed_once_and_stays_as_it_is(tmp_path: Path) -> None:
    assert not installed(tmp_path).is_installed
    status = install(tmp_path)
    assert status.is_installed
    assert set(status.current) == {*TITLES, "mtbsync_resolve.zip"}
    before = {path: path.stat().st_mtime_ns for path in status.folder.iterdir()}
    assert install(tmp_path) == status
    assert {path: path.stat().st_mtime_ns for path in status.folder.iterdir()} == before


def test_the_menu_shows_the_actions_and_nothing_else(tmp_path: Path) -> None:
    folder = install(tmp_path).folder
    listed = {path.name for path in folder.rglob("*") if path.suffix in {".py", ".lua"}}
    assert listed == TITLES


def test_each_file_knows_its_library_and_calls_itself_by_its_name(tmp_path: Path) -> None:
    scripts = tmp_path / 'Dürer\'s "Resolve"' if sys.platform != "win32" else tmp_path / "Dürer's Resolve"
    folder = install(scripts).folder
    for title in TITLES:
        text = (folder / title).read_text(encoding="utf-8")
        assert text.isascii()
        line = next(line for line in text.splitlines() if line.startswith("LIBRARY"))
        assert line == f"LIBRARY = {str(folder / 'mtbsync_resolve.zip')!a}"
        assert f'run("{title.removesuffix(".py")}", globals())' in text


def test_a_file_of_another_version_is_replaced(tmp_path: Path) -> None:
    folder = install(tmp_path).folder
    old = folder / "Undo last push.py"
    old.write_text("# Written by mtbsync, long ago\n", encoding="utf-8")
    assert installed(tmp_path).outdated == (old.name,)
    assert install(tmp_path).is_installed


def test_somebody_else_s_file_of_the_same_name_is_left_and_named(tmp_path: Path) -> None:
    theirs = menu_folder(tmp_path) / "Undo last push.py"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("print('mine')\n", encoding="utf-8")
    with pytest.raises(OutputError, match="is not mtbsync's; move it elsewhere"):
        install(tmp_path)
    assert [path.name for path in theirs.parent.iterdir()] == [theirs.name]
    assert uninstall(tmp_path) == ()
    assert theirs.read_text(encoding="utf-8") == "print('mine')\n"


def test_uninstalling_takes_what_mtbsync_wrote_and_leaves_the_rest(tmp_path: Path) -> None:
    folder = install(tmp_path).folder
    (folder / "Push markers of run.lua").write_text("-- Written by mtbsync.\n", encoding="utf-8")
    (folder / "mine.lua").write_text("print('mine')\n", encoding="utf-8")
    assert len(uninstall(tmp_path)) == len(TITLES) + 2
    assert [path.name for path in folder.iterdir()] == ["mine.lua"]
    (folder / "mine.lua").unlink()
    install(tmp_path)
    uninstall(tmp_path)
    assert not folder.exists()
    assert folder.parent.is_dir()
    assert uninstall(tmp_path) == ()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "Utility").write_text("a file\n", encoding="utf-8")
    with pytest.raises(OutputError, match=r"mtbsync_resolve\.zip could not be written"):
        install(tmp_path)
