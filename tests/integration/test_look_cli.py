"""The commands that show files on disk without a library: preview, compare-ui, dashboard, telemetry-ui.

P1: originals are never written; P7: only this user, and nothing is changed that was opened to be looked at;
P10: one clear sentence.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtbsync_daemon.http.routes.table import ROUTES
from mtbsync_daemon.on_files import Wanted
from mtbsync_daemon.tasks import on_files
from mtbsync_daemon.tasks.marker_file import saved_markers
from mtbsync_engine.errors import InputError
from support.looking import Looking
from support.program import mtbsync, state
from support.rides import Rides, true_t_new
from support.served import Silent

pytestmark = pytest.mark.long

Start = Callable[..., Looking]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="a script as the browser")
UNSAFE = sorted(
    {
        (route.method, re.sub(r"{\w+}", "x", route.path))
        for route in ROUTES
        if route.method not in ("GET", "HEAD") and not route.path.endswith(("/login-codes", "/light-copy"))
    }
)


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Start]:
    """Starts a command, which is ended after the test."""
    started: list[Looking] = []

    def start(*words: object, **environment: str) -> Looking:
        started.append(Looking(*words, temporary=tmp_path / "temporary", environment=environment))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture
def results(synced: Path, tmp_path: Path) -> Path:
    """A sync's results in a folder of their own, two levels below `tmp_path / "all"`."""
    made = tmp_path / "all" / "monday" / "new_sync"
    made.parent.mkdir(parents=True)
    shutil.copytree(synced, made)
    return made


def _refused(*words: object) -> str:
    """The one sentence that a command ends with."""
    outcome = mtbsync(*words, "--port", "0", "--no-browser")
    assert outcome.status == 1, outcome
    assert len(outcome.err.splitlines()) == 1, outcome.err
    return outcome.err


def _left_out(folder: Path, wanted: Wanted) -> str:
    """The sentence on the one run that is wanted."""
    found = folder / "found.json"
    on_files.run(
        {"wanted": wanted.document, "artifacts": str(folder / "artifacts"), "found": str(found)}, Silent()
    )
    (sentence,) = json.loads(found.read_text(encoding="utf-8"))["left_out"]
    assert isinstance(sentence, str)
    return sentence


def _rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def _fitted(document: dict[str, Any]) -> dict[str, Any] | None:
    return document if document["fitted"] and not document["is_pending"] else None


def _move(shown: Looking, run: str, name: str, t_s: float) -> None:
    marker = shown.markers(run)[name]
    shown.ask(
        "PATCH", f"/recordings/{run}/markers/{marker['id']}", {"t_s": t_s}, If_Match=f'"{marker["version"]}"'
    )


# --- one run ----------------------------------------------------------------------------------------


def test_compare_ui_shows_a_time_map_s_two_runs_side_by_side(
    look: Start, results: Path, rides: Rides
) -> None:
    before = state(results), state(rides.folder)
    shown = look("compare-ui", "--timewarp-json", results / "timewarp.json", "--ref-markers", rides.markers)
    run = shown.come_in().removeprefix("/#/run/")
    recordings = shown.recordings()
    assert recordings["new.mp4"]["id"] == run
    assert recordings["ref.mp4"]["is_reference"] is True
    sync = recordings["new.mp4"]["sync"]
    noted = json.loads((results / "timewarp.json").read_text(encoding="utf-8"))
    assert (sync["verdict"], sync["reasons"]) == (noted["verdict"], noted["reasons"])
    assert shown.ask("GET", f"/syncs/{sync['id']}/map")["t_ref"] == noted["knots"]["t_ref"]
    assert shown.ask("GET", f"/syncs/{sync['id']}/figures")["likeness"]["n_new"] > 0
    markers, written = shown.markers(run), _rows(results / "new_markers.csv")
    assert [(m["name"], m["t_s"]) for m in markers.values() if m["t_s"] is not None] == [
        (name, float(row["t_new"])) for name, row in written.items() if row["t_new"]
    ]
    (trail,) = shown.ask("GET", "/trails")["trails"]
    assert trail["name"] == "ref"
    for recording in recordings.values():
        status, _, content = shown.send("GET", f"/api/v1/recordings/{recording['id']}/files/0")
        assert (status, content) == (200, (rides.folder / recording["name"]).read_bytes())
    assert not shown.ask("GET", "/jobs")["jobs"][1:]
    assert shown.interrupt() == 0
    assert shown.warned == ""
    assert (state(results), state(rides.folder)) == before
    assert shown.left_behind() == []


