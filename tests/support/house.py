"""A library with its rules and a queue, whose tasks are done at once and in words: for what follows what."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mtbsync_daemon.config import Config
from mtbsync_daemon.jobs.executor import Outcome, Progress, Task
from mtbsync_daemon.jobs.queue import Queue
from mtbsync_daemon.library import Library
from mtbsync_daemon.places import Places
from mtbsync_daemon.store import jobs, recordings, trails
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.jobs import JobRow
from mtbsync_daemon.store.recordings import RecordingRow, StoredFile
from mtbsync_daemon.store.trails import TrailMarker, TrailRow
from support.daemons import PATIENCE_S

Answer = Callable[[Mapping[str, Any]], Outcome]


class Answers:
    """An executor that gives the answers it was told to, by kind of job; it keeps what it was asked."""

    n_slots = 2
    n_threads = 1
    problem = ""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.answers: dict[str, Answer] = {
            "probe": probed,
            "index": lambda params: Outcome({"cells": ["c1"]}),
            "sync": lambda params: lined_up(params, "accept"),
            "transfer": carried,
            "deliver": delivered,
            "ingest": ingested,
            "transcode": copied,
            "line_up": placed,
        }

    async def run(self, task: Task, on_progress: Callable[[Progress], None]) -> Outcome:
        kind = task.function.removeprefix("mtbsync_daemon.tasks.").removesuffix(":run")
        self.asked.append((kind, task.params))
        on_progress(Progress(f"Doing {kind}", 0.5))
        return self.answers[kind](task.params)

    async def close(self) -> None:
        """Nothing was started."""

    @staticmethod
    def fingerprint(text: str) -> str:
        """What a recording is called whose file holds that text."""
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def count(self, kind: str) -> int:
        """How often a kind of job was done."""
        return sum(asked == kind for asked, _ in self.asked)


def probed(params: Mapping[str, Any]) -> Outcome:
    """A recording whose content is the file's text; one that says so is damaged, or must be waited for."""
    first = Path(params["first"])
    text = first.read_text()
    if text.startswith("damaged"):
        return Outcome(None, f"{first.name} is damaged.")
    if text.startswith("busy"):
        return Outcome(None, f"{first.name} is busy.", may_pass=True)
    return Outcome(
        {
            "files": [str(first)],
            "starts_s": [0.0],
            "fingerprint": Answers.fingerprint(text),
            "rate": "25",
            "duration_s": 10.0,
            "start_timecode": None,
            "width": 64,
            "height": 36,
            "has_audio": False,
            "uses_proxy": False,
            "created_utc": None,
        }
    )


def lined_up(params: Mapping[str, Any], verdict: str, which: int = 0) -> Outcome:
    """The run fits the trail that comes `which` in the library."""
    trail = params["trails"][which]["trail_id"]
    found = None if verdict == "reject" else trail
    return Outcome(
        {
            "trail": found,
            "verdict": verdict,
            "reasons": [f"It is a case of {verdict}."],
            "candidates": [{"trail_id": t["trail_id"]} for t in params["trails"]],
            "artifact": f"syncs/{params['folder']}/{trail}",
        }
    )


def carried(params: Mapping[str, Any]) -> Outcome:
    """Every marker a second later than in the reference."""
    return Outcome(
        {
            "of": params["of"],
            "map": params["anchored"] if params["anchors"] else None,
            "markers": [
                {
                    "marker_id": m["marker_id"],
                    "name": m["name"],
                    "colour": m["colour"],
                    "comment": m["comment"],
                    "extra": m["extra"],
                    "t_ref_s": m["t_s"],
                    "t_s": m["t_s"] + 1,
                    "duration_s": m["duration_s"],
                    "confidence": 0.9,
                    "expected_error_s": 0.05,
                    "needs_review": not params["is_accepted"],
                    "reason": "",
                }
                for m in params["markers"]
            ],
        }
    )


def delivered(params: Mapping[str, Any]) -> Outcome:
    """A file for each format, in name only."""
    return Outcome(
        {
            "exports": [
                {
                    "format": name,
                    "path": str(Path(params["folder"]) / f"{params['stem']}_{name}.txt"),
                    "digest": "d",
                    "losses": [],
                }
                for name in params["formats"]
            ]
        }
    )


