"""The commands for sessions, against the daemon's real interface and library.

P1: originals are never written; P7: files outside the roots are refused; P10: one clear sentence.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from mtbsync_daemon.cli import session as session_commands
from mtbsync_daemon.hints import hint
from mtbsync_daemon.jobs.executor import Outcome as TaskOutcome
from mtbsync_daemon.jobs.executor import Progress, Task
from mtbsync_daemon.places import Places
from mtbsync_daemon.store import jobs, sessions
from mtbsync_engine.media.chapters import chapter_names
from support.daemons import Daemon
from support.program import Outcome, mtbsync, state
from support.served import DAMAGED, TOKEN, Served, served
from support.sounds import event_sound, mixed, piece, sweeping_bar, wind, write_video_with_sound
from support.videos import write_video

# --- with a daemon whose work is made up ---------------------------------------------------------------

_QUALITY = {"level_dbfs": -20.0, "clipped": 0.0, "snr_db": 30.0, "bandwidth_hz": 8000.0, "score": 0.9}


class Sounds:
    """What lining up finds: `scores` and `offsets_ms` by angle, None where nothing tells."""

    def __init__(self) -> None:
        self.scores: dict[int, float] = {}
        self.offsets_ms: dict[int, float | None] = {}

    def line_up(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """As `tasks.line_up` tells it."""
        cameras = params["cameras"]
        master = params["wanted_master"] or cameras[0]["angle"]
        return {
            "master": master,
            "qualities": {str(camera["angle"]): _QUALITY for camera in cameras},
            "placements": [self._placement(c["angle"]) for c in cameras if c["angle"] != master],
        }

    def _placement(self, angle: int) -> dict[str, Any]:
        offset_ms = self.offsets_ms.get(angle, 1000.0 * angle)
        is_found = offset_ms is not None
        return {
            "angle": angle,
            "offset_ms": offset_ms,
            "drift_ppm": 12.5 if is_found else None,
            "score": self.scores.get(angle, 25.0) if is_found else 0.0,
            "error_ms": 1.5 if is_found else None,
            "method": "hybrid" if is_found else None,
            "reason": "The sounds agree." if is_found else "It has no sound.",
            "through": None,
            "correlation": {},
        }


@pytest.fixture
def sounds() -> Sounds:
    return Sounds()


@pytest.fixture
def daemon(tmp_path: Path, sounds: Sounds, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A daemon that takes in whatever it is given, finds what `sounds` says, and is told of to commands."""
    monkeypatch.setattr(session_commands, "_PAUSE_S", 0.01)
    with served(tmp_path) as found:
        made: Any = found.executor
        made._ingest = lambda params: {"derived": [_sound(params)], "has_variable_rate": False}
        made._transcode = lambda params: {"derived": []}
        made._line_up = sounds.line_up
        told = {"url": found.url, "token": TOKEN, "pid": os.getpid()}
        Places(tmp_path / "data").info.write_text(json.dumps(told), encoding="utf-8")
        yield found


def _sound(params: dict[str, Any]) -> dict[str, Any]:
    """What is told of a camera's sound once it was taken out."""
    key = f"{params['prefix']}/audio-wavs/angle-{params['angle']:03}_v001.wav"
    return {"kind": "audio-wav", "key": key, "n_bytes": 1, "sha256": "0" * 64, "made_at": 1.0}


def _run(daemon: Served, *arguments: object) -> Outcome:
    return mtbsync("session", *arguments, "--data", daemon.services.places.data)


def _document(daemon: Served, *arguments: object) -> dict[str, Any]:
    outcome = _run(daemon, *arguments, "--json")
    assert outcome.status == 0, outcome.err
    return outcome.document


def _lined_up(daemon: Served, n_cameras: int = 2) -> dict[str, Any]:
    """A session called Race whose cameras are lined up."""
    place = f"/sessions/{daemon.post('/sessions', {'title': 'Race'})['id']}"
    for k in range(n_cameras):
        daemon.post(f"{place}/cameras", {"path": str(daemon.film(f"cam{k}.mp4"))})
    daemon.until_idle()
    found: dict[str, Any] = daemon.get(place)
    return found