def test_preview_syncs_two_videos_first_and_says_how_far_it_is(
    look: Start, rides: Rides, tmp_path: Path
) -> None:
    before, here = state(rides.folder), sorted(tmp_path.iterdir())
    shown = look("preview", "--reference", rides.ref, "--new", rides.new, "--markers", rides.markers)
    run = shown.come_in().removeprefix("/#/run/")
    (job,) = [job for job in shown.ask("GET", "/jobs")["jobs"] if job["kind"] == "sync"]
    assert job["recording"] == run
    markers = shown.until(lambda: shown.markers(run))
    assert abs(markers["Drop"]["t_s"] - true_t_new(4.0)) < 0.2
    assert markers["Start"]["t_s"] is None
    assert shown.interrupt() == 0
    assert state(rides.folder) == before
    assert sorted(p for p in tmp_path.iterdir() if p != shown.temporary) == here


def test_markers_are_carried_over_where_the_results_hold_none(
    look: Start, results: Path, rides: Rides
) -> None:
    (results / "new_markers.csv").unlink()
    shown = look("preview", "--timewarp-json", results / "timewarp.json", "--markers", rides.markers)
    run = shown.come_in().removeprefix("/#/run/")
    assert abs(shown.markers(run)["Drop"]["t_s"] - true_t_new(4.0)) < 0.2
    assert not (results / "new_markers.csv").exists()


def test_a_straight_line_of_another_program_is_shown_and_waits_for_a_person(
    look: Start, rides: Rides, tmp_path: Path
) -> None:
    line = {"ok": True, "model": "affine", "params": {"a": 0.9, "b": 0.5}, "residuals": {"p90": 0.2}}
    (tmp_path / "timewarp.json").write_text(json.dumps(line), encoding="utf-8")
    (tmp_path / "theirs.csv").write_text("marker_id,t_ref,t_new_est\nDrop,4.0,3.889\n", encoding="utf-8")
    words = ("compare-ui", "--timewarp-json", tmp_path / "timewarp.json")
    assert "does not tell its videos" in _refused(*words)
    shown = look(*words, "--ref", rides.ref, "--new", rides.new, "--new-markers", tmp_path / "theirs.csv")
    run = shown.come_in().removeprefix("/#/run/")
    sync = shown.recordings()["new.mp4"]["sync"]
    assert sync["verdict"] == "review"
    found = shown.ask("GET", f"/syncs/{sync['id']}/map")
    at = dict(zip(found["t_new"], found["t_ref"], strict=True))
    assert all(abs(t_ref - (0.9 * t_new + 0.5)) < 1e-9 for t_new, t_ref in at.items())
    drop = shown.markers(run)["Drop"]
    assert (drop["t_s"], drop["needs_review"]) == (3.889, True)


# --- many runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "place"),
    [("dashboard", "/"), ("telemetry-ui", "/#/numbers")],
)
def test_all_results_below_a_folder_are_shown(look: Start, results: Path, command: str, place: str) -> None:
    root = results.parents[1]
    shutil.copytree(results, root / ".hidden")
    shutil.copytree(results, results / "anchored")
    (root / "broken").mkdir()
    (root / "broken" / "timewarp.json").write_text("{", encoding="utf-8")
    before = state(root)
    shown = look(command, "--root", root)
    assert shown.said["n_runs"] == 1
    assert shown.come_in() == place
    assert set(shown.recordings()) == {"new.mp4", "ref.mp4"}
    (run,) = shown.ask("GET", "/quality")["runs"]
    assert run["folder"] == "monday/new_sync"
    assert shown.interrupt() == 0
    assert len(shown.warned.splitlines()) == 1
    assert "broken" in shown.warned
    assert state(root) == before


def test_the_newest_of_a_run_s_results_counts(look: Start, results: Path) -> None:
    other = results.with_name("newer")
    shutil.copytree(results, other)
    noted = json.loads((other / "timewarp.json").read_text(encoding="utf-8"))
    (other / "timewarp.json").write_text(json.dumps(noted | {"reasons": ["Newer."]}), encoding="utf-8")
    os.utime(results / "timewarp.json", (1e9, 1e9))
    shown = look("dashboard", "--root", results.parent)
    shown.come_in()
    assert shown.recordings()["new.mp4"]["sync"]["reasons"] == ["Newer."]
    assert {run["folder"] for run in shown.ask("GET", "/quality")["runs"]} == {"new_sync", "newer"}


