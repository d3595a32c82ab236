"""A session of four cameras, lined up: B is the master, D lies nowhere, and C was approved."""

from __future__ import annotations

from typing import Any

from mtbsync_daemon import sessions as rules
from mtbsync_daemon.store import jobs, recordings, sessions
from mtbsync_daemon.store.jobs import State
from mtbsync_daemon.store.recordings import StoredFile
from support.served import Served

TITLE = "Race day: heat 2/3"
# Offset in milliseconds and drift in ppm; D lies nowhere, and B is the master.
LIES = {"A": (-3217.0, 45.0), "B": (0.0, 0.0), "C": (1013.0, 0.0), "D": (None, 0.0)}
RATES = {"A": "60000/1001", "B": "25", "C": "25", "D": "25"}
_LASTS_S = 600.0


def camera(label: str, *, is_open: bool = False, folder: str = "/footage", **more: Any) -> dict[str, Any]:
    """A camera as tasks get it."""
    offset_ms, drift_ppm = LIES[label]
    assert offset_ms is not None
    path = f"{folder}/{label}.MP4"
    run = {"files": [path], "starts_s": [0.0], "rate": RATES[label], "duration_s": _LASTS_S}
    run |= {"start_timecode": None, "width": 1920, "height": 1080, "has_audio": True}
    about = {"label": label, "run": run, "copies": [[path]], "offset_s": offset_ms / 1000}
    return {**about, "drift_ppm": drift_ppm, "is_master": label == "B", "is_open": is_open, **more}


def lined_up_session(daemon: Served, title: str = TITLE, prefix: str = "") -> str:
    """Put the session into the library, as ingest and lining up leave it; its id. Names of files begin with
    `prefix`."""

    def change(db: Any) -> str:
        session = rules.create(db, title)
        for label in LIES:
            path = daemon.film(f"{prefix}{label}.MP4")
            status = path.stat()
            recordings.take(db, None, [StoredFile(path, path, True, status.st_size, status.st_mtime_ns)])
            about = camera(label if label != "D" else "C", folder=str(daemon.footage))["run"]
            about |= {"files": [str(path)], "uses_proxy": False, "created_utc": None}
            recordings.add(
                db, recordings.row_of(f"{prefix}{label}", path.name, about.pop("duration_s"), about), path
            )
            job_id = rules.add_camera(db, session, path, label).job_id
            assert job_id is not None
            jobs.end(db, job_id, State.DONE)
        job = jobs.get(db, rules.want_line_up(db, session))
        assert job is not None
        angles = {c.label: c.angle for c in sessions.cameras(db, session.session_id)}
        quality = {"level_dbfs": -20.0, "clipped": 0.0, "snr_db": 30.0, "bandwidth_hz": 1e4, "score": 0.8}
        placed = [
            {
                "angle": angles[label],
                "offset_ms": offset_ms,
                "drift_ppm": drift_ppm,
                "score": 20.0,
                "error_ms": 0.5,
                "method": "hybrid",
                "reason": "",
                "through": None,
                "correlation": {},
            }
            for label, (offset_ms, drift_ppm) in LIES.items()
            if label != "B"
        ]
        found = {"master": angles["B"], "qualities": {}, "placements": placed}
        found["qualities"] = {str(angle): quality for angle in angles.values()}
        rules.lined_up(db, job, found)
        jobs.end(db, job.job_id, State.DONE)
        row = sessions.placement(db, session.session_id, "C")
        assert row is not None
        rules.approve(db, row)
        return session.session_id

    return daemon.services.store.write(change)
