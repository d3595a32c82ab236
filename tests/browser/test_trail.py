"""A trail's page in a real browser: its markers, its name, its runs, and its end."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from support.desk import TRAIL, Desk

pytestmark = pytest.mark.long

TRUNK = "Leaning trunk on the left"


def trail_of(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = desk.ask("GET", "/trails")["trails"][0]
    return found


def marked(desk: Desk) -> dict[str, dict[str, Any]]:
    return {marker["name"]: marker for marker in trail_of(desk)["markers"]}


def open_trail(desk: Desk, page: Page) -> None:
    desk.open(page, f"/trail/{trail_of(desk)['id']}")
    expect(page.get_by_role("heading", name=TRAIL)).to_be_visible()


def choose(page: Page, name: str) -> None:
    page.locator(".grid .body [role=row]").filter(has_text=name).click()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)


def test_markers_are_added_edited_moved_and_deleted(desk: Desk, page: Page) -> None:
    open_trail(desk, page)
    before = marked(desk)
    choose(page, TRUNK)
    page.get_by_label("Comment", exact=True).fill("Mind your head")
    page.keyboard.press("Tab")
    desk.until(lambda: marked(desk)[TRUNK]["comment"] == "Mind your head")
    page.get_by_role("button", name="10 frames on").click()
    wanted_s = before[TRUNK]["t_s"] + 10 / 30
    desk.until(lambda: marked(desk)[TRUNK]["t_s"] == pytest.approx(wanted_s))

    expect(page.locator(".player .time").first).to_contain_text("0:14")
    page.get_by_role("button", name="New marker").click()
    name = page.get_by_label("Name", exact=True)
    expect(name).to_be_focused()
    name.fill("Behind the trunk")
    page.keyboard.press("Tab")
    desk.until(lambda: "Behind the trunk" in marked(desk))
    assert marked(desk)["Behind the trunk"]["t_s"] == pytest.approx(wanted_s, abs=0.1)
    # Its runs get it.
    desk.until(lambda: "Behind the trunk" in desk.markers())

    page.get_by_role("button", name="Delete it").click()
    desk.until(lambda: "Behind the trunk" not in marked(desk))
    assert len(marked(desk)) == len(before)


def test_what_was_done_to_markers_is_undone_and_done_again(desk: Desk, page: Page) -> None:
    open_trail(desk, page)
    before = marked(desk)
    undo, redo = (page.get_by_role("button", name=name) for name in ("Undo", "Redo"))
    expect(undo).to_be_disabled()
    choose(page, TRUNK)
    page.get_by_label("Comment", exact=True).fill("Mind your head")
    page.keyboard.press("Tab")
    expect(undo).to_contain_text("changed")
    page.get_by_role("button", name="1 frame on").click()
    expect(undo).to_contain_text("moved")
    page.get_by_role("button", name="Delete it").click()
    expect(undo).to_contain_text("deleted")
    assert TRUNK not in marked(desk)
    page.keyboard.press("m")
    expect(undo).to_contain_text("added")
    assert len(marked(desk)) == len(before)

    page.keyboard.press("Escape")
    page.get_by_role("grid").focus()
    page.keyboard.press("z")
    page.keyboard.press("z")
    desk.until(lambda: TRUNK in marked(desk) and len(marked(desk)) == len(before))
    assert marked(desk)[TRUNK]["comment"] == "Mind your head"
    undo.click()
    undo.click()
    desk.until(lambda: marked(desk) == before)
    expect(undo).to_be_disabled()
    redo.click()
    desk.until(lambda: marked(desk)[TRUNK]["comment"] == "Mind your head")


def test_undoing_does_not_overrule_who_changed_the_marker_since(desk: Desk, page: Page) -> None:
    open_trail(desk, page)
    choose(page, TRUNK)
    page.get_by_label("Comment", exact=True).fill("Mine")
    page.keyboard.press("Tab")
    desk.until(lambda: marked(desk)[TRUNK]["comment"] == "Mine")
    trail = trail_of(desk)
    other = [{**m, "comment": "Theirs"} if m["name"] == TRUNK else m for m in trail["markers"]]
    desk.ask("PATCH", f"/trails/{trail['id']}", {"markers": other}, If_Match="*")
    expect(page.get_by_label("Comment", exact=True)).to_have_value("Theirs")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("alert").filter(has_text="was changed elsewhere since")).to_be_visible()
    assert marked(desk)[TRUNK]["comment"] == "Theirs"


def test_a_trail_is_renamed_and_lists_its_runs(desk: Desk, page: Page) -> None:
    open_trail(desk, page)
    runs = page.get_by_role("region", name="Runs of this trail")
    expect(runs.get_by_role("listitem")).to_contain_text(["Lined up"])
    expect(runs.get_by_role("link", name="new.mp4")).to_have_attribute("href", f"#/run/{desk.run}")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("The long way home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The long way home")).to_be_visible()
    assert trail_of(desk)["name"] == "The long way home"


def test_who_changes_a_trail_that_changed_meanwhile_is_told(desk: Desk, page: Page) -> None:
    open_trail(desk, page)
    trail = trail_of(desk)
    other = [{**marker, "comment": "by somebody else"} for marker in trail["markers"]]

    def first_somebody_else(route: Any) -> None:
        if route.request.method == "PATCH":
            desk.ask("PATCH", f"/trails/{trail['id']}", {"markers": other}, If_Match="*")
        route.continue_()

    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Mine")
    page.route("**/trails/*", first_somebody_else)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="changed")).to_be_visible()
    assert trail_of(desk)["name"] == TRAIL


def test_a_trail_is_removed_only_after_asking(desk: Desk, page: Page) -> None:
    open_trail(desk, page)
    page.get_by_role("button", name="Remove …").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave it").click()
    assert trail_of(desk)["name"] == TRAIL
    page.get_by_role("button", name="Remove …").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove it").click()
    desk.until(lambda: desk.ask("GET", "/trails")["trails"] == [])
    page.wait_for_url("**/#/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_stands_in_anybodys_way(desk: Desk, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    open_trail(desk, page)
    choose(page, TRUNK)
    found = Axe().run(page)
    bad = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert not bad, "\n".join(f"{v['id']}: {[node['html'] for node in v['nodes']]}" for v in bad)
