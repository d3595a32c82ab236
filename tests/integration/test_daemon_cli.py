"""The commands that run the daemon and talk to it, with a real one.

P1: originals are never written; P7: only this user drives the daemon; P10: one clear sentence.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import psutil
import pytest

from mtbsync_daemon.cli import trail as trail_commands
from mtbsync_daemon.client import connect
from mtbsync_daemon.hints import hint
from mtbsync_daemon.places import Places, default_data
from mtbsync_daemon.store import jobs
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.jobs import Kind
from support.daemons import PATIENCE_S, Daemon
from support.program import PROGRAM, Outcome, mtbsync, state
from support.rides import Rides

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="a script as the browser")


class Serving:
    """`mtbsync serve` as a person starts it, with what it has said so far."""

    def __init__(self, root: Path, *options: object, environment: Mapping[str, str] | None = None) -> None:
        self.root, self.said = root, ""
        apart = subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0
        self.process = subprocess.Popen(
            [
                PROGRAM,
                "serve",
                "--config",
                root / "mtbsync.toml",
                "--data",
                root / "data",
                *map(str, options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env={**os.environ, **(environment or {})},
            creationflags=apart,
        )

    def until(self, words: str) -> str:
        """Read on until a line holds these words; that line."""
        assert self.process.stdout is not None
        too_late = threading.Timer(PATIENCE_S, self.process.kill)
        too_late.start()
        try:
            for line in self.process.stdout:
                self.said += line
                if words in line:
                    return line
        finally:
            too_late.cancel()
        raise AssertionError(self.said)

    def interrupt(self) -> int:
        """Press Ctrl-C (on Windows Ctrl-Break, which can be sent to one program); its exit status."""
        self.process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
        said, _ = self.process.communicate(timeout=PATIENCE_S)
        self.said += said
        return self.process.returncode


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[list[Serving]]:
    """Whatever a test puts in here is ended after it."""
    started: list[Serving] = []
    yield started
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


# --- serve -----------------------------------------------------------------------------------------


def test_a_first_start_says_where_it_is_and_what_to_do_next(tmp_path: Path, serving: list[Serving]) -> None:
    daemon = Serving(tmp_path)
    serving.append(daemon)
    daemon.until("There is no trail yet")
    assert f"Written: {tmp_path / 'mtbsync.toml'}" in daemon.said
    assert "mtbsync runs at http://127.0.0.1:" in daemon.said
    assert f"Nothing is watched yet. Name the folder that your footage lands in, in {tmp_path}" in daemon.said
    assert "[[folder]]" in (tmp_path / "mtbsync.toml").read_text(encoding="utf-8")
    second = mtbsync("serve", "--config", tmp_path / "mtbsync.toml", "--data", tmp_path / "data")
    assert second.status == 1
    assert "mtbsync is running already" in second.err
    assert "Traceback" not in second.err
    assert daemon.interrupt() == 0
    assert "goes on at the next start" in daemon.said
    assert "Traceback" not in daemon.said
    assert not (tmp_path / "data" / "daemon.json").exists()


def test_settings_that_are_there_are_left_and_what_is_watched_is_named(
    tmp_path: Path, serving: list[Serving]
) -> None:
    (tmp_path / "rides").mkdir()
    settings = f"[[folder]]\npath = {json.dumps(str(tmp_path / 'rides'))}\n"
    (tmp_path / "mtbsync.toml").write_text(settings, encoding="utf-8")
    daemon = Serving(tmp_path, "--json")
    serving.append(daemon)
    told = json.loads(daemon.until("{"))
    assert told["ok"] is True
    assert told["folders"] == [str(tmp_path / "rides")]
    assert (tmp_path / "mtbsync.toml").read_text(encoding="utf-8") == settings
    status = mtbsync("status", "--data", tmp_path / "data", "--json").document
    assert status["url"] == told["url"]
    assert daemon.interrupt() == 0


def test_serve_says_what_happens_from_a_folder_to_its_markers(
    tmp_path: Path, rides: Rides, serving: list[Serving]
) -> None:
    folder, out = tmp_path / "rides", tmp_path / "markers"
    folder.mkdir()
    config = tmp_path / "mtbsync.toml"
    settings = f"output = {json.dumps(str(out))}\nroots = [{json.dumps(str(rides.folder))}]\nsweep_s = 1\n"
    config.write_text(settings, encoding="utf-8")
    daemon, kept = Serving(tmp_path), tmp_path / "data"
    serving.append(daemon)
    daemon.until("There is no trail yet")
    watched = f"[[folder]]\npath = {json.dumps(str(folder))}\nsettle_s = 0.1\n"
    config.write_text(settings + watched, encoding="utf-8")
    assert daemon.until("Watched: ") == f"Watched: {folder}\n"
    config.write_text(settings + watched + "surprise = 1\n", encoding="utf-8")
    assert "line 7" in daemon.until("there is no setting called folder.surprise")
    config.write_text(settings + watched, encoding="utf-8")
    daemon.until("All is well again.")
    (folder / "broken.mp4").write_bytes(b"no film")
    daemon.until("Failed: probe of broken.mp4")
    mtbsync("trail", "add", rides.ref, "--name", "Home", "--markers", rides.markers, "--data", kept)
    shutil.copy(rides.new, folder)
    told = daemon.until(f"written to {out}")
    (run,) = mtbsync("status", "--data", kept, "--json").document["delivered"]
    assert (run["name"], run["trail"], run["n_markers"], run["folder"]) == ("new.mp4", "Home", 5, str(out))
    assert 0 < run["n_placed"] <= len((out / "new_csv.csv").read_text(encoding="utf-8").splitlines()) - 1
    sentence = f"new.mp4: {run['n_placed']} of 5 markers on Home, written to {out}\n"
    assert told == sentence
    assert sentence in mtbsync("status", "--data", kept).out
    assert daemon.interrupt() == 0
    assert "Traceback" not in daemon.said


def test_serve_says_what_waits_for_a_person(tmp_path: Path, rides: Rides, serving: list[Serving]) -> None:
    settings = f"roots = [{json.dumps(str(rides.folder))}]\n"
    (tmp_path / "mtbsync.toml").write_text(settings, encoding="utf-8")
    daemon, kept = Serving(tmp_path), tmp_path / "data"
    serving.append(daemon)
    daemon.until("There is no trail yet")
    mtbsync("trail", "add", rides.ref, "--name", "Home", "--data", kept)
    assert mtbsync("trail", "assign", rides.other, "Home", "--data", kept).status == 3
    assert daemon.until("Waits for you: ").startswith("Waits for you: other.mp4. ")


def test_hints_find_the_daemon_in_its_own_folder(tmp_path: Path, serving: list[Serving]) -> None:
    root = tmp_path / "my rides"
    root.mkdir()
    daemon = Serving(root)
    serving.append(daemon)
    daemon.until("There is no trail yet")
    for command in ("mtbsync status --open", "mtbsync trail add REF.MP4 --markers markers.csv"):
        (line,) = [line for line in daemon.said.splitlines() if f"`{command}" in line]
        assert hint(command, root / "data") in line
        assert "my rides" in hint(command, root / "data")
    assert hint("mtbsync status", default_data()) == "`mtbsync status`"


@posix_only
def test_a_hint_can_be_given_to_the_shell(tmp_path: Path) -> None:
    data = tmp_path / "my rides' $data"
    assert shlex.split(hint("mtbsync status", data).strip("`"))[-2:] == ["--data", str(data)]


def test_a_port_that_is_taken_is_told_with_both_ways_to_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        given = ("--config", tmp_path / "mtbsync.toml", "--data", tmp_path / "data", "--port", port)
        refused = mtbsync("serve", *given)
    assert refused.status == 1
    assert f"Port {port} cannot be used" in refused.err
    assert "in the settings or with --port" in refused.err


def test_wrong_settings_end_it_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "mtbsync.toml").write_text("\nport = 1\n", encoding="utf-8")
    refused = mtbsync("serve", "--config", tmp_path / "mtbsync.toml", "--data", tmp_path / "data")
    assert refused.status == 1
    assert "line 2: there is no setting called port" in refused.err


@posix_only
def test_p7_the_browser_is_let_in_once(tmp_path: Path, serving: list[Serving]) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(
        f'#!/bin/sh\necho "$1" > "{opened}.new"; mv "{opened}.new" "{opened}"\n', encoding="utf-8"
    )
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    daemon = Serving(tmp_path, "--open", environment={"BROWSER": f"{browser} %s"})
    serving.append(daemon)
    daemon.until("There is no trail yet")
    for _ in range(int(PATIENCE_S * 20)):
        if opened.exists():
            break
        threading.Event().wait(0.05)
    url = opened.read_text(encoding="utf-8").strip()
    jar = urllib.request.HTTPCookieProcessor(CookieJar())
    with urllib.request.build_opener(jar).open(url) as page:
        assert page.status == 200
    with pytest.raises(urllib.request.HTTPError):
        urllib.request.build_opener().open(url)


# --- with a daemon that runs --------------------------------------------------------------------------


@pytest.fixture
def daemon(rides: Rides, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that watches a folder and may read the rides."""
    (tmp_path / "rides").mkdir()
    settings = (
        f"roots = [{json.dumps(str(rides.folder))}]\nsweep_s = 1\n"
        f"[[folder]]\npath = {json.dumps(str(tmp_path / 'rides'))}\nsettle_s = 0.1\n"
    )
    daemon = Daemon(tmp_path, settings)
    daemon.start()
    before = state(rides.folder)
    yield daemon
    assert state(rides.folder) == before
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.stop()


