"""Draw the pictures of the README from what `make demo` left in demo_out. The page is drawn by Chromium."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from playwright.sync_api import Page, sync_playwright
from scripts.demo import DATA, MTBSYNC, SETTINGS

from mtbsync_daemon.client import Client, connect
from mtbsync_engine.media import probe, read_picture
from mtbsync_integrations.formats.marker_csv import read_transferred

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SHOWN = ("branch", "slalom", "leaning", "pale")


def draw_same_places() -> None:
    """The reference above, the new run below, at the same markers."""
    sample = ROOT / "data" / "sample"
    runs = (probe(sample / "ref.mp4"), probe(sample / "new.mp4"))
    markers = [
        m
        for m in read_transferred(ROOT / "demo_out" / "markers" / "new_csv.csv")
        if m.marker.marker_id in SHOWN
    ]
    figure = Figure(figsize=(12.8, 3.95), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(markers))
    for column, marker in zip(axes.T, markers, strict=True):
        if marker.t_new is None:
            raise SystemExit(f"{marker.marker.name} was not placed; run `make demo` again.")
        for ax, run, t_s in zip(column, runs, (marker.marker.t_s, marker.t_new), strict=True):
            ax.imshow(read_picture(run, t_s, max_side=640))
            ax.set_axis_off()
            ax.text(0.98, 0.04, f"{t_s:.2f} s", transform=ax.transAxes, ha="right", color="white", fontsize=9)
        column[0].set_title(marker.marker.name, fontsize=10, loc="left")
    for ax, run in zip(axes[:, 0], ("Reference, marked up", "New run, found by itself"), strict=True):
        ax.text(-0.03, 0.5, run, transform=ax.transAxes, rotation=90, va="center", ha="right", fontsize=10)
    figure.subplots_adjust(left=0.03, right=0.995, top=0.92, bottom=0.01, wspace=0.03, hspace=0.04)
    figure.savefig(IMAGES / "same_places.png")


def draw_page() -> None:
    """The runs, and the desk of the demo's run where its third marker is."""
    with _daemon() as daemon, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        runs = daemon.get("/recordings")["recordings"]
        run = next(recording for recording in runs if not recording["is_reference"])
        page.goto(daemon.login_url())
        page.get_by_role("link", name=run["name"]).wait_for()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=IMAGES / "runs.png", clip={"x": 0, "y": 0, "width": 1280, "height": 560})
        page.set_viewport_size({"width": 1280, "height": 1130})
        page.goto(f"{daemon.url}/#/run/{run['id']}")
        _show_marker(page, "Blue, then magenta")
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=IMAGES / "desk.png")
        browser.close()


def _show_marker(page: Page, name: str) -> None:
    page.get_by_text(name, exact=True).first.click()
    stands = "v.readyState > 1 && !v.seeking && v.currentTime > 1"
    page.wait_for_function(f"() => [...document.querySelectorAll('video')].every((v) => {stands})")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@contextmanager
def _daemon() -> Iterator[Client]:
    """The demo's daemon, started again."""
    serving = subprocess.Popen(
        [MTBSYNC, "serve", "--config", SETTINGS, "--data", DATA], stdin=subprocess.DEVNULL
    )
    try:
        while not (DATA / "daemon.json").exists():
            if serving.poll() is not None:
                raise SystemExit("The demo's daemon does not start; run `make demo` again.")
            time.sleep(0.1)
        yield connect(DATA)
    finally:
        serving.terminate()
        serving.wait()


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    draw_same_places()
    shutil.copyfile(ROOT / "demo_out" / "sync.png", IMAGES / "sync.png")
    draw_page()
