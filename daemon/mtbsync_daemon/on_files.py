"""Runs on disk that are looked at without a library: one is made of them, and thrown away at the end.

Nothing on disk is changed, but for the files of runs' markers where a person wants their edits saved.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Executor, Task
from mtbsync_daemon.library import Library
from mtbsync_daemon.places import Places
from mtbsync_daemon.results import TIMEWARP
from mtbsync_daemon.store import anchors, edits, jobs, markers, recordings, syncs, trails
from mtbsync_daemon.store.anchors import AnchorRow
from mtbsync_daemon.store.database import Store
from mtbsync_daemon.store.ids import now
from mtbsync_daemon.store.jobs import State
from mtbsync_daemon.store.markers import MarkerRow, MarkerState
from mtbsync_daemon.store.recordings import RecordingRow, StoredFile
from mtbsync_daemon.store.trails import TrailMarker, TrailRow
from mtbsync_engine.errors import InputError, OutputError


class NothingFoundError(InputError):
    """There are no results where they were looked for."""


@dataclass(frozen=True)
class Wanted:
    """What is to be looked at: all results below `root`, or one run of these files. Without `timewarp` it is
    synced first. With `is_saved` its markers' file need not be there yet."""

    root: Path | None = None
    reference: Path | None = None
    new: Path | None = None
    ref_markers: Path | None = None
    new_markers: Path | None = None
    timewarp: Path | None = None
    is_saved: bool = False

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Wanted:
        """What `document` made these plain values of."""
        values: dict[str, Any] = {n: Path(v) if isinstance(v, str) else v for n, v in document.items()}
        return cls(**values)

    @property
    def document(self) -> dict[str, Any]:
        """As plain values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: str(v) if isinstance(v, Path) else v for name, v in values.items()}


@dataclass(frozen=True)
class Found:
    """What was found: `runs` as `tasks.on_files` reads them, the newest result of each run only, and
    sentences on what was left out."""

    runs: tuple[Mapping[str, Any], ...]
    left_out: tuple[str, ...]

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the recordings lie."""
        return tuple(Path(path) for path in sorted({p for one in self._recordings for p in one["folders"]}))

    @property
    def away(self) -> dict[Path, str]:
        """A sentence on each video that is not there."""
        return {
            Path(path): f"{path} is not there; plug in the drive that it lies on, and start this anew."
            for one in self._recordings
            for path in one["away"]
        }

    @property
    def marker_files(self) -> dict[str, tuple[Path, str | None]]:
        """By run, the file that its markers belong in, and what that held, None for nothing."""
        return {
            run["new"]["about"]["fingerprint"]: (Path(run["marker_file"]), run["digest"])
            for run in self.runs
            if run["marker_file"] is not None
        }

    @property
    def _recordings(self) -> Iterable[Mapping[str, Any]]:
        return (run[which] for run in self.runs for which in ("new", "reference"))


async def read(wanted: Wanted, executor: Executor, places: Places) -> Found:
    """Have the files read.

    Raises:
        NothingFoundError: there are none.
        InputError: none of them can be used.
    """
    found = places.data / "found.json"
    params = {"wanted": wanted.document, "artifacts": str(places.artifacts), "found": str(found)}
    log = places.logs / "on_files.log"
    outcome = await executor.run(Task("on_files", "mtbsync_daemon.tasks.on_files:run", params, log), _nowhere)
    if outcome.result is None:
        raise InputError(outcome.error)
    document = json.loads(found.read_text(encoding="utf-8"))
    runs, left_out = _that_count(document["runs"])
    left_out = [*document["left_out"], *left_out]
    if not runs and left_out:
        raise InputError(left_out[0])
    if not runs:
        raise NothingFoundError(
            f"There are no results of `mtbsync sync` below {wanted.root}; each has a file {TIMEWARP}."
        )
    return Found(tuple(runs), tuple(left_out))


def fill(db: sqlite3.Connection, library: Library, found: Found) -> None:
    """Make an empty library know these runs; one that has no time map is going to be synced."""
    for run in found.runs:
        reference = _add(db, run["reference"], run.get("made_at"))
        trail = trails.of_recording(db, reference.recording_id) or _trail(db, reference, found.runs)
        recording = _add(db, run["new"], run.get("made_at"))
        sync = library.want_sync(db, recording, trail)
        if run["verdict"] is None:
            continue
        is_rejected = run["verdict"] == "reject"
        sync = syncs.found(
            db,
            sync,
            trail_id=None if is_rejected else trail.trail_id,
            verdict=run["verdict"],
            reasons=run["reasons"],
            candidates=[],
            artifact=None if is_rejected else run["artifact"],
        )
        jobs.end(db, sync.job_id, State.DONE if sync.is_accepted else State.NEEDS_REVIEW)
        if is_rejected:
            continue
        rows = [_marker(recording.recording_id, sync.sync_id, m) for m in run["markers"]]
        markers.place(db, recording.recording_id, rows)
        if _anchor(db, rows, trail.trail_id):
            library.want_sync(db, recording, trail, is_asked_for=True)


