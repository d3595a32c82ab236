"""The review desk as a person meets it: a real daemon that knows the sample's trail and a run, and its page.

The library is made once for all tests, and each gets a copy of its own.
"""

from __future__ import annotations

import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock
from playwright.sync_api import Page, expect

from mtbsync_integrations.formats.marker_csv import read_markers
from support.daemons import PATIENCE_S, Daemon

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
TRAIL = "Home trail"

expect.set_options(timeout=PATIENCE_S * 1000)


def chromium() -> str | None:
    """Where Chromium is, if it is anywhere."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)


class Desk(Daemon):
    """A daemon below `root`; with `library` it begins with a copy of what that daemon's folder holds."""

    def __init__(self, root: Path, library: Path | None = None, settings: str = "") -> None:
        super().__init__(root, settings or f"roots = ['{SAMPLE.as_posix()}']\n")
        if library is not None:
            shutil.copytree(library / "data", self.data)

    def recording(self, name: str) -> dict[str, Any]:
        """The recording of that name, as it is now."""
        found = self.ask("GET", f"/recordings?q={name}")["recordings"]
        return next(recording for recording in found if recording["name"] == name)

    @cached_property
    def run(self) -> str:
        """The id of the run on the sample's trail."""
        return str(self.recording("new.mp4")["id"])

    @cached_property
    def reference(self) -> str:
        """The id of the trail's reference."""
        return str(self.recording("ref.mp4")["id"])

    @property
    def sync(self) -> dict[str, Any]:
        """The run's sync, as it is now."""
        found: dict[str, Any] = self.recording("new.mp4")["sync"]
        return found

    def markers(self) -> dict[str, dict[str, Any]]:
        """The run's markers by their names, as they are now."""
        return {m["name"]: m for m in self.ask("GET", f"/recordings/{self.run}/markers")["markers"]}

    def map(self) -> dict[str, Any]:
        """The map of the run, once it is fitted with all its anchors."""
        path = f"/syncs/{self.sync['id']}/map"
        found: dict[str, Any] = self.until(lambda: _settled(self.ask("GET", path)))
        return found

    def open(self, page: Page, place: str = "") -> None:
        """Let a browser's page in, and open `place` behind the #: "/run/ID"."""
        page.goto(self.ask("POST", "/login-codes")["url"])
        if place:
            page.goto(f"{self.url}/#{place}")


def asks_before_it_closes(page: Page) -> bool:
    """Whether a page that is closed now would ask about what is not saved."""
    asks: bool = page.evaluate("!dispatchEvent(new Event('beforeunload', {cancelable: true}))")
    return asks


def make_library(root: Path) -> Path:
    """A folder with a library that knows the sample: its reference with its markers as a trail, and its run
    lined up with it. Made once below `root`, whoever asks first."""
    made = root / "desk_library"
    with FileLock(root / "desk_library.lock"):
        if not (made / "made").exists():
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            _fill(made)
            (made / "made").touch()
    return made


def _fill(folder: Path) -> None:
    desk = Desk(folder)
    desk.start()
    try:
        ref, new = (
            desk.ask("POST", "/recordings", {"paths": [str(SAMPLE / name)]})["recordings"][0]
            for name in ("ref.mp4", "new.mp4")
        )
        marked = [
            {
                "name": m.name,
                "t_s": m.t_s,
                "duration_s": m.duration_s,
                "colour": m.colour,
                "comment": m.comment,
            }
            for m in read_markers(SAMPLE / "markers.csv")
        ]
        desk.ask("POST", "/trails", {"recording": ref["id"], "name": TRAIL, "markers": marked})
        desk.until_idle()
        desk.ask("POST", "/syncs", {"recording": new["id"]})
        desk.until_idle()
    finally:
        desk.stop()


def _settled(document: dict[str, Any]) -> dict[str, Any] | None:
    wanted = sorted([anchor["t_new_s"], anchor["t_ref_s"]] for anchor in document["anchors"])
    is_fitted = json.dumps(wanted) == json.dumps(sorted(map(list, document["fitted"])))
    return document if is_fitted and not document["is_pending"] else None
