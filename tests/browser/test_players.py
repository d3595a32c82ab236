"""Two videos show the same place: playing, at rest, whichever is moved, and whatever the files are like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, Route, expect

from support.desk import SAMPLE, Desk
from support.videos import write_video

Image = NDArray[np.uint8]

FRAME_S = 1 / 30
# Rounding of a file's clock and of the browser's.
SAME_S = 1e-3
PLAYING_S = 0.08
SETTLED_MS = 500
# The sample's run stands still in here.
STOP_S = (15.0, 24.0)

_MAKE = """async ({ newId, refId, sync }) => {
  const { Pair, sourceOf } = await import("/web/js/players.js");
  const { TimeMap } = await import("/web/js/timemap.js");
  const ask = async (path) => (await fetch("/api/v1" + path)).json();
  const newSource = sourceOf(await ask(`/recordings/${newId}`));
  const refSource = refId && sourceOf(await ask(`/recordings/${refId}`));
  window.map = sync && new TimeMap(await ask(`/syncs/${sync}/map`));
  window.TimeMap = TimeMap;
  window.pair = new Pair({ newSource, refSource, map: window.map });
  window.problems = [];
  pair.addEventListener("problem", ({ detail }) => problems.push(detail));
  document.body.replaceChildren(pair.newVideo, pair.refVideo);
}"""
_REST = """() => new Promise((resolve) => {
  let nQuiet = 0;
  const look = () => {
    nQuiet = pair.isAtRest ? nQuiet + 1 : 0;
    if (nQuiet < 5) return requestAnimationFrame(look);
    const { t_new_s, t_ref_s, newShows, refShows } = pair;
    resolve({ t_new_s, t_ref_s, newShows, refShows, want_s: window.map ? map.toRef(t_new_s) : NaN });
  };
  look();
})"""
# The clocks of the videos themselves, at every frame that the browser draws.
_PLAY = """({ speed, until_s }) => new Promise((resolve) => {
  const samples = [];
  const began = performance.now();
  const look = () => {
    const t = pair.newVideo.currentTime;
    samples.push([performance.now() - began, t, pair.refVideo.currentTime - map.toRef(t)]);
    const isOver = !pair.isPlaying || (speed > 0 ? pair.t_new_s >= until_s : pair.t_new_s <= until_s);
    if (isOver) resolve(samples);
    else requestAnimationFrame(look);
  };
  pair.play(speed);
  look();
})"""
_FILES = re.compile("/files/")
# What an error of the network does to a video that is on show.
_BREAK = """() => {
  for (const video of document.querySelectorAll(".screen video")) video.src = video.getAttribute("src");
}"""
_BREAK_AFTER = """
addEventListener("%s", ({ target }) => setTimeout(() => {
  if (target.closest(".player.new")) target.src = "/no-video";
}), true);
"""
_SEE = """(isSeen) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => !isSeen });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """A folder that `own_desk` may read."""
    folder = tmp_path / "footage"
    folder.mkdir()
    return folder


@pytest.fixture
def own_desk(library: Path, tmp_path: Path, footage: Path) -> Iterator[Desk]:
    """A daemon that knows the sample and reads `footage` besides."""
    made = Desk(tmp_path, library, f"roots = ['{SAMPLE.as_posix()}', '{footage.as_posix()}']\n")
    made.start()
    yield made
    made.stop()


# --- the sample's pair ----------------------------------------------------------------------------------


@pytest.mark.long
def test_while_playing_the_clocks_agree_also_across_a_stop(desk: Desk, page: Page) -> None:
    _open_pair(desk, page)
    for speed, begin_s, until_s in ((1, *STOP_S), (2, 5.0, 14.0)):
        _go(page, f"pair.seekNew({begin_s})")
        samples = np.array(page.evaluate(_PLAY, {"speed": speed, "until_s": until_s}))
        settled = samples[samples[:, 0] > SETTLED_MS]
        assert settled[-1, 1] - settled[0, 1] > 0.7 * (until_s - begin_s)
        # A computer that is busy elsewhere may hold a browser up now and then.
        assert np.percentile(np.abs(settled[:, 2]), 95) < PLAYING_S
        rest = _go(page, "pair.pause()")
        assert abs(rest["t_ref_s"] - rest["want_s"]) < FRAME_S


