"""Answers that come late: they undo nothing that a person did since, and nothing is done twice."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from support.daemons import PATIENCE_S
from support.desk import SAMPLE, Desk
from support.sessions import add_session

TRUNK = "Leaning trunk on the left"
pytestmark = pytest.mark.long

NAVY = "Navy patch between rocks"

# Types a second letter right behind the request for the first.
_TYPE_BEHIND = """(field) => {
  const fetched = window.fetch;
  const type = () => {
    field.value = "ne";
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  };
  window.fetch = (path, how) => {
    if (path.endsWith("&q=n")) setTimeout(type);
    return fetched(path, how);
  };
}"""

# Chooses a file in a field.
_CHOOSE = """(field) => {
  const data = new DataTransfer();
  data.items.add(new File(["Film."], "ride.mp4"));
  field.files = data.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}"""


class Late:
    """The next such request, whose answer comes late: it has been done before the page hears of that."""

    def __init__(self, page: Page, pattern: str | re.Pattern[str], method: str = "GET") -> None:
        self.page, self.pattern, self.method = page, pattern, method
        self.n_asked = 0
        self._come: Callable[[], None] | None = None
        page.route(pattern, self._catch)

    def _catch(self, route: Route) -> None:
        if route.request.method != self.method:
            route.fallback()
            return
        self.n_asked += 1
        if self.n_asked > 1:
            route.fallback()
            return
        answer = route.fetch(max_retries=2)  # The daemon may be about to close a connection that was idle.
        self._come = lambda: route.fulfill(response=answer)

    def is_on_its_way(self) -> None:
        """Wait until the daemon has answered."""
        ends = time.monotonic() + PATIENCE_S
        while self._come is None:
            assert time.monotonic() < ends, f"Nobody asked for {self.pattern}."
            self.page.wait_for_timeout(10)

    def comes(self) -> None:
        """Have the page get it, and do what it does then."""
        self.is_on_its_way()
        assert self._come is not None
        with self.page.expect_response(self.pattern):
            self._come()
        settle(self.page)


# What a page does after it is drawn comes late, as on a busy computer.
_SLOW_AFTERWARDS = """
  const soon = window.setTimeout;
  window.requestAnimationFrame = (act) => soon(() => act(performance.now()), 500);
  window.setTimeout = (act, wait_ms = 0, ...given) => soon(act, wait_ms < 200 ? 500 : wait_ms, ...given);
"""
# Nudges the camera that is chosen at the moment when there is one.
_PRESS_WHEN_DRAWN = """() => new Promise((resolve) => {
  const press = () => {
    if (!document.querySelector(".wave-head")) return;
    watch.disconnect();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: ".", code: "Period", bubbles: true }));
    resolve();
  };
  const watch = new MutationObserver(press);
  watch.observe(document.body, { childList: true, subtree: true });
  press();
})"""


def settle(page: Page) -> None:
    """Let the page draw what it knows."""
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))")


@pytest.fixture(scope="module")
def made(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:
    """A daemon that all tests share, whose run waits for a person, and the id of a session in its library."""
    root = tmp_path_factory.mktemp("late")
    started = Desk(root, library, f"roots = ['{SAMPLE.as_posix()}', '{root.as_posix()}']\n")
    session = add_session(started.data, root / "footage")
    with closing(sqlite3.connect(started.data / "library.sqlite")) as db, db:
        db.execute("UPDATE syncs SET verdict = 'review', is_accepted = 0")
        db.execute("UPDATE markers SET needs_review = 0")
    with pytest.MonkeyPatch.context() as patch:
        # Choosing a place on the disks begins there.
        for home in ("HOME", "USERPROFILE"):
            patch.setenv(home, str(root))
        started.start()
    yield started, session
    started.stop()


@pytest.fixture
def desk(made: tuple[Desk, str]) -> Desk:
    return made[0]


@pytest.fixture
def session(made: tuple[Desk, str]) -> str:
    return made[1]


def marker_row(page: Page, name: str) -> Locator:
    return page.locator(".grid .body [role=row]").filter(has_text=name)


def choose(page: Page, name: str) -> None:
    """Select a marker."""
    marker_row(page, name).click()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)


def camera_row(page: Page, label: str) -> Locator:
    """What stands beside a camera's waveform."""
    return page.locator(".wave-head").filter(
        has=page.get_by_role("button", name=f"Camera {label}", exact=True)
    )


