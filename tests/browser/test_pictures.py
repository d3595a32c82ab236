"""The pictures of a run: they show what the map and the sync say, and lead back to the videos."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from mtbsync_engine.judge import NINE_IN_TEN
from mtbsync_engine.model import TimeMap
from support.desk import SAMPLE, Desk

pytestmark = pytest.mark.long

FRAME_S = 1 / 30
MINUS = "\N{MINUS SIGN}"
NAMES = ["gained", "speed", "sightings", "height", "likeness", "sketch"]
NO_TRACK = {"t_s": [], "east_m": [], "north_m": [], "ele_m": [], "speed_mps": [], "origin": None}
_STANDS_AT = """([video, t_s]) => new Promise((resolve) => {
  const isThere = () => Math.abs(video.currentTime - t_s) < 0.06 && !video.seeking;
  const look = () => isThere() ? resolve() : requestAnimationFrame(look);
  look();
})"""
_HAVE_PICTURES = """() => {
  const videos = [...document.querySelectorAll(".screens video")];
  return videos.length === 2 && videos.every((video) => video.readyState > 1);
}"""
_PIXELS = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let seen = new Set();
  for (let k = 0; k < data.length; k += 4) seen.add((data[k] << 16) | (data[k + 1] << 8) | data[k + 2]);
  return seen.size;
}"""

_CORNER = """(canvas) => {
  const context = canvas.getContext("2d");
  return context.getImageData(canvas.width - 15, canvas.height >> 1, 1, 1).data[0];
}"""

_HIDE = """() => {
  Object.defineProperty(document, "hidden", { value: true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
  delete document.hidden;
}"""
# Counts what is drawn in the pictures, and when that was last.
_COUNT_DRAWING = """
  Object.assign(window, { nDrawn: 0, drawnAt: performance.now() });
  const { beginPath } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.beginPath = function () {
    beginPath.call(this);
    if (!this.canvas.closest(".pictures")) return;
    Object.assign(window, { nDrawn: nDrawn + 1, drawnAt: performance.now() });
  };
"""
_RESTS = """() => {
  window.askedAt ??= performance.now();
  const isAtRest = performance.now() - Math.max(window.askedAt, window.drawnAt) > 700;
  if (isAtRest) delete window.askedAt;
  return isAtRest;
}"""


