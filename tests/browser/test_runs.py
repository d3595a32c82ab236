"""The list of runs in a real browser: what waits for a person, footage that is dropped, folders added."""

from __future__ import annotations

import base64
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Request, Route, expect

from mtbsync_daemon.places import Places
from mtbsync_daemon.store import jobs, recordings, syncs, trails
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.store.recordings import StoredFile
from support.desk import SAMPLE, TRAIL, Desk

N_MANY = 1000
N_WAITING = 3
_DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    const about = { bubbles: true, cancelable: true, dataTransfer: data };
    document.querySelector("h1").dispatchEvent(new DragEvent(kind, about));
  }
}"""

# Keeps back every further piece of the list until `release()` is called.
_HOLD_PIECES = """
  const fetched = window.fetch;
  const held = new Promise((go) => { window.release = go; });
  window.nHeld = 0;
  window.fetch = async (path, how) => {
    const answer = await fetched(path, how);
    if (!/recordings[?]show=all.*cursor=/.test(path)) return answer;
    window.nHeld += 1;
    await held;
    return answer;
  };"""

# As whoever scrolls on and on.
_GO_DOWN = """() => {
  const down = () => {
    scrollTo(0, document.body.scrollHeight);
    requestAnimationFrame(down);
  };
  down();
}"""


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Desk]:
    """A daemon that knows nothing yet."""
    made = Desk(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def many(library: Path, tmp_path: Path) -> Iterator[Desk]:
    """A daemon with a thousand runs, of which a few wait."""
    made = Desk(tmp_path, library)
    _add_many(made.data)
    made.start()
    yield made
    made.stop()


Alter = Callable[[str, Callable[[Any], None]], None]


@pytest.fixture
def alter(page: Page) -> Iterator[Alter]:
    """Has the page get what is made of the documents that it asks for at addresses like a pattern."""

    def begin(pattern: str, change: Callable[[Any], None]) -> None:
        def answer(route: Route) -> None:
            if route.request.method != "GET":
                route.fallback()
                return
            found = route.fetch()
            document = found.json()
            change(document)
            route.fulfill(response=found, json=document)

        page.route(pattern, answer)

    yield begin
    page.unroute_all(behavior="ignoreErrors")


def _add_many(data: Path) -> None:
    places = Places(data)
    store = Store(places.database, places.backups)
    store.write(_many)
    store.close()


def _many(db: sqlite3.Connection) -> None:
    (trail,) = trails.all_of(db)
    for k in range(N_MANY):
        _known(db, f"{k:032x}", Path(f"/away/GX01{k:04}.MP4"), trail.trail_id, is_certain=k >= N_WAITING)


def _known(db: sqlite3.Connection, recording_id: str, path: Path, trail_id: str, *, is_certain: bool) -> None:
    about = {"starts_s": [0.0], "rate": "30", "start_timecode": None, "width": 64, "height": 36}
    about |= {"has_audio": False, "uses_proxy": False, "created_utc": None}
    recordings.take(db, None, [StoredFile(path, path, True, 1, 1)])
    recordings.add(db, recordings.row_of(recording_id, path.name, 60.0, about), path)
    job_id, _ = jobs.enqueue(db, Kind.SYNC, {}, [recording_id], recording_id=recording_id)
    sync = syncs.add(db, job_id, recording_id, None)
    verdict = "accept" if is_certain else "review"
    seen = ["It was seen."]
    syncs.found(db, sync, trail_id=trail_id, verdict=verdict, reasons=seen, candidates=[], artifact=None)
    jobs.end(db, job_id, State.DONE if is_certain else State.NEEDS_REVIEW)


def _card(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def _drop(page: Page, path: Path, name: str) -> None:
    page.evaluate(_DROP, [name, base64.b64encode(path.read_bytes()).decode()])


def _seen_as_another(desk: Desk, name: str) -> Path:
    """A file whose bytes nobody knows yet, with what the sample's run shows."""
    path = desk.data.parent / name
    path.write_bytes((SAMPLE / "new.mp4").read_bytes() + b"\0\0\0\x10free_another")
    return path


