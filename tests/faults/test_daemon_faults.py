"""What goes wrong around the daemon: full disks, unreadable files, everything at once.

P3: no job is lost; P4: nothing half-written is left; P10: bad input is a sentence.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mtbsync_daemon.places import Places
from mtbsync_daemon.store.database import check_integrity
from support.daemons import Daemon
from support.rides import Rides
from support.videos import write_video

_N_AT_ONCE = 200


@pytest.fixture
def daemon(rides: Rides, tmp_path: Path) -> Iterator[Daemon]:
    (tmp_path / "rides").mkdir()
    settings = f"""
    roots = ['{rides.folder.as_posix()}']
    sweep_s = 1
    [[folder]]
    path = '{(tmp_path / "rides").as_posix()}'
    output = '{(tmp_path / "out").as_posix()}'
    formats = ["csv"]
    settle_s = 0.2
    """
    daemon = Daemon(tmp_path, settings)
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.stop()


def make_trail(daemon: Daemon, rides: Rides) -> None:
    (ref,) = daemon.ask("POST", "/recordings", {"paths": [str(rides.ref)]})["recordings"]
    daemon.ask("POST", "/trails", {"recording": ref["id"], "markers": [{"name": "Drop", "t_s": 4.0}]})
    daemon.until_idle()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot make a disk full for one program")
def test_p3_p4_a_full_disk_is_waited_for_and_leaves_nothing_half(
    daemon: Daemon, rides: Rides, tmp_path: Path
) -> None:
    daemon.start()
    make_trail(daemon, rides)
    daemon.stop()
    index = next((daemon.data / "artifacts" / "indexes").iterdir())
    daemon.start(largest_file_bytes=index.stat().st_size // 2)
    shutil.copy(rides.new, tmp_path / "rides" / "new.mp4")
    waiting = daemon.until(
        lambda: [job for job in daemon.jobs("sync") if job["error"] and job["state"] == "queued"]
    )
    assert "could not be written" in waiting[0]["error"]
    assert list((daemon.data / "artifacts" / "indexes").iterdir()) == [index]
    daemon.kill()
    daemon.start()
    daemon.until(lambda: any(job["state"] == "done" for job in daemon.jobs("deliver")))
    daemon.stop()
    assert (tmp_path / "out" / "new_csv.csv").is_file()
    assert check_integrity(Places(daemon.data).database) == "ok"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_p10_an_unreadable_file_is_told_and_taken_once_it_can_be_read(
    daemon: Daemon, rides: Rides, tmp_path: Path
) -> None:
    daemon.start()
    landed = tmp_path / "rides" / "new.mp4"
    shutil.copy(rides.new, landed)
    landed.chmod(0)
    health = daemon.until(lambda: next((h for h in [daemon.ask("GET", "/health")] if h["reasons"]), None))
    assert "new.mp4" in " ".join(health["reasons"])
    landed.chmod(0o600)
    daemon.until(lambda: daemon.ask("GET", "/recordings")["recordings"])


@pytest.mark.long
def test_everything_at_once_is_everything_once(daemon: Daemon, tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mp4", np.zeros((5, 36, 64), np.uint8), 5).read_bytes()
    for k in range(_N_AT_ONCE):
        # A box that players pass over makes each another recording; each lies there twice.
        for copy in ("a", "b"):
            content = one + (16).to_bytes(4, "big") + b"free" + k.to_bytes(8, "big")
            (tmp_path / "rides" / f"{copy}{k}.mp4").write_bytes(content)
    daemon.start()
    daemon.until(lambda: daemon.metric("mtbsync_recordings") == _N_AT_ONCE)
    daemon.until_idle()
    jobs = daemon.jobs()
    assert [job["kind"] for job in jobs] == ["probe"] * (2 * _N_AT_ONCE)
    assert {job["state"] for job in jobs} == {"done"}
