"""Markers of runs: a person's word on them, and what editors' timelines show of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from mtbsync_daemon.http import models
from mtbsync_daemon.http.problems import Problem, not_found
from mtbsync_daemon.http.routes.recordings import recording_row
from mtbsync_daemon.http.routing import Call, Route
from mtbsync_daemon.http.told import shown_markers, take_told
from mtbsync_daemon.library import Library
from mtbsync_daemon.rules import StateError
from mtbsync_daemon.services import Changes, Services
from mtbsync_daemon.store import edits, markers, trails
from mtbsync_daemon.store.edits import Edit
from mtbsync_daemon.store.markers import LABELS, NOTE, MarkerRow, MarkerState

_MOST_EDITS = 200


async def several(call: Call, recording_id: str) -> models.RunMarkers:
    """All markers of a run."""
    return await call.read(_several, recording_id)


async def one(call: Call, recording_id: str, marker_id: str) -> models.RunMarker:
    """One marker of a run."""
    return _document(await call.read(_row, recording_id, marker_id))


async def change(
    call: Call, recording_id: str, marker_id: str, body: models.RunMarkerChange
) -> models.RunMarker:
    """Put a marker right, or accept or reject it as it stands.

    One that the trail has is at the same place as there from now on where it is moved, and the others follow.
    """
    return await call.write(_change, call, recording_id, marker_id, body)


async def decide(call: Call, recording_id: str, body: models.Decision) -> models.RunMarkers:
    """Accept or reject several markers as they stand, all of them or none."""
    return await call.write(_decide, call.services.library, recording_id, body)


async def shown(call: Call, query: models.MarkersQuery) -> models.ShownMarkers:
    """A recording's markers in an editor's words."""
    return await call.read(_shown, query.recording)


async def told(call: Call, body: models.Told) -> models.Empty:
    """Tell what an editor's timeline shows over a recording, in place of what it told before."""
    return await call.write(_told, call.services, body)


async def add(call: Call, recording_id: str, body: models.RunMarkerWanted) -> models.RunMarker:
    """Put a marker of one's own on a run."""
    return await call.write(_add, call.services.library, recording_id, body)


async def undo(call: Call, recording_id: str) -> models.Edit:
    """Take back what a person changed last on a run."""
    return _edit(await call.write(_turned, recording_id, call.services.library.undo))


async def redo(call: Call, recording_id: str) -> models.Edit:
    """Do once more what was undone last."""
    return _edit(await call.write(_turned, recording_id, call.services.library.redo))


async def history(call: Call, recording_id: str) -> models.Edits:
    """What people changed on a run, the newest first."""
    return await call.read(_history, recording_id)


def _add(
    db: sqlite3.Connection, library: Library, recording_id: str, wanted: models.RunMarkerWanted
) -> models.RunMarker:
    if wanted.t_s > recording_row(db, recording_id).duration_s:
        raise Problem(422, "That is behind the recording's end.")
    extra = _with_words((), wanted.note, wanted.labels)
    values = wanted.model_dump(exclude={"note", "labels"})
    return _document(library.add_marker(db, recording_id, extra=extra, **values))


def _turned(
    db: sqlite3.Connection, recording_id: str, turn: Callable[[sqlite3.Connection, str], Edit]
) -> Edit:
    recording_row(db, recording_id)
    return turn(db, recording_id)


def _history(db: sqlite3.Connection, recording_id: str) -> models.Edits:
    recording_row(db, recording_id)
    found = edits.of_recording(db, recording_id, _MOST_EDITS)
    return models.Edits(edits=tuple(map(_edit, found)))


def _edit(edit: Edit) -> models.Edit:
    return models.Edit(id=edit.edit_id, what=edit.what, at=edit.at, is_undone=edit.is_undone)


def _several(db: sqlite3.Connection, recording_id: str) -> models.RunMarkers:
    recording_row(db, recording_id)
    return models.RunMarkers(markers=tuple(_document(m) for m in markers.of_recording(db, recording_id)))


def _row(db: sqlite3.Connection, recording_id: str, marker_id: str) -> MarkerRow:
    recording_row(db, recording_id)
    found = markers.get(db, recording_id, marker_id)
    if found is None:
        raise not_found("marker")
    return found


