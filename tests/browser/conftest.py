"""A real browser, a real daemon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from support.daemons import PATIENCE_S
from support.desk import Desk, chromium, make_library

_OPTIONS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    # Playwright keeps an event loop running in this thread: no other test could start one until it ends.
    path = chromium()
    if path is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=_OPTIONS, timeout=PATIENCE_S * 1000)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A library that knows the sample's trail and its run. Not to be changed."""
    base = tmp_path_factory.getbasetemp()
    return make_library(base if worker_id == "master" else base.parent)


@pytest.fixture
def desk(library: Path, tmp_path: Path) -> Iterator[Desk]:
    """A daemon over a copy of it."""
    made = Desk(tmp_path, library)
    made.start()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a browser of its own; it fails where a script does."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_S * 1000)
    opened = context.new_page()
    mistakes: list[str] = []
    opened.on("pageerror", lambda error: mistakes.append(str(error)))
    opened.on(
        "console",
        lambda said: mistakes.append(said.text) if said.type == "error" and _is_ours(said.text) else None,
    )
    yield opened
    # What a test answers itself may be under way still.
    opened.unroute_all(behavior="ignoreErrors")
    context.close()
    assert not mistakes


def _is_ours(said: str) -> bool:
    # Chromium says so of every answer from 400 on, also of those that are meant.
    return not said.startswith("Failed to load resource")