def test_at_rest_both_stand_on_frames_of_the_same_place(desk: Desk, page: Page) -> None:
    _open_pair(desk, page)
    for t_new_s in (0.0, 5.0, 10.01, 19.99, 33.0):
        rest = _go(page, f"pair.seekNew({t_new_s})")
        assert rest["t_new_s"] == pytest.approx(round(t_new_s / FRAME_S) * FRAME_S, abs=SAME_S)
        _both_on_frames(rest)
        assert (rest["newShows"], rest["refShows"]) == (True, True)
    for t_ref_s in (4.0, 10.01, 30.3):
        rest = _go(page, f"pair.seekRef({t_ref_s})")
        assert rest["t_ref_s"] == pytest.approx(round(t_ref_s / FRAME_S) * FRAME_S, abs=SAME_S)
        _both_on_frames(rest)


def test_steps_are_frames_and_many_jumps_end_at_the_last(desk: Desk, page: Page) -> None:
    _open_pair(desk, page)
    _go(page, "pair.seekNew(10)")
    for does, t_new_s in (
        ("pair.step(1)", 10 + FRAME_S),
        ("pair.step(1); pair.step(1)", 10 + 3 * FRAME_S),
        ("pair.step(-5)", 10 - 2 * FRAME_S),
        ("pair.skip(1)", 11 - 2 * FRAME_S),
        ("for (let k = 0; k <= 100; k += 1) pair.seekNew(5 + k / 10)", 15),
    ):
        rest = _go(page, does)
        assert rest["t_new_s"] == pytest.approx(t_new_s, abs=SAME_S)
        _both_on_frames(rest)
    jumps = """() => new Promise((resolve) => {
      Object.assign(window, { nAsked: 0, nDone: 0 });
      pair.newVideo.addEventListener("seeked", () => { nDone += 1; });
      const drag = () => {
        for (let k = 0; k < 5; k += 1) pair.seekNew(5 + (nAsked += 1) / 20);
        if (nAsked < 200) requestAnimationFrame(drag);
        else resolve();
      };
      drag();
    })"""
    page.evaluate(jumps)
    assert _go(page)["t_new_s"] == pytest.approx(15, abs=SAME_S)
    n_asked, n_done = page.evaluate("[nAsked, nDone]")
    assert 0 < n_done < n_asked / 2


def test_backwards_and_to_the_end(desk: Desk, page: Page) -> None:
    _open_pair(desk, page)
    _go(page, "pair.seekNew(1)")
    page.evaluate(_PLAY, {"speed": -1, "until_s": 0.0})
    rest = _go(page)
    assert rest["t_new_s"] == 0
    _both_on_frames(rest)
    _go(page, "pair.seekNew(32.5)")
    # It stops by itself.
    page.evaluate(_PLAY, {"speed": 1, "until_s": 99.0})
    assert _go(page)["t_new_s"] == pytest.approx(1000 * FRAME_S, abs=FRAME_S)


def test_where_the_map_says_nothing_the_other_waits_at_the_edge(desk: Desk, page: Page) -> None:
    _open_pair(desk, page)
    narrow = """async (sync) => {
      const document = await (await fetch(`/api/v1/syncs/${sync}/map`)).json();
      window.map = new TimeMap({ ...document, support: [[5, 12]] });
      pair.setMap(map);
    }"""
    page.evaluate(narrow, desk.sync["id"])
    edges = page.evaluate("[map.toRef(5), map.toRef(12)]")
    for t_new_s, edge_s in ((2.0, edges[0]), (20.0, edges[1])):
        rest = _go(page, f"pair.seekNew({t_new_s})")
        assert (rest["newShows"], rest["refShows"]) == (True, False)
        assert rest["t_ref_s"] == pytest.approx(edge_s, abs=FRAME_S)
    for t_ref_s, t_new_s in ((1.0, 5.0), (30.0, 12.0)):
        rest = _go(page, f"pair.seekRef({t_ref_s})")
        assert (rest["newShows"], rest["refShows"]) == (False, True)
        assert rest["t_new_s"] == pytest.approx(t_new_s, abs=FRAME_S)
    _go(page, "pair.seekNew(11)")
    page.evaluate(_PLAY, {"speed": 1, "until_s": 13.0})
    rest = _go(page, "pair.pause()")
    assert not rest["refShows"]
    assert rest["t_ref_s"] == pytest.approx(edges[1], abs=FRAME_S)