def test_a_run_whose_video_is_away_is_listed_and_says_so(look: Start, results: Path) -> None:
    path = results / "timewarp.json"
    noted = json.loads(path.read_text(encoding="utf-8"))
    gone = results / "gone.mp4"
    noted["new"]["files"] = [str(gone)]
    path.write_text(json.dumps(noted), encoding="utf-8")
    shown = look("dashboard", "--root", results)
    shown.come_in()
    run = shown.recordings()["gone.mp4"]
    assert shown.markers(run["id"])
    assert any(str(gone) in reason for reason in shown.ask("GET", "/health")["reasons"])
    status, _, said = shown.send("GET", f"/api/v1/recordings/{run['id']}/files/0")
    assert status == 404
    assert b"is not there now" in said


# --- only to look --------------------------------------------------------------------------------


def test_p7_nothing_can_be_changed_unless_it_is_allowed(look: Start, results: Path, rides: Rides) -> None:
    shown = look("compare-ui", "--timewarp-json", results / "timewarp.json")
    shown.come_in()
    assert shown.ask("GET", "/health")["changes"] == "none"
    assert len(UNSAFE) > 10
    for method, path in UNSAFE:
        status, _, said = shown.send(method, path, {})
        assert (status, b"--allow-write" in said) == (403, True), (method, path, said)
    assert shown.ask("POST", "/login-codes")["url"]
    run = shown.recordings()["new.mp4"]["id"]
    assert shown.ask("POST", f"/recordings/{run}/light-copy")["job"]


def test_p7_no_other_file_can_be_read(look: Start, synced: Path, rides: Rides, tmp_path: Path) -> None:
    noted = json.loads((synced / "timewarp.json").read_text(encoding="utf-8"))
    (tmp_path / "timewarp.json").write_text(json.dumps(noted), encoding="utf-8")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    shown = look("compare-ui", "--timewarp-json", tmp_path / "timewarp.json", "--allow-write")
    shown.come_in()
    asked = {"paths": [str(tmp_path / "secret.mp4")]}
    status, _, said = shown.send("POST", "/api/v1/recordings", asked)
    assert (status, b"without a library" in said) == (403, True)
    assert shown.send("GET", "/api/v1/recordings", None)[0] == 200
    shown.cookie = ""
    assert shown.send("GET", "/api/v1/recordings", None)[0] == 401


def test_p1_what_is_shown_is_left_as_it_is_by_a_kill(look: Start, results: Path, rides: Rides) -> None:
    before = state(results), state(rides.folder)
    shown = look("dashboard", "--root", results)
    shown.come_in()
    shown.process.kill()
    shown.process.wait()
    assert (state(results), state(rides.folder)) == before


# --- edits are saved --------------------------------------------------------------------------------


