"""The real daemon, from a file that lands to markers in editors' formats.

P1: originals are never written; P2: a recording is imported once.
"""

from __future__ import annotations

import json
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mtbsync_daemon.store import recordings
from mtbsync_daemon.store.reader import reading
from mtbsync_integrations.formats.marker_csv import read_transferred
from support.daemons import Daemon
from support.program import state
from support.rides import Rides, true_t_new

_PIECES = 12
MARKED = [{"name": name, "t_s": t_s} for name, t_s in (("Root", 2.5), ("Drop", 4.0), ("Bend", 5.5))]


@pytest.fixture
def daemon(rides: Rides, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that watches a folder and knows the rides' trail."""
    (tmp_path / "rides").mkdir()
    settings = f"""
    roots = ['{rides.folder.as_posix()}']
    sweep_s = 1
    [[folder]]
    path = '{(tmp_path / "rides").as_posix()}'
    output = '{(tmp_path / "out").as_posix()}'
    formats = ["csv", "resolve-edl"]
    settle_s = 0.3
    """
    daemon = Daemon(tmp_path, settings)
    daemon.start()
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.stop()


@pytest.fixture
def home(daemon: Daemon, rides: Rides) -> Daemon:
    """The same, with the rides' reference made a trail."""
    make_trail(daemon, rides)
    daemon.until_idle()
    return daemon


def test_nothing_in_the_data_folder_is_taken_for_footage(tmp_path: Path) -> None:
    settings = f"[[folder]]\npath = '{tmp_path}'\nsettle_s = 0.1\nlate_s = 0.1\n"
    daemon = Daemon(tmp_path, settings)
    made = daemon.data / "artifacts" / "light" / "r1" / "0.mp4"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"a light copy")
    daemon.start()
    # Whatever the look that found the first has found beside it is known before the second.
    for n, name in enumerate(("a.mp4", "b.mp4"), start=1):
        (tmp_path / name).write_bytes(b"ride")
        daemon.until(lambda n=n: len(daemon.jobs("probe")) >= n)  # type: ignore[misc]
    assert daemon.stop() == 0
    with reading(daemon.data / "library.sqlite") as library:
        assert sorted(library.read(recordings.stamps, tmp_path)) == [
            str(tmp_path / "a.mp4"),
            str(tmp_path / "b.mp4"),
        ]


def test_p4_what_killed_tasks_left_is_gone_at_the_start_and_a_storage_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    daemon = Daemon(tmp_path, f"[storage]\nfolder = '{kept}'\n")
    left = [daemon.data / "media" / ".mtbsync-1", kept / ".mtbsync-2"]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "large.mp4").write_bytes(b"x")
    daemon.start()
    assert daemon.stop() == 0
    assert [folder.exists() for folder in left] == [False, True]


def make_trail(daemon: Daemon, rides: Rides) -> dict[str, Any]:
    (ref,) = daemon.ask("POST", "/recordings", {"paths": [str(rides.ref)]})["recordings"]
    trail: dict[str, Any] = daemon.ask(
        "POST", "/trails", {"recording": ref["id"], "name": "Home", "markers": MARKED}
    )
    return trail