def test_unlocked_each_moves_by_itself(desk: Desk, page: Page) -> None:
    _open_pair(desk, page)
    _go(page, "pair.setLocked(false); pair.seekNew(5)")
    rest = _go(page, "pair.seekRef(20)")
    assert [rest["t_new_s"], rest["t_ref_s"]] == pytest.approx([5, 20], abs=SAME_S)
    rest = _go(page, "pair.step(1)")
    assert [rest["t_new_s"], rest["t_ref_s"]] == pytest.approx([5, 20 + FRAME_S], abs=SAME_S)
    _both_on_frames(_go(page, "pair.setLocked(true)"))


# --- other files ----------------------------------------------------------------------------------------


def test_a_clock_that_begins_late_and_a_variable_rate(own_desk: Desk, page: Page, footage: Path) -> None:
    gaps_s = np.random.default_rng(4).uniform(0.02, 0.15, 59)
    times_s = np.round(np.concatenate([[0.0], np.cumsum(gaps_s)]), 3)
    write_video(footage / "late.mp4", _numbered(60), 30, times_s=(0.7 + times_s).tolist(), b_frames=2)
    _open_recording(own_desk, page, footage / "late.mp4")
    assert _go(page)["t_new_s"] == pytest.approx(0.0, abs=SAME_S)
    seen = [_go(page, "pair.step(1)")["t_new_s"] for _ in range(12)]
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
    # At rest the time is that of the very picture on show.
    assert all(np.abs(times_s - t_s).min() < SAME_S for t_s in seen)


def test_chapters_follow_each_other(own_desk: Desk, page: Page, footage: Path) -> None:
    for chapter in (1, 2):
        write_video(footage / f"GX0{chapter}0001.MP4", _numbered(45), 30)
    _open_recording(own_desk, page, footage / "GX010001.MP4")
    for t_s in (2.5, 0.5, 1.5):
        assert _go(page, f"pair.seekNew({t_s})")["t_new_s"] == pytest.approx(t_s, abs=SAME_S)
    _go(page, "pair.seekNew(1)")
    page.evaluate("window.map = { toRef: () => NaN }")
    page.evaluate(_PLAY, {"speed": 1, "until_s": 2.0})
    # Pictures may be a little behind the clock.
    assert _go(page, "pair.pause()")["t_new_s"] > 1.8
    assert "/files/1" in page.evaluate("pair.newVideo.src")


def test_where_the_original_cannot_be_played_the_camera_s_copy_is(
    own_desk: Desk, page: Page, footage: Path
) -> None:
    write_video(footage / "GX010001.MP4", _numbered(45), 30, codec="libx265")
    write_video(footage / "GL010001.LRV", _numbered(45), 30)
    _open_recording(own_desk, page, footage / "GX010001.MP4")
    assert _go(page, "pair.seekNew(1)")["t_new_s"] == pytest.approx(1, abs=SAME_S)
    assert page.evaluate("[pair.newVideo.videoWidth, problems.length]") == [64, 0]


def test_a_file_that_is_away_says_so(own_desk: Desk, page: Page, footage: Path) -> None:
    path = write_video(footage / "ride.mp4", _numbered(45), 30)
    recording = _known(own_desk, path)
    path.unlink()
    _open_pair(own_desk, page, recording)
    _go(page)
    (problem,) = page.evaluate("problems")
    assert problem["side"] == "new"
    assert "is not there" in problem["reason"]
    assert not problem["isUnplayable"]


# --- the page -------------------------------------------------------------------------------------------


