"""What of the files beside the library is still needed."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True)
class Uses:
    """Recordings by their fingerprints, jobs by their ids, results as folders below the artifacts.

    `references` are recordings that runs are compared with, `active_recordings` those that a job which has
    not ended is about; `results` are those that runs have their markers from, or can get them from.
    """

    recordings: frozenset[str]
    references: frozenset[str]
    active_recordings: frozenset[str]
    syncs: frozenset[str]
    active_jobs: frozenset[str]
    results: frozenset[str]


def uses(db: sqlite3.Connection) -> Uses:
    """What is needed now."""
    return Uses(
        recordings=_column(db, "SELECT id FROM recordings"),
        references=_column(db, "SELECT recording_id FROM trails"),
        active_recordings=_column(
            db,
            "SELECT recording_id FROM jobs WHERE state IN ('queued', 'running') AND recording_id IS NOT NULL",
        ),
        syncs=_column(db, "SELECT job_id FROM syncs"),
        active_jobs=_column(db, "SELECT id FROM jobs WHERE state IN ('queued', 'running')"),
        results=_column(
            db,
            "SELECT artifact FROM syncs AS s WHERE artifact IS NOT NULL AND (verdict != 'reject' "
            "AND turn = (SELECT max(turn) FROM syncs WHERE recording_id = s.recording_id) "
            "OR id IN (SELECT sync_id FROM markers) "
            "OR (recording_id, trail_id) IN (SELECT recording_id, trail_id FROM anchors) "
            "OR recording_id IN (SELECT recording_id FROM jobs WHERE state IN ('queued', 'running')))",
        ),
    )


def _column(db: sqlite3.Connection, query: str) -> frozenset[str]:
    return frozenset(str(row[0]) for row in db.execute(query))