def test_edits_are_saved_beside_the_time_map_with_foreign_columns_and_known_again(
    look: Start, results: Path
) -> None:
    path = results / "new_markers.csv"
    originals = state(results.parent)
    words = ("compare-ui", "--timewarp-json", results / "timewarp.json", "--allow-write")
    shown = look(*words)
    run = shown.come_in().removeprefix("/#/run/")
    assert shown.ask("GET", "/health")["changes"] == "of runs"
    _move(shown, run, "Drop", 3.5)
    shown.until(lambda: _rows(path)["Drop"]["t_new"] == "3.5")
    # Where the map is fitted again the others are moved, and saved so.
    sync = shown.recordings()["new.mp4"]["sync"]["id"]
    shown.until(lambda: _fitted(shown.ask("GET", f"/syncs/{sync}/map")))
    markers = shown.markers(run)
    rejected = {"id": markers["Bend"]["id"], "version": markers["Bend"]["version"]}
    shown.ask("POST", f"/recordings/{run}/decisions", {"state": "rejected", "markers": [rejected]})
    own = {"name": "Mine", "t_s": 1.25, "t_ref_s": None, "duration_s": 0, "colour": "Red", "comment": ""}
    shown.ask("POST", f"/recordings/{run}/markers", own)
    # The last edit is saved as it ends.
    assert shown.interrupt() == 0
    assert shown.warned == ""
    rows = _rows(path)
    shown_markers = {name: float(row["t_new"]) for name, row in rows.items() if row["t_new"]}
    assert rows["Drop"]["priority"] == "high"
    assert rows["Bend"]["t_new"] == ""
    assert rows["Mine"]["t_new"] == "1.25"
    after = state(results.parent)
    assert {name for name in after if after[name] != originals.get(name)} == {"new_sync/new_markers.csv"}
    again = look(*words)
    run = again.come_in().removeprefix("/#/run/")
    known = again.markers(run)
    states = {name: known[name]["state"] for name in ("Drop", "Bend", "Mine")}
    assert states == {"Drop": "corrected", "Bend": "rejected", "Mine": "added"}
    assert (known["Drop"]["t_s"], known["Mine"]["t_ref_s"]) == (3.5, None)
    assert set(known) == set(rows)
    # The map goes through what a person put right, as before, so that the next edit moves nothing back.
    sync = again.recordings()["new.mp4"]["sync"]["id"]
    found = again.until(lambda: _fitted(again.ask("GET", f"/syncs/{sync}/map")))
    assert found["fitted"] == [[3.5, 4.0]]
    known = again.markers(run)
    assert {name: known[name]["t_s"] for name in shown_markers} == pytest.approx(shown_markers)


def test_an_edit_survives_a_kill(look: Start, results: Path, rides: Rides, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    shown = look(
        "preview", "--timewarp-json", results / "timewarp.json", "--new-markers", path, "--allow-write"
    )
    run = shown.come_in().removeprefix("/#/run/")
    beside = (results / "new_markers.csv").read_bytes()
    _move(shown, run, "Drop", 3.5)
    shown.until(lambda: path.exists() and _rows(path)["Drop"]["t_new"] == "3.5")
    shown.process.kill()
    shown.process.wait()
    assert {m["name"] for m in saved_markers(path)} >= {"Start", "Drop", "Bridge"}
    assert (results / "new_markers.csv").read_bytes() == beside


def test_what_somebody_else_changed_meanwhile_is_left(look: Start, results: Path) -> None:
    path = results / "new_markers.csv"
    shown = look("dashboard", "--root", results, "--allow-write")
    shown.come_in()
    run = shown.recordings()["new.mp4"]["id"]
    path.write_text("name,t_ref,t_new\nTheirs,1,1\n", encoding="utf-8")
    _move(shown, run, "Drop", 3.5)
    other = results / "new_markers-2.csv"
    shown.until(other.exists)
    assert "Theirs" in path.read_text(encoding="utf-8")
    said = shown.until(lambda: shown.ask("GET", "/health")["reasons"])
    assert any(str(other) in reason for reason in said)


def test_a_file_that_cannot_be_saved_is_told_and_saved_once_it_can(look: Start, results: Path) -> None:
    shown = look("dashboard", "--root", results, "--allow-write")
    shown.come_in()
    run = shown.recordings()["new.mp4"]["id"]
    away = results.with_name("unplugged")
    results.rename(away)
    results.write_text("in the way", encoding="utf-8")
    _move(shown, run, "Drop", 3.5)
    shown.until(lambda: any("not saved" in reason for reason in shown.ask("GET", "/health")["reasons"]))
    results.unlink()
    away.rename(results)
    shown.until(lambda: _rows(results / "new_markers.csv")["Drop"]["t_new"] == "3.5")
    shown.until(lambda: not shown.ask("GET", "/health")["reasons"])


def test_edits_that_cannot_be_saved_are_not_given_up_in_silence(look: Start, results: Path) -> None:
    shown = look("dashboard", "--root", results, "--allow-write")
    shown.come_in()
    run = shown.recordings()["new.mp4"]["id"]
    results.rename(results.with_name("unplugged"))
    results.write_text("in the way", encoding="utf-8")
    _move(shown, run, "Drop", 3.5)
    assert shown.interrupt() == 1
    assert "Your edits are not saved" in shown.warned


# --- how it is started and ended -----------------------------------------------------------------


def test_p10_what_cannot_be_used_is_told_in_one_sentence(rides: Rides, results: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.csv"
    assert f"There is no file {nowhere}" in _refused("preview", "--ref", rides.ref, "--new", nowhere)
    assert "is a reference" in _refused("preview", "--ref", rides.ref, "--new", rides.ref)
    (results / "timewarp.json").write_text("{", encoding="utf-8")
    assert "is damaged" in _refused("telemetry-ui", "--root", results)


def test_p10_of_each_file_it_is_told_why_it_cannot_be_used(
    rides: Rides, results: Path, tmp_path: Path
) -> None:
    nowhere, timewarp = tmp_path / "nowhere.csv", results / "timewarp.json"
    both = Wanted(reference=rides.ref, new=rides.new)
    assert str(rides.markers) in _left_out(tmp_path, replace(both, reference=rides.markers))
    assert str(nowhere) in _left_out(tmp_path, replace(both, ref_markers=nowhere))
    assert f"There is no file {nowhere}" in _left_out(tmp_path, replace(both, new_markers=nowhere))
    assert str(nowhere) in _left_out(tmp_path, Wanted(timewarp=nowhere))
    of_others = _left_out(tmp_path, Wanted(timewarp=timewarp, new=rides.other))
    assert "is of another video" in of_others
    marked = results / "new_markers.csv"
    assert "cannot be both" in _left_out(tmp_path, Wanted(timewarp=timewarp, ref_markers=marked))
    with pytest.raises(InputError, match="There is no folder"):
        _left_out(tmp_path, Wanted(root=nowhere))


def test_p10_a_folder_without_results_says_what_is_looked_for(tmp_path: Path) -> None:
    outcome = mtbsync("dashboard", "--root", tmp_path, "--port", "0", "--no-browser")
    assert outcome.status == 2
    assert "no results of `mtbsync sync`" in outcome.err
    assert "timewarp.json" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dashboard", "--host", "0.0.0.0"), "serves this computer alone"),
        (("preview", "--root", ".", "--new", "x.mp4"), "either that or files"),
        (("preview", "--new", "x.mp4"), "--reference and --new"),
        (("compare-ui", "--ref", "x.mp4", "--new", "x.mp4", "--allow-write"), "--new-markers"),
    ],
)
def test_p10_a_wrong_command_line_says_what_is_wrong(words: tuple[str, ...], said: str) -> None:
    outcome = mtbsync(*words)
    assert outcome.status == 2
    assert said in outcome.err


