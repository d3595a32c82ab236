"""Cameras that recorded one event: seen and heard together, moved until they lie right, approved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Dialog, FilePayload, Locator, Page, Route, expect

from support.desk import Desk, asks_before_it_closes
from support.sessions import BEGINS_S, DRIFT_PPM, EVENT, RATE_HZ, TITLE, add_session
from support.sounds import event_sound, piece, reverbed, write_video_with_sound

HALL_BEGINS_S = 0.6
LONG = "Mont-Sainte-Anne_junior_downhill_finals_second_heat_from_the_very_top" * 2

# Notes what is scheduled to be heard: when the first sample of each piece is, or would have been, by the
# context's clock, and how fast it is played.
_NOTE_SOUND = """() => {
  window.scheduled = [];
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (at_s, from_s) {
    const rate = this.playbackRate.value;
    window.scheduled.push({ zero_s: at_s - from_s / rate, rate });
    return start.call(this, at_s, from_s);
  };
}"""

# Sends the beginning of a file that is to have so many bytes, as an upload that breaks off.
_SEND = """async ([place, bytes, length]) => {
  const headers = { "Upload-Offset": 0, "Upload-Length": length, "Content-Type": "application/octet-stream" };
  await fetch(`/api/v1/uploads/${place}`, { method: "PATCH", headers, body: new Uint8Array(bytes) });
}"""


# Presses Space once a video has played up to a second of its own: it does not wait for whoever tests it.
_PAUSE_AT = """(video, t_s) => new Promise((resolve) => {
  const about = { key: " ", code: "Space", bubbles: true, cancelable: true };
  const look = () => {
    if (video.paused || video.currentTime < t_s) requestAnimationFrame(look);
    else resolve(document.body.dispatchEvent(new KeyboardEvent("keydown", about)));
  };
  look();
})"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a library that has the session, and the session's id. Not to be changed."""
    root = tmp_path_factory.mktemp("sessions")
    return root, add_session(root / "data", root / "footage")


@pytest.fixture
def desk(made: tuple[Path, str], tmp_path: Path) -> Iterator[Desk]:
    """A daemon over a copy of it."""
    started = Desk(tmp_path, made[0], f"roots = ['{made[0].as_posix()}']\n")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def place(made: tuple[Path, str]) -> str:
    """Where the session is on the page."""
    return f"/session/{made[1]}"


def row(page: Page, label: str) -> Locator:
    """What stands beside a camera's waveform."""
    return page.locator(".wave-head").filter(
        has=page.get_by_role("button", name=f"Camera {label}", exact=True)
    )


def placement(desk: Desk, made: tuple[Path, str], label: str) -> dict[str, Any]:
    found = desk.ask("GET", f"/sessions/{made[1]}")["placements"]
    return next(p for p in found if p["camera"] == label)


def film_of(name: str, content: bytes) -> FilePayload:
    """A file as a person chooses it."""
    return {"name": name, "mimeType": "video/mp4", "buffer": content}


def in_a_hall(path: Path) -> Path:
    """What a camera filmed whose sound is echoes more than anything, so that its phases tell nothing."""
    there = piece(event_sound(*EVENT), HALL_BEGINS_S, 8.0, RATE_HZ)
    return write_video_with_sound(path, reverbed(there, RATE_HZ, 4, decay_s=2.0, echoes_db=25.0), RATE_HZ)


def begins_s(path: Path, label: str) -> float:
    """When a camera's footage begins in a timeline, from when A's does on."""
    timeline = otio.adapters.read_from_file(str(path), "otio_json")
    begins = {}
    for track in timeline.video_tracks():
        clip = track.find_clips()[0]
        skipped = clip.source_range.start_time - clip.media_reference.available_range.start_time
        begins[track.name] = (track.range_of_child(clip).start_time - skipped).to_seconds()
    return float(begins[label] - begins["A"])