def _run(daemon: Daemon, *arguments: object) -> Outcome:
    return mtbsync(*arguments, "--data", daemon.data)


def _document(daemon: Daemon, *arguments: object) -> dict[str, Any]:
    outcome = _run(daemon, *arguments, "--json")
    assert outcome.status == 0, outcome.err
    return outcome.document


def test_a_trail_from_its_video_and_markers_to_its_removal(daemon: Daemon, rides: Rides) -> None:
    assert "There is no trail yet" in _run(daemon, "trail", "list").out
    added = _document(daemon, "trail", "add", rides.ref, "--name", "Home", "--markers", rides.markers)[
        "trail"
    ]
    assert (added["name"], added["is_ready"]) == ("Home", True)
    (listed,) = _document(daemon, "trail", "list")["trails"]
    assert (listed["name"], listed["is_ready"], len(listed["markers"])) == ("Home", True, 5)
    shown = _document(daemon, "trail", "show", "home")
    assert [m["name"] for m in shown["trail"]["markers"]] == ["Start", "Root, big", "Drop", "Bend", "Bridge"]
    assert [m["id"] for m in shown["trail"]["markers"]] == ["m1", "m2", "m3", "m4", "m5"]
    assert shown["recording"]["files"][0]["path"] == str(rides.ref)
    assert "Bridge" in _run(daemon, "trail", "show", "Home").out
    again = _run(daemon, "trail", "add", rides.ref, "--name", "Twice")
    assert (again.status, "is the reference of a trail already, Home: --markers gives" in again.err) == (
        1,
        True,
    )
    assert "Home is no trail any more" in _run(daemon, "trail", "remove", "Home").out
    assert _document(daemon, "trail", "list")["trails"] == []
    unknown = _run(daemon, "trail", "remove", "Home")
    assert (unknown.status, "There is no trail called Home" in unknown.err) == (2, True)


