"""P3 and P4: the daemon is killed at any moment, and nothing is lost, doubled or left half written.

The variable MTBSYNC_KILLS says how many kills at random moments are tried.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from mtbsync_daemon.own import MARK
from mtbsync_daemon.places import Places
from mtbsync_daemon.store.database import check_integrity
from support.daemons import PATIENCE_S, Daemon, gone
from support.program import state
from support.rides import Rides

_N_RANDOM = int(os.environ.get("MTBSYNC_KILLS", "6"))
_STATES = ["queued", "running", "done"]


@dataclass(frozen=True)
class Learned:
    """A daemon's folder with a trail in it, and what comes of the new run when nobody disturbs it."""

    root: Path
    new: Path
    jobs: list[str]
    written: dict[str, bytes]


@pytest.fixture(scope="module")
def learned(rides: Rides, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    root = tmp_path_factory.mktemp("learned")
    daemon = house(root, rides.ref.parent)
    daemon.start()
    (ref,) = daemon.ask("POST", "/recordings", {"paths": [str(rides.ref)]})["recordings"]
    marked = [{"name": f"at {t_s}", "t_s": t_s} for t_s in (3.0, 6.0, 9.0)]
    daemon.ask("POST", "/trails", {"recording": ref["id"], "name": "Home", "markers": marked})
    daemon.until_idle()
    daemon.stop()
    copy = root.with_name("undisturbed")
    moved(root, copy)
    undisturbed = Daemon(copy, settings(copy, rides.ref.parent))
    undisturbed.start()
    drop(rides.new, copy)
    done(undisturbed)
    undisturbed.stop()
    jobs = sorted(kind for kind, _ in jobs_of(copy))
    return Learned(root, rides.new, jobs, written(copy))


def settings(root: Path, footage: Path) -> str:
    return f"""
    roots = ['{footage.as_posix()}']
    sweep_s = 1
    [[folder]]
    path = '{(root / "rides").as_posix()}'
    output = '{(root / "out").as_posix()}'
    formats = ["csv", "otio", "resolve-edl"]
    settle_s = 0.2
    """


def house(root: Path, footage: Path) -> Daemon:
    (root / "rides").mkdir()
    return Daemon(root, settings(root, footage))


def moved(root: Path, to: Path) -> None:
    shutil.copytree(root, to)


def drop(video: Path, root: Path) -> None:
    # All at once: a copy that pauses halfway, as on a busy computer, would be looked at twice.
    Path(shutil.copy2(video, root / video.name)).rename(root / "rides" / video.name)


def written(root: Path) -> dict[str, bytes]:
    """All that was written for editors; the paths in it are the only thing that may differ."""
    told = bytes(str(root), "utf-8")
    return {p.name: p.read_bytes().replace(told, b"") for p in (root / "out").rglob("*") if p.is_file()}


def jobs_of(root: Path) -> list[tuple[str, str]]:
    """Kind and state of every job, straight from the file."""
    with closing(sqlite3.connect(root / "data" / "library.sqlite")) as db:
        return db.execute("SELECT kind, state FROM jobs").fetchall()


def done(daemon: Daemon) -> None:
    daemon.until(lambda: any(job["kind"] == "deliver" for job in daemon.jobs()))
    daemon.until_idle()


def is_at(kind: str, wanted: str, n: int = 1) -> Callable[[Path], bool]:
    """Whether the `n`-th job of that kind is in that state, or has been: some last for milliseconds only."""
    reached = _STATES[_STATES.index(wanted) :]
    return lambda root: sum(job == kind and state in reached for job, state in jobs_of(root)) >= n


def has(pattern: str) -> Callable[[Path], bool]:
    """Whether there is such a file below the root."""
    return lambda root: any(root.glob(pattern))


BOUNDARIES = {
    # The trail's reference was probed before.
    "the file is being probed": is_at("probe", "running", n=2),
    "a recording is known": is_at("sync", "queued"),
    "its sync has begun": is_at("sync", "running"),
    "its index is there": lambda root: len(list(root.glob("data/artifacts/indexes/*.npz"))) == 2,
    "the results are there": has("data/artifacts/syncs/*/*/timewarp.json"),
    "the sync has ended": is_at("sync", "done"),
    "markers are being carried": is_at("transfer", "running"),
    "markers are there": is_at("transfer", "done"),
    "files are being written": is_at("deliver", "running"),
    "the first file is there": has("out/*"),
    "all is done": is_at("deliver", "done"),
}


# The others differ little from this one, and each takes seconds.
_TELLING = {"markers are being carried"}


@pytest.mark.parametrize(
    "moment", [pytest.param(m, marks=[] if m in _TELLING else pytest.mark.long) for m in BOUNDARIES]
)
def test_p3_killed_at_a_boundary_the_same_comes_out(learned: Learned, tmp_path: Path, moment: str) -> None:
    reached = BOUNDARIES[moment]
    check_it_survives(learned, tmp_path / "house", reached)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(_N_RANDOM))
def test_p3_killed_at_random_the_same_comes_out(learned: Learned, tmp_path: Path, seed: int) -> None:
    ends = time.monotonic() + random.Random(seed).uniform(0.2, 4.0)
    check_it_survives(learned, tmp_path / "house", lambda root: time.monotonic() > ends)


def check_it_survives(learned: Learned, root: Path, is_time: Callable[[Path], bool]) -> None:
    """Drop the new run, kill the daemon when it is time, start it again: all is as if nothing had been."""
    moved(learned.root, root)
    daemon = Daemon(root, settings(root, learned.new.parent))
    daemon.start()
    drop(learned.new, root)
    originals = state(root / "rides")
    ends = time.monotonic() + PATIENCE_S
    while not is_time(root):
        assert time.monotonic() < ends, "That moment never came."
        time.sleep(0.001)
    assert gone(daemon.kill()) == []
    daemon.start()
    done(daemon)
    assert daemon.stop() == 0
    assert written(root) == learned.written
    assert sorted(kind for kind, _ in jobs_of(root)) == learned.jobs
    assert {ended for _, ended in jobs_of(root)} == {"done"}
    assert check_integrity(Places(root / "data").database) == "ok"
    assert state(root / "rides") == originals
    hidden = [p for p in root.rglob(".*") if p.name != MARK]
    left = [p for p in hidden if p.is_file() or p.name.startswith(".mtbsync")]
    assert left == []
    assert not (root / "data" / "daemon.json").exists()