class Saving:
    """Saves what a person changes of runs' markers to their files, soon after."""

    def __init__(
        self, store: Store, executor: Executor, log: Path, files: Mapping[str, tuple[Path, str | None]]
    ) -> None:
        """`files` as `Found.marker_files`."""
        self._store, self._executor, self._log = store, executor, log
        self._files = dict(files)
        self._keys = dict(store.read(_keys, self._files))
        self._unsaved: dict[Path, str] = {}
        self._elsewhere: dict[Path, str] = {}
        self._may_have_changed = False
        store.on_change(self._changed)

    @property
    def problems(self) -> Mapping[Path, str]:
        """Sentences on files that could not be saved, or that somebody else has changed."""
        return {**self._elsewhere, **self._unsaved}

    async def save(self) -> None:
        """Save what has changed since the last time."""
        if not self._may_have_changed:
            return
        self._may_have_changed = False
        try:
            await self._save_changed()
        except asyncio.CancelledError:
            self._may_have_changed = True
            raise

    async def save_at_last(self) -> None:
        """Save it where nobody can try again.

        Raises:
            OutputError: it cannot be.
        """
        await self.save()
        for sentence in self._unsaved.values():
            raise OutputError(sentence)

    async def _save_changed(self) -> None:
        keys = await asyncio.to_thread(self._store.read, _keys, self._files)
        for recording_id in [one for one, key in keys.items() if key != self._keys[one]]:
            rows = await asyncio.to_thread(self._store.read, _edited, recording_id)
            if rows is not None:
                await self._save(recording_id, rows)

    async def _save(self, recording_id: str, rows: Sequence[MarkerRow]) -> None:
        path, digest = self._files[recording_id]
        params = {"path": str(path), "digest": digest, "markers": [asdict(row) for row in rows]}
        task = Task("saving", "mtbsync_daemon.tasks.marker_file:run", params, self._log)
        outcome = await self._executor.run(task, _nowhere)
        if outcome.result is None:
            self._unsaved[path] = f"Your edits are not saved: {outcome.error}"
            self._may_have_changed = True
            return
        self._unsaved.pop(path, None)
        saved = Path(outcome.result["path"])
        if saved != path:
            self._elsewhere[saved] = f"{path} was changed by somebody else; your edits are saved in {saved}."
        self._files[recording_id] = saved, outcome.result["digest"]
        self._keys[recording_id] = markers.content_key(rows)

    def _changed(self) -> None:
        self._may_have_changed = True


def _that_count(runs: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[str]]:
    """The newest result of each run, the oldest first, without runs that are others' reference; and sentences
    on those."""
    references = {run["reference"]["about"]["fingerprint"] for run in runs}
    newest: dict[str, Mapping[str, Any]] = {}
    left_out = []
    for run in sorted(runs, key=lambda run: float(run.get("made_at", 0.0))):
        about = run["new"]["about"]
        if about["fingerprint"] in references:
            left_out.append(f"{about['files'][0]} is a reference, and cannot be looked at as a run as well.")
        else:
            newest.pop(about["fingerprint"], None)
            newest[about["fingerprint"]] = run
    return list(newest.values()), left_out


def _add(db: sqlite3.Connection, found: Mapping[str, Any], made_at: float | None) -> RecordingRow:
    """The recording, which is known from now on with its files."""
    about = dict(found["about"])
    fingerprint, duration_s = about.pop("fingerprint"), about.pop("duration_s")
    first = Path(about["files"][0])
    recordings.take(
        db,
        None,
        [StoredFile(Path(path), first, is_chapter, n, at) for path, is_chapter, n, at in found["files"]],
    )
    name = recordings.row_of(fingerprint, first.name, duration_s, about).name
    row = RecordingRow(fingerprint, name, duration_s, about, now() if made_at is None else made_at)
    recordings.add(db, row, first)
    return row


def _trail(db: sqlite3.Connection, reference: RecordingRow, runs: Sequence[Mapping[str, Any]]) -> TrailRow:
    """A trail of that reference, with the markers that any of its runs knows; the newest result's count."""
    marked: dict[str, TrailMarker] = {}
    for run in runs:
        if run["reference"]["about"]["fingerprint"] == reference.recording_id:
            marked |= {m["marker_id"]: TrailMarker(**m) for m in run["trail_markers"]}
    stem = Path(reference.name).stem
    names = (stem if k == 1 else f"{stem} {k}" for k in count(1))
    name = next(name for name in names if trails.named(db, name) is None)
    in_order = sorted(marked.values(), key=lambda m: m.t_s)
    trail = trails.add(db, name, reference.recording_id, in_order)
    trails.learned(db, trail.trail_id, ())
    return trail


def _marker(recording_id: str, sync_id: str, document: Mapping[str, Any]) -> MarkerRow:
    own = document["state"] == MarkerState.ADDED
    return markers.of_document(
        {**document, "recording_id": recording_id, "sync_id": None if own else sync_id}
    )


def _anchor(db: sqlite3.Connection, rows: Sequence[MarkerRow], trail_id: str) -> bool:
    """Have markers that a person put right hold the map where they are, as when that was done; tell whether
    there are any."""
    placed = sorted(
        (
            (row.t_s, row.t_ref_s, row)
            for row in rows
            if row.state is MarkerState.CORRECTED and row.t_s is not None and row.t_ref_s is not None
        ),
        key=lambda one: one[:2],
    )
    if any(one[0] == other[0] or one[1] >= other[1] for one, other in pairwise(placed)):
        # Somebody has worked on the file: as it stands, no map goes through all of them.
        return False
    for t_s, t_ref_s, row in placed:
        anchors.put(db, AnchorRow(row.recording_id, trail_id, row.marker_id, t_s, t_ref_s, is_of_marker=True))
    return bool(placed)


def _keys(db: sqlite3.Connection, recording_ids: Iterable[str]) -> dict[str, str]:
    """What tells the markers of runs, as they are now, from any others."""
    return {one: markers.content_key(markers.of_recording(db, one)) for one in recording_ids}


def _edited(db: sqlite3.Connection, recording_id: str) -> list[MarkerRow] | None:
    """A run's markers; None where no person has changed anything of it."""
    is_edited = edits.of_recording(db, recording_id, 1)
    return markers.of_recording(db, recording_id) if is_edited else None


def _nowhere(progress: object) -> None:
    """Nobody waits to see how far it is."""
