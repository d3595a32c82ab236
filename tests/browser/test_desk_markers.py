"""Markers put right by a person in a real browser: strip, list, form and keys, and what is kept."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from mtbsync_daemon.places import Places
from mtbsync_daemon.store import markers
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.markers import MarkerRow
from support.desk import Desk, asks_before_it_closes

TRUNK = "Leaning trunk on the left"
NAVY = "Navy patch between rocks"
FRAME_S = 1 / 30
N_MANY = 10_000

# Presses keys, {key, code, shiftKey}, one after the other.
_PRESS = """(keys) => {
  const about = { bubbles: true, cancelable: true };
  for (const key of keys) document.body.dispatchEvent(new KeyboardEvent("keydown", { ...about, ...key }));
}"""


def rows(page: Page) -> Locator:
    return page.locator(".grid .body [role=row]")


def row(page: Page, name: str) -> Locator:
    return rows(page).filter(has_text=name)


def open_desk(desk: Desk, page: Page) -> None:
    desk.open(page, f"/run/{desk.run}")
    expect(row(page, TRUNK)).to_be_visible()


def choose(page: Page, name: str) -> None:
    """Select a marker, and wait until both videos are there."""
    row(page, name).click()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)


def edits(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.ask("GET", f"/recordings/{desk.run}/edits")["edits"]
    return found


def hold(page: Page, requests: str) -> list[Route]:
    """The next of these requests, once it is made; it goes on where that is told to."""
    held: list[Route] = []

    def catch(route: Route) -> None:
        held.append(route)

    page.route(requests, catch, times=1)
    return held


def place_many(desk: Desk) -> None:
    """Ten thousand markers on the run, as its sync would find them."""
    sync, places = desk.sync["id"], Places(desk.data)
    found = [
        MarkerRow(
            desk.run, f"m{k}", sync, f"Number {k:05}", "Blue", "", t_s, t_s, 0.0, k / N_MANY, 0.1, False, ""
        )
        for k, t_s in enumerate(k * 0.003 for k in range(N_MANY))
    ]
    desk.stop()
    store = Store(places.database, places.backups)
    store.write(markers.place, desk.run, found)
    store.close()
    desk.start()


def test_a_nudge_is_one_anchor_and_one_undo_and_bends_the_map(desk: Desk, page: Page) -> None:
    trail = desk.ask("GET", "/trails")["trails"][0]
    near = {"name": "Just behind the trunk", "t_s": 14.5}
    desk.ask("PATCH", f"/trails/{trail['id']}", {"markers": [*trail["markers"], near]}, If_Match="*")
    desk.until_idle()
    open_desk(desk, page)
    before, map_before = desk.markers(), desk.map()
    choose(page, TRUNK)
    # In quick succession, also where the computer is busy: what is nudged after a pause is another edit.
    on, back = {"key": ".", "code": "Period"}, {"key": ",", "code": "Comma"}
    page.evaluate(_PRESS, [{**on, "key": ">", "shiftKey": True}, on, on, back])
    wanted_s = before[TRUNK]["t_s"] + 11 * FRAME_S
    desk.until(lambda: abs(desk.markers()[TRUNK]["t_s"] - wanted_s) < 1e-6)
    fitted = desk.map()
    assert [anchor["marker"] for anchor in fitted["anchors"]] == [before[TRUNK]["id"]]
    assert fitted["t_ref"] != map_before["t_ref"] or fitted["t_new"] != map_before["t_new"]
    assert len(edits(desk)) == 1
    assert desk.markers()[TRUNK]["state"] == "corrected"
    moved_s = desk.markers()[near["name"]]["t_s"] - before[near["name"]]["t_s"]
    assert moved_s > FRAME_S
    expect(page.locator(".strip").get_by_role("status")).to_contain_text("The map was fitted again")

    page.get_by_role("button", name="Undo").click()
    desk.until(lambda: desk.markers()[TRUNK]["state"] == "found")
    desk.until_idle()
    unfitted = desk.map()
    assert unfitted["anchors"] == []
    assert (unfitted["t_new"], unfitted["t_ref"]) == (map_before["t_new"], map_before["t_ref"])
    places = {name: marker["t_s"] for name, marker in desk.markers().items()}
    assert places == {name: marker["t_s"] for name, marker in before.items()}


def test_the_same_place_is_where_both_videos_stand_and_can_be_taken_back(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    choose(page, NAVY)
    at = page.locator(".player.new .time")
    expect(at).to_contain_text("0:17")
    page.get_by_role("button", name="Move together").click()
    stood = at.text_content()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(at).not_to_have_text(stood or "")
    page.keyboard.press("s")
    desk.until(lambda: desk.map()["anchors"])
    (anchor,) = desk.map()["anchors"]
    assert anchor["marker"] is None
    assert anchor["t_new_s"] == pytest.approx(desk.markers()[NAVY]["t_s"], abs=0.2)
    page.get_by_text("Same places").click()
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)
    desk.until_idle()
    assert desk.map()["anchors"] == []


def test_all_that_are_certain_are_accepted_at_once_and_taken_back_at_once(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    sure = {name for name, marker in desk.markers().items() if marker["confidence"] >= 0.9}
    assert len(sure) > 3
    button = page.get_by_role("button", name="Accept all that are certain (90 % or more)")
    expect(button).to_contain_text(str(len(sure)))
    button.click()
    desk.until(lambda: {n for n, m in desk.markers().items() if m["state"] == "accepted"} == sure)
    expect(button).to_be_disabled()
    page.keyboard.press("z")
    desk.until(lambda: all(marker["state"] == "found" for marker in desk.markers().values()))


def test_several_that_are_ticked_are_rejected_together(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    page.get_by_label(f"Choose {TRUNK}").check()
    page.get_by_label(f"Choose {NAVY}").check()
    page.get_by_role("button", name="Reject the 2 chosen").click()
    desk.until(lambda: {n for n, m in desk.markers().items() if m["state"] == "rejected"} == {TRUNK, NAVY})
    assert [edit["what"] for edit in edits(desk)] == ["2 markers rejected"]


def test_what_is_typed_is_saved_and_still_there_after_a_reload(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    choose(page, TRUNK)
    typed = {
        "Name": "Trunk, mind your head",
        "Colour": "Purple",
        "Comment": "for the editor",
        "Note": "for us",
        "Labels": "duck, danger",
        "Duration": "1.5",
    }
    for label, text in typed.items():
        page.get_by_label(label, exact=True).fill(text)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    marker = desk.markers()[typed["Name"]]
    assert (marker["colour"], marker["comment"], marker["note"]) == ("Purple", "for the editor", "for us")
    assert (marker["labels"], marker["duration_s"]) == (["duck", "danger"], 1.5)
    page.reload()
    choose(page, typed["Name"])
    for label, text in typed.items():
        expect(page.get_by_label(label, exact=True)).to_have_value(text)


def test_a_name_that_is_empty_is_not_saved_and_said_so(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    choose(page, TRUNK)
    page.get_by_label("Name", exact=True).fill(" ")
    page.get_by_label("Note", exact=True).fill("kept all the same")
    page.keyboard.press("Tab")
    desk.until(lambda: desk.markers()[TRUNK]["note"] == "kept all the same")
    expect(page.get_by_text("A marker needs a name.")).to_be_visible()
    expect(page.get_by_text("Not saved yet")).to_be_visible()


@pytest.mark.parametrize(
    ("choice", "kept"),
    [("Keep mine", "Mine"), pytest.param("Take theirs", "Theirs", marks=pytest.mark.long)],
)
def test_who_comes_second_is_told_and_loses_nothing(desk: Desk, page: Page, choice: str, kept: str) -> None:
    open_desk(desk, page)
    other = page.context.new_page()
    other.goto(f"{desk.url}/#/run/{desk.run}")
    choose(page, TRUNK)
    choose(other, TRUNK)
    held = hold(page, "**/markers/*")
    with page.expect_request("**/markers/*"):
        page.get_by_label("Name", exact=True).fill("Mine")
        page.get_by_label("Note", exact=True).fill("Only I wrote here")
        page.keyboard.press("Tab")
    other.get_by_label("Name", exact=True).fill("Theirs")
    other.keyboard.press("Tab")
    expect(other.get_by_text("Saved", exact=True)).to_be_visible()
    held[0].continue_()

    told = page.get_by_role("alert").filter(has_text="Somebody changed this meanwhile")
    expect(told).to_contain_text("Theirs")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Mine")
    # What does not clash is not held up.
    desk.until(lambda: desk.markers()["Theirs"]["note"] == "Only I wrote here")
    told.get_by_role("button", name=choice).click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value(kept)
    desk.until(lambda: kept in desk.markers())
    expect(other.get_by_label("Name", exact=True)).to_have_value(kept)


def test_what_could_not_be_saved_is_saved_with_the_next_thing_a_person_does(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    choose(page, TRUNK)
    page.route("**/markers/*", lambda route: route.abort(), times=1)
    note = page.get_by_label("Note", exact=True)
    note.fill("typed while it was away")
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    assert asks_before_it_closes(page)
    assert desk.markers()[TRUNK]["note"] == ""
    note.blur()
    desk.until(lambda: desk.markers()[TRUNK]["note"] == "typed while it was away")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert not asks_before_it_closes(page)

    page.route("**/markers/*", lambda route: route.abort(), times=1)
    note.fill("typed while it was away again")
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    choose(page, NAVY)
    desk.until(lambda: desk.markers()[TRUNK]["note"] == "typed while it was away again")


def test_who_leaves_with_a_clash_open_is_told_and_finds_it_again(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    choose(page, TRUNK)
    held = hold(page, "**/markers/*")
    with page.expect_request("**/markers/*"):
        page.get_by_label("Note", exact=True).fill("Mine")
    expect(page.get_by_text("Not saved yet")).to_be_visible()
    path = f"/recordings/{desk.run}/markers/{desk.markers()[TRUNK]['id']}"
    desk.ask("PATCH", path, {"note": "Theirs"}, If_Match="*")
    held[0].continue_()
    told = page.get_by_role("alert").filter(has_text="Somebody changed this meanwhile")
    expect(told).to_contain_text("Theirs")

    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("alert").filter(has_text=f"{TRUNK} is not saved")).to_be_visible()
    assert asks_before_it_closes(page)
    page.go_back()
    choose(page, TRUNK)
    expect(page.get_by_label("Note", exact=True)).to_have_value("Mine")
    told.get_by_role("button", name="Keep mine").click()
    desk.until(lambda: desk.markers()[TRUNK]["note"] == "Mine")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    assert not asks_before_it_closes(page)


def all_to_review(route: Route) -> None:
    """Answer with markers that all wait for a person, but those that were decided on."""
    answer = route.fetch()
    found = answer.json()
    for marker in found["markers"]:
        marker["needs_review"] = marker["state"] == "found"
    route.fulfill(response=answer, json=found)


def test_decisions_in_quick_succession_are_each_on_the_next_marker(desk: Desk, page: Page) -> None:
    page.route("**/recordings/*/markers", all_to_review)
    held = hold(page, "**/decisions")
    open_desk(desk, page)
    rows(page).nth(1).click()
    with page.expect_request("**/decisions"):
        page.keyboard.press("a")
        page.keyboard.press("a")
    expect(rows(page).nth(3)).to_have_attribute("aria-selected", "true")
    held[0].continue_()
    names = [rows(page).nth(k).locator(".name").inner_text() for k in (1, 2)]
    expect(page.locator(".said")).to_contain_text(f"{names[1]} accepted")
    assert {n for n, m in desk.markers().items() if m["state"] == "accepted"} == set(names)
    assert len(edits(desk)) == 2


def test_who_chooses_a_marker_while_another_is_decided_on_stays_there(desk: Desk, page: Page) -> None:
    page.route("**/recordings/*/markers", all_to_review)
    held = hold(page, "**/decisions")
    open_desk(desk, page)
    rows(page).nth(1).click()
    name = rows(page).nth(1).locator(".name").inner_text()
    with page.expect_request("**/decisions"):
        page.keyboard.press("r")
    rows(page).nth(5).click()
    held[0].continue_()
    expect(page.locator(".said")).to_contain_text(f"{name} rejected")
    expect(rows(page).nth(5)).to_have_attribute("aria-selected", "true")


def test_a_button_that_has_nothing_left_to_do_keeps_the_focus(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    choose(page, TRUNK)
    accept = page.get_by_role("button", name="Accept A", exact=True)
    for button in (
        page.get_by_role("button", name="Accept all that are certain"),
        page.get_by_role("button", name="Undo"),
        accept,
        page.get_by_role("button", name="Undo"),
    ):
        expect(button).to_be_enabled()
        button.focus()
        page.keyboard.press("Enter")
        expect(button).to_be_disabled()
        expect(button).to_be_focused()
    n_edits = len(edits(desk))
    page.keyboard.press("Enter")
    accept.focus()
    page.keyboard.press("Enter")
    desk.until(lambda: desk.markers()[TRUNK]["state"] == "accepted")
    assert len(edits(desk)) == n_edits


def test_letters_of_another_alphabet_do_what_their_keys_do(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    choose(page, TRUNK)
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', "
        "{key: 'ф', code: 'KeyA', bubbles: true, cancelable: true}))"
    )
    desk.until(lambda: desk.markers()[TRUNK]["state"] == "accepted")


def test_what_is_said_of_a_marker_is_neither_rounded_up_nor_fetched(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    sureness, colours = page.evaluate("""async () => {
      const { sureness, swatchOf } = await import("/web/js/markers.js");
      const found = (confidence) => sureness({ state: "found", t_s: 1, confidence });
      const colours = ["Blue", "00ff00", "var(--a, url(/x))", "url(/x)"];
      return [[0.897, 0.9, 0.57].map(found), colours.map(swatchOf)];
    }""")
    assert sureness == ["likely, 89 %", "certain, 90 %", "doubtful, 57 %"]
    assert colours == ["#007fe3", "#00ff00", None, None]


def tab_to(page: Page, wanted: Locator) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if wanted.evaluate("wanted => wanted === document.activeElement"):
            break
    expect(wanted).to_be_focused()


def test_a_marker_is_accepted_by_the_keyboard_alone(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    # A page that has just opened gives its heading the focus, sooner or later than the first key comes.
    tab_to(page, page.get_by_role("link", name="Skip to the content"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("grid", name="Markers of this run"))
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(rows(page).nth(1)).to_have_attribute("aria-selected", "true")
    name = rows(page).nth(1).locator(".name").text_content() or ""
    page.keyboard.press("a")
    desk.until(lambda: desk.markers()[name]["state"] == "accepted")
    page.keyboard.press("Shift+z")
    page.keyboard.press("z")
    desk.until(lambda: desk.markers()[name]["state"] == "found")


def test_a_new_marker_stands_where_it_plays_and_its_name_is_asked_for(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    choose(page, NAVY)
    expect(page.locator(".player.new .time")).to_contain_text("0:17")
    page.keyboard.press("m")
    name = page.get_by_label("Name", exact=True)
    expect(name).to_be_focused()
    # A letter typed there is no key.
    page.keyboard.type("azm")
    page.keyboard.press("Tab")
    desk.until(lambda: "azm" in desk.markers())
    made = desk.markers()["azm"]
    assert made["state"] == "added"
    assert made["t_s"] == pytest.approx(desk.markers()[NAVY]["t_s"], abs=2 * FRAME_S)


def test_a_marker_for_all_runs_is_put_on_the_trail(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    choose(page, NAVY)
    expect(page.locator(".player.ref .time")).to_contain_text("0:18")
    page.keyboard.press("Shift+M")
    page.get_by_role("dialog").get_by_label("Name").fill("Drop")
    page.keyboard.press("Enter")
    desk.until(lambda: "Drop" in desk.markers())
    expect(row(page, "Drop")).to_be_visible()
    assert desk.markers()["Drop"]["t_ref_s"] == pytest.approx(
        desk.markers()[NAVY]["t_ref_s"], abs=2 * FRAME_S
    )


def test_the_strip_is_a_slider_that_tells_where_the_run_stands(desk: Desk, page: Page) -> None:
    open_desk(desk, page)
    strip = page.get_by_role("slider", name="Where the run stands", exact=True)
    strip.focus()
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    expect(page.locator(".player.new .time")).to_contain_text("0:20")
    expect(strip).to_have_attribute(
        "aria-valuetext", re.compile(r"0:20\.0 of the run, 0:\d\d\.\d of the reference")
    )
    page.keyboard.press("Home")
    expect(page.locator(".player.new .time")).to_contain_text("0:00.000")


def test_ten_thousand_markers_are_a_few_dozen_rows_in_the_page(desk: Desk, page: Page) -> None:
    place_many(desk)
    desk.open(page, f"/run/{desk.run}")
    grid = page.get_by_role("grid", name="Markers of this run")
    expect(grid).to_have_attribute("aria-rowcount", str(N_MANY + 1))
    assert rows(page).count() < 60
    grid.focus()
    page.keyboard.press("End")
    last = row(page, f"Number {N_MANY - 1:05}")
    expect(last).to_have_attribute("aria-rowindex", str(N_MANY + 1))
    expect(last).to_be_in_viewport()
    assert rows(page).count() < 60
    page.get_by_role("searchbox", name="Search the markers").fill("Number 04999")
    expect(rows(page)).to_have_count(1)


def test_who_may_only_look_is_offered_nothing_that_changes(desk: Desk, page: Page) -> None:
    def only_look(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "changes": "none"})

    page.route("**/health", only_look)
    open_desk(desk, page)
    row(page, TRUNK).click()
    expect(page.locator(".words")).to_contain_text(TRUNK)
    for name in ("Accept", "Reject", "Undo", "New marker", "Same place", "Put it at the playhead"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.keyboard.press("a")
    page.keyboard.press("m")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).not_to_contain_text("Undo")
    assert all(marker["state"] == "found" for marker in desk.markers().values())


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_nothing_serious_stands_in_anybodys_way(desk: Desk, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    open_desk(desk, page)
    choose(page, TRUNK)
    page.get_by_text("Same places").click()
    found = Axe().run(page)
    bad = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert not bad, "\n".join(f"{v['id']}: {[node['html'] for node in v['nodes']]}" for v in bad)
