"""Recordings: those that are known, making files known, and their pictures."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from aiohttp import web

from mtbsync_daemon.http import models
from mtbsync_daemon.http.events import STREAMS, wait_for_change
from mtbsync_daemon.http.files import is_there, on_disk, send_file
from mtbsync_daemon.http.problems import Problem, not_found
from mtbsync_daemon.http.roots import check_within, real_roots, shown
from mtbsync_daemon.http.routes.syncs import sync_document
from mtbsync_daemon.http.routing import Call, Route, after_time, page_of
from mtbsync_daemon.library import Library
from mtbsync_daemon.rules import copies_of
from mtbsync_daemon.services import Services
from mtbsync_daemon.store import jobs, markers, recordings, syncs, trails
from mtbsync_daemon.store.jobs import JobRow, State
from mtbsync_daemon.store.recordings import RecordingRow, StoredFile
from mtbsync_daemon.watch.gather import Group, gather
from mtbsync_engine.media.chapters import proxy_name

# Programs ask again after 20 s.
_PATIENCE_S = 15.0
_TYPES = {
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".mts": "video/mp2t",
    ".webm": "video/webm",
}
_MOST_REFUSED = 200


async def several(call: Call, query: models.RecordingsQuery) -> models.Recordings:
    """Recordings, the newest first, or those that own one of some files."""
    after = after_time(query.cursor)
    return await call.read(_several, call.services, query, after)


async def one(call: Call, recording_id: str) -> models.Recording:
    """One recording."""
    return await call.read(_one, call.services, recording_id)


async def register(call: Call, body: models.RecordingsWanted) -> models.Recordings:
    """Make files known, and give the recordings that own them once they have been looked at.

    Several files may belong to one recording.
    """
    paths = [Path(os.path.normpath(path)) for path in body.paths]
    roots = (*call.services.settings.current.readable_roots, call.services.places.footage)
    groups = await on_disk(call.request, groups_of, paths, roots)
    job_ids = await call.write(take_groups, call.services.library, groups)
    await _until_ended(call, job_ids)
    return await call.read(_registered, call.services, paths)


async def file(call: Call, recording_id: str, ordinal: str, query: models.FileQuery) -> web.StreamResponse:
    """A recording's video, or a lighter copy of it, by chapter, counted from 0."""
    files = await call.read(_files, recording_id)
    places, roots = call.services.places, call.services.settings.current.readable_roots
    if query.which == "light":
        folder = places.light_copy_of(recording_id)
        path, real = await on_disk(call.request, _light_file, folder, ordinal)
    else:
        roots = (*roots, places.footage)
        is_proxy = query.which == "camera"
        path, real = await on_disk(call.request, _file, files, ordinal, is_proxy, roots)
    about = {
        "Content-Type": _TYPES.get(path.suffix.lower(), "video/mp4"),
        "Cache-Control": "private, no-cache",
    }
    return await send_file(call.request, real, about)


async def refused(call: Call) -> models.RefusedFiles:
    """Files that are no recordings, and why; those that are not there any more are left out."""
    known = await call.read(recordings.refused, _MOST_REFUSED)
    found = await on_disk(call.request, lambda: [f for f in known if is_there(f.path)])
    return models.RefusedFiles(
        files=tuple(models.RefusedFile(path=shown(f.path), reason=f.refused or "") for f in found)
    )


def recording_row(db: sqlite3.Connection, recording_id: str) -> RecordingRow:
    """The recording of that id.

    Raises:
        Problem: there is none.
    """
    found = recordings.get(db, recording_id)
    if found is None:
        raise not_found("recording")
    return found


def _several(
    db: sqlite3.Connection, services: Services, query: models.RecordingsQuery, after: tuple[float, str] | None
) -> models.Recordings:
    if query.path:
        return _owners(db, services, [Path(path) for path in query.path])
    found = recordings.page(db, query.limit + 1, after, name=query.q, trail_id=query.trail, show=query.show)
    shown_rows, cursor = page_of(found, query.limit, lambda row: (row.added_at, row.recording_id))
    return models.Recordings(
        recordings=tuple(_document(db, services, row) for row in shown_rows), next_cursor=cursor
    )


