"""The daemon: how it bears thousands of jobs, how soon it answers meanwhile, and what it costs when idle."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
from rich.progress import Progress
from scripts.bench.results import Result
from scripts.bench.tables import Finding, table

from mtbsync_daemon.places import Places
from mtbsync_daemon.store import recordings, trails
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.recordings import RecordingRow, StoredFile
from support.daemons import Daemon
from support.videos import write_video

HEADING = "The daemon"
_N_JOBS = 2000
_N_RECORDINGS, _N_TRAILS = 10_000, 50
_SETTLES_S, _IDLE_S = 20.0, 120.0
_ASKED = ("/jobs?limit=50", "/recordings?limit=50", "/health", "/syncs?limit=50", "/trails")
_CPU_GOAL, _MEMORY_GOAL_MB, _P99_GOAL_MS, _GROWTH_GOAL_MB = 0.01, 150.0, 50.0, 20.0


def run() -> Result:
    """Thousands of small files at once, then a large library at rest."""
    with TemporaryDirectory() as folder:
        soak = _soak(Path(folder))
    with TemporaryDirectory() as folder:
        idle = _idle(Path(folder))
    return {"rows": [], "soak": soak, "idle": idle}


def _soak(root: Path) -> dict[str, Any]:
    """Drop `_N_JOBS` recordings at once; ask and measure until all are in the library."""
    rides = root / "rides"
    rides.mkdir()
    daemon = Daemon(root, f"[[folder]]\npath = '{rides.as_posix()}'\nsettle_s = 0.5\n")
    daemon.start()
    assert daemon.process is not None
    process = psutil.Process(daemon.process.pid)
    one = write_video(root / "one.mp4", np.zeros((5, 36, 64), np.uint8), 5).read_bytes()
    for k in range(_N_JOBS):
        # A box that players pass over makes each another recording.
        (rides / f"run{k:05}.mp4").write_bytes(one + _free_box(k))
    latencies_ms: list[float] = []
    samples: list[dict[str, float]] = []
    began, n_done = time.perf_counter(), 0
    with Progress() as bar:
        task = bar.add_task("Soak", total=_N_JOBS)
        while n_done < _N_JOBS:
            for path in _ASKED:
                asked = time.perf_counter()
                daemon.ask("GET", path)
                latencies_ms.append(1000 * (time.perf_counter() - asked))
            n_done = int(daemon.metric("mtbsync_recordings"))
            samples.append({"n_done": n_done, **_held(process)})
            bar.update(task, completed=n_done)
            time.sleep(0.1)
    took_s = time.perf_counter() - began
    daemon.stop()
    half = [s for s in samples if s["n_done"] >= _N_JOBS / 2]
    return {
        "n_jobs": _N_JOBS,
        "took_s": took_s,
        "n_requests": len(latencies_ms),
        "p50_ms": statistics.median(latencies_ms),
        "p99_ms": float(np.percentile(latencies_ms, 99)),
        "max_ms": max(latencies_ms),
        "half": half[0],
        "end": samples[-1],
    }


def _idle(root: Path) -> dict[str, Any]:
    """A library of `_N_RECORDINGS` whose files all lie in the watched folder, and nothing to do."""
    rides = root / "rides"
    settings = f"[[folder]]\npath = '{rides.as_posix()}'\nsettle_s = 0.5\n"
    daemon = Daemon(root, settings)
    _fill(Places(daemon.data), rides)
    daemon.start()
    assert daemon.process is not None
    process = psutil.Process(daemon.process.pid)
    time.sleep(_SETTLES_S)
    before, began = _cpu_s(process), time.perf_counter()
    time.sleep(_IDLE_S)
    share = (_cpu_s(process) - before) / (time.perf_counter() - began)
    n_recordings, n_trails = (int(daemon.metric(f"mtbsync_{what}")) for what in ("recordings", "trails"))
    held = _held(process)
    daemon.stop()
    return {
        "n_recordings": n_recordings,
        "n_trails": n_trails,
        "cpu": share,
        **held,
    }


def _fill(places: Places, rides: Path) -> None:
    rides.mkdir()
    store = Store(places.database, places.backups)

    def fill(db: Any) -> None:
        for k in range(_N_RECORDINGS):
            path = rides / f"{k // 100:03}" / f"run{k:05}.mp4"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"x")
            found = path.stat()
            file = StoredFile(path, path, True, found.st_size, found.st_mtime_ns)
            recordings.take(db, rides, [file])
            about = {"files": [str(path)], "starts_s": [0.0], "rate": "30", "width": 1920, "height": 1080}
            about |= {"start_timecode": None, "has_audio": True, "uses_proxy": False, "created_utc": None}
            recordings.add(db, RecordingRow(f"{k:032x}", path.name, 60.0, about, float(k)), path)
            if k < _N_TRAILS:
                trail = trails.add(db, f"Trail {k}", f"{k:032x}", ())
                trails.learned(db, trail.trail_id, [f"{k}/{c}" for c in range(100)])

    store.write(fill)
    store.close()


def _free_box(k: int) -> bytes:
    return (16).to_bytes(4, "big") + b"free" + k.to_bytes(8, "big")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _held(process: psutil.Process) -> dict[str, float]:
    n_files: Callable[[], int] = getattr(process, "num_fds", None) or process.num_handles
    return {
        "mb": process.memory_info().rss / 2**20,
        "n_files": n_files(),
        "n_threads": process.num_threads(),
        "n_children": len(process.children(recursive=True)),
    }


def findings(result: Result) -> list[Finding]:
    """The goals for answers, for leaks, and for rest."""
    soak, idle = result["soak"], result["idle"]
    growth_mb = soak["end"]["mb"] - soak["half"]["mb"]
    return [
        Finding(
            "answers while jobs run, P99",
            f"under {_P99_GOAL_MS:.0f} ms",
            f"{soak['p99_ms']:.0f} ms",
            soak["p99_ms"] < _P99_GOAL_MS,
        ),
        Finding(
            f"memory over the second half of {soak['n_jobs']} jobs",
            "level",
            f"{growth_mb:+.1f} MB",
            growth_mb < _GROWTH_GOAL_MB,
        ),
        Finding("idle: one core's share", "under 1 %", f"{100 * idle['cpu']:.2f} %", idle["cpu"] < _CPU_GOAL),
        Finding(
            "idle: memory",
            f"under {_MEMORY_GOAL_MB:.0f} MB",
            f"{idle['mb']:.0f} MB",
            idle["mb"] < _MEMORY_GOAL_MB,
        ),
    ]


def show(result: Result) -> Iterator[str]:
    """What was held, and how soon it answered."""
    soak, idle = result["soak"], result["idle"]
    yield (
        f"{soak['n_jobs']} small recordings dropped into a watched folder at once, each probed by a job in a "
        f"child process: {soak['took_s']:.0f} s in all. Meanwhile {soak['n_requests']} requests for lists of "
        f"jobs, recordings, syncs, trails and health: median {soak['p50_ms']:.1f} ms, P99 "
        f"{soak['p99_ms']:.1f} ms, longest {soak['max_ms']:.1f} ms."
    )
    yield (
        f"Idle: {idle['n_trails']} trails and {idle['n_recordings']} recordings in the library, all of whose "
        f"files lie in the watched folder; {_IDLE_S:.0f} s, from {_SETTLES_S:.0f} s after the start."
    )
    heads = ("daemon's own process", "MB", "open files", "threads", "children", "share of a core")
    rows = [(f"after {held['n_done']} jobs", held, "") for held in (soak["half"], soak["end"])]
    rows.append(("idle", idle, f"{100 * idle['cpu']:.2f} %"))
    yield table(
        heads,
        [
            (name, f"{h['mb']:.0f}", f"{h['n_files']}", f"{h['n_threads']}", f"{h['n_children']}", share)
            for name, h, share in rows
        ],
    )
