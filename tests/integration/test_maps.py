"""Places that a person vouches for, on the real daemon: the map is fitted again, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.desk import Desk, make_library


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory, worker_id: str, tmp_path: Path) -> Iterator[Desk]:
    base = tmp_path_factory.getbasetemp()
    made = Desk(tmp_path, make_library(base if worker_id == "master" else base.parent))
    made.start()
    yield made
    made.stop()


def test_a_marker_that_is_nudged_takes_its_neighbours_along_and_undo_brings_all_back(desk: Desk) -> None:
    before, found = desk.map(), desk.markers()
    name, near, far = "Branch in the face", "Blue, then magenta", "Last patch before the finish"
    marker = found[name]
    path = f"/recordings/{desk.run}/markers/{marker['id']}"
    moved = desk.ask("PATCH", path, {"t_s": marker["t_s"] + 0.4}, If_Match=f'"{marker["version"]}"')
    assert moved["state"] == "corrected"
    fitted = desk.map()
    assert [[a["t_new_s"], a["t_ref_s"]] for a in fitted["anchors"]] == [[moved["t_s"], marker["t_ref_s"]]]
    assert fitted["t_ref"] != before["t_ref"]
    now = desk.markers()
    assert now[near]["t_s"] != found[near]["t_s"]
    assert now[far]["t_s"] == pytest.approx(found[far]["t_s"], abs=0.02)
    assert desk.ask("POST", f"/recordings/{desk.run}/undo")["what"] == f"{name} moved"
    after = desk.map()
    assert (after["t_new"], after["t_ref"]) == (before["t_new"], before["t_ref"])
    assert {n: m["t_s"] for n, m in desk.markers().items()} == {n: m["t_s"] for n, m in found.items()}


def test_p3_what_was_put_right_is_there_after_the_daemon_was_killed(desk: Desk) -> None:
    sync = desk.sync["id"]
    where = desk.map()
    t_new_s, t_ref_s = where["t_new"][40], where["t_ref"][40] + 0.3
    desk.ask("POST", f"/syncs/{sync}/anchors", {"t_new_s": t_new_s, "t_ref_s": t_ref_s})
    desk.kill()
    desk.start()
    fitted = desk.map()
    assert fitted["fitted"] == [[t_new_s, t_ref_s]]
    (anchor,) = fitted["anchors"]
    desk.ask("DELETE", f"/syncs/{sync}/anchors/{anchor['id']}")
    assert desk.map()["t_ref"] == where["t_ref"]


def test_what_cannot_be_is_refused_in_a_sentence(desk: Desk) -> None:
    sync, reference = desk.sync["id"], desk.reference
    status, told = desk.answer("POST", f"/syncs/{sync}/anchors", {"t_new_s": 1e6, "t_ref_s": 1.0})
    assert (status, told["detail"]) == (422, "That is behind the run's end.")
    assert desk.answer("GET", "/syncs/none/map")[0] == 404
    assert desk.answer("DELETE", f"/syncs/{sync}/anchors/none")[0] == 404
    status, told = desk.answer("POST", f"/recordings/{reference}/undo")
    assert (status, told["detail"]) == (409, "There is nothing that could be undone.")
