"""The daemon's real HTTP interface over a real library and queue, on a real socket; only the work is made up.

Files are footage by their names; what a probe finds follows from their bytes. What a sync finds is told
beforehand.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from mtbsync_daemon.http import start
from mtbsync_daemon.jobs.executor import Outcome, Progress, Task
from mtbsync_daemon.jobs.queue import Queue
from mtbsync_daemon.library import Library
from mtbsync_daemon.places import Places
from mtbsync_daemon.services import Services
from mtbsync_daemon.settings import Settings
from mtbsync_daemon.store import jobs, markers, recordings, syncs, trails
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.jobs import Kind
from mtbsync_daemon.store.markers import MarkerRow
from mtbsync_daemon.store.recordings import StoredFile
from mtbsync_daemon.store.trails import TrailMarker
from mtbsync_engine.errors import MtbsyncError
from mtbsync_engine.media.chapters import chapter_names
from support.daemons import PATIENCE_S

TOKEN = "t0ken-of-the-test"
DAMAGED = b"damaged"
CHAPTER_S = 300.0


@dataclass
class MadeUp:
    """An executor whose tasks end at once, with what `finds` says for a sync. Without `goes_on` they wait.
    What needs no footage is really done."""

    finds: dict[str, Any] = field(default_factory=dict)
    goes_on: threading.Event = field(default_factory=threading.Event)
    n_slots: int = 2
    n_threads: int = 1
    problem: str = ""
    started: list[str] = field(default_factory=list)

    async def run(self, task: Task, on_progress: Callable[[Progress], None]) -> Outcome:
        """One task, by its kind."""
        kind = task.function.partition(":")[0].rpartition(".")[2]
        task.log.parent.mkdir(parents=True, exist_ok=True)
        with task.log.open("a", encoding="utf-8") as log:
            log.write(f"{kind} has begun\n")
        self.started.append(kind)
        on_progress(Progress("Looking", 0.5))
        while not self.goes_on.is_set():
            await asyncio.sleep(0.01)
        do: Callable[[dict[str, Any]], dict[str, Any] | str] = getattr(
            self, f"_{kind}", partial(_really, task.function)
        )
        found = await asyncio.to_thread(do, task.params)
        if isinstance(found, str):
            return Outcome(None, found, "MediaError")
        return Outcome(found, stages_s={"Looking": 1.5})

    async def close(self) -> None:
        """Nothing runs on."""

    def _probe(self, params: dict[str, Any]) -> dict[str, Any] | str:
        first = Path(params["first"])
        names = chapter_names(first.name, [path.name for path in first.parent.iterdir()])
        contents = [first.with_name(name).read_bytes() for name in names]
        if DAMAGED in contents:
            return f"{first.name} is damaged; copy it from the card once more."
        return {
            "files": [str(first.with_name(name)) for name in names],
            "starts_s": [k * CHAPTER_S for k in range(len(names))],
            "fingerprint": blake2b(b"".join(contents), digest_size=16).hexdigest(),
            "rate": "25",
            "duration_s": CHAPTER_S * len(names),
            "start_timecode": None,
            "width": 1920,
            "height": 1080,
            "has_audio": True,
            "uses_proxy": False,
            "created_utc": None,
        }

    def _index(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"cells": []}

    def _sync(self, params: dict[str, Any]) -> dict[str, Any] | str:
        if "error" in self.finds:
            return str(self.finds["error"])
        best = params["trails"][0]["trail_id"]
        found = {"trail": best, "verdict": "accept", "reasons": ["All agree."], "candidates": []}
        return found | {"artifact": f"syncs/{params['folder']}/{best}"} | self.finds

    def _transfer(self, params: dict[str, Any]) -> dict[str, Any]:
        placed = [carried(m["marker_id"], m["t_s"]) for m in params["markers"]]
        return {
            "of": params["of"],
            "map": params["anchored"] if params["anchors"] else None,
            "markers": placed,
        }

    def _deliver(self, params: dict[str, Any]) -> dict[str, Any]:
        made = []
        for name in params["formats"]:
            path = Path(params["folder"]) / f"{params['stem']}_{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} of {len(params['markers'])} markers\n", encoding="utf-8")
            made.append({"format": name, "path": str(path), "digest": "d", "losses": ["Colours left out."]})
        return {"exports": made}


class Silent:
    """What a task is given beside its parameters, where nobody listens."""

    n_threads = 1

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        yield lambda done: None

    def log(self, text: str) -> None:
        pass

    def clears(self, folder: Path) -> None:
        pass


def _really(function: str, params: dict[str, Any]) -> dict[str, Any] | str:
    module, _, name = function.partition(":")
    try:
        done: dict[str, Any] = getattr(import_module(module), name)(params, Silent())
    except MtbsyncError as error:
        return str(error)
    return done


def carried(marker_id: str, at_s: float, **more: Any) -> dict[str, Any]:
    """A marker as `tasks.transfer` tells it."""
    about = {"marker_id": marker_id, "name": marker_id, "colour": "Green", "comment": "", "extra": ()}
    about |= {"t_ref_s": at_s, "t_s": at_s, "duration_s": 0.0, "confidence": 1.0, "expected_error_s": 0.1}
    return {**about, "needs_review": False, "reason": "", **more}


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document in it."""
        return json.loads(self.body)


