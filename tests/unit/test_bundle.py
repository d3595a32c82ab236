"""A bundle tells what went wrong, and neither who nor where somebody is."""

from __future__ import annotations

import getpass
import json
import re
import socket
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import pytest

from mtbsync_daemon.bundle import Redactor
from mtbsync_daemon.places import Places
from mtbsync_daemon.store import jobs, recordings, syncs, trails
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.store.recordings import StoredFile
from support.program import mtbsync, state

POSIX = Redactor(
    {
        PurePosixPath("/h/ann"): "home",
        PurePosixPath("/h/ann/My Rides"): "folder-1",
        PurePosixPath("/"): "root",
    },
    {"ann": "user", "trail-pc": "host"},
)


# --- words for folders and names -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/h/ann/My Rides/GX01.MP4 is damaged.", "<folder-1>/GX01.MP4 is damaged."),
        ("It lies in /h/ann/My Rides.", "It lies in <folder-1>."),
        ("/h/ann/other/a.mp4", "<home>/other/a.mp4"),
        ("/h/annette/a.mp4", "<path>/a.mp4"),
        ("file:///h/ann/My%20Rides/a.mp4", "file:<folder-1>/a.mp4"),
        ('File "/usr/lib/python3.11/x.py", line 3', 'File "<path>/x.py", line 3'),
        (r"C:\Riders\bob\Videos\a.mp4", "<path>/a.mp4"),
        (r"'C:\\Riders\\bob\\Videos\\a.mp4'", "'<path>/a.mp4'"),
        (r"\\nas\rides\a.mp4", "<path>/a.mp4"),
        ("ANN on trail-pc", "<user> on <host>"),
        ("ann_run.mp4 by joanne", "<user>_run.mp4 by joanne"),
        ("30000/1001 and 3/4 of http://127.0.0.1:80/x", "30000/1001 and 3/4 of http://127.0.0.1:80/x"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_words_stand_for_folders_and_names(text: str, told: str) -> None:
    assert POSIX.text(text) == told


def test_windows_folders_are_found_however_they_are_written() -> None:
    redact = Redactor({PureWindowsPath(r"C:\Riders\Ann B\Rides"): "folder-1"}, {})
    for text in (
        r"C:\Riders\Ann B\Rides\a.mp4",
        r"c:\riders\ann b\rides\a.mp4",
        r"C:\\Riders\\Ann B\\Rides\\a.mp4",
        "C:/Riders/Ann B/Rides/a.mp4",
    ):
        assert re.fullmatch(r"<folder-1>[\\/]+a\.mp4", redact.text(text)), text


def test_values_keep_their_shape_and_lose_where_trails_go() -> None:
    document = {"/h/ann/a.mp4": [1, None, True, Path("/h/ann/b.mp4")], "cells": ["u0qj"], "n": {"cells": [1]}}
    assert POSIX.values(document) == {"<home>/a.mp4": [1, None, True, "<home>/b.mp4"], "n": {}}


# --- whole bundles -----------------------------------------------------------------------------------


class Case:
    """A library in which one sync has failed, with all that such a job leaves."""

    def __init__(self, root: Path) -> None:
        self.footage = root / "Anna's Rides"
        self.footage.mkdir(parents=True)
        self.places, self.config = Places(root / "data"), root / "settings" / "mtbsync.toml"
        self.config.parent.mkdir()
        self.config.write_text(
            f"output = {json.dumps(str(root / 'for the editor'))}\n"
            f"[executor]\ndask = 'tcp://dask.example:8786'\n"
            f"[[folder]]\npath = {json.dumps(str(self.footage))}\n",
            encoding="utf-8",
        )
        self.store = Store(self.places.database, self.places.backups)
        self.video = self.footage / "day 1" / "GX010034.MP4"
        about = {"files": [str(self.video)], "starts_s": [0.0], "rate": "30"}
        for recording_id, path in (("run", self.video), ("ref", self.footage / "ref.mp4")):
            files = [StoredFile(path, path, True, 1, 1)]
            self.store.write(recordings.take, self.footage, files)
            row = recordings.row_of(recording_id, path.name, 8.0, about)
            self.store.write(recordings.add, row, path)
        self.trail = self.store.write(trails.add, "Home trail", "ref").trail_id
        self.job, _ = self.store.write(
            jobs.enqueue, Kind.SYNC, {"recording": "run", "trail": None}, ["run"], recording_id="run"
        )
        row = self.store.write(syncs.add, self.job, "run", None)
        self.store.write(
            syncs.found,
            row,
            trail_id=None,
            verdict="reject",
            reasons=[f"{self.video} does not fit."],
            candidates=[{"trail_id": self.trail, "verdict": "reject", "reasons": []}],
            artifact=None,
        )
        sentence = f"{self.video} cannot be read by {getpass.getuser()} on {socket.gethostname()}."
        self.store.write(
            jobs.end, self.job, State.FAILED, error=sentence, stage="Looking", stages_s={"Looking": 1.5}
        )
        self.places.logs.mkdir()
        self.places.log_of(self.job).write_text(
            f'{sentence}\nFile "{sys.prefix}/lib/x.py"\n{Path.home() / "a.txt"}\n{tempfile.gettempdir()}/b\n',
            encoding="utf-8",
        )
        results = self.places.artifacts / "syncs" / self.job / self.trail
        results.mkdir(parents=True)
        timewarp = {"verdict": "reject", "new": {"files": [str(self.video)]}, "knots": {"t_new": [1.0]}}
        (results / "timewarp.json").write_text(json.dumps(timewarp), encoding="utf-8")
        (results / "pairs.csv").write_text("t_new,t_ref\n1,2\n", encoding="utf-8")
        np.savez(results / "likeness.npz", z=np.zeros((2, 2)))
        np.savez(results / "ref_index.npz", track=np.zeros(3))

    def bundle(self, out: Path) -> dict[str, bytes]:
        """What a bundle of the job holds, by name."""
        done = mtbsync(
            *("bundle", self.job, "--out", out, "--data", self.places.data, "--config", self.config, "--json")
        )
        assert done.status == 0, done.err
        with zipfile.ZipFile(out) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        assert done.document == {"ok": True, "out": str(out), "members": list(members)}
        return members


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    case = Case(tmp_path / "somewhere")
    yield case
    case.store.close()


def _json(members: dict[str, bytes], name: str) -> Any:
    return json.loads(members[name])


def test_it_holds_what_is_needed_and_no_more(case: Case, tmp_path: Path) -> None:
    members = case.bundle(tmp_path / "b.zip")
    results = {f"results/{case.trail}/{name}" for name in ("timewarp.json", "pairs.csv", "likeness.npz")}
    own = {"README.txt", "about.json", "job.json", "log.txt", "recording.json", "settings.json", "syncs.json"}
    assert set(members) == own | results
    job = _json(members, "job.json")
    assert (job["state"], job["stage"], job["stages_s"]) == ("failed", "Looking", {"Looking": 1.5})
    assert _json(members, "syncs.json")[0]["verdict"] == "reject"
    assert _json(members, f"results/{case.trail}/timewarp.json")["knots"] == {"t_new": [1.0]}
    assert _json(members, "about.json")["libraries"]["numpy"] == np.__version__


def test_no_member_tells_of_folders_the_user_or_the_computer(case: Case, tmp_path: Path) -> None:
    members = case.bundle(tmp_path / "b.zip")
    names = {getpass.getuser(), Path.home().name, socket.gethostname()}
    # Paths of this machine, and any that begins at the top of a disk.
    folders = [
        str(tmp_path),
        str(Path.home()),
        sys.prefix,
        tempfile.gettempdir(),
        "Anna",
        "for the editor",
        "dask.example",
    ]
    whole = re.compile(r"(?<![\w<>:./~-])/[\w.-]+/[\w.-]+|\b[A-Za-z]:\\")
    for name, content in members.items():
        if name.endswith(".npz"):
            continue
        text = content.decode("utf-8")
        assert not [folder for folder in folders if folder in text], name
        assert not whole.search(text), (name, whole.search(text))
        for one in names:
            assert not re.search(rf"(?<![^\W_]){re.escape(one)}(?![^\W_])", text, re.IGNORECASE), (name, one)


def test_the_same_folder_has_the_same_word_everywhere(case: Case, tmp_path: Path) -> None:
    members = case.bundle(tmp_path / "b.zip")
    told = str(Path("<folder-1>", "day 1", "GX010034.MP4"))
    assert _json(members, "job.json")["error"].startswith(told)
    assert _json(members, "recording.json")["files"][0]["path"] == told
    assert _json(members, f"results/{case.trail}/timewarp.json")["new"]["files"] == [told]
    assert members["log.txt"].decode().startswith(told)
    assert _json(members, "settings.json")["folder"][0]["path"] == "<folder-1>"


def test_a_folder_that_is_watched_no_more_has_a_word_as_well(case: Case, tmp_path: Path) -> None:
    case.config.write_text("", encoding="utf-8")
    members = case.bundle(tmp_path / "b.zip")
    assert "Anna" not in members["recording.json"].decode()


def test_settings_that_cannot_be_read_are_told_and_stop_nothing(case: Case, tmp_path: Path) -> None:
    case.config.write_text("folders = 3\n", encoding="utf-8")
    error = _json(case.bundle(tmp_path / "b.zip"), "settings.json")["error"]
    assert error.endswith("line 1: there is no setting called folders, but one called folder.")
    assert str(tmp_path) not in error


def test_a_damaged_result_is_packed_as_it_is_but_for_folders(case: Case, tmp_path: Path) -> None:
    damaged = case.places.artifacts / "syncs" / case.job / case.trail / "perf.json"
    damaged.write_text(f'{{"half": "{case.footage.as_posix()}/a.mp4', encoding="utf-8")
    packed = case.bundle(tmp_path / "b.zip")[f"results/{case.trail}/perf.json"]
    assert packed == b'{"half": "<folder-1>/a.mp4'


def test_a_job_without_log_or_results_is_packed_all_the_same(case: Case, tmp_path: Path) -> None:
    job_id, _ = case.store.write(jobs.enqueue, Kind.PROBE, {"first": str(case.video)}, ["x"])
    case.job = job_id
    members = case.bundle(tmp_path / "b.zip")
    assert _json(members, "job.json")["params"]["first"].startswith("<folder-1>")
    assert members["log.txt"].decode().startswith("There is no log")


def test_markers_are_in_no_member(case: Case, tmp_path: Path) -> None:
    secret = "my secret line"
    placed = [{"name": secret, "comment": secret, "extra": [["note", secret]]}]
    transfer, _ = case.store.write(jobs.enqueue, Kind.TRANSFER, {"sync": "s"}, ["t"], recording_id="run")
    case.store.write(jobs.end, transfer, State.DONE, result={"markers": placed, "n": 1})
    made = {"format": "csv", "losses": [f"'{secret}' has no colour there."]}
    deliver, _ = case.store.write(jobs.enqueue, Kind.DELIVER, {"formats": []}, ["d"], recording_id="run")
    case.store.write(jobs.end, deliver, State.DONE, result={"exports": [made]})
    for case.job, told in ((transfer, {"n": 1}), (deliver, {"exports": [{"format": "csv"}]})):
        members = case.bundle(tmp_path / f"{case.job}.zip")
        assert _json(members, "job.json")["result"] == told
        assert not [name for name, content in members.items() if secret.encode() in content]


def test_a_library_is_only_read(case: Case, tmp_path: Path) -> None:
    case.store.close()
    before = state(case.places.data)
    case.bundle(tmp_path / "b.zip")
    after = state(case.places.data)
    assert {k: v for k, v in after.items() if k in before} == before
    case.store = Store(case.places.database, case.places.backups)


@pytest.mark.parametrize("job", ["nothing", "../x", ""])
def test_an_unknown_job_is_a_sentence_and_no_file(case: Case, tmp_path: Path, job: str) -> None:
    refused = mtbsync("bundle", job, "--out", tmp_path / "b.zip", "--data", case.places.data)
    assert refused.status == 1
    assert f"There is no job called {job}" in refused.err
    assert not (tmp_path / "b.zip").exists()
