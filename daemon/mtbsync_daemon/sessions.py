"""The rules of sessions: cameras come in, are ingested and lined up, and a person has the last word.

As in `library`, each step is one change that both ends a job and asks for the next.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mtbsync_daemon.rules import StateError, copies_of, recording_params, still_there
from mtbsync_daemon.store import jobs, recordings, sessions
from mtbsync_daemon.store.ids import as_text, now
from mtbsync_daemon.store.jobs import JobRow, Kind
from mtbsync_daemon.store.sessions import (
    CameraRow,
    CameraState,
    Decided,
    Derivative,
    DerivedRow,
    LineUpRow,
    PlacementRow,
    SessionRow,
)
from mtbsync_engine.confidence import Trust, trust_of

_NOT_A_NAME = re.compile(r"[^a-z0-9]+")
PPM = 1e-6
_MOST_DRIFT_PPM = 1000.0
# Sounds that are listened to once more, beside others, may come out that far off, which nobody hears.
_SAME_MS = 0.1


# --- sessions and their cameras ----------------------------------------------------------------------


def create(
    db: sqlite3.Connection,
    title: str,
    *,
    project: str = "",
    date: str = "",
    location: str = "",
    notes: str = "",
) -> SessionRow:
    """Begin a session; without a date it is today's."""
    day = date or datetime.now(UTC).astimezone().date().isoformat()
    prefix = f"projects/{_slug(project)}/{day.replace('-', '')}"
    return sessions.add(db, title, project, day, location, notes, prefix)


def _slug(project: str) -> str:
    return _NOT_A_NAME.sub("-", project.lower()).strip("-")[:60] or "unsorted"


def add_camera(
    db: sqlite3.Connection, session: SessionRow, path: Path, label: str | None = None
) -> CameraRow:
    """Give a session another camera, whose recording begins with the file `path`. That may still be on its
    way.

    Raises:
        StateError: the session has that camera, or that recording, already.
    """
    label = label or sessions.next_label(db, session.session_id)
    if sessions.camera(db, session.session_id, label) is not None:
        raise StateError(f"There is a camera {label} already; choose another label.")
    known = [recording.recording_id for recording in recordings.owners(db, [path])]
    for other in sessions.cameras(db, session.session_id):
        if other.path == path and other.state is CameraState.FAILED:
            # The file may be another by now.
            sessions.change_camera(db, other, {"problem": None})
            return still_there(sessions.camera(db, session.session_id, other.label))
        if other.path == path or other.recording_id in known:
            raise StateError(f"{path.name} is in this session already, as camera {other.label}.")
    camera = sessions.add_camera(db, session, label, path)
    if known:
        _assign(db, camera, known[0])
    return still_there(sessions.camera(db, session.session_id, label))


def has(db: sqlite3.Connection, recording_id: str) -> bool:
    """Whether a recording is a camera's of any session."""
    return bool(sessions.cameras_with(db, recording_id))


def take_in(db: sqlite3.Connection, recording_id: str, first: Path, title: str | None) -> None:
    """A recording has come: give it to the cameras that wait for it, and to the session called `title` that
    its folder belongs to."""
    # A camera may have been added with a later chapter.
    for path in {first, *(file.path for file in recordings.group(db, first))}:
        for camera in sessions.cameras_at(db, path):
            if camera.recording_id != recording_id:
                _assign(db, camera, recording_id)
    if title is not None:
        session = sessions.titled(db, title) or create(db, title)
        if all(camera.recording_id != recording_id for camera in sessions.cameras(db, session.session_id)):
            add_camera(db, session, first)


def _assign(db: sqlite3.Connection, camera: CameraRow, recording_id: str) -> None:
    others = sessions.cameras(db, camera.session_id)
    twin = next((c for c in others if c.recording_id == recording_id and c.label != camera.label), None)
    if twin is not None:
        remove_camera(db, camera)
        return
    if camera.recording_id is not None:
        _forget_footage(db, camera)
    sessions.change_camera(
        db,
        camera,
        {
            "recording_id": recording_id,
            "take": camera.take + (camera.recording_id is not None),
            "has_sound": None,
            "problem": None,
        },
    )
    want_ingest(db, still_there(sessions.camera(db, camera.session_id, camera.label)))


