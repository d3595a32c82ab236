"""Draw the pictures of the README, from what `make demo` left in demo_out, and of three made cameras.

Pages are drawn by Chromium."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from playwright.sync_api import Browser, Page, sync_playwright
from scripts.bench import ROOT
from scripts.demo import DATA, MTBSYNC, SETTINGS

from mtbsync_daemon.client import Client, connect
from mtbsync_engine.media import probe, read_picture
from mtbsync_integrations.formats.marker_csv import read_transferred
from support.scene import Image
from support.sounds import drifted, event_sound, mixed, piece, wind, write_video_with_sound

IMAGES = ROOT / "docs" / "images"
SAMPLE = ROOT / "data" / "sample"
SHOWN = ("branch", "slalom", "leaning", "pale")
TITLE = "Finale Saturday"
RATE_HZ = 48_000
# When each camera begins and how long it records, in seconds; by how many ppm its clock is off; how near it
# sees.
CAMERAS = {
    "helmet": (0.0, 36.0, 0.0, 1.0),
    "chest": (4.2, 24.0, 14.0, 1.5),
    "friend": (11.7, 20.0, -38.0, 2.2),
}
WINDY = "chest"


def draw_same_places() -> None:
    """The reference above, the new run below, at the same markers."""
    runs = (probe(SAMPLE / "ref.mp4"), probe(SAMPLE / "new.mp4"))
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


def draw_page(browser: Browser) -> None:
    """The runs, and the desk of the demo's run where its third marker is."""
    with _daemon(SETTINGS, DATA) as daemon:
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
        page.close()


def _show_marker(page: Page, name: str) -> None:
    page.get_by_text(name, exact=True).first.click()
    _wait_for_videos(page)


def _wait_for_videos(page: Page) -> None:
    """All of them show where they were sent."""
    stands = "v.readyState > 1 && !v.seeking && v.currentTime > 1"
    page.wait_for_function(f"() => [...document.querySelectorAll('video')].every((v) => {stands})")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def draw_session(browser: Browser) -> None:
    """Three cameras of one event, lined up."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        settings, data = folder / "mtbsync.toml", folder / "data"
        settings.write_text(f'roots = ["{folder.as_posix()}"]\n', encoding="utf-8")
        films = [_film(folder, name) for name in CAMERAS]
        with _daemon(settings, data) as daemon:
            for command, *words in (
                ("create", "--location", "Finale Ligure"),
                ("add", *films),
                ("sync", "--master", "A"),
                ("approve", "B"),
            ):
                subprocess.run([MTBSYNC, "session", command, TITLE, *words, "--data", data], check=True)
            page = browser.new_page(viewport={"width": 1280, "height": 1130}, color_scheme="light")
            page.goto(daemon.login_url())
            page.get_by_role("link", name="Sessions").click()
            page.get_by_role("link", name=TITLE).click()
            page.get_by_label("Camera C at the playhead").wait_for()
            for _ in range(15):
                page.locator(".wave-box").press("ArrowRight")
            page.wait_for_load_state("networkidle")
            _wait_for_videos(page)
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=IMAGES / "session.png")
            page.close()


def _film(folder: Path, name: str) -> Path:
    """What one of the `CAMERAS` recorded."""
    begins_s, lasts_s, drift_ppm, zoom = CAMERAS[name]
    heard = drifted(piece(event_sound(3, 40.0, RATE_HZ), begins_s, lasts_s, RATE_HZ), drift_ppm)
    if name == WINDY:
        heard = mixed(heard, wind(5, lasts_s + 1.0, RATE_HZ), snr_db=0.0)
    path = folder / f"{name}.mp4"
    return write_video_with_sound(path, heard, RATE_HZ, fps=30, images=_seen(begins_s, lasts_s, zoom))


def _seen(begins_s: float, lasts_s: float, zoom: float) -> Iterator[Image]:
    with av.open(str(SAMPLE / "ref.mp4")) as video:
        for frame in video.decode(video=0):
            assert frame.time is not None
            if begins_s <= frame.time < begins_s + lasts_s:
                picture = frame.to_ndarray(format="rgb24")
                size = (picture.shape[1], picture.shape[0])
                middle = (0.5 * size[0], 0.5 * size[1])
                yield cv2.warpAffine(picture, cv2.getRotationMatrix2D(middle, 0, zoom), size)


@contextmanager
def _daemon(settings: Path, data: Path) -> Iterator[Client]:
    """A daemon with these settings."""
    serving = subprocess.Popen(
        [MTBSYNC, "serve", "--config", settings, "--data", data], stdin=subprocess.DEVNULL
    )
    try:
        while not (data / "daemon.json").exists():
            if serving.poll() is not None:
                raise SystemExit("The daemon does not start; run `make demo` again.")
            time.sleep(0.1)
        yield connect(data)
    finally:
        serving.terminate()
        serving.wait()


def _draw_pages() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
        )
        draw_page(browser)
        draw_session(browser)
        browser.close()


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    draw_same_places()
    shutil.copyfile(ROOT / "demo_out" / "sync.png", IMAGES / "sync.png")
    _draw_pages()
