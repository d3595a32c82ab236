"""What follows what: files become a recording, a recording a sync, a sync markers, markers files for editors.

Each step is one change of the library that both ends a job and asks for the next, so that whatever is killed
in between is either done, or not done and done again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from mtbsync_daemon import sessions
from mtbsync_daemon.config import FIND, Config, Folder
from mtbsync_daemon.jobs.executor import Outcome
from mtbsync_daemon.places import Places
from mtbsync_daemon.results import ANCHORED
from mtbsync_daemon.rules import StateError, copies_of, recording_params, still_there
from mtbsync_daemon.store import anchors, edits, events, exports, jobs, markers, recordings, syncs, trails
from mtbsync_daemon.store.anchors import AnchorRow
from mtbsync_daemon.store.edits import AnchorChange, Change, Edit, MarkerChange
from mtbsync_daemon.store.ids import new_id, new_marker_id
from mtbsync_daemon.store.jobs import JobRow, Kind, State
from mtbsync_daemon.store.markers import MarkerRow, MarkerState
from mtbsync_daemon.store.recordings import RecordingRow, StoredFile
from mtbsync_daemon.store.syncs import SyncRow
from mtbsync_daemon.store.trails import TrailMarker, TrailRow

# A person who puts markers right does so one after the other; files are written once they pause.
_EDITS_PAUSE_S = 2.0

# What is not there now and is waited for: footage, and where things are stored.
_AWAY = ("AwayError", "StorageAwayError")
_WAITING = (State.QUEUED, State.NEEDS_REVIEW, State.FAILED)
_REMOVED = "The trail that it fits was removed meanwhile."
_NO_TRAIL = "No trail of the library fits this run."


@dataclass(frozen=True)
class Library:
    """The rules of the house, over one library. Every method is one query or change for `Store.read` or
    `Store.write`; `config` gives the settings as they are now."""

    places: Places
    config: Callable[[], Config]

    # --- footage comes in -------------------------------------------------------------------------

    def take(self, db: sqlite3.Connection, folder: Path | None, files: Sequence[StoredFile]) -> str:
        """Note a group of files, the first of which begins it, and have it probed; gives the job's id.
        `folder` is the watched folder it lies in, None where a person named the files."""
        is_known = recordings.is_taken(db, files)
        inside = (rule.path for rule in self._rules() if files[0].path.is_relative_to(rule.path))
        recordings.take(db, folder or next(inside, None), files)
        stamps = [(str(f.path), f.n_bytes, f.mtime_ns) for f in files]
        params = {"first": str(files[0].path)}
        job_id, is_new = jobs.enqueue(db, Kind.PROBE, params, stamps, is_asked_for=folder is None)
        if not (is_new or is_known):
            # They were something else meanwhile, or could not be read.
            jobs.start_over(db, job_id)
        return job_id

    def _probed(self, db: sqlite3.Connection, job: JobRow, found: Mapping[str, Any]) -> None:
        first = Path(job.params["first"])
        about = dict(found)
        fingerprint, duration_s = about.pop("fingerprint"), about.pop("duration_s")
        self._split_off(db, first, {Path(path).name for path in about["files"]})
        recording = recordings.row_of(fingerprint, first.name, duration_s, about)
        before = {f.recording_id for f in recordings.group(db, first) if f.recording_id}
        tracks_before = recordings.track_sizes(db, fingerprint)
        is_new = recordings.add(db, recording, first)
        folder = recordings.folder_of_file(db, first)
        title = next((rule.session for rule in self._rules() if rule.path == folder), None)
        # Who looks at known files again brings no camera back that a person has taken out.
        sessions.take_in(db, fingerprint, first, None if fingerprint in before else title)
        for recording_id in before - {fingerprint}:
            # A chapter came late, or the file was replaced.
            recordings.replace_if_unused(db, recording_id, fingerprint)
        if not is_new and recordings.track_sizes(db, fingerprint) != tracks_before:
            self._track_came_late(db, recording)
        self._follow_rule(db, recording)

    def _track_came_late(self, db: sqlite3.Connection, recording: RecordingRow) -> None:
        """Look again at what may come out otherwise with a track, where no person has decided yet."""
        trail = trails.of_recording(db, recording.recording_id)
        sync = syncs.current(db, recording.recording_id)
        if trail is not None:
            self._learn(db, trail)
        elif sync is not None and not markers.is_decided(db, recording.recording_id):
            wanted = None if sync.wanted_trail_id is None else trails.get(db, sync.wanted_trail_id)
            self.want_sync(db, recording, wanted)

    def _split_off(self, db: sqlite3.Connection, first: Path, joined: set[str]) -> None:
        """Chapters by name that turned out to belong to another recording make a group of their own."""
        others = [f for f in recordings.group(db, first) if f.is_chapter and f.path.name not in joined]
        if others:
            folder = recordings.folder_of_file(db, first)
            self.take(db, folder, [replace(f, first=others[0].path) for f in others])

    def follow_rules(self, db: sqlite3.Connection) -> None:
        """Do what folders' settings say with recordings that nothing was done with yet."""
        for recording in recordings.never_synced(db):
            self._follow_rule(db, recording)

    def _follow_rule(self, db: sqlite3.Connection, recording: RecordingRow) -> None:
        rule = self._rule(db, recording.recording_id)
        if rule is None or rule.session is not None or syncs.current(db, recording.recording_id) is not None:
            return
        is_reference = trails.of_recording(db, recording.recording_id) is not None
        if is_reference or sessions.has(db, recording.recording_id):
            return
        wanted = None if rule.trail == FIND else trails.named(db, rule.trail)
        if wanted is not None or (rule.trail == FIND and trails.all_of(db)):
            self.want_sync(db, recording, wanted)

    # --- trails -----------------------------------------------------------------------------------

    def add_trail(
        self, db: sqlite3.Connection, name: str, recording: RecordingRow, marked: Sequence[TrailMarker]
    ) -> TrailRow:
        """Make a recording the reference of a new trail.

        Raises:
            TakenError: a trail has that name, or that reference.
        """
        trail = trails.add(db, name, recording.recording_id, marked)
        self._close_syncs(db, recording.recording_id, "It is the reference of a trail now.")
        self._learn(db, trail)
        return trail

    def _learn(self, db: sqlite3.Connection, trail: TrailRow) -> None:
        job_id, is_new = jobs.enqueue(
            db,
            Kind.INDEX,
            {"trail": trail.trail_id},
            [trail.trail_id, trail.recording_id],
            recording_id=trail.recording_id,
            is_asked_for=True,
        )
        if not is_new:
            jobs.start_over(db, job_id)

    def _learned(self, db: sqlite3.Connection, job: JobRow, found: Mapping[str, Any]) -> None:
        trail = trails.get(db, job.params["trail"])
        if trail is None:
            return
        trails.learned(db, trail.trail_id, found["cells"])
        # Runs that fitted no trail may fit this one, and others have waited for it.
        for sync in syncs.without_a_trail(db):
            recording = recordings.get(db, sync.recording_id)
            if recording is None or trails.of_recording(db, sync.recording_id) is not None:
                continue
            if self.want_sync(db, recording, None).sync_id == sync.sync_id:
                # This trail was among those that it was to be compared with, and not ready then.
                self.sync_again(db, sync)
        self.follow_rules(db)

    def mark_trail(
        self,
        db: sqlite3.Connection,
        trail: TrailRow,
        *,
        name: str | None = None,
        marked: Sequence[TrailMarker] | None = None,
    ) -> TrailRow:
        """Rename a trail, or give it other markers, which its runs then get as well.

        Raises:
            TakenError: another trail has that name.
        """
        changed = trails.change(db, trail, name=name, markers=marked)
        if changed.markers != trail.markers:
            for sync in syncs.of_trail(db, trail.trail_id):
                self._want_markers(db, sync)
        if changed.name != trail.name:
            self.follow_rules(db)
        return changed

    def remove_trail(self, db: sqlite3.Connection, trail: TrailRow) -> None:
        """Forget a trail; its reference stays a recording, and runs keep their markers."""
        for job in jobs.active_of(db, trail.recording_id, Kind.INDEX):
            if job.state is State.QUEUED:
                jobs.end(db, job.job_id, State.CANCELLED, error="Its trail has been removed.")
        trails.remove(db, trail)

    # --- syncs ------------------------------------------------------------------------------------

    def want_sync(
        self,
        db: sqlite3.Connection,
        recording: RecordingRow,
        trail: TrailRow | None,
        *,
        is_asked_for: bool = False,
    ) -> SyncRow:
        """The sync of a recording with `trail`, or with whichever fits. One that was done with the same
        trails before is given as it is; where a person asks for it, it is what counts from now on.

        Raises:
            StateError: the recording is a reference itself, or there is no trail yet.
        """
        if trails.of_recording(db, recording.recording_id) is not None:
            raise StateError(f"{recording.name} is the reference of a trail itself.")
        against = [trail] if trail is not None else trails.all_of(db)
        if is_asked_for and not against:
            raise StateError("There is no trail yet: make a recording the reference of one first.")
        tracks = recordings.track_sizes(db, recording.recording_id)
        inputs = [recording.recording_id, sorted(t.trail_id for t in against), trail is None, tracks]
        job_id, _ = jobs.enqueue(
            db,
            Kind.SYNC,
            {"recording": recording.recording_id, "trail": None if trail is None else trail.trail_id},
            inputs,
            recording_id=recording.recording_id,
            is_asked_for=is_asked_for,
        )
        known = syncs.of_job(db, job_id)
        if known is None:
            # Where the job is not new, its recording was another's for a while.
            self._close_syncs(db, recording.recording_id, "A later sync counts instead.", but=job_id)
            jobs.start_over(db, job_id)
            return syncs.add(db, job_id, recording.recording_id, None if trail is None else trail.trail_id)
        if is_asked_for:
            self._close_syncs(db, recording.recording_id, "A later sync counts instead.", but=job_id)
            jobs.start_over_unless_well(db, job_id)
            known = syncs.make_current(db, known)
            self._want_markers(db, known)
        return known

    def _close_syncs(self, db: sqlite3.Connection, recording_id: str, why: str, but: str = "") -> None:
        """Have no sync of a recording wait any more, for its turn or for a person, but for one job's."""
        for sync in syncs.of_recording(db, recording_id):
            job = jobs.get(db, sync.job_id)
            if job is not None and job.job_id != but and job.state in _WAITING:
                jobs.end(db, job.job_id, State.CANCELLED, error=why, stages_s=job.stages_s)

    def sync_again(self, db: sqlite3.Connection, sync: SyncRow) -> SyncRow:
        """Do a sync's work once more, as after an update of mtbsync.

        Raises:
            StateError: it is under way.
        """
        job = jobs.get(db, sync.job_id)
        assert job is not None
        if job.state.is_active:
            raise StateError("That sync is under way already.")
        jobs.start_over(db, job.job_id)
        return syncs.run_again(db, sync)

    def accept_sync(self, db: sqlite3.Connection, sync: SyncRow) -> SyncRow:
        """Note that a person trusts a sync that waited for one: its markers are placed and delivered.

        Raises:
            StateError: it has found no trail, or has not ended.
        """
        if sync.trail_id is None or sync.verdict not in ("accept", "review"):
            raise StateError("That sync has placed nothing that could be accepted; name its trail instead.")
        job = jobs.get(db, sync.job_id)
        if job is not None and job.state is State.NEEDS_REVIEW:
            jobs.end(db, job.job_id, State.DONE, stages_s=job.stages_s)
        accepted = syncs.make_current(db, syncs.accept(db, sync))
        self._want_markers(db, accepted)
        return accepted

    def dismiss(self, db: sqlite3.Connection, sync: SyncRow) -> SyncRow:
        """Note that a person wants no more of a run that waits for one: it is no ride of a trail.

        Raises:
            StateError: it does not wait.
        """
        job = jobs.get(db, sync.job_id)
        if job is None or job.state not in _WAITING:
            raise StateError("Only a run that waits for you can be dismissed.")
        jobs.end(db, job.job_id, State.CANCELLED, error="Dismissed.", stages_s=job.stages_s)
        return syncs.dismissed(db, sync)

    def _synced(self, db: sqlite3.Connection, job: JobRow, found: Mapping[str, Any]) -> State:
        sync = syncs.of_job(db, job.job_id)
        if sync is None:
            return State.DONE
        trail = None if found["trail"] is None else trails.get(db, found["trail"])
        if trail is None:
            why = [_REMOVED] if found["trail"] else found["reasons"] or [_NO_TRAIL]
            found = {**found, "verdict": "reject", "reasons": why}
        sync = syncs.found(
            db,
            sync,
            trail_id=None if trail is None else trail.trail_id,
            verdict=found["verdict"],
            reasons=found["reasons"],
            candidates=found["candidates"],
            artifact=found["artifact"],
        )
        self._want_markers(db, sync)
        current = syncs.current(db, sync.recording_id)
        counts = current is not None and current.sync_id == sync.sync_id
        return State.NEEDS_REVIEW if counts and not sync.is_accepted else State.DONE

    # --- markers ----------------------------------------------------------------------------------

    def _want_markers(self, db: sqlite3.Connection, sync: SyncRow) -> None:
        """Have a sync's markers carried over, if it is the one that counts and has found its trail."""
        trail = None if sync.trail_id is None else trails.get(db, sync.trail_id)
        current = syncs.current(db, sync.recording_id)
        if trail is None or sync.artifact is None or current is None or current.sync_id != sync.sync_id:
            return
        job_id, is_new = jobs.enqueue(
            db,
            Kind.TRANSFER,
            {"sync": sync.sync_id},
            _transfer_of(db, sync, trail),
            recording_id=sync.recording_id,
        )
        if not is_new:
            jobs.start_over(db, job_id)

    def _transferred(self, db: sqlite3.Connection, job: JobRow, found: Mapping[str, Any]) -> None:
        sync = syncs.get(db, job.params["sync"])
        trail = None if sync is None or sync.trail_id is None else trails.get(db, sync.trail_id)
        current = None if sync is None else syncs.current(db, sync.recording_id)
        if sync is None or trail is None or current is None or current.sync_id != sync.sync_id:
            return
        if found["of"] != _transfer_of(db, sync, trail):
            # They were changed while the old ones were carried over.
            self._want_markers(db, sync)
            return
        markers.forget_of_other_trails(db, sync.recording_id, trail.trail_id)
        placed = [
            MarkerRow(
                recording_id=sync.recording_id,
                sync_id=sync.sync_id,
                **{**m, "extra": tuple((key, value) for key, value in m["extra"])},
            )
            for m in found["markers"]
        ]
        markers.place(db, sync.recording_id, placed)
        syncs.mapped(db, sync, found["map"] and f"{sync.artifact}/{ANCHORED}")
        if sync.is_accepted:
            self.want_delivery(db, sync.recording_id)

    # --- a person puts things right -----------------------------------------------------------------

    def change_markers(
        self,
        db: sqlite3.Connection,
        recording_id: str,
        changed: Sequence[tuple[MarkerRow, Mapping[str, Any]]],
        *,
        is_place: bool,
    ) -> None:
        """Make a person's changes to a run's markers, all of them or none. With `is_place` one that the trail
        has and that is moved stands at the same place as there, by the person's word, who had both pictures
        before their eyes: its anchor moves with it.

        Raises:
            StateError: that would put places into another order than the trail has them in.
        """
        sync = self._lined_up(db, recording_id)
        changes: list[Change] = []
        for row, values in changed:
            made = replace(row, **values)
            changes.append(MarkerChange(row, made))
            if sync is not None and made.state is MarkerState.REJECTED:
                # What is no marker of the run vouches for no place of it.
                changes += [AnchorChange(a, None) for a in _anchors_of(db, sync, made)]
            elif is_place and sync is not None and _is_moved(row, made):
                changes.append(_anchor_at(db, sync, made))
        if sync is not None:
            self._check_order(db, sync, changes)
        edits.make(db, recording_id, _in_words(changed), changes)
        self._follow_edit(db, recording_id, changes, [change.after for change in changes])

    def add_marker(
        self, db: sqlite3.Connection, recording_id: str, t_s: float, t_ref_s: float | None, **values: Any
    ) -> MarkerRow:
        """A marker of a person's own, on this run alone."""
        row = MarkerRow(
            recording_id=recording_id,
            marker_id=new_marker_id(),
            sync_id=None,
            t_ref_s=t_ref_s,
            t_s=t_s,
            confidence=1.0,
            expected_error_s=None,
            needs_review=False,
            reason="",
            state=MarkerState.ADDED,
            **values,
        )
        edits.make(db, recording_id, f"{row.name} added", [MarkerChange(None, row)])
        self.edited(db, recording_id)
        made = markers.get(db, recording_id, row.marker_id)
        assert made is not None
        return made

    def add_anchor(self, db: sqlite3.Connection, sync: SyncRow, t_new_s: float, t_ref_s: float) -> None:
        """Note that a person saw a run and its trail's reference to be at the same place.

        Raises:
            StateError: the run has no map, or that is out of order with another such place.
        """
        trail = None if sync.trail_id is None else trails.get(db, sync.trail_id)
        if trail is None or sync.artifact is None:
            raise StateError("This run is on no trail yet; have it lined up with one first.")
        reference = recordings.get(db, trail.recording_id)
        if reference is not None and t_ref_s > reference.duration_s:
            raise StateError("That is behind the reference's end.")
        row = AnchorRow(sync.recording_id, trail.trail_id, new_id(), t_new_s, t_ref_s, is_of_marker=False)
        change = AnchorChange(None, row)
        self._check_order(db, sync, [change])
        edits.make(db, sync.recording_id, f"Same place at {_clock(t_new_s)}", [change])
        self._follow_edit(db, sync.recording_id, [change], [])

    def remove_anchor(self, db: sqlite3.Connection, anchor: AnchorRow) -> None:
        """Take back that two moments are at the same place."""
        change = AnchorChange(anchor, None)
        what = f"No longer the same place at {_clock(anchor.t_new_s)}"
        edits.make(db, anchor.recording_id, what, [change])
        self._follow_edit(db, anchor.recording_id, [change], [])

    def undo(self, db: sqlite3.Connection, recording_id: str) -> Edit:
        """Take back what a person changed last on a run.

        Raises:
            StateError: there is nothing.
        """
        return self._turned(db, recording_id, edits.to_undo, edits.undo, "undone")

    def redo(self, db: sqlite3.Connection, recording_id: str) -> Edit:
        """Do once more what was undone last.

        Raises:
            StateError: there is nothing.
        """
        return self._turned(db, recording_id, edits.to_redo, edits.redo, "done again")

    def _turned(
        self,
        db: sqlite3.Connection,
        recording_id: str,
        newest: Callable[[sqlite3.Connection, str], Edit | None],
        turn: Callable[[sqlite3.Connection, Edit], None],
        how: str,
    ) -> Edit:
        while (edit := newest(db, recording_id)) is not None and not edits.stands(db, edit):
            # What it changed has changed otherwise since, or is gone.
            edits.forget(db, edit)
        if edit is None:
            raise StateError(f"There is nothing that could be {how}.")
        turn(db, edit)
        left = [c.after if edit.is_undone else c.before for c in edit.changes]
        self._follow_edit(db, recording_id, edit.changes, left)
        return edit

    def _follow_edit(
        self,
        db: sqlite3.Connection,
        recording_id: str,
        changes: Sequence[Change],
        left: Sequence[MarkerRow | AnchorRow | None],
    ) -> None:
        """Have what follows from a person's changes, which left these things, done: another map, places that
        are found anew, other files."""
        sync = self._lined_up(db, recording_id)
        is_mapped_anew = any(isinstance(change, AnchorChange) for change in changes)
        is_found_anew = any(isinstance(m, MarkerRow) and m.state is MarkerState.FOUND for m in left)
        if sync is not None and (is_mapped_anew or is_found_anew):
            self._want_markers(db, sync)
        self.edited(db, recording_id)

    def _lined_up(self, db: sqlite3.Connection, recording_id: str) -> SyncRow | None:
        """The sync of a run that counts, where it has put the run on a trail."""
        sync = syncs.current(db, recording_id)
        return None if sync is None or sync.trail_id is None or sync.artifact is None else sync

    def _check_order(self, db: sqlite3.Connection, sync: SyncRow, changes: Sequence[Change]) -> None:
        assert sync.trail_id is not None
        placed = {a.anchor_id: a for a in anchors.of_run(db, sync.recording_id, sync.trail_id)}
        for change in changes:
            if isinstance(change, AnchorChange):
                for side in (change.before, change.after):
                    if side is not None:
                        placed.pop(side.anchor_id, None)
                if change.after is not None:
                    placed[change.after.anchor_id] = change.after
        in_order = sorted(placed.values(), key=lambda a: a.t_new_s)
        for one, other in pairwise(in_order):
            if one.t_new_s == other.t_new_s or one.t_ref_s >= other.t_ref_s:
                raise StateError(
                    f"Two places would be out of order: {_clock(one.t_new_s)} and {_clock(other.t_new_s)} of "
                    f"the run would be {_clock(one.t_ref_s)} and {_clock(other.t_ref_s)} of the reference. "
                    "Take one of the two back first."
                )

    def edited(self, db: sqlite3.Connection, recording_id: str) -> None:
        """A person changed a run's markers: what was written for editors is written again."""
        if exports.of_recording(db, recording_id):
            self.want_delivery(db, recording_id, delay_s=_EDITS_PAUSE_S)

    # --- light copies -------------------------------------------------------------------------------

    def want_light_copy(self, db: sqlite3.Connection, recording_id: str) -> str:
        """Have a copy made that any browser plays, and plays at once; gives the job's id."""
        job_id, is_new = jobs.enqueue(
            db, Kind.LIGHT, {}, [recording_id], recording_id=recording_id, is_asked_for=True
        )
        if not is_new:
            jobs.start_over(db, job_id)
        return job_id

    # --- files for editors ------------------------------------------------------------------------

    def want_delivery(
        self,
        db: sqlite3.Connection,
        recording_id: str,
        formats: Sequence[str] | None = None,
        *,
        delay_s: float = 0.0,
    ) -> str:
        """Have a run's markers written in these formats (None: as its folder says); gives the job's id."""
        wanted = formats or self.usual_formats(db, recording_id)
        folder = self.output(db, recording_id)
        recording = still_there(recordings.get(db, recording_id))
        stem = exports.stem_for(db, folder, recording_id, Path(recording.name).stem)
        params = {"formats": list(wanted), "folder": str(folder), "stem": stem}
        for waiting in jobs.active_of(db, recording_id, Kind.DELIVER):
            if waiting.state is State.QUEUED and waiting.params == params:
                jobs.end(db, waiting.job_id, State.CANCELLED, error="A later change is written instead.")
        key = markers.content_key(markers.of_recording(db, recording_id))
        job_id, is_new = jobs.enqueue(
            db, Kind.DELIVER, params, [recording_id, key, params], recording_id=recording_id, delay_s=delay_s
        )
        if not is_new:
            jobs.start_over(db, job_id)
        return job_id

    def _delivered(self, db: sqlite3.Connection, job: JobRow, found: Mapping[str, Any]) -> None:
        if job.recording_id is None or recordings.get(db, job.recording_id) is None:
            # Its files became another recording's meanwhile, which writes its own.
            return
        for made in found["exports"]:
            exports.note(
                db, job.recording_id, made["format"], Path(made["path"]), made["digest"], made["losses"]
            )

    def usual_formats(self, db: sqlite3.Connection, recording_id: str) -> tuple[str, ...]:
        """The formats that a run's markers are written in, as its folder or else the settings say."""
        rule = self._rule(db, recording_id)
        return self.config().formats if rule is None else rule.formats

    def output(self, db: sqlite3.Connection, recording_id: str) -> Path:
        """The folder that a run's files for editors are written into."""
        rule = self._rule(db, recording_id)
        if rule is not None and rule.beside_footage:
            copies = recordings.folders_of(db, recording_id)
            return next(first.parent for folder, first in copies if folder == rule.path)
        return (rule and rule.output) or self.config().output or self.places.output

    # --- what a task is given ---------------------------------------------------------------------

    def task_params(self, db: sqlite3.Connection, job: JobRow) -> dict[str, Any]:
        """A job's parameters with all that a child needs, as things are now.

        Raises:
            StateError: what it is about is no longer there.
        """
        params_of: dict[Kind, Callable[[sqlite3.Connection, JobRow], dict[str, Any]]] = {
            Kind.PROBE: lambda db, job: dict(job.params),
            Kind.INDEX: self._index_params,
            Kind.LIGHT: self._light_params,
            Kind.SYNC: self._sync_params,
            Kind.TRANSFER: self._transfer_params,
            Kind.DELIVER: self._delivery,
        }
        if job.kind in params_of:
            return params_of[job.kind](db, job)
        where = {"storage": self.storage(), "artifacts": str(self.places.artifacts)}
        return sessions.task_params(db, job, where)

    def _index_params(self, db: sqlite3.Connection, job: JobRow) -> dict[str, Any]:
        trail = still_there(trails.get(db, job.params["trail"]))
        return {
            "recording": recording_params(db, trail.recording_id),
            "artifacts": str(self.places.artifacts),
        }

    def _light_params(self, db: sqlite3.Connection, job: JobRow) -> dict[str, Any]:
        assert job.recording_id is not None
        return {
            "recording": recording_params(db, job.recording_id),
            "folder": str(self.places.light_copy_of(job.recording_id)),
        }

    def _sync_params(self, db: sqlite3.Connection, job: JobRow) -> dict[str, Any]:
        wanted = job.params["trail"]
        against = trails.all_of(db) if wanted is None else [still_there(trails.get(db, wanted))]
        return {
            "recording": recording_params(db, job.params["recording"]),
            "trails": [
                {
                    "trail_id": t.trail_id,
                    "name": t.name,
                    "cells": t.cells,
                    "recording": recording_params(db, t.recording_id),
                }
                for t in against
                if t.is_ready or wanted is not None
            ],
            "is_found": wanted is None,
            "artifacts": str(self.places.artifacts),
            "folder": job.job_id,
        }

    def _transfer_params(self, db: sqlite3.Connection, job: JobRow) -> dict[str, Any]:
        sync = still_there(syncs.get(db, job.params["sync"]))
        trail = still_there(trails.get(db, sync.trail_id or ""))
        results = self.places.artifacts / (sync.artifact or "")
        placed = anchors.of_run(db, sync.recording_id, trail.trail_id)
        return {
            "results": str(results),
            "anchors": [[a.t_new_s, a.t_ref_s] for a in placed],
            "anchored": str(results / ANCHORED),
            "markers": [asdict(m) for m in trail.markers],
            "is_accepted": sync.is_accepted,
            "of": _transfer_of(db, sync, trail),
        }

    def storage(self) -> dict[str, Any]:
        """Where sessions' media are kept, as `storage.open_storage` takes it."""
        return self.config().storage.model_dump(mode="json") | {"default": str(self.places.media)}

    def _delivery(self, db: sqlite3.Connection, job: JobRow) -> dict[str, Any]:
        assert job.recording_id is not None
        return {
            **self.delivery_params(db, job.recording_id),
            "formats": job.params["formats"],
            "folder": job.params["folder"],
            "stem": job.params["stem"],
            "written": {str(e.path): e.digest for e in exports.of_recording(db, job.recording_id)},
        }

    def delivery_params(self, db: sqlite3.Connection, recording_id: str) -> dict[str, Any]:
        """A run and its markers as they are now, as `tasks.deliver.timeline_of` takes them.

        Raises:
            StateError: there is no such run any more.
        """
        recording = still_there(recordings.get(db, recording_id))
        copies = copies_of(recordings.files_of(db, recording_id))
        return {
            "run": {**recording.about, "duration_s": recording.duration_s},
            "copies": [[str(path) for path in copy] for copy in copies],
            "markers": [
                {
                    key: value
                    for key, value in asdict(m).items()
                    if key not in ("recording_id", "sync_id", "state", "version", "own")
                }
                for m in markers.of_recording(db, recording_id)
                if m.state is not MarkerState.REJECTED
            ],
        }

    # --- how a job ends ---------------------------------------------------------------------------

    def ended(self, db: sqlite3.Connection, job: JobRow, outcome: Outcome, stage: str = "") -> None:
        """Note how a job ended, and ask for what follows."""
        current = jobs.get(db, job.job_id)
        if current is None or current.state is not State.RUNNING:
            return
        if not outcome.counts or (outcome.error_kind in _AWAY and job.kind is not Kind.PROBE):
            jobs.postpone(db, job, outcome.error)
            return
        if outcome.result is None:
            if not (outcome.may_pass and jobs.try_again_later(db, job, outcome.error)):
                self.failed(db, job, outcome.error, stage)
                if job.kind is Kind.PROBE and outcome.error_kind == "AwayError":
                    # When it is there again, it is found anew.
                    recordings.drop(db, Path(job.params["first"]))
            return
        state = self._follow(db, job, outcome.result)
        problem = outcome.result.get("problem") or None
        jobs.end(db, job.job_id, state, stages_s=outcome.stages_s, stage=stage, error=problem)
        if job.kind is Kind.INGEST:
            sessions.follow_ingest(db, job)

    def _follow(self, db: sqlite3.Connection, job: JobRow, found: Mapping[str, Any]) -> State:
        """Take up what a job has found; gives the state in which that leaves it."""
        if job.kind is Kind.SYNC:
            return self._synced(db, job, found)
        follow: dict[Kind, Callable[[sqlite3.Connection, JobRow, Mapping[str, Any]], None]] = {
            Kind.PROBE: self._probed,
            Kind.INDEX: self._learned,
            Kind.TRANSFER: self._transferred,
            Kind.DELIVER: self._delivered,
            Kind.INGEST: sessions.made,
            Kind.TRANSCODE: sessions.made,
            Kind.LINE_UP: sessions.lined_up,
        }
        if job.kind in follow:
            follow[job.kind](db, job, found)
        return State.DONE

    def retry(self, db: sqlite3.Connection, job: JobRow) -> None:
        """Do a job once more that failed or was cancelled.

        Raises:
            StateError: it did neither.
        """
        if job.state not in (State.FAILED, State.CANCELLED):
            raise StateError("Only a job that failed or was cancelled can be tried again.")
        jobs.start_over(db, job.job_id)

    def cancelled(self, db: sqlite3.Connection, job: JobRow) -> None:
        """Note that a person has stopped a job."""
        jobs.end(db, job.job_id, State.CANCELLED, error="Cancelled.")
        if job.kind is Kind.PROBE:
            sessions.follow_refusal(
                db, Path(job.params["first"]), "It was not looked at, as that was cancelled."
            )
        elif job.kind is Kind.INGEST:
            sessions.follow_ingest(db, job)

    def failed(self, db: sqlite3.Connection, job: JobRow, error: str, stage: str = "") -> None:
        """Note that a job has failed for good."""
        jobs.end(db, job.job_id, State.FAILED, error=error, stage=stage)
        if job.kind is Kind.PROBE:
            recordings.refuse(db, Path(job.params["first"]), error)
            sessions.follow_refusal(db, Path(job.params["first"]), error)
        elif job.kind is Kind.INGEST:
            sessions.follow_ingest(db, job)
        elif job.recording_id is not None:
            events.add(db, "recording", job.recording_id)

    def _rule(self, db: sqlite3.Connection, recording_id: str) -> Folder | None:
        """The settings of the first folder with any that a copy of the recording lies in."""
        folders = [folder for folder, _ in recordings.folders_of(db, recording_id)]
        return next((rule for rule in self._rules() if rule.path in folders), None)

    def _rules(self) -> tuple[Folder, ...]:
        """The settings of all folders that footage comes from: what was dropped onto the page is like it."""
        config = self.config()
        return (*config.folder, Folder(path=self.places.footage, formats=config.formats))