def test_adding_a_reference_again_with_markers_gives_its_trail_these(
    daemon: Daemon, rides: Rides, tmp_path: Path
) -> None:
    _run(daemon, "trail", "add", rides.ref, "--name", "Home", "--markers", rides.markers)
    other = tmp_path / "other.csv"
    other.write_text("name,t_ref\nGate,3.0\n", encoding="utf-8")
    again = _run(daemon, "trail", "add", rides.ref, "--markers", other)
    assert (again.status, "it has the markers of other.csv now" in again.out) == (0, True)
    (trail,) = _document(daemon, "trail", "list")["trails"]
    assert (trail["name"], [m["name"] for m in trail["markers"]]) == ("Home", ["Gate"])


def test_a_trail_stays_when_waiting_for_it_is_interrupted(
    daemon: Daemon, rides: Rides, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trail_commands, "_wait_until_ready", interrupted)
    added = _run(daemon, "trail", "add", rides.ref, "--name", "Home")
    assert added.status == 130
    assert added.err == "Home is a trail; it is still being looked at in the background.\n"
    daemon.until(lambda: _document(daemon, "trail", "list")["trails"][0]["is_ready"])


@pytest.mark.long
def test_a_run_is_lined_up_with_the_trail_that_is_named(daemon: Daemon, rides: Rides) -> None:
    _run(daemon, "trail", "add", rides.ref, "--name", "Home", "--markers", rides.markers)
    assigned = _document(daemon, "trail", "assign", rides.new, "home")
    sync = assigned["sync"]
    assert (sync["state"], sync["verdict"] in ("accept", "review")) == ("done", True)
    assert _document(daemon, "trail", "assign", sync["recording"], "Home")["sync"]["id"] == sync["id"]
    _run(daemon, "trail", "add", rides.other, "--name", "Other")
    rejected = _run(daemon, "trail", "assign", sync["recording"], "Other")
    assert (rejected.status, "new.mp4 does not line up with Other" in rejected.err) == (3, True)
    assert hint("mtbsync trail assign RUN TRAIL", daemon.data) in _run(daemon, "status").out
    for run, name, why in (
        ("nowhere.mp4", "Home", "There is no file and no recording called nowhere.mp4"),
        (rides.new, "Nowhere", "There is no trail called Nowhere"),
    ):
        wrong = _run(daemon, "trail", "assign", run, name)
        assert (wrong.status, why in wrong.err) == (2, True)
    reference = _run(daemon, "trail", "assign", rides.ref, "Home")
    assert (reference.status, "is the reference of a trail itself" in reference.err) == (1, True)