@dataclass
class Served:
    """A daemon that serves: `footage` is the folder that it may read."""

    url: str
    port: int
    footage: Path
    services: Services
    executor: MadeUp
    loop: asyncio.AbstractEventLoop

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
        *,
        raw: bytes | None = None,
    ) -> Reply:
        """What is answered. `headers` come on top of the usual ones; None takes one away."""
        usual = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {TOKEN}"}
        sent = raw if body is None else json.dumps(body).encode()
        if sent is not None:
            usual |= {"Content-Type": "application/json", "Content-Length": str(len(sent))}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in (usual | dict(headers or {})).items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(sent)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Any:
        """The document at `path`."""
        reply = self.ask("GET", f"/api/v1{path}", headers=headers)
        assert reply.status == 200, reply.body
        return reply.json

    def post(self, path: str, body: Any = None) -> Any:
        """The document that posting gives."""
        reply = self.ask("POST", f"/api/v1{path}", body)
        assert reply.status == 200, reply.body
        return reply.json

    # --- the library, behind the interface's back -------------------------------------------------

    def film(self, name: str, content: bytes | None = None) -> Path:
        """A file of footage."""
        path = self.footage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() if content is None else content)
        return path

    def know(self, name: str) -> str:
        """A recording of one file that the library knows already; its id."""
        path = self.film(name)
        document = self.executor._probe({"first": str(path)})
        assert isinstance(document, dict)
        recording_id, duration_s = document.pop("fingerprint"), document.pop("duration_s")
        row = recordings.row_of(recording_id, name, duration_s, document)
        status = path.stat()
        stored = StoredFile(path, path, True, status.st_size, status.st_mtime_ns)
        self.services.store.write(recordings.take, None, [stored])
        self.services.store.write(recordings.add, row, path)
        return str(recording_id)

    def refer(self, recording_id: str, name: str, marked: Sequence[TrailMarker] = ()) -> str:
        """Make a recording the reference of a trail that is ready; the trail's id."""
        trail = self.services.store.write(trails.add, name, recording_id, marked)
        self.services.store.write(trails.learned, trail.trail_id, ())
        return trail.trail_id

    def place(self, recording_id: str, placed: Sequence[Mapping[str, Any]]) -> None:
        """Put markers on a run, as a sync that was accepted does."""

        def change(db: Any) -> None:
            latest = syncs.current(db, recording_id)
            if latest is None:
                job_id, _ = jobs.enqueue(db, Kind.SYNC, {}, [recording_id], recording_id=recording_id)
                jobs.end(db, job_id, jobs.State.DONE)
                latest = syncs.add(db, job_id, recording_id, None)
            rows = [MarkerRow(recording_id=recording_id, sync_id=latest.sync_id, **m) for m in placed]
            markers.place(db, recording_id, rows)

        self.services.store.write(change)

    def markers(self, recording_id: str) -> dict[str, MarkerRow]:
        """A run's markers by id."""
        return {m.marker_id: m for m in self.services.store.read(markers.of_recording, recording_id)}

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for it."""
        end = monotonic() + PATIENCE_S
        while not is_so():
            assert monotonic() < end, "it never came to that"
            sleep(0.01)

    def until_idle(self) -> None:
        """Wait until every job has ended."""

        def is_idle() -> bool:
            counts = self.services.store.read(jobs.counts)
            return not any(n.get(state) for n in counts.values() for state in ("queued", "running"))

        self.until(is_idle)


@contextmanager
def served(folder: Path, settings: str = "") -> Iterator[Served]:
    """A daemon with a fresh library in `folder`, for the block. `settings` are further lines of its TOML."""
    footage = folder / "footage"
    footage.mkdir(parents=True)
    config = folder / "mtbsync.toml"
    config.write_text(f"roots = [{json.dumps(str(footage))}]\n{settings}", encoding="utf-8")
    places = Places(folder / "data")
    store = Store(places.database, places.backups)
    ready: list[Served] = []
    is_ready = threading.Event()
    executor = MadeUp()
    executor.goes_on.set()

    async def serve() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        current = Settings(config)
        library = Library(places, lambda: current.current)
        queue = Queue(store, library, executor, executor, executor, places)
        looks: list[None] = []
        services = Services(
            places,
            current,
            store,
            library,
            queue,
            executor,
            executor,
            TOKEN,
            lambda: {},
            lambda: looks.append(None),
        )
        store.on_change(lambda: loop.call_soon_threadsafe(queue.wake))
        site = await start(services, 0)
        running = asyncio.create_task(queue.run())
        ready.append(Served(site.url, int(site.url.rpartition(":")[2]), footage, services, executor, loop))
        ends.append(lambda: loop.call_soon_threadsafe(stopped.set))
        is_ready.set()
        await stopped.wait()
        await site.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    ends: list[Callable[[], Any]] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert is_ready.wait(PATIENCE_S)
        yield ready[0]
    finally:
        for end in ends:
            end()
        thread.join()
        store.close()