def broken_rules(page: Page) -> list[str]:
    return [
        f"{rule['id']}: {node['html']}"
        for rule in Axe().run(page).response["violations"]
        for node in rule["nodes"]
    ]


def test_a_session_is_put_right_by_keyboard_alone_until_it_is_in_sync(
    desk: Desk, page: Page, made: tuple[Path, str]
) -> None:
    desk.open(page, "/sessions")
    card = page.locator(".session-card")
    expect(card).to_contain_text("Put camera C in place by hand")
    card.get_by_role("link", name=TITLE).press("Enter")
    expect(row(page, "B")).to_contain_text("+2345.0 ms")

    # B lies right.
    page.locator("body").press("a")
    expect(row(page, "B")).to_contain_text("approved")
    assert placement(desk, made, "B")["status"] == "approved"

    # C is the next that waits, as its sound fits nowhere: it is put about where it belongs, then nudged.
    expect(page.locator(".evidence")).to_contain_text("No offset stands out")
    field = page.get_by_role("spinbutton", name="Offset")
    field.fill("1159")
    field.press("Enter")
    expect(row(page, "C")).to_contain_text("not saved")
    page.get_by_role("slider", name="Where the sound stands").press("Shift+Period")
    page.keyboard.press("Period")
    expect(row(page, "C")).to_contain_text("+1200.0 ms")
    assert placement(desk, made, "C")["offset_ms"] is None
    page.keyboard.press("c")
    expect(row(page, "C")).to_contain_text("corrected by hand")
    assert placement(desk, made, "C")["offset_ms"] == pytest.approx(1200)
    expect(page.locator(".title")).to_contain_text("In sync")

    # It can be taken back.
    page.keyboard.press("z")
    expect(row(page, "C")).to_contain_text("nowhere yet")
    expect(page.locator(".title")).to_contain_text("Waits for you")
    page.get_by_text("What was found and decided").click()
    expect(page.locator(".history li").first).to_contain_text("Camera C taken back")


def test_two_cameras_are_heard_as_they_lie_and_a_nudge_at_once(desk: Desk, page: Page, place: str) -> None:
    desk.open(page, place)
    expect(row(page, "B")).to_be_visible()
    page.evaluate(_NOTE_SOUND)
    at = page.locator(".playhead")
    # The first moment that both recorded, also for who comes from where the other was not there.
    expect(at).to_have_text("0:02.345")
    page.get_by_role("button", name="Camera A", exact=True).click()
    box = page.get_by_role("slider", name="Where the sound stands")
    box.press("Home")
    expect(at).to_have_text("0:00.000")
    page.get_by_role("button", name="Camera B", exact=True).click()
    expect(at).to_have_text("0:02.345")
    box.press("ArrowRight")
    # Both record there: it stays.
    page.get_by_role("button", name="Camera C", exact=True).click()
    page.get_by_role("button", name="Camera B", exact=True).click()
    expect(at).to_have_text("0:03.345")
    box.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    desk.until(lambda: page.evaluate("scheduled.length >= 2"))
    first, second = sorted(page.evaluate("scheduled.slice(0, 2)"), key=lambda piece: float(piece["zero_s"]))
    assert second["zero_s"] - first["zero_s"] == pytest.approx(BEGINS_S["B"], abs=1e-6)
    assert (first["rate"], second["rate"]) == pytest.approx((1, 1 / (1 + DRIFT_PPM["B"] * 1e-6)), abs=1e-7)

    # Moved while it plays, it is heard where it is put, and the other goes on.
    page.evaluate("scheduled.length = 0")
    page.keyboard.press("Shift+Period")
    # Of A, which does not drift, the next piece may come in between.
    desk.until(lambda: page.evaluate("scheduled.some((piece) => piece.rate !== 1)"))
    moved, *_ = page.evaluate("scheduled.filter((piece) => piece.rate !== 1)")
    assert moved["zero_s"] - first["zero_s"] == pytest.approx(BEGINS_S["B"] + 0.04, abs=1e-6)
    expect(at).not_to_have_text("0:03.345")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_of_two_windows_each_is_told_what_the_other_saved(
    desk: Desk, page: Page, made: tuple[Path, str], place: str
) -> None:
    desk.open(page, place)
    expect(row(page, "B")).to_be_visible()
    page.locator("body").press("Period")
    expect(row(page, "B")).to_contain_text("not saved")
    other = page.context.new_page()
    other.goto(f"{desk.url}/#{place}")
    expect(row(other, "B")).to_be_visible()
    other.keyboard.press("Shift+Period")
    other.get_by_role("button", name="Save the correction").click()
    expect(row(other, "B")).to_contain_text("corrected by hand")

    clash = page.get_by_role("alert").filter(has_text="another window")
    expect(clash).to_contain_text("There: +2385.0 ms, +40.0 ppm · yours: +2346.0 ms, +40.0 ppm")
    clash.get_by_role("button", name="Keep mine").click()
    expect(row(page, "B")).to_contain_text("corrected by hand")
    assert placement(desk, made, "B")["offset_ms"] == pytest.approx(2346)
    expect(row(other, "B")).to_contain_text("+2346.0 ms")
    other.close()