def test_p7_a_video_outside_the_roots_is_refused_with_the_setting_that_helps(
    daemon: Daemon, rides: Rides, tmp_path: Path
) -> None:
    video = tmp_path / "elsewhere" / "ref.mp4"
    video.parent.mkdir()
    shutil.copy(rides.ref, video)
    refused = _run(daemon, "trail", "add", video)
    assert refused.status == 1
    assert f'roots = ["{video.parent.as_posix()}"]' in refused.err
    assert "those that `roots` in the settings names" in refused.err
    assert len(refused.err.splitlines()) == 1


def test_a_video_that_cannot_be_read_is_a_sentence(daemon: Daemon, tmp_path: Path) -> None:
    broken = tmp_path / "rides" / "broken.mp4"
    broken.write_bytes(b"no film")
    refused = _run(daemon, "trail", "add", broken)
    assert refused.status == 1
    assert len(refused.err.splitlines()) == 1
    assert "broken.mp4" in refused.err


def test_a_failure_is_told_and_packed_while_the_daemon_runs_and_told_when_it_does_not(
    daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "rides" / "broken.mp4").write_bytes(b"no film")
    daemon.until(lambda: _document(daemon, "status")["failed"])
    told = _document(daemon, "status")
    (failed,) = told["failed"]
    assert (failed["kind"], failed["name"]) == ("probe", "broken.mp4")
    assert told["jobs"]["failed"] == 1
    assert f"Failed: probe of broken.mp4 ({failed['id']})" in _run(daemon, "status").out
    out = tmp_path / "b.zip"
    assert _document(daemon, "bundle", failed["id"], "--out", out, "--config", daemon.config)["out"] == str(
        out
    )
    with zipfile.ZipFile(out) as archive:
        job = json.loads(archive.read("job.json"))
        assert str(tmp_path) not in archive.read("log.txt").decode()
    daemon.stop()
    told = _document(daemon, "status")
    assert (told["running"], told["jobs"]["failed"]) == (False, 1)
    assert "mtbsync is not running" in _run(daemon, "status").out
    assert job["state"] == "failed"
    assert job["params"]["first"] == str(Path("<folder-1>", "broken.mp4"))


def test_status_names_folders_what_is_wrong_with_them_and_a_way_in(daemon: Daemon, tmp_path: Path) -> None:
    told = _document(daemon, "status")
    assert (told["running"], told["url"]) == (True, daemon.url)
    assert [folder["path"] for folder in told["folders"]] == [str(tmp_path / "rides")]
    out = _run(daemon, "status").out
    assert f"Watched: {tmp_path / 'rides'}\n" in out
    assert f"{daemon.url}/login?code=" in out
    (tmp_path / "rides").rmdir()
    daemon.until(lambda: _document(daemon, "status")["folders"][0]["problem"])