def _one(db: sqlite3.Connection, services: Services, recording_id: str) -> models.Recording:
    return _document(db, services, recording_row(db, recording_id))


def _owners(db: sqlite3.Connection, services: Services, paths: Sequence[Path]) -> models.Recordings:
    asked = set(paths)
    found = recordings.owners(db, paths)
    return models.Recordings(recordings=tuple(_document(db, services, row, asked) for row in found))


def _document(
    db: sqlite3.Connection, services: Services, row: RecordingRow, asked: Collection[Path] = ()
) -> models.Recording:
    """The recording with the files of one copy: the one that was asked for, or its first."""
    trail, latest = trails.of_recording(db, row.recording_id), syncs.current(db, row.recording_id)
    files = [f for f in recordings.files_of(db, row.recording_id) if f.is_chapter]
    copy = next((f.first for f in files if f.path in asked), files[0].first if files else None)
    starts_s = row.about["starts_s"]
    ends_s = [*starts_s[1:], row.duration_s]
    chapters = [f.path for f in files if f.first == copy]
    count = markers.counts(db, row.recording_id) if trail is None else (len(trail.markers), 0)
    return models.Recording(
        id=row.recording_id,
        name=row.name,
        is_reference=trail is not None,
        trail=None if trail is None else trail.trail_id,
        duration_s=row.duration_s,
        files=tuple(
            models.File(path=shown(path), offset_s=start_s, duration_s=end_s - start_s)
            for path, start_s, end_s in zip(chapters, starts_s, ends_s, strict=False)
        ),
        rate=row.about["rate"],
        width=row.about["width"],
        height=row.about["height"],
        start_timecode=row.about["start_timecode"],
        has_audio=row.about["has_audio"],
        created_utc=row.about["created_utc"],
        added_at=row.added_at,
        markers=models.MarkerCount(n=count[0], n_to_review=count[1]),
        has_camera_copy=row.about["uses_proxy"],
        has_light_copy=_has_light_copy(services.places.light_copy_of(row.recording_id), len(starts_s)),
        sync=None if latest is None else sync_document(db, services.queue, latest),
        troubles=tuple(_trouble(job) for job in jobs.in_trouble(db, row.recording_id)),
    )


def _trouble(job: JobRow) -> models.Trouble:
    is_queued = job.state is State.QUEUED
    return models.Trouble(job=job.job_id, kind=job.kind, error=job.error or "", is_tried_again=is_queued)


def _has_light_copy(folder: Path, n_chapters: int) -> bool:
    try:
        return len(list(folder.glob("*.mp4"))) >= n_chapters
    except OSError:
        return False


# --- making files known ---------------------------------------------------------------------------


def groups_of(paths: Sequence[Path], roots: Sequence[Path]) -> list[list[StoredFile]]:
    """The recordings, by their names, that the files at `paths` belong to, each once.

    Raises:
        Problem: a file is not there, no video, or outside the roots.
    """
    within = real_roots(roots)
    folders: dict[Path, Mapping[str, Group]] = {}
    found: dict[Path, list[StoredFile]] = {}
    for path in paths:
        check_within(path, within)
        if path.is_dir():
            raise Problem(422, f"{shown(path)} is a folder; name the files in it.")
        if path.parent not in folders:
            check_within(path.parent, within)
            folders[path.parent] = _groups_in(path.parent)
        group = folders[path.parent].get(path.name)
        if group is None and not is_there(path):
            raise Problem(422, f"There is no file {shown(path)}.")
        if group is None:
            raise Problem(422, f"{shown(path)} is no video that mtbsync knows by its name.")
        first = path.with_name(group.chapters[0])
        if first not in found:
            found[first] = _stored_group(path.parent, group, within)
    return list(found.values())