def _forget_footage(db: sqlite3.Connection, camera: CameraRow) -> None:
    """A camera is about to get other footage: nothing that was made, found or decided holds for that."""
    known = sessions.line_up(db, camera.session_id)
    if known is not None and known.master == camera.label:
        sessions.forget_line_up(db, camera.session_id)
    placement = sessions.placement(db, camera.session_id, camera.label)
    if placement is not None:
        sessions.note_history(db, placement, "replaced")
    sessions.forget_of_camera(db, camera)


def relabel(db: sqlite3.Connection, camera: CameraRow, label: str) -> None:
    """Call a camera something else.

    Raises:
        StateError: another camera is called that.
    """
    if label != camera.label and sessions.camera(db, camera.session_id, label) is not None:
        raise StateError(f"There is a camera {label} already.")
    sessions.rename_camera(db, camera, label)


def remove_camera(db: sqlite3.Connection, camera: CameraRow) -> None:
    """Take a camera out of its session; where it was the master, the others are lined up anew, and what a
    person corrected goes over to another where it is sure how that lies on the old one."""
    session = still_there(sessions.get(db, camera.session_id))
    known = sessions.line_up(db, camera.session_id)
    placed = {p.label: p for p in sessions.placements(db, camera.session_id)}
    _stop(db, camera.session_id, camera.angle)
    sessions.remove_camera(db, camera)
    if session.wanted_master == camera.label:
        session = sessions.change(db, session, {"wanted_master": None})
    was_master = known is not None and known.master == camera.label
    if known is not None and was_master:
        _hand_over(db, known, placed)
    if was_master or sessions.unplaced(db, camera.session_id):
        # They may have waited for the one that is gone.
        _line_up_once_ready(db, session)


def _hand_over(db: sqlite3.Connection, known: LineUpRow, placed: Mapping[str, PlacementRow]) -> None:
    """The master is gone: the camera of which it is surest how it lies on that takes its place, if there is
    anything that a person corrected."""
    sessions.forget_line_up(db, known.session_id)
    sure = [row for row in placed.values() if row.counts_ms is not None and _is_sure(row)]
    if not sure or all(row.status is not Decided.CORRECTED for row in placed.values()):
        return
    heir = max(sure, key=lambda row: (row.status is not Decided.CORRECTED, row.score)).label
    moved = _corrected_on(heir, known.master, placed)
    moved.pop(known.master, None)
    qualities = {label: quality for label, quality in known.qualities.items() if label != known.master}
    sessions.note_line_up(db, replace(known, master=heir, qualities=qualities))
    sessions.replace_placements(db, known.session_id, list(moved.values()), {})


def remove(db: sqlite3.Connection, session_id: str) -> None:
    """Forget a session; its footage stays, and so does what was made of it until it is cleared away."""
    _stop(db, session_id)
    sessions.remove(db, session_id)


def _stop(db: sqlite3.Connection, session_id: str, angle: int | None = None) -> None:
    """Take what waits to be done for a session, or for one of its cameras, from the queue."""
    for job in sessions.queued_jobs(db, session_id):
        if angle is None or job.params.get("angle") == angle:
            jobs.end(db, job.job_id, jobs.State.CANCELLED, error="It was removed from its session.")


# --- ingest ------------------------------------------------------------------------------------------


def want_ingest(db: sqlite3.Connection, camera: CameraRow) -> str:
    """Have a camera's footage looked through, its sound taken out and pictures taken; what is there and whole
    stays. Gives the job's id.

    Raises:
        StateError: its recording has not come yet.
    """
    _check_has_come(camera)
    job_id = _want(db, Kind.INGEST, camera, {})
    sessions.change_camera(db, camera, {"job_id": job_id})
    return job_id


def _check_has_come(camera: CameraRow) -> None:
    if camera.recording_id is None:
        raise StateError(f"The recording of camera {camera.label} has not come yet.")