# --- what there is --------------------------------------------------------------------------------


def test_every_run_is_shown_with_its_trail_its_verdict_and_its_files(desk: Desk, page: Page) -> None:
    desk.open(page)
    run = _card(page, "new.mp4")
    expect(run).to_contain_text(f"on {TRAIL}")
    expect(run).to_contain_text("Lined up")
    expect(run).to_contain_text(f"{len(desk.markers())} markers")
    expect(run.get_by_role("link", name="csv", exact=True)).to_be_visible()
    expect(run.get_by_role("link", name="new.mp4")).to_have_attribute("href", f"#/run/{desk.run}")
    reference = _card(page, "ref.mp4")
    expect(reference).to_contain_text(f"Reference of {TRAIL}")
    trail = desk.recording("ref.mp4")["trail"]
    expect(reference.get_by_role("link", name="ref.mp4")).to_have_attribute("href", f"#/trail/{trail}")
    expect(page.get_by_role("heading", name="Waits for you")).to_have_count(0)


def test_whoever_has_nothing_yet_is_told_what_to_do(empty: Desk, page: Page) -> None:
    empty.open(page)
    expect(page.get_by_role("heading", name="Begin with your footage")).to_be_visible()
    rides = empty.data.parent / "rides"
    rides.mkdir()
    empty.ask("POST", "/folders", {"path": str(rides)})
    page.reload()
    expect(page.get_by_role("heading", name="No rides yet")).to_be_visible()
    empty.ask("POST", "/recordings", {"paths": [str(SAMPLE / "new.mp4")]})
    expect(page.get_by_role("heading", name="Which ride is the reference?")).to_be_visible()
    expect(_card(page, "new.mp4")).to_contain_text("Not compared with any trail yet")


def test_a_run_becomes_the_reference_of_a_new_trail_with_a_name(empty: Desk, page: Page) -> None:
    empty.ask("POST", "/recordings", {"paths": [str(SAMPLE / "ref.mp4")]})
    empty.open(page)
    card = _card(page, "ref.mp4")
    card.get_by_text("What to do with it").click()
    card.get_by_label("new trail called").fill("Back yard")
    card.get_by_role("button", name="Make it a reference").click()
    expect(card).to_contain_text("Reference of Back yard")
    assert [trail["name"] for trail in empty.ask("GET", "/trails")["trails"]] == ["Back yard"]