def test_the_page_plays_steps_and_scrubs(desk: Desk, page: Page) -> None:
    desk.open(page, f"/run/{desk.run}")
    slider = page.get_by_role("slider", name="Where the new run stands")
    new_run, reference = page.locator(".player.new"), page.locator(".player.ref")
    expect(new_run.locator(".time")).to_have_text("0:00.000")
    slider.fill("10")
    expect(new_run.locator(".time")).to_have_text("0:10.000")
    expect(new_run.locator(".frame")).to_have_text("300")
    # The truth is 12.224 s.
    expect(reference.locator(".time")).to_have_text(_near(12.224))
    page.get_by_role("button", name="One frame on").click()
    expect(new_run.locator(".frame")).to_have_text("301")
    slider.focus()
    slider.press("ArrowLeft")
    expect(new_run.locator(".frame")).to_have_text("300")
    page.get_by_role("slider", name="Where the reference stands").fill("20")
    expect(reference.locator(".time")).to_have_text("0:20.000")
    expect(new_run.locator(".time")).not_to_have_text("0:10.000")
    status = page.get_by_role("group", name="Playing").get_by_role("status")
    page.get_by_role("button", name="Play").click()
    expect(status).to_have_text("Playing")
    page.get_by_role("button", name="Pause").click()
    expect(status).to_have_text("Paused")
    together = page.get_by_role("button", name="Move together")
    expect(together).to_have_attribute("aria-pressed", "true")
    together.click()
    expect(together).to_have_attribute("aria-pressed", "false")
    slider.fill("5")
    expect(new_run.locator(".time")).to_have_text("0:05.000")


def test_what_no_browser_plays_is_offered_as_a_light_copy(own_desk: Desk, page: Page, footage: Path) -> None:
    path = write_video(
        footage / "ride.mp4", _numbered(45), 30, codec="libx265", metadata={"timecode": "01:00:00:00"}
    )
    recording = _known(own_desk, path)
    picture = page.request.get(
        f"{own_desk.url}/api/v1/recordings/{recording}/picture",
        headers={"Authorization": f"Bearer {own_desk.token}"},
    )
    assert (picture.status, picture.headers["content-type"]) == (200, "image/jpeg")
    assert picture.body()[:2] == b"\xff\xd8"
    own_desk.open(page, f"/run/{recording}")
    expect(page.get_by_text("This browser cannot play this kind of video.")).to_be_visible()
    page.get_by_role("button", name="Make a light copy").click()
    expect(page.get_by_text("cannot play")).to_have_count(0)
    own_desk.until(lambda: own_desk.ask("GET", f"/recordings/{recording}")["has_light_copy"])
    slider = page.get_by_role("slider", name="Where the new run stands")
    slider.fill("1")
    expect(page.locator(".player.new .time")).to_have_text("0:01.000")
    expect(page.locator(".player.new .timecode")).to_have_text("01:00:01:00")
    expect(page.locator(".player.new video")).to_have_attribute("src", re.compile("which=light"))
    assert len(own_desk.jobs("light")) == 1


def test_a_video_is_back_when_mtbsync_is(desk: Desk, page: Page) -> None:
    desk.open(page, f"/run/{desk.run}")
    expect(page.locator(".player.new .time")).to_have_text("0:00.000")
    page.route(_FILES, lambda route: route.abort("connectionrefused"))
    page.evaluate(_BREAK)
    problem = page.locator(".player.new .problem")
    expect(problem).to_contain_text("mtbsync does not answer")
    expect(problem.get_by_role("button", name="Make a light copy")).to_have_count(0)
    page.unroute(_FILES)
    problem.get_by_role("button", name="Try again").click()
    expect(problem).to_have_count(0)
    page.route(_FILES, lambda route: route.abort("connectionrefused"))
    page.evaluate(_BREAK)
    expect(problem).to_be_visible()
    page.unroute(_FILES)
    # A page that is seen again looks at everything anew, as one does that hears of mtbsync again.
    page.evaluate(_SEE, False)
    page.evaluate(_SEE, True)
    expect(problem).to_have_count(0)
    page.get_by_role("slider", name="Where the new run stands").fill("10")
    expect(page.locator(".player.new .time")).to_have_text("0:10.000")


