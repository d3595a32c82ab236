"""What the page is made of: libraries as their makers publish them, and nothing from elsewhere."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "daemon" / "mtbsync_daemon" / "web"
VENDOR = WEB / "vendor"
OWN = sorted(
    path for path in WEB.rglob("*") if path.suffix in (".js", ".css", ".html") and VENDOR not in path.parents
)
_LISTED = dict(
    re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (VENDOR / "README.md").read_text(), re.MULTILINE)
)


def test_every_library_is_what_its_list_says() -> None:
    found = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.suffix in (".js", ".css")
    }
    assert found == _LISTED


def test_every_library_has_its_licence_beside_it() -> None:
    packages = re.findall(r"\| (\w+) [\d.]+ \(", (VENDOR / "README.md").read_text())
    assert {f"LICENSE.{package}" for package in packages} == {path.name for path in VENDOR.glob("LICENSE.*")}


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_is_asked_of_other_computers(path: Path) -> None:
    assert re.findall(r"https?://(?!www\.w3\.org/)[^\s\"'`]+", path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", [path for path in OWN if path.suffix == ".js"], ids=lambda path: path.name)
def test_scripts_import_only_what_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    static = r"""^(?:import\b|export\b[^;"'(]*\bfrom)[^;"'(]*["']([^"']+)["'];$"""
    named = re.findall(rf"""{static}|\bimport\("([^"]+)"\)""", text, re.MULTILINE)
    named = [one or other for one, other in named]
    assert [name for name in named if not (path.parent / name).resolve().is_file()] == []


def test_markup_holds_no_script_and_no_style_of_its_own() -> None:
    for path in OWN:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"""<script(?![^>]*\bsrc=)|\son\w+="|\bstyle="|innerHTML|\beval\(""", text), (
            path.name
        )