def test_what_is_dropped_onto_a_new_session_is_lined_up_and_what_is_unsure_goes_out_as_a_person_put_it(
    desk: Desk, page: Page, made: tuple[Path, str], tmp_path: Path
) -> None:
    desk.ask("DELETE", f"/sessions/{made[1]}")
    desk.open(page, "/sessions")
    expect(page.locator(".hint")).to_contain_text("Begin a session")
    page.get_by_role("button", name="New session").click()
    page.get_by_label("Title").fill("Crash test")
    page.get_by_label("Title").press("Enter")
    expect(page.get_by_role("heading", name="Crash test")).to_be_visible()
    films = [made[0] / "footage" / f"camera-{label}.mp4" for label in "AC"]
    page.locator("input[aria-label=Cameras]").set_input_files([*films, in_a_hall(tmp_path / "hall.mp4")])
    names = ["camera-A.mp4", "camera-C.mp4", "hall.mp4"]
    expect(page.locator(".camera .camera-file")).to_have_text(names)
    expect(page.locator(".wave-head")).to_have_count(3)
    (session,) = desk.ask("GET", "/sessions")["sessions"]
    clear, echoing = session["placements"]
    began_s = {"A": BEGINS_S["A"], "B": BEGINS_S["C"], "C": HALL_BEGINS_S}
    true_ms = {label: 1000 * (begin_s - began_s[session["master"]]) for label, begin_s in began_s.items()}
    assert clear["offset_ms"] == pytest.approx(true_ms[clear["camera"]], abs=1)
    assert (clear["trust"], echoing["trust"]) == ("looks-good", "review-suggested")
    late_ms = round(true_ms["C"] - echoing["offset_ms"])
    assert abs(late_ms) > 5

    # The clear one is approved; the other is listened to, moved to where it belongs, and saved.
    page.locator("body").press("a")
    expect(row(page, clear["camera"])).to_contain_text("approved")
    expect(row(page, "C")).to_contain_text("Worth a look")
    chosen = page.get_by_role("button", name="Camera C", exact=True)
    expect(chosen).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    for _ in range(abs(late_ms)):
        page.keyboard.press("Period" if late_ms > 0 else "Comma")
    page.keyboard.press("Space")
    page.keyboard.press("c")
    expect(row(page, "C")).to_contain_text("corrected by hand")
    expect(page.locator(".title")).to_contain_text("In sync")
    page.get_by_role("heading", name="Files out").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download otio", exact=True).click()
    assert begins_s(download.value.path(), "C") == pytest.approx(HALL_BEGINS_S, abs=0.001)