# --- what is pressed twice ------------------------------------------------------------------------


def test_what_is_pressed_twice_is_done_once(desk: Desk, page: Page, session: str) -> None:
    def press(late: Late, button: Locator) -> None:
        button.dblclick()
        late.comes()
        settle(page)
        assert late.n_asked == 1
        expect(page.locator(".notices [role=alert]")).to_be_empty()

    desk.open(page)
    card = page.locator("li.run").filter(has=page.get_by_role("heading", name="new.mp4"))
    card.get_by_text("Other choices").click()
    press(Late(page, "**/api/v1/syncs", "POST"), card.get_by_role("button", name="Line it up: new.mp4"))

    desk.ask("POST", "/resolve/connection", {"timeline": "Cut 1", "wait_s": 0})
    page.goto(f"{desk.url}/#/run/{desk.run}")
    late = Late(page, "**/api/v1/syncs", "POST")
    press(late, page.get_by_role("button", name="Line it up", exact=True))
    page.locator("#out > summary").click()
    press(Late(page, "**/resolve/requests", "POST"), page.get_by_role("button", name="Send to Resolve"))

    page.goto(f"{desk.url}/#/session/{session}")
    page.get_by_role("button", name="Change camera C").click()
    page.get_by_label("Name", exact=True).fill("Helmet")
    press(Late(page, "**/cameras/C", "PATCH"), page.get_by_role("button", name="Rename"))
    expect(page.locator(".said")).to_have_text("Camera C is called Helmet now.")


# --- markers --------------------------------------------------------------------------------------


def test_who_went_on_while_a_marker_was_added_is_left_there(desk: Desk, page: Page) -> None:
    desk.open(page, f"/run/{desk.run}")
    choose(page, TRUNK)
    late = Late(page, "**/markers", "POST")
    page.keyboard.press("m")
    page.keyboard.press("m")
    late.is_on_its_way()
    choose(page, NAVY)
    note = page.get_by_label("Note")
    note.press_sequentially("Slippery")
    with page.expect_response(
        lambda answer: answer.url.endswith("/markers") and not answer.request.post_data
    ):
        late.comes()
    settle(page)
    settle(page)
    page.keyboard.type(" when wet")
    expect(note).to_have_value("Slippery when wet")
    assert late.n_asked == 1


def test_who_moves_a_marker_that_an_undo_takes_away_is_told_so(desk: Desk, page: Page) -> None:
    desk.ask("POST", f"/recordings/{desk.run}/markers", {"name": "Root", "t_s": 5.0})
    desk.open(page, f"/run/{desk.run}")
    choose(page, "Root")
    late = Late(page, "**/undo", "POST")
    page.keyboard.press("z")
    late.is_on_its_way()
    page.keyboard.press(".")
    late.comes()
    expect(page.get_by_role("alert")).to_contain_text("That marker is gone")


def test_what_is_chosen_while_others_are_decided_on_stays_chosen(desk: Desk, page: Page) -> None:
    desk.open(page, f"/run/{desk.run}")
    page.get_by_label(f"Choose {TRUNK}").check()
    late = Late(page, "**/decisions", "POST")
    page.get_by_role("button", name="Accept the 1 chosen").click()
    late.is_on_its_way()
    page.get_by_label(f"Choose {NAVY}").check()
    late.comes()
    expect(page.locator(".said")).to_contain_text("1 marker accepted")
    expect(page.get_by_label(f"Choose {TRUNK}")).not_to_be_checked()
    expect(page.get_by_label(f"Choose {NAVY}")).to_be_checked()