def want_copies(db: sqlite3.Connection, camera: CameraRow, kinds: tuple[Derivative, ...]) -> str:
    """Have a camera's footage written anew as a proxy or a mezzanine; gives the job's id.

    Raises:
        StateError: its recording has not come yet.
    """
    _check_has_come(camera)
    return _want(db, Kind.TRANSCODE, camera, {"kinds": [kind.value for kind in kinds]})


def _want(db: sqlite3.Connection, kind: Kind, camera: CameraRow, more: Mapping[str, Any]) -> str:
    params = {"session": camera.session_id, "angle": camera.angle, **more}
    job_id, is_new = jobs.enqueue(
        db,
        kind,
        params,
        [camera.session_id, camera.angle, camera.take, camera.recording_id, more],
        recording_id=camera.recording_id,
        is_asked_for=kind is Kind.INGEST,
    )
    if not is_new:
        jobs.start_over(db, job_id)
    return job_id


def made(db: sqlite3.Connection, job: JobRow, found: Mapping[str, Any]) -> None:
    """An ingest, or copies, have been done: note what was made, and ask for what follows."""
    camera = _camera_of(db, job)
    if camera is None:
        for one in found["derived"]:
            sessions.disown(db, str(job.params["session"]), one["key"], one["n_bytes"])
        return
    for one in found["derived"]:
        row = DerivedRow(
            camera.session_id,
            camera.label,
            Derivative(one["kind"]),
            one["key"],
            one["n_bytes"],
            one["sha256"],
            one["made_at"],
        )
        sessions.note_derived(db, row)
    sessions.touch(db, camera.session_id)
    if job.kind is Kind.INGEST:
        has_sound = any(one["kind"] == Derivative.WAV for one in found["derived"])
        sessions.change_camera(db, camera, {"has_sound": has_sound})
        varies = found["has_variable_rate"]
        kinds = (Derivative.PROXY, Derivative.MEZZANINE) if varies else (Derivative.PROXY,)
        want_copies(db, camera, kinds)


def follow_ingest(db: sqlite3.Connection, job: JobRow) -> None:
    """After a camera's ingest has ended, however it did: once none of the session is under way, those
    that are there are lined up."""
    session = sessions.get(db, str(job.params["session"]))
    if session is None:
        return
    sessions.touch(db, session.session_id)
    _line_up_once_ready(db, session)


def follow_refusal(db: sqlite3.Connection, first: Path, why: str) -> None:
    """After a file has turned out to be no recording, or could not be looked at: no camera waits for it."""
    for camera in sessions.cameras_at(db, first):
        sessions.change_camera(db, camera, {"problem": as_text(why)})
        if sessions.unplaced(db, camera.session_id):
            _line_up_once_ready(db, still_there(sessions.get(db, camera.session_id)))


def _line_up_once_ready(db: sqlite3.Connection, session: SessionRow) -> None:
    under_way = {CameraState.UPLOADING, CameraState.INGESTING}
    if not any(c.state in under_way for c in sessions.cameras(db, session.session_id)):
        _line_up_ready(db, session)


def _line_up_ready(db: sqlite3.Connection, session: SessionRow) -> None:
    ready = _ready(db, session)
    if len(ready) > 1:
        _want_line_up(db, session, ready)


def _ready(db: sqlite3.Connection, session: SessionRow) -> list[CameraRow]:
    return [c for c in sessions.cameras(db, session.session_id) if c.state is CameraState.READY]


def _camera_of(db: sqlite3.Connection, job: JobRow) -> CameraRow | None:
    """The camera that a job is about, unless it has another recording by now."""
    cameras = sessions.cameras(db, str(job.params["session"]))
    found = next((c for c in cameras if c.angle == job.params["angle"]), None)
    return found if found is not None and found.recording_id == job.recording_id else None


# --- lining up ---------------------------------------------------------------------------------------


def want_line_up(db: sqlite3.Connection, session: SessionRow) -> str:
    """Have a session's cameras lined up, once more if they were; gives the job's id. What sounds and has no
    WAV any more is ingested first, and then they are lined up by themselves.

    Raises:
        StateError: there are not two cameras that are ready.
    """
    ready = _ready(db, session)
    if len(ready) < 2:
        raise StateError("Lining up takes two cameras that are ready; add another, or wait for its ingest.")
    return _want_line_up(db, session, ready)


