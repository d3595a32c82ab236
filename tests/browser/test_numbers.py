"""Runs in numbers: the page, and the report as a file of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from support.desk import Desk
from support.program import mtbsync

pytestmark = pytest.mark.long


def fail_a_copy(desk: Desk) -> str:
    """Let the run seem to be two, the newer of which fails a gate; gives that one's name."""
    (folder,) = (path.parent for path in (desk.data / "artifacts" / "syncs").rglob("timewarp.json"))
    document = json.loads((folder / "timewarp.json").read_text(encoding="utf-8"))
    document["residuals"]["p90"] = 2.5
    document["new"] |= {"files": ["later.mp4"], "fingerprint": "another"}
    copy = folder.parents[1] / "fedcba9876543210" / folder.name
    copy.mkdir(parents=True)
    (copy / "timewarp.json").write_text(json.dumps(document), encoding="utf-8")
    return "later.mp4"


def broken_rules(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds: rules, and the elements that break them."""
    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]


def test_the_run_is_there_with_its_numbers_and_leads_to_its_desk(desk: Desk, page: Page) -> None:
    desk.open(page, "/numbers")
    expect(page.get_by_role("heading", name="Numbers", exact=True)).to_be_visible()
    expect(page.locator("dl div", has_text="Pass the strict gates")).to_contain_text("100 %")
    row = page.get_by_role("row").filter(has_text="new.mp4")
    expect(row).to_contain_text("Passes")
    expect(row.get_by_role("rowheader").get_by_role("link")).to_have_attribute("href", f"#/run/{desk.run}")
    # What the daemon looked at in another step counts as well.
    expect(page.locator("figure", has_text="Seconds by stage")).to_contain_text("index new")
    assert broken_rules(page) == []


def test_what_fails_is_marked_in_words_and_shape_and_the_table_sorts(desk: Desk, page: Page) -> None:
    name = fail_a_copy(desk)
    desk.open(page, "/numbers")
    expect(page.get_by_role("row").filter(has_text=name)).to_contain_text(
        "Fails. P90 residual 2.50 s; 1 s is"
    )
    chart = page.locator("figure", has_text="P90 residual")
    expect(chart.locator("path.fails-mark")).to_have_count(1)
    expect(chart.locator("circle.passes")).to_have_count(1)
    names = page.locator("tbody th")
    expect(names).to_have_text([name, "new.mp4"])
    header = page.get_by_role("columnheader", name="P90 residual")
    header.get_by_role("button").press("Enter")
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(names).to_have_text(["new.mp4", name])
    header.get_by_role("button").press("Enter")
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(names).to_have_text([name, "new.mp4"])


def test_without_runs_it_says_what_to_do_next(tmp_path: Path, page: Page) -> None:
    desk = Desk(tmp_path)
    desk.start()
    try:
        desk.open(page, "/numbers")
        expect(page.get_by_text("There are no numbers yet")).to_be_visible()
        expect(page.get_by_role("main").get_by_role("link", name="Runs")).to_have_attribute("href", "#/")
    finally:
        desk.stop()


def test_the_report_comes_as_a_file_that_opens_by_itself(
    desk: Desk, page: Page, browser: Browser, tmp_path: Path
) -> None:
    desk.open(page, "/numbers")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the report").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    shows_itself(browser, path, "new.mp4")


def test_the_command_s_report_opens_by_itself_light_and_dark(
    desk: Desk, browser: Browser, tmp_path: Path
) -> None:
    path, name = tmp_path / "report.html", fail_a_copy(desk)
    assert mtbsync("benchmark-quality", "--root", desk.data / "artifacts", "--html", path).status == 0
    shows_itself(browser, path, name)


def shows_itself(browser: Browser, path: Path, run: str) -> None:
    """The report opens from the disk, asks for nothing, says nothing to the console, and fits a phone."""
    said: list[str] = []
    grounds = set()
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 844})
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url))
        page.goto(path.as_uri())
        expect(page.get_by_role("row").filter(has_text=run).first).to_be_visible()
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert broken_rules(page) == []
        context.close()
    assert [url for url in said if not re.match(r"file:.*\.html$", url)] == []
    assert len(grounds) == 2