def _change(
    db: sqlite3.Connection, call: Call, recording_id: str, marker_id: str, wanted: models.RunMarkerChange
) -> models.RunMarker:
    row = _row(db, recording_id, marker_id)
    call.check_match(_document(row))
    values = wanted.model_dump(exclude_none=True, exclude={"state", NOTE, LABELS})
    own = (wanted.model_fields_set & {NOTE, LABELS}) | (values.keys() - {"t_s"})
    extra = _with_words(row.extra, wanted.note, wanted.labels)
    if extra != row.extra:
        values["extra"] = extra
    if values and wanted.state is not None:
        raise Problem(422, "Either change a marker, or accept or reject it as it stands.")
    if values.get("t_s", 0.0) > recording_row(db, recording_id).duration_s:
        raise Problem(422, "That is behind the recording's end.")
    if values:
        made = {**values, **_by_hand(row, values, own)}
    elif wanted.state is not None:
        made = _decision(row, wanted.state)
    else:
        raise Problem(422, "That changes nothing.")
    call.services.library.change_markers(db, recording_id, [(row, made)], is_place=True)
    return _document(_row(db, recording_id, marker_id))


def _decide(
    db: sqlite3.Connection, library: Library, recording_id: str, wanted: models.Decision
) -> models.RunMarkers:
    changed = []
    for named in wanted.markers:
        row = _row(db, recording_id, named.id)
        if row.version != named.version:
            raise Problem(412, f"{row.name} has changed meanwhile; load the markers again.")
        changed.append((row, _decision(row, wanted.state)))
    library.change_markers(db, recording_id, changed, is_place=False)
    return _several(db, recording_id)


def _with_words(
    extra: tuple[tuple[str, str], ...], note: str | None, labels: Sequence[str] | None
) -> tuple[tuple[str, str], ...]:
    """A marker's extra columns with what a person wrote on the page; None leaves it as it is."""
    if note is not None:
        extra = markers.with_column(extra, NOTE, note)
    if labels is not None:
        extra = markers.with_column(extra, LABELS, ", ".join(labels))
    return extra


def _by_hand(row: MarkerRow, values: Mapping[str, Any], own: Collection[str]) -> dict[str, Any]:
    """What else changes where a person has changed `values`. Whoever moves a marker has decided where it is;
    whoever writes into it, `own`, has not, but that stays whatever is found later."""
    made: dict[str, Any] = {"own": tuple(sorted({*row.own, *own}))}
    if "t_s" in values and row.state is not MarkerState.ADDED:
        made |= {"needs_review": False, "state": MarkerState.CORRECTED}
    return made


def _decision(row: MarkerRow, state: str) -> dict[str, Any]:
    if state == MarkerState.REJECTED:
        return {"state": MarkerState.REJECTED}
    if row.t_s is None:
        raise StateError(f"{row.name} has no place on this run; give it one, or reject it.")
    own = row.sync_id is None
    return {"needs_review": False, "state": MarkerState.ADDED if own else MarkerState.ACCEPTED}


def _shown(db: sqlite3.Connection, recording_id: str) -> models.ShownMarkers:
    return models.ShownMarkers(markers=tuple(shown_markers(db, recording_row(db, recording_id))))


def _told(db: sqlite3.Connection, services: Services, body: models.Told) -> models.Empty:
    recording = recording_row(db, body.recording)
    if services.changes is not Changes.ALL and trails.of_recording(db, body.recording) is not None:
        raise Problem(403, "Only runs can be changed here; change the reference's markers in your library.")
    take_told(db, services.library, recording, body)
    return models.Empty()


def _document(m: MarkerRow) -> models.RunMarker:
    return models.RunMarker(
        id=m.marker_id,
        name=m.name,
        colour=m.colour,
        comment=m.comment,
        note=m.note,
        labels=m.labels,
        t_ref_s=m.t_ref_s,
        t_s=m.t_s,
        duration_s=m.duration_s,
        confidence=m.confidence,
        expected_error_s=m.expected_error_s,
        needs_review=m.needs_review,
        reason=m.reason,
        state=m.state,
        version=m.version,
    )


_OF_RUN = "/api/v1/recordings/{recording_id}"
ROUTES: tuple[Route, ...] = (
    Route("GET", f"{_OF_RUN}/markers", several, errors=(404,)),
    Route("POST", f"{_OF_RUN}/markers", add, errors=(404,)),
    Route("GET", f"{_OF_RUN}/markers/{{marker_id}}", one, errors=(404,)),
    Route("PATCH", f"{_OF_RUN}/markers/{{marker_id}}", change, errors=(404, 409), is_edit=True),
    Route("POST", f"{_OF_RUN}/decisions", decide, errors=(404, 409, 412)),
    Route("GET", f"{_OF_RUN}/edits", history, errors=(404,)),
    Route("POST", f"{_OF_RUN}/undo", undo, errors=(404, 409)),
    Route("POST", f"{_OF_RUN}/redo", redo, errors=(404, 409)),
    Route("GET", "/api/v1/markers", shown, errors=(404,)),
    Route("PUT", "/api/v1/markers", told, errors=(403, 404)),
)