def land_slowly(source: Path, target: Path) -> None:
    """Write a file in pieces, with pauses longer than it takes to settle before some of them."""
    content = source.read_bytes()
    step = -(-len(content) // _PIECES)
    with target.open("wb") as file:
        for k in range(_PIECES):
            file.write(content[k * step : (k + 1) * step])
            file.flush()
            time.sleep(0.5 if k == _PIECES // 2 else 0.05)


def done(daemon: Daemon, n: int = 1) -> None:
    """Wait until so many runs were delivered, and there is no more to do."""
    daemon.until(lambda: sum(j["state"] == "done" for j in daemon.jobs("deliver")) >= n)
    daemon.until_idle()


def test_p1_p2_a_ride_lands_in_pieces_and_its_markers_come_out_once(
    home: Daemon, rides: Rides, tmp_path: Path
) -> None:
    originals = state(rides.folder)
    land_slowly(rides.new, tmp_path / "rides" / "new.mp4")
    done(home)
    placed = read_transferred(tmp_path / "out" / "new_csv.csv")
    assert [m.marker.name for m in placed] == ["Root", "Drop", "Bend"]
    for m in placed:
        assert m.t_new is not None
        assert m.t_new == pytest.approx(true_t_new(m.marker.t_s), abs=0.2)
    assert "Drop" in (tmp_path / "out" / "new_resolve_edl.edl").read_text(encoding="utf-8")

    shutil.copy(rides.new, tmp_path / "rides" / "new.mp4")
    shutil.copy(rides.new, tmp_path / "rides" / "the same again.mp4")
    home.until(lambda: len(home.jobs("probe")) >= 4)
    home.until_idle()
    assert home.stop() == 0
    home.start()
    time.sleep(2)
    home.until_idle()
    kinds = [job["kind"] for job in home.jobs()]
    assert {kind: kinds.count(kind) for kind in ("sync", "transfer", "deliver")} == {
        "sync": 1,
        "transfer": 1,
        "deliver": 1,
    }
    runs = home.ask("GET", "/recordings")["recordings"]
    assert len(runs) == 2
    assert state(rides.folder) == originals


def test_a_run_of_another_trail_waits_for_a_person(home: Daemon, rides: Rides, tmp_path: Path) -> None:
    shutil.copy(rides.other, tmp_path / "rides" / "other.mp4")
    home.until(lambda: any(j["state"] == "needs_review" for j in home.jobs("sync")))
    (sync,) = home.ask("GET", "/syncs")["syncs"]
    assert (sync["verdict"], sync["reference"]) == ("reject", None)
    assert sync["reasons"]
    home.until_idle()
    assert not (tmp_path / "out").exists()


def test_settings_count_without_a_restart(daemon: Daemon, rides: Rides, tmp_path: Path) -> None:
    make_trail(daemon, rides)
    (tmp_path / "more").mkdir()
    shutil.copy(rides.new, tmp_path / "more" / "new.mp4")
    text = daemon.config.read_text(encoding="utf-8")
    added = (
        f"\n[[folder]]\npath = '{(tmp_path / 'more').as_posix()}'\nsettle_s = 0.2\nbeside_footage = true\n"
    )
    daemon.config.write_text(text + added + "formats = ['otio']\n", encoding="utf-8")
    done(daemon)
    assert (tmp_path / "more" / "new_otio.otio").is_file()
    daemon.config.write_text("nonsense = 1\n", encoding="utf-8")
    health = daemon.until(
        lambda: next((h for h in [daemon.ask("GET", "/health")] if h["status"] != "ok"), None)
    )
    assert "line 1" in " ".join(health["reasons"])


def test_a_corrected_marker_is_written_again(home: Daemon, rides: Rides, tmp_path: Path) -> None:
    shutil.copy(rides.new, tmp_path / "rides" / "new.mp4")
    done(home)
    run = next(r for r in home.ask("GET", "/recordings")["recordings"] if not r["is_reference"])
    drop = next(
        m for m in home.ask("GET", f"/recordings/{run['id']}/markers")["markers"] if m["name"] == "Drop"
    )
    path = f"/recordings/{run['id']}/markers/{drop['id']}"
    home.ask("PATCH", path, {"t_s": 1.25}, If_Match=f'"{drop["version"]}"')
    home.until(lambda: "1.25" in (tmp_path / "out" / "new_csv.csv").read_text(encoding="utf-8"))
    status, told = home.answer("PATCH", path, {"t_s": 2.0}, If_Match=f'"{drop["version"]}"')
    assert status == 412
    assert told["detail"]


def test_only_one_daemon_uses_a_folder(daemon: Daemon, tmp_path: Path) -> None:
    second = Daemon(tmp_path, daemon.config.read_text(encoding="utf-8"))
    with pytest.raises(AssertionError, match="running already"):
        second.start()
    assert daemon.ask("GET", "/health")["status"] == "ok"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes; the user's folder is private")
def test_p7_only_this_user_can_read_the_token(daemon: Daemon) -> None:
    assert stat.S_IMODE((daemon.data / "daemon.json").stat().st_mode) == 0o600


def test_it_listens_on_this_machine_only_and_leaves_nothing_running(daemon: Daemon) -> None:
    assert daemon.process is not None
    process = psutil.Process(daemon.process.pid)
    listening = [c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]
    assert daemon.stop() == 0
    assert not (daemon.data / "daemon.json").exists()


def test_p10_a_truncated_video_is_a_sentence_and_the_whole_one_is_taken(
    home: Daemon, rides: Rides, tmp_path: Path
) -> None:
    whole = rides.new.read_bytes()
    landed = tmp_path / "rides" / "new.mp4"
    landed.write_bytes(whole[: len(whole) // 2])
    home.until(lambda: any(j["state"] == "failed" for j in home.jobs("probe")))
    assert "new.mp4" in next(j for j in home.jobs("probe") if j["state"] == "failed")["error"]
    landed.write_bytes(whole)
    done(home)
    assert len(home.jobs("sync")) == 1


@pytest.mark.long
def test_a_folder_that_is_taken_away_and_brought_back_loses_nothing(
    home: Daemon, rides: Rides, tmp_path: Path
) -> None:
    shutil.copy(rides.new, tmp_path / "rides" / "new.mp4")
    done(home)
    before = home.ask("GET", "/recordings")["recordings"]
    (tmp_path / "rides").rename(tmp_path / "unplugged")
    home.until(lambda: home.ask("GET", "/health")["status"] != "ok")
    assert len(home.ask("GET", "/recordings")["recordings"]) == len(before)
    (tmp_path / "unplugged").rename(tmp_path / "rides")
    home.until(lambda: home.ask("GET", "/health")["status"] == "ok")
    home.until_idle()
    assert home.ask("GET", "/recordings")["recordings"] == before
    assert len(home.jobs("sync")) == 1


@pytest.mark.long
def test_the_sample_itself(tmp_path: Path) -> None:
    """The footage that comes with mtbsync, as `make demo` shows it."""
    sample = Path(__file__).resolve().parents[2] / "data" / "sample"
    (tmp_path / "rides").mkdir()
    daemon = Daemon(
        tmp_path,
        f"roots = ['{sample.as_posix()}']\n[[folder]]\npath = '{(tmp_path / 'rides').as_posix()}'\n"
        f"output = '{(tmp_path / 'out').as_posix()}'\nformats = ['csv']\nsettle_s = 0.3\n",
    )
    daemon.start()
    (ref,) = daemon.ask("POST", "/recordings", {"paths": [str(sample / "ref.mp4")]})["recordings"]
    marked = [{"name": f"{t_s}", "t_s": t_s} for t_s in (8.0, 16.0, 24.0)]
    daemon.ask("POST", "/trails", {"recording": ref["id"], "markers": marked})
    shutil.copy(sample / "new.gpx", tmp_path / "rides" / "new.gpx")
    land_slowly(sample / "new.mp4", tmp_path / "rides" / "new.mp4")
    done(daemon)
    daemon.stop()
    rows = [line.split(",") for line in (sample / "truth_map.csv").read_text(encoding="utf-8").splitlines()]
    truth = [(float(t_new), float(t_ref)) for t_new, t_ref in rows[1:]]
    placed = read_transferred(tmp_path / "out" / "new_csv.csv")
    assert len(placed) == 3
    for m in placed:
        assert m.t_new is not None
        nearest = min(truth, key=lambda pair: abs(pair[0] - (m.t_new or 0)))
        assert nearest[1] == pytest.approx(m.marker.t_s, abs=0.2)
    (artifact,) = (daemon.data / "artifacts" / "syncs").glob("*/*/timewarp.json")
    assert "track_from" in json.loads(artifact.read_text(encoding="utf-8"))["new"]