def _transfer_of(db: sqlite3.Connection, sync: SyncRow, trail: TrailRow) -> list[Any]:
    """Tells one transfer from the next: which sync, as it is, with which anchors, and which markers."""
    placed = anchors.of_run(db, sync.recording_id, trail.trail_id)
    return [sync.sync_id, sync.version, trail.markers_key, [[a.t_new_s, a.t_ref_s] for a in placed]]


def _is_moved(row: MarkerRow, made: MarkerRow) -> bool:
    """Whether a marker that the trail has stands elsewhere on the run now."""
    is_placed = made.t_s is not None and made.t_ref_s is not None
    return row.state is not MarkerState.ADDED and is_placed and made.t_s != row.t_s


def _anchors_of(db: sqlite3.Connection, sync: SyncRow, marker: MarkerRow) -> list[AnchorRow]:
    """The anchor that a marker has, if it has one."""
    placed = anchors.of_run(db, sync.recording_id, sync.trail_id or "")
    return [a for a in placed if a.is_of_marker and a.anchor_id == marker.marker_id]


def _anchor_at(db: sqlite3.Connection, sync: SyncRow, marker: MarkerRow) -> AnchorChange:
    """The anchor that a marker has from now on."""
    assert sync.trail_id is not None
    assert marker.t_s is not None
    assert marker.t_ref_s is not None
    row = AnchorRow(
        sync.recording_id, sync.trail_id, marker.marker_id, marker.t_s, marker.t_ref_s, is_of_marker=True
    )
    return AnchorChange(anchors.get(db, row.recording_id, row.trail_id, row.anchor_id), row)


def _in_words(changed: Sequence[tuple[MarkerRow, Mapping[str, Any]]]) -> str:
    """What a person did to markers."""
    row, values = changed[0]
    who = row.name if len(changed) == 1 else f"{len(changed)} markers"
    state = values.get("state")
    if state is MarkerState.ACCEPTED:
        return f"{who} accepted"
    if state is MarkerState.REJECTED:
        return f"{who} rejected"
    return f"{who} moved" if "t_s" in values else f"{who} edited"


def _clock(t_s: float) -> str:
    """A moment as people read it."""
    minutes, seconds = divmod(t_s, 60.0)
    return f"{minutes:.0f}:{seconds:05.2f}"