@pytest.fixture(scope="module")
def seen(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A daemon that is only looked at."""
    made = Desk(tmp_path_factory.mktemp("seen"), library)
    made.start()
    yield made
    made.stop()


def opened(desk: Desk, page: Page) -> None:
    """The desk with its pictures drawn, in a window that has room for them below the videos."""
    page.set_viewport_size({"width": 1280, "height": 1100})
    desk.open(page, f"/run/{desk.run}")
    page.locator("#pictures summary").first.click()
    page.locator("[data-plot=likeness] canvas").wait_for()
    page.wait_for_function(_HAVE_PICTURES)


def plot(page: Page, name: str) -> Locator:
    return page.locator(f"[data-plot={name}]")


def host(page: Page, name: str) -> Locator:
    found = plot(page, name).get_by_role("slider")
    # The videos stay at the top of the window, above what is scrolled.
    found.evaluate("(host) => host.scrollIntoView({ block: 'end' })")
    return found


def time_map(desk: Desk) -> TimeMap:
    found = desk.map()
    support = tuple((a, b) for a, b in found["support"])
    return TimeMap(found["t_new"], found["t_ref"], found["se_s"], support)


def durations_s(desk: Desk) -> tuple[float, float]:
    return desk.recording("new.mp4")["duration_s"], desk.recording("ref.mp4")["duration_s"]


def place_in_likeness(desk: Desk, page: Page, t_new_s: float, t_ref_s: float) -> tuple[float, float]:
    """Where these two moments meet, in pixels of the window."""
    host(page, "likeness")
    box = page.locator("[data-plot=likeness] .plot-area").bounding_box()
    assert box is not None
    new_s, ref_s = durations_s(desk)
    return box["x"] + box["width"] * t_new_s / new_s, box["y"] + box["height"] * (1 - t_ref_s / ref_s)


def stands_at(page: Page, selector: str, t_s: float) -> None:
    """Wait until that video shows that moment."""
    page.evaluate(_STANDS_AT, [page.locator(selector).element_handle(), t_s])


def rows(page: Page) -> list[list[str]]:
    return [row.locator("td").all_inner_texts() for row in page.locator(".splits tbody tr").all()]


def splits_between(fitted: TimeMap, at_ref_s: np.ndarray) -> np.ndarray:
    """What the table is to say of the stretches between these moments, in seconds."""
    at_new_s = fitted.to_new(at_ref_s)
    error_s = fitted.error_new_s(at_ref_s, NINE_IN_TEN)
    return np.column_stack(
        [
            np.diff(at_ref_s),
            np.diff(at_new_s),
            np.diff(at_new_s) - np.diff(at_ref_s),
            np.hypot(error_s[1:], error_s[:-1]),
            (at_new_s - at_new_s[0] - (at_ref_s - at_ref_s[0]))[1:],
        ]
    )


def have_many_markers(desk: Desk, page: Page, n: int) -> list[dict[str, Any]]:
    """Let the page find `n` markers, evenly over the shared trail, and the last two at one place."""
    model = next(iter(desk.markers().values()))
    fitted = time_map(desk)
    first_s, last_s = (float(fitted.to_ref(edge)) for edge in (fitted.support[0][0], fitted.support[-1][1]))
    at_ref_s = np.linspace(first_s + 0.1, last_s - 0.1, n - 1)
    markers: list[dict[str, Any]] = [
        {**model, "id": f"m{k}", "name": f"Number {k}", "t_ref_s": float(t_s), "state": "found"}
        for k, t_s in enumerate([*at_ref_s, at_ref_s[-1]])
    ]
    page.route(
        f"**/recordings/{desk.run}/markers",
        lambda route: route.fulfill(json={"markers": markers, "version": "1"}),
    )
    return markers


def tell_of_markers(desk: Desk, page: Page) -> None:
    """Have the page hear that markers have changed, and wait until it has them."""
    path = f"/recordings/{desk.run}/markers"
    added = {"name": "Added", "t_s": 5.0, "t_ref_s": None, "duration_s": 0.0, "colour": "Blue", "comment": ""}
    with page.expect_response(f"**{path}"):
        desk.ask("POST", path, added)


def in_seconds(text: str) -> float:
    """Reads "0:01.14", "+2.49 s" and the like."""
    minutes, _, seconds = text.replace(MINUS, "-").removesuffix(" s").rpartition(":")
    return 60 * float(minutes or 0) + float(seconds)


def test_pictures_are_drawn_once_they_are_opened_and_each_says_what_it_shows(seen: Desk, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    seen.open(page, f"/run/{seen.run}")
    expect(page.locator("#pictures summary")).to_be_visible()
    assert not [url for url in asked if re.search(r"figures|uplot|plots\.js", url)]
    page.locator("#pictures summary").first.click()
    for name in NAMES:
        expect(plot(page, name).locator("canvas").first).to_be_visible()
        slider = host(page, name)
        expect(slider).to_have_accessible_name(re.compile(r"\w{4,}"))
        expect(slider).to_have_accessible_description(re.compile(r"^[A-Z].{20,}\.$"))
        assert plot(page, name).locator("canvas").first.evaluate(_PIXELS) > 20
    assert page.locator("[data-plot]").count() == len(NAMES)


def test_the_matrix_leads_both_videos_to_the_same_place(seen: Desk, page: Page) -> None:
    opened(seen, page)
    for t_new_s in (12.0, 27.0):
        t_ref_s = float(time_map(seen).to_ref(t_new_s))
        page.mouse.click(*place_in_likeness(seen, page, t_new_s, t_ref_s))
        stands_at(page, ".screens video >> nth=0", t_new_s)
        stands_at(page, ".screens video >> nth=1", t_ref_s)


def test_a_click_along_the_trail_leads_both_videos_there(seen: Desk, page: Page) -> None:
    opened(seen, page)
    slider = host(page, "speed")
    over = plot(page, "speed").locator(".u-over").bounding_box()
    assert over is not None
    first_s, last_s = (float(slider.get_attribute(f"aria-value{end}") or "") for end in ("min", "max"))
    page.mouse.click(over["x"] + 0.75 * over["width"], over["y"] + 20)
    t_ref_s = first_s + 0.75 * (last_s - first_s)
    stands_at(page, ".screens video >> nth=1", t_ref_s)
    stands_at(page, ".screens video >> nth=0", float(time_map(seen).to_new(t_ref_s)))


def test_pointing_at_a_plot_shows_the_two_frames_there(seen: Desk, page: Page) -> None:
    opened(seen, page)
    frames = page.locator(".frames")
    expect(frames).to_be_hidden()
    t_new_s = 20.0
    t_ref_s = float(time_map(seen).to_ref(t_new_s))
    page.mouse.move(*place_in_likeness(seen, page, t_new_s, t_ref_s))
    expect(frames).to_be_visible()
    stands_at(page, ".frames .new video", t_new_s)
    stands_at(page, ".frames .ref video", t_ref_s)
    shown_s = in_seconds(frames.locator(".new .number").inner_text())
    assert shown_s == pytest.approx(t_new_s, abs=0.1)
    expect(plot(page, "speed").locator(".readout")).to_contain_text("m/s")
    for video in frames.locator("video").all():
        assert video.evaluate("(video) => video.muted && video.paused")
    page.mouse.move(2, 2)
    expect(frames).to_be_hidden()
    stands_at(page, ".screens video >> nth=0", 0.0)


def test_the_two_frames_keep_no_video_open_while_nobody_points(seen: Desk, page: Page) -> None:
    opened(seen, page)
    frames = page.locator(".frames")
    videos = frames.locator("video")
    t_ref_s = float(time_map(seen).to_ref(20.0))
    place = place_in_likeness(seen, page, 20.0, t_ref_s)
    page.mouse.move(*place)
    expect(videos).to_have_count(2)
    page.mouse.move(2, 2)
    expect(videos).to_have_count(0)
    page.mouse.move(*place)
    stands_at(page, ".frames .new video", 20.0)
    page.evaluate(_HIDE)
    assert videos.count() == 0
    expect(frames).to_be_hidden()
    page.mouse.move(place[0] + 1, place[1])
    stands_at(page, ".frames .ref video", t_ref_s)


def test_far_off_the_map_the_matrix_shows_what_looks_alike_there(seen: Desk, page: Page) -> None:
    opened(seen, page)
    page.mouse.move(*place_in_likeness(seen, page, 5.0, 30.0))
    stands_at(page, ".frames .new video", 5.0)
    stands_at(page, ".frames .ref video", 30.0)


def test_keys_move_the_cursor_and_enter_goes_there(seen: Desk, page: Page) -> None:
    opened(seen, page)
    slider = host(page, "gained")
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".frames")).to_be_visible()
    first_s, last_s, now_s = (
        float(slider.get_attribute(f"aria-value{end}") or "") for end in ("min", "max", "now")
    )
    assert now_s == pytest.approx(first_s + 0.2 * (last_s - first_s), abs=0.02)
    expect(slider).to_have_attribute("aria-valuetext", re.compile(rf"of the reference: [+{MINUS}]\d"))
    stands_at(page, ".screens video >> nth=1", float(time_map(seen).to_ref(0.0)))
    page.keyboard.press("Enter")
    stands_at(page, ".screens video >> nth=1", now_s)
    stands_at(page, ".screens video >> nth=0", float(time_map(seen).to_new(now_s)))
    page.keyboard.press("Escape")
    expect(page.locator(".frames")).to_be_hidden()


def test_splits_are_those_of_the_map_and_true_within_what_is_stated(seen: Desk, page: Page) -> None:
    opened(seen, page)
    fitted = time_map(seen)
    placed = [
        (m["name"], m["t_ref_s"])
        for m in sorted(seen.markers().values(), key=lambda m: m["t_ref_s"])
        if np.isfinite(fitted.to_new(m["t_ref_s"]))
    ]
    ends_s = [float(fitted.to_ref(edge)) for edge in (fitted.support[0][0], fitted.support[-1][1])]
    stops = [("First shared moment", ends_s[0]), *placed, ("Last shared moment", ends_s[1])]
    shown = rows(page)
    assert [row[0] for row in shown] == [name for name, _ in stops[:-1]]
    assert [row[1] for row in shown] == [name for name, _ in stops[1:]]
    at_ref_s = np.array([t_s for _, t_s in stops])
    found = np.array([[in_seconds(cell) for cell in row[2:]] for row in shown])
    assert found == pytest.approx(splits_between(fitted, at_ref_s), abs=0.0051)
    truth = np.genfromtxt(SAMPLE / "truth_map.csv", delimiter=",", names=True)
    true_s = np.interp(at_ref_s, truth["t_ref"], truth["t_new"])
    off_s = np.abs(found[:, 1] - np.diff(true_s))
    assert np.median(off_s) < 1.5 * FRAME_S
    assert (off_s <= found[:, 3] + 0.01).mean() >= 0.8
    expect(page.locator(".splits")).to_contain_text(
        "1 marker lies where the new run does not show the trail."
    )


def test_many_markers_are_listed_a_page_at_a_time_with_the_same_numbers(
    desk: Desk, page: Page, tmp_path: Path
) -> None:
    n = 900
    markers = have_many_markers(desk, page, n)
    opened(desk, page)
    body = page.locator(".splits tbody tr")
    expect(body).to_have_count(200)
    page.get_by_role("button", name="Show 200 more").press("Enter")
    expect(body).to_have_count(400)
    fitted = time_map(desk)
    first_s, last_s = (float(fitted.to_ref(edge)) for edge in (fitted.support[0][0], fitted.support[-1][1]))
    expected = splits_between(fitted, np.array([first_s, *(m["t_ref_s"] for m in markers), last_s]))
    shown = body.evaluate_all("(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText))")
    found = np.array([[in_seconds(cell) for cell in row[2:]] for row in shown])
    assert found == pytest.approx(expected[:400], abs=0.0051)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as CSV").click()
    waiting.value.save_as(tmp_path / "splits.csv")
    with (tmp_path / "splits.csv").open(encoding="utf-8", newline="") as file:
        saved = list(csv.DictReader(file))
    columns = ("reference_s", "new_s", "difference_s", "expected_error_s", "cumulative_s")
    values = np.array([[float(row[column]) for column in columns] for row in saved])
    assert values == pytest.approx(expected, abs=0.00051)
    for _ in range(3):
        page.get_by_role("button", name=re.compile("Show .* more")).press("Enter")
    expect(body).to_have_count(n + 1)
    expect(page.get_by_role("region", name="From marker to marker")).to_be_focused()


def test_plots_stay_and_are_drawn_again_only_where_a_marker_on_them_changes(desk: Desk, page: Page) -> None:
    page.add_init_script(_COUNT_DRAWING)
    markers = have_many_markers(desk, page, 300)
    opened(desk, page)
    canvases = page.locator(".pictures canvas").element_handles()
    page.wait_for_function(_RESTS)
    n_drawn = page.evaluate("window.nDrawn")
    assert n_drawn > 0
    markers[5] |= {"note": "It is muddy there.", "version": "another"}
    tell_of_markers(desk, page)
    page.wait_for_function(_RESTS)
    assert page.evaluate("window.nDrawn") == n_drawn
    markers[5] |= {"name": "Muddy", "version": "yet another"}
    tell_of_markers(desk, page)
    expect(page.locator(".splits tbody")).to_contain_text("Muddy")
    page.wait_for_function(f"window.nDrawn > {n_drawn}")
    assert all(canvas.evaluate("(canvas) => canvas.isConnected") for canvas in canvases)


def test_who_was_faster_is_said_as_the_table_has_it(seen: Desk, page: Page) -> None:
    opened(seen, page)
    shown = rows(page)
    total_s = in_seconds(shown[-1][6])
    slowest = max(shown, key=lambda row: in_seconds(row[4]))
    said = plot(page, "gained").locator("figcaption p").inner_text()
    assert f"{abs(total_s):.1f} s {'faster' if total_s < 0 else 'slower'} than the reference" in said
    assert f"loses most between {slowest[0]} and {slowest[1]}" in said


def test_splits_are_saved_as_csv(seen: Desk, page: Page, tmp_path: Path) -> None:
    opened(seen, page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as CSV").click()
    assert waiting.value.suggested_filename == "new_splits.csv"
    waiting.value.save_as(tmp_path / "splits.csv")
    with (tmp_path / "splits.csv").open(encoding="utf-8", newline="") as file:
        saved = list(csv.DictReader(file))
    shown = rows(page)
    assert [row["from"] for row in saved] == [row[0] for row in shown]
    for row, cells in zip(saved, shown, strict=True):
        assert float(row["difference_s"]) == pytest.approx(in_seconds(cells[4]), abs=0.0051)
        assert float(row["cumulative_s"]) == pytest.approx(in_seconds(cells[6]), abs=0.0051)


def test_without_gps_the_pictures_say_so_and_show_the_pace(seen: Desk, page: Page) -> None:
    page.route("**/track", lambda route: route.fulfill(json=NO_TRACK))
    opened(seen, page)
    expect(page.locator("#pictures")).to_contain_text("Neither run has GPS")
    expect(plot(page, "speed").get_by_role("heading")).to_have_text("Pace")
    expect(plot(page, "speed")).to_contain_text("relative")
    for name in ("height", "sketch"):
        expect(plot(page, name)).to_have_count(0)


def test_results_that_are_gone_are_told_of(desk: Desk, page: Page) -> None:
    for path in desk.data.rglob("likeness.npz"):
        path.unlink()
    desk.open(page, f"/run/{desk.run}")
    page.locator("#pictures summary").first.click()
    expect(page.locator("#pictures .notice")).to_contain_text("have the run lined up again")


def test_a_place_that_a_person_vouches_for_is_drawn_and_counts(desk: Desk, page: Page) -> None:
    opened(desk, page)
    before = rows(page)
    k = [row[1] for row in before].index("Edge of the meadow")
    t_ref_s = desk.markers()["Edge of the meadow"]["t_ref_s"]
    t_new_s = float(time_map(desk).to_new(t_ref_s))
    desk.ask("POST", f"/syncs/{desk.sync['id']}/anchors", {"t_new_s": t_new_s + 0.3, "t_ref_s": t_ref_s})
    expect(plot(page, "likeness")).to_contain_text("1 place that you vouch for")
    fitted = time_map(desk)
    first_s = fitted.support[0][0]
    lost_s = float(fitted.to_new(t_ref_s)) - first_s - (t_ref_s - float(fitted.to_ref(first_s)))
    cell = page.locator(".splits tbody tr").nth(k).locator("td").nth(6)
    expect(cell).to_have_text(f"{'+' if lost_s > 0 else MINUS}{abs(lost_s):.2f} s")
    assert in_seconds(cell.inner_text()) > in_seconds(before[k][6]) + 0.1


def test_pictures_follow_the_theme_and_the_window(seen: Desk, page: Page) -> None:
    opened(seen, page)
    canvas = plot(page, "likeness").locator("canvas")
    light = canvas.evaluate(_CORNER)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        f"([canvas, was]) => ({_CORNER})(canvas) < was - 90", arg=[canvas.element_handle(), light]
    )
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(
        "() => [...document.querySelectorAll('.pictures canvas')].every((c) => c.clientWidth < 390)"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nothing_keeps_anybody_from_the_pictures(seen: Desk, page: Page) -> None:
    opened(seen, page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found: Any = Axe().run(page, context="#pictures").response
        serious = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
        assert [(v["id"], v["nodes"][0]["html"]) for v in serious] == []
