"""Where the scripts look for the daemon."""

from __future__ import annotations

import os
import sys

import pytest
from resolve_scripts.mtbsync_resolve.client import data_folder


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {}, "H/.local/share/mtbsync"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/mtbsync"),
        ("linux", {"XDG_DATA_HOME": "data"}, "H/.local/share/mtbsync"),
        ("darwin", {}, "H/Library/Application Support/mtbsync"),
        ("win32", {"LOCALAPPDATA": "L"}, "L/mtbsync/mtbsync"),
        ("win32", {}, "H/AppData/Local/mtbsync/mtbsync"),
    ],
)
def test_the_folder_on_each_system(platform: str, environment: dict[str, str], folder: str) -> None:
    assert data_folder(platform, environment, "H").replace("\\", "/") == folder


@pytest.mark.parametrize("chosen", [None, "/somewhere/else"])
def test_it_is_the_folder_that_platformdirs_names(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None
) -> None:
    platformdirs = pytest.importorskip("platformdirs")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    if chosen:
        monkeypatch.setenv("XDG_DATA_HOME", chosen)
    home = os.path.expanduser("~")  # noqa: PTH111 - as the scripts do
    assert data_folder(sys.platform, os.environ, home) == platformdirs.user_data_dir("mtbsync")