def test_a_session_is_begun_listed_and_forgotten(daemon: Served) -> None:
    assert "There is no session yet" in _run(daemon, "list").out
    about = ("--project", "Alps", "--date", "2026-07-04", "--location", "Finale", "--notes", "Two laps")
    session = _document(daemon, "create", "Big Race", *about)["session"]
    assert [session[name] for name in ("project", "date", "location", "notes", "status")] == [
        "Alps",
        "2026-07-04",
        "Finale",
        "Two laps",
        "draft",
    ]
    (listed,) = _document(daemon, "list")["sessions"]
    assert listed == session
    assert session["id"] in _run(daemon, "list").out
    shown = _run(daemon, "show", "big race").out
    assert "Big Race (2026-07-04, Alps, Finale, draft)\nTwo laps\n" in shown
    assert "`mtbsync session add 'big race' FILE --data" in shown
    assert "its footage stays" in _run(daemon, "remove", "BIG RACE").out
    assert _document(daemon, "list")["sessions"] == []


def test_two_sessions_of_one_title_are_told_apart_by_their_ids(daemon: Served) -> None:
    ids = [
        _document(daemon, "create", title, "--date", day)["session"]["id"]
        for title, day in (("Race", "2026-07-04"), ("RACE", "2026-07-05"))
    ]
    unclear = _run(daemon, "show", "race")
    assert unclear.status == 1
    assert "Several sessions are called race; name one by its id" in unclear.err
    assert all(session_id in unclear.err for session_id in ids)
    for session_id in ids:
        assert _document(daemon, "show", session_id)["session"]["id"] == session_id


def test_cameras_are_added_taken_in_and_lined_up_by_themselves(daemon: Served) -> None:
    _document(daemon, "create", "Race")
    chapters = [daemon.film("GX010007.MP4", b"one"), daemon.film("GX020007.MP4", b"two")]
    assert chapter_names("GX020007.MP4", [path.name for path in chapters])[0] == "GX010007.MP4"
    before = {path: path.read_bytes() for path in daemon.footage.iterdir()}
    added = _document(daemon, "add", "Race", *reversed(chapters), daemon.film("phone.mp4"))
    assert added["added"] == ["A", "B"]
    assert [c["file_name"] for c in added["session"]["cameras"]] == ["GX010007.MP4", "phone.mp4"]
    assert {c["status"] for c in added["session"]["cameras"]} == {"ready"}
    third = _run(daemon, "add", "Race", daemon.film("drone.mp4"), "--camera", "Drone")
    assert third.out.startswith("Added to Race: drone.mp4 as Drone.\n")
    daemon.until_idle()
    session = _document(daemon, "show", "Race")["session"]
    assert (session["status"], session["master"]) == ("needs-review", "A")
    assert [p["camera"] for p in session["placements"]] == ["B", "Drone"]
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("is_whole", [False, True])
def test_copies_of_what_is_taken_out_are_not_written_to_their_end(daemon: Served, is_whole: bool) -> None:
    place = f"/sessions/{_lined_up(daemon)['id']}"
    daemon.executor.goes_on.clear()
    job = f"/jobs/{daemon.post(f'{place}/cameras/B/copies', {'kinds': ['proxy']})['job']}"
    daemon.until(lambda: daemon.get(job)["state"] == "running")
    taken_out = daemon.ask("DELETE", f"/api/v1{place if is_whole else f'{place}/cameras/B'}")
    assert (taken_out.status, daemon.get(job)["state"]) == (200, "cancelled")


def test_what_was_added_is_told_without_waiting(daemon: Served) -> None:
    _document(daemon, "create", "Race")
    daemon.executor.goes_on.clear()
    added = _run(daemon, "add", "Race", daemon.film("one.mp4"), "--no-wait")
    assert (added.status, "A is being taken in" in added.out) == (0, True)
    waits = _run(daemon, "sync", "Race", "--no-wait")
    assert (waits.status, waits.err) == (
        1,
        "Lining up takes two cameras that are ready; add another, or wait for its ingest.\n",
    )
    daemon.executor.goes_on.set()
    daemon.until_idle()
    assert "adds another camera" in _run(daemon, "show", "Race").out


