"""What the HTTP interface does to the library: recordings, trails, syncs, markers, jobs, exports."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from mtbsync_daemon.store import trails
from mtbsync_daemon.store.markers import MarkerState
from mtbsync_daemon.store.recordings import StoredFile
from mtbsync_daemon.store.trails import TrailMarker
from mtbsync_daemon.watch.gather import Group, gather
from support.served import CHAPTER_S, DAMAGED, Served, carried, served

HEAVY = "numpy scipy av cv2 onnxruntime opentimelineio lxml matplotlib distributed"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        yield found


@pytest.fixture
def synced(daemon: Served) -> tuple[str, str]:
    """A run with three markers that was synced with a trail; the ids of both."""
    run = daemon.know("RUN.MP4")
    reference = daemon.know("REF.MP4")
    marked = [
        TrailMarker(name, name, t_s) for name, t_s in (("gate", 10.0), ("drop", 12.0), ("corner", 14.0))
    ]
    trail_id = daemon.refer(reference, "Home", marked)
    daemon.post("/syncs", {"recording": run})
    daemon.until_idle()
    return run, trail_id


def test_serving_loads_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from support.served import served
with served(Path({str(tmp_path)!r})) as daemon:
    run, ref = daemon.know("RUN.MP4"), daemon.know("REF.MP4")
    daemon.refer(ref, "Home")
    daemon.post("/syncs", {{"recording": run}})
    daemon.until_idle()
    for path in ("/recordings", "/formats", "/openapi.json", f"/markers?recording={{ref}}&editor=resolve"):
        daemon.get(path)
    assert daemon.ask("GET", "/api/v1/metrics").status == 200
    assert daemon.ask("GET", "/").status == 200
print(*(name for name in {HEAVY!r}.split() if name in sys.modules))
"""
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


# --- recordings -----------------------------------------------------------------------------------


def test_files_are_made_known_with_their_chapters_and_found_again(daemon: Served) -> None:
    paths = [str(daemon.film(name)) for name in ("GX010034.MP4", "GX020034.MP4", "OTHER.MP4")]
    daemon.film("GL010034.LRV")
    found = daemon.post("/recordings", {"paths": [paths[1], paths[0], paths[2]]})["recordings"]
    assert [(r["name"], [f["offset_s"] for f in r["files"]]) for r in found] == [
        ("GX010034.MP4", [0.0, 300.0]),
        ("OTHER.MP4", [0.0]),
    ]
    assert [f["path"] for f in found[0]["files"]] == paths[:2]
    assert daemon.post("/recordings", {"paths": paths})["recordings"] == found
    assert daemon.executor.started == ["probe", "probe"]
    assert daemon.get(f"/recordings?path={paths[1]}")["recordings"] == found[:1]
    assert daemon.get(f"/recordings/{found[1]['id']}") == found[1]
    assert daemon.get(f"/recordings?path={daemon.footage / 'unknown.MP4'}")["recordings"] == []


def test_all_clips_of_a_long_timeline_are_asked_for_at_once(daemon: Served) -> None:
    known = daemon.know("RIDE.MP4")
    paths = [str(daemon.footage / f"{k:0>200}.MP4") for k in range(500)] + [str(daemon.footage / "RIDE.MP4")]
    found = daemon.get("/recordings?" + urlencode([("path", path) for path in paths]))
    assert [r["id"] for r in found["recordings"]] == [known]


