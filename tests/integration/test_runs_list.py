"""What the list of runs is told: who waits for a person, and what went wrong and is still so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon.store.trails import TrailMarker
from support.served import Served, served


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "daemon") as found:
        yield found


def _run(daemon: Served, **finds: Any) -> dict[str, Any]:
    """A run after it was compared with a trail that has a marker."""
    daemon.refer(daemon.know("REF.MP4"), "Home", [TrailMarker("gate", "Gate", 10.0)])
    daemon.executor.finds = finds
    run = daemon.know("RUN.MP4")
    daemon.post("/syncs", {"recording": run})
    daemon.until_idle()
    found: dict[str, Any] = daemon.get(f"/recordings/{run}")
    return found


def _waiting(daemon: Served) -> list[str]:
    return [recording["name"] for recording in daemon.get("/recordings?show=waiting")["recordings"]]


def _review(daemon: Served, run: dict[str, Any]) -> None:
    """Have one of its markers wait for a person."""
    rows = daemon.get(f"/recordings/{run['id']}/markers")["markers"]
    about = {"marker_id": rows[0]["id"], "name": "Gate", "colour": "", "comment": "", "extra": ()}
    about |= {"t_ref_s": 10.0, "t_s": 10.0, "duration_s": 0.0, "confidence": 0.4, "expected_error_s": 0.9}
    daemon.place(run["id"], [about | {"needs_review": True, "reason": "Little was seen."}])


def test_a_run_that_was_dismissed_waits_no_more_whatever_its_markers_are(daemon: Served) -> None:
    run = _run(daemon, verdict="review")
    _review(daemon, run)
    assert _waiting(daemon) == ["RUN.MP4"]
    sent = {"If-Match": "*"}
    reply = daemon.ask("PATCH", f"/api/v1/syncs/{run['sync']['id']}", {"dismissed": True}, sent)
    assert reply.status == 200
    assert daemon.get(f"/recordings/{run['id']}")["markers"]["n_to_review"] == 1
    assert _waiting(daemon) == []


def test_a_run_that_became_a_reference_waits_no_more(daemon: Served) -> None:
    run = _run(daemon, verdict="accept")
    _review(daemon, run)
    assert _waiting(daemon) == ["RUN.MP4"]
    daemon.post("/trails", {"recording": run["id"], "name": "Another"})
    assert _waiting(daemon) == []


def test_what_failed_is_told_until_it_was_done_well(daemon: Served) -> None:
    run = _run(daemon, error="The picture at 0:12 cannot be read.")
    (trouble,) = run["troubles"]
    assert trouble["kind"] == "sync"
    assert trouble["error"] == "The picture at 0:12 cannot be read."
    assert not trouble["is_tried_again"]
    daemon.executor.finds = {}
    daemon.post(f"/jobs/{trouble['job']}/retry")
    daemon.until_idle()
    assert daemon.get(f"/recordings/{run['id']}")["troubles"] == []


def test_what_a_later_job_of_its_kind_did_is_no_trouble_any_more(daemon: Served) -> None:
    run = _run(daemon, error="The picture at 0:12 cannot be read.")
    daemon.executor.finds = {}
    other = daemon.refer(daemon.know("OTHER.MP4"), "Another")
    daemon.post("/syncs", {"recording": run["id"], "trail": other})
    daemon.until_idle()
    assert daemon.get(f"/recordings/{run['id']}")["troubles"] == []