@pytest.mark.parametrize("moment", [pytest.param("loadeddata", marks=pytest.mark.long), "seeked"])
def test_what_breaks_down_before_its_first_picture_is_said(desk: Desk, page: Page, moment: str) -> None:
    page.add_init_script(_BREAK_AFTER % moment)
    desk.open(page, f"/run/{desk.run}")
    expect(page.locator(".player.new .problem")).to_be_visible()


def test_what_breaks_down_while_it_plays_stays_where_it_was(desk: Desk, page: Page) -> None:
    desk.open(page, f"/run/{desk.run}")
    clocks = page.locator(".players .time")
    page.get_by_role("slider", name="Where the new run stands").fill("5")
    expect(clocks.first).to_have_text("0:05.000")
    page.get_by_role("button", name="Play").click()
    # It goes on while nobody looks.
    expect(clocks.first).to_have_text(re.compile("0:(0[6-9]|[123])"))
    page.route(_FILES, lambda route: route.abort())
    page.evaluate(_BREAK)
    expect(page.locator(".player.new .problem")).to_be_visible()
    expect(page.get_by_role("button", name="Play")).to_be_disabled()
    page.keyboard.press("ArrowRight")
    for time in clocks.all():
        expect(time).to_have_text(re.compile(r"0:\d\d\.\d{3}"))


def test_a_light_copy_that_is_no_good_is_tried_once(desk: Desk, page: Page) -> None:
    asked: list[str] = []

    def with_light_copy(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "has_light_copy": True})

    def broken(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=200, content_type="video/mp4", body=bytes(2000))

    page.route("**/api/v1/recordings/*", with_light_copy)
    page.route(_FILES, broken)
    desk.open(page, f"/run/{desk.run}")
    problems = page.locator(".screen .problem")
    expect(problems).to_have_count(2)
    expect(problems.get_by_role("button", name="Make a light copy")).to_have_count(2)
    # Had it begun anew, the problems would be gone and come back meanwhile.
    page.get_by_role("slider", name="Where the new run stands").fill("10")
    expect(page.locator(".player.new .time")).to_have_text("0:10.000")
    # Either copy of either video was looked at by the player, and then by who tells what is wrong.
    assert len(asked) <= 2 * 2 * 2
    assert {url.partition("which=")[2] for url in asked} == {"light", "original"}


def test_a_page_that_is_not_seen_holds_no_connection(desk: Desk, page: Page) -> None:
    desk.open(page, f"/run/{desk.run}")
    expect(page.locator(".player.new .time")).to_have_text("0:00.000")
    desk.until(lambda: _n_streams(desk) == 1)
    page.get_by_role("button", name="Play").click()
    page.evaluate(_SEE, False)
    expect(page.get_by_role("group", name="Playing").get_by_role("status")).to_have_text("Paused")
    # Only who tells something meets one that has gone.
    marker = next(iter(desk.markers().values()))
    path = f"/recordings/{desk.run}/markers/{marker['id']}"
    desk.ask("PATCH", path, {"comment": "said while nobody looked"}, If_Match="*")
    desk.until(lambda: _n_streams(desk) == 0)
    page.evaluate(_SEE, True)
    desk.until(lambda: _n_streams(desk) == 1)


def test_a_video_at_rest_fetches_no_more_than_it_shows(desk: Desk, page: Page) -> None:
    _open_pair(desk, page)
    _go(page)
    assert page.evaluate("[pair.newVideo.preload, pair.refVideo.preload]") == ["metadata", "metadata"]
    page.evaluate("pair.close()")
    assert page.evaluate("[pair.newVideo, pair.refVideo].map((v) => v.networkState)") == [0, 0]


def test_a_stream_that_was_refused_is_asked_for_again(desk: Desk, page: Page) -> None:
    page.clock.install()
    refused = {"status": 503, "content_type": "application/problem+json", "body": '{"detail": "Too many."}'}
    page.route("**/api/v1/events", lambda route: route.fulfill(**refused))
    desk.open(page)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Too many.")
    page.unroute("**/api/v1/events")
    page.clock.run_for(10_000)
    expect(alert).to_be_empty()
    desk.until(lambda: _n_streams(desk) == 1)


