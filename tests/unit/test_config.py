"""The settings: what is in them, and errors that name the line."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from mtbsync_daemon.config import FIND, Config, ConfigError, load_config, write_first_config
from mtbsync_daemon.settings import Settings


def told(tmp_path: Path, text: str) -> str:
    """The sentence that settings are refused with."""
    path = tmp_path / "mtbsync.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refusal:
        load_config(path)
    return str(refusal.value)


def written(tmp_path: Path, text: str) -> Config:
    """The settings that a text says."""
    path = tmp_path / "mtbsync.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_a_fresh_installation_watches_nothing(tmp_path: Path) -> None:
    config = load_config(tmp_path / "none.toml")
    assert config == Config()
    assert (config.folder, config.readable_roots) == ((), ())


def test_the_first_file_is_accepted_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "mtbsync.toml"
    write_first_config(path)
    assert load_config(path) == Config()
    path.write_text("sweep_s = 7\n", encoding="utf-8")
    write_first_config(path)
    assert load_config(path).sweep_s == 7


def test_what_the_first_file_comments_out_is_accepted_too(tmp_path: Path) -> None:
    path = tmp_path / "mtbsync.toml"
    write_first_config(path)
    settings = re.findall(r"^# (\[\[?.*|\w+ = .*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    (folder,) = written(tmp_path, "\n".join(settings)).folder
    assert folder.path == Path("~/Videos/Rides").expanduser()
    assert folder.trail == FIND


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    root = tmp_path.as_posix()
    config = written(
        tmp_path,
        f"""
        roots = ["{root}/old"]
        output = "{root}/out"
        formats = ["otio"]
        sweep_s = 60
        [server]
        port = 8765
        [jobs]
        slots = 2
        threads = 3
        [keep]
        artifacts_gb = 1.5
        days = 10
        [executor]
        dask = "tcp://10.0.0.1:8786"
        [[folder]]
        path = "{root}/rides"
        trail = "Home"
        formats = ["fcpxml", "edl"]
        output = "{root}/rides-out"
        beside_footage = true
        settle_s = 2
        polling = true
        """,
    )
    assert config.readable_roots == (tmp_path / "rides", tmp_path / "old")
    assert (config.server.port, config.jobs.slots, config.jobs.threads) == (8765, 2, 3)
    assert config.executor.dask == "tcp://10.0.0.1:8786"
    assert (config.keep.artifacts_gb, config.keep.days) == (1.5, 10)
    assert config.folder[0].formats == ("fcpxml", "edl")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("\nfolders = 3\n", 2, "there is no setting called folders"),
        ("[[folder]]\n\npath = 'rides'\n", 3, "must be a whole path"),
        ("[[folder]]\npath = '/a'\n[[folder]]\ntrail = 'x'\n", 3, "folder.path is missing"),
        ("[[folder]]\npath = '/a'\n\n[[folder]]\npath='/b'\nformats = ['avi']\n", 6, "no format called avi"),
        ("[server]\n# the port\nport = 99999\n", 3, "less than or equal to 65535"),
        ("[server]\nhost = '0.0.0.0'\n", 2, "there is no setting called server.host"),
        ("[[folder]]\npath='/a'\n[[folder]]\npath='/a/b'\n", 1, "watch the outer one"),
        ("[[folders]]\npath='/a'\n", 1, "but one called folder"),
        ("[[folder]]\npath='/a'\nformat = ['csv']\n", 3, "but one called formats"),
        ("\n[folder]\npath='/a'\n", 2, "[[folder]], with two brackets"),
        ("roots = '/a'\n", 1, "write roots = ["),
        ("sweep_s = 'often'\n", 1, "valid number"),
        ('"sweep_s" = 0\n', 1, "greater than or equal"),
        ("output = '~nobody-of-that-name/Rides'\n", 1, "nobody's home"),
        ("[[folder]]\npath = '/a'\ntrail = ' '\n", 3, "is empty"),
        ("[keep]\nartifacts_gb = inf\n", 2, "finite"),
        ("[keep]\nartifacts_gb = 1e300\n", 2, "less than or equal"),
        ("[keep]\n\ndays = inf\n", 3, "finite"),
        ("[keep]\ndays = nan\n", 2, "finite"),
        ("sweep_s = nan\n", 1, "finite"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    sentence = told(tmp_path, text)
    assert f"line {line}" in sentence
    assert says in sentence


def test_a_file_that_is_no_toml_names_its_line(tmp_path: Path) -> None:
    assert "line 2" in told(tmp_path, "sweep_s = 5\nsweep_s == 6\n")


def test_a_windows_path_in_double_quotes_is_told_how_to_write_it(tmp_path: Path) -> None:
    assert "in paths write /" in told(tmp_path, '[[folder]]\npath = "D:\\Unplugged"\n')


def test_bytes_that_are_no_text_are_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mtbsync.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(path)


def test_changes_count_without_a_restart_and_mistakes_do_not(tmp_path: Path) -> None:
    path = tmp_path / "mtbsync.toml"
    path.write_text("sweep_s = 10\n", encoding="utf-8")
    settings = Settings(path)
    heard: list[float] = []
    settings.on_change(lambda config: heard.append(config.sweep_s))

    path.write_text("sweep_s = 20.0\n", encoding="utf-8")
    asyncio.run(settings.look())
    assert heard == [20.0]
    path.write_text("sweep_s = oops\n", encoding="utf-8")
    asyncio.run(settings.look())
    assert settings.problem is not None
    assert settings.current.sweep_s == 20
    path.write_text("sweep_s = 30.00\n", encoding="utf-8")
    asyncio.run(settings.look())
    assert heard == [20.0, 30.0]
    assert settings.problem is None


@pytest.mark.parametrize("is_there", [True, False])
def test_a_file_that_an_editor_is_just_writing_anew_changes_nothing(tmp_path: Path, is_there: bool) -> None:
    path = tmp_path / "mtbsync.toml"
    path.write_text("sweep_s = 10\n", encoding="utf-8")
    settings = Settings(path)
    if is_there:
        path.write_text("\n", encoding="utf-8")
    else:
        path.unlink()
    asyncio.run(settings.look())
    assert settings.current.sweep_s == 10
    assert "missing or empty" in (settings.problem or "")
    path.write_text("sweep_s = 200\n", encoding="utf-8")
    asyncio.run(settings.look())
    assert (settings.current.sweep_s, settings.problem) == (200, None)
    path.write_text("# Nothing is watched.\n", encoding="utf-8")
    asyncio.run(settings.look())
    assert (settings.current, settings.problem) == (Config(), None)


def test_where_nothing_was_set_an_empty_file_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "mtbsync.toml"
    settings = Settings(path)
    path.write_text("", encoding="utf-8")
    asyncio.run(settings.look())
    assert (settings.current, settings.problem) == (Config(), None)


@pytest.mark.parametrize("below", ["", "/2026"])
def test_nothing_is_watched_in_the_storage(tmp_path: Path, below: str) -> None:
    root = tmp_path.as_posix()
    sentence = told(
        tmp_path, f'[[folder]]\npath = "{root}/kept{below}"\n\n[storage]\nfolder = "{root}/kept"\n'
    )
    assert "line 4: storage: " in sentence
    assert "would be taken for footage" in sentence


def test_the_storage_may_lie_in_a_watched_folder(tmp_path: Path) -> None:
    root = tmp_path.as_posix()
    config = written(tmp_path, f'[[folder]]\npath = "{root}"\n\n[storage]\nfolder = "{root}/kept"\n')
    assert config.storage.folder == tmp_path / "kept"
