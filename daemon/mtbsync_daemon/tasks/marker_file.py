"""A run's markers in a file of their own, with what a person made of them.

That stands in one more column, so that other programs read the file as ever. A marker that was rejected is
kept there without a place on the run, which nobody puts on a timeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtbsync_daemon.jobs.executor import Work
from mtbsync_daemon.store.markers import MarkerState
from mtbsync_daemon.tasks.deliver import digest_of, encoded, not_a_persons, transferred_of
from mtbsync_engine.files import remove_unfinished, write_text
from mtbsync_engine.model import TransferredMarker
from mtbsync_integrations.formats.marker_csv import read_transferred, write_transferred

_STATE = "mtbsync_state"
# A person's own, at a place that the reference does not show: its t_ref in the file means nothing.
_OFF_REFERENCE = "added off the reference"


def run(params: dict[str, Any], work: Work) -> dict[str, Any]:
    """Save `markers`, as the library has them, to `path`, where `digest` was what the file held; None for no
    file. One that somebody else has changed since is left, and a new name is taken. Gives the `path` and the
    `digest` that count from now on.

    Raises:
        OutputError: it cannot be written.
    """
    wanted = Path(params["path"])
    with work.stage("Saving the markers"):
        markers = sorted((_with_state(m) for m in params["markers"]), key=lambda m: m.marker.t_s)
        text = write_transferred(markers)
        digest = digest_of(encoded(text))
        path = not_a_persons(wanted, digest, {str(wanted): params["digest"]})
        remove_unfinished(path)
        write_text(path, text)
    return {"path": str(path), "digest": digest}


def saved_markers(path: Path) -> list[dict[str, Any]]:
    """The markers in such a file, or in any that markers were carried over to, as the library has them.

    Raises:
        MarkerError: it cannot be used.
    """
    return [marker_document(m) for m in read_transferred(path)]


def marker_document(m: TransferredMarker) -> dict[str, Any]:
    """A marker that was carried over, as the library has it."""
    said = dict(m.marker.extra).get(_STATE, "")
    state = MarkerState.ADDED if said == _OFF_REFERENCE else MarkerState.FOUND
    if said in tuple(MarkerState):
        state = MarkerState(said)
    return {
        "marker_id": m.marker.marker_id,
        "name": m.marker.name,
        "colour": m.marker.colour,
        "comment": m.marker.comment,
        "extra": [(column, cell) for column, cell in m.marker.extra if column != _STATE],
        "t_ref_s": None if said == _OFF_REFERENCE else m.marker.t_s,
        "t_s": m.t_new,
        "duration_s": m.duration_s,
        "confidence": m.confidence,
        "expected_error_s": m.expected_error_s,
        "needs_review": m.needs_review,
        "reason": m.reason,
        "state": state,
    }


def _with_state(m: Mapping[str, Any]) -> TransferredMarker:
    state = _OFF_REFERENCE if m["t_ref_s"] is None else m["state"]
    said = [] if state == MarkerState.FOUND else [(_STATE, state)]
    is_rejected = m["state"] == MarkerState.REJECTED
    # What stands only where the run is, the reader needs a time of the reference for.
    t_ref_s = m["t_s"] if m["t_ref_s"] is None else m["t_ref_s"]
    t_s = None if is_rejected else m["t_s"]
    return transferred_of({**m, "t_ref_s": t_ref_s, "t_s": t_s, "extra": [*m["extra"], *said]})
