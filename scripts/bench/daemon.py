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
from scripts.bench import ROOT
from scripts.bench.results import Result
from scripts.bench.tables import Finding, table

from mtbsync_daemon.places import Places
from mtbsync_daemon.store import jobs, recordings, syncs, trails
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.jobs import Kind, State
from mtbsync_daemon.store.recordings import RecordingRow, StoredFile
from support.daemons import Daemon
from support.videos import write_video

HEADING = "The daemon"
_SAMPLE = ROOT / "data" / "sample"
_N_JOBS = 2000
_N_RECORDINGS, _N_TRAILS = 10_000, 50
_N_RIDES = 10
_SETTLES_S, _IDLE_S = 20.0, 120.0
_ASKED = ("/jobs?limit=50", "/recordings?limit=50", "/health", "/syncs?limit=50", "/trails")
_CPU_GOAL, _MEMORY_GOAL_MB, _P99_GOAL_MS, _GROWTH_GOAL_MB = 0.01, 150.0, 50.0, 20.0


def run() -> Result:
    """Thousands of small files at once, then a large library at rest."""
    with TemporaryDirectory() as folder:
        soak = _soak(Path(folder))
    with TemporaryDirectory() as folder:
        busy = _busy(Path(folder))
    with TemporaryDirectory() as folder:
        idle = _idle(Path(folder))
    return {"rows": [], "soak": soak, "busy": busy, "idle": idle}


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
            latencies_ms += _ask_all(daemon)
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
        **_spread(latencies_ms),
        "half": half[0],
        "end": samples[-1],
    }


def _busy(root: Path) -> dict[str, Any]:
    """Line `_N_RIDES` rides up with a trail, which takes all cores; ask until all are done."""
    rides = root / "rides"
    rides.mkdir()
    settings = f"roots = ['{_SAMPLE.as_posix()}']\n[[folder]]\npath = '{rides.as_posix()}'\nsettle_s = 0.5\n"
    daemon = Daemon(root, settings)
    daemon.start()
    (ref,) = daemon.ask("POST", "/recordings", {"paths": [str(_SAMPLE / "ref.mp4")]})["recordings"]
    daemon.ask("POST", "/trails", {"recording": ref["id"], "markers": [{"name": "Drop", "t_s": 10.0}]})
    one = (_SAMPLE / "new.mp4").read_bytes()
    for k in range(_N_RIDES):
        (rides / f"run{k}.mp4").write_bytes(one + _free_box(k))
    latencies_ms: list[float] = []
    began = time.perf_counter()
    while sum(job["state"] == "done" for job in daemon.jobs("deliver")) < _N_RIDES:
        latencies_ms += _ask_all(daemon)
        time.sleep(0.1)
    took_s = time.perf_counter() - began
    daemon.stop()
    return {"n_rides": _N_RIDES, "took_s": took_s, **_spread(latencies_ms)}


def _ask_all(daemon: Daemon) -> list[float]:
    """How long each of the usual questions took to be answered, in ms."""
    latencies_ms = []
    for path in _ASKED:
        asked = time.perf_counter()
        daemon.ask("GET", path)
        latencies_ms.append(1000 * (time.perf_counter() - asked))
    return latencies_ms


def _spread(latencies_ms: list[float]) -> dict[str, Any]:
    return {
        "n_requests": len(latencies_ms),
        "p50_ms": statistics.median(latencies_ms),
        "p99_ms": float(np.percentile(latencies_ms, 99)),
        "max_ms": max(latencies_ms),
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
            else:
                job_id, _ = jobs.enqueue(db, Kind.SYNC, {}, [k], recording_id=f"{k:032x}")
                jobs.end(db, job_id, State.DONE)
                sync = syncs.add(db, job_id, f"{k:032x}", None)
                syncs.found(
                    db,
                    sync,
                    trail_id=trail.trail_id,
                    verdict="accept",
                    reasons=(),
                    candidates=(),
                    artifact=None,
                )

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
    soak, busy, idle = result["soak"], result["busy"], result["idle"]
    p99_ms = max(soak["p99_ms"], busy["p99_ms"])
    growth_mb = soak["end"]["mb"] - soak["half"]["mb"]
    return [
        Finding(
            "Answers while jobs run, P99",
            f"under {_P99_GOAL_MS:.0f} ms",
            f"{p99_ms:.0f} ms",
            p99_ms < _P99_GOAL_MS,
        ),
        Finding(
            f"Memory over the second half of {soak['n_jobs']} jobs",
            "level",
            f"{growth_mb:+.1f} MB",
            growth_mb < _GROWTH_GOAL_MB,
        ),
        Finding("Idle: one core's share", "under 1 %", f"{100 * idle['cpu']:.2f} %", idle["cpu"] < _CPU_GOAL),
        Finding(
            "Idle: memory",
            f"under {_MEMORY_GOAL_MB:.0f} MB",
            f"{idle['mb']:.0f} MB",
            idle["mb"] < _MEMORY_GOAL_MB,
        ),
    ]


def show(result: Result) -> Iterator[str]:
    """What was held, and how soon it answered."""
    soak, busy, idle = result["soak"], result["busy"], result["idle"]
    yield (
        f"{soak['n_jobs']} small recordings dropped into a watched folder at once, each probed by a job in a "
        f"child process: {soak['took_s']:.0f} s in all. Then {busy['n_rides']} rides of half a minute lined "
        f"up with a trail, which keeps all cores busy: {busy['took_s']:.0f} s. Meanwhile lists of jobs, "
        "recordings, syncs and trails, and health are asked for, one after the other."
    )
    yield table(
        ("meanwhile", "requests", "median", "P99", "longest"),
        [
            (
                name,
                f"{asked['n_requests']}",
                *(f"{asked[key]:.1f} ms" for key in ("p50_ms", "p99_ms", "max_ms")),
            )
            for name, asked in (("small jobs", soak), ("all cores busy", busy))
        ],
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
