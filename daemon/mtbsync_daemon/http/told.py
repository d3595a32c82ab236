"""Between the library's markers and what an editor's timeline shows of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from mtbsync_daemon.http import models
from mtbsync_daemon.http.problems import Problem
from mtbsync_daemon.library import Library
from mtbsync_daemon.store import markers, trails
from mtbsync_daemon.store.ids import new_marker_id
from mtbsync_daemon.store.markers import MarkerRow, MarkerState
from mtbsync_daemon.store.recordings import RecordingRow
from mtbsync_daemon.store.trails import TrailMarker, TrailRow
from mtbsync_integrations.formats.losses import without_review_hint
from mtbsync_integrations.resolve.words import Words, in_words

# A marker of the same name within this is the same one: no frame is longer.
_SAME_PLACE_S = 0.1


def shown_markers(db: sqlite3.Connection, recording: RecordingRow) -> Iterator[models.ShownMarker]:
    """A recording's markers that have a place, in Resolve's words: a reference has those of its trail,
    a run what a sync or a person placed there and nobody rejected."""
    trail = trails.of_recording(db, recording.recording_id)
    if trail is not None:
        for own in trail.markers:
            yield _shown(own.marker_id, own.t_s, own.duration_s, _trail_words(own))
        return
    for m in markers.of_recording(db, recording.recording_id):
        if m.t_s is not None and m.state is not MarkerState.REJECTED:
            words = _run_words(m)
            yield _shown(m.marker_id, m.t_s, m.duration_s, words, m.needs_review, m.reason)


def take_told(db: sqlite3.Connection, library: Library, recording: RecordingRow, told: models.Told) -> None:
    """Note what a timeline shows over a recording, and follow it: a reference's markers are these from now
    on, and on a run a changed one is the person's correction.

    Raises:
        Problem: one of them stands behind the recording's end.
    """
    for m in told.markers:
        if m.t_s > recording.duration_s:
            raise Problem(422, f"{m.name} stands behind the end of {recording.name}; move it onto the clip.")
    markers.tell(db, told.recording, told.timeline, [m.model_dump() for m in told.markers])
    trail = trails.of_recording(db, told.recording)
    if trail is not None:
        marked = _trail_markers(trail, told.markers)
        if marked != trail.markers:
            library.mark_trail(db, trail, marked=marked)
        return
    known = {m.marker_id: m for m in markers.of_recording(db, told.recording)}
    changed = [(known[m.id], m) for m in told.markers if m.changed and m.id in known]
    corrections = [(row, made) for row, m in changed if (made := _correction(row, m))]
    if corrections:
        # In an editor a marker may be moved for the cut's sake.
        library.change_markers(db, told.recording, corrections, is_place=False)


def _shown(
    marker_id: str, t_s: float, duration_s: float, words: Words, needs_review: bool = False, reason: str = ""
) -> models.ShownMarker:
    return models.ShownMarker(
        id=marker_id,
        t_s=t_s,
        duration_s=duration_s,
        name=words.name,
        colour=words.colour,
        note=words.note,
        needs_review=needs_review,
        reason=reason,
    )


def _trail_words(marker: TrailMarker) -> Words:
    return in_words(marker.name, marker.colour, marker.comment)


def _run_words(marker: MarkerRow) -> Words:
    return in_words(marker.name, marker.colour, marker.comment, marker)


def _correction(row: MarkerRow, told: models.ToldMarker) -> dict[str, object]:
    """What of a run's marker a person has changed; empty where it was told before."""
    words = in_words(row.name, row.colour, row.comment)
    notes = (told.note, without_review_hint(told.note))
    made: dict[str, object] = {
        "t_s": told.t_s,
        "duration_s": told.duration_s,
        # What stands as it was shown stays as it was before it was put in Resolve's words.
        "name": row.name if told.name == words.name else told.name,
        "colour": row.colour if told.colour == words.colour else told.colour,
        "comment": row.comment if words.note in notes else notes[1],
        "needs_review": False,
        "state": MarkerState.CORRECTED,
    }
    return made if any(getattr(row, name) != value for name, value in made.items()) else {}


def _trail_markers(trail: TrailRow, told: Sequence[models.ToldMarker]) -> tuple[TrailMarker, ...]:
    """A trail's markers as a timeline shows them. One that the user made, and that stands where the trail had
    one of that name, is that one: so the same timeline told twice changes nothing."""
    left = {m.marker_id: m for m in trail.markers}
    named = {m.id: left.pop(m.id, None) for m in told if m.id is not None}
    made: dict[str, TrailMarker] = {}
    for m in told:
        known = named.pop(m.id, None) if m.id is not None else _same(m, left)
        marker_id = known.marker_id if known is not None else m.id
        if marker_id is None or marker_id in made:
            marker_id = new_marker_id()
        made[marker_id] = _trail_marker(marker_id, m, known)
    return tuple(sorted(made.values(), key=lambda m: m.t_s))


def _same(told: models.ToldMarker, left: dict[str, TrailMarker]) -> TrailMarker | None:
    """The marker of what is `left` of the trail that this one is, which is left no more."""
    namesakes = [m for m in left.values() if _trail_words(m).name == told.name]
    near = [m for m in namesakes if abs(m.t_s - told.t_s) < _SAME_PLACE_S]
    if not near:
        return None
    return left.pop(min(near, key=lambda m: abs(m.t_s - told.t_s)).marker_id)


def _trail_marker(marker_id: str, told: models.ToldMarker, known: TrailMarker | None) -> TrailMarker:
    if known is None:
        comment = without_review_hint(told.note)
        return TrailMarker(marker_id, told.name, told.t_s, told.duration_s, told.colour, comment)
    words = _trail_words(known)
    return TrailMarker(
        marker_id,
        known.name if told.name == words.name else told.name,
        told.t_s,
        told.duration_s,
        known.colour if told.colour == words.colour else told.colour,
        known.comment if told.note == words.note else told.note,
        known.extra,
    )
