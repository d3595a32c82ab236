"""The commands that show files on disk, in a real browser: each opens at its place, and only shows."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.desk import SAMPLE
from support.looking import Looking

pytestmark = pytest.mark.long

Start = Callable[..., Looking]


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Start]:
    """Starts a command, which is ended after the test."""
    started: list[Looking] = []

    def start(*words: object) -> Looking:
        started.append(Looking(*words, temporary=tmp_path / "temporary"))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture
def results(library: Path, tmp_path: Path) -> Path:
    """The results of the sample's sync, in a folder of their own."""
    (made,) = {path.parent for path in (library / "data" / "artifacts" / "syncs").rglob("new_markers.csv")}
    shutil.copytree(made, tmp_path / "all" / "new_sync")
    return tmp_path / "all" / "new_sync"


def _at(page: Page, place: str) -> None:
    expect(page).to_have_url(re.compile(rf"^http://127\.0\.0\.1:\d+/{place}$"))


def test_compare_ui_opens_the_two_runs_side_by_side_and_offers_no_change(
    look: Start, results: Path, page: Page
) -> None:
    shown = look("compare-ui", "--timewarp-json", results / "timewarp.json")
    page.goto(shown.url)
    _at(page, "#/run/[0-9a-f]{32}")
    expect(page.get_by_role("heading", name="new.mp4", level=1)).to_be_visible()
    expect(page.get_by_text("read only", exact=True)).to_be_visible()
    for name in ("new.mp4", "ref.mp4"):
        video = page.locator(f"video[aria-label$='{name}']")
        expect(video).to_be_visible()
        page.wait_for_function("video => video.readyState >= 2", arg=video.element_handle())
    written = (results / "new_markers.csv").read_text(encoding="utf-8").splitlines()
    expect(page.get_by_text(next(csv.reader(written[1:2]))[1]).first).to_be_visible()
    for words in ("Accept", "Reject", "Undo"):
        expect(page.get_by_role("button", name=re.compile(f"^{words}"))).to_have_count(0)


def test_dashboard_and_telemetry_ui_open_at_the_list_and_the_numbers(
    look: Start, results: Path, page: Page
) -> None:
    shown = look("dashboard", "--root", results.parent)
    page.goto(shown.url)
    _at(page, "")
    expect(page.get_by_role("heading", name="Runs", level=1)).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("new.mp4")).first).to_be_visible()
    expect(page.get_by_role("button", name="Add footage")).to_have_count(0)
    page.goto(look("telemetry-ui", "--root", results.parent).url)
    _at(page, "#/numbers")
    expect(page.get_by_role("row").filter(has_text="new.mp4")).to_be_visible()


def test_preview_shows_two_videos_while_they_are_synced_and_their_markers_then(
    look: Start, page: Page, tmp_path: Path
) -> None:
    words = (
        "--reference",
        SAMPLE / "ref.mp4",
        "--new",
        SAMPLE / "new.mp4",
        "--markers",
        SAMPLE / "markers.csv",
    )
    shown = look("preview", *words, "--new-markers", tmp_path / "mine.csv", "--allow-write")
    page.goto(shown.url)
    _at(page, "#/run/[0-9a-f]{32}")
    expect(page.get_by_role("heading", name="new.mp4", level=1)).to_be_visible()
    expect(page.get_by_text("read only", exact=True)).to_have_count(0)
    with (SAMPLE / "markers.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    expect(page.get_by_text(names[-1]).first).to_be_visible()