def test_a_copy_that_broke_off_goes_on_where_it_stopped(
    desk: Desk, page: Page, made: tuple[Path, str]
) -> None:
    film = made[0] / "footage" / "camera-C.mp4"
    half = film.stat().st_size // 2
    desk.ask("DELETE", f"/sessions/{made[1]}")
    session = desk.ask("POST", "/sessions", {"title": "Crash test"})
    desk.ask("POST", f"/sessions/{session['id']}/cameras", {"upload": "first/camera-C.mp4"})
    desk.open(page, f"/session/{session['id']}")
    page.evaluate(_SEND, ["first/camera-C.mp4", list(film.read_bytes()[:half]), film.stat().st_size])
    cameras = page.locator(".camera")
    expect(cameras).to_contain_text("drop camera-C.mp4 here again")

    # One that is cancelled before any of it was sent leaves nothing behind.
    page.route("**/api/v1/uploads/**", lambda route: None)
    page.locator("input[aria-label=Cameras]").set_input_files(made[0] / "footage" / "camera-A.mp4")
    expect(cameras).to_have_count(2)
    page.get_by_role("button", name="Cancel: adding footage").click()
    expect(cameras).to_have_count(1)
    page.unroute_all(behavior="ignoreErrors")

    with page.expect_request(lambda request: request.method == "PATCH") as sent:
        page.locator("input[aria-label=Cameras]").set_input_files(film)
    assert sent.value.url.endswith("/uploads/first/camera-C.mp4")
    assert sent.value.headers["upload-offset"] == str(half)
    expect(cameras).to_contain_text("Ready")
    (camera,) = desk.ask("GET", f"/sessions/{session['id']}")["cameras"]
    assert Path(camera["path"]).read_bytes() == film.read_bytes()

    # Of several that come at once each is told of by itself, and what cannot come leaves no camera behind.
    contents = {'Süd "2" & 100%.mp4': b"Film.", "empty.mp4": b"", "again.mp4": film.read_bytes()}
    files = [film_of(name, held) for name, held in contents.items()]
    page.locator("input[aria-label=Cameras]").set_input_files(files)
    refused = ['Süd "2" & 100%.mp4 is no file name', "empty.mp4 is empty; copy it from the card once more."]
    expect(page.locator(".now-failed li")).to_contain_text(refused)
    left_out = re.compile("^again.mp4 was left out: it is the same footage as camera A.s.$")
    expect(page.locator(".said")).to_have_text(left_out)
    expect(cameras).to_have_count(1)


def test_chapters_come_to_lie_beside_the_first_of_their_camera(
    desk: Desk, page: Page, tmp_path: Path
) -> None:
    """Two cameras count their files alike, and only the second has a second chapter."""
    names = ("helmet/GX010007.MP4", "chest/GX010007.MP4", "chest/GX020007.MP4")
    for number, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes([number]) * 1000)
    session = desk.ask("POST", "/sessions", {"title": "Two helmets"})
    desk.open(page, f"/session/{session['id']}")
    sent: list[Path] = []
    page.on("request", lambda request: sent.append(Path(request.url)) if request.method == "PATCH" else None)
    with page.expect_event("request", lambda request: request.method == "PATCH" and "GX02" in request.url):
        page.locator("input[aria-label=Cameras]").set_input_files([tmp_path / name for name in names])
    helmet, chest, second = (path.parent for path in sent)
    assert helmet != chest == second


def test_a_session_whose_upload_broke_off_waits_for_the_person_who_may_line_up_the_others(
    desk: Desk, page: Page, made: tuple[Path, str], place: str
) -> None:
    desk.ask("POST", f"/sessions/{made[1]}/cameras", {"upload": "first/drone.mp4"})
    # It was the master.
    desk.ask("DELETE", f"/sessions/{made[1]}/cameras/A")
    desk.open(page, "/sessions")
    card = page.locator(".session-card")
    expect(card).to_contain_text("Waits for you")
    expect(card).to_contain_text("Not all footage of camera D has come")
    card.get_by_role("link", name=TITLE).click()
    expect(page.locator(".title")).to_contain_text("Waits for you")
    page.get_by_role("button", name="Line up").press("Enter")
    expect(page.locator(".said")).to_have_text("The cameras are lined up.")
    again = page.get_by_role("button", name="Line up again")
    expect(again).to_be_focused()