def test_who_went_on_while_a_marker_was_deleted_keeps_typing_there(desk: Desk, page: Page) -> None:
    trail = desk.ask("GET", "/trails")["trails"][0]
    more = [*trail["markers"], {"name": "Fallen tree", "t_s": 3.0}]
    desk.ask("PATCH", f"/trails/{trail['id']}", {"markers": more}, If_Match="*")
    desk.open(page, f"/trail/{trail['id']}")
    choose(page, "Fallen tree")
    late = Late(page, "**/api/v1/trails/*", "PATCH")
    page.get_by_role("button", name="Delete it").dblclick()
    late.is_on_its_way()
    choose(page, NAVY)
    comment = page.get_by_label("Comment", exact=True)
    comment.fill("Low")
    late.comes()
    expect(page.locator(".said")).to_have_text("Fallen tree is no longer on the trail.")
    page.keyboard.type(" branch")
    expect(comment).to_have_value("Low branch")
    expect(page.locator(".notices [role=alert]")).to_be_empty()


# --- files out ------------------------------------------------------------------------------------


def test_what_is_written_before_the_page_hears_that_it_is_asked_for_is_there(desk: Desk, page: Page) -> None:
    desk.open(page, f"/run/{desk.run}")
    page.locator("#out > summary").click()
    late = Late(page, "**/api/v1/jobs/*")
    offer = page.locator("[data-format=youtube]")
    offer.get_by_role("button", name="Write youtube").click()
    expect(offer.get_by_role("link", name="Download")).to_be_visible()
    desk.until_idle()
    late.comes()
    expect(offer.get_by_role("button", name="Write youtube")).to_have_text("Write")


# --- the list of runs -----------------------------------------------------------------------------


def test_a_letter_that_comes_as_the_list_is_sought_through_stays(desk: Desk, page: Page) -> None:
    desk.open(page)
    field = page.get_by_role("searchbox", name="Part of the name")
    field.evaluate(_TYPE_BEHIND)
    with page.expect_request(lambda request: request.url.endswith("&q=n")):
        field.press("n")
    settle(page)
    page.keyboard.press("w")
    expect(field).to_have_value("new")


def test_of_two_answers_the_newer_stays(desk: Desk, page: Page) -> None:
    trail = desk.ask("GET", "/trails")["trails"][0]
    desk.open(page)
    card = page.locator("li.run").filter(has=page.get_by_role("heading", name="new.mp4"))
    expect(card.get_by_role("link", name=trail["name"])).to_be_visible()
    names = Late(page, re.compile("/api/v1/trails[?]"))
    files = Late(page, re.compile("/api/v1/exports[?]recording="))
    desk.ask("PATCH", f"/trails/{trail['id']}", {"name": "Long trail"}, If_Match="*")
    names.is_on_its_way()
    desk.ask("POST", "/exports", {"recording": desk.run, "formats": ["csv"]})
    files.is_on_its_way()
    desk.ask("PATCH", f"/trails/{trail['id']}", {"name": trail["name"]}, If_Match="*")
    desk.ask("POST", "/exports", {"recording": desk.run, "formats": ["edl"]})
    edl = card.get_by_role("link", name="edl", exact=True)
    expect(edl).to_be_visible()
    files.comes()
    names.comes()
    expect(edl).to_be_visible()
    expect(card.get_by_role("link", name=trail["name"])).to_be_visible()


def test_who_types_in_a_card_stays_there_when_the_run_waits_no_more(desk: Desk, page: Page) -> None:
    desk.open(page)
    waiting = page.get_by_role("region", name="Waits for you").locator("li.run")
    expect(waiting).to_have_count(1)
    waiting.get_by_text("Other choices").click()
    name = waiting.get_by_label("Make it the reference")
    name.fill("Long")
    desk.ask("PATCH", f"/syncs/{desk.sync['id']}", {"accepted": True}, If_Match="*")
    card = page.locator("li.run").filter(has=page.get_by_role("heading", name="new.mp4"))
    expect(card).to_contain_text("trusted by you")
    page.keyboard.type(" trail")
    expect(card.get_by_label("Make it the reference")).to_have_value("Long trail")
    page.get_by_role("searchbox").focus()
    expect(waiting).to_have_count(0)