def _want_line_up(db: sqlite3.Connection, session: SessionRow, ready: list[CameraRow]) -> str:
    heard = {d.label for d in sessions.derived(db, session.session_id) if d.kind is Derivative.WAV}
    cleared = [camera for camera in ready if camera.has_sound and camera.label not in heard]
    if cleared:
        wanted = [want_ingest(db, camera) for camera in cleared]
        return wanted[0]
    inputs = [session.session_id, _master_of(db, session), [[c.angle, c.recording_id] for c in ready]]
    job_id, is_new = jobs.enqueue(
        db, Kind.LINE_UP, {"session": session.session_id}, inputs, is_asked_for=True
    )
    if not is_new:
        jobs.start_over(db, job_id)
    sessions.touch(db, session.session_id)
    return job_id


def _master_of(db: sqlite3.Connection, session: SessionRow) -> str | None:
    """The camera that the others are to be laid on: the one that a person chose, or on which they have placed
    any; None for the one that sounds best."""
    if session.wanted_master is not None:
        return session.wanted_master
    known = sessions.line_up(db, session.session_id)
    placed = sessions.placements(db, session.session_id)
    is_decided = any(placement.status is not Decided.PENDING for placement in placed)
    return known.master if known is not None and is_decided else None


def lined_up(db: sqlite3.Connection, job: JobRow, found: Mapping[str, Any]) -> None:
    """Cameras have been lined up: what a person corrected stays, as long as it is on the same master, and so
    does what was approved and found again. Cameras that could not be listened to stay where they were."""
    session_id = str(job.params["session"])
    cameras = {c.angle: c for c in sessions.cameras(db, session_id) if _was_heard(db, c, job)}
    if "gone" in found:
        _have_made_again(db, [cameras[angle] for angle in found["gone"] if angle in cameras])
        return
    labels = {angle: camera.label for angle, camera in cameras.items()}
    if found["master"] not in labels:
        return
    master = labels[found["master"]]
    session = still_there(sessions.get(db, session_id))
    if _master_of(db, session) not in (None, master):
        # A person chose another, or placed cameras on another, while these were listened to.
        _line_up_ready(db, session)
        return
    before_master = sessions.line_up(db, session_id)
    before = {p.label: p for p in sessions.placements(db, session_id)}
    told_from = {label: sessions.correlation(db, session_id, label) for label in before}
    if before_master is not None and before_master.master != master:
        before, told_from = _corrected_on(master, before_master.master, before), {}
    rows = []
    for one in found["placements"]:
        if one["angle"] not in labels:
            continue
        row = PlacementRow(
            session_id,
            labels[one["angle"]],
            one["offset_ms"],
            one["drift_ppm"],
            one["score"],
            one["error_ms"],
            one["method"],
            one["reason"],
            None if one["through"] is None else labels.get(one["through"]),
        )
        known = before.pop(row.label, None)
        is_same = known is not None and _is_same(known, row, _duration_s(db, cameras[one["angle"]]))
        rows.append(_with_decision(row, known, is_same))
        told_from[row.label] = one["correlation"]
        if not is_same:
            sessions.note_history(db, row, "found")
    qualities = {labels[int(angle)]: q for angle, q in found["qualities"].items() if int(angle) in labels}
    sessions.note_line_up(db, LineUpRow(session_id, job.job_id, master, qualities, now()))
    sessions.replace_placements(db, session_id, [*rows, *before.values()], told_from)


def _was_heard(db: sqlite3.Connection, camera: CameraRow, job: JobRow) -> bool:
    """Whether a line-up has listened to the footage that a camera has now; other footage is other work."""
    ingest = jobs.get(db, camera.job_id or "")
    return ingest is not None and ingest.created_at <= (job.started_at or now())


def _duration_s(db: sqlite3.Connection, camera: CameraRow) -> float:
    return still_there(recordings.get(db, camera.recording_id or "")).duration_s