def test_names_trails_and_kinds_choose_among_a_thousand_runs(many: Desk, page: Page) -> None:
    many.open(page)
    cards = page.locator("li.run")
    expect(cards.first).to_be_visible()
    assert cards.count() < 200
    page.get_by_role("button", name="References", exact=True).click()
    expect(cards).to_have_count(1)
    expect(_card(page, "ref.mp4")).to_be_visible()
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_label("Part of the name").fill("gx010042")
    expect(cards).to_have_count(1)
    page.get_by_label("Part of the name").fill("nothing is called like that")
    expect(page.get_by_text("Nothing here is like that.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_label("Part of the name")).to_have_value("")
    page.get_by_label("On which trail").select_option(TRAIL)
    expect(_card(page, f"GX01{N_MANY - 1:04}.MP4")).to_be_visible()


def test_a_long_list_comes_in_pieces_as_its_end_does(many: Desk, page: Page) -> None:
    many.open(page)
    cards = page.locator("li.run")
    page.get_by_label("Part of the name").fill("gx0101")
    expect(_card(page, "GX010199.MP4")).to_be_visible()
    expect(_card(page, "GX010100.MP4")).to_have_count(0)
    page.evaluate(_GO_DOWN)
    expect(cards).to_have_count(100)
    expect(page.locator(".runs-more")).to_have_count(0)


@pytest.mark.long
def test_what_comes_while_the_next_piece_is_loaded_stays_listed(many: Desk, page: Page) -> None:
    page.add_init_script(_HOLD_PIECES)
    many.open(page)
    cards = page.locator("li.run")
    expect(cards.first).to_be_visible()
    n = cards.count()
    page.get_by_role("button", name="Show more").click()
    many.until(lambda: page.evaluate("nHeld > 0"))
    _drop(page, _seen_as_another(many, "dropped.mp4"), "dropped.mp4")
    expect(_card(page, "dropped.mp4")).to_have_count(1)
    page.evaluate("release()")
    expect(cards.nth(n + 40)).to_be_attached()
    expect(_card(page, "dropped.mp4")).to_have_count(1)
    names = page.locator("li.run h3").all_text_contents()
    assert len(set(names)) == len(names)


# --- what waits -----------------------------------------------------------------------------------


def test_what_waits_comes_first_and_is_trusted_or_dismissed_there(many: Desk, page: Page) -> None:
    many.open(page)
    waiting = page.get_by_role("region", name="Waits for you")
    expect(waiting.locator("li.run")).to_have_count(N_WAITING)
    expect(page.get_by_role("button", name="Waits for you")).to_contain_text(str(N_WAITING))
    page.get_by_role("button", name="Trust it: GX010002.MP4").click()
    expect(waiting.locator("li.run")).to_have_count(N_WAITING - 1)
    page.get_by_role("button", name="Not a ride of a trail: GX010001.MP4").click()
    expect(waiting.locator("li.run")).to_have_count(N_WAITING - 2)
    assert many.recording("GX010002.MP4")["sync"]["accepted"]
    assert many.recording("GX010001.MP4")["sync"]["state"] == "cancelled"
    assert len(many.ask("GET", "/recordings?show=waiting")["recordings"]) == N_WAITING - 2
    # The focus is not lost with what has gone: it is on the next that waits.
    expect(waiting.get_by_role("link", name="GX010000.MP4", exact=True)).to_be_focused()


def test_what_another_decides_is_seen_without_a_reload(many: Desk, page: Page) -> None:
    many.open(page)
    waiting = page.get_by_role("region", name="Waits for you")
    expect(waiting.locator("li.run")).to_have_count(N_WAITING)
    sync = many.recording("GX010000.MP4")["sync"]
    many.ask("PATCH", f"/syncs/{sync['id']}", {"accepted": True}, If_Match="*")
    expect(waiting.locator("li.run")).to_have_count(N_WAITING - 1)


def _judged(verdict: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for recording in document.get("recordings", [document]):
            if recording.get("sync"):
                recording["sync"] |= {"verdict": verdict, "accepted": False}

    return change


def test_only_what_was_seen_is_trusted_in_the_list(many: Desk, page: Page, alter: Alter) -> None:
    alter("**/api/v1/syncs/*", lambda sync: sync.update(version=sync["version"] + 1))
    many.open(page)
    page.get_by_role("button", name="Trust it: GX010002.MP4").click()
    expect(page.get_by_text("GX010002.MP4 has changed meanwhile; look at it again.")).to_be_visible()
    assert not many.recording("GX010002.MP4")["sync"]["accepted"]


def test_only_what_was_seen_is_trusted_at_the_desk(desk: Desk, page: Page, alter: Alter) -> None:
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "PATCH" else None)
    alter("**/api/v1/recordings/*", _judged("review"))
    alter("**/api/v1/syncs/*", lambda sync: sync.update(version=sync["version"] + 1))
    desk.open(page, f"/run/{desk.run}")
    page.get_by_role("button", name="Trust it").click()
    expect(page.get_by_text("new.mp4 has changed meanwhile; look at it again.")).to_be_visible()
    assert sent == []


@pytest.mark.parametrize(("verdict", "tone"), [("accept", "good"), ("review", "doubt"), ("reject", "bad")])
def test_the_list_and_the_desk_say_the_same_of_a_run(
    desk: Desk, page: Page, alter: Alter, verdict: str, tone: str
) -> None:
    for pattern in ("**/api/v1/recordings?*", "**/api/v1/recordings/*"):
        alter(pattern, _judged(verdict))
    desk.open(page)
    listed = _card(page, "new.mp4").locator(f"span.{tone}")
    expect(listed).to_be_visible()
    words = listed.inner_text()
    page.goto(f"{desk.url}/#/run/{desk.run}")
    expect(page.locator(f".verdict strong.{tone}")).to_have_text(words)


def test_what_has_been_lined_up_already_is_not_said_to_be_lined_up_now(
    desk: Desk, page: Page, alter: Alter
) -> None:
    alter("**/api/v1/recordings/*", _judged("review"))
    told = page.get_by_text(
        "new.mp4 has been compared with whichever trail fits before, and that counts now."
    )
    desk.open(page)
    card = _card(page, "new.mp4")
    card.get_by_text("Other choices").click()
    card.get_by_role("button", name="Line it up").click()
    expect(told).to_be_visible()
    page.goto(f"{desk.url}/#/run/{desk.run}")
    expect(told).to_have_count(0)
    page.get_by_role("button", name="Line it up").click()
    expect(told).to_be_visible()


@pytest.mark.long
def test_what_failed_says_why_and_is_tried_again(desk: Desk, page: Page) -> None:
    footage = desk.data.parent / "more"
    footage.mkdir()
    desk.ask("POST", "/folders", {"path": str(footage)})
    shutil.copy(_seen_as_another(desk, "other.mp4"), footage)
    desk.until(lambda: len(desk.ask("GET", "/recordings?q=other")["recordings"]))
    desk.until_idle()
    desk.stop()
    _fail(desk.data, "The picture at 0:12 cannot be read; copy the file from the card once more.")
    desk.start()
    desk.open(page)
    card = _card(page, "other.mp4")
    expect(card).to_contain_text("copy the file from the card once more")
    card.get_by_role("button", name="Try again: other.mp4").click()
    expect(card).not_to_contain_text("copy the file from the card once more")
    expect(card).to_contain_text("Lined up")


def _fail(data: Path, why: str) -> None:
    places = Places(data)
    store = Store(places.database, places.backups)
    (row,) = [r for r in store.read(recordings.page, 100) if r.name == "other.mp4"]
    (job,) = [j for j in store.read(jobs.page, 100, recording_id=row.recording_id) if j.kind is Kind.SYNC]
    store.write(jobs.end, job.job_id, State.FAILED, error=why)
    store.close()


# --- footage comes in -----------------------------------------------------------------------------


def test_a_file_that_is_dropped_appears_and_is_lined_up(desk: Desk, page: Page) -> None:
    desk.open(page)
    expect(_card(page, "new.mp4")).to_be_visible()
    _drop(page, _seen_as_another(desk, "dropped.mp4"), "dropped.mp4")
    card = _card(page, "dropped.mp4")
    expect(card).to_be_visible()
    expect(card).to_contain_text(f"on {TRAIL}")
    expect(card).to_contain_text("Lined up")
    (kept,) = Places(desk.data).footage.rglob("dropped.mp4")
    assert kept.read_bytes() == (desk.data.parent / "dropped.mp4").read_bytes()


def test_where_nothing_may_be_changed_nothing_that_is_dropped_is_taken(
    desk: Desk, page: Page, alter: Alter
) -> None:
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "PUT" else None)
    alter("**/api/v1/health", lambda health: health.update(changes="none"))
    desk.open(page)
    expect(page.get_by_text("read only", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Add footage")).to_have_count(0)
    _drop(page, SAMPLE / "new.mp4", "dropped.mp4")
    # What the page had asked for by then is known once it has been answered something else.
    page.evaluate("fetch('/api/v1/folders').then((answer) => answer.json())")
    assert sent == []
    expect(page.get_by_role("region", name="Being done now")).to_have_count(0)
    expect(_card(page, "new.mp4")).to_be_visible()


def test_several_files_are_chosen_and_what_lies_beside_one_comes_along(desk: Desk, page: Page) -> None:
    desk.open(page)
    ride = _seen_as_another(desk, "ride.mp4")
    track, notes = ride.with_suffix(".gpx"), ride.with_suffix(".txt")
    shutil.copy(SAMPLE / "new.gpx", track)
    notes.write_text("sunny", encoding="utf-8")
    page.get_by_label("Footage").set_input_files([ride, track, notes])
    expect(_card(page, "ride.mp4")).to_be_visible()
    kept = {path.name for path in Places(desk.data).footage.rglob("*") if path.is_file()}
    assert kept == {"ride.mp4", "ride.gpx"}


def test_what_is_no_video_is_not_sent(desk: Desk, page: Page) -> None:
    desk.open(page)
    notes = desk.data.parent / "notes.txt"
    notes.write_text("sunny", encoding="utf-8")
    page.get_by_label("Footage").set_input_files([notes])
    expect(page.get_by_text("None of that is a video")).to_be_visible()
    assert not Places(desk.data).footage.exists()


def test_what_cannot_be_read_says_so_and_can_be_left(desk: Desk, page: Page) -> None:
    desk.open(page)
    broken = desk.data.parent / "broken.mp4"
    broken.write_bytes(b"no film")
    page.get_by_label("Footage").set_input_files([broken])
    now = page.get_by_role("region", name="Being done now")
    expect(now).to_contain_text("is not a video that can be read")
    page.get_by_role("button", name="Leave it").click()
    expect(page.get_by_role("button", name="Leave it")).to_have_count(0)


def test_a_folder_is_found_and_watched_with_the_keyboard_alone(desk: Desk, page: Page) -> None:
    rides = desk.data.parent / "my rides"
    rides.mkdir()
    desk.open(page)
    page.get_by_role("button", name="Add a folder").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Add a folder")
    dialog.get_by_label("Folder", exact=True).fill(str(rides.parent))
    page.keyboard.press("Enter")
    folder = dialog.get_by_role("button", name="my rides")
    expect(folder).to_be_visible()
    while not folder.evaluate("(button) => button === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Folder", exact=True)).to_have_value(str(rides))
    dialog.get_by_label("Runs there are on").select_option(TRAIL)
    dialog.get_by_role("button", name="Watch this folder").focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert desk.ask("GET", "/folders")["folders"] == [{"path": str(rides), "trail": TRAIL, "problem": ""}]
    page.get_by_text("Watched folders").click()
    page.get_by_role("button", name=f"Stop watching {rides}").click()
    expect(page.get_by_text("Watched folders")).to_have_count(0)
    assert desk.ask("GET", "/folders")["folders"] == []


def test_a_folder_that_would_be_a_mistake_is_refused_in_the_dialog(desk: Desk, page: Page) -> None:
    desk.open(page)
    page.get_by_role("button", name="Add a folder").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Folder", exact=True).fill(str(desk.data))
    dialog.get_by_role("button", name="Go there").click()
    dialog.get_by_role("button", name="Watch this folder").click()
    expect(dialog.get_by_role("alert")).to_contain_text("its own data")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_late_answer_takes_nobody_out_of_the_folder_gone_to_since(desk: Desk, page: Page) -> None:
    held: list[Route] = []
    page.route("**/api/v1/disk", lambda route: held.extend([route]))
    desk.open(page)
    page.get_by_role("button", name="Add a folder").click()
    dialog = page.get_by_role("dialog")
    path = dialog.get_by_label("Folder", exact=True)
    path.fill(str(desk.data))
    dialog.get_by_role("button", name="Go there").click()
    expect(dialog.get_by_role("group", name=f"Folders in {desk.data}")).to_be_visible()
    with page.expect_response("**/api/v1/disk"):
        held[0].continue_()
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(path).to_have_value(str(desk.data))
    expect(dialog.get_by_role("button", name="Watch this folder")).to_be_enabled()


# --- for everybody --------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_nothing_serious_stands_in_anybody_s_way(many: Desk, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    many.open(page)
    expect(page.locator("li.run").first).to_be_visible()
    page.locator("li.run summary").first.click()
    assert _serious(page) == []
    page.get_by_role("button", name="Add a folder").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Watch this folder")).to_be_visible()
    assert _serious(page) == []


def _serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in found if v["impact"] in ("serious", "critical")]


def test_on_a_phone_nothing_is_wider_than_the_page(many: Desk, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    many.open(page)
    expect(page.locator("li.run").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