def test_no_folder_is_watched_but_the_one_that_was_gone_to(desk: Desk, page: Page, tmp_path: Path) -> None:
    (tmp_path / "rides").mkdir()
    desk.open(page)
    page.get_by_role("button", name="Add a folder").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Folder", exact=True).fill(str(tmp_path))
    dialog.get_by_role("button", name="Go there").click()
    rides = dialog.get_by_role("button", name="rides")
    expect(rides).to_be_visible()
    late = Late(page, re.compile("/api/v1/disk[?]path=.*rides"))
    rides.click()
    late.is_on_its_way()
    watch = dialog.get_by_role("button", name="Watch this folder")
    expect(watch).to_be_disabled()
    late.comes()
    # Who closes the dialog meanwhile has said it all the same.
    late = Late(page, "**/api/v1/folders", "POST")
    watch.click()
    late.is_on_its_way()
    dialog.get_by_role("button", name="Cancel").click()
    late.comes()
    expect(page.locator(".said")).to_contain_text(f"{tmp_path / 'rides'} is watched from now on.")


def test_a_folder_is_left_once(desk: Desk, page: Page, tmp_path: Path) -> None:
    desk.ask("POST", "/folders", {"path": str(tmp_path)})
    desk.open(page)
    page.get_by_text("Watched folders").click()
    late = Late(page, "**/api/v1/folders/forget", "POST")
    page.get_by_role("button", name=f"Stop watching {tmp_path}").dblclick()
    late.comes()
    expect(page.locator("li").get_by_text(str(tmp_path))).to_have_count(0)
    assert late.n_asked == 1
    expect(page.locator(".notices [role=alert]")).to_be_empty()


def test_footage_that_is_chosen_as_its_page_is_left_comes_all_the_same(desk: Desk, page: Page) -> None:
    desk.open(page)
    field = page.get_by_label("Footage").element_handle()
    assert field is not None
    page.get_by_role("link", name="Numbers").click()
    expect(page.get_by_role("heading", name="Numbers")).to_be_visible()
    page.route("**/uploads/**", lambda route: None)
    with page.expect_request("**/ride.mp4"):
        field.evaluate(_CHOOSE)


# --- sessions -------------------------------------------------------------------------------------


def test_a_key_that_is_pressed_as_soon_as_the_page_is_drawn_counts(
    desk: Desk, page: Page, session: str
) -> None:
    page.add_init_script(_SLOW_AFTERWARDS)
    desk.open(page, f"/session/{session}")
    page.evaluate(_PRESS_WHEN_DRAWN)
    expect(camera_row(page, "B")).to_contain_text("not saved")


def test_cameras_are_decided_on_in_the_order_that_a_person_does(desk: Desk, page: Page, session: str) -> None:
    placed = "**/cameras/B/placement"
    desk.open(page, f"/session/{session}")
    expect(camera_row(page, "B")).to_contain_text("+2345.0 ms")
    late = Late(page, placed, "PUT")
    page.keyboard.press("a")
    page.keyboard.press("a")
    late.comes()
    expect(camera_row(page, "B")).to_contain_text("approved")
    expect(page.locator(".said")).to_have_text("Camera B is approved already.")

    # Moved and saved, and moved and saved again.
    page.get_by_role("button", name="Camera B", exact=True).click()
    late = Late(page, placed, "PUT")
    for key in (".", "c", ".", "c"):
        page.keyboard.press(key)
    late.comes()
    expect(camera_row(page, "B")).to_contain_text("corrected by hand")
    assert desk.ask("GET", f"/sessions/{session}")["placements"][0]["offset_ms"] == pytest.approx(2347)
    page.keyboard.press("z")
    expect(camera_row(page, "B")).to_contain_text("Looks good")

    # Moved while it is approved, it is moved from there on.
    late = Late(page, placed, "PUT")
    page.keyboard.press("a")
    late.is_on_its_way()
    page.keyboard.press(",")
    late.comes()
    expect(page.locator(".said")).to_contain_text("Camera B is approved")
    expect(camera_row(page, "B")).to_contain_text("not saved")
    expect(page.get_by_role("heading", name="Camera B", exact=True)).to_be_visible()
    expect(page.get_by_text("another window")).to_have_count(0)
    page.keyboard.press("x")
    page.keyboard.press("z")
    expect(camera_row(page, "B")).to_contain_text("Looks good")

    # Who looks at another meanwhile goes on looking at that.
    late = Late(page, placed, "PUT")
    page.keyboard.press("a")
    late.is_on_its_way()
    page.keyboard.press("p")
    late.comes()
    expect(camera_row(page, "B")).to_contain_text("approved")
    expect(page.get_by_role("heading", name="Camera A", exact=True)).to_be_visible()