def _is_same(one: PlacementRow, other: PlacementRow, duration_s: float) -> bool:
    """Whether a camera of that length was found in the same place twice."""
    if one.offset_ms is None or other.offset_ms is None:
        return one.offset_ms == other.offset_ms
    apart_ms = other.offset_ms - one.offset_ms
    parted_ms = apart_ms + ((other.drift_ppm or 0.0) - (one.drift_ppm or 0.0)) * PPM * duration_s * 1000
    return max(abs(apart_ms), abs(parted_ms)) <= _SAME_MS


def _have_made_again(db: sqlite3.Connection, silent: list[CameraRow]) -> None:
    """The sound of these cameras is not where it was put; once it is there again, all are lined up."""
    for camera in silent:
        for made_once in sessions.derived(db, camera.session_id, camera.label):
            if made_once.kind is Derivative.WAV:
                sessions.forget_derived(db, made_once)
        want_ingest(db, camera)


def _corrected_on(
    master: str, before_master: str, before: Mapping[str, PlacementRow]
) -> dict[str, PlacementRow]:
    """What a person corrected while `before_master` was the master, as it lies on `master`, of which nothing
    was found yet; nothing where nobody is sure how the two lie on each other."""
    between = before.get(master)
    if between is None or between.counts_ms is None or not _is_sure(between):
        return {}
    moved = [row for row in before.values() if row.status is Decided.CORRECTED and row.label != master]
    if between.status is Decided.CORRECTED:
        moved.append(replace(between, label=before_master, own_offset_ms=0.0, own_drift_ppm=0.0))
    pace = 1 + between.counts_ppm * PPM
    return {
        row.label: PlacementRow(
            row.session_id,
            row.label,
            offset_ms=None,
            drift_ppm=None,
            score=0.0,
            error_ms=None,
            method=None,
            reason="It could not be listened to since the others were laid on another camera.",
            through=None,
            status=Decided.CORRECTED,
            own_offset_ms=((row.counts_ms or 0.0) - between.counts_ms) / pace,
            own_drift_ppm=((1 + row.counts_ppm * PPM) / pace - 1) / PPM,
        )
        for row in moved
    }


def _is_sure(placement: PlacementRow) -> bool:
    return placement.status is not Decided.PENDING or trust_of(placement.score) is Trust.LOOKS_GOOD


def _with_decision(row: PlacementRow, before: PlacementRow | None, is_same: bool) -> PlacementRow:
    """What was found, with what a person said of that where it still holds."""
    if before is None or (before.status is not Decided.CORRECTED and not is_same):
        return row
    return replace(
        row, status=before.status, own_offset_ms=before.own_offset_ms, own_drift_ppm=before.own_drift_ppm
    )


# --- a person decides ----------------------------------------------------------------------------------


def approve(db: sqlite3.Connection, placement: PlacementRow) -> None:
    """Note that a person trusts where a camera was found to lie.

    Raises:
        StateError: it was found nowhere.
    """
    if placement.offset_ms is None:
        raise StateError(f"Nothing tells where camera {placement.label} lies; correct its offset instead.")
    decided = replace(placement, status=Decided.APPROVED, own_offset_ms=None, own_drift_ppm=None)
    sessions.decide(db, decided)
    sessions.note_history(db, decided, "approved")


def correct(
    db: sqlite3.Connection, placement: PlacementRow, offset_ms: float, drift_ppm: float | None = None
) -> None:
    """Note where a person says that a camera lies; without a drift, what was found of that counts.

    Raises:
        StateError: no clock goes that wrong.
    """
    if drift_ppm is not None and abs(drift_ppm) > _MOST_DRIFT_PPM:
        raise StateError(f"No camera's clock goes wrong by more than {_MOST_DRIFT_PPM:.0f} ppm.")
    decided = replace(placement, status=Decided.CORRECTED, own_offset_ms=offset_ms, own_drift_ppm=drift_ppm)
    sessions.decide(db, decided)
    sessions.note_history(db, decided, "corrected")