def _groups_in(folder: Path) -> Mapping[str, Group]:
    """The recordings in a folder by the names of all their files; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise Problem(422, f"{shown(folder)} cannot be read: {error.strerror}.") from error
    return {name: group for group in gather(names) for name in group.members}


def _stored_group(folder: Path, group: Group, within: Sequence[Path]) -> list[StoredFile]:
    members = [folder / name for name in group.members]
    for member in members:
        check_within(member, within)
    return [_stored(member, members[0], member.name in group.chapters) for member in members]


def _stored(path: Path, first: Path, is_chapter: bool) -> StoredFile:
    try:
        status = path.stat()
    except OSError as error:
        raise Problem(422, f"{shown(path)} cannot be read: {error.strerror}.") from error
    return StoredFile(path, first, is_chapter, status.st_size, status.st_mtime_ns)


def take_groups(
    db: sqlite3.Connection, library: Library, groups: Sequence[Sequence[StoredFile]]
) -> list[str]:
    """Have these looked at, but for those that are known as they are; gives the jobs' ids."""
    return [library.take(db, None, group) for group in groups if not _is_known(db, group)]


def _is_known(db: sqlite3.Connection, group: Sequence[StoredFile]) -> bool:
    """Whether these very files, as they are now, are a recording already."""
    known = {f.path: f for f in recordings.group(db, group[0].path) if f.recording_id is not None}
    return all(
        f.path in known and (known[f.path].n_bytes, known[f.path].mtime_ns) == (f.n_bytes, f.mtime_ns)
        for f in group
    )


async def _until_ended(call: Call, job_ids: Sequence[str]) -> None:
    """Wait until these jobs have ended, and what followed from them.

    Raises:
        Problem: that takes too long.
    """
    streams = call.request.app[STREAMS]
    until = time.monotonic() + _PATIENCE_S
    stream = streams.begin()
    try:
        while True:
            stream.awake.clear()
            if not await call.read(_some_active, job_ids):
                return
            if not await wait_for_change(streams, stream, until - time.monotonic()):
                raise Problem(
                    503,
                    "mtbsync is still looking at these files; try again in a moment.",
                    {"Retry-After": "5"},
                )
    finally:
        streams.end(stream)


def _some_active(db: sqlite3.Connection, job_ids: Sequence[str]) -> bool:
    found = (jobs.get(db, job_id) for job_id in job_ids)
    return any(job is not None and job.state.is_active for job in found)


def _registered(db: sqlite3.Connection, services: Services, paths: Sequence[Path]) -> models.Recordings:
    found = _owners(db, services, paths)
    for path in paths:
        if not recordings.owners(db, [path]):
            why = next((f.refused for f in recordings.group(db, path) if f.refused), None)
            raise Problem(422, why or f"{shown(path)} belongs to no recording.")
    return found


def _files(db: sqlite3.Connection, recording_id: str) -> list[StoredFile]:
    recording_row(db, recording_id)
    return recordings.files_of(db, recording_id)


def _file(
    files: Sequence[StoredFile], ordinal: str, is_proxy: bool, roots: Sequence[Path]
) -> tuple[Path, Path]:
    """The path of a chapter, or of its low-resolution copy, in the first copy that is all there, and where
    that really is.

    Raises:
        Problem: there is none, or it lies outside the roots.
    """
    copies = copies_of(files)
    chapters = next((copy for copy in copies if all(map(is_there, copy))), next(iter(copies), []))
    if not (ordinal.isascii() and ordinal.isdigit() and len(ordinal) < 6 and int(ordinal) < len(chapters)):
        raise not_found("chapter of this recording")
    path = chapters[int(ordinal)]
    if is_proxy:
        beside = [f.path.name for f in files if f.path.parent == path.parent]
        name = proxy_name(path.name, beside)
        if name is None:
            raise not_found("low-resolution copy of this chapter")
        path = path.with_name(name)
    real = check_within(path, real_roots(roots))
    if not is_there(real):
        raise Problem(404, f"{shown(path)} is not there now.")
    return path, real


def _light_file(folder: Path, ordinal: str) -> tuple[Path, Path]:
    path = folder / f"{ordinal}.mp4"
    if not (ordinal.isascii() and ordinal.isdigit() and is_there(path)):
        raise not_found("light copy of this chapter")
    return path, path


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/v1/recordings", several),
    Route("POST", "/api/v1/recordings", register, errors=(403, 422, 503)),
    Route("GET", "/api/v1/recordings/{recording_id}", one, errors=(404,)),
    Route(
        "GET",
        "/api/v1/recordings/{recording_id}/files/{ordinal}",
        file,
        errors=(403, 404, 416),
        media_type="video/mp4",
    ),
    Route("GET", "/api/v1/refused-files", refused),
)