def test_what_is_saved_twice_at_once_is_no_clash(desk: Desk, page: Page) -> None:
    made = desk.ask("POST", "/sessions", {"title": "Monday"})
    desk.open(page, f"/session/{made['id']}")
    page.get_by_text("About this session").click()
    title = page.get_by_label("Title")
    late = Late(page, "**/api/v1/sessions/*", "PATCH")
    for name in ("Tuesday", "Wednesday"):
        title.fill(name)
        title.press("Enter")
    late.comes()
    expect(page.get_by_role("heading", name="Wednesday")).to_be_visible()
    expect(page.locator("form [role=alert]")).to_have_count(0)


def test_a_session_is_begun_once_and_takes_nobody_back_who_went_elsewhere(desk: Desk, page: Page) -> None:
    desk.open(page, "/sessions")
    page.get_by_role("button", name="New session").click()
    page.get_by_label("Title").fill("Sunday")
    late = Late(page, "**/api/v1/sessions", "POST")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    late.is_on_its_way()
    page.get_by_role("link", name="Numbers").click()
    expect(page.get_by_role("heading", name="Numbers")).to_be_visible()
    late.comes()
    expect(page).to_have_url(f"{desk.url}/#/numbers")
    begun = [made for made in desk.ask("GET", "/sessions")["sessions"] if made["title"] == "Sunday"]
    assert len(begun) == 1

    # Nor does one that is forgotten.
    page.goto(f"{desk.url}/#/session/{begun[0]['id']}")
    page.get_by_text("About this session").click()
    page.on("dialog", lambda dialog: dialog.accept())
    late = Late(page, "**/api/v1/sessions/*", "DELETE")
    page.get_by_role("button", name="Forget this session").click()
    late.is_on_its_way()
    page.get_by_role("link", name="Numbers").click()
    expect(page.get_by_role("heading", name="Numbers")).to_be_visible()
    late.comes()
    expect(page).to_have_url(f"{desk.url}/#/numbers")


def test_two_cameras_that_call_their_files_alike_come_quickly_after_each_other(
    desk: Desk, page: Page, tmp_path: Path
) -> None:
    films = [tmp_path / camera / "GX010001.MP4" for camera in ("helmet", "chest")]
    for k, film in enumerate(films):
        film.parent.mkdir()
        film.write_bytes(bytes([k]) * (1000 + k))
    made = desk.ask("POST", "/sessions", {"title": "Two helmets"})
    desk.open(page, f"/session/{made['id']}")
    late = Late(page, "**/cameras", "POST")
    field = page.get_by_label("Cameras", exact=True)
    field.set_input_files(films[0])
    late.is_on_its_way()
    expect(page.locator(".camera")).to_have_count(1)
    field.set_input_files(films[1])
    settle(page)
    late.comes()
    expect(page.locator(".camera")).to_have_count(2)


def test_a_film_on_this_computer_is_added_by_its_path(desk: Desk, page: Page, session: str) -> None:
    footage = desk.data.parent / "footage"
    made = desk.ask("POST", "/sessions", {"title": "Two on the disk"})
    desk.open(page, f"/session/{made['id']}")
    page.get_by_role("button", name="A file on this computer").click()
    dialog = page.get_by_role("dialog", name="A file on this computer")
    path = dialog.get_by_label("File")
    for folder in (footage.parent, footage):
        dialog.get_by_role("button", name=re.compile(rf"{folder.name}\b")).click()
        expect(path).to_have_value(f"{folder}/")
    path.press("End")
    path.press_sequentially("camera-C.mp4")
    dialog.get_by_role("button", name="Add it").click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".camera .camera-file")).to_have_text("camera-C.mp4")