def take_back(db: sqlite3.Connection, placement: PlacementRow) -> None:
    """Take back what a person decided: what was found counts, and waits for a person again."""
    decided = replace(placement, status=Decided.PENDING, own_offset_ms=None, own_drift_ppm=None)
    sessions.decide(db, decided)
    sessions.note_history(db, decided, "taken back")


# --- what a task is given ----------------------------------------------------------------------------


def task_params(db: sqlite3.Connection, job: JobRow, where: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a session's job with all that a child needs, as things are now. `where` is
    `storage`, as `storage.open_storage` takes it, and `artifacts`, the folder for what can be made again.

    Raises:
        InputError: what it is about is no longer there.
    """
    session = still_there(sessions.get(db, str(job.params["session"])))
    if job.kind is Kind.LINE_UP:
        return {**where, **line_up_params(db, session)}
    camera = still_there(_camera_of(db, job))
    assert camera.recording_id is not None
    return {
        **where,
        "recording": recording_params(db, camera.recording_id),
        "prefix": session.prefix,
        "angle": camera.angle,
        "take": camera.take,
        **({"kinds": job.params["kinds"]} if job.kind is Kind.TRANSCODE else {}),
    }


def line_up_params(db: sqlite3.Connection, session: SessionRow) -> dict[str, Any]:
    """A session's cameras that are ready, with the key of each one's sound and its SHA-256.

    Raises:
        StateError: the one that the others are to be laid on is not.
    """
    cameras = sessions.cameras(db, session.session_id)
    master = _master_of(db, session)
    wanted = next((c for c in cameras if c.label == master), None)
    if wanted is not None and wanted.state is not CameraState.READY:
        # On another, what a person said would not hold.
        raise StateError(
            f"Camera {master}, on which the others lie, is not ready: try again with it, or choose another."
        )
    sounds = {d.label: d for d in sessions.derived(db, session.session_id) if d.kind is Derivative.WAV}
    listed = []
    for camera in cameras:
        recording = None if camera.recording_id is None else recordings.get(db, camera.recording_id)
        if camera.state is not CameraState.READY or recording is None:
            continue
        sound = sounds.get(camera.label)
        listed.append(
            {
                "angle": camera.angle,
                "label": camera.label,
                "sound": None if sound is None else sound.key,
                "sound_sha256": None if sound is None else sound.sha256,
                "about": {**recording.about, "duration_s": recording.duration_s},
                "recording": recording_params(db, recording.recording_id),
            }
        )
    return {"cameras": listed, "wanted_master": None if wanted is None else wanted.angle}


def timeline_params(db: sqlite3.Connection, session: SessionRow) -> dict[str, Any]:
    """A session's cameras as they lie on the master now, as `tasks.session_timeline.timeline_of` takes them;
    those that lie nowhere are `missing`, by label.

    Raises:
        StateError: it was not lined up yet.
    """
    known = sessions.line_up(db, session.session_id)
    if known is None:
        raise StateError("This session was not lined up yet; add two cameras, and mtbsync does it by itself.")
    lies = {p.label: p for p in sessions.placements(db, session.session_id)}
    listed, missing = [], []
    for camera in sessions.cameras(db, session.session_id):
        recording = None if camera.recording_id is None else recordings.get(db, camera.recording_id)
        placement = lies.get(camera.label)
        found_ms = None if placement is None else placement.counts_ms
        offset_ms = 0.0 if camera.label == known.master else found_ms
        if recording is None or offset_ms is None:
            missing.append(camera.label)
            continue
        copies = copies_of(recordings.files_of(db, recording.recording_id))
        listed.append(
            {
                "label": camera.label,
                "run": {**recording.about, "duration_s": recording.duration_s},
                # What a person added goes before copies of it elsewhere.
                "copies": [
                    [str(path) for path in copy]
                    for is_added in (True, False)
                    for copy in copies
                    if (camera.path in copy) is is_added
                ],
                "offset_s": offset_ms / 1000,
                "drift_ppm": placement.counts_ppm if placement else 0.0,
                "is_master": camera.label == known.master,
                "is_open": placement is not None and placement.status is Decided.PENDING,
            }
        )
    return {"title": session.title, "cameras": listed, "missing": missing}