def test_a_port_that_is_taken_is_told(results: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = mtbsync("dashboard", "--root", results, "--port", port, "--no-browser")
    assert outcome.status == 1
    assert f"Port {port} cannot be used" in outcome.err


def test_p7_the_link_goes_to_a_place_of_the_page_and_nowhere_else(look: Start, results: Path) -> None:
    shown = look("dashboard", "--root", results)
    shown.come_in()
    cases = {"run/ab-1_2.x": "/#/run/ab-1_2.x", "": "/", "//evil.example": "/#///evil.example"}
    cases |= {"a%20b": "/", "%0d%0aX": "/", "x" * 300: "/", "%3Cscript%3E": "/"}
    for to, place in cases.items():
        url = shown.ask("POST", "/login-codes")["url"]
        status, headers, _ = shown.send("GET", f"{url.removeprefix(f'http://{shown.host}')}&to={to}")
        assert (status, headers["Location"]) == (303, place), to


@posix_only
def test_the_browser_is_started_with_a_link_of_its_own(look: Start, results: Path, tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{opened}.new"; mv "{opened}.new" "{opened}"\n', "utf-8")
    browser.chmod(0o755)
    words = ("telemetry-ui", "--root", results, "--host", "localhost", "--open-browser")
    shown = look(*words, BROWSER=f"{browser} %s")
    assert shown.come_in() == "/#/numbers"
    shown.until(opened.exists)
    link = opened.read_text(encoding="utf-8").strip()
    assert link != shown.url
    status, headers, _ = shown.send("GET", link.removeprefix(f"http://{shown.host}"))
    assert (status, headers["Location"]) == (303, "/#/numbers")


def test_ports_are_those_that_scripts_know() -> None:
    found: dict[str, Any] = {}
    for command in ("dashboard", "telemetry-ui", "compare-ui"):
        found[command] = re.search(r"default:\s+(87\d\d)", mtbsync(command, "--help").out)
    assert {name: match and match[1] for name, match in found.items()} == {
        "dashboard": "8760",
        "telemetry-ui": "8761",
        "compare-ui": "8762",
    }