def test_a_camera_that_nothing_tells_of_is_put_in_its_place_by_what_it_shows(
    desk: Desk, page: Page, made: tuple[Path, str], place: str
) -> None:
    page.route("**/cameras/C/correlation", _with_rivals)
    desk.open(page, place)
    page.get_by_role("button", name="Camera C", exact=True).click()
    expect(page.locator(".evidence")).to_contain_text("Other offsets fit about as well: the best, at")
    page.locator(".wave-box").press("Home")
    shown = page.get_by_role("group", name="What they show")
    expect(shown).to_contain_text("Camera C: its copy is still being made.")
    desk.ask("POST", f"/sessions/{made[1]}/cameras/C/copies", {"kinds": ["proxy"]})
    video = page.get_by_label("Camera C at the playhead")
    expect(video).to_be_visible()
    page.locator(".wave-box").press("ArrowRight")
    _shows(video, 1.0)
    page.keyboard.press("Shift+Period")
    page.keyboard.press("Shift+Period")
    _shows(video, 0.92)
    field = page.get_by_role("spinbutton", name="Offset")
    field.fill("1200")
    field.press("Enter")
    expect(shown).to_contain_text("did not record then")

    # It goes along with what is heard.
    page.locator(".wave-box").press("ArrowRight")
    page.keyboard.press("Space")
    video.evaluate(_PAUSE_AT, 1)
    desk.until(lambda: video.evaluate("(video) => video.paused && !video.seeking"))
    minutes, seconds = page.locator(".playhead").inner_text().split(":")
    _shows(video, 60 * int(minutes) + float(seconds) - 1.2)