def test_waiting_can_be_interrupted_and_the_cameras_stay(
    daemon: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    _lined_up(daemon)
    monkeypatch.setattr(session_commands.time, "sleep", interrupted)
    daemon.executor.goes_on.clear()
    again = _run(daemon, "sync", "Race")
    assert (again.status, again.err) == (130, "Race is still being lined up in the background.\n")
    daemon.executor.goes_on.set()
    daemon.until_idle()
    daemon.executor.goes_on.clear()
    added = _run(daemon, "add", "Race", daemon.film("late.mp4"))
    assert (added.status, "still being taken in in the background" in added.err) == (130, True)
    daemon.executor.goes_on.set()
    daemon.until_idle()
    assert [c["label"] for c in _document(daemon, "show", "Race")["session"]["cameras"]] == ["A", "B", "C"]


def test_p10_what_is_waited_for_is_told_once_and_it_goes_on_by_itself(
    daemon: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, looks = daemon.executor.run, []

    async def away(task: Task, on_progress: Callable[[Progress], None]) -> TaskOutcome:
        if len(looks) < 3 and task.function.endswith(("ingest:run", "line_up:run")):
            return TaskOutcome(None, "The drive is away; plug it in.", "StorageAwayError")
        return await run(task, on_progress)

    def look_again(_: float) -> None:
        store = daemon.services.store
        if store.read(jobs.postponed, 1):
            looks.append(1)
        if len(looks) >= 3:
            store.write(jobs.forget_waits)

    monkeypatch.setattr(daemon.executor, "run", away)
    monkeypatch.setattr(session_commands.time, "sleep", look_again)
    said = (
        "The drive is away; plug it in. This is tried again by itself; Ctrl-C leaves it to the background.\n"
    )
    _run(daemon, "create", "Race")
    added = _run(daemon, "add", "Race", daemon.film("one.mp4"), daemon.film("other.mp4"))
    assert (added.status, added.err) == (0, said)
    daemon.until_idle()
    looks.clear()
    again = _run(daemon, "sync", "Race")
    assert (again.status, again.err) == (0, said)


def test_p10_what_waits_for_a_while_only_is_not_said_to_wait_for_good(
    daemon: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, store, looks = daemon.executor.run, daemon.services.store, []

    async def full(task: Task, on_progress: Callable[[Progress], None]) -> TaskOutcome:
        if task.function.endswith("line_up:run"):
            return TaskOutcome(None, "The disk is full.", may_pass=True)
        return await run(task, on_progress)

    def look_again(_: float) -> None:
        if store.read(jobs.postponed, 1):
            looks.append(1)
        if len(looks) > 1:
            store.write(jobs.forget_waits)

    _lined_up(daemon)
    monkeypatch.setattr(daemon.executor, "run", full)
    monkeypatch.setattr(session_commands.time, "sleep", look_again)
    again = _run(daemon, "sync", "Race")
    assert (again.status, again.err) == (
        1,
        "The disk is full. This is tried again by itself; Ctrl-C leaves it to the background.\n"
        "Race could not be lined up: The disk is full.\n",
    )


def test_lining_up_again_waits_for_sound_that_was_cleared_away_and_for_no_upload_that_broke_off(
    daemon: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = _lined_up(daemon)
    daemon.post(f"/sessions/{session['id']}/cameras", {"upload": "first/drone.mp4"})
    n_looks = 0

    def look_again(_: float) -> None:
        nonlocal n_looks
        n_looks += 1
        if n_looks > 20:
            raise AssertionError("it waits for the upload")
        daemon.until_idle()

    monkeypatch.setattr(session_commands.time, "sleep", look_again)
    again = _run(daemon, "sync", "Race")
    assert (again.status, "footage of C has not all come" in again.out) == (0, True), again.err
    store = daemon.services.store
    for sound in store.read(sessions.all_derived):
        store.write(sessions.forget_derived, sound)
    assert _run(daemon, "sync", "Race").status == 0
    assert len(store.read(sessions.all_derived)) == 2


def test_p10_what_cannot_be_added_is_a_sentence(daemon: Served, tmp_path: Path) -> None:
    _document(daemon, "create", "Race")
    here, elsewhere = daemon.film("one.mp4"), tmp_path / "elsewhere" / "two.mp4"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"two")
    setting = f'Add "{elsewhere.parent.as_posix()}" to the `roots` there'
    damaged, note = daemon.film("bad.mp4", DAMAGED), daemon.film("note.txt")
    for status, why, arguments in (
        (1, "There is no session called Nothing; `mtbsync session list", ("Nothing", here)),
        (2, "A camera needs a label", ("Race", here, "--camera", " ")),
        (1, "is a folder; name the files in it", ("Race", elsewhere.parent)),
        (2, "--camera names one camera", ("Race", here, damaged, "--camera", "X")),
        (1, "There is no file", ("Race", here, tmp_path / "missing.mp4")),
        (1, setting, ("Race", elsewhere)),
        (1, "is no video that mtbsync knows by its name", ("Race", note)),
        (1, "bad.mp4 could not be taken in: bad.mp4 is damaged", ("Race", damaged)),
    ):
        wrong = _run(daemon, "add", *arguments)
        assert (wrong.status, why in wrong.err) == (status, True), wrong.err
        assert len(wrong.err.splitlines()) == 1
    shown = _run(daemon, "show", "Race").out
    assert "Camera A could not be taken in: bad.mp4 is damaged" in shown
    assert "`mtbsync session remove Race A --data" in shown
    assert _run(daemon, "add", "Race", damaged, "--no-wait").out.startswith("Added to Race: bad.mp4 as A.\n")
    daemon.until_idle()
    assert "adds its cameras" in _run(daemon, "remove", "Race", "a").out
    assert _run(daemon, "add", "Race", here).status == 0
    twice = _run(daemon, "add", "Race", here)
    assert (twice.status, twice.err) == (1, "one.mp4 is in this session already, as camera A.\n")
    more = _run(daemon, "add", "Race", here, daemon.film("two.mp4"))
    assert (more.status, more.err) == (
        0,
        "one.mp4 is in this session already, as camera A, and was left out.\n",
    )
    assert more.out.startswith("Added to Race: two.mp4 as B.\n")
    copy = _run(daemon, "add", "Race", daemon.film("copy.mp4", here.read_bytes()))
    left_out = "copy.mp4 is the same recording as another camera's, and was left out.\n"
    assert (copy.status, copy.err) == (0, left_out)


def test_how_cameras_lie_is_shown_with_what_to_do_next(daemon: Served, sounds: Sounds) -> None:
    sounds.scores, sounds.offsets_ms = {2: 7.0}, {3: None}
    session = _lined_up(daemon, 3)
    assert (session["status"], session["master"]) == ("needs-review", "A")
    shown = _run(daemon, "show", "Race")
    assert shown.status == 0
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["A", "0.0", "master"] in rows
    assert ["B", "+2000.0", "+12.50", "1.5", "7.0", "worth", "a", "look", "not", "yet"] in rows
    assert ["C", "unknown", "0.0", "needs", "your", "hand", "not", "yet"] in rows
    assert "C: It has no sound.\n" in shown.out
    assert "`mtbsync session approve Race B --data" in shown.out
    assert "`mtbsync session correct Race C --offset-ms X --data" in shown.out
    assert "`mtbsync status --open --data" in shown.out


def test_a_session_is_ready_once_a_person_has_decided_on_all(daemon: Served, sounds: Sounds) -> None:
    sounds.offsets_ms = {3: None}
    _lined_up(daemon, 3)
    refused = _run(daemon, "approve", "Race", "C")
    assert (refused.status, "Nothing tells where camera C lies" in refused.err) == (1, True)
    assert _document(daemon, "approve", "Race")["session"]["status"] == "needs-review"
    corrected = _run(daemon, "correct", "Race", "C", "--offset-ms", -250.5)
    assert corrected.out.startswith("Camera C lies at -250.5 ms now.\n")
    assert "session export Race --format resolve-otio" in corrected.out
    session = _document(daemon, "show", "Race", "--history")
    assert session["session"]["status"] == "ready"
    assert [(e["camera"], e["what"]) for e in session["history"]][:2] == [
        ("C", "corrected"),
        ("B", "approved"),
    ]
    assert "corrected" in _run(daemon, "show", "Race", "--history").out
    assert "There was nothing to approve" in _run(daemon, "approve", "Race").out
    assert _run(daemon, "approve", "Race", "B", "b").out.startswith("Approved: B.\n")
    open_again = _run(daemon, "take-back", "Race", "c")
    assert open_again.out.startswith("Camera C lies where it was found, and waits for you again.\n")
    again = _run(daemon, "take-back", "Race", "C")
    assert (again.status, again.err) == (1, "Nothing was decided on camera C yet.\n")


def test_a_camera_is_called_something_else(daemon: Served) -> None:
    _lined_up(daemon)
    assert _run(daemon, "label", "Race", "b", " Drone ").out == "Camera B is called Drone now.\n"
    assert [c["label"] for c in _document(daemon, "show", "Race")["session"]["cameras"]] == ["A", "Drone"]
    for status, why, new in (
        (1, "There is a camera A already", "A"),
        (2, "A camera needs a label", " "),
        (1, "label: has up to 40 characters, no / and no \\, and no space at either end.", "a/b"),
    ):
        refused = _run(daemon, "label", "Race", "Drone", new)
        assert (refused.status, why in refused.err) == (status, True), refused.err


def test_a_camera_is_moved_by_milliseconds_and_by_its_own_frames(daemon: Served, sounds: Sounds) -> None:
    _lined_up(daemon)

    def placement(*how: object) -> dict[str, Any]:
        (lies,) = _document(daemon, "correct", "Race", "B", *how)["session"]["placements"]
        return {name: lies[name] for name in ("offset_ms", "drift_ppm", "found_offset_ms")}

    assert placement("--by-ms", -0.5) == {
        "offset_ms": 1999.5,
        "drift_ppm": 12.5,
        "found_offset_ms": 2000.0,
    }
    # 40 ms each, at 25 frames a second.
    assert placement("--by-frames", 3)["offset_ms"] == 2119.5
    assert placement("--offset-ms", 100, "--drift-ppm", -3) == {
        "offset_ms": 100.0,
        "drift_ppm": -3.0,
        "found_offset_ms": 2000.0,
    }
    assert placement("--by-frames", -1) == {"offset_ms": 60.0, "drift_ppm": -3.0, "found_offset_ms": 2000.0}
    assert placement("--drift-ppm", 4) == {"offset_ms": 60.0, "drift_ppm": 4.0, "found_offset_ms": 2000.0}


def test_p10_what_cannot_be_decided_is_a_sentence_and_changes_nothing(daemon: Served, sounds: Sounds) -> None:
    sounds.offsets_ms = {3: None}
    before = _lined_up(daemon, 3)
    for status, why, arguments in (
        (2, "Say one of --offset-ms, --by-ms and --by-frames", ("correct", "Race", "B")),
        (2, "Say one of", ("correct", "Race", "B", "--by-ms", 1, "--by-frames", 1)),
        (2, "--offset-ms is from -86400000 to 86400000,", ("correct", "Race", "B", "--offset-ms", "1e9")),
        (2, "--offset-ms is a finite number", ("correct", "Race", "B", "--offset-ms", "nan")),
        (
            2,
            "--offset-ms is a number such as -12.5, not abc.",
            ("correct", "Race", "B", "--offset-ms", "abc"),
        ),
        (2, "--by-frames is a whole number", ("correct", "Race", "B", "--by-frames", "1.5")),
        (
            2,
            "--drift-ppm is from -1000 to 1000, not 5000.",
            ("correct", "Race", "B", "--by-ms", 1, "--drift-ppm", 5000),
        ),
        (1, "Camera A is the master", ("correct", "Race", "A", "--offset-ms", 1)),
        (1, "Race has no camera called Z; its cameras: A, B and C.", ("approve", "Race", "B", "Z")),
        (1, "Race has no camera called Z", ("sync", "Race", "--master", "Z")),
        (1, "Race has no camera called Z", ("remove", "Race", "Z")),
        (1, f"is a session already, with the id {before['id']};", ("create", "RACE")),
        (2, "A session needs a title", ("create", " ")),
        (1, "Nothing tells yet where camera C lies", ("correct", "Race", "C", "--by-ms", 1)),
        (2, "--date is a day such as 2026-07-04, not yesterday", ("create", "X", "--date", "yesterday")),
    ):
        wrong = _run(daemon, *arguments)
        assert (wrong.status, why in wrong.err, len(wrong.err.splitlines())) == (status, True, 1), wrong.err
    assert daemon.get("/sessions")["sessions"] == [before]


def test_lining_up_again_on_another_camera(daemon: Served) -> None:
    _lined_up(daemon, 3)
    _document(daemon, "approve", "Race", "C")
    anew = _run(daemon, "sync", "Race", "--master", "b")
    assert "They lie on the clock of B now: what you decided on C waits for you again.\n" in anew.out
    again = _document(daemon, "show", "Race")["session"]
    assert (again["master"], again["wanted_master"]) == ("B", "B")
    assert [p["camera"] for p in again["placements"]] == ["A", "C"]
    said = _run(daemon, "sync", "Race", "--master", "").out
    assert "B (hybrid): The sounds agree." in said
    assert "session approve Race" in said


def test_why_lining_up_failed_is_told(daemon: Served) -> None:
    _lined_up(daemon)
    daemon.executor.__dict__["_line_up"] = lambda params: "The sound of A cannot be read."
    failed = _run(daemon, "sync", "Race")
    assert (failed.status, failed.err) == (
        1,
        "Race could not be lined up: The sound of A cannot be read.\n",
    )
    shown = _run(daemon, "show", "Race")
    assert (shown.status, "The sound of A cannot be read. `mtbsync session sync Race" in shown.out) == (
        0,
        True,
    )
    status = mtbsync("status", "--data", daemon.services.places.data)
    assert "Failed: line_up of Race" in status.out


def test_an_export_is_written_here_or_where_it_is_told_with_its_losses(
    daemon: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lined_up(daemon)
    offers = [
        {"format": "otio", "description": "O", "suffixes": [".otio"], "losses": ["No drift."], "problem": ""},
        {
            "format": "edl",
            "description": "E",
            "suffixes": [".edl"],
            "losses": [],
            "problem": "One track only.",
        },
    ]

    def write(params: Mapping[str, Any]) -> dict[str, Any]:
        Path(params["path"]).parent.mkdir(parents=True, exist_ok=True)
        Path(params["path"]).write_bytes(b"synced")
        return {"name": "Race, Südtirol.otio", "media_type": "application/json"}

    daemon.executor.__dict__["_session_offers"] = lambda params: {
        "notes": ["B is missing."],
        "offers": offers,
    }
    daemon.executor.__dict__["_session_export"] = write
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    written = _run(daemon, "export", "Race", "--format", "otio")
    assert (written.out, written.err) == ("Written: Race, Südtirol.otio\n", "B is missing.\nNo drift.\n")
    assert (tmp_path / "here" / "Race, Südtirol.otio").read_bytes() == b"synced"
    out = tmp_path / "edit" / "race.otio"
    document = _document(daemon, "export", "Race", "--format", "otio", "--out", out)
    assert document == {"ok": True, "files": [str(out)], "losses": ["B is missing.", "No drift."]}
    assert out.read_bytes() == b"synced"
    for status, why, arguments in (
        (1, "One track only.", ("--format", "edl")),
        (2, "No session is written as doc; there are otio and edl", ("--format", "doc")),
        (1, "What is written ends in .otio; name it so", ("--format", "otio", "--out", tmp_path / "r.zip")),
        (1, "is named like a recording", ("--format", "otio", "--out", tmp_path / "race.mp4")),
    ):
        refused = _run(daemon, "export", "Race", *arguments)
        assert (refused.status, why in refused.err) == (status, True), refused.err


def test_without_a_daemon_a_sentence_says_how_to_start_one(tmp_path: Path) -> None:
    asked = mtbsync("session", "show", "Race", "--data", tmp_path)
    assert (asked.status, f"start it with {hint('mtbsync serve', tmp_path)}" in asked.err) == (1, True)


# --- with a real one, from videos to a timeline ---------------------------------------------------------

# When each camera began, in seconds of what happened.
_BEGINS_S = {"A": 0.0, "B": 5.0, "C": 2.5, "D": 4.0}
_LASTS_S = 16.0
_FRAME_S = 1 / 25
_RATE_HZ = 16_000


@pytest.fixture
def event(tmp_path: Path) -> Path:
    """A folder with what four cameras recorded of one event: two well, one in the wind, one without sound."""
    folder = tmp_path / "event"
    folder.mkdir()
    world = event_sound(1, 22, _RATE_HZ)
    gusts = wind(2, _LASTS_S, _RATE_HZ)
    for label in ("A", "B", "C"):
        heard = piece(world, _BEGINS_S[label], _LASTS_S, _RATE_HZ)
        heard = mixed(heard, gusts, snr_db=3) if label == "C" else heard
        write_video_with_sound(folder / f"{label}.mp4", heard, _RATE_HZ)
    write_video(folder / "D.mp4", sweeping_bar(round(_LASTS_S / _FRAME_S)), 25)
    return folder


def test_p1_cameras_become_a_synced_timeline_and_stay_as_they_are(event: Path, tmp_path: Path) -> None:
    # The storage's folder is another program's as well.
    nas = tmp_path / "nas"
    (nas / "photos").mkdir(parents=True)
    (nas / "photos" / ".syncthing.ride.mp4.tmp").write_bytes(b"half a ride")
    before, photos = state(event), state(nas / "photos")
    settings = f"roots = [{json.dumps(str(event))}]\n[jobs]\nslots = 2\n[storage]\nfolder = '{nas}'\n"
    daemon = Daemon(tmp_path, settings)
    daemon.start()
    try:

        def told(*arguments: object) -> dict[str, Any]:
            outcome = mtbsync("session", *arguments, "--json", "--data", daemon.data)
            assert outcome.status == 0, outcome.err
            return outcome.document

        told("create", "Race")
        told("add", "Race", *(event / f"{label}.mp4" for label in _BEGINS_S))
        daemon.until(lambda: daemon.ask("GET", "/sessions")["sessions"][0]["status"] == "needs-review")
        session = told("show", "Race")["session"]
        begins_s = {
            c["label"]: _BEGINS_S[c["label"]] - _BEGINS_S[session["master"]] for c in session["cameras"]
        }
        lies = {placement["camera"]: placement for placement in session["placements"]}
        for label in {"A", "B", "C"} - {session["master"]}:
            assert lies[label]["offset_ms"] == pytest.approx(1000 * begins_s[label], abs=2), lies[label]
            assert (lies[label]["trust"], lies[label]["method"]) == ("looks-good", "hybrid")
        assert lies["D"]["trust"] == "needs-manual-nudge"
        told("approve", "Race", *({"A", "B", "C"} - {session["master"]}))
        assert told("show", "Race")["session"]["status"] == "needs-review"
        corrected = told("correct", "Race", "D", "--offset-ms", 1000 * begins_s["D"])
        assert corrected["session"]["status"] == "ready"
        out = tmp_path / "race.otio"
        told("export", "Race", "--format", "otio", "--out", out)
    finally:
        daemon.stop()
    tracks = {track.name: track for track in otio.adapters.read_from_file(str(out)).video_tracks()}
    for label, begin_s in _BEGINS_S.items():
        (clip,) = (item for name, track in tracks.items() if label in name for item in track.find_clips())
        assert Path(clip.media_reference.target_url).name == f"{label}.mp4"
        at_s = clip.range_in_parent().start_time.to_seconds()
        assert at_s == pytest.approx(begin_s, abs=_FRAME_S / 2 + 0.001)
    assert (state(event), state(nas / "photos")) == (before, photos)
    assert len(list((nas / "projects").rglob("*.wav"))) == 3
