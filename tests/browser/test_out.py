"""Files out of the desk: what each format does not carry is told first, and what is written can be had."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from support.desk import Desk

pytestmark = pytest.mark.long


def open_out(desk: Desk, page: Page) -> Locator:
    """The section of the run's page, opened."""
    desk.open(page, f"/run/{desk.run}")
    section = page.locator("#out")
    section.locator(":scope > summary").click()
    expect(section.get_by_role("button", name="Write csv", exact=True)).to_be_visible()
    return section


def offers(desk: Desk) -> dict[str, dict[str, Any]]:
    """What is offered, by format."""
    return {o["format"]: o for o in desk.ask("GET", f"/recordings/{desk.run}/offers")["offers"]}


def poll(desk: Desk, timeline: str | None = "Cut 1") -> dict[str, Any] | None:
    """What a script in DaVinci Resolve is told to do."""
    found: dict[str, Any] | None = desk.ask(
        "POST", "/resolve/connection", {"timeline": timeline, "wait_s": 0}
    )["request"]
    return found


def test_what_a_format_does_not_carry_is_told_before_it_is_written(desk: Desk, page: Page) -> None:
    section = open_out(desk, page)
    for name, offer in offers(desk).items():
        row = section.locator(f"[data-format={name}]")
        for folded in row.locator("summary").all():
            folded.click()
        told = row.locator(".losses > li").all_text_contents()
        assert told == offer["losses"]
        if not told:
            expect(row).to_contain_text("Carries everything.")


def test_the_usual_formats_come_first(desk: Desk, page: Page) -> None:
    section = open_out(desk, page)
    shown = section.locator(".offer").evaluate_all("all => all.map((one) => one.dataset.format)")
    usual = [name for name, offer in offers(desk).items() if offer["is_usual"]]
    assert usual
    assert shown[: len(usual)] == usual
    assert sorted(shown) == sorted(offers(desk))


def test_a_file_is_written_by_one_click_and_holds_the_markers(desk: Desk, page: Page, tmp_path: Path) -> None:
    section = open_out(desk, page)
    row = section.locator("[data-format=fcpxml]")
    section.get_by_role("button", name="Write fcpxml").click()
    link = row.get_by_role("link", name="Download new_fcpxml.fcpxml")
    expect(link).to_be_visible()
    (written,) = offers(desk)["fcpxml"]["written"]
    expect(row).to_contain_text(written["path"])
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "got")
    got = (tmp_path / "got").read_bytes()
    assert got == Path(written["path"]).read_bytes()
    placed = [name for name, marker in desk.markers().items() if marker["t_s"] is not None]
    assert placed
    assert all(name in got.decode() for name in placed)


def test_everything_comes_as_a_zip(desk: Desk, page: Page, tmp_path: Path) -> None:
    section = open_out(desk, page)
    with page.expect_download() as download:
        section.get_by_role("link", name="Everything as a zip").click()
    assert download.value.suggested_filename == "new.zip"
    download.value.save_as(tmp_path / "got.zip")
    with zipfile.ZipFile(tmp_path / "got.zip") as archive:
        assert archive.testzip() is None
        assert {"new_csv.csv", "new_premiere.xml", "LOSSES.txt"} <= set(archive.namelist())


def test_markers_are_sent_to_resolve_once_a_script_there_is_connected(desk: Desk, page: Page) -> None:
    section = open_out(desk, page)
    send = section.get_by_role("button", name="Send to Resolve")
    expect(send).to_be_disabled()
    expect(section).to_contain_text("Stay connected to mtbsync")
    # It asks again and again: one that has not for a while counts as gone.
    desk.until(lambda: poll(desk) is None and send.is_enabled())
    expect(section).to_contain_text("Cut 1")
    send.click()
    expect(section).to_contain_text("Waiting for DaVinci Resolve")
    asked = poll(desk)
    assert asked is not None
    assert asked["recording"] == desk.run
    expect(section).to_contain_text("DaVinci Resolve puts them there")
    desk.ask("PATCH", f"/resolve/requests/{asked['id']}", {"state": "done", "said": "Markers: 9 added."})
    expect(section).to_contain_text("Markers: 9 added.")


@pytest.fixture
def doubtful(library: Path, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose run waits for a person, and with it one of its markers."""
    made = Desk(tmp_path, library)
    with closing(sqlite3.connect(made.data / "library.sqlite")) as db, db:
        db.execute("UPDATE syncs SET verdict = 'review', is_accepted = 0")
        db.execute("UPDATE markers SET needs_review = 0")
        (first,) = db.execute("SELECT id FROM markers WHERE t_s IS NOT NULL ORDER BY t_s LIMIT 1").fetchone()
        db.execute("UPDATE markers SET needs_review = 1 WHERE id = ?", (first,))
    made.start()
    yield made
    made.stop()


def test_a_run_that_nobody_trusts_yet_says_so_before_it_is_offered(doubtful: Desk, page: Page) -> None:
    section = open_out(doubtful, page)
    note = section.get_by_role("note")
    expect(note).to_contain_text("Nobody has said yet that this run lies right on its trail")
    expect(note).to_contain_text("1 marker waits for your review")
    page.get_by_role("button", name="Trust it").click()
    expect(note).not_to_contain_text("Nobody has said yet")


def test_a_run_that_is_trusted_says_nothing(desk: Desk, page: Page) -> None:
    to_review = [m for m in desk.markers().values() if m["needs_review"] and m["t_s"] is not None]
    section = open_out(desk, page)
    expect(section.get_by_role("note")).to_have_count(1 if to_review else 0)
    told = section.get_by_text("No timeline is open there.")
    desk.until(lambda: poll(desk, None) is None and told.is_visible())


def test_a_reference_has_no_files_of_its_own(desk: Desk, page: Page) -> None:
    desk.open(page, f"/run/{desk.reference}")
    expect(page.get_by_role("heading", name="ref.mp4")).to_be_visible()
    expect(page.locator("#out")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_it(desk: Desk, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    open_out(desk, page)
    found = Axe().run(page, context="#out")
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
