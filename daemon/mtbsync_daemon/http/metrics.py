"""How the daemon is doing, in numbers, as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import psutil

from mtbsync_daemon.store import jobs, recordings, trails
from mtbsync_daemon.store.jobs import State

MEDIA_TYPE = "text/plain"


@dataclass(frozen=True)
class Counts:
    """What the library holds."""

    jobs: Mapping[str, Mapping[str, int]]
    stages_s: Mapping[tuple[str, str], float]
    n_recordings: int
    n_trails: int


def count(db: sqlite3.Connection) -> Counts:
    """Count what the library holds."""
    return Counts(jobs.counts(db), jobs.seconds_by_stage(db), recordings.count(db), trails.count(db))


def text_of(counts: Counts, n_streams: int, started_at: float) -> str:
    """All numbers, with those of this process."""
    by_state = [({"kind": kind, "state": s}, n.get(s, 0)) for kind, n in counts.jobs.items() for s in State]
    running = sum(n.get(State.RUNNING, 0) for n in counts.jobs.values())
    stages = [({"kind": kind, "stage": stage}, s) for (kind, stage), s in sorted(counts.stages_s.items())]
    process = psutil.Process()
    with process.oneshot():
        cpu, memory = process.cpu_times(), process.memory_info()
    n_open = process.num_handles() if psutil.WINDOWS else process.num_fds()
    families = [
        _family(
            "mtbsync_build_info", "gauge", "The version that runs.", [({"version": version("mtbsync")}, 1)]
        ),
        _family("mtbsync_jobs", "gauge", "Jobs in the library.", by_state),
        _family("mtbsync_jobs_running", "gauge", "Jobs that are being done.", [({}, running)]),
        _family("mtbsync_job_stage_seconds_total", "counter", "Time that jobs took, by stage.", stages),
        _family("mtbsync_recordings", "gauge", "Recordings in the library.", [({}, counts.n_recordings)]),
        _family("mtbsync_trails", "gauge", "Trails in the library.", [({}, counts.n_trails)]),
        _family(
            "mtbsync_event_streams", "gauge", "Programs and pages that follow events.", [({}, n_streams)]
        ),
        _family("process_start_time_seconds", "gauge", "When the daemon started.", [({}, started_at)]),
        _family("process_cpu_seconds_total", "counter", "Processor time.", [({}, cpu.user + cpu.system)]),
        _family("process_resident_memory_bytes", "gauge", "Memory in use.", [({}, memory.rss)]),
        _family("process_open_fds", "gauge", "Open files and sockets.", [({}, n_open)]),
    ]
    return "".join(families)


def _family(name: str, kind: str, about: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> str:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{inside}}} {value}" if inside else f"{name} {value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
