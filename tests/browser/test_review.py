"""A ride from the moment it is dropped onto the page to the file for the editor."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from mtbsync_engine.model import TimeMap
from mtbsync_integrations.formats.marker_csv import read_transferred
from support.desk import SAMPLE, TRAIL, Desk

MARKER = "Branch in the face"
FRAME_S = 1 / 30
# What the two videos on the page say themselves, at each frame that the browser draws.
_WATCH = """(for_ms) => new Promise((resolve) => {
  const [ours, theirs] = document.querySelectorAll(".screen video");
  const samples = [];
  const began = performance.now();
  const look = () => {
    const at_ms = performance.now() - began;
    samples.push([at_ms, ours.currentTime, theirs.currentTime]);
    if (at_ms < for_ms) requestAnimationFrame(look);
    else resolve(samples);
  };
  look();
})"""
_STAND = """() => {
  const videos = [...document.querySelectorAll(".screen video")];
  return videos.length === 2 && videos.every((v) => v.paused && !v.seeking && v.readyState > 1);
}"""
_MOVE = """(was) => [...document.querySelectorAll(".screen video")].every((v, k) => v.currentTime > was[k])"""
SETTLED_MS = 500


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    """A daemon that knows the trail only."""
    made = Desk(tmp_path)
    made.start()
    (ref,) = made.ask("POST", "/recordings", {"paths": [str(SAMPLE / "ref.mp4")]})["recordings"]
    marked = [{"name": name, "t_s": t_s} for name, t_s in ((MARKER, 5.267), ("Big pale patch", 24.767))]
    made.ask("POST", "/trails", {"recording": ref["id"], "name": TRAIL, "markers": marked})
    made.until_idle()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


def time_map(desk: Desk) -> TimeMap:
    """The run's map, as the engine reads it."""
    told = desk.map()
    knots = [np.array(told[name]) for name in ("t_new", "t_ref", "se_s")]
    return TimeMap(*knots, tuple((a, b) for a, b in told["support"]))


def row(page: Page, name: str) -> Any:
    return page.locator(".grid .body [role=row]").filter(has_text=name)


def test_from_a_dropped_ride_to_the_editor_s_file(desk: Desk, page: Page) -> None:
    # It is dropped, lined up, and opened.
    desk.open(page)
    page.locator("input[type=file]").first.set_input_files(SAMPLE / "new.mp4")
    link = page.get_by_role("link", name="new.mp4")
    expect(page.locator("main")).to_contain_text("Lined up")
    desk.until_idle()
    link.click()
    expect(row(page, MARKER)).to_be_visible()
    found = desk.markers()[MARKER]

    # Both play the same place, and stand at it.
    desk.until(lambda: page.evaluate(_STAND))
    fitted, (_, *stood_s) = time_map(desk), page.evaluate(_WATCH, 0)[0]
    page.locator("body").press("Space")
    page.wait_for_function(_MOVE, arg=stood_s)
    played = np.array(page.evaluate(_WATCH, 3000))
    page.locator("body").press("Space")
    settled = played[played[:, 0] > SETTLED_MS]
    off_s = np.abs(settled[:, 2] - fitted.to_ref(settled[:, 1]))
    # A busy computer holds a video up now and then; how soon the other follows is tested with the players.
    assert np.median(off_s) < 0.08

    def stand_at_one_place() -> bool:
        _, t_new_s, t_ref_s = page.evaluate(_WATCH, 0)[0]
        return bool(page.evaluate(_STAND) and abs(t_ref_s - fitted.to_ref(t_new_s)) <= FRAME_S)

    # Once one has come to rest, the other jumps to where it stands.
    desk.until(stand_at_one_place)

    # A nudge is an anchor, and the map goes through it.
    row(page, MARKER).click()
    # Each side stands on the marker's own frame.
    expect(page.locator(".player.ref .frame")).to_have_text(str(round(found["t_ref_s"] / FRAME_S)))
    page.keyboard.press("Shift+Period")
    desk.until(lambda: desk.markers()[MARKER]["state"] == "corrected")
    nudged = desk.markers()[MARKER]
    assert abs(nudged["t_s"] - found["t_s"] - 10 * FRAME_S) < 1e-6
    assert abs(float(time_map(desk).to_ref(nudged["t_s"])) - found["t_ref_s"]) < 0.02

    # So is a place without a marker; it is taken back.
    page.get_by_role("slider", name="Where the new run stands").fill("20")
    expect(page.locator(".player.new .time")).to_have_text("0:20.000")
    desk.until(lambda: page.evaluate(_STAND))
    page.locator("body").press("s")
    desk.until(lambda: len(desk.map()["anchors"]) == 2)
    page.locator("body").press("z")
    desk.until(lambda: len(desk.map()["anchors"]) == 1)

    # The file for the editor says where it stands now.
    desk.until_idle()
    out = page.locator("#out")
    out.locator(":scope > summary").click()
    with page.expect_download() as download:
        out.get_by_role("link", name=re.compile(r"Download .*\.csv")).first.click()
    (written,) = [m for m in read_transferred(Path(download.value.path())) if m.marker.name == MARKER]
    assert written.t_new == nudged["t_s"]

    # All of it is there after a reload, and after a restart.
    page.reload()
    expect(row(page, MARKER)).to_contain_text("corrected")
    desk.stop()
    desk.start()
    assert desk.markers()[MARKER] == nudged
    assert [anchor["marker"] for anchor in desk.map()["anchors"]] == [nudged["id"]]
    desk.open(page, f"/run/{desk.run}")
    page.get_by_role("button", name=re.compile("^Undo")).click()
    desk.until(lambda: desk.markers()[MARKER]["t_s"] == found["t_s"])
    assert desk.map()["anchors"] == []