def ingested(params: Mapping[str, Any]) -> Outcome:
    """A sound and a picture, in name only."""
    return Outcome(
        {"derived": [made(params, "audio-wav"), made(params, "thumbnail")], "has_variable_rate": False}
    )


def copied(params: Mapping[str, Any]) -> Outcome:
    """The copies that were asked for, in name only."""
    return Outcome({"derived": [made(params, kind) for kind in params["kinds"]]})


def made(params: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A file that was made of a camera's footage."""
    key = f"{params['prefix']}/{kind}s/angle-{params['angle']:03}_v{params['take']:03}"
    return {"kind": kind, "key": key, "n_bytes": 100, "sha256": "0" * 64, "made_at": 1.0}


def placed(params: Mapping[str, Any]) -> Outcome:
    """Each camera a second later than the one before, laid on the wanted one or the first."""
    angles = [camera["angle"] for camera in params["cameras"]]
    master = params["wanted_master"] or angles[0]
    assert master in angles
    quality = {"level_dbfs": -20.0, "clipped": 0.0, "snr_db": 30.0, "bandwidth_hz": 8000.0, "score": 1.0}
    return Outcome(
        {
            "master": master,
            "qualities": {str(angle): quality for angle in angles},
            "placements": [where(angle, 1000.0 * (angle - master)) for angle in angles if angle != master],
        }
    )


def where(angle: int, offset_ms: float | None, score: float = 20.0) -> dict[str, Any]:
    """That a camera was found there."""
    return {
        "angle": angle,
        "offset_ms": offset_ms,
        "drift_ppm": None if offset_ms is None else 0.0,
        "score": score,
        "error_ms": None if offset_ms is None else 0.5,
        "method": None if offset_ms is None else "hybrid",
        "reason": "It is a case for a test.",
        "through": None,
        "correlation": {},
    }


class House:
    """One library below `root`, with its executor's `answers`; `config` may be replaced at any time."""

    def __init__(self, root: Path, config: Config) -> None:
        self.root = root
        self.places = Places(root / "data")
        self.config = config
        self.store = Store(self.places.database, self.places.backups)
        self.library = Library(self.places, lambda: self.config)
        self.answers = Answers()

    def lands(self, path: Path, text: str, *sidecars: Path, folder: Path | None = None) -> None:
        """A file is taken that a watched folder found, or a person where there is none."""
        path.write_text(text)
        files = [
            StoredFile(p, path, p == path, p.stat().st_size, p.stat().st_mtime_ns) for p in (path, *sidecars)
        ]
        self.store.write(self.library.take, folder, files)

    def work(self) -> None:
        """Do all jobs that are due."""

        async def go() -> None:
            queue = Queue(self.store, self.library, self.answers, self.answers, self.answers, self.places)
            loop = asyncio.get_running_loop()
            self.store.on_change(lambda: None if loop.is_closed() else _wake(loop, queue))
            await queue.recover()
            running = asyncio.create_task(queue.run())
            async with asyncio.timeout(PATIENCE_S):
                while not running.done() and self._is_busy():
                    await asyncio.sleep(0.005)
            running.cancel()
            await asyncio.wait([running])
            if not running.cancelled():
                running.result()

        asyncio.run(go())

    def _is_busy(self) -> bool:
        waits = self.store.read(jobs.next_due_s)
        by_kind = self.store.read(jobs.counts).values()
        active = sum(states.get("queued", 0) + states.get("running", 0) for states in by_kind)
        return active > 0 and not (waits is not None and waits > 1 and active == 1)

    def trail(self, recording: RecordingRow, name: str, *marked: TrailMarker) -> TrailRow:
        """A new trail with that reference."""
        return self.store.write(self.library.add_trail, name, recording, marked)

    def recording(self, name: str) -> RecordingRow:
        """The one recording of that name."""
        (found,) = [r for r in self.store.read(recordings.page, 100) if r.name == name]
        return found

    def jobs(self, kind: str) -> list[JobRow]:
        """All jobs of a kind, newest first."""
        return [job for job in self.store.read(jobs.page, 1000) if job.kind == kind]

    def trail_now(self, trail: TrailRow) -> TrailRow:
        """A trail as it is now."""
        found = self.store.read(trails.get, trail.trail_id)
        assert found is not None
        return found


def _wake(loop: asyncio.AbstractEventLoop, queue: Queue) -> None:
    loop.call_soon_threadsafe(queue.wake)
