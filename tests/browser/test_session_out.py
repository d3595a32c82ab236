"""What goes out of a session, on its page: what holds for all formats once, then each with what it loses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.desk import Desk
from support.sessions import add_session


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Desk, str]]:
    """A daemon with a session, and the session's id."""
    made = tmp_path / "made"
    session_id = add_session(made / "data", made / "footage")
    (tmp_path / "desk").mkdir()
    started = Desk(tmp_path / "desk", made, f"roots = ['{made.as_posix()}']\n")
    started.start()
    yield started, session_id
    started.stop()


def test_what_holds_for_all_files_is_said_once_above_them(page: Page, desk: tuple[Desk, str]) -> None:
    served, session_id = desk
    told = served.ask("GET", f"/sessions/{session_id}/offers")
    assert told["notes"]
    served.open(page, f"/session/{session_id}")
    page.get_by_text("Files out").click()
    out = page.locator("#out")
    expect(out.locator(".offer code")).to_have_text([offer["format"] for offer in told["offers"]])
    expect(out.get_by_role("note")).to_have_text(told["notes"])
    for note in told["notes"]:
        expect(out.get_by_text(note)).to_have_count(1)