def test_the_doctor_sees_a_daemon_that_runs_and_one_that_was_killed(daemon: Daemon) -> None:
    def found() -> dict[str, Any]:
        findings = mtbsync("doctor", "--data", daemon.data, "--config", daemon.config, "--json").document
        return next(f for f in findings["findings"] if f["subject"] == "daemon")

    assert found()["level"] == "ok"
    assert daemon.url in found()["sentence"]
    daemon.kill()
    assert (daemon.data / "daemon.json").exists()
    assert found()["level"] == "warn"
    told = _run(daemon, "status")
    assert (told.status, "was killed" in told.out) == (0, True)


@posix_only
def test_a_daemon_that_was_killed_is_told_so_before_its_process_is_gone(daemon: Daemon) -> None:
    assert daemon.process is not None
    daemon.process.kill()
    killed = psutil.Process(daemon.process.pid)
    # Nobody has asked yet how it ended, so its number is still there.
    daemon.until(lambda: killed.status() == psutil.STATUS_ZOMBIE)
    assert "mtbsync was killed and does not run any more" in _run(daemon, "status").out
    assert "mtbsync was killed" in _run(daemon, "trail", "list").err


@posix_only
def test_without_a_browser_the_link_is_told(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser._tryorder", [])
    told = _run(daemon, "status", "--open")
    assert (told.status, "No browser could be started" in told.err) == (0, True)
    url = told.err.split()[-1]
    jar = urllib.request.HTTPCookieProcessor(CookieJar())
    with urllib.request.build_opener(jar).open(url) as page:
        assert page.status == 200


def test_pruning_beside_a_daemon_that_runs_leaves_it_well(daemon: Daemon, rides: Rides) -> None:
    _document(daemon, "trail", "add", rides.ref, "--markers", rides.markers)
    (index,) = (daemon.data / "artifacts" / "indexes").iterdir()
    os.utime(index, (1, 1))
    left = index.with_name("forgotten-11111111.npz")
    left.write_bytes(b"x")
    os.utime(left, (1, 1))
    assert _document(daemon, "prune", "--config", daemon.config)["removed"] == [str(left)]
    assert index.exists()
    assert daemon.ask("GET", "/health")["status"] == "ok"


# --- without one -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("trail", "list"), ("trail", "remove", "Home"), ("trail", "add", "x.mp4"), ("status", "--open")],
)
def test_without_a_daemon_a_sentence_says_how_to_start_one(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    refused = mtbsync(*arguments, "--data", tmp_path)
    assert refused.status == 1
    assert hint("mtbsync serve", tmp_path) in refused.err
    assert len(refused.err.splitlines()) == 1


def test_status_says_what_is_tried_again_by_itself(tmp_path: Path) -> None:
    places = Places(tmp_path)
    store = Store(places.database, places.backups)
    store.write(jobs.enqueue, Kind.PROBE, {"first": "/rides/new.mp4"}, ["new"])
    job = store.write(jobs.claim, "boot", tuple(Kind))
    assert job is not None
    store.write(jobs.postpone, job, "new.mp4 is not there; plug in the drive that it lies on.")
    store.close()
    told = mtbsync("status", "--data", tmp_path)
    assert "Tried again soon: probe of new.mp4. new.mp4 is not there; plug in" in told.out
    (one,) = mtbsync("status", "--data", tmp_path, "--json").document["postponed"]
    assert one["name"] == "new.mp4"


def test_status_where_nothing_ever_was(tmp_path: Path) -> None:
    told = mtbsync("status", "--data", tmp_path / "none", "--json")
    assert (told.status, told.document["running"]) == (0, False)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "told",
    [
        "",
        "[]",
        "{}",
        '{"url": "http://192.0.2.1:80", "token": "t", "pid": 1}',
        '{"url": 1, "token": 2, "pid": 3}',
    ],
)
def test_p7_a_file_that_does_not_name_a_daemon_here_gets_no_token(tmp_path: Path, told: str) -> None:
    (tmp_path / "daemon.json").write_text(told, encoding="utf-8")
    refused = mtbsync("trail", "list", "--data", tmp_path)
    assert refused.status == 1
    assert "cannot be used" in refused.err


def test_p7_no_proxy_of_the_system_gets_the_token(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert connect(daemon.data).get("/health")["status"] == "ok"