def test_many_files_of_a_folder_are_made_known_with_one_look_at_it(
    daemon: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[Any] = []

    def counted(names: Iterable[str]) -> list[Group]:
        looked_at.append(names)
        return gather(names)

    monkeypatch.setattr("mtbsync_daemon.http.routes.recordings.gather", counted)
    paths = [str(daemon.film(f"{folder}/{k}.MP4")) for folder in "AB" for k in range(5)]
    found = daemon.post("/recordings", {"paths": paths})["recordings"]
    assert [r["files"][0]["path"] for r in found] == paths
    assert len(looked_at) == 2


def test_of_a_copy_the_files_that_were_asked_for_are_named(daemon: Served) -> None:
    first, second = daemon.film("A/RIDE.MP4", b"same"), daemon.film("B/RIDE.MP4", b"same")
    for path in (first, second, first):
        (found,) = daemon.post("/recordings", {"paths": [str(path)]})["recordings"]
        assert [f["path"] for f in found["files"]] == [str(path)]
    assert len(daemon.get("/recordings")["recordings"]) == 1


def test_a_file_that_is_no_recording_is_refused_with_its_sentence_until_it_is_whole(daemon: Served) -> None:
    path = daemon.film("RIDE.MP4", DAMAGED)
    for _ in range(2):
        reply = daemon.ask("POST", "/api/v1/recordings", {"paths": [str(path)]})
        assert reply.status == 422
        assert reply.json["detail"] == "RIDE.MP4 is damaged; copy it from the card once more."
    assert daemon.get("/refused-files")["files"] == [
        {"path": str(path), "reason": "RIDE.MP4 is damaged; copy it from the card once more."}
    ]
    daemon.film("RIDE.MP4", b"whole now")
    assert len(daemon.post("/recordings", {"paths": [str(path)]})["recordings"]) == 1
    assert daemon.get("/refused-files")["files"] == []


def test_p10_what_is_no_file_or_no_video_is_refused(daemon: Served) -> None:
    for name, status in {"missing.MP4": 422, "notes.txt": 422, "sub": 422}.items():
        if name == "notes.txt":
            daemon.film(name)
        if name == "sub":
            (daemon.footage / name).mkdir()
        reply = daemon.ask("POST", "/api/v1/recordings", {"paths": [str(daemon.footage / name)]})
        assert reply.status == status
        assert name in reply.json["detail"]


def test_whoever_waits_too_long_for_a_file_is_told_to_come_back(
    daemon: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtbsync_daemon.http.routes.recordings._PATIENCE_S", 0.2)
    path = daemon.film("RIDE.MP4")
    daemon.executor.goes_on.clear()
    reply = daemon.ask("POST", "/api/v1/recordings", {"paths": [str(path)]})
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    daemon.executor.goes_on.set()
    daemon.until_idle()
    assert len(daemon.post("/recordings", {"paths": [str(path)]})["recordings"]) == 1


def test_a_refused_file_that_was_deleted_is_no_complaint_any_more(daemon: Served) -> None:
    gone, still_there = daemon.film("GONE.MP4", DAMAGED), daemon.film("THERE.MP4", DAMAGED)
    for path in (gone, still_there):
        assert daemon.ask("POST", "/api/v1/recordings", {"paths": [str(path)]}).status == 422
    gone.unlink()
    assert [f["path"] for f in daemon.get("/refused-files")["files"]] == [str(still_there)]


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_files_whose_names_are_no_text_are_taken_and_shown(daemon: Served) -> None:
    for content, name in ((b"whole", b"A\xff.MP4"), (DAMAGED, b"B\xff.MP4")):
        path = daemon.film(os.fsdecode(name), content)
        stored = StoredFile(path, path, True, path.stat().st_size, path.stat().st_mtime_ns)
        daemon.services.store.write(daemon.services.library.take, None, [stored])
    daemon.until_idle()
    (found,) = daemon.get("/recordings")["recordings"]
    assert found["name"] == "A?.MP4"
    assert daemon.ask("GET", f"/api/v1/recordings/{found['id']}/files/0").body == b"whole"
    (refused,) = daemon.get("/refused-files")["files"]
    assert refused["reason"] == "B?.MP4 is damaged; copy it from the card once more."


@pytest.mark.parametrize(
    "how", ["outside", "dots", "link", "linked folder", "linked chapter", "link inwards", "relative", "nul"]
)
def test_p7_paths_stay_below_the_configured_roots(daemon: Served, tmp_path: Path, how: str) -> None:
    if "link" in how and sys.platform == "win32":
        pytest.skip("links need a right there")
    outside = tmp_path / "outside" / "GX010001.MP4"
    outside.parent.mkdir()
    outside.write_bytes(b"not yours")
    path = str(outside)
    if how == "dots":
        path = f"{daemon.footage}/../outside/{outside.name}"
    elif how == "link":
        (daemon.footage / outside.name).symlink_to(outside)
        path = str(daemon.footage / outside.name)
    elif how == "linked folder":
        (daemon.footage / "sub").symlink_to(outside.parent)
        path = str(daemon.footage / "sub" / outside.name)
    elif how == "linked chapter":
        path = str(daemon.film("GX020001.MP4"))
        (daemon.footage / outside.name).symlink_to(outside)
    elif how == "link inwards":
        outside.unlink()
        outside.symlink_to(daemon.film("RIDE.MP4"))
    elif how == "relative":
        path = f"footage/{outside.name}"
    elif how == "nul":
        path = f"{outside}\0"
    reply = daemon.ask("POST", "/api/v1/recordings", {"paths": [path]})
    assert reply.status == (422 if how == "nul" else 403)
    assert daemon.get("/jobs")["jobs"] == []


def test_p7_whether_a_file_outside_is_there_is_not_told(daemon: Served, tmp_path: Path) -> None:
    (tmp_path / "there.MP4").write_bytes(b"x")
    paths = [str(tmp_path / name) for name in ("there.MP4", "not.MP4")]
    said = [daemon.ask("POST", "/api/v1/recordings", {"paths": [path]}) for path in paths]
    assert [reply.status for reply in said] == [403, 403]
    assert said[0].json["detail"].replace("there", "not") == said[1].json["detail"]


def test_long_lists_come_in_pieces(daemon: Served) -> None:
    known = {daemon.know(f"R{k}.MP4") for k in range(5)}
    for k, recording_id in enumerate(sorted(known)):
        daemon.refer(recording_id, f"Trail {'abcde'[k]}")
    for kind in ("recordings", "trails"):
        found: list[str] = []
        cursor = ""
        pieces = 0
        while cursor is not None:
            page = daemon.get(f"/{kind}?limit=2" + (f"&cursor={cursor}" if cursor else ""))
            found += [one["id"] for one in page[kind]]
            cursor = page["next_cursor"]
            pieces += 1
        assert (len(found), len(set(found)), pieces) == (5, 5, 3)
    for cursor in ("x", "bnVsbA==", "WzEsICJ4Il0=", "W05hTiwgIngiXQ==", "%00", "W1tbW1s="):
        assert daemon.ask("GET", f"/api/v1/recordings?cursor={cursor}").status == 400


# --- trails ---------------------------------------------------------------------------------------


def test_a_recording_becomes_a_reference_under_a_free_name(daemon: Served) -> None:
    first, second = daemon.know("A/RIDE.MP4"), daemon.know("B/RIDE.MP4")
    daemon.services.store.write(lambda db: db.execute("UPDATE recordings SET name = 'RIDE.MP4'"))
    assert daemon.post("/trails", {"recording": first})["name"] == "RIDE"
    assert daemon.post("/trails", {"recording": second})["name"] == "RIDE 2"
    daemon.until_idle()
    assert [(t["name"], t["is_ready"]) for t in daemon.get("/trails")["trails"]] == [
        ("RIDE", True),
        ("RIDE 2", True),
    ]
    assert daemon.get(f"/recordings/{first}")["is_reference"] is True
    reply = daemon.ask("POST", "/api/v1/trails", {"recording": first})
    assert (reply.status, "already" in reply.json["detail"]) == (409, True)
    reply = daemon.ask("POST", "/api/v1/trails", {"recording": daemon.know("C.MP4"), "name": "ride"})
    assert (reply.status, reply.json["title"]) == (409, "Conflict")
    assert daemon.ask("POST", "/api/v1/trails", {"recording": "nobody"}).status == 404


def test_no_trail_is_called_by_the_word_that_has_one_found(daemon: Served) -> None:
    video = daemon.know("find.mp4")
    for name in ("find", "Find", " FIND "):
        reply = daemon.ask("POST", "/api/v1/trails", {"recording": video, "name": name})
        assert (reply.status, "call this one something else" in reply.json["detail"]) == (422, True)
    trail = daemon.post("/trails", {"recording": video})
    assert trail["name"] == "find 2"
    path, seen = f"/api/v1/trails/{trail['id']}", {"If-Match": f'"{trail["version"]}"'}
    assert daemon.ask("PATCH", path, {"name": "find"}, seen).status == 422


def test_new_markers_have_ids_that_spreadsheets_do_not_read_as_numbers(daemon: Served) -> None:
    marked = [{"name": "gate", "t_s": 1.0}]
    trail = daemon.post("/trails", {"recording": daemon.know("REF.MP4"), "markers": marked})
    assert trail["markers"][0]["id"].startswith("m")


def test_edits_name_the_version_that_they_change(daemon: Served) -> None:
    trail = daemon.post(
        "/trails", {"recording": daemon.know("A.MP4"), "markers": [{"name": "gate", "t_s": 1}]}
    )
    daemon.until_idle()
    path = f"/api/v1/trails/{trail['id']}"
    seen = daemon.ask("GET", path)
    etag = seen.headers["ETag"]
    assert daemon.ask("GET", path, headers={"If-None-Match": f'"x", W/{etag}'}).status == 304
    assert daemon.ask("GET", path, headers={"If-None-Match": '"x"'}).status == 200

    assert daemon.ask("PATCH", path, {"name": "Home"}).status == 428
    for wrong in ('"999"', f"W/{etag}", etag.strip('"'), '"'):
        assert daemon.ask("PATCH", path, {"name": "Home"}, {"If-Match": wrong}).status == 412
    changed = daemon.ask("PATCH", path, {"name": "Home"}, {"If-Match": etag})
    assert (changed.status, changed.json["name"]) == (200, "Home")
    assert changed.json["markers"] == seen.json["markers"]
    assert changed.headers["ETag"] != etag
    assert daemon.ask("PATCH", path, {"name": "Lost"}, {"If-Match": etag}).status == 412
    assert daemon.ask("GET", path, headers={"If-None-Match": etag}).json["name"] == "Home"

    assert daemon.ask("DELETE", path).status == 428
    assert daemon.ask("DELETE", path, headers={"If-Match": etag}).status == 412
    assert daemon.ask("DELETE", path, headers={"If-Match": changed.headers["ETag"]}).status == 200
    assert daemon.ask("GET", path).status == 404
    assert daemon.ask("DELETE", path, headers={"If-Match": "*"}).status == 404


def test_a_trail_that_became_ready_is_not_as_it_was(daemon: Served) -> None:
    daemon.executor.goes_on.clear()
    trail = daemon.post("/trails", {"recording": daemon.know("A.MP4")})
    seen = daemon.ask("GET", f"/api/v1/trails/{trail['id']}").headers["ETag"]
    daemon.executor.goes_on.set()
    daemon.until_idle()
    now = daemon.ask("GET", f"/api/v1/trails/{trail['id']}", headers={"If-None-Match": seen})
    assert (now.status, now.json["is_ready"]) == (200, True)


def test_a_trail_s_markers_keep_what_mtbsync_has_no_use_for(daemon: Served) -> None:
    extra = (("crew", "two"),)
    trail_id = daemon.refer(daemon.know("A.MP4"), "Home", [TrailMarker("gate", "Gate", 1.0, extra=extra)])
    path = f"/api/v1/trails/{trail_id}"
    wanted = [{"name": "new", "t_s": 5.0}, {"id": "gate", "name": "Gate", "t_s": 2.0}]
    reply = daemon.ask("PATCH", path, {"markers": wanted}, {"If-Match": "*"})
    assert [m["name"] for m in reply.json["markers"]] == ["Gate", "new"]
    stored = daemon.services.store.read(trails.get, trail_id)
    assert stored is not None
    assert (stored.markers[0].marker_id, stored.markers[0].extra) == ("gate", extra)
    twice = {"markers": [wanted[1], wanted[1]]}
    assert daemon.ask("PATCH", path, twice, {"If-Match": "*"}).status == 422
    for wrong in ({"t_s": -1}, {"t_s": "1"}, {"t_s": True}, {"t_s": None}, {"name": ""}, {"id": ""}):
        body = {"markers": [{"name": "n", "t_s": 1.0, **wrong}]}
        assert daemon.ask("PATCH", path, body, {"If-Match": "*"}).status == 422, wrong
    for text in ("NaN", "Infinity", "1e999"):
        raw = f'{{"markers": [{{"name": "n", "t_s": {text}}}]}}'.encode()
        assert daemon.ask("PATCH", path, raw=raw, headers={"If-Match": "*"}).status in (400, 422)


def test_a_removed_trail_s_index_is_not_made_any_more(daemon: Served) -> None:
    daemon.executor.n_slots = 0
    trail = daemon.post("/trails", {"recording": daemon.know("A.MP4")})
    daemon.ask("DELETE", f"/api/v1/trails/{trail['id']}", headers={"If-Match": "*"})
    assert [job["state"] for job in daemon.get("/jobs")["jobs"]] == ["cancelled"]


# --- syncs and jobs -------------------------------------------------------------------------------


def test_a_sync_is_followed_from_queued_to_done(daemon: Served) -> None:
    run, reference = daemon.know("RUN.MP4"), daemon.know("REF.MP4")
    reply = daemon.ask("POST", "/api/v1/syncs", {"recording": run})
    assert (reply.status, "no trail yet" in reply.json["detail"]) == (409, True)
    trail_id = daemon.refer(reference, "Home")
    daemon.executor.goes_on.clear()
    sync = daemon.post("/syncs", {"recording": run})
    daemon.until(lambda: daemon.get(f"/syncs/{sync['id']}")["progress"] == 0.5)
    running = daemon.ask("GET", f"/api/v1/syncs/{sync['id']}")
    assert (running.json["state"], running.json["stage"]) == ("running", "Looking")
    assert "ETag" not in running.headers
    assert daemon.post("/syncs", {"recording": run})["id"] == sync["id"]
    (job,) = daemon.get("/jobs?state=running")["jobs"]
    assert (job["kind"], job["progress"]) == ("sync", {"stage": "Looking", "done": 0.5})
    daemon.executor.goes_on.set()
    daemon.until_idle()
    done = daemon.get(f"/syncs/{sync['id']}")
    about = ("state", "progress", "verdict", "reasons", "trail", "reference", "accepted", "error")
    assert [done[key] for key in about] == [
        "done",
        1.0,
        "accept",
        ["All agree."],
        trail_id,
        reference,
        True,
        None,
    ]
    assert daemon.get(f"/recordings/{run}")["sync"] == done
    assert daemon.get(f"/syncs?recording={run}")["syncs"] == [done]
    reply = daemon.ask("POST", "/api/v1/syncs", {"recording": reference})
    assert (reply.status, "reference of a trail itself" in reply.json["detail"]) == (409, True)


def test_p5_a_weak_sync_waits_until_a_person_accepts_what_they_saw(daemon: Served) -> None:
    run, reference = daemon.know("RUN.MP4"), daemon.know("REF.MP4")
    daemon.refer(reference, "Home", [TrailMarker("gate", "Gate", 10.0)])
    daemon.executor.finds = {"verdict": "review", "reasons": ["Few pictures agree."]}
    sync = daemon.post("/syncs", {"recording": run})
    daemon.until_idle()
    path = f"/api/v1/syncs/{sync['id']}"
    seen = daemon.ask("GET", path)
    assert [seen.json[key] for key in ("state", "verdict", "accepted")] == ["done", "review", False]
    assert daemon.get("/exports")["exports"] == []

    daemon.post(f"/syncs/{sync['id']}/again")
    daemon.until_idle()
    assert daemon.ask("PATCH", path, {"accepted": True}).status == 428
    stale = daemon.ask("PATCH", path, {"accepted": True}, {"If-Match": seen.headers["ETag"]})
    assert stale.status == 412
    now = daemon.ask("GET", path).headers["ETag"]
    assert daemon.ask("PATCH", path, {"accepted": False}, {"If-Match": now}).status == 422
    accepted = daemon.ask("PATCH", path, {"accepted": True}, {"If-Match": now})
    assert [accepted.json[key] for key in ("state", "verdict", "accepted")] == ["done", "review", True]
    daemon.until_idle()
    assert len(daemon.get("/exports")["exports"]) == 2


def test_a_run_that_fits_no_trail_is_dismissed_or_lined_up_with_the_one_that_is_named(daemon: Served) -> None:
    run, reference = daemon.know("RUN.MP4"), daemon.know("REF.MP4")
    trail_id = daemon.refer(reference, "Home", [TrailMarker("gate", "Gate", 10.0)])
    daemon.executor.finds = {"verdict": "reject", "trail": None, "artifact": None, "reasons": ["None fits."]}
    sync = daemon.post("/syncs", {"recording": run})
    daemon.until_idle()
    path = f"/api/v1/syncs/{sync['id']}"
    seen = {"If-Match": daemon.ask("GET", path).headers["ETag"]}
    for unclear in ({}, {"accepted": True, "dismissed": True}, {"dismissed": False}):
        assert daemon.ask("PATCH", path, unclear, seen).status == 422
    dismissed = daemon.ask("PATCH", path, {"dismissed": True}, seen)
    assert (dismissed.status, dismissed.json["state"], dismissed.json["error"]) == (
        200,
        "cancelled",
        "Dismissed.",
    )
    assert daemon.get("/jobs?state=needs_review")["jobs"] == []
    assert daemon.ask("PATCH", path, {"dismissed": True}, seen).status == 412
    daemon.executor.finds = {}
    daemon.post("/syncs", {"recording": run, "trail": trail_id})
    daemon.until_idle()
    found = daemon.get(f"/recordings/{run}")["sync"]
    assert (found["trail"], found["accepted"]) == (trail_id, True)


def test_a_failed_job_says_why_and_can_be_tried_again(daemon: Served) -> None:
    run, reference = daemon.know("RUN.MP4"), daemon.know("REF.MP4")
    daemon.refer(reference, "Home")
    daemon.executor.finds = {"error": "The card has gone."}
    sync = daemon.post("/syncs", {"recording": run})
    daemon.until_idle()
    failed = daemon.get(f"/syncs/{sync['id']}")
    assert [failed[key] for key in ("state", "error", "verdict")] == ["failed", "The card has gone.", None]
    (job,) = daemon.get(f"/jobs?state=failed&recording={run}")["jobs"]
    daemon.executor.finds = {}
    assert daemon.post(f"/jobs/{job['id']}/retry")["state"] == "queued"
    daemon.until_idle()
    assert daemon.get(f"/syncs/{sync['id']}")["verdict"] == "accept"
    assert daemon.ask("POST", f"/api/v1/jobs/{job['id']}/retry").status == 409
    log = daemon.ask("GET", f"/api/v1/jobs/{job['id']}/log")
    assert (log.headers["Content-Type"], log.body) == ("text/plain; charset=utf-8", b"sync has begun\n" * 2)


def test_of_a_long_log_the_end_is_given_as_text(daemon: Served) -> None:
    daemon.post("/trails", {"recording": daemon.know("A.MP4")})
    daemon.until_idle()
    (job,) = daemon.get("/jobs")["jobs"]
    daemon.services.places.log_of(job["id"]).write_bytes(b"begun\n" + b"x" * 2**20 + b"caf\xe9\n")
    log = daemon.ask("GET", f"/api/v1/jobs/{job['id']}/log").body.decode("utf-8")
    assert log.endswith("xcaf\ufffd\n")
    assert "begun" not in log
    daemon.services.places.log_of(job["id"]).unlink()
    assert daemon.ask("GET", f"/api/v1/jobs/{job['id']}/log").body == b""


def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(daemon: Served) -> None:
    daemon.refer(daemon.know("REF.MP4"), "Home")
    daemon.executor.goes_on.clear()
    for n_slots in (0, 2):
        daemon.executor.n_slots = n_slots
        sync = daemon.post("/syncs", {"recording": daemon.know(f"RUN{n_slots}.MP4")})
        if n_slots:
            daemon.until(lambda: bool(daemon.get("/jobs?state=running")["jobs"]))
        job = daemon.get("/jobs")["jobs"][0]
        assert daemon.post(f"/jobs/{job['id']}/cancel")["state"] == "cancelled"
        assert daemon.get(f"/syncs/{sync['id']}")["state"] == "cancelled"
        assert daemon.ask("POST", f"/api/v1/jobs/{job['id']}/cancel").status == 409


# --- markers --------------------------------------------------------------------------------------


def test_what_a_person_writes_into_a_marker_decides_nothing_and_stays(
    daemon: Served, synced: tuple[str, str]
) -> None:
    run, _ = synced
    path = f"/api/v1/recordings/{run}/markers/gate"
    seen = daemon.ask("GET", path)
    written = {"name": "Gate, closed", "comment": "stop", "note": "ask Tom", "labels": ["gate", "stop"]}
    told = daemon.ask("PATCH", path, written, {"If-Match": seen.headers["ETag"]}).json
    assert {name: told[name] for name in written} == written
    for name in ("state", "needs_review", "t_s", "expected_error_s", "confidence"):
        assert told[name] == seen.json[name]
    daemon.post(f"/syncs/{daemon.get(f'/recordings/{run}')['sync']['id']}/again")
    daemon.until_idle()
    again = daemon.ask("GET", path).json
    assert {name: again[name] for name in (*written, "state")} == {**written, "state": "found"}
    daemon.post(f"/recordings/{run}/undo")
    daemon.until_idle()
    assert daemon.ask("GET", path).json["name"] == "gate"


def test_a_person_corrects_accepts_and_rejects_markers(daemon: Served, synced: tuple[str, str]) -> None:
    run, _ = synced
    path = f"/api/v1/recordings/{run}/markers/gate"
    seen = daemon.ask("GET", path)
    etag = {"If-Match": seen.headers["ETag"]}
    assert daemon.ask("PATCH", path, {"t_s": 11.0}).status == 428
    assert daemon.ask("PATCH", path, {}, etag).status == 422
    assert daemon.ask("PATCH", path, {"t_s": 300.1}, etag).status == 422
    assert daemon.ask("PATCH", path, {"t_s": 1.0, "state": "rejected"}, etag).status == 422
    corrected = daemon.ask("PATCH", path, {"t_s": 11.0, "comment": "here"}, etag)
    assert [corrected.json[k] for k in ("t_s", "comment", "name", "state")] == [
        11.0,
        "here",
        "gate",
        "corrected",
    ]
    assert daemon.ask("PATCH", path, {"state": "rejected"}, etag).status == 412
    rejected = daemon.ask("PATCH", path, {"state": "rejected"}, {"If-Match": corrected.headers["ETag"]})
    assert (rejected.json["state"], rejected.json["t_s"]) == ("rejected", 11.0)
    shown = daemon.get(f"/markers?recording={run}&editor=resolve")["markers"]
    assert [m["id"] for m in shown] == ["drop", "corner"]
    daemon.until_idle()
    # What was written for editors follows.
    (export,) = [e for e in daemon.get(f"/exports?recording={run}")["exports"] if e["format"] == "csv"]
    assert daemon.ask("GET", f"/api/v1/exports/{export['id']}/file").body == b"csv of 2 markers\n"


def test_several_markers_are_accepted_together_or_none(daemon: Served, synced: tuple[str, str]) -> None:
    run, _ = synced
    path = f"/api/v1/recordings/{run}/decisions"
    named = [
        {"id": m["id"], "version": m["version"]} for m in daemon.get(f"/recordings/{run}/markers")["markers"]
    ]
    stale = [named[0], {**named[1], "version": 99}]
    assert daemon.ask("POST", path, {"state": "accepted", "markers": stale}).status == 412
    assert {m.state for m in daemon.markers(run).values()} == {MarkerState.FOUND}
    done = daemon.ask("POST", path, {"state": "accepted", "markers": named}).json["markers"]
    assert [m["state"] for m in done] == ["accepted"] * 3
    assert (
        daemon.ask("POST", path, {"state": "accepted", "markers": [{"id": "no", "version": 1}]}).status == 404
    )


def test_p5_a_marker_without_a_place_is_not_accepted(daemon: Served, synced: tuple[str, str]) -> None:
    run, _ = synced
    daemon.place(run, [carried("lost", 1.0, t_s=None, needs_review=True, expected_error_s=None)])
    path = f"/api/v1/recordings/{run}/markers/lost"
    reply = daemon.ask("PATCH", path, {"state": "accepted"}, {"If-Match": "*"})
    assert (reply.status, "has no place" in reply.json["detail"]) == (409, True)
    assert daemon.ask("PATCH", path, {"t_s": 3.0}, {"If-Match": "*"}).json["needs_review"] is False


# --- what timelines tell --------------------------------------------------------------------------


def told(marker_id: str | None, t_s: float, name: str, **more: Any) -> dict[str, Any]:
    """A marker as a timeline shows it."""
    about = {"id": marker_id, "t_s": t_s, "duration_s": 0.0, "name": name, "colour": "Green", "note": ""}
    return {**about, "changed": marker_id is None, **more}


def test_markers_are_shown_in_words_that_resolve_can_hold(daemon: Served, synced: tuple[str, str]) -> None:
    run, _ = synced
    daemon.place(
        run,
        [
            carried("a", 1.0, name=" two\twords ", colour="#ff0000", comment="one\r\ntwo "),
            carried("b", 2.0, name="", colour="", needs_review=True, expected_error_s=0.84, reason="few"),
            carried("c", 3.0, comment="look", needs_review=True, expected_error_s=None),
            carried("d", 4.0, t_s=None),
        ],
    )
    shown = daemon.get(f"/markers?recording={run}&editor=resolve")["markers"]
    assert [(m["id"], m["name"], m["colour"], m["note"], m["needs_review"]) for m in shown] == [
        ("a", "two words", "Red", "one\ntwo", False),
        ("b", "Marker", "Blue", "CHECK, may be 0.8 s off:", True),
        ("c", "c", "Green", "CHECK: look", True),
    ]
    for query in (f"recording={run}", f"recording={run}&editor=avid", "recording=nobody&editor=resolve"):
        assert daemon.ask("GET", f"/api/v1/markers?{query}").status in (400, 404)


def test_a_changed_marker_of_a_run_is_the_person_s_correction(
    daemon: Served, synced: tuple[str, str]
) -> None:
    run, _ = synced
    orange = carried("c", 3.0, colour="orange", comment="look ", needs_review=True, expected_error_s=None)
    daemon.place(run, [carried("a", 1.0), carried("b", 2.0), orange])
    shown = {m["id"]: m for m in daemon.get(f"/markers?recording={run}&editor=resolve")["markers"]}
    body = {
        "recording": run,
        "timeline": "T",
        "markers": [
            told("a", 1.0, "a"),
            told("b", 2.4, "other", note="CHECK: mine", changed=True),
            told("c", 3.2, "c", colour=shown["c"]["colour"], note=shown["c"]["note"], changed=True),
            told("unknown", 9.0, "x", changed=True),
            told(None, 5.0, "own"),
        ],
    }
    before = daemon.markers(run)
    assert daemon.ask("PUT", "/api/v1/markers", body).json == {}
    after = daemon.markers(run)
    assert set(after) == {"a", "b", "c"}
    assert after["a"] == before["a"]
    assert (after["b"].t_s, after["b"].name, after["b"].comment) == (2.4, "other", "mine")
    assert (after["c"].t_s, after["c"].colour, after["c"].comment) == (3.2, "orange", "look ")
    assert {after[k].state for k in "bc"} == {MarkerState.CORRECTED}
    assert not after["c"].needs_review
    # Told again, it changes nothing: the editor's note still begins with what mtbsync put there.
    daemon.ask("PUT", "/api/v1/markers", body)
    assert daemon.markers(run) == after


def test_a_reference_s_markers_are_those_that_a_timeline_tells(
    daemon: Served, synced: tuple[str, str]
) -> None:
    run, trail_id = synced
    trail = daemon.get(f"/trails/{trail_id}")
    markers_told = [
        told(None, 10.04, "gate"),
        told("drop", 12.0, "drop", changed=True, note="steep"),
        told(None, 14.2, "corner"),
        told(None, 20.0, "new"),
    ]
    body = {"recording": trail["recording"], "timeline": "T", "markers": markers_told}
    daemon.ask("PUT", "/api/v1/markers", body)
    told_once = daemon.get(f"/trails/{trail_id}")
    names = [(m["name"], m["t_s"], m["comment"]) for m in told_once["markers"]]
    assert names == [("gate", 10.04, ""), ("drop", 12.0, "steep"), ("corner", 14.2, ""), ("new", 20.0, "")]
    ids = [m["id"] for m in told_once["markers"]]
    # 0.2 s is another place, so that is another corner.
    assert ids[:2] == ["gate", "drop"]
    assert "corner" not in ids
    daemon.ask("PUT", "/api/v1/markers", body)
    assert daemon.get(f"/trails/{trail_id}") == told_once
    daemon.until_idle()
    # Its runs have them as well.
    assert set(daemon.markers(run)) == set(ids)
    shown = daemon.get(f"/markers?recording={trail['recording']}&editor=resolve")["markers"]
    assert [m["id"] for m in shown] == ids


def test_two_markers_of_one_name_and_place_stay_two(daemon: Served, synced: tuple[str, str]) -> None:
    _, trail_id = synced
    reference = daemon.get(f"/trails/{trail_id}")["recording"]
    body = {"recording": reference, "timeline": "T", "markers": [told(None, 1.0, "x"), told(None, 1.04, "x")]}
    daemon.ask("PUT", "/api/v1/markers", body)
    once = daemon.get(f"/trails/{trail_id}")
    assert len({m["id"] for m in once["markers"]}) == 2
    daemon.ask("PUT", "/api/v1/markers", body)
    assert daemon.get(f"/trails/{trail_id}") == once


def test_p10_a_marker_that_is_told_wrongly_is_refused_and_nothing_changes(
    daemon: Served, synced: tuple[str, str]
) -> None:
    run, _ = synced
    before = daemon.markers(run)
    behind, nameless = {"t_s": CHAPTER_S + 0.1}, {"name": " "}
    wrongs = ({"t_s": None}, {"t_s": "1"}, {"id": 7}, {"changed": 1}, {"more": 1}, {"duration_s": -1})
    for wrong in (*wrongs, behind, nameless):
        body = {"recording": run, "timeline": "T", "markers": [told("gate", 1.0, "a", changed=True) | wrong]}
        assert daemon.ask("PUT", "/api/v1/markers", body).status == 422, wrong
    assert daemon.markers(run) == before


# --- pushes ---------------------------------------------------------------------------------------


def test_p6_the_journal_goes_from_started_to_done_to_undone(daemon: Served) -> None:
    after = {
        "frame": 1,
        "colour": "Red",
        "name": "n",
        "note": "",
        "n_frames": 1,
        "custom_data": "mtbsync:r/m#0",
    }
    steps = [{"before": None, "after": after}]
    push = daemon.post("/pushes", {"timeline": "T", "name": "Cut", "steps": steps})
    assert push == {"id": push["id"], "timeline": "T", "name": "Cut", "state": "started", "steps": steps}
    path = f"/api/v1/pushes/{push['id']}"
    assert daemon.ask("PATCH", path, {"state": "done"}).status == 422
    assert daemon.ask("PATCH", path, {"state": "undone", "steps": []}).status == 422
    assert daemon.ask("PATCH", path, {"state": "started"}).status == 422
    assert daemon.ask("PATCH", path, {"state": "done", "steps": []}).json["steps"] == []
    assert daemon.ask("PATCH", path, {"state": "done", "steps": steps}).status == 409
    assert [p["state"] for p in daemon.get("/pushes?timeline=T")["pushes"]] == ["done"]
    assert daemon.ask("PATCH", path, {"state": "undone"}).json["state"] == "undone"
    assert daemon.ask("PATCH", path, {"state": "undone"}).status == 409
    assert daemon.get("/pushes?timeline=T")["pushes"] == []
    nothing = {"timeline": "T", "name": "Cut", "steps": [{"before": None, "after": None}]}
    assert daemon.ask("POST", "/api/v1/pushes", nothing).status == 422
    for push_id in ("x", "-1", "9" * 30, "%C2%B2"):
        assert daemon.ask("PATCH", f"/api/v1/pushes/{push_id}", {"state": "undone"}).status == 404


# --- exports, and the daemon itself ---------------------------------------------------------------


def test_markers_are_written_in_the_formats_that_are_asked_for(
    daemon: Served, synced: tuple[str, str]
) -> None:
    run, _ = synced
    before = {e["format"] for e in daemon.get("/exports")["exports"]}
    job = daemon.post("/exports", {"recording": run, "formats": ["kdenlive"]})["job"]
    daemon.until_idle()
    assert daemon.get(f"/jobs/{job}")["state"] == "done"
    found = daemon.get(f"/exports?recording={run}&limit=1")
    (newest,) = found["exports"]
    assert (newest["format"], newest["losses"]) == ("kdenlive", ["Colours left out."])
    assert "kdenlive" not in before
    assert found["next_cursor"] is not None
    reply = daemon.ask("GET", f"/api/v1/exports/{newest['id']}/file")
    assert reply.body == b"kdenlive of 3 markers\n"
    assert reply.headers["Content-Disposition"] == "attachment; filename*=UTF-8''RUN_kdenlive.txt"
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert daemon.ask("POST", "/api/v1/exports", {"recording": run, "formats": ["word"]}).status == 422
    assert daemon.ask("POST", "/api/v1/exports", {"recording": daemon.know("N.MP4")}).status == 409
    assert "kdenlive" in {f["name"] for f in daemon.get("/formats")["formats"]}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_p7_an_export_that_became_a_link_is_not_served(
    daemon: Served, synced: tuple[str, str], tmp_path: Path
) -> None:
    export = daemon.get("/exports")["exports"][0]
    secret = tmp_path / "secret"
    secret.write_text("not yours", encoding="utf-8")
    Path(export["path"]).unlink()
    assert daemon.ask("GET", f"/api/v1/exports/{export['id']}/file").status == 404
    Path(export["path"]).symlink_to(secret)
    assert daemon.ask("GET", f"/api/v1/exports/{export['id']}/file").status == 404


def test_health_says_what_is_wrong(daemon: Served) -> None:
    assert (daemon.get("/health")["status"], daemon.get("/health")["reasons"]) == ("ok", [])
    daemon.services.settings.problem = "mtbsync.toml, line 3: there is no setting called colour."
    health = daemon.get("/health")
    assert health["status"] == "degraded"
    assert health["reasons"] == ["mtbsync.toml, line 3: there is no setting called colour."]


def test_health_names_a_folder_that_waits_for_a_trail_that_there_is_not(tmp_path: Path) -> None:
    rules = f'[[folder]]\npath = {json.dumps(str(tmp_path / "rides"))}\ntrail = "Hmoe"\n'
    with served(tmp_path, rules) as daemon:
        begin = f"{tmp_path / 'rides'} waits for a trail called Hmoe; there "
        assert daemon.get("/health")["reasons"] == [f"{begin}is none yet."]
        trails_made = [daemon.refer(daemon.know(f"{name}.MP4"), name) for name in ("Home", "Away")]
        assert daemon.get("/health")["reasons"] == [f"{begin}are Away and Home."]
        seen = {"If-Match": "*"}
        assert daemon.ask("PATCH", f"/api/v1/trails/{trails_made[0]}", {"name": "hmoe"}, seen).status == 200
        assert daemon.get("/health")["status"] == "ok"


def test_metrics_count_what_there_is(daemon: Served, synced: tuple[str, str]) -> None:
    reply = daemon.ask("GET", "/api/v1/metrics")
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = reply.body.decode().splitlines()
    assert 'mtbsync_jobs{kind="sync",state="done"} 1' in lines
    assert 'mtbsync_job_stage_seconds_total{kind="sync",stage="Looking"} 1.5' in lines
    assert "mtbsync_recordings 2" in lines
    assert "mtbsync_trails 1" in lines
    values = {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#")}
    assert values["process_resident_memory_bytes"] > 1e6
    assert values["process_open_fds"] > 3


def test_a_full_disk_is_told_as_such(daemon: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **more: Any) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    monkeypatch.setattr("mtbsync_daemon.store.pushes.begin", full)
    reply = daemon.ask("POST", "/api/v1/pushes", {"timeline": "T", "name": "", "steps": []})
    assert (reply.status, "full" in reply.json["detail"]) == (507, True)