def _with_rivals(route: Route) -> None:
    """Two offsets that are both above the line."""
    answer = route.fetch()
    told = answer.json()
    n = len(told["z"])
    told["z"] = [5.1 if k == n // 4 else 4.9 if k == n // 2 else 0.0 for k in range(n)]
    route.fulfill(response=answer, json=told)


def _shows(video: Locator, t_s: float) -> None:
    within = "(video, t_s) => video.readyState > 1 && !video.seeking && Math.abs(video.currentTime - t_s)"
    handle = video.element_handle()
    assert handle is not None
    video.page.wait_for_function(f"([video, t_s]) => ({within})(video, t_s) < 0.005", arg=[handle, t_s])


def test_another_master_is_asked_about_where_somebody_has_decided(
    desk: Desk, page: Page, made: tuple[Path, str], place: str
) -> None:
    answers = [False, True, True]
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        if answers.pop(0):
            dialog.accept()
        else:
            dialog.dismiss()

    page.on("dialog", answer)
    broken = film_of("drone.mp4", b"This was a film once.")
    desk.open(page, place)
    page.locator("input[aria-label=Cameras]").set_input_files([broken])
    expect(page.locator(".camera.failed")).to_contain_text("drone.mp4")
    expect(row(page, "B")).to_be_visible()
    page.locator("body").press("a")
    expect(row(page, "B")).to_contain_text("approved")
    page.get_by_text("About this session").click()
    masters = page.get_by_label("The others are laid on")
    # Nothing can be laid on what is no film.
    expect(masters.get_by_role("option")).to_have_text(
        ["whichever sounds best", "camera A", "camera B", "camera C"]
    )
    masters.select_option(label="camera B")
    save = page.get_by_role("button", name="Save", exact=True)
    save.click()
    assert "told anew from camera B" in asked[0]
    assert desk.ask("GET", f"/sessions/{made[1]}")["wanted_master"] is None
    save.click()
    desk.until(lambda: desk.ask("GET", f"/sessions/{made[1]}")["wanted_master"] == "B")
    assert len(asked) == 2

    # A session that is forgotten takes along what was not saved of it.
    page.locator("summary").first.focus()
    page.keyboard.press("Period")
    assert asks_before_it_closes(page)
    page.get_by_role("button", name="Forget this session").click()
    expect(page.get_by_role("heading", name="Sessions", exact=True)).to_be_visible()
    assert not asks_before_it_closes(page)


def test_what_was_moved_stays_under_another_name_and_a_session_may_go_meanwhile(
    desk: Desk, page: Page, made: tuple[Path, str], place: str
) -> None:
    desk.open(page, place)
    expect(row(page, "B")).to_be_visible()
    page.locator("body").press("Period")
    page.get_by_role("button", name="Change camera B").click()
    page.get_by_label("Name", exact=True).fill("Helmet")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(row(page, "Helmet")).to_contain_text("+2346.0 ms")
    expect(row(page, "Helmet")).to_contain_text("not saved")

    # It is there still for who comes back.
    page.get_by_role("link", name="All sessions").click()
    page.get_by_role("link", name=TITLE).click()
    expect(row(page, "Helmet")).to_contain_text("not saved")
    assert asks_before_it_closes(page)

    # The master lies where it lies, and says so.
    page.get_by_role("button", name="Camera A", exact=True).click()
    page.keyboard.press("Period")
    expect(page.locator(".said")).to_have_text("Camera A is the master; the others are moved against it.")

    desk.ask("DELETE", f"/sessions/{made[1]}")
    expect(page.get_by_role("heading", name="This session was forgotten in another window")).to_be_visible()
    page.get_by_role("link", name="All sessions").click()
    expect(page.get_by_role("heading", name="Sessions", exact=True)).to_be_visible()


@pytest.mark.long
def test_a_connection_that_breaks_is_taken_up_again(desk: Desk, page: Page, made: tuple[Path, str]) -> None:
    desk.ask("DELETE", f"/sessions/{made[1]}")
    session = desk.ask("POST", "/sessions", {"title": "Crash test"})
    sent: list[str] = []

    def break_once(route: Route) -> None:
        sent.append(route.request.method)
        if sent == ["PATCH"]:
            route.abort()
        else:
            route.continue_()

    page.route("**/api/v1/uploads/**", break_once)
    desk.open(page, f"/session/{session['id']}")
    page.locator("input[aria-label=Cameras]").set_input_files(made[0] / "footage" / "camera-C.mp4")
    expect(page.locator(".camera")).to_contain_text("Ready")
    assert sent == ["PATCH", "GET", "PATCH"]


def test_everybody_can_use_it_by_day_and_by_night_and_on_a_phone(
    desk: Desk, page: Page, made: tuple[Path, str], place: str
) -> None:
    empty = desk.ask("POST", "/sessions", {"title": LONG})
    for status in ["approved", "pending"] * 4:
        desk.ask("PUT", f"/sessions/{made[1]}/cameras/B/placement", {"status": status}, If_Match="*")
    desk.ask("POST", f"/sessions/{made[1]}/cameras", {"upload": "first/drone.mp4", "label": LONG[:40]})
    desk.open(page, "/sessions")
    page.get_by_role("button", name="New session").click()
    assert broken_rules(page) == []
    page.goto(f"{desk.url}/#/session/{empty['id']}")
    expect(page.get_by_role("heading", name=LONG, level=1)).to_be_visible()
    assert broken_rules(page) == []
    page.goto(f"{desk.url}/#{place}")
    expect(row(page, "B")).to_be_visible()
    page.locator("body").press("Period")
    damaged = film_of(f"{LONG}.mp4", b"This was a film once.")
    page.locator("input[aria-label=Cameras]").set_input_files([damaged])
    expect(page.locator(".camera.failed")).to_contain_text("Failed")
    for summary in page.locator("details.section > summary").all():
        summary.click()
    expect(page.locator(".offer").first).to_be_visible()
    assert broken_rules(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    assert broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(f"{desk.url}/#/sessions")
    expect(page.get_by_role("link", name=LONG)).to_be_visible()
    assert broken_rules(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