def test_that_mtbsync_does_not_answer_is_said_until_it_does(desk: Desk, page: Page) -> None:
    desk.open(page)
    alert = page.get_by_role("alert")
    page.route("**/api/v1/health", lambda route: route.abort())
    asks = """async (path) => {
      const { ask, complain } = await import("/web/js/api.js");
      await ask(path).catch(complain);
    }"""

    def is_said() -> bool:
        page.evaluate(asks, "/health")
        return "mtbsync does not answer" in alert.inner_text()

    # What the page asks for itself as it opens is answered, which says that all is well.
    desk.until(is_said)
    # Of what was refused nobody is told that it is well.
    page.evaluate(asks, "/folders")
    expect(alert).to_be_empty()
    page.evaluate(asks, "/recordings/none")
    page.evaluate(asks, "/folders")
    expect(alert).not_to_be_empty()


def test_who_leaves_at_once_leaves_no_mistakes(desk: Desk, page: Page) -> None:
    desk.open(page)
    for _ in range(4):
        page.evaluate("(place) => { location.hash = place; }", f"#/run/{desk.run}")
        expect(page.locator(".players")).to_be_visible()
        page.evaluate("() => { location.hash = '#/'; }")
        expect(page.locator(".players")).to_have_count(0)


def test_there_is_no_picture_of_a_file_that_is_away(own_desk: Desk, footage: Path) -> None:
    path = write_video(footage / "ride.mp4", _numbered(45), 30)
    recording = _known(own_desk, path)
    path.unlink()
    status, problem = own_desk.answer("GET", f"/recordings/{recording}/picture")
    assert status == 404
    assert "is not there" in problem["detail"]
    assert own_desk.answer("GET", "/recordings/none/picture")[0] == 404
    assert own_desk.answer("POST", "/recordings/none/light-copy")[0] == 404


# --- helpers --------------------------------------------------------------------------------------------


def _numbered(n: int, size: tuple[int, int] = (64, 48)) -> list[Image]:
    """Pictures that tell their own number by how bright they are."""
    return [np.full((size[1], size[0]), 10 + 4 * number, dtype=np.uint8) for number in range(n)]


def _known(desk: Desk, path: Path) -> str:
    """The id of a video, once the daemon knows it."""
    return str(desk.ask("POST", "/recordings", {"paths": [str(path)]})["recordings"][0]["id"])


def _n_streams(desk: Desk) -> float:
    """How many follow what happens."""
    return desk.metric("mtbsync_event_streams")


def _open_pair(desk: Desk, page: Page, recording: str | None = None) -> None:
    """Two players and nothing else: of the sample's run and reference, or of one recording."""
    page.request.get(desk.ask("POST", "/login-codes")["url"])
    page.goto(f"{desk.url}/web/js/players.js")
    if recording is None:
        wanted = {"newId": desk.run, "refId": desk.reference, "sync": desk.sync["id"]}
    else:
        wanted = {"newId": recording, "refId": None, "sync": None}
    page.evaluate(_MAKE, wanted)


def _open_recording(desk: Desk, page: Page, path: Path) -> None:
    _open_pair(desk, page, _known(desk, path))


def _go(page: Page, does: str = "") -> dict[str, Any]:
    """Do something, and give what stands there when all is at rest."""
    if does:
        page.evaluate(f"() => {{ {does} }}")
    found: dict[str, Any] = page.evaluate(_REST)
    return found


def _both_on_frames(rest: dict[str, Any]) -> None:
    for t_s in (rest["t_new_s"], rest["t_ref_s"]):
        assert t_s / FRAME_S == pytest.approx(round(t_s / FRAME_S), abs=0.03)
    assert abs(rest["t_ref_s"] - rest["want_s"]) < FRAME_S


def _near(t_s: float) -> re.Pattern[str]:
    """The frames within a tenth of a second, as the page writes them."""
    first = int(t_s * 30)
    return re.compile("|".join(re.escape(f"0:{k / 30:06.3f}") for k in range(first - 3, first + 4)))
